package pbft

import (
	"slices"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// accusation is what evidence is kept once for.
type accusation struct {
	kind evidence.Kind
	seatSlot
}

// maxOffences is how much evidence against one seat is told of in an epoch. One piece is enough to remove it.
const maxOffences = 8

// accuse tells of evidence. From now on this node does not prepare the offender's blocks.
func (m *Machine) accuse(e *epoch, v *evidence.Evidence) {
	if e == m.epoch && int(v.Seat) == m.seat {
		if m.foreign(v.Kind.String(), v.Slot); m.halted {
			return
		}
	}
	if v.Slot <= e.start {
		return // nobody is convicted of what it signs in an epoch for slots before it
	}
	raw, seat := v.Encode(), int(v.Seat)
	k := accusation{v.Kind, seatSlot{seat, v.Slot}}
	if len(raw) > evidence.MaxBytes || e.accused[k] || e.offences[seat] >= maxOffences {
		return
	}
	e.accused[k] = true
	m.tick("evidence " + v.Kind.String())
	e.offences[seat]++
	m.out.Evidence = append(m.out.Evidence, raw)
}

// pruneSigned forgets what was signed up to a slot.
func (e *epoch) pruneSigned(slot uint64) {
	e.prepares.prune(slot)
	e.commits.prune(slot)
	for k := range e.seen {
		if k.slot <= slot {
			delete(e.seen, k)
		}
	}
	for k := range e.accused {
		if k.slot <= slot {
			delete(e.accused, k)
		}
	}
}

// firstSeen are the blocks of a seat and slot.
type firstSeen struct {
	sig []byte // of the first
	ids []types.BlockID
}

const maxSeen = 4096

// noteProposal remembers a signed header; a second one in a slot is evidence. It tells whether the block should be taken.
func (m *Machine) noteProposal(e *epoch, seat int, slot uint64, id types.BlockID, sig []byte) bool {
	k := seatSlot{seat, slot}
	f := e.seen[k]
	if f == nil {
		if len(e.seen) < maxSeen {
			e.seen[k] = &firstSeen{sig, []types.BlockID{id}}
		}
		return true
	}
	if slices.Contains(f.ids, id) {
		return true
	}
	m.accuse(e, evidence.Pair(evidence.Propose, e.set.Epoch, uint32(seat), evidence.Signed{Slot: slot, ID: f.ids[0], Sig: f.sig},
		evidence.Signed{Slot: slot, ID: id, Sig: sig}))
	if len(f.ids) >= maxRivals {
		return false
	}
	f.ids = append(f.ids, id)
	return true
}

// lateProposal looks at a header that can be of no use any more, but may be a second one.
func (m *Machine) lateProposal(e *epoch, h *types.Header, sig []byte) {
	seat, ok := e.seats[h.Producer]
	if !ok || h.Slot > m.slot+aheadSlots || e.accused[accusation{evidence.Propose, seatSlot{seat, h.Slot}}] {
		return
	}
	id := h.ID()
	if f := e.seen[seatSlot{seat, h.Slot}]; f != nil && slices.Contains(f.ids, id) {
		return
	}
	if m.verify(e, seat, PurposePropose, ProposePayload(id, h.Slot), sig) {
		m.noteProposal(e, seat, h.Slot, id, sig)
	}
}

// cross compares a vote with those of the other kind by its seat.
func (m *Machine) cross(e *epoch, v *vote, prepare bool) {
	if prepare {
		for _, c := range slices.Backward(e.commits.seats[v.seat]) { // the nearest first: that takes the fewest headers
			if v.src < c.slot && c.slot < v.slot {
				m.hop(e, c, v)
			}
		}
		return
	}
	for _, p := range e.prepares.seats[v.seat] {
		if p.src < v.slot && v.slot < p.slot {
			m.hop(e, v, p)
		}
	}
}

// hop looks whether the block of a PREPARE descends from that of an older COMMIT. If it does not, and its src lies below, that
// is evidence. Without the headers that show it there is none.
func (m *Machine) hop(e *epoch, commit, prepare *vote) {
	n := m.nodes[prepare.id]
	if n == nil || n.h.Slot != prepare.slot || n.h.Height != prepare.height || n.h.Epoch != e.set.Epoch {
		return
	}
	headers := []*types.Header{n.h}
	for n.h.Slot > commit.slot {
		if n = n.parent; n == nil || len(headers) == evidence.MaxHeaders {
			return
		}
		headers = append(headers, n.h)
	}
	if n.id == commit.id {
		return
	}
	m.accuse(e, &evidence.Evidence{Kind: evidence.Hop, Epoch: e.set.Epoch, Slot: prepare.slot, Seat: prepare.seat, A: commit.signed(), B: prepare.signed(),
		Headers: headers})
}
