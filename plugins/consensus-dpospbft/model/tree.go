package model

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"strconv"
	"strings"
)

// MaxBlocks is the greatest number of blocks in a [Tree] besides genesis.
const MaxBlocks = 15

// ErrInvalid tells that blocks do not make a tree, or that the rules for blocks do not allow one.
var ErrInvalid = errors.New("invalid block")

// Set is a set of blocks: bit i for block i.
type Set uint16

func one(b int) Set { return 1 << b }

// Has tells whether block b is in the set.
func (s Set) Has(b int) bool { return s>>b&1 == 1 }

// All yields the blocks of the set, ascending.
func (s Set) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; s != 0; s &= s - 1 {
			if !yield(bits.TrailingZeros16(uint16(s))) {
				return
			}
		}
	}
}

// Block is what the voting rules see of a block. Parent and Justify are indexes into the tree.
type Block struct {
	Slot, Parent, Justify int
}

// Tree is a set of blocks, ascending by slot. Block 0 is genesis, in slot 0; it is certified and final.
type Tree struct {
	blocks []Block
	above  []Set // proper ancestors
	rivals []Set // blocks that conflict: neither is the other's ancestor
}

// newTree returns a tree of genesis and the given blocks. It checks the form but not whether justify is valid.
func newTree(blocks ...Block) (*Tree, error) {
	if len(blocks) > MaxBlocks {
		return nil, fmt.Errorf("tree of %d blocks: there is room for %d: %w", len(blocks), MaxBlocks, ErrInvalid)
	}
	t := &Tree{blocks: append([]Block{{}}, blocks...), above: make([]Set, len(blocks)+1), rivals: make([]Set, len(blocks)+1)}
	for i := 1; i < len(t.blocks); i++ {
		b := t.blocks[i]
		if b.Parent < 0 || b.Parent >= i || b.Justify < 0 || b.Justify >= i || b.Slot < t.blocks[i-1].Slot ||
			b.Slot <= t.blocks[b.Parent].Slot || b.Slot <= t.blocks[b.Justify].Slot {
			return nil, fmt.Errorf("tree: block %d: parent and justify must be in earlier slots, and slots ascend: %w", i, ErrInvalid)
		}
		t.above[i] = t.above[b.Parent] | one(b.Parent)
		for j := range i {
			if !t.Extends(i, j) {
				t.rivals[i] |= one(j)
				t.rivals[j] |= one(i)
			}
		}
	}
	return t, nil
}

// Extends tells whether a is a proper ancestor of b.
func (t *Tree) Extends(b, a int) bool { return t.above[b].Has(a) }

// Conflict returns two blocks of a set that conflict, or 0, 0.
func (t *Tree) Conflict(s Set) (a, b int) {
	for a := range s.All() {
		for b := range (s & t.rivals[a]).All() {
			return a, b
		}
	}
	return 0, 0
}

// valid tells whether the rules allow block i, with all its ancestors.
func (t *Tree) valid(i int, r Rules) bool {
	for ; i > 0; i = t.blocks[i].Parent {
		if !t.justified(i, r) {
			return false
		}
	}
	return true
}

// justified tells whether the justify of block i is an ancestor of it, and not older than its parent's.
func (t *Tree) justified(i int, r Rules) bool {
	b := t.blocks[i]
	newer := t.blocks[b.Justify].Slot >= t.blocks[t.blocks[b.Parent].Justify].Slot
	return newer && (r.AnyJustify || t.Extends(i, b.Justify))
}

// Name is G for genesis, else the slot, and a letter if there are several blocks in it: 2 or 2a.
func (t *Tree) Name(i int) string {
	if i == 0 {
		return "G"
	}
	first, several := i, false
	for first > 1 && t.blocks[first-1].Slot == t.blocks[i].Slot {
		first, several = first-1, true
	}
	if i+1 < len(t.blocks) && t.blocks[i+1].Slot == t.blocks[i].Slot {
		several = true
	}
	name := strconv.Itoa(t.blocks[i].Slot)
	if several {
		name += string(rune('a' + i - first))
	}
	return name
}

// find is the inverse of Name; -1 for none.
func (t *Tree) find(name string) int {
	for i := range t.blocks {
		if t.Name(i) == name {
			return i
		}
	}
	return -1
}

// String lists the blocks as name(parent,justify), or name(parent) if that is the justify too.
func (t *Tree) String() string {
	var out []string
	for i, b := range t.blocks[1:] {
		s := "b" + t.Name(i+1) + "(" + t.Name(b.Parent)
		if b.Justify != b.Parent {
			s += "," + t.Name(b.Justify)
		}
		out = append(out, s+")")
	}
	return strings.Join(out, " ")
}

// Bounds say how large the trees of a search are.
type Bounds struct {
	Slots  int // slots after genesis
	Blocks int // blocks in each slot
}

// Trees yields every tree with as many blocks in each slot as the bounds say that is valid under the rules; of those that
// differ only in the order of the blocks within a slot, one.
func Trees(b Bounds, r Rules) iter.Seq[*Tree] {
	return func(yield func(*Tree) bool) {
		if b.Slots < 1 || b.Blocks < 1 || b.Slots*b.Blocks > MaxBlocks {
			return
		}
		orders := slotOrders(b)
		var grow func(blocks []Block) bool
		grow = func(blocks []Block) bool {
			t, err := newTree(blocks...)
			if err != nil {
				panic(err) // only well-formed blocks are tried
			}
			last := len(blocks)
			if last > 0 && !t.justified(last, r) {
				return true
			}
			if last == b.Slots*b.Blocks {
				return !first(blocks, orders) || yield(t)
			}
			slot := last/b.Blocks + 1
			earlier := (slot-1)*b.Blocks + 1
			for p := range earlier {
				for j := range earlier {
					if !grow(append(blocks[:last:last], Block{slot, p, j})) {
						return false
					}
				}
			}
			return true
		}
		grow(nil)
	}
}

// first tells whether no other order of the blocks within their slots gives a lesser list.
func first(blocks []Block, orders [][]int) bool {
	moved := make([]Block, len(blocks))
	for _, to := range orders {
		for i, b := range blocks {
			moved[to[i+1]-1] = Block{b.Slot, to[b.Parent], to[b.Justify]}
		}
		for i, b := range blocks {
			m := moved[i]
			if m == b {
				continue
			}
			if m.Parent < b.Parent || m.Parent == b.Parent && m.Justify < b.Justify {
				return false
			}
			break
		}
	}
	return true
}

// slotOrders returns all ways to renumber the blocks within their slots: new number by old.
func slotOrders(b Bounds) [][]int {
	perms := [][]int{{}}
	for i := range b.Blocks {
		var longer [][]int
		for _, p := range perms {
			for at := range len(p) + 1 {
				q := append(append(append([]int{}, p[:at]...), i), p[at:]...)
				longer = append(longer, q)
			}
		}
		perms = longer
	}
	out := [][]int{{0}}
	for s := range b.Slots {
		var longer [][]int
		for _, o := range out {
			for _, p := range perms {
				q := append([]int{}, o...)
				for _, i := range p {
					q = append(q, s*b.Blocks+1+i)
				}
				longer = append(longer, q)
			}
		}
		out = longer
	}
	return out
}
