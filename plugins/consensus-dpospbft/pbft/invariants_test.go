package pbft

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// The invariants of the design, where they are checked:
//
//	I1  final chains are prefixes of one another            settle
//	I2  finality never goes back, also over restarts        setFinal, start: the core's finality is durable; onFinal: told
//	I3  one block, PREPARE and COMMIT a slot                checkSign; judge.signed over all lives and by signature
//	I4  no honest producer in evidence                      judge.signed (all that could be shown), onEvidence (what is)
//	I5  no two PrepareQCs in a slot                         inspect
//	I6  lock and lastPrep never go back; a lock is durable  inspect
//	I7  final blocks are proven, without a gap              onFinal
//	I8  a record before each signature                      checkSign
//	I9  only the elected set signs, from a final X on       checkSign, onEpoch
//	I10 conflicting finality names its culprits             conflict
//	I11 finality advances when all is well                  sim.mustAdvance
//	I12 a seed is a run                                     TestReplay
//	I13 memory is bounded                                   inspect

// setFinal is the core's finality of a node.
func (s *sim) setFinal(n *simNode, b *simBlock, p *types.Finality) {
	if b.h.Height <= n.final.h.Height {
		return
	}
	for c := b; c != n.final; c = c.parent {
		if c == nil || c.h.Height <= n.final.h.Height {
			if s.twins > s.maxByz() {
				s.conflict()
				return
			}
			s.fail("I2: node %d had block %s final at height %d, and now one at height %d that does not descend from it", n.i, n.final.id.Short(),
				n.final.h.Height, b.h.Height)
			break
		}
	}
	for c := b; c != nil && c.h.Height > n.final.h.Height; c = c.parent {
		s.settle(n, c)
	}
	if !n.final.h.Closes() {
		delete(n.proofs, n.final.id)
	}
	n.final = b
	n.proofs[b.id] = p
	n.journal = append(n.journal, entry{final: b, proof: p})
	s.say("node %d: final at height %d, slot %d, epoch %d: %s", n.i, b.h.Height, b.h.Slot, b.h.Epoch, b.id.Short())
}

func (s *sim) settle(n *simNode, b *simBlock) {
	if n.byz {
		return
	}
	old, ok := s.finals[b.h.Height]
	switch {
	case ok && old != b.id:
		if s.twins > s.maxByz() {
			s.conflict()
			return
		}
		s.fail("I1: node %d has block %s final at height %d, another has %s", n.i, b.id.Short(), b.h.Height, old.Short())
	case !ok:
		s.finals[b.h.Height] = b.id
		s.finalBlocks++
		if b.h.Slot >= s.finalAfter {
			s.latency = append(s.latency, s.w.Now()-min(s.w.Now(), simGenesisMs+b.h.Slot*s.slotMs))
		}
		s.w.Note(binary.BigEndian.AppendUint64(b.id[:], b.h.Height)...)
	}
}

// conflict is I10: with more than f who break the rules finality may conflict, but then evidence names at least 2q-n of them.
func (s *sim) conflict() {
	s.over = true
	if q := int(types.QuorumOf(uint64(s.n))); s.twins < q && s.judge.culprits() < 2*q-s.n {
		s.over = false
		s.fail("I10: finality conflicts, and the signatures show only %d culprits: %v", s.judge.culprits(), s.judge.found)
	}
}

// onFinal checks I7: ascending, no gap, a proof with the last, every block checked.
func (s *sim) onFinal(n *simNode, f consensus.Final) {
	b := s.blocks[f.Block]
	if b == nil || !n.bodies[f.Block] && !s.core.volatileBodies {
		s.fail("I7: node %d calls a block final that was not checked", n.i)
		return
	}
	if b.h.Height != n.told+1 {
		if s.twins > s.maxByz() { // the core has taken over the other of two final blocks
			s.conflict()
			return
		}
		s.fail("I7: node %d calls height %d final after %d", n.i, b.h.Height, n.told)
		return
	}
	n.told = b.h.Height
	if f.Proof == nil {
		if b.h.Closes() && !s.rules.keepSuffix {
			s.fail("I7: node %d calls the closing block of epoch %d final without a proof of its own", n.i, b.h.Epoch)
		}
		return
	}
	if err := f.Proof.Links(b.h); err != nil {
		s.fail("I7: node %d, height %d: %v", n.i, b.h.Height, err)
	} else if err := s.ver.Certificate(f.Proof.Cert, s.genesis.h.Chain, s.setOf(b)); err != nil {
		s.fail("I7: node %d, height %d: %v", n.i, b.h.Height, err)
	}
	if b.st.closed != nil && b.st.closed != b && !s.rules.keepSuffix {
		s.fail("I7: node %d calls a block final that comes after the closing block of its epoch", n.i)
	}
	if len(f.Proof.Suffix) > 0 {
		s.count("final by a suffix")
	}
	s.setFinal(n, b, f.Proof)
}

// checkSign checks I3, I8 and I9 of what an honest engine wants signed.
func (s *sim) checkSign(n *simNode, u consensus.Unsigned) {
	if n.byz {
		return
	}
	if !n.recorded(u) {
		s.fail("I8: node %d asks for a signature without a record: %s of slot %d", n.i, u.Purpose, u.Ordinal)
	}
	msg, err := DecodeMessage(append(bytes.Clone(u.Message), make([]byte, sigBytes)...))
	if err != nil {
		s.fail("node %d asks for a signature of what is no message: %v", n.i, err)
		return
	}
	var epoch, slot uint64
	var want []byte
	set := s.setOf(n.peek)
	if n.peek.h.Closes() {
		set = n.peek.st.next
	}
	hash := s.ver.hashOf(set)
	switch m := msg.(type) {
	case *Proposal:
		epoch, slot, want = m.Header.Epoch, m.Header.Slot, ProposePayload(m.Header.ID(), m.Header.Slot)
	case *Prepare:
		epoch, slot, want = m.Epoch, m.Slot, PreparePayload(hash, m.Epoch, m.Slot, m.Height, m.ID, m.Src)
	case *Commit:
		epoch, slot, want = m.Epoch, m.Slot, types.CommitPayload(hash, m.Epoch, m.Slot, m.Height, m.ID)
	}
	if p, ok := msg.(*Prepare); ok {
		s.checkPrepare(n, p)
	}
	switch {
	case n.doneAt > 0 && n.doneAt <= uint64(n.synced) && epoch <= n.done:
		s.fail("I9: node %d signs (%s, slot %d) in epoch %d, whose end its journal has", n.i, u.Purpose, slot, epoch)
	case epoch != set.Epoch:
		s.fail("I9: node %d signs (%s, slot %d) in epoch %d, while epoch %d follows from its final block", n.i, u.Purpose, slot, epoch, set.Epoch)
	case set.Index(n.key.hash) < 0:
		s.fail("I9: node %d signs (%s, slot %d) in epoch %d, and has no seat there", n.i, u.Purpose, slot, epoch)
	case slot != u.Ordinal || !bytes.Equal(want, u.Payload):
		s.fail("node %d: message and payload of %s in slot %d differ", n.i, u.Purpose, slot)
	}
}

// checkPrepare checks what an honest PREPARE vouches for: a block whose justify is a proper ancestor of the epoch, or the block
// that the epoch began with, a src that names a proper ancestor and is not older, and a producer's own VRF proof.
func (s *sim) checkPrepare(n *simNode, v *Prepare) {
	b := s.blocks[v.ID]
	if b == nil {
		s.fail("I3: node %d prepares a block that no core has admitted", n.i)
		return
	}
	x, err := DecodeExtra(b.h.Consensus)
	if err != nil {
		s.fail("I3: node %d prepares a block without consensus bytes: %v", n.i, err)
		return
	}
	ancestor := func(slot uint64) *simBlock {
		a := b.parent
		for a != nil && a.h.Slot > slot {
			a = a.parent
		}
		if a == nil || a.h.Slot != slot || a.h.Slot < b.st.start.h.Slot {
			return nil
		}
		return a
	}
	root := n.m.root.h.Slot // below it all is final, and nothing is kept to compare with; R2 cannot be met by a justify from there
	if a := ancestor(x.Justify.Slot); x.Justify.Slot >= root && (a == nil || a.id != x.Justify.ID) {
		s.fail("I3: node %d prepares a block of slot %d whose justify of slot %d is no ancestor", n.i, v.Slot, x.Justify.Slot)
	}
	if v.Src < x.Justify.Slot || v.Src >= root && ancestor(v.Src) == nil {
		s.fail("I3: node %d prepares a block of slot %d with src %d and justify of slot %d", n.i, v.Slot, v.Src, x.Justify.Slot)
	}
	set := s.setOf(b)
	again := n.guard.marks[PurposePrepare].ordinal >= v.Slot
	if t := simGenesisMs + v.Slot*s.slotMs; !again && s.n > 1 && t > max(n.m.now, s.w.Now())+s.slotMs/5 {
		s.fail("I3: node %d prepares a block of slot %d, %d ms before its time", n.i, v.Slot, t-n.m.now)
	}
	if !again && n.accused[fmt.Sprint(v.Epoch, b.h.Producer)] {
		s.fail("I4: node %d prepares a block of slot %d by somebody that it has accused", n.i, v.Slot)
	}
	seat := set.Index(b.h.Producer)
	if seat < 0 || s.ver.VRF(set.Seats[seat].Key, consensus.VRFInput(s.ver.hashOf(set), b.h.Slot), x.VRF) != nil {
		s.fail("I3: node %d prepares a block of slot %d without a proof of its producer", n.i, v.Slot)
	}
}

// checkQC checks that no vote in a PrepareQC has an invented src, and that it has a quorum of valid votes (part of I5).
func (s *sim) checkQC(n *simNode, q *PrepareQC) {
	b := s.blocks[q.ID]
	if b == nil {
		s.fail("I5: node %d takes a PrepareQC for a block that no core has admitted", n.i)
		return
	}
	x, _ := DecodeExtra(b.h.Consensus)
	set := s.setOf(b)
	var weight uint64
	last := -1
	for _, v := range q.Votes {
		a := b.parent
		for a != nil && a.h.Slot > v.Src {
			a = a.parent
		}
		kept := v.Src >= n.m.root.h.Slot // what lies below is final, and not kept
		if kept && (a == nil || a.h.Slot != v.Src) || v.Src < x.Justify.Slot {
			s.fail("I5: node %d takes a PrepareQC of slot %d with an invented src %d by seat %d", n.i, q.Slot, v.Src, v.Seat)
			return
		}
		if int(v.Seat) <= last || int(v.Seat) >= len(set.Seats) || s.ver.Signature(set.Seats[v.Seat].Key, types.SignBytes(s.genesis.h.Chain, PurposePrepare,
			PreparePayload(s.ver.hashOf(set), q.Epoch, q.Slot, q.Height, q.ID, v.Src)), v.Sig) != nil {
			s.fail("I5: node %d takes a PrepareQC of slot %d with a vote of seat %d that is none", n.i, q.Slot, v.Seat)
			return
		}
		last = int(v.Seat)
		weight += set.Seats[v.Seat].Weight
	}
	if weight < set.Threshold {
		s.fail("I5: node %d takes a PrepareQC of slot %d with a weight of %d", n.i, q.Slot, weight)
	}
}

// recorded looks in the durable journal for the record of what is to be signed.
func (n *simNode) recorded(u consensus.Unsigned) bool {
	for i := n.synced - 1; i >= 0; i-- {
		e := n.journal[i]
		if e.snap != nil {
			d, err := snapshotVotes(n.m, e.snap)
			// Of what comes together with a snapshot only the last is kept, which bars all before it.
			return err == nil && (u.Purpose == PurposePropose && d.lastProduced >= u.Ordinal ||
				u.Purpose == PurposePrepare && max(d.lastPrep.Slot, d.prepFloor) >= u.Ordinal || u.Purpose == types.PurposeCommit && max(d.lastCommit.Slot, d.commitFloor) >= u.Ordinal)
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

// snapshotVotes returns the votes in a snapshot.
func snapshotVotes(m *Machine, snap []byte) (durable, error) {
	s, _, err := m.decodeSnapshot(snap)
	return s.durable, err
}

// offender returns the producer that evidence is against, or -1 if it proves nothing.
func (s *sim) offender(raw []byte) int {
	v, err := evidence.Decode(raw)
	if err != nil {
		return -1
	}
	for _, set := range s.sets {
		if set.Epoch != v.Epoch || v.VerifyWith(s.genesis.h.Chain, set, s.ver.Signature) != nil {
			continue
		}
		hash := set.Seats[v.Seat].Key.Hash()
		for id, k := range s.keys {
			if k.hash == hash {
				return id
			}
		}
	}
	return -1
}

// onEvidence checks I4: only those are accused that break the rules, and rightly.
func (s *sim) onEvidence(n *simNode, raw []byte) {
	s.culprits++
	id := s.offender(raw)
	if v, err := evidence.Decode(raw); err == nil && id >= 0 {
		n.accused[fmt.Sprint(v.Epoch, s.keys[id].hash)] = true
	}
	switch {
	case id < 0:
		s.fail("I4: node %d: its evidence proves nothing", n.i)
	case !s.isByz(id):
		s.fail("I4: node %d accuses the honest producer %d", n.i, id)
	}
	if s.evidence && len(n.pool) < 4 && !slices.ContainsFunc(n.pool, func(o []byte) bool { return bytes.Equal(o, raw) }) {
		n.pool = append(n.pool, raw)
	}
}

// inspect looks into a machine: I5, I6, I13.
func (s *sim) inspect(n *simNode) {
	m := n.m
	if m.halted {
		return
	}
	if p := m.high.proof; p != nil && m.high != m.final && s.twins <= s.maxByz() {
		k := [2]uint64{m.set.Epoch, m.high.h.Slot}
		if id, ok := s.judge.qcs[k]; ok && id != m.high.id {
			s.fail("I5: two blocks of slot %d have a PrepareQC", m.high.h.Slot)
		}
		s.judge.qcs[k] = m.high.id
	}
	if p := m.high.proof; p != nil && p.Prepare != nil && m.high != m.final && n.qc != p && !n.byz {
		n.qc = p
		s.checkQC(n, p.Prepare)
	}
	if m.set.Epoch != n.lastEpoch { // a block after the closing one may have been locked on
		n.lastEpoch, n.lastLock, n.lastPrep = m.set.Epoch, 0, 0
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
		s.fail("node %d: the head (height %d, state %d, within high %t, high within final %t, in the tree %t) is not where it should be", n.i, m.head.h.Height,
			m.head.state, m.head.within(m.high), m.high.within(m.final), m.nodes[m.head.id] == m.head)
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
