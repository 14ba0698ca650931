package chain

import (
	"context"
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/light"
)

// TestProve: what the state held after the parent of the newest final block is proven by that block's header, over the ends of
// epochs and blocks that only carry votes; and not by another header, nor of another value.
func TestProve(t *testing.T) {
	ctx := context.Background()
	empty := newEpochKit(t, always, &solo{}, true)
	if _, err := empty.Prove(ctx, ledger.AccountItems(bob.id())); !errors.Is(err, ErrNotFound) {
		t.Errorf("before the first block: %v", err)
	}
	for _, height := range []uint64{10, 11, 25} {
		k := epochChain(t, height, 2)
		items := append(ledger.AccountItems(bob.id()), state.Item{Module: "nobody", Key: "nothing"})
		p, err := k.Prove(ctx, items)
		if err != nil {
			t.Fatal(err)
		}
		if p.Root.Height < height || p.Root.Height != p.Height+1 {
			t.Errorf("at height %d: block %d has the root of the state after %d", height, p.Root.Height, p.Height)
		}
		acc, _, err := ledger.AccountOf(ctx, p, bob.id())
		if want, _, _, _, werr := k.Account(ctx, bob.id()); err != nil || werr != nil || acc.Balance != want.Balance || acc.Balance == 0 {
			t.Errorf("balance %d, %v; want %d, %v", acc.Balance, err, want.Balance, werr)
		}
		older, err := k.finalAt(ctx, p.Root.Height-8)
		if err != nil {
			t.Fatal(err)
		}
		for i, it := range items {
			x := light.Item{Module: it.Module, Place: it.Place, Key: it.Key}
			if err := light.ItemIn(p.Root, x, p.Values[i], &p.Proofs[i]); err != nil {
				t.Errorf("item %d: %v", i, err)
			}
			if light.ItemIn(p.Root, x, []byte("another"), &p.Proofs[i]) == nil || light.ItemIn(older.Header, x, p.Values[i], &p.Proofs[i]) == nil {
				t.Errorf("item %d: a lie is proven", i)
			}
		}
		if _, err := p.Get(ctx, ledger.AccountItems(alice.id())); err == nil {
			t.Error("an item that was not proven is answered")
		}
	}
}
