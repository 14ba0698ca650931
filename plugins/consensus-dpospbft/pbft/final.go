package pbft

import (
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// plant starts the tree anew with a final block of this epoch, or with genesis.
func (m *Machine) plant(h *types.Header, proof *types.Finality) error {
	id := h.ID()
	x, err := extraOf(h, id)
	if err != nil {
		return err
	}
	if h.Chain != m.chain || h.Epoch != m.set.Epoch {
		return fmt.Errorf("the final block is of epoch %d of chain %s, this is epoch %d of %s", h.Epoch, h.Chain.Short(), m.set.Epoch, m.chain.Short())
	}
	n := &node{id: id, h: h, x: x, hx: x, state: checked, final: true, show: proof}
	if h.Closes() {
		n.closing = n
	}
	if proof != nil && len(proof.Suffix) == 0 {
		n.fin, n.proof = proof.Cert, &Proof{Commit: proof.Cert}
	}
	for _, old := range m.nodes {
		old.waits = false
	}
	m.nodes = map[types.BlockID]*node{id: n}
	m.root, m.final, m.high, m.head, m.open, m.uncovered = n, n, n, n, 0, nil
	m.headChanged = true
	m.raiseLock()
	return nil
}

// raiseLock keeps the lock at or above the final block.
func (m *Machine) raiseLock() {
	if m.lock.Slot <= m.final.h.Slot {
		m.lock = m.final.ref()
	}
}

// finalise acts upon a certificate for a block of the tree: it is final itself, or if it comes after the closing block of its
// epoch, that block is.
func (m *Machine) finalise(n *node, tell bool) {
	proof := &types.Finality{Cert: n.fin}
	x := n
	if n.suffix() && !m.cfg.rules.keepSuffix {
		for x != n.closing {
			proof.Suffix = append(proof.Suffix, x.h)
			x = x.parent
		}
		slices.Reverse(proof.Suffix)
		m.tick("final by a block after it")
	}
	m.settle(x, proof, tell)
}

// settle makes a checked block final, and its ancestors.
func (m *Machine) settle(n *node, proof *types.Finality, tell bool) {
	if n.final || m.halted || m.over != nil {
		return
	}
	var path []*node
	for b := n; b != m.final; b = b.parent {
		if b == nil || b.final {
			m.conflict(proof.Cert)
			return
		}
		path = append(path, b)
	}
	slices.Reverse(path)
	for _, b := range path {
		for _, k := range slices.Clone(b.parent.kids) {
			if k != b {
				m.remove(k)
			}
		}
		b.final = true
		b.pend = nil
		m.open--
		if tell {
			f := consensus.Final{Block: b.id}
			if b == n {
				f.Proof = proof
			}
			m.out.Final = append(m.out.Final, f)
		}
	}
	m.final, n.show = n, proof
	m.quietSince = m.slot
	if n.closing != nil {
		m.over, m.overNext = n, n.closing.next
		m.persist(epochRecord(n, m.overNext))
	}
	m.raiseLock()
	m.trim()
	m.rechoose()
	m.prune()
}

// rechoose finds the highest QC and the head again after the tree has lost branches.
func (m *Machine) rechoose() {
	if m.high.h.Slot <= m.final.h.Slot || !m.high.within(m.final) {
		m.high = m.final
		m.below(m.final, func(d *node) bool {
			if d.state == checked && d.certified() && d.h.Slot > m.high.h.Slot {
				m.high = d
			}
			return d.state == checked
		})
	}
	if m.nodes[m.head.id] != m.head || !m.head.within(m.high) {
		m.chooseHead()
	}
}

// trim lets go of ancestors that are far below the final block.
func (m *Machine) trim() {
	for m.root.h.Height+keepFinal < m.final.h.Height {
		next := m.root.kids[0]
		delete(m.nodes, m.root.id)
		m.root.kids, next.parent = nil, nil
		m.root = next
	}
}

// prune forgets what the final block has settled. What somebody has signed is kept for a while: a second signature for the
// same slot may come late.
func (m *Machine) prune() {
	slot := m.final.h.Slot
	m.pruneSigned(slot - min(slot, windowSlots))
	old := func(p *pending) bool { return p.p.Header.Slot <= slot || p.p.Header.Height <= m.final.h.Height }
	m.orphans = slices.DeleteFunc(m.orphans, old)
	m.early = slices.DeleteFunc(m.early, old)
	m.loose = slices.DeleteFunc(m.loose, func(p *Proof) bool { return p.Ref().Slot <= slot })
	m.uncovered = slices.DeleteFunc(m.uncovered, func(n *node) bool {
		if n.waits && n.final {
			n.waits = false
		}
		return !n.waits
	})
}

// compare looks at a certificate for a block that is not in the tree, at or below the final block: if it is valid and
// another block of that height is final here, the chain is broken. Where another epoch's block is final here, the certificate
// may be for a block after the closing one, which says nothing of that height.
func (m *Machine) compare(c *types.Certificate) {
	set := m.setOf(c.Epoch)
	if set == nil || c.Slot == 0 || c.Height > m.final.h.Height || c.Height < m.root.h.Height {
		return
	}
	if a := m.finalAt(c.Height); a != nil && a.id != c.Block && a.h.Epoch == c.Epoch && m.cfg.Verifier.Certificate(c, m.chain, set) == nil {
		m.conflict(c)
	}
}

// conflict stops the chain on this node: two certificates that exclude one another are proof that more than a third of the
// seats has broken the rules.
func (m *Machine) conflict(c *types.Certificate) {
	var mine, theirs []byte
	if p := m.final.show; p != nil {
		mine = p.Cert.Encode()
	}
	if c != nil {
		theirs = c.Encode()
	}
	m.halt("two final blocks conflict; someone has to decide which chain goes on; certificate of the final block %s at height %d: %x; of the other: %x",
		m.final.id, m.final.h.Height, mine, theirs)
}

// onFinalised takes over what the core has found out by itself.
func (m *Machine) onFinalised(e *consensus.Finalised) {
	h, proof := e.Header, e.Proof
	if h == nil || proof == nil || h.Chain != m.chain || proof.Links(h) != nil || m.over != nil {
		return
	}
	id, c := h.ID(), proof.Cert
	n := m.nodes[id]
	if n != nil && n.final {
		return
	}
	if h.Height <= m.final.h.Height {
		m.compareBlock(h, id, c)
		return
	}
	if h.Epoch != m.set.Epoch || h.Closes() && !fits(h, e.Next) && (n == nil || n.next == nil) || m.verifyCert(c) != nil {
		return
	}
	if n == nil {
		if h.Height == m.final.h.Height+1 && h.Parent != m.final.id {
			m.conflict(c)
			return
		}
		if m.plant(h, proof) != nil {
			return
		}
		m.quietSince = m.slot
		if h.Closes() {
			m.final.next = e.Next
			m.over, m.overNext = m.final, e.Next
			m.persist(epochRecord(m.final, e.Next))
			return
		}
		m.prune()
		m.adopt(id)
		m.tryBuild()
		return
	}
	if h.Closes() {
		m.takeNext(n, e.Next)
	}
	for b := n; b != nil && !b.final; b = b.parent {
		b.state = checked
	}
	if len(proof.Suffix) == 0 {
		n.fin = c
		if n.proof == nil {
			n.proof = &Proof{Commit: c}
		}
	}
	m.settle(n, proof, false)
	if m.halted || m.over != nil {
		return
	}
	for _, k := range n.kids {
		if k.state == waiting {
			m.ask(k)
		}
	}
	m.recover(n)
	m.tryBuild()
}

// compareBlock is compare for a block whose header is known.
func (m *Machine) compareBlock(h *types.Header, id types.BlockID, c *types.Certificate) {
	set := m.setOf(h.Epoch)
	if set == nil || h.Height == 0 || h.Height < m.root.h.Height {
		return
	}
	if a := m.finalAt(h.Height); a != nil && a.id != id && m.cfg.Verifier.Certificate(c, m.chain, set) == nil {
		m.conflict(c)
	}
}

// finalAtOnce is the rule onePhase, and for closing blocks earlySet: a quorum of PREPAREs is final.
func (m *Machine) finalAtOnce(n *node) {
	if n.final || n.proof == nil || n.proof.Prepare == nil || n.state != checked || !m.cfg.rules.onePhase && !(m.cfg.rules.earlySet && n.h.Closes()) {
		return
	}
	q := n.proof.Prepare
	n.fin = &types.Certificate{Scheme: types.CertEd25519List, SetHash: m.setHash, Epoch: q.Epoch, Slot: q.Slot, Height: q.Height, Block: q.ID}
	m.finalise(n, true)
}
