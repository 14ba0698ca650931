package types

import (
	"fmt"
	"math/bits"
)

// MaxHistory bounds the number of headers in a history, so that appending can never overflow.
const MaxHistory = 1 << 62

// History is a Merkle mountain range over the ids of a chain's headers, genesis first. Its root is what a header's
// HistoryRoot holds. The zero value is the empty history.
type History struct {
	Count uint64
	Peaks []Hash // roots of perfect trees, largest first
}

// Append adds the id of the next header and returns the new history; h itself is not changed.
func (h History) Append(id BlockID) History {
	peaks := append(make([]Hash, 0, len(h.Peaks)+1), h.Peaks...)
	peaks = append(peaks, merkleLeaf(id[:]))
	for n := h.Count; n&1 == 1; n >>= 1 {
		last := len(peaks) - 1
		peaks[last-1] = merkleNode(peaks[last-1], peaks[last])
		peaks = peaks[:last]
	}
	return History{h.Count + 1, peaks}
}

// Root returns the Merkle root over all ids, which is the same as [MerkleRoot] over them.
func (h History) Root() Hash {
	if len(h.Peaks) == 0 {
		return MerkleRoot(nil)
	}
	r := h.Peaks[len(h.Peaks)-1]
	for i := len(h.Peaks) - 2; i >= 0; i-- {
		r = merkleNode(h.Peaks[i], r)
	}
	return r
}

// Encode returns the canonical bytes.
func (h History) Encode() []byte {
	e := NewEncoder(10 + 32*len(h.Peaks))
	e.Uint(h.Count)
	for _, p := range h.Peaks {
		e.Hash(p)
	}
	return e.Bytes()
}

// DecodeHistory is the inverse of [History.Encode].
func DecodeHistory(b []byte) (History, error) {
	d := NewDecoder(b)
	h := History{Count: d.Uint()}
	if h.Count > MaxHistory {
		d.Fail("%d headers, at most %d are allowed", h.Count, uint64(MaxHistory))
	}
	if n := bits.OnesCount64(h.Count); d.Err() == nil && n*len(Hash{}) == d.Rest() {
		h.Peaks = make([]Hash, n)
	} else {
		d.Fail("%d bytes for %d peaks", d.Rest(), n)
	}
	for i := range h.Peaks {
		h.Peaks[i] = d.Hash()
	}
	if err := d.Finish(); err != nil {
		return History{}, fmt.Errorf("history: %w", err)
	}
	return h, nil
}
