package state

import (
	"runtime"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// ref names a node of a tree: 0 is the tree of no items, leafBit marks a leaf; the rest is its number in an arena.
type ref uint32

const leafBit ref = 1 << 31

// tree is a node with its hash, which its parent holds, or whoever holds a root.
type tree struct {
	node ref
	hash types.Hash
}

// branch is a node with two children; see sdk/types for what is hashed. The bits of its leaves' paths before bit are all
// the same. It holds the hashes of its children rather than its own: whoever changes one child needs the hash of the
// other, and would have to fetch it from afar.
type branch struct {
	hashes   [2]types.Hash
	children [2]ref
	first    ref // the leftmost leaf below: it shows those bits, and where the subtree begins
	bit      uint16
}

func (b *branch) child(i int) tree { return tree{b.children[i], b.hashes[i]} }

// A leaf is a types.StateLeaf. Among changes, one whose value is the zero hash stands for a deletion.
func deleted(l *types.StateLeaf) bool { return l.Value == types.Hash{} }

// forest holds the nodes of all trees of a DB. A node that is part of a tree never changes.
type forest struct {
	branches *arena[branch]
	leaves   *arena[types.StateLeaf]
}

func newForest() *forest {
	b, l := &regions{}, &regions{}
	f := &forest{newArena[branch](b), newArena[types.StateLeaf](l)}
	runtime.AddCleanup(f, func(r [2]*regions) { r[0].unmap(); r[1].unmap() }, [2]*regions{b, l})
	return f
}

func (f *forest) branch(n ref) *branch        { return f.branches.at(uint32(n)) }
func (f *forest) leaf(n ref) *types.StateLeaf { return f.leaves.at(uint32(n &^ leafBit)) }

// first returns the leftmost leaf of a tree that is not empty.
func (f *forest) first(n ref) ref {
	if n&leafBit != 0 {
		return n
	}
	return f.branch(n).first
}

// release makes the room of nodes available again.
func (f *forest) release(nodes []ref) {
	var b, l []uint32
	for _, n := range nodes {
		if n&leafBit != 0 {
			l = append(l, uint32(n&^leafBit))
		} else {
			b = append(b, uint32(n))
		}
	}
	f.branches.give(b)
	f.leaves.give(l)
}

// prove returns the proof of presence or absence of what has the path.
func (f *forest) prove(n ref, path *types.StatePath) types.StateProof {
	var p types.StateProof
	for n != 0 && n&leafBit == 0 {
		b := f.branch(n)
		i := path.Bit(int(b.bit))
		p.Steps = append(p.Steps, types.StateStep{Bit: b.bit, Sibling: b.hashes[1-i]})
		n = b.children[i]
	}
	if n != 0 {
		if l := *f.leaf(n); l.Path != *path {
			p.Other = &l
		}
	}
	return p
}

// collect appends the leaves from path `from` up to, but not including, `to`, or to the end if that is nil.
func (f *forest) collect(dst []types.StateLeaf, n ref, from, to *types.StatePath) []types.StateLeaf {
	for n != 0 && n&leafBit == 0 {
		b := f.branch(n)
		middle := &f.leaf(f.first(b.children[1])).Path
		if to != nil && middle.Compare(to) >= 0 {
			n = b.children[0]
			continue
		}
		if middle.Compare(from) > 0 {
			dst = f.collect(dst, b.children[0], from, to)
		}
		n = b.children[1]
	}
	if n != 0 {
		if l := f.leaf(n); l.Path.Compare(from) >= 0 && (to == nil || l.Path.Compare(to) < 0) {
			dst = append(dst, *l)
		}
	}
	return dst
}
