package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// moody answers every second time as a test says.
type moody struct {
	module.Module
	checks, runs int
	check        func(out []module.TxCheck) ([]module.TxCheck, error)
	execute      func(b *module.Block, out *module.Outcome) (*module.Outcome, error)
}

func (m *moody) Check(ctx context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	out, err := m.Module.Check(ctx, txs)
	if m.checks++; m.check != nil && m.checks%2 == 0 {
		return m.check(out)
	}
	return out, err
}

func (m *moody) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	out, err := m.Module.Execute(ctx, b, r)
	if m.runs++; m.execute != nil && m.runs%2 == 0 {
		return m.execute(b, out)
	}
	return out, err
}

// paranoidKit is a ledger that asks twice, and three transactions for the module.
func paranoidKit(t *testing.T, m, second module.Module, c *calls) (*kit, []*Tx) {
	k := newKitOf(t, Config{Paranoid: true, Called: c.called}, nil, Named{Name: "m", Module: m, Second: second})
	var txs []*Tx
	for i, n := range allNames[:3] {
		txs = append(txs, k.signed(k.tx(newKey(n), "m", moduletest.TallyAction("add", fmt.Sprint("n", i), 5, 0)), newKey(n)))
	}
	return k, txs
}

func TestParanoid(t *testing.T) {
	plain := newKit(t, nil, as("m", moduletest.NewTally()))
	for name, second := range map[string]module.Module{"the same instance": nil, "a second one": moduletest.NewTally(), "far away": remote(t, moduletest.NewTally())} {
		var c calls
		k, txs := paranoidKit(t, moduletest.NewTally(), second, &c)
		if errs := must(k.l.Check(t.Context(), txs)); errs[0] != nil {
			t.Fatal(errs)
		}
		wantCalls(t, name+": admission", c.take("m"), map[string]int{"check": 2})
		var again []*Tx
		for _, tx := range txs {
			again = append(again, plain.signedAs(tx.Envelope))
		}
		res := k.block(txs...)
		wantCalls(t, name+": a block", c.take("m"), map[string]int{"execute": 2})
		want := must(plain.l.Execute(t.Context(), plain.layer, plain.header(plain.clock+1), again))
		if k.layer.Root() != plain.root(want) || types.ReceiptsRoot(res.Receipts) != types.ReceiptsRoot(want.Receipts) {
			t.Errorf("%s: another outcome than without", name)
		}
	}
}

func TestParanoidFindsDifferences(t *testing.T) {
	gasOf := func(i int) func(*module.Block, *module.Outcome) (*module.Outcome, error) {
		return func(_ *module.Block, out *module.Outcome) (*module.Outcome, error) {
			out.Txs[i].Gas++
			return out, nil
		}
	}
	for _, c := range []struct {
		name    string
		m       *moody
		index   int
		inCheck bool
	}{
		{"gas", &moody{execute: gasOf(1)}, 1, false},
		{"the last's event", &moody{execute: func(_ *module.Block, out *module.Outcome) (*module.Outcome, error) {
			out.Txs[2].Events = append(out.Txs[2].Events, module.Event{Name: "more"})
			return out, nil
		}}, 2, false},
		{"order of writes", &moody{execute: func(_ *module.Block, out *module.Outcome) (*module.Outcome, error) {
			a := module.Write{Item: module.Item{Key: "a"}, Data: []byte{}}
			out.Txs[0].Writes = []module.Write{out.Txs[0].Writes[0], a}
			return out, nil
		}}, 0, false},
		{"nothing and an empty value", &moody{execute: func(_ *module.Block, out *module.Outcome) (*module.Outcome, error) {
			out.Txs[1].Writes[0].Data = []byte{}
			return out, nil
		}}, 1, false},
		{"scheduled work", &moody{execute: func(_ *module.Block, out *module.Outcome) (*module.Outcome, error) {
			out.Block.Events = []module.Event{{Name: "nothing happened"}}
			return out, nil
		}}, -1, false},
		{"a fault the second time", &moody{execute: func(*module.Block, *module.Outcome) (*module.Outcome, error) { return nil, nil }}, -1, false},
		{"what it reads", &moody{check: func(out []module.TxCheck) ([]module.TxCheck, error) {
			out[1].Reads = append(out[1].Reads, module.Item{Key: "more"})
			return out, nil
		}}, 1, true},
		{"a refusal", &moody{check: func(out []module.TxCheck) ([]module.TxCheck, error) {
			out[2] = module.TxCheck{Error: "ErrMood"}
			return out, nil
		}}, 2, true},
		{"a fault of check", &moody{check: func(out []module.TxCheck) ([]module.TxCheck, error) { return out[1:], nil }}, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var n calls
			c.m.Module = moduletest.NewTally()
			k, txs := paranoidKit(t, c.m, nil, &n)
			res, err := k.l.Execute(t.Context(), k.layer, k.header(k.clock+1), txs)
			var d *Difference
			if res != nil || !errors.Is(err, ErrDiffers) || errors.Is(err, module.ErrFault) || !errors.As(err, &d) {
				t.Fatalf("%+v, %v", res, err)
			}
			var me *ModuleError
			if errors.As(err, &me) {
				t.Errorf("taken for a failure: %v", err)
			}
			if d.Module != "m" || d.Index != c.index || d.Check != c.inCheck || d.Height != k.height+1 || d.One == d.Two {
				t.Errorf("%+v", d)
			}
			if c.index >= 0 && d.Tx != txs[c.index].ID || c.index < 0 && d.Tx != (types.TxID{}) {
				t.Errorf("transaction %s", d.Tx)
			}
			for _, want := range []string{`"m"`, fmt.Sprintf("block %d", k.height+1), d.One, d.Two} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if c.index >= 0 && !strings.Contains(err.Error(), txs[c.index].ID.String()) {
				t.Errorf("%q does not name the transaction", err)
			}
			t.Log(err)
		})
	}
}

// TestParanoidLies: the suite's modules that lie are found out, in process and behind a connection, and those that break rules
// alike both times are at fault as ever.
func TestParanoidLies(t *testing.T) {
	for _, trick := range append(moduletest.Lies(), moduletest.Faults()...) {
		d := &moduletest.Dishonest{Trick: trick}
		for how, m := range map[string]module.Module{"near": d, "far": remote(t, d)} {
			t.Run(string(trick)+"/"+how, func(t *testing.T) {
				var c calls
				k, txs := paranoidKit(t, m, nil, &c)
				res, err := k.l.Execute(t.Context(), k.layer, k.header(k.clock+1), txs)
				if lie := len(moduletest.Lies()) > 0 && containsTrick(moduletest.Lies(), trick); lie {
					if !errors.Is(err, ErrDiffers) {
						t.Fatalf("%v", err)
					}
				} else if err != nil || len(res.Faults) != 1 {
					t.Fatalf("%+v, %v", res, err)
				}
			})
		}
	}
}

func containsTrick(list []moduletest.Trick, t moduletest.Trick) bool {
	for _, x := range list {
		if x == t {
			return true
		}
	}
	return false
}

// TestParanoidParams: parameters that are good only the first time are a difference, too.
func TestParanoidParams(t *testing.T) {
	var c calls
	good, bad := moduletest.NewTally(), &refusing{moduletest.NewTally()}
	k, _ := paranoidKit(t, good, bad, &c)
	if err := k.l.Module("m").ValidateParams(t.Context(), map[string][]byte{"tally.step": []byte("5")}); !errors.Is(err, ErrDiffers) {
		t.Errorf("%v", err)
	}
	if err := k.l.Module("m").ValidateParams(t.Context(), map[string][]byte{"tally.step": []byte("50")}); !errors.Is(err, module.ErrBadParams) || errors.Is(err, ErrDiffers) {
		t.Errorf("%v", err)
	}
}

type refusing struct{ module.Module }

func (refusing) ValidateParams(context.Context, map[string][]byte) error { return module.ErrBadParams }
