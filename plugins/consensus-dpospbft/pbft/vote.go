package pbft

import (
	"slices"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (m *Machine) onPrepare(from types.Hash, v *Prepare, raw []byte) {
	w := &vote{seat: v.Seat, slot: v.Slot, height: v.Height, id: v.ID, src: v.Src, sig: v.Sig, from: from}
	if v.Epoch != m.set.Epoch {
		m.lateVote(v.Epoch, w, true, v, raw)
		return
	}
	for _, p := range v.Support {
		m.learn(from, p)
	}
	if from.IsZero() && v.ID == m.lastPrep.ID && v.Slot == m.lastPrep.Slot { // not what a peer has put around the own vote
		m.prepareMsg = raw
	}
	if m.halted || m.over != nil || !m.votable(v.Slot, v.Seat) || v.Src >= v.Slot || !m.take(m.epoch, w, true) || v.Slot <= m.final.h.Slot {
		return
	}
	n := m.nodes[v.ID]
	if n == nil {
		m.want(v.ID, from, false)
		return
	}
	m.vouch(n, from)
	m.countPrepares(n, from)
	m.offerHead(n)
}

func (m *Machine) onCommit(from types.Hash, v *Commit, raw []byte) {
	w := &vote{seat: v.Seat, slot: v.Slot, height: v.Height, id: v.ID, sig: v.Sig, from: from}
	if v.Epoch != m.set.Epoch {
		m.lateVote(v.Epoch, w, false, v, raw)
		return
	}
	m.learn(from, v.Proof)
	if from.IsZero() && v.ID == m.lastCommit.ID && v.Slot == m.lastCommit.Slot {
		m.commitMsg = raw
	}
	if m.halted || m.over != nil || !m.votable(v.Slot, v.Seat) || !m.take(m.epoch, w, false) || v.Slot <= m.final.h.Slot {
		return
	}
	n := m.nodes[v.ID]
	if n == nil {
		m.want(v.ID, from, false)
		return
	}
	m.vouch(n, from)
	m.countCommits(n)
}

// votable tells whether a vote is by a seat and for a slot that is looked at.
func (m *Machine) votable(slot uint64, seat uint32) bool {
	return int(seat) < len(m.set.Seats) && slot+windowSlots > m.final.h.Slot && slot <= m.slot+aheadSlots
}

// lateVote looks at a vote of another epoch: for the one before only because it may be evidence.
func (m *Machine) lateVote(epoch uint64, w *vote, prepare bool, msg Message, raw []byte) {
	m.otherEpoch(w.from, epoch, w.slot, msg, raw)
	o := m.past
	if o != nil && epoch == o.set.Epoch && int(w.seat) < len(o.set.Seats) && w.slot+windowSlots > o.until && w.slot <= m.slot+aheadSlots {
		m.take(o, w, prepare)
	}
}

// payload is what a vote signs.
func (e *epoch) payload(v *vote, prepare bool) (purpose string, payload []byte) {
	if prepare {
		return PurposePrepare, PreparePayload(e.setHash, e.set.Epoch, v.slot, v.height, v.id, v.src)
	}
	return types.PurposeCommit, types.CommitPayload(e.setHash, e.set.Epoch, v.slot, v.height, v.id)
}

// take keeps a vote that is new and valid. A second one in the same slot is evidence and does not count.
func (m *Machine) take(e *epoch, v *vote, prepare bool) bool {
	b, kind := e.commits, evidence.Commit
	if prepare {
		b, kind = e.prepares, evidence.Prepare
	}
	first, i := b.find(v.seat, v.slot)
	if first != nil && (first.id == v.id && first.src == v.src && first.height == v.height || e.accused[accusation{kind, seatSlot{int(v.seat), v.slot}}]) {
		return false
	}
	if first == nil && i == 0 && len(b.seats[v.seat]) >= seatVotes {
		return false
	}
	if purpose, payload := e.payload(v, prepare); !m.verify(e, int(v.seat), purpose, payload, v.sig) {
		return false
	}
	if e == m.epoch && int(v.seat) == m.seat && !v.from.IsZero() {
		if prepare {
			m.checkOwnPrepare(v.slot, v.id, v.src)
		} else {
			m.checkOwnCommit(v.slot, v.id)
		}
		if m.halted {
			return false
		}
	}
	if first != nil {
		m.accuse(e, evidence.Pair(kind, e.set.Epoch, v.seat, first.signed(), v.signed()))
		return false
	}
	if !b.add(v) {
		return false
	}
	m.cross(e, v, prepare)
	return true
}

// countPrepares makes a PrepareQC if there are votes enough, and asks for proofs that votes need.
func (m *Machine) countPrepares(n *node, from types.Hash) {
	if n.certified() {
		return
	}
	vs, weight := m.prepares.counted(m, n)
	if weight >= m.set.Threshold {
		q := &PrepareQC{Epoch: m.set.Epoch, Slot: n.h.Slot, Height: n.h.Height, ID: n.id}
		for _, v := range vs {
			q.Votes = append(q.Votes, PrepareSig{Seat: v.seat, Src: v.src, Sig: v.sig})
		}
		m.certify(n, &Proof{Prepare: q})
		return
	}
	if len(vs) == len(m.prepares.byID[n.id]) {
		return
	}
	var missing []*node
	for _, v := range m.prepares.byID[n.id] {
		if m.covered(n, v.src) == srcMissing {
			if a, _ := n.ancestor(v.src); !slices.Contains(missing, a) {
				missing = append(missing, a)
			}
		}
	}
	m.waitFor(n, missing, from)
}

// countCommits makes a finality certificate if there are votes enough.
func (m *Machine) countCommits(n *node) {
	if n.fin != nil || n.final {
		return
	}
	vs, weight := m.commits.counted(m, n)
	if weight < m.set.Threshold {
		return
	}
	c := &types.Certificate{Scheme: types.CertEd25519List, SetHash: m.setHash, Epoch: m.set.Epoch, Slot: n.h.Slot, Height: n.h.Height,
		Block: n.id, Bitmap: make([]byte, (len(m.set.Seats)+7)/8)}
	for _, v := range vs {
		c.Bitmap[v.seat/8] |= 1 << (v.seat % 8)
		c.Signatures = append(c.Signatures, v.sig)
	}
	m.certifyFinal(n, c)
}

// certify notes that a quorum has prepared a block.
func (m *Machine) certify(n *node, p *Proof) {
	n.proof, n.pend = p, nil
	if n.state == checked {
		m.offerHigh(n)
		m.tryCommit(n)
	}
	m.recover(n)
	m.below(n, func(d *node) bool { // blocks that could not be prepared without this proof
		if d.x.Justify.ID == n.id {
			m.tryPrepare(d)
		}
		return d.state == checked
	})
	m.finalAtOnce(n)
	m.tryBuild()
}

func (m *Machine) certifyFinal(n *node, c *types.Certificate) {
	n.fin = c
	if n.proof == nil {
		m.certify(n, &Proof{Commit: c})
	}
	if n.ripe() {
		m.finalise(n, true)
	}
}

// justified tells whether the proof for a block's justify is held.
func (m *Machine) justified(n *node) bool {
	j := m.nodes[n.x.Justify.ID]
	return j == nil && n.x.Justify.Slot < m.root.h.Slot || j != nil && j.certified()
}

// tryPrepare sends PREPARE if the rules allow it.
func (m *Machine) tryPrepare(n *node) {
	r := &m.cfg.rules
	if m.silent() || n.state != checked || n.final || n.h.Slot <= max(m.lastPrep.Slot, m.prepFloor) || !n.within(m.final) || !m.justified(n) {
		if n.state == checked && n.h.Slot < m.lastPrep.Slot && !n.final {
			m.tick("R1 refuses")
		}
		return // among them R1
	}
	if n.h.Slot > m.due() {
		m.tick("block of the future not prepared")
		return // an own one, made while the clock was ahead: its slot may come yet, and a vote now would cost all slots until then
	}
	if m.offences[m.seats[n.h.Producer]] > 0 && !r.noShun {
		m.tick("offender's block not prepared")
		return // it has broken the rules
	}
	extends := n.extends(m.lock)
	if !extends && n.x.Justify.Slot <= m.lock.Slot && !r.noR2 && !r.onePhase { // R2
		m.tick("R2 refuses")
		return
	}
	if r.onePhase {
		if m.heights[n.h.Height] {
			return
		}
		m.heights[n.h.Height] = true
	}
	src := n.x.Justify.Slot
	if extends {
		src = max(src, m.lock.Slot)
	} else {
		m.tick("R2 by a newer certificate")
	}
	if src != n.x.Justify.Slot {
		m.tick("src is the lock")
	}
	if !n.extends(m.lastPrep.ref()) {
		m.tick("forkSlot set")
		m.forkSlot = m.lastPrep.Slot
	}
	m.lastPrep, m.prepareMsg = voted{m.set.Epoch, n.h.Slot, n.h.Height, src, n.id}, nil
	if j := m.nodes[n.x.Justify.ID]; j != nil {
		m.saveProof(j)
	}
	m.persist(prepareRecord(m.lastPrep, m.forkSlot))
	m.signPrepare(n)
}

func (m *Machine) signPrepare(n *node) {
	v := m.lastPrep
	m.sign(PurposePrepare, v.Slot, PreparePayload(m.setHash, m.set.Epoch, v.Slot, v.Height, v.ID, v.Src),
		&Prepare{Epoch: m.set.Epoch, Slot: v.Slot, Height: v.Height, ID: v.ID, Src: v.Src, Seat: uint32(m.seat), Support: m.support(n, v.Src)})
}

// support returns the proofs that a src value needs, and those that they need in turn.
func (m *Machine) support(n *node, src uint64) []*Proof {
	var out []*Proof
	var add func(n *node, src uint64)
	add = func(n *node, src uint64) {
		if n == nil || src == n.x.Justify.Slot || len(out) == maxSupport {
			return
		}
		a, _ := n.ancestor(src)
		if a == nil || a.proof == nil || slices.Contains(out, a.proof) {
			return
		}
		out = append(out, a.proof)
		if q := a.proof.Prepare; q != nil {
			for _, v := range q.Votes {
				add(a, v.Src)
			}
		}
	}
	add(n, src)
	slices.Reverse(out) // what others rest on comes first
	return out
}

// tryCommit sends COMMIT if the rules allow it.
func (m *Machine) tryCommit(n *node) {
	r := &m.cfg.rules
	if m.silent() || n.state != checked || n.proof == nil || n.final || !n.within(m.final) || r.onePhase {
		return
	}
	if n.id == m.lastCommit.ID || n.h.Slot <= m.commitFloor || n.h.Slot <= m.lock.Slot && !r.noR3 { // R3
		m.tick("R3 refuses")
		return
	}
	if m.lastPrep.Slot > n.h.Slot && !r.noR4 { // R4
		p := m.nodes[m.lastPrep.ID]
		if p == nil || !p.within(n) || m.forkSlot > n.h.Slot && !r.noForkSlot {
			if p != nil && p.within(n) {
				m.tick("R4 refuses by forkSlot")
			} else {
				m.tick("R4 refuses")
			}
			return
		}
		m.tick("R4 by an own later PREPARE above")
	}
	m.lock = n.ref()
	m.lastCommit, m.commitMsg = voted{m.set.Epoch, n.h.Slot, n.h.Height, 0, n.id}, nil
	m.saveProof(n)
	if q := n.proof.Prepare; q != nil {
		for _, v := range q.Votes {
			if a, _ := n.ancestor(v.Src); a != nil {
				m.saveProof(a)
			}
		}
	}
	m.persist(commitRecord(m.lastCommit))
	m.signCommit(n)
}

func (m *Machine) signCommit(n *node) {
	v := m.lastCommit
	m.sign(types.PurposeCommit, v.Slot, types.CommitPayload(m.setHash, m.set.Epoch, v.Slot, v.Height, v.ID),
		&Commit{Epoch: m.set.Epoch, Slot: v.Slot, Height: v.Height, ID: v.ID, Seat: uint32(m.seat), Proof: n.proof})
}
