package pbft

import (
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// learn takes a proof from a peer; nil is none.
func (m *Machine) learn(from types.Hash, p *Proof) {
	if p == nil || m.halted || m.over != nil {
		return
	}
	ref := p.Ref()
	if p.Epoch() != m.set.Epoch {
		if p.Commit != nil && m.nodes[ref.ID] == nil {
			m.compare(p.Commit)
		}
		return
	}
	n := m.nodes[ref.ID]
	if n == nil && (ref.Slot <= m.final.h.Slot || p.Height() <= m.final.h.Height) {
		if p.Commit != nil {
			m.compare(p.Commit)
		}
		return
	}
	if n != nil && m.knows(n, p) {
		return
	}
	if n == nil && m.looseFor(ref.ID) != nil && (p.Prepare != nil || m.looseFor(ref.ID).Commit != nil) {
		m.want(ref.ID, from, false)
		return
	}
	if m.verifyProof(p) != nil {
		return
	}
	if m.checkOwnProof(p); m.halted {
		return
	}
	if n == nil {
		m.takeLoose(ref.ID)
		if len(m.loose) >= maxLoose {
			m.loose = slices.Delete(m.loose, 0, 1)
		}
		m.loose = append(m.loose, p)
		m.want(ref.ID, from, false)
		return
	}
	m.apply(n, p, from)
}

// knows tells whether a proof says nothing new of a block.
func (m *Machine) knows(n *node, p *Proof) bool {
	if p.Commit != nil {
		return n.fin != nil || n.final
	}
	return n.certified() || n.pend != nil && sameVotes(n.pend.Prepare, p.Prepare)
}

// sameVotes tells whether two PrepareQCs of one block have the same seats and src values.
func sameVotes(a, b *PrepareQC) bool {
	return slices.EqualFunc(a.Votes, b.Votes, func(v, w PrepareSig) bool { return v.Seat == w.Seat && v.Src == w.Src })
}

// apply notes a valid proof for a block in the tree.
func (m *Machine) apply(n *node, p *Proof, from types.Hash) {
	if c := p.Commit; c != nil {
		if c.Slot == n.h.Slot && c.Height == n.h.Height && n.fin == nil && !n.final {
			m.certifyFinal(n, c)
		}
		return
	}
	if n.certified() {
		return
	}
	switch st, missing := m.coveredQC(n, p.Prepare); st {
	case srcGood:
		m.certify(n, p)
	case srcMissing:
		n.pend = p
		m.waitFor(n, missing, from)
	}
}

// waitFor asks a peer for proofs of a block's ancestors, and looks at the block again when one comes.
func (m *Machine) waitFor(n *node, missing []*node, from types.Hash) {
	if len(missing) == 0 {
		return
	}
	if !n.waits {
		n.waits = true
		m.uncovered = append(m.uncovered, n)
	}
	m.askProofs(missing, from)
}

// needProof asks for the proof of a block's justify.
func (m *Machine) needProof(n *node, from types.Hash) {
	if m.justified(n) {
		return
	}
	if j := m.nodes[n.x.Justify.ID]; j != nil {
		m.waitFor(n, []*node{j}, from)
	}
}

func (m *Machine) askProofs(missing []*node, to types.Hash) {
	if to.IsZero() {
		return
	}
	q := &GetProofs{}
	for _, a := range missing[:min(len(missing), maxProofs)] {
		q.IDs = append(q.IDs, a.id)
	}
	m.send(to, q)
}

// recover looks again at the blocks that waited for a proof of n.
func (m *Machine) recover(n *node) {
	for _, w := range slices.Clone(m.uncovered) {
		if !w.waits || m.halted {
			continue
		}
		if p := w.pend; p != nil && !w.certified() {
			if st, _ := m.coveredQC(w, p.Prepare); st == srcGood {
				m.certify(w, p)
			}
		}
		if !w.certified() {
			m.countPrepares(w, types.Hash{})
		}
	}
	m.uncovered = slices.DeleteFunc(m.uncovered, func(w *node) bool {
		if w.waits && (!w.certified() || !m.justified(w)) {
			return false
		}
		w.waits = false
		return true
	})
}

// retryUncovered asks once a slot, another peer each time, for proofs that are still missing.
func (m *Machine) retryUncovered() {
	for i, w := range m.uncovered {
		if !w.waits || len(w.vouch) == 0 || i >= maxProofs {
			continue
		}
		var missing []*node
		if j := m.nodes[w.x.Justify.ID]; j != nil && !j.certified() {
			missing = append(missing, j)
		}
		if w.pend != nil {
			_, ms := m.coveredQC(w, w.pend.Prepare)
			missing = append(missing, ms...)
		}
		for _, v := range m.prepares.byID[w.id] {
			if m.covered(w, v.src) == srcMissing {
				a, _ := w.ancestor(v.src)
				missing = append(missing, a)
			}
		}
		if len(missing) > 0 {
			slices.SortStableFunc(missing, func(a, b *node) int { return int(a.h.Height) - int(b.h.Height) })
			m.askProofs(slices.Compact(missing), w.vouch[m.slot%uint64(len(w.vouch))])
		}
	}
}

func (m *Machine) looseFor(id types.BlockID) *Proof {
	for _, p := range m.loose {
		if p.Ref().ID == id {
			return p
		}
	}
	return nil
}

func (m *Machine) takeLoose(id types.BlockID) *Proof {
	for i, p := range m.loose {
		if p.Ref().ID == id {
			m.loose = slices.Delete(m.loose, i, i+1)
			return p
		}
	}
	return nil
}

// offerHigh makes n the block of the highest QC if it is.
func (m *Machine) offerHigh(n *node) {
	if n.state != checked || !n.certified() || n.h.Slot <= m.high.h.Slot || !n.within(m.final) {
		return
	}
	m.high = n
	if !m.head.within(n) {
		m.chooseHead()
	}
}
