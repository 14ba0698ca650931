package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// keeper writes what a transaction's action says under "public/x" and "secret/x".
func keeper() module.Module {
	return &scripted{execute: func(_ context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
		out := blank(b)
		for i, t := range b.Txs {
			for _, prefix := range []string{"public/x", "secret/x"} {
				out.Txs[i].Writes = append(out.Txs[i].Writes, module.Write{Item: module.Item{Key: prefix}, Data: t.Actions[0].Body})
			}
		}
		return out, nil
	}}
}

// looker declares and reads what a test says, and keeps what it has seen.
type looker struct {
	declare, ask []module.Item
	scan         bool
	spoil        func(out *module.Outcome)
	values       []module.Value
	read         [][]byte
	err          error
	producers    []types.PublicKey
	params       map[string][]byte
}

func (l *looker) module() module.Module {
	return &scripted{
		check: func(txs []module.Tx) []module.TxCheck {
			out := make([]module.TxCheck, len(txs))
			for i := range out {
				out[i].Reads = l.declare
			}
			return out
		},
		execute: func(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
			l.values, l.producers, l.params = b.Values, b.Producers, b.Params
			if l.ask != nil {
				l.read, l.err = r.Read(ctx, 0, l.ask)
			}
			if l.scan {
				_, _, l.err = r.Scan(ctx, 0, module.Item{Module: "keeper"}, module.MaxItem(), 10)
			}
			out := blank(b)
			if l.spoil != nil {
				l.spoil(out)
			}
			return out, nil
		},
	}
}

// foreignKit has a module that exports and two that read, one before it and one behind it in a block.
func foreignKit(t *testing.T, far bool) (k *kit, first, last *looker) {
	first, last = &looker{}, &looker{}
	a, b := first.module(), last.module()
	if far {
		a, b = remote(t, a), remote(t, b)
	}
	k = newKitOf(t, Config{Exports: map[string][]string{"keeper": {"public/", "open"}}}, nil, as("first", a), as("keeper", keeper()), as("last", b))
	return k, first, last
}

func (k *kit) to(mod, body string) *Tx {
	alice := newKey("alice")
	return k.signed(k.tx(alice, mod, types.Action{Name: "x", Body: []byte(body)}), alice)
}

func TestForeignReads(t *testing.T) {
	public := module.Item{Module: "keeper", Key: "public/x"}
	for _, far := range []bool{false, true} {
		t.Run(fmt.Sprintf("remote=%t", far), func(t *testing.T) {
			k, first, last := foreignKit(t, far)
			look := func(want string) {
				t.Helper()
				for name, l := range map[string]*looker{"first": first, "last": last} {
					l.declare, l.ask = []module.Item{public}, []module.Item{public, {Key: "own"}, {Module: "keeper", Key: "open and missing"}}
					if len(l.values) != 1 || l.values[0].Item != public || string(l.values[0].Data) != want {
						t.Errorf("%s: declared %+v, want %q", name, l.values, want)
					}
					if l.err != nil || len(l.read) != 3 || string(l.read[0]) != want || l.read[1] != nil || l.read[2] != nil {
						t.Errorf("%s: read %q, %v, want %q", name, l.read, l.err, want)
					}
				}
			}
			for _, l := range []*looker{first, last} {
				l.declare, l.ask = []module.Item{public}, []module.Item{public, {Key: "own"}, {Module: "keeper", Key: "open and missing"}}
			}
			// The block itself writes the item: nobody sees that, whether executed before or behind the module that writes.
			block := func(body string) {
				t.Helper()
				res := k.block(k.to("first", body), k.to("keeper", body), k.to("last", body))
				for i := range 3 {
					wantStatus(t, fmt.Sprint("transaction ", i), res.Receipts[i], types.StatusOK)
				}
			}
			block("one")
			look("")
			block("two")
			look("one")
			block("three")
			look("two")
		})
	}
}

func TestForeignReadsRefused(t *testing.T) {
	secret := module.Item{Module: "keeper", Key: "secret/x"}
	for _, far := range []bool{false, true} {
		for _, it := range []module.Item{secret, {Module: "nobody", Key: "public/x"}, {Module: types.ModuleBank, Key: ""}, {Module: "ledger.balance", Key: "public/x"},
			{Module: "last", Key: "mine by name"}, {Module: "keeper", Key: "publi"}} {
			t.Run(fmt.Sprintf("%s %s remote=%t", it.Module, it.Key, far), func(t *testing.T) {
				k, _, last := foreignKit(t, far)
				k.block(k.to("keeper", "one"))
				last.ask = []module.Item{it}
				if res := k.block(k.to("last", "")); !errors.Is(last.err, module.ErrInvalid) || res.Receipts[0].Status != types.StatusOK || len(res.Faults) > 0 {
					t.Errorf("asked for: %v, %+v", last.err, res.Faults)
				}
				last.ask, last.declare = nil, []module.Item{it}
				res := k.block(k.to("keeper", "two"), k.to("last", ""))
				if len(res.Faults) != 1 || !errors.Is(res.Faults[0].Err, module.ErrFault) || res.Receipts[1].Status != StatusModuleFault {
					t.Errorf("declared: %+v, %+v", res.Receipts, res.Faults)
				}
				wantStatus(t, "another module's", res.Receipts[0], types.StatusOK)
			})
		}
		t.Run(fmt.Sprintf("scan remote=%t", far), func(t *testing.T) {
			k, _, last := foreignKit(t, far)
			last.scan = true
			if res := k.block(k.to("last", "")); !errors.Is(last.err, module.ErrInvalid) || len(res.Faults) > 0 {
				t.Errorf("%v, %v", last.err, res.Faults)
			}
		})
	}
}

// TestForeignReadsAreCharged: what others export counts towards the same limit as one's own.
func TestForeignReadsAreCharged(t *testing.T) {
	k, _, last := foreignKit(t, false)
	for range module.MaxReadsPerTx {
		last.ask = append(last.ask, module.Item{Module: "keeper", Key: "public/x"})
	}
	if k.block(k.to("last", "")); last.err != nil {
		t.Errorf("as many as allowed: %v", last.err)
	}
	last.ask = append(last.ask, module.Item{})
	if k.block(k.to("last", "")); !errors.Is(last.err, module.ErrReadLimit) {
		t.Errorf("one more: %v", last.err)
	}
}

// TestForeignItemsAreForReading: an item of another module in what has an effect is a fault.
func TestForeignItemsAreForReading(t *testing.T) {
	public := module.Item{Module: "keeper", Key: "public/x"}
	alice := newKey("alice").id()
	for name, spoil := range map[string]func(r *module.Result){
		"write":    func(r *module.Result) { r.Writes = []module.Write{{Item: public, Data: []byte("mine")}} },
		"delete":   func(r *module.Result) { r.Writes = []module.Write{{Item: public}} },
		"schedule": func(r *module.Result) { r.Schedule = []module.Schedule{{Clock: 1 << 40, Item: public}} },
		"cancel":   func(r *module.Result) { r.Schedule = []module.Schedule{{Clock: 1, Item: public, Cancel: true}} },
		"rob": func(r *module.Result) {
			r.Transfers = []module.Transfer{{From: module.Party{Escrow: &public}, To: module.Party{Account: &alice}, Amount: module.WholeEscrow}}
		},
		"give": func(r *module.Result) {
			r.Transfers = []module.Transfer{{From: module.Party{Account: &alice}, To: module.Party{Escrow: &public}}}
		},
	} {
		for _, far := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s remote=%t", name, far), func(t *testing.T) {
				k, _, last := foreignKit(t, far)
				k.block(k.to("keeper", "one"))
				last.spoil = func(out *module.Outcome) { spoil(&out.Txs[0]) }
				res := k.block(k.to("last", ""))
				if len(res.Faults) != 1 || !errors.Is(res.Faults[0].Err, module.ErrFault) {
					t.Fatalf("%+v", res.Faults)
				}
				v := must(k.layer.Get(t.Context(), []state.Item{{Module: "keeper", Key: "public/x"}}))
				if string(v[0]) != "one" {
					t.Errorf("%q", v[0])
				}
			})
		}
	}
}

// TestForeignReadsElsewhere: questions and extensions read the module's own items.
func TestForeignReadsElsewhere(t *testing.T) {
	k, _, _ := foreignKit(t, false)
	if _, err := QueryReader(k.layer, "last").Read(t.Context(), module.BlockTx, []module.Item{{Module: "keeper", Key: "public/x"}}); !errors.Is(err, module.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

func TestBadExports(t *testing.T) {
	g := testGenesis()
	for name, e := range map[string]map[string][]string{
		"of no module":    {"nobody": {"x"}},
		"of the ledger":   {spaceBalance: {""}},
		"a long prefix":   {types.ModuleBank: {strings.Repeat("k", module.MaxKeyBytes+1)}},
		"of escrow names": {spaceEscrow + types.ModuleBank: {""}},
	} {
		if _, err := New(Config{Genesis: g, Modules: native(g), Exports: e}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestProducersAndParams: every module sees the producers of the epoch, and one that asks for it all parameters.
func TestProducersAndParams(t *testing.T) {
	all, own := &looker{}, &looker{}
	k := newKit(t, func(g *chainspec.Genesis) {
		alice := newKey("alice").id()
		g.Modules = []chainspec.ModuleRules{{Name: "watch", Plugin: "watch", Rules: "1", Config: []byte(`{"window":7}`)}}
		g.Params = &chainspec.Params{Authority: &alice, List: []chainspec.Param{
			{Name: "fees.floor", Type: "amount", Value: []byte("500"), Min: []byte("1"), Max: []byte("1000")},
			{Name: "watch.window", Type: "number", Value: []byte("7"), Min: []byte("1"), Max: []byte("9")},
		}}
	}, Named{Name: "all", Module: remote(t, all.module()), AllParams: true}, as("watch", own.module()))
	h := k.header(k.clock + 1)
	for i := range 3 {
		h.Producers = append(h.Producers, newKey(fmt.Sprint("producer", i)).pub)
	}
	txs := []*Tx{k.to("all", ""), k.to("watch", "")}
	if errs := k.authorise(txs...); errs[0] != nil || errs[1] != nil {
		t.Fatal(errs)
	}
	must(k.l.Execute(t.Context(), k.layer, h, txs))
	for name, l := range map[string]*looker{"all": all, "watch": own} {
		if len(l.producers) != 3 || l.producers[2].String() != h.Producers[2].String() {
			t.Errorf("%s: producers %v", name, l.producers)
		}
	}
	if len(all.params) != 2 || string(all.params["fees.floor"]) != "500" || string(all.params["watch.window"]) != "7" {
		t.Errorf("all parameters: %q", all.params)
	}
	if len(own.params) != 1 || string(own.params["window"]) != "7" {
		t.Errorf("own parameters: %q", own.params)
	}
}
