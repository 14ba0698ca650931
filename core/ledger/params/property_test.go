package params_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestValuesStayWhereTheyMay: whatever is asked for, in whatever order, each value is within its bounds, none changes by more
// than its step at once, the set is one that every module accepts, and values change at the end of an epoch alone.
func TestValuesStayWhereTheyMay(t *testing.T) {
	changed, refused := 0, map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		b := newBed(t, rapid.Bool().Draw(rt, "epochs"), nil)
		epochs := b.list().Epochs
		for range rapid.IntRange(1, 40).Draw(rt, "blocks") {
			before := b.values()
			var txs []module.Tx
			for range rapid.IntRange(0, 3).Draw(rt, "txs") {
				txs = append(txs, b.tx(rapid.SampledFrom([]types.AccountID{authority, authority, authority, stranger}).Draw(rt, "who"), drawActions(rt, b)...))
			}
			closes := rapid.Bool().Draw(rt, "closes")
			out := b.must(rapid.Uint64Range(1, 100_000).Draw(rt, "ticks"), closes, txs...)
			for _, r := range out.Txs {
				refused[r.Error]++
			}
			after := b.values()
			if fmt.Sprint(before) != fmt.Sprint(after) {
				changed++
				if epochs && !closes {
					rt.Fatalf("values changed within an epoch: %v, %v", before, after)
				}
			}
			checkValues(rt, declared().Params.List, before, after)
			if low, high := whole(rt, after["stake.low"]), whole(rt, after["stake.high"]); low.Cmp(high) > 0 {
				rt.Fatalf("low %s, high %s: no module accepted that", low, high)
			}
			if e := b.list(); (e.Pending != nil) != (len(b.items[pendingItem()]) > 0) || e.Pending != nil && !epochs && len(b.queue) != 1 || e.Pending == nil && len(b.queue) > 0 {
				rt.Fatalf("pending %v, queue %v", e.Pending, b.queue)
			}
		}
	})
	if testing.Short() { // too few sequences to hold anything against them
		return
	}
	if changed == 0 || refused[""] == 0 || refused[params.ErrParamStep] == 0 || refused[params.ErrPending] == 0 || refused[params.ErrParamRefused] == 0 {
		t.Fatalf("the sequences are too tame: %d changes, %v", changed, refused)
	}
}

func drawActions(rt *rapid.T, b *bed) []types.Action {
	var out []types.Action
	for range rapid.IntRange(1, 2).Draw(rt, "actions") {
		if rapid.IntRange(0, 4).Draw(rt, "what") == 0 {
			out = append(out, cancel())
			continue
		}
		var pairs []string
		now := b.values()
		for _, p := range declared().Params.List {
			if rapid.Bool().Draw(rt, "leave out") {
				continue
			}
			var v string
			switch {
			case len(p.OneOf) > 0:
				v = rapid.SampledFrom([]string{`"fast"`, `"slow"`, `"slow"`, `"none"`}).Draw(rt, "text")
			case len(p.Max) == 0:
				v = strconv.FormatBool(rapid.Bool().Draw(rt, "bool"))
			default:
				n := whole(rt, now[p.Name])
				v = n.Add(n, big.NewInt(rapid.Int64Range(-12, 12).Draw(rt, "by"))).String()
			}
			pairs = append(pairs, p.Name+"="+v)
		}
		out = append(out, setAt(rapid.SampledFrom([]uint64{0, 0, b.clock, b.clock + 150_000}).Draw(rt, "not before"), pairs...))
	}
	return out
}

func checkValues(rt *rapid.T, list []chainspec.Param, before, after map[string]string) {
	for i := range list {
		p := &list[i]
		v := json.RawMessage(after[p.Name])
		if err := p.Check(v); err != nil {
			rt.Fatal(err)
		}
		if len(p.Max) == 0 {
			continue
		}
		n, old := whole(rt, after[p.Name]), whole(rt, before[p.Name])
		if n.Cmp(whole(rt, string(p.Min))) < 0 || n.Cmp(whole(rt, string(p.Max))) > 0 {
			rt.Fatalf("%s is %s", p.Name, v)
		}
		if d := new(big.Int).Sub(n, old); len(p.Step) > 0 && d.Abs(d).Cmp(whole(rt, string(p.Step))) > 0 {
			rt.Fatalf("%s went from %s to %s at once", p.Name, before[p.Name], v)
		}
	}
}

func whole(rt *rapid.T, s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		rt.Fatalf("%q is no number", s)
	}
	return n
}

// FuzzSet shows the module bodies of strangers and of the authority.
func FuzzSet(f *testing.F) {
	for _, a := range []types.Action{set("stake.low=45"), setAt(5, "oracle.open=true", `oracle.rule="slow"`), set(), set("stake.low={}"), set("stake.low=1e400")} {
		f.Add(a.Body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b := newBed(t, true, nil)
		txs := []module.Tx{b.tx(authority, types.Action{Name: params.ActionSet, Body: body}), b.tx(stranger, types.Action{Name: params.ActionSet, Body: body})}
		checks, err := b.m.Check(t.Context(), txs)
		if err != nil || checks[1].Error == "" {
			t.Fatal(checks, err)
		}
		out := b.must(1, false, txs...)
		if checks[0].Error != "" && out.Txs[0].Error != checks[0].Error {
			t.Fatalf("check says %q, execute %q", checks[0].Error, out.Txs[0].Error)
		}
		if out.Txs[1].Error == "" {
			t.Fatal("a stranger's change is scheduled")
		}
		before := b.values()
		b.must(1, true)
		for name, v := range b.values() {
			if out.Txs[0].Error != "" && v != before[name] {
				t.Fatalf("%s changed by a transaction that failed", name)
			}
		}
		b.list()
	})
}
