package pbft

import (
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (m *Machine) onPrepare(from types.Hash, v *Prepare, raw []byte) {
	for _, p := range v.Support {
		m.learn(from, p)
	}
	if m.halted || !m.votable(v.Epoch, v.Slot, v.Seat) || v.Src >= v.Slot {
		return
	}
	w := &vote{seat: v.Seat, slot: v.Slot, height: v.Height, id: v.ID, src: v.Src, sig: v.Sig, from: from}
	if !m.take(m.prepares, w, PurposePrepare) {
		return
	}
	if int(v.Seat) == m.seat && v.ID == m.lastPrep.ID && v.Slot == m.lastPrep.Slot {
		m.prepareMsg = raw
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
	m.learn(from, v.Proof)
	if m.halted || !m.votable(v.Epoch, v.Slot, v.Seat) {
		return
	}
	w := &vote{seat: v.Seat, slot: v.Slot, height: v.Height, id: v.ID, sig: v.Sig, from: from}
	if !m.take(m.commits, w, types.PurposeCommit) {
		return
	}
	if int(v.Seat) == m.seat && v.ID == m.lastCommit.ID && v.Slot == m.lastCommit.Slot {
		m.commitMsg = raw
	}
	n := m.nodes[v.ID]
	if n == nil {
		m.want(v.ID, from, false)
		return
	}
	m.vouch(n, from)
	m.countCommits(n)
}

// votable tells whether a vote is of this epoch, by a seat, and for a slot that is looked at.
func (m *Machine) votable(epoch, slot uint64, seat uint32) bool {
	return epoch == m.set.Epoch && int(seat) < len(m.set.Seats) && slot > m.final.h.Slot && slot <= m.slot+aheadSlots
}

func (m *Machine) payload(b *votebook, v *vote) []byte {
	if b == m.prepares {
		return PreparePayload(m.setHash, m.set.Epoch, v.slot, v.height, v.id, v.src)
	}
	return types.CommitPayload(m.setHash, m.set.Epoch, v.slot, v.height, v.id)
}

// take keeps a vote that is new and valid. A second one in the same slot is evidence and does not count.
func (m *Machine) take(b *votebook, v *vote, purpose string) bool {
	first, i := b.find(v.seat, v.slot)
	if first != nil && first.id == v.id && first.src == v.src && first.height == v.height {
		return false
	}
	if first == nil && i == 0 && len(b.seats[v.seat]) >= seatVotes {
		return false
	}
	if !m.verify(int(v.seat), purpose, m.payload(b, v), v.sig) {
		return false
	}
	if first != nil {
		kind := evidencePrepare
		if b == m.commits {
			kind = evidenceCommit
		}
		m.accuse(kind, int(v.seat), v.slot, m.payload(b, first), first.sig, m.payload(b, v), v.sig)
		return false
	}
	return b.add(v)
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
	if m.cfg.rules.onePhase && n.state == checked {
		m.finalAtOnce(n)
	}
	m.tryBuild()
}

func (m *Machine) certifyFinal(n *node, c *types.Certificate) {
	n.fin = c
	if n.proof == nil {
		m.certify(n, &Proof{Commit: c})
	}
	if n.state == checked {
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
	if m.seat < 0 || m.halted || n.state != checked || n.final || n.h.Slot <= m.lastPrep.Slot || !n.within(m.final) || !m.justified(n) {
		return // among them R1
	}
	extends := n.extends(m.lock)
	if !extends && n.x.Justify.Slot <= m.lock.Slot && !r.noR2 && !r.onePhase { // R2
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
	}
	if !n.extends(m.lastPrep.ref()) {
		m.forkSlot = m.lastPrep.Slot
	}
	m.lastPrep, m.prepareMsg = voted{n.h.Slot, n.h.Height, src, n.id}, nil
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
	if m.seat < 0 || m.halted || n.state != checked || n.proof == nil || n.final || !n.within(m.final) || r.onePhase {
		return
	}
	if n.id == m.lastCommit.ID || n.h.Slot <= m.lock.Slot && !r.noR3 { // R3
		return
	}
	if m.lastPrep.Slot > n.h.Slot && !r.noR4 { // R4
		p := m.nodes[m.lastPrep.ID]
		if p == nil || !p.within(n) || m.forkSlot > n.h.Slot && !r.noForkSlot {
			return
		}
	}
	m.lock = n.ref()
	m.lastCommit, m.commitMsg = voted{n.h.Slot, n.h.Height, 0, n.id}, nil
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
