package bundle

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/light"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// driftMs is how far a block's slot may lie ahead of the reader's clock.
const driftMs = 10_000

// Origin returns where a light client starts that trusts a chain's genesis document: the genesis block, and the set of the
// document's producers. Signers are believed for trusting or, if that is 0, as long as the document says: the attribute
// `trusting` of the consensus settings, in nanoseconds, and for ever where there is none. Keep is 0.
func Origin(g *chainspec.Genesis, trusting time.Duration) light.Checkpoint {
	keys := make([]types.PublicKey, len(g.Producers))
	for i, p := range g.Producers {
		keys[i] = p.Key
	}
	c := light.Checkpoint{Set: types.EqualSet(0, keys), Params: light.Params{Chain: g.ID(), GenesisTimeMs: g.TimeMs, SlotMs: g.SlotMs,
		TrustingMs: trustingMs(g, trusting), DriftMs: driftMs}}
	c.Opened = &types.Header{Chain: c.Chain, NextSet: c.Set.Hash()}
	c.ID = c.Opened.ID()
	return c
}

func trustingMs(g *chainspec.Genesis, want time.Duration) uint64 {
	if want <= 0 {
		var cfg struct {
			Trusting int64 `json:"trusting"`
		}
		if json.Unmarshal(g.Consensus.Config, &cfg) == nil {
			want = time.Duration(cfg.Trusting)
		}
	}
	if want < time.Millisecond {
		return math.MaxUint64
	}
	return uint64(want / time.Millisecond)
}

// Linked checks that each header is the parent of the next, so that what makes the last of them final makes all of them final.
func Linked(headers []*types.Header) error {
	for i := len(headers) - 1; i > 0; i-- { // from what is signed downwards
		if h, p := headers[i], headers[i-1]; h.Parent != p.ID() || h.Height != p.Height+1 || h.Chain != p.Chain {
			return fmt.Errorf("block at height %d: it is not the parent of the block at height %d", p.Height, h.Height)
		}
	}
	return nil
}
