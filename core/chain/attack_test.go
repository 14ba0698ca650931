package chain

import (
	"context"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestBodiesKeptBack has more blocks wait for bodies that nobody sends than may wait at a time. One of a later slot is looked at all
// the same; one of an earlier slot is not.
func TestBodiesKeptBack(t *testing.T) {
	k := newKit(t, newScript(), false)
	k.run()
	header := func(slot uint64) *types.Header {
		return &types.Header{Chain: k.id, Height: 1, Slot: slot, Parent: k.genesis.ID(), CertHeight: 1, BodyRoot: types.Sum("test", []byte("kept back"))}
	}
	waits := make(chan [3]bool, 1)
	k.do(func(ctx context.Context) error {
		for slot := range uint64(maxParked) {
			if err := k.checkTask(ctx, header(slot+10), nil); err != nil {
				return err
			}
		}
		for _, slot := range []uint64{maxParked + 20, 5} {
			if err := k.checkTask(ctx, header(slot), nil); err != nil {
				return err
			}
		}
		waits <- [3]bool{k.parked[header(maxParked+20).ID()] != nil, k.parked[header(5).ID()] != nil, len(k.parked) <= maxParked && k.parked[header(11).ID()] != nil}
		return nil
	})
	if got := <-waits; got != [3]bool{true, false, true} {
		t.Errorf("the later waits: %t; the earlier: %t; the others: %t", got[0], got[1], got[2])
	}
}
