package module

import (
	"math/rand/v2"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestDigest changes each thing that counts, and each that does not.
func TestDigest(t *testing.T) {
	a, b := types.AccountID{1}, types.AccountID{2}
	e, f := Item{Key: "e"}, Item{Key: "f"}
	make1 := func() *Outcome {
		return &Outcome{
			Block: Result{Events: []Event{{Name: "due"}}},
			Txs: []Result{
				{Gas: 5, Detail: "d", Writes: []Write{{Item: e, Data: []byte{1}}, {Item: f}},
					Transfers: []Transfer{{From: Party{Account: &a}, To: Party{Escrow: &e}, Amount: 7, Action: 1}, {From: Party{Escrow: &e}, To: Party{Account: &b}, Amount: 1}},
					Schedule:  []Schedule{{Clock: 9, ID: [32]byte{1}, Item: e, Data: []byte{1}}},
					Events:    []Event{{Name: "x", Data: []byte("{}"), Accounts: []types.AccountID{a}, Item: []byte("i")}}},
				{Error: "ErrX", Gas: 3, Detail: "why"},
			},
		}
	}
	want := make1().Digest()
	for name, change := range map[string]func(o *Outcome){
		"gas":                 func(o *Outcome) { o.Txs[0].Gas++ },
		"detail":              func(o *Outcome) { o.Txs[0].Detail = "" },
		"written":             func(o *Outcome) { o.Txs[0].Writes[0].Data = []byte{2} },
		"deleted":             func(o *Outcome) { o.Txs[0].Writes[0].Data = nil },
		"emptied":             func(o *Outcome) { o.Txs[0].Writes[1].Data = []byte{} },
		"place":               func(o *Outcome) { o.Txs[0].Writes[1].Item.Place[7] = 1 },
		"order of writes":     func(o *Outcome) { w := o.Txs[0].Writes; w[0], w[1] = w[1], w[0] },
		"amount":              func(o *Outcome) { o.Txs[0].Transfers[0].Amount++ },
		"who pays":            func(o *Outcome) { o.Txs[0].Transfers[0].From.Account = &b },
		"escrow":              func(o *Outcome) { o.Txs[0].Transfers[0].To.Escrow = &f },
		"action":              func(o *Outcome) { o.Txs[0].Transfers[0].Action = 0 },
		"one transfer less":   func(o *Outcome) { o.Txs[0].Transfers = o.Txs[0].Transfers[:1] },
		"clock":               func(o *Outcome) { o.Txs[0].Schedule[0].Clock++ },
		"cancel":              func(o *Outcome) { o.Txs[0].Schedule[0].Cancel = true },
		"scheduled data":      func(o *Outcome) { o.Txs[0].Schedule[0].Data = nil },
		"event's name":        func(o *Outcome) { o.Txs[0].Events[0].Name = "y" },
		"event's data":        func(o *Outcome) { o.Txs[0].Events[0].Data = nil },
		"event's accounts":    func(o *Outcome) { o.Txs[0].Events[0].Accounts = nil },
		"event's item":        func(o *Outcome) { o.Txs[0].Events[0].Item = nil },
		"error":               func(o *Outcome) { o.Txs[1].Error = "ErrY" },
		"gas of a failure":    func(o *Outcome) { o.Txs[1].Gas++ },
		"order of results":    func(o *Outcome) { o.Txs[0], o.Txs[1] = o.Txs[1], o.Txs[0] },
		"a result less":       func(o *Outcome) { o.Txs = o.Txs[:1] },
		"from block to first": func(o *Outcome) { o.Block, o.Txs[0] = o.Txs[0], o.Block },
		"scheduled work":      func(o *Outcome) { o.Block.Events = nil },
	} {
		o := make1()
		change(o)
		if o.Digest() == want {
			t.Errorf("%s: the same digest", name)
		}
	}
	for name, change := range map[string]func(o *Outcome){
		"nothing":                     func(*Outcome) {},
		"what an error makes void":    func(o *Outcome) { o.Txs[1].Writes = []Write{{Item: e}} },
		"whose action an escrow pays": func(o *Outcome) { o.Txs[0].Transfers[1].Action = 5 },
	} {
		o := make1()
		change(o)
		if o.Digest() != want {
			t.Errorf("%s: another digest", name)
		}
	}
	// The way over a connection changes no digest.
	m := maker{rand.New(rand.NewPCG(10, 1))}
	for range 200 {
		r := m.result()
		got, err := fromResult(overTheWire(t, toResult(&r)))
		if err != nil || got.Digest() != r.Digest() {
			t.Fatalf("%v: %+v and %+v", err, r, got)
		}
	}
	c := TxCheck{Reads: []Item{e}, Facets: []Facet{{Name: "spend", Account: &a}}, Gas: 1}
	for name, d := range map[string]TxCheck{
		"reads": {Reads: []Item{f}, Facets: c.Facets, Gas: 1}, "module": {Reads: []Item{{Key: "e", Module: "m"}}, Facets: c.Facets, Gas: 1}, "facets": {Reads: c.Reads, Gas: 1},
		"gas": {Reads: c.Reads, Facets: c.Facets}, "error": {Error: "ErrX"},
	} {
		if c.Digest() == d.Digest() {
			t.Errorf("%s: the same digest of a check", name)
		}
	}
	if x, y := (&TxCheck{Error: "ErrX", Gas: 1}), (&TxCheck{Error: "ErrX"}); x.Digest() != y.Digest() {
		t.Error("the gas of a refusal counts")
	}
}
