package pbft

import (
	"bytes"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// state of a block.
type state byte

const (
	waiting state = iota // for its parent to be checked
	asked                // the core has been asked to check it
	checked
)

// node is a block in the tree: the final block, what descends from it, and for a while what it descends from.
type node struct {
	id     types.BlockID
	h      *types.Header
	x      *Extra
	sig    []byte             // the producer's; nil for genesis and for a final block that the core handed over
	cert   *types.Certificate // carried with the header: for x.FinalRef, if the header is the first to name it
	parent *node
	kids   []*node // in the order of arrival
	state  state
	final  bool

	proof      *Proof // covered in full, or a certificate
	proofSaved bool
	pend       *Proof             // a PrepareQC whose src values are not all covered yet
	fin        *types.Certificate // finality certificate for this very block

	vouch   []types.Hash // peers that may have the body
	tries   uint         // how often the core was asked to check it
	retryAt uint64       // slot
	waits   bool         // is in Machine.uncovered
}

func (n *node) ref() Ref { return Ref{n.h.Slot, n.id} }

// certified tells whether a quorum has prepared the block, as far as this node can show.
func (n *node) certified() bool { return n.proof != nil || n.final }

// ancestor returns the proper ancestor with this slot, and whether the walk ended at a block of no larger slot, that is
// whether nil means that there is none.
func (n *node) ancestor(slot uint64) (a *node, sure bool) {
	for a = n.parent; a != nil && a.h.Slot > slot; {
		a = a.parent
	}
	switch {
	case a == nil:
		return nil, false
	case a.h.Slot == slot:
		return a, true
	}
	return nil, true
}

// extends tells whether r is a proper ancestor, as far as the tree reaches.
func (n *node) extends(r Ref) bool {
	a, _ := n.ancestor(r.Slot)
	return a != nil && a.id == r.ID
}

// within tells whether n is top or descends from it.
func (n *node) within(top *node) bool { return n == top || n.extends(top.ref()) }

// better is the order of the fork choice among blocks that are open to it.
func (m *Machine) better(a, b *node) bool {
	if a.h.Height != b.h.Height {
		return a.h.Height > b.h.Height
	}
	if wa, wb := m.prepares.weight(m, a), m.prepares.weight(m, b); wa != wb {
		return wa > wb
	}
	if a.h.Slot != b.h.Slot {
		return a.h.Slot < b.h.Slot
	}
	return bytes.Compare(a.id[:], b.id[:]) < 0
}

// offerHead makes n the head if it is open to the fork choice and better. A block whose justify is not proven here is not
// open: this node could not build on it.
func (m *Machine) offerHead(n *node) {
	if n.state == checked && m.justified(n) && n != m.head && n.h.Height >= m.head.h.Height && m.better(n, m.head) && n.within(m.high) {
		m.setHead(n)
	}
}

// chooseHead looks at all blocks anew.
func (m *Machine) chooseHead() {
	best := m.high
	m.below(m.high, func(n *node) bool {
		if n.state != checked {
			return false
		}
		if n != best && m.justified(n) && m.better(n, best) {
			best = n
		}
		return true
	})
	m.setHead(best)
}

func (m *Machine) setHead(n *node) {
	if m.head != n {
		m.head = n
		m.headChanged = true
	}
}

// below calls f for top and, where f says so, for what descends from it: parents first, siblings in the order of arrival.
func (m *Machine) below(top *node, f func(*node) bool) {
	stack := []*node{top}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if !f(n) {
			continue
		}
		for i := len(n.kids) - 1; i >= 0; i-- {
			stack = append(stack, n.kids[i])
		}
	}
}

// remove takes n and what descends from it out of the tree.
func (m *Machine) remove(n *node) {
	if p := n.parent; p != nil {
		for i, k := range p.kids {
			if k == n {
				p.kids = append(p.kids[:i:i], p.kids[i+1:]...)
				break
			}
		}
	}
	m.below(n, func(d *node) bool {
		delete(m.nodes, d.id)
		d.pend, d.waits = nil, false
		m.open--
		return true
	})
}

// backoff returns how many low bits of a slot must be zero on a parent.
func (m *Machine) backoff(parent *node) uint {
	if m.cfg.rules.noBackoff {
		return 0
	}
	g := parent.h.Height - min(parent.h.Height, parent.x.FinalRef.Height)
	g /= 8 * m.cfg.Turn
	k := uint(0)
	for ; g > 0 && k < 4; g >>= 1 {
		k++
	}
	return k
}

// leader returns the seat that slot s belongs to on a parent, or -1 if the slot is not usable there.
func (m *Machine) leader(parent *node, s uint64) int {
	k := m.backoff(parent)
	if s&(1<<k-1) != 0 {
		return -1
	}
	return int((s >> k) / m.cfg.Turn % uint64(len(m.set.Seats)))
}
