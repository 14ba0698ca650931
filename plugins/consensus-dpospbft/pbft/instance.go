package pbft

import (
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Everything that this node signs is in its own log before. A valid signature of its key over something that the log does not
// have was made by another instance with the same key, or by this one before its data was replaced by an old copy. Either would
// sooner or later sign two things in one slot and lose the seat, so the node stops.
func (m *Machine) foreign(what string, slot uint64) {
	if m.cfg.twin {
		return
	}
	m.halt("something (%s) for slot %d has been signed with this node's key, but not by this node: either another instance runs with the same key, "+
		"then stop one of the two for good; or the data of this node is an old copy, then start with empty data and a new key", what, slot)
}

// checkOwnProposal looks at a valid proposal of this node's seat that a peer has sent.
func (m *Machine) checkOwnProposal(slot uint64, id types.BlockID) {
	if slot > m.lastProduced || slot == m.lastProduced && (m.own == nil || m.own.Slot != slot || m.own.ID() != id) {
		m.foreign("block", slot)
	}
}

// checkOwnPrepare looks at a valid PREPARE of this node's seat that a peer has sent.
func (m *Machine) checkOwnPrepare(slot uint64, id types.BlockID, src uint64) {
	v := &m.lastPrep
	if slot > max(v.Slot, m.prepFloor) || slot == v.Slot && slot > m.prepFloor && (v.ID != id || v.Src != src) {
		m.foreign("PREPARE", slot)
	}
}

// checkOwnCommit looks at a valid COMMIT of this node's seat that a peer has sent.
func (m *Machine) checkOwnCommit(slot uint64, id types.BlockID) {
	v := &m.lastCommit
	if slot > max(v.Slot, m.commitFloor) || slot == v.Slot && slot > m.commitFloor && v.ID != id {
		m.foreign("COMMIT", slot)
	}
}

// checkOwnProof looks for this node's seat in a valid proof.
func (m *Machine) checkOwnProof(p *Proof) {
	if m.seat < 0 {
		return
	}
	if c := p.Commit; c != nil {
		if c.Epoch == m.set.Epoch && m.seat/8 < len(c.Bitmap) && c.Bitmap[m.seat/8]>>(m.seat%8)&1 == 1 {
			m.checkOwnCommit(c.Slot, c.Block)
		}
		return
	}
	for _, v := range p.Prepare.Votes {
		if int(v.Seat) == m.seat {
			m.checkOwnPrepare(p.Prepare.Slot, p.Prepare.ID, v.Src)
		}
	}
}
