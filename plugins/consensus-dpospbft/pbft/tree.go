package pbft

import (
	"bytes"
	"slices"

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
	x      *Extra             // as the rules of the epoch see it
	hx     *Extra             // as the header has it
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
	show       *types.Finality    // why the block is final, if a certificate made it so and not a descendant's

	closing *node      // the closing block of the epoch, if that is an ancestor or the block itself
	next    *types.Set // of a closing block: the set that it names
	opens   *types.Set // of a final closing block: the set of the epoch that began with it

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

// full tells whether there is no room in the tree. What is read back after a restart may be of before and after room was made.
func (m *Machine) full() bool { return m.open >= m.cfg.maxTree && !m.replaying }

// makeRoom lets go of all that no PrepareQC stands behind, but for a block that is needed as a parent and its ancestors. Otherwise
// nodes that have filled their trees with different blocks could take in nothing that both may vote for. An own PREPARE for a
// block that is gone still counts: no COMMIT for an older block follows it. It tells whether there is room now.
func (m *Machine) makeRoom(parent *node) bool {
	m.tick("tree full")
	keep := map[*node]bool{}
	hold := func(n *node) {
		for ; n != nil && !n.final && !keep[n]; n = n.parent {
			keep[n] = true
		}
	}
	hold(parent)
	m.below(m.final, func(n *node) bool {
		if n.certified() || n.pend != nil {
			hold(n)
		}
		return true
	})
	var loose []*node
	m.below(m.final, func(n *node) bool {
		if n == m.final || keep[n] {
			return true
		}
		loose = append(loose, n)
		return false
	})
	for _, n := range loose {
		m.remove(n)
	}
	m.uncovered = slices.DeleteFunc(m.uncovered, func(n *node) bool { return !n.waits })
	m.rechoose()
	m.snapBytes = 0 // so that a snapshot, which is small now, comes soon
	return !m.full()
}

// Backoff returns how many low bits of a slot must be zero on a parent: gap is how many heights the parent lies above the
// block of its FinalRef, or 0 if the parent is the block that the epoch began with.
func Backoff(gap, turn uint64) uint {
	k := uint(0)
	for g := gap / (8 * turn); g > 0 && k < maxBackoff; g >>= 1 {
		k++
	}
	return k
}

const maxBackoff = 4

// LeaderSeat returns the seat of a set of so many that a slot belongs to under a back-off of k, or -1 if the slot is not usable.
func LeaderSeat(seats int, turn uint64, k uint, slot uint64) int {
	if slot&(1<<k-1) != 0 {
		return -1
	}
	return int((slot >> k) / turn % uint64(seats))
}

// leader returns the seat that slot s belongs to on a parent, or -1 if the slot is not usable there.
func (m *Machine) leader(parent *node, s uint64) int {
	k := uint(0)
	if !m.cfg.rules.noBackoff {
		k = Backoff(parent.h.Height-min(parent.h.Height, parent.x.FinalRef.Height), m.cfg.Turn)
	}
	return LeaderSeat(len(m.set.Seats), m.cfg.Turn, k, s)
}
