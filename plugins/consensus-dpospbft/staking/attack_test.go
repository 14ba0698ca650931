package staking

import (
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestConvictionInHugeSet convicts a member of a genesis set whose successor, less that member, is larger than an item of the state
// may be. The epoch cannot be closed early, and that must not be the end of what the module knows of the block.
func TestConvictionInHugeSet(t *testing.T) {
	cfg := small()
	cfg.Params.EpochSlots, cfg.Params.UnbondingTicks, cfg.Params.SilenceTicks = 40, 400, 4000
	c := newChain(t, cfg, types.MaxSeats)
	for range 5 {
		c.step(testBlock{final: c.height})
	}
	raw := twice(c.sets[0], 2, c.slot)
	c.step(testBlock{final: c.height, ext: [][]byte{encodeExtension([][]byte{raw})}})
	if c.producerOf(founder(2)).Status != Tombstoned {
		t.Fatal("not convicted")
	}
	c.until(func() bool { return c.epoch().Number == 1 })
	if c.slot < 40 || c.slot > 45 || len(c.set.Seats) == types.MaxSeats && c.next == nil {
		t.Errorf("epoch 1 begins in slot %d", c.slot)
	}
	for _, a := range c.members() {
		if a == founder(2) {
			t.Error("the convicted member has a seat in the next set")
		}
	}
}
