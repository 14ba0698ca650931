package pbft

import (
	"slices"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Votes are kept for the slots from windowSlots below the last final block's, where they count as evidence only, up to
// aheadSlots ahead of the clock; of each seat the newest seatVotes.
const (
	seatVotes   = 160
	aheadSlots  = 8
	windowSlots = 64
)

// vote is a PREPARE or COMMIT whose signature is valid. Src is 0 in a COMMIT.
type vote struct {
	seat   uint32
	slot   uint64
	height uint64
	id     types.BlockID
	src    uint64
	sig    []byte
	from   types.Hash
}

// signed is the vote as evidence has it.
func (v *vote) signed() evidence.Signed {
	return evidence.Signed{Slot: v.slot, Height: v.height, Src: v.src, ID: v.id, Sig: v.sig}
}

// votebook keeps the votes of one kind.
type votebook struct {
	seats [][]*vote                 // by seat, ascending by slot, one a slot: the first seen
	byID  map[types.BlockID][]*vote // in the order of arrival
}

func newVotebook(n int) *votebook {
	return &votebook{seats: make([][]*vote, n), byID: map[types.BlockID][]*vote{}}
}

// find returns the seat's vote in a slot, and where it is or would be.
func (b *votebook) find(seat uint32, slot uint64) (*vote, int) {
	vs := b.seats[seat]
	i, ok := slices.BinarySearchFunc(vs, slot, func(v *vote, s uint64) int {
		switch {
		case v.slot < s:
			return -1
		case v.slot > s:
			return 1
		}
		return 0
	})
	if ok {
		return vs[i], i
	}
	return nil, i
}

// add keeps a vote for whose seat and slot there is none yet. It reports whether there was room.
func (b *votebook) add(v *vote) bool {
	_, i := b.find(v.seat, v.slot)
	if len(b.seats[v.seat]) >= seatVotes {
		if i == 0 {
			return false
		}
		b.drop(b.seats[v.seat][0])
		b.seats[v.seat] = slices.Delete(b.seats[v.seat], 0, 1)
		i--
	}
	b.seats[v.seat] = slices.Insert(b.seats[v.seat], i, v)
	b.byID[v.id] = append(b.byID[v.id], v)
	return true
}

// drop takes a vote out of the index by block.
func (b *votebook) drop(v *vote) {
	vs := b.byID[v.id]
	if i := slices.Index(vs, v); i >= 0 {
		vs = slices.Delete(vs, i, i+1)
	}
	if len(vs) == 0 {
		delete(b.byID, v.id)
	} else {
		b.byID[v.id] = vs
	}
}

// prune forgets votes up to a slot.
func (b *votebook) prune(slot uint64) {
	for seat, vs := range b.seats {
		n := 0
		for n < len(vs) && vs[n].slot <= slot {
			b.drop(vs[n])
			n++
		}
		b.seats[seat] = slices.Delete(vs, 0, n)
	}
}

// counted returns the votes that count for a block, by seat, and their weight.
func (b *votebook) counted(m *Machine, n *node) (vs []*vote, weight uint64) {
	for _, v := range b.byID[n.id] {
		if v.height == n.h.Height && v.slot == n.h.Slot && (b != m.prepares || m.covered(n, v.src) == srcGood) {
			vs = append(vs, v)
			weight += m.set.Seats[v.seat].Weight
		}
	}
	slices.SortFunc(vs, func(a, b *vote) int { return int(a.seat) - int(b.seat) })
	return vs, weight
}

// weight of the votes for a block, for the fork choice.
func (b *votebook) weight(m *Machine, n *node) uint64 {
	_, w := b.counted(m, n)
	return w
}

// Whether a src value may stand in a PREPARE for a block.
type srcState byte

const (
	srcBad     srcState = iota // no such ancestor, or older than justify
	srcMissing                 // the ancestor is there, its proof is not
	srcGood
)

// covered judges a src value of a vote for n.
func (m *Machine) covered(n *node, src uint64) srcState {
	if src == n.x.Justify.Slot || m.cfg.rules.anySrc {
		return srcGood // n itself is not voted for without its justify
	}
	if src < n.x.Justify.Slot || src >= n.h.Slot {
		return srcBad
	}
	a, sure := n.ancestor(src)
	switch {
	case a == nil && sure:
		m.tick("src of no ancestor")
		return srcBad
	case a == nil || a.certified(): // what lies below the blocks that are kept is final
		return srcGood
	}
	m.tick("src waits for a certificate")
	return srcMissing
}

// coveredQC judges a whole PrepareQC for n, and returns the ancestors whose proofs are missing.
func (m *Machine) coveredQC(n *node, q *PrepareQC) (srcState, []*node) {
	if q.Slot != n.h.Slot || q.Height != n.h.Height {
		return srcBad, nil
	}
	st := srcGood
	var missing []*node
	for _, v := range q.Votes {
		switch m.covered(n, v.Src) {
		case srcBad:
			return srcBad, nil
		case srcMissing:
			st = srcMissing
			if a, _ := n.ancestor(v.Src); !slices.Contains(missing, a) {
				missing = append(missing, a)
			}
		}
	}
	return st, missing
}
