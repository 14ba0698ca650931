package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/ledger/params"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	sdkparams "github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// governedKit is a chain whose fees and a setting of a module can change, by alice.
func governedKit(t *testing.T, seen *[]string, more ...Named) *kit {
	alice := newKey("alice").id()
	whole := func(v uint64) json.RawMessage { return fmt.Append(nil, v) }
	watcher := &scripted{execute: func(_ context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
		*seen = append(*seen, fmt.Sprintf("%s of %d", b.Params["window"], len(b.Params)))
		b.Params["window"] = nil // what one block's module does to it is no other's affair
		return blank(b), nil
	}}
	fees := func(name string, v uint64) chainspec.Param {
		return chainspec.Param{Name: "fees." + name, Type: plugin.Amount, Value: whole(v), Min: whole(v / 2), Max: whole(1_000_000)}
	}
	change := func(g *chainspec.Genesis) {
		g.Modules = []chainspec.ModuleRules{{Name: "watch", Plugin: "watch", Rules: "1", Config: json.RawMessage(`{"window":7}`)}}
		g.Params = &chainspec.Params{Authority: &alice, List: []chainspec.Param{
			{Name: "fees.burn_ppm", Type: plugin.Number, Value: whole(burnPPM), Min: whole(0), Max: whole(1_000_000)},
			fees("floor", floor), fees("per_byte", perByte), fees("per_gas", perGas),
			{Name: "watch.window", Type: plugin.Number, Value: whole(7), Min: whole(1), Max: whole(9)},
		}}
	}
	g := testGenesis()
	change(g)
	m := params.New(params.Config{Genesis: g, Epochs: true})
	return newKit(t, change, append([]Named{as(sdkparams.Module, m), as("watch", watcher)}, more...)...)
}

func (k *kit) setParams(pairs ...sdkparams.Change) *Tx {
	alice := newKey("alice")
	return k.signed(k.tx(alice, sdkparams.Module, types.Action{Name: sdkparams.ActionSet, Body: sdkparams.Set{Changes: pairs}.Encode()}), alice)
}

// closing makes a block without transactions that closes an epoch.
func (k *kit) closing() *Result {
	k.t.Helper()
	h := k.header(k.clock + 1)
	h.Consensus = &module.ConsensusInfo{Closes: true}
	res, err := k.l.Execute(k.t.Context(), k.layer, h, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	k.apply(k.clock+1, nil, res)
	return res
}

func change(name string, v uint64) sdkparams.Change {
	return sdkparams.Change{Name: name, Value: fmt.Append(nil, v)}
}

// TestParametersInForce: a change counts from the first block after the one that closes the epoch, for fees, for what may stand
// in a block, and for modules.
func TestParametersInForce(t *testing.T) {
	var seen []string
	k := governedKit(t, &seen)
	alice := newKey("alice")
	watch := func() *Tx { return k.signed(k.tx(alice, "watch", types.Action{Name: "look"}), alice) }
	pay := func() *Tx { return k.signed(k.tx(alice, "bank", transfer(newKey("bob").id(), 1)), alice) }

	wantStatus(t, "set", k.block(k.setParams(change("fees.burn_ppm", 1_000_000), change("fees.floor", 50_000), change("watch.window", 9))).Receipts[0], types.StatusOK)
	before := k.block(pay(), watch())
	if f := before.Receipts[0].Fee; f >= 50_000 || before.Burned == f {
		t.Fatalf("fee %d, burned %d before the epoch ends", f, before.Burned)
	}
	cheap := k.tx(alice, "bank", transfer(newKey("bob").id(), 1))
	cheap.MaxFee = 49_999
	early := k.signed(cheap, alice)
	wantErr(t, "a cheap transaction before", k.authorise(early)[0], nil)

	if got := k.closing(); len(got.Receipts) != 1 || got.Receipts[0].Events[0].Name != sdkparams.EventChanged {
		t.Fatalf("%+v", got.Receipts)
	}
	if f := k.l.Fees(); f.Floor != 50_000 || k.l.LeastFee(10) != 50_000 {
		t.Fatalf("%+v: admission goes by the old price list", f)
	}
	wantErr(t, "a cheap transaction after", k.authorise(early)[0], ErrFee)
	after := k.block(pay(), watch())
	if f := after.Receipts[0].Fee; f != 50_000 || after.Burned != after.Receipts[0].Fee+after.Receipts[1].Fee {
		t.Fatalf("fee %d, burned %d", f, after.Burned)
	}
	k.block(watch())
	if got := fmt.Sprint(seen); got != "[7 of 1 9 of 1 9 of 1]" {
		t.Fatalf("the module saw %s", got)
	}
	// What no price list can allow is refused without any state.
	cheap.MaxFee = floor/2 - 1
	_, err := k.l.ParseTx(k.seal(cheap, alice))
	wantErr(t, "parse", err, ErrFee)
}

// countingView counts reads.
type countingView struct {
	FullView
	items int
}

func (c *countingView) Get(ctx context.Context, items []state.Item) ([][]byte, error) {
	c.items += len(items)
	return c.FullView.Get(ctx, items)
}

// TestTermsBelongToABranch: two blocks of one height may leave other parameters, and neither is taken for the other's. As long as
// nothing changes a block reads one item.
func TestTermsBelongToABranch(t *testing.T) {
	var seen []string
	k := governedKit(t, &seen)
	root := *k
	branch := func(v uint64) *state.Layer {
		b := root
		b.block(b.setParams(change("fees.floor", v)))
		b.closing()
		return b.layer
	}
	low, high := branch(1_000), branch(2_000)
	for range 3 {
		for want, layer := range map[uint64]*state.Layer{floor: root.layer, 1_000: low, 2_000: high} {
			v := &countingView{FullView: layer}
			got, err := k.l.book.at(t.Context(), v)
			if err != nil || got.fees.Floor != want || v.items != 1 {
				t.Fatalf("floor %d, want %d, %d items read, %v", got.fees.Floor, want, v.items, err)
			}
		}
	}
	// Another node, which has not executed the change, reads the values.
	fresh := governedKit(t, &seen)
	v := &countingView{FullView: low}
	got, err := fresh.l.book.at(t.Context(), v)
	if err != nil || got.fees.Floor != 1_000 || v.items != 1+len(k.l.book.items) {
		t.Fatalf("%+v, %d items read, %v", got, v.items, err)
	}
	for i := range uint64(3 * maxTerms) {
		if _, err := fresh.l.book.at(t.Context(), branch(3_000+i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(fresh.l.book.known); n > maxTerms {
		t.Fatalf("%d terms are remembered", n)
	}
}
