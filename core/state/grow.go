package state

import (
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// parallelMin is how many changes each half must have to be worth a goroutine.
const parallelMin = 256

// grower makes a tree out of another by a batch of changes. Which nodes it puts where depends on how its goroutines run;
// the hashes don't.
type grower struct {
	f        *forest
	helpers  chan struct{} // a place for each further goroutine
	made     []ref         // nodes that are new
	replaced []ref         // nodes of the old tree that are not in the new one

	branches, leaves []uint32 // taken from the arenas, but not used yet
	took             int      // how many branches were last taken at once

	level, next []way // see fetch
	touched     byte
}

func newGrower(f *forest, workers int) *grower {
	return &grower{f: f, helpers: make(chan struct{}, max(workers-1, 0))}
}

// finish hands back what was not used.
func (g *grower) finish() {
	g.f.branches.give(g.branches)
	g.f.leaves.give(g.leaves)
	g.branches, g.leaves = nil, nil
}

// apply returns the tree that t becomes by changes, which are sorted by path, one a path. All of them share the bits
// before `from` with all leaves of t.
func (g *grower) apply(t tree, changes []types.StateLeaf, from int) tree {
	switch {
	case len(changes) == 0:
		return t
	case t.node == 0:
		return g.build(changes)
	case t.node&leafBit != 0:
		return g.applyLeaf(t, changes)
	}
	b := g.f.branch(t.node)
	if bit := int(b.bit); bit > from {
		// The tree skips bits here, in which a change may leave its way.
		path := &g.f.leaf(b.first).Path
		if d := diverge(path, changes); d < bit {
			return g.part(t, path, d, changes)
		}
	}
	mid := split(changes, int(b.bit))
	left, right := g.both(b.child(0), changes[:mid], b.child(1), changes[mid:], int(b.bit)+1)
	if left.node == b.children[0] && right.node == b.children[1] {
		return t
	}
	g.replaced = append(g.replaced, t.node)
	return g.join(int(b.bit), left, right)
}

func (g *grower) applyLeaf(t tree, changes []types.StateLeaf) tree {
	l := g.f.leaf(t.node)
	if d := diverge(&l.Path, changes); d < types.StatePathBits {
		return g.part(t, &l.Path, d, changes)
	}
	c := &changes[0] // the only one
	if c.Value == l.Value {
		return t
	}
	g.replaced = append(g.replaced, t.node)
	if deleted(c) {
		return tree{}
	}
	return g.newLeaf(c)
}

// part handles changes some of which differ from all leaves of t, one of which has the path, in bit d, and none earlier.
func (g *grower) part(t tree, path *types.StatePath, d int, changes []types.StateLeaf) tree {
	mid := split(changes, d)
	var left, right tree
	if path.Bit(d) == 0 {
		left, right = g.apply(t, changes[:mid], d+1), g.build(changes[mid:])
	} else {
		left, right = g.build(changes[:mid]), g.apply(t, changes[mid:], d+1)
	}
	return g.join(d, left, right)
}

// build returns the tree of changes alone.
func (g *grower) build(changes []types.StateLeaf) tree {
	switch len(changes) {
	case 0:
		return tree{}
	case 1:
		if deleted(&changes[0]) {
			return tree{}
		}
		return g.newLeaf(&changes[0])
	}
	d := changes[0].Path.CommonPrefix(&changes[len(changes)-1].Path)
	mid := split(changes, d)
	left, right := g.both(tree{}, changes[:mid], tree{}, changes[mid:], d+1)
	return g.join(d, left, right)
}

// both applies changes to two trees, at once if it is worth it and a goroutine may be had.
func (g *grower) both(a tree, ca []types.StateLeaf, b tree, cb []types.StateLeaf, from int) (tree, tree) {
	if len(ca) >= parallelMin && len(cb) >= parallelMin {
		select {
		case g.helpers <- struct{}{}:
			return g.bothAtOnce(a, ca, b, cb, from)
		default:
		}
	}
	if len(ca)+len(cb) <= fetchMost {
		return g.apply(a, ca, from), g.apply(b, cb, from)
	}
	g.fetch(a.node, ca)
	a = g.apply(a, ca, from)
	g.fetch(b.node, cb)
	return a, g.apply(b, cb, from)
}

func (g *grower) bothAtOnce(a tree, ca []types.StateLeaf, b tree, cb []types.StateLeaf, from int) (tree, tree) {
	h := &grower{f: g.f, helpers: g.helpers}
	var wg sync.WaitGroup
	wg.Go(func() { // it ends by itself: it waits for nothing but goroutines like it
		h.fetch(a.node, ca)
		a = h.apply(a, ca, from)
		h.finish()
		<-g.helpers
	})
	g.fetch(b.node, cb)
	b = g.apply(b, cb, from)
	wg.Wait()
	g.made = append(g.made, h.made...)
	g.replaced = append(g.replaced, h.replaced...)
	return a, b
}

// join returns the tree of the leaves of two, the first of which has those whose bit is 0.
func (g *grower) join(bit int, left, right tree) tree {
	if left.node == 0 {
		return right
	}
	if right.node == 0 {
		return left
	}
	if len(g.branches) == 0 {
		g.took = min(2*g.took+8, 256)
		g.branches = g.f.branches.take(g.branches, g.took)
		for _, i := range g.branches {
			g.touched += byte(g.f.branches.at(i).bit)
		}
	}
	n := ref(g.branches[len(g.branches)-1])
	g.branches = g.branches[:len(g.branches)-1]
	b := g.f.branch(n)
	b.hashes[0], b.hashes[1], b.children[0], b.children[1] = left.hash, right.hash, left.node, right.node
	b.first, b.bit = g.f.first(left.node), uint16(bit)
	g.made = append(g.made, n)
	return tree{n, types.StateBranchHash(bit, &b.hashes[0], &b.hashes[1])}
}

func (g *grower) newLeaf(l *types.StateLeaf) tree {
	if len(g.leaves) == 0 {
		g.leaves = g.f.leaves.take(g.leaves, min(g.took+8, 128))
		for _, i := range g.leaves {
			g.touched += g.f.leaves.at(i).Value[0]
		}
	}
	n := ref(g.leaves[len(g.leaves)-1]) | leafBit
	g.leaves = g.leaves[:len(g.leaves)-1]
	*g.f.leaf(n) = *l
	g.made = append(g.made, n)
	return tree{n, types.StateLeafHash(&l.Path, l.Value)}
}

// fetchMost is for how many changes nodes are fetched at a time: few enough that they stay near.
const fetchMost = 256

// fetch reads the nodes of the tree n that changes lead to, if they are neither too many nor too few, one level after the
// other. Going down path by path, each step waits for memory; of a level, many nodes are under way at once. What is read
// does not matter.
func (g *grower) fetch(n ref, changes []types.StateLeaf) {
	if n == 0 || len(changes) > fetchMost || len(changes) < 4 {
		return
	}
	level, next := append(g.level[:0], way{n, changes}), g.next[:0]
	for len(level) > 0 {
		for i := range level {
			if n := level[i].node; n&leafBit != 0 {
				l := g.f.leaf(n)
				g.touched += l.Path[0] + l.Value[31]
			} else {
				b := g.f.branch(n)
				g.touched += b.hashes[0][0] + byte(b.bit)
			}
		}
		next = next[:0]
		for _, w := range level {
			if w.node&leafBit != 0 {
				continue
			}
			b := g.f.branch(w.node)
			mid := split(w.changes, int(b.bit))
			if mid > 0 {
				next = append(next, way{b.children[0], w.changes[:mid]})
			}
			if mid < len(w.changes) {
				next = append(next, way{b.children[1], w.changes[mid:]})
			}
		}
		level, next = next, level
	}
	g.level, g.next = level, next
}

// way is a node and the changes that lead to it.
type way struct {
	node    ref
	changes []types.StateLeaf
}

// diverge returns the first bit in which some change differs from path. It is enough to look at the first and the last:
// what lies between two paths in order shares the bits that both share.
func diverge(path *types.StatePath, changes []types.StateLeaf) int {
	d := path.CommonPrefix(&changes[0].Path)
	if len(changes) > 1 {
		d = min(d, path.CommonPrefix(&changes[len(changes)-1].Path))
	}
	return d
}

// split returns how many of changes, which share the bits before it, have a 0 in bit.
func split(changes []types.StateLeaf, bit int) int {
	lo, hi := 0, len(changes)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if changes[mid].Path.Bit(bit) == 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
