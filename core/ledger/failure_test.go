package ledger

import (
	"context"
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	sdkparams "github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var errBroken = errors.New("the disk is gone")

// losing is a state that fails for one namespace.
type losing struct {
	*state.Layer
	space string
}

func (l *losing) Get(ctx context.Context, items []state.Item) ([][]byte, error) {
	for _, it := range items {
		if it.Module == l.space {
			return nil, errBroken
		}
	}
	return l.Layer.Get(ctx, items)
}

func (l *losing) Scan(ctx context.Context, mod string, start, end state.ScanPos, limit int) ([]state.Entry, bool, error) {
	if mod == l.space {
		return nil, false, errBroken
	}
	return l.Layer.Scan(ctx, mod, start, end, limit)
}

// TestWhoseErrorItIs: what Execute fails with tells the module's failure from the state's and the caller's.
func TestWhoseErrorItIs(t *testing.T) {
	alice := newKey("alice")
	for _, far := range []bool{false, true} {
		place := map[bool]string{false: "near/", true: "far/"}[far]
		put := func(m module.Module) module.Module {
			if far {
				return remote(t, m)
			}
			return &crashes{Module: m}
		}
		for _, trick := range moduletest.Failures() {
			t.Run(place+string(trick), func(t *testing.T) {
				k := newKit(t, nil, as("bad", put(&moduletest.Dishonest{Trick: trick})))
				tx := k.signed(k.tx(alice, "bad", types.Action{Name: "x"}), alice)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if trick == moduletest.Hang {
					cancel()
				}
				_, err := k.l.Execute(ctx, k.layer, k.header(k.clock+1), []*Tx{tx})
				var me *ModuleError
				if is := errors.As(err, &me); is != (trick != moduletest.Hang) {
					t.Fatalf("%v", err)
				}
				if trick == moduletest.Hang {
					wantErr(t, "hang", err, context.Canceled)
				} else if me.Module != "bad" || me.Err == nil || errors.Is(err, module.ErrFault) {
					t.Errorf("%+v", me)
				}
			})
		}
		for name, action := range map[string]types.Action{"declared": moduletest.TallyAction("add", "n", 1, 0), "asked for": moduletest.TallyAction("peek", "n", 0, 0),
			"scanned": moduletest.TallyAction("sum", "", 0, 0)} {
			t.Run(place+"state "+name, func(t *testing.T) {
				k := newKit(t, nil, as("tally", put(moduletest.NewTally())))
				tx := k.signed(k.tx(alice, "tally", action), alice)
				_, err := k.l.Execute(t.Context(), &losing{k.layer, "tally"}, k.header(k.clock+1), []*Tx{tx})
				var me *ModuleError
				if !errors.Is(err, errBroken) || errors.As(err, &me) {
					t.Errorf("%v", err)
				}
			})
		}
		t.Run(place+"the module swallows it", func(t *testing.T) {
			k := newKit(t, nil, as("m", put(&scripted{execute: func(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
				_, _ = r.Read(ctx, 0, []module.Item{{Key: "x"}})
				return blank(b), nil
			}})))
			tx := k.signed(k.tx(alice, "m", types.Action{Name: "x"}), alice)
			if _, err := k.l.Execute(t.Context(), &losing{k.layer, "m"}, k.header(k.clock+1), []*Tx{tx}); !errors.Is(err, errBroken) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestWith: another instance of one module, on the same ledger otherwise, whose doings do not show in it.
func TestWith(t *testing.T) {
	var c calls
	alice, bad := newKey("alice"), &moduletest.Dishonest{Trick: moduletest.Crash}
	k := newKitOf(t, Config{Called: c.called}, nil, as("m", &crashes{Module: bad}), as("tally", moduletest.NewTally()))
	tx := k.signed(k.tx(alice, "m", types.Action{Name: "x", MaxSpend: 3}), alice)
	must(k.l.Check(t.Context(), []*Tx{tx}))
	header := k.header(k.clock + 1)
	var me *ModuleError
	if _, err := k.l.Execute(t.Context(), k.layer, header, []*Tx{tx}); !errors.As(err, &me) || me.Module != "m" {
		t.Fatal(err)
	}
	c.take("m")
	good := k.l.With("m", &moduletest.Dishonest{})
	res := must(good.Execute(t.Context(), k.layer, header, []*Tx{tx}))
	wantStatus(t, "with another instance", res.Receipts[0], types.StatusOK)
	if n := c.take("m"); len(n) > 0 {
		t.Errorf("probing is counted: %v", n)
	}
	if _, err := k.l.Execute(t.Context(), k.layer, header, []*Tx{tx}); !errors.As(err, &me) {
		t.Errorf("the ledger itself has the other instance: %v", err)
	}
	bad.Trick = ""
	if k.root(must(k.l.Execute(t.Context(), k.layer, header, []*Tx{tx}))) != k.root(res) {
		t.Error("another outcome")
	}
	var seen []string
	g := governedKit(t, &seen)
	txs := []*Tx{g.setParams(sdkparams.Change{Name: "fees.floor", Value: []byte("900")})}
	g.block(txs...)
	closing := g.header(g.clock + 1)
	closing.Consensus = &module.ConsensusInfo{Closes: true}
	probe := g.l.With("watch", moduletest.NewTally())
	must(probe.Execute(t.Context(), g.layer, closing, nil))
	if probe.Fees().Floor != 900 || g.l.Fees().Floor != floor {
		t.Errorf("after a probe the fees are %+v, of the probe %+v", g.l.Fees(), probe.Fees())
	}
	if k.l.With("nobody", bad) != k.l {
		t.Error("a ledger without the module is changed")
	}
}
