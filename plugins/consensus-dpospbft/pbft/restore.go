package pbft

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Snapshots are taken when the records since the last one are a multiple of what a snapshot would repeat. While finality
// stands still for long they grow too large, and records only grow.
const (
	snapMinBytes = 256 << 10
	snapMaxBytes = 4 << 20
)

// snapshot replaces all records by a snapshot. It is one piece, since of records that are persisted together the last may be
// lost.
func (m *Machine) snapshot() {
	if m.sinceSnap < m.snapMin+2*m.snapBytes {
		return
	}
	s := m.encodeSnapshot()
	m.snapBytes = len(s)
	if len(s) > snapMaxBytes {
		return // it is tried again when the records have grown a lot
	}
	m.out.Snapshot, m.out.Persist, m.sinceSnap = s, nil, 0
}

// encodeSnapshot returns the votes, and records for the tree. The core may not have made durable yet what it was last told is
// final, so the newest final blocks and their certificate are among them, and the ends of epochs where they fell.
func (m *Machine) encodeSnapshot() []byte {
	e := types.NewEncoder(4096)
	e.Byte(recordVersion)
	e.Hash(m.chain)
	e.Uint(m.set.Epoch)
	e.Hash(m.setHash)
	e.Uint(m.lastProduced)
	putVoted(e, m.lastPrep)
	e.Uint(m.forkSlot)
	putVoted(e, m.lastCommit)
	putRef(e, m.lock)
	e.Uint(m.prepFloor)
	e.Uint(m.commitFloor)
	e.Uint(m.signFrom)
	if k := len(m.hands); k > 0 && m.nodes[m.hands[k-1].Header.ID()] == nil {
		r := newRecord(recEpoch)
		m.hands[k-1].putBody(r)
		e.Blob(r.Bytes())
	}
	m.below(m.root, func(n *node) bool {
		if n.h.Height > 0 && n.state == checked {
			e.Blob(headerRecord(n))
		}
		if n.opens != nil && n.show != nil {
			e.Blob(epochRecord(n, n.opens))
		}
		return n.state == checked
	})
	if m.own != nil {
		e.Blob(ownRecord(m.own))
	}
	m.below(m.final, func(n *node) bool {
		switch {
		case n == m.final && n.fin != nil && n.opens == nil:
			e.Blob(proofRecord(&Proof{Commit: n.fin}))
		case n.proofSaved && !n.final:
			e.Blob(proofRecord(n.proof))
		}
		return n.state == checked
	})
	return e.Bytes()
}

// saved is what a snapshot says of votes.
type saved struct {
	durable
	number  uint64 // of the epoch
	setHash types.Hash
}

func (m *Machine) decodeSnapshot(b []byte) (s saved, recs []*record, err error) {
	d := types.NewDecoder(b)
	if v := d.Byte(); v != recordVersion {
		d.Fail("version %d is unknown", v)
	}
	if c := d.Hash(); d.Err() == nil && c != m.chain {
		d.Fail("it is of chain %s", c.Short())
	}
	s.number, s.setHash = d.Uint(), d.Hash()
	s.durable = durable{lastProduced: d.Uint(), lastPrep: getVoted(d), forkSlot: d.Uint(), lastCommit: getVoted(d), lock: getRef(d),
		prepFloor: d.Uint(), commitFloor: d.Uint(), signFrom: d.Uint()}
	for d.Err() == nil && d.Rest() > 0 {
		raw := d.Blob(consensus.MaxRecordBytes)
		if d.Err() != nil {
			break
		}
		r, err := decodeRecord(raw)
		if err != nil {
			d.Fail("%v", err)
			break
		}
		recs = append(recs, r)
	}
	if err := d.Finish(); err != nil {
		return saved{}, nil, fmt.Errorf("snapshot: %w", err)
	}
	return s, recs, nil
}

// restore brings back what an earlier life has persisted. Blocks among the records were checked; those that do not connect
// with the final block are of no use any more. The core and the records may be an epoch apart, either way: the core may have
// caught up by itself, and it makes finality durable after it was told.
func (m *Machine) restore(start *consensus.Start) error {
	m.replaying = true
	defer func() { m.replaying = false }()
	if start.Snapshot != nil {
		s, recs, err := m.decodeSnapshot(start.Snapshot)
		if err != nil {
			return err
		}
		m.snapBytes = len(start.Snapshot)
		for _, r := range recs {
			m.replay(r)
		}
		if err := m.restoreVotes(&s); err != nil {
			return err
		}
	}
	for i, raw := range start.Records {
		r, err := decodeRecord(raw)
		if err != nil {
			return fmt.Errorf("record %d of %d: %w", i+1, len(start.Records), err)
		}
		m.sinceSnap += len(raw) + 16
		m.replay(r)
	}
	if m.cfg.rules.forgetVotes {
		m.durable, m.own = durable{}, nil
	}
	m.raiseLock()
	m.rechoose()
	m.chooseHead()
	return nil
}

// restoreVotes takes over the votes of a snapshot. Those of another epoch only bar their slots.
func (m *Machine) restoreVotes(s *saved) error {
	if s.number == m.set.Epoch {
		if s.setHash != m.setHash {
			return fmt.Errorf("snapshot: it is of another set of producers in epoch %d", s.number)
		}
		s.lastProduced = max(s.lastProduced, m.lastProduced)
		s.signFrom = max(s.signFrom, m.signFrom)
		m.durable = s.durable
		return nil
	}
	m.lastProduced = max(m.lastProduced, s.lastProduced)
	m.prepFloor = max(m.prepFloor, s.prepFloor, s.lastPrep.Slot)
	m.commitFloor = max(m.commitFloor, s.commitFloor, s.lastCommit.Slot)
	m.signFrom = max(m.signFrom, s.signFrom, s.number)
	if s.lastCommit.Slot > 0 || s.lastPrep.Slot > s.forkSlot { // since the epoch began
		m.forgotten(s.number)
	}
	return nil
}

// forgotten is for votes in an epoch that this node cannot get back to by its records. When it is there again it has neither the
// lock nor the blocks that the votes were for, so it signs nothing before the next one.
func (m *Machine) forgotten(number uint64) {
	if number > m.set.Epoch {
		m.signFrom = max(m.signFrom, number+1)
	}
}

func (m *Machine) replay(r *record) {
	switch r.kind {
	case recHeader, recOwn:
		m.replayHeader(r)
	case recProof:
		if n := m.nodes[r.proof.Ref().ID]; n != nil && n.proof == nil {
			n.proof, n.proofSaved = r.proof, true
			if r.proof.Commit != nil {
				n.fin = r.proof.Commit
			}
		}
	case recPrepare:
		if v := r.vote; v.Epoch == m.set.Epoch {
			m.lastPrep, m.forkSlot = v, r.forkSlot
		} else {
			m.prepFloor, m.signFrom = max(m.prepFloor, v.Slot), max(m.signFrom, v.Epoch)
			m.forgotten(v.Epoch)
		}
	case recCommit:
		if v := r.vote; v.Epoch == m.set.Epoch {
			m.lastCommit, m.lock = v, v.ref()
		} else {
			m.commitFloor, m.signFrom = max(m.commitFloor, v.Slot), max(m.signFrom, v.Epoch)
			m.forgotten(v.Epoch)
		}
	case recEpoch:
		m.resume(r)
	}
}

func (m *Machine) replayHeader(r *record) {
	if r.kind == recOwn {
		m.lastProduced, m.own = max(m.lastProduced, r.header.Slot), r.header
	}
	id := r.header.ID()
	n := m.nodes[id]
	if p := m.nodes[r.header.Parent]; n == nil && p != nil {
		n = m.attach(p, r.header, id, nil)
	}
	if n == nil {
		return
	}
	if len(r.sig) > 0 {
		n.sig = r.sig
		if seat, ok := m.seats[n.h.Producer]; ok && !n.final {
			m.noteProposal(m.epoch, seat, n.h.Slot, id, r.sig)
		}
	}
	if r.kind == recHeader && !n.final && n.parent.state == checked && (!n.h.Closes() || m.takeNext(n, r.next)) {
		n.state = checked
	}
}

// signAgain asks again for the signatures of what was decided before a restart, and for checks that were open.
func (m *Machine) signAgain() {
	m.below(m.final, func(n *node) bool {
		if n.state == waiting && n.parent.state == checked {
			m.ask(n)
		}
		return n.state == checked
	})
	var ripe *node
	m.below(m.final, func(n *node) bool {
		if n.fin != nil && !n.final && n.ripe() {
			ripe = n
		}
		return n.state == checked
	})
	if ripe != nil {
		m.finalise(ripe, true)
		m.turn()
	}
	if m.silent() {
		return
	}
	if m.own != nil && m.own.Slot+aheadSlots >= m.slot {
		if n := m.nodes[m.own.ID()]; n != nil && !n.final {
			m.signProposal(n)
		}
	}
	if n := m.nodes[m.lastPrep.ID]; n != nil && !n.final && m.lastPrep.Slot > 0 {
		m.signPrepare(n)
	}
	if n := m.nodes[m.lastCommit.ID]; n != nil && !n.final && m.lastCommit.Slot > 0 && n.proof != nil {
		m.signCommit(n)
	}
}
