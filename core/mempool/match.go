package mempool

import (
	"encoding/binary"

	"github.com/dchest/siphash"

	"github.com/paloalto-chain/paloalto/core/ledger"
)

// ShortID names an envelope within one block: the first six bytes of SipHash-2-4 over its SHA-256, under a key that is the
// block's. Nobody can look for two envelopes with the same one before the block is made, and after it it is of no use.
type ShortID [6]byte

// ShortKey is the key of a block's short ids.
type ShortKey [16]byte

// Short returns the short id of the envelope with a SHA-256.
func (k ShortKey) Short(sum [32]byte) ShortID {
	h := siphash.Hash(binary.LittleEndian.Uint64(k[:8]), binary.LittleEndian.Uint64(k[8:]), sum[:])
	return ShortID{byte(h), byte(h >> 8), byte(h >> 16), byte(h >> 24), byte(h >> 32), byte(h >> 40)}
}

// Match returns the waiting transactions whose envelopes have these short ids, nil where there is none or more than one. It
// looks at every envelope once, whatever the number of ids.
func (p *Pool) Match(k ShortKey, ids []ShortID) []*ledger.Tx {
	at := make(map[ShortID]int, len(ids))
	out := make([]*ledger.Tx, len(ids))
	for i, id := range ids {
		if _, twice := at[id]; twice {
			i = -1
		}
		at[id] = i
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for sum, t := range p.sums {
		id := k.Short(sum)
		i, ok := at[id]
		switch {
		case !ok || i < 0:
		case out[i] != nil:
			out[i], at[id] = nil, -1
		default:
			out[i] = t
		}
	}
	return out
}
