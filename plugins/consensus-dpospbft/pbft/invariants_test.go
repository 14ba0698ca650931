package pbft

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// setFinal is the core's finality of a node: I1 and I2 over all lives of all honest nodes.
func (s *sim) setFinal(n *simNode, h *types.Header, c *types.Certificate) {
	for b := h; b != nil && b.Height > n.final.Height; b = n.bodies[b.Parent] {
		s.settle(n, b)
	}
	if h.Height > n.final.Height {
		n.final, n.finalCert = h, c
		n.journal = append(n.journal, entry{cert: c})
	}
}

func (s *sim) settle(n *simNode, b *types.Header) {
	if n.twin {
		return
	}
	id := b.ID()
	if old, ok := s.finals[b.Height]; ok && old != id {
		s.fail("I1: node %d has block %s final at height %d, another has %s", n.i, id.Short(), b.Height, old.Short())
	} else if !ok {
		s.finals[b.Height] = id
		s.finalBlocks++
		s.latency = append(s.latency, s.now-min(s.now, simGenesisMs+b.Slot*s.slotMs))
		var t [16]byte
		binary.BigEndian.PutUint64(t[:], b.Height)
		binary.BigEndian.PutUint64(t[8:], s.now)
		s.trace = sha256.Sum256(append(append(s.trace[:], t[:]...), id[:]...))
	}
}

// onFinal checks I7: ascending, no gap, a certificate that verifies with the last, every block checked.
func (s *sim) onFinal(n *simNode, f consensus.Final) {
	h := n.bodies[f.Block]
	if h == nil {
		s.fail("I7: node %d calls a block final that was not checked", n.i)
		return
	}
	if h.Height != n.told+1 {
		s.fail("I7: node %d calls height %d final after %d", n.i, h.Height, n.told)
		return
	}
	n.told = h.Height
	if f.Cert == nil {
		return
	}
	if f.Cert.Block != f.Block || f.Cert.Height != h.Height || f.Cert.Slot != h.Slot {
		s.fail("I7: node %d: the certificate is for another block", n.i)
	}
	var err error
	if s.realSigs {
		err = f.Cert.Verify(s.genesis.Chain, s.set)
	} else {
		err = modelVerifier{s.rules.onePhase}.Certificate(f.Cert, s.genesis.Chain, s.set)
	}
	if err != nil {
		s.fail("I7: node %d: %v", n.i, err)
	}
	s.setFinal(n, h, f.Cert)
}

// checkSign checks I3, over all lives of an honest identity, and I8: the record is durable before.
func (s *sim) checkSign(n *simNode, u consensus.Unsigned) {
	if n.twin || s.conflicts {
		return
	}
	key := fmt.Sprintf("%d/%s/%d", n.seat, u.Purpose, u.Ordinal)
	if old := s.signed[key]; old != nil && !bytes.Equal(old, u.Payload) {
		s.fail("I3: node %d signs twice: %s", n.i, key)
	}
	s.signed[key] = u.Payload
	if !n.recorded(u) {
		s.fail("I8: node %d asks for a signature without a record: %s", n.i, key)
	}
}

// recorded looks in the durable journal for the record of what is to be signed.
func (n *simNode) recorded(u consensus.Unsigned) bool {
	for i := n.synced - 1; i >= 0; i-- {
		e := n.journal[i]
		if e.snap != nil {
			d, _, err := n.m.decodeSnapshot(e.snap)
			// Of what comes together with a snapshot only the last is kept, which bars all before it.
			return err == nil && (u.Purpose == PurposePropose && d.lastProduced >= u.Ordinal ||
				u.Purpose == PurposePrepare && d.lastPrep.Slot >= u.Ordinal || u.Purpose == types.PurposeCommit && d.lastCommit.Slot >= u.Ordinal)
		}
		if e.record == nil {
			continue
		}
		r, err := decodeRecord(e.record)
		if err != nil {
			return false
		}
		switch {
		case u.Purpose == PurposePropose && r.kind == recOwn && r.header.Slot == u.Ordinal:
			return bytes.Equal(u.Payload, ProposePayload(r.header.ID(), u.Ordinal))
		case u.Purpose == PurposePrepare && r.kind == recPrepare && r.vote.Slot == u.Ordinal:
			v := r.vote
			return bytes.Equal(u.Payload, PreparePayload(n.m.setHash, n.m.set.Epoch, v.Slot, v.Height, v.ID, v.Src))
		case u.Purpose == types.PurposeCommit && r.kind == recCommit && r.vote.Slot == u.Ordinal:
			v := r.vote
			return bytes.Equal(u.Payload, types.CommitPayload(n.m.setHash, n.m.set.Epoch, v.Slot, v.Height, v.ID))
		}
	}
	return false
}

// onEvidence checks I4: only twins are accused, and rightly.
func (s *sim) onEvidence(n *simNode, raw []byte) {
	s.culprits++
	if s.conflicts {
		return
	}
	v, err := DecodeEvidence(raw)
	if err != nil {
		s.fail("I4: node %d: %v", n.i, err)
		return
	}
	if int(v.Seat) >= s.twins {
		s.fail("I4: node %d accuses the honest seat %d (kind %d, slot %d)", n.i, v.Seat, v.Kind, v.Slot)
	}
	purpose := [...]string{evidenceProposal: PurposePropose, evidencePrepare: PurposePrepare, evidenceCommit: types.PurposeCommit}[v.Kind]
	if bytes.Equal(v.A, v.B) || !n.m.verify(int(v.Seat), purpose, v.A, v.SigA) || !n.m.verify(int(v.Seat), purpose, v.B, v.SigB) {
		s.fail("I4: node %d: the evidence proves nothing", n.i)
	}
}

// inspect looks into a machine: I5, I6, I13.
func (s *sim) inspect(n *simNode) {
	m := n.m
	if s.conflicts || m.halted {
		return
	}
	if p := m.high.proof; p != nil && m.high != m.final {
		if id, ok := s.qcs[m.high.h.Slot]; ok && id != m.high.id {
			s.fail("I5: two blocks of slot %d have a PrepareQC", m.high.h.Slot)
		}
		s.qcs[m.high.h.Slot] = m.high.id
	}
	if m.lock.Slot < n.lastLock || m.lastPrep.Slot < n.lastPrep {
		s.fail("I6: node %d: lock or last vote goes back", n.i)
	}
	n.lastLock, n.lastPrep = m.lock.Slot, m.lastPrep.Slot
	if l := m.nodes[m.lock.ID]; l != nil && !l.final && (l.proof == nil || !l.proofSaved || l.state != checked) {
		s.fail("I6: node %d: lock of slot %d without a durable proof (state %d, proof %t, saved %t, certificate %t, last commit %d, final %d, life %d)", n.i, m.lock.Slot,
			l.state, l.proof != nil, l.proofSaved, l.fin != nil, m.lastCommit.Slot, m.final.h.Slot, n.life)
	}
	switch {
	case m.head.state != checked || !m.head.within(m.high) || !m.high.within(m.final) || m.nodes[m.head.id] != m.head:
		s.fail("node %d: the head is not in the tree", n.i)
	case len(m.nodes) > m.open+keepFinal+2 || len(m.orphans) > maxOrphans || len(m.early) > maxEarly || len(m.wants) > maxWants ||
		len(m.loose) > maxLoose || len(m.seen) > maxSeen:
		s.fail("I13: node %d: %d nodes, %d open, %d orphans", n.i, len(m.nodes), m.open, len(m.orphans))
	}
	open := 0
	m.below(m.final, func(*node) bool { open++; return true })
	if open != m.open+1 {
		s.fail("I13: node %d counts %d open blocks, there are %d", n.i, m.open, open-1)
	}
}
