package pbft

import (
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// plant starts the tree anew with a final block.
func (m *Machine) plant(h *types.Header, cert *types.Certificate) error {
	id := h.ID()
	x, err := extraOf(h, id, m.set.Epoch)
	if err != nil {
		return err
	}
	if h.Chain != m.chain {
		return fmt.Errorf("the final block is of chain %s, this is %s", h.Chain.Short(), m.chain.Short())
	}
	n := &node{id: id, h: h, x: x, state: checked, final: true, fin: cert}
	if cert != nil {
		n.proof = &Proof{Commit: cert}
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

// finalise makes a checked block with a certificate final, and its ancestors.
func (m *Machine) finalise(n *node, tell bool) {
	if n.final || m.halted {
		return
	}
	var path []*node
	for b := n; b != m.final; b = b.parent {
		if b == nil || b.final {
			m.conflict(n.fin)
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
				f.Cert = n.fin
			}
			m.out.Final = append(m.out.Final, f)
		}
	}
	m.final = n
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

// prune forgets what the final block has settled.
func (m *Machine) prune() {
	slot := m.final.h.Slot
	m.prepares.prune(slot)
	m.commits.prune(slot)
	for k := range m.seen {
		if k.slot <= slot {
			delete(m.seen, k)
		}
	}
	for k := range m.accused {
		if k.slot <= slot {
			delete(m.accused, k)
		}
	}
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
// another block of that height is final here, the chain is broken.
func (m *Machine) compare(c *types.Certificate) {
	if c.Slot == 0 || c.Height > m.final.h.Height || c.Height < m.root.h.Height {
		return
	}
	a := m.final
	for a != nil && a.h.Height > c.Height {
		a = a.parent
	}
	if a != nil && a.id != c.Block && m.verifyCert(c) == nil {
		m.conflict(c)
	}
}

// conflict stops the chain on this node: two certificates that exclude one another are proof that more than a third of the
// seats has broken the rules.
func (m *Machine) conflict(c *types.Certificate) {
	var mine, theirs []byte
	if m.final.fin != nil {
		mine = m.final.fin.Encode()
	}
	if c != nil {
		theirs = c.Encode()
	}
	m.halt("two final blocks conflict; someone has to decide which chain goes on; certificate of the final block %s at height %d: %x; of the other: %x",
		m.final.id, m.final.h.Height, mine, theirs)
}

// onFinalised takes over what the core has found out by itself.
func (m *Machine) onFinalised(h *types.Header, c *types.Certificate) {
	if h == nil || c == nil || h.Chain != m.chain || c.Block != h.ID() || c.Slot != h.Slot || c.Height != h.Height {
		return
	}
	n := m.nodes[c.Block]
	if n != nil && n.final {
		return
	}
	if h.Height <= m.final.h.Height {
		m.compare(c)
		return
	}
	if m.verifyCert(c) != nil {
		return
	}
	if n == nil {
		if h.Height == m.final.h.Height+1 && h.Parent != m.final.id {
			m.conflict(c)
			return
		}
		if m.plant(h, c) != nil {
			return
		}
		m.prune()
		m.adopt(c.Block)
		m.tryBuild()
		return
	}
	n.fin = c
	for b := n; b != nil && !b.final; b = b.parent {
		b.state = checked
	}
	if n.proof == nil {
		n.proof = &Proof{Commit: c}
	}
	m.finalise(n, false)
	if m.halted {
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

// finalAtOnce is the rule onePhase: a quorum of PREPAREs is final.
func (m *Machine) finalAtOnce(n *node) {
	if n.final || n.proof.Prepare == nil {
		return
	}
	q := n.proof.Prepare
	n.fin = &types.Certificate{Scheme: types.CertEd25519List, SetHash: m.setHash, Epoch: q.Epoch, Slot: q.Slot, Height: q.Height, Block: q.ID}
	m.finalise(n, true)
}
