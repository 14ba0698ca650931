package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	sdkparams "github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// calls counts the calls of modules.
type calls struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *calls) called(mod, method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[mod+"."+method]++
}

// take returns the calls of one module since it was last asked for any, and forgets them all.
func (c *calls) take(mod string) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int{}
	for k, n := range c.n {
		if m, method, _ := cutLast(k); m == mod {
			out[method] = n
		}
	}
	clear(c.n)
	return out
}

func cutLast(s string) (string, string, bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '.' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

func wantCalls(t *testing.T, what string, got, want map[string]int) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: calls %v, want %v", what, got, want)
	}
}

// remote puts a module behind a gRPC connection over a unix socket.
func remote(t testing.TB, m module.Module) module.Module {
	t.Helper()
	in, err := moduletest.Remote(moduletest.Factory{Open: func() (moduletest.Instance, error) { return moduletest.Instance{Module: m}, nil }}).Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in.Module
}

// TestOneCrossing: of a module behind a connection, a block with 1,000 transactions that were admitted takes one call. One
// whose transactions were never seen takes one more, however many they are.
func TestOneCrossing(t *testing.T) {
	const n, accounts = 1_000, 50
	var c calls
	keys := make([]key, accounts)
	k := newKitOf(t, Config{Called: c.called}, func(g *chainspec.Genesis) {
		g.Limits.BlockBytes, g.Limits.BlockGas = types.MaxBodyBytes, 1<<40
		for i := range keys {
			keys[i] = newKey(fmt.Sprint("k", i))
			g.Allocations[0].Amount -= 1_000_000_000
			g.Allocations = append(g.Allocations, chainspec.Allocation{Name: fmt.Sprint("a", i), Account: keys[i].id(), Amount: 1_000_000_000})
		}
	}, as("tally", remote(t, moduletest.NewTally())))
	sealed := make([][]byte, n)
	for i := range sealed {
		x := k.tx(keys[i%accounts], "tally", moduletest.TallyAction("add", fmt.Sprint("n", i), 1, 0))
		x.MaxGas, x.MaxFee = 2_000, 10_000
		sealed[i] = k.seal(x, keys[i%accounts])
	}
	parse := func() []*Tx {
		out := make([]*Tx, n)
		for i := range out {
			out[i] = k.signedAs(sealed[i])
		}
		return out
	}
	txs, fresh := parse(), parse()
	for i, err := range must(k.l.Check(t.Context(), txs)) {
		if err != nil {
			t.Fatalf("transaction %d: %v", i, err)
		}
	}
	wantCalls(t, "admission of all at once", c.take("tally"), map[string]int{"check": 1})
	execute := func(txs []*Tx) *Result {
		t.Helper()
		for i, err := range k.authorise(txs...) {
			if err != nil {
				t.Fatalf("transaction %d: %v", i, err)
			}
		}
		return must(k.l.Execute(t.Context(), k.layer, k.header(k.clock+1), txs))
	}
	res := execute(txs)
	wantCalls(t, "a block of what was admitted", c.take("tally"), map[string]int{"execute": 1})
	if res.Receipts[n-1].Status != types.StatusOK {
		t.Fatalf("%+v", res.Receipts[n-1])
	}
	again := execute(txs)
	wantCalls(t, "the same block again", c.take("tally"), map[string]int{"execute": 1})
	unseen := execute(fresh)
	wantCalls(t, "the same block where nobody has seen its transactions", c.take("tally"), map[string]int{"check": 1, "execute": 1})
	execute(fresh)
	wantCalls(t, "and again", c.take("tally"), map[string]int{"execute": 1})
	mixed := append(parse()[:3:3], txs[3:]...)
	execute(mixed)
	wantCalls(t, "a block in which three are new", c.take("tally"), map[string]int{"check": 1, "execute": 1})
	for what, r := range map[string]*Result{"again": again, "unseen": unseen} {
		if !reflect.DeepEqual(r.Receipts, res.Receipts) || k.root(r) != k.root(res) {
			t.Errorf("%s: another outcome", what)
		}
	}
	// What is asked for on the way is counted apart: what peek reads it does not declare.
	k.apply(k.clock+1, txs, res)
	peek := k.signed(k.tx(keys[0], "tally", moduletest.TallyAction("peek", "n1", 0, 0), moduletest.TallyAction("peek", "n2", 0, 0)), keys[0])
	sum := k.signed(k.tx(keys[1], "tally", moduletest.TallyAction("sum", "", 0, 0)), keys[1])
	c.take("tally")
	small := k.block(peek, sum)
	if got := c.take("tally"); got["check"] != 1 || got["execute"] != 1 || got["read"] != 2 || got["scan"] == 0 {
		t.Errorf("a block that reads: calls %v", got)
	}
	wantStatus(t, "peek", small.Receipts[0], types.StatusOK)
	if k.block(); len(c.take("tally")) != 0 {
		t.Errorf("a block without anything for a module calls it")
	}
}

// TestCheckGoesByTheGas: what a module said of a transaction holds for the gas that it was told of, which follows the price list.
func TestCheckGoesByTheGas(t *testing.T) {
	alice := newKey("alice")
	var asked []uint64
	frugal := &scripted{
		check: func(txs []module.Tx) []module.TxCheck {
			out := make([]module.TxCheck, len(txs))
			for i := range txs {
				asked = append(asked, txs[i].MaxGas)
			}
			return out
		},
		execute: func(_ context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
			return blank(b), nil
		},
	}
	var seen []string
	k := governedKit(t, &seen, as("frugal", frugal))
	x := k.tx(alice, "frugal", types.Action{Name: "x"})
	x.MaxFee, x.Expires = 10_000, k.slot+100
	tx := k.signed(x, alice)
	for range 2 {
		if errs := must(k.l.Check(t.Context(), []*Tx{tx})); errs[0] != nil {
			t.Fatal(errs[0])
		}
	}
	if len(asked) != 1 {
		t.Fatalf("asked %d times about one transaction", len(asked))
	}
	k.block(k.setParams(sdkparams.Change{Name: "fees.per_gas", Value: []byte("2")}))
	k.closing()
	wantStatus(t, "in a block with other prices", k.block(tx).Receipts[0], types.StatusOK)
	if len(asked) != 2 || asked[0] == asked[1] {
		t.Errorf("asked with gas %v", asked)
	}
}

// TestManyReadsAreAskedAgain: what a transaction declares at length is not kept while it waits, and declared all the same.
func TestManyReadsAreAskedAgain(t *testing.T) {
	alice, asked, declared := newKey("alice"), 0, 0
	m := &scripted{
		check: func(txs []module.Tx) []module.TxCheck {
			asked++
			out := make([]module.TxCheck, len(txs))
			for i := range 200 {
				out[0].Reads = append(out[0].Reads, module.Item{Key: fmt.Sprint("a key ", i)})
			}
			return out
		},
		execute: func(_ context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
			declared = len(b.Values)
			return blank(b), nil
		},
	}
	k := newKit(t, nil, as("m", m))
	tx := k.signed(k.tx(alice, "m", types.Action{Name: "x"}), alice)
	must(k.l.Check(t.Context(), []*Tx{tx}))
	k.block(tx)
	if asked != 2 || declared != 200 {
		t.Errorf("asked %d times, %d values", asked, declared)
	}
}

// TestBadCheckIsOnesOwn: a fault of Check is found with the transaction that it is about, whichever others it is asked with.
func TestBadCheckIsOnesOwn(t *testing.T) {
	alice, bob := newKey("alice"), newKey("bob")
	m := &scripted{
		check: func(txs []module.Tx) []module.TxCheck {
			out := make([]module.TxCheck, len(txs))
			for i := range txs {
				switch txs[i].Actions[0].Name {
				case "bad":
					out[i].Facets = []module.Facet{{Name: "not a name"}}
				case "foreign":
					out[i].Reads = []module.Item{{Module: types.ModuleBank, Key: "x"}}
				case "crowd":
					if len(txs) > 1 {
						return out[1:]
					}
				}
			}
			return out
		},
		execute: func(_ context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
			return blank(b), nil
		},
	}
	k := newKit(t, nil, as("m", m))
	tx := func(name string, from key) *Tx { return k.signed(k.tx(from, "m", types.Action{Name: name}), from) }
	for _, name := range []string{"bad", "foreign"} {
		txs := []*Tx{tx("good", alice), tx(name, bob)}
		errs := must(k.l.Check(t.Context(), txs))
		if errs[0] != nil || !errors.Is(errs[1], ErrMalformed) || !errors.Is(errs[1], module.ErrFault) {
			t.Errorf("%s: admission: %v", name, errs)
		}
		res := k.block(txs...)
		if len(res.Faults) != 1 || res.Receipts[0].Status != StatusModuleFault || res.Receipts[1].Status != StatusModuleFault {
			t.Errorf("%s: %+v, %v", name, res.Receipts, res.Faults)
		}
	}
	// What only a crowd makes the module say is of no account, or nodes that have asked together and singly would differ.
	res := k.block(tx("crowd", alice), tx("good", bob))
	if len(res.Faults) > 0 {
		t.Errorf("a fault that no transaction has by itself: %v", res.Faults)
	}
}
