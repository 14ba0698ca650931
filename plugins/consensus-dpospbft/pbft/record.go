package pbft

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

const recordVersion = 1

// kinds of records.
const (
	recHeader  byte = 1 + iota // a block that was checked
	recOwn                     // a proposal that is to be signed
	recProof                   // what a vote rests on
	recPrepare                 // a PREPARE that is to be signed
	recCommit                  // a COMMIT that is to be signed
)

// record is one of them, decoded.
type record struct {
	kind     byte
	header   *types.Header
	sig      []byte
	proof    *Proof
	vote     voted
	forkSlot uint64
}

func newRecord(kind byte) *types.Encoder {
	e := types.NewEncoder(600)
	e.Byte(recordVersion)
	e.Byte(kind)
	return e
}

func headerRecord(n *node) []byte {
	e := newRecord(recHeader)
	e.Blob(n.h.Encode())
	e.Blob(n.sig)
	return e.Bytes()
}

func ownRecord(h *types.Header) []byte {
	e := newRecord(recOwn)
	e.Blob(h.Encode())
	return e.Bytes()
}

func proofRecord(p *Proof) []byte {
	e := newRecord(recProof)
	putProof(e, p)
	return e.Bytes()
}

func prepareRecord(v voted, forkSlot uint64) []byte {
	e := newRecord(recPrepare)
	putVoted(e, v)
	e.Uint(forkSlot)
	return e.Bytes()
}

func commitRecord(v voted) []byte {
	e := newRecord(recCommit)
	putVoted(e, v)
	return e.Bytes()
}

func putVoted(e *types.Encoder, v voted) {
	e.Uint(v.Slot)
	e.Uint(v.Height)
	e.Uint(v.Src)
	e.Hash(v.ID)
}

func getVoted(d *types.Decoder) voted {
	return voted{Slot: d.Uint(), Height: d.Uint(), Src: d.Uint(), ID: d.Hash()}
}

func decodeRecord(b []byte) (*record, error) {
	d := types.NewDecoder(b)
	if v := d.Byte(); v != recordVersion {
		d.Fail("version %d is unknown", v)
	}
	r := &record{kind: d.Byte()}
	var raw []byte
	switch r.kind {
	case recHeader:
		raw = d.Blob(types.MaxConsensusBytes + types.MaxShardBytes + 1024)
		if r.sig = d.Blob(sigBytes); len(r.sig) != 0 && len(r.sig) != sigBytes {
			d.Fail("a signature of %d bytes", len(r.sig))
		}
	case recOwn:
		raw = d.Blob(types.MaxConsensusBytes + types.MaxShardBytes + 1024)
	case recProof:
		if r.proof = getProof(d); r.proof == nil {
			d.Fail("no proof")
		}
	case recPrepare:
		r.vote, r.forkSlot = getVoted(d), d.Uint()
	case recCommit:
		r.vote = getVoted(d)
	default:
		d.Fail("kind %d is unknown", r.kind)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if raw != nil {
		h, err := types.DecodeHeader(raw)
		if err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
		r.header = h
	}
	return r, nil
}

func (m *Machine) persist(rec []byte) {
	m.out.Persist = append(m.out.Persist, rec)
	m.sinceSnap += len(rec) + 16
}

// saveProof makes a block's proof durable, once.
func (m *Machine) saveProof(n *node) {
	if n.proof != nil && !n.proofSaved && !n.final {
		n.proofSaved = true
		m.persist(proofRecord(n.proof))
	}
}

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
// final, so the newest final blocks and their certificate are among them.
func (m *Machine) encodeSnapshot() []byte {
	e := types.NewEncoder(4096)
	e.Byte(recordVersion)
	e.Hash(m.chain)
	e.Hash(m.setHash)
	e.Uint(m.lastProduced)
	putVoted(e, m.lastPrep)
	e.Uint(m.forkSlot)
	putVoted(e, m.lastCommit)
	putRef(e, m.lock)
	m.below(m.root, func(n *node) bool {
		if n.h.Height > 0 && n.state == checked {
			e.Blob(headerRecord(n))
		}
		return n.state == checked
	})
	if m.own != nil {
		e.Blob(ownRecord(m.own))
	}
	m.below(m.final, func(n *node) bool {
		switch {
		case n == m.final && n.fin != nil:
			e.Blob(proofRecord(&Proof{Commit: n.fin}))
		case n.proofSaved && !n.final:
			e.Blob(proofRecord(n.proof))
		}
		return n.state == checked
	})
	return e.Bytes()
}

func (m *Machine) decodeSnapshot(b []byte) (s durable, recs []*record, err error) {
	d := types.NewDecoder(b)
	if v := d.Byte(); v != recordVersion {
		d.Fail("version %d is unknown", v)
	}
	if c := d.Hash(); d.Err() == nil && c != m.chain {
		d.Fail("it is of chain %s", c.Short())
	}
	if h := d.Hash(); d.Err() == nil && h != m.setHash {
		d.Fail("it is of another set of producers")
	}
	s = durable{lastProduced: d.Uint(), lastPrep: getVoted(d), forkSlot: d.Uint(), lastCommit: getVoted(d), lock: getRef(d)}
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
		return durable{}, nil, fmt.Errorf("snapshot: %w", err)
	}
	return s, recs, nil
}

// restore brings back what an earlier life has persisted. Blocks among the records were checked; those that do not connect
// with the final block are of no use any more.
func (m *Machine) restore(start *consensus.Start) error {
	if start.Snapshot != nil {
		s, recs, err := m.decodeSnapshot(start.Snapshot)
		if err != nil {
			return err
		}
		m.durable, m.snapBytes = s, len(start.Snapshot)
		for _, r := range recs {
			m.replay(r)
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

func (m *Machine) replay(r *record) {
	switch r.kind {
	case recHeader, recOwn:
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
		}
		if r.kind == recHeader && !n.final && n.parent.state == checked {
			n.state = checked
		}
	case recProof:
		if n := m.nodes[r.proof.Ref().ID]; n != nil && n.proof == nil {
			n.proof, n.proofSaved = r.proof, true
			if r.proof.Commit != nil {
				n.fin = r.proof.Commit
			}
		}
	case recPrepare:
		m.lastPrep, m.forkSlot = r.vote, r.forkSlot
	case recCommit:
		m.lastCommit, m.lock = r.vote, r.vote.ref()
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
		if n.fin != nil && !n.final && n.state == checked {
			ripe = n
		}
		return n.state == checked
	})
	if ripe != nil {
		m.finalise(ripe, true)
	}
	if m.seat < 0 {
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
