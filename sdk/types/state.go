package types

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// The state tree. Every item of a chain's state has a path of 320 bits: its place, then a hash of its module and key. The
// tree is a binary radix tree over paths in which no node has a single child, so that it is a function of the set of
// items alone:
//
//	root of no items      = 32 zero bytes
//	root of one item      = hash of path and hash of value               (a leaf)
//	root of several items = hash of n, root of those whose bit n is 0,
//	                        root of those whose bit n is 1               (a branch)
//
// where n is the first bit in which the paths of the items differ. No hash depends on how far below the root its node
// stands: the items under a prefix have the same root as a part of a tree and as a tree of their own.

// StatePath is where an item's leaf stands in the state tree. Bit 0 is the most significant bit of the first byte.
type StatePath [40]byte

// StatePathBits is the length of a path.
const StatePathBits = 320

// Bounds of an item's parts, so that everything that is in the state can be proven.
const (
	MaxStateModuleBytes = 128
	MaxStateKeyBytes    = 512
)

// StatePathOf returns the path of an item.
func StatePathOf(module string, place Place, key string) (p StatePath) {
	var buf [256]byte // almost every item fits, and is hashed without allocating
	b := append(buf[:0], DomainStateKey...)
	b = binary.AppendUvarint(b, uint64(len(module)))
	b = append(b, module...)
	b = append(b, key...)
	h := sha256.Sum256(b)
	copy(p[:], place[:])
	copy(p[len(place):], h[:])
	return p
}

// Bit returns bit i, 0 or 1.
func (p *StatePath) Bit(i int) int { return int(p[i>>3]>>(7-i&7)) & 1 }

// CommonPrefix returns the number of leading bits that p and q share.
func (p *StatePath) CommonPrefix(q *StatePath) int {
	for i := 0; i < len(p); i += 8 {
		if x := binary.BigEndian.Uint64(p[i:]) ^ binary.BigEndian.Uint64(q[i:]); x != 0 {
			return i*8 + bits.LeadingZeros64(x)
		}
	}
	return StatePathBits
}

// Compare orders paths by their bits.
func (p *StatePath) Compare(q *StatePath) int { return bytes.Compare(p[:], q[:]) }

// StateValueHash is what a leaf holds of its item's value.
func StateValueHash(value []byte) Hash {
	var buf [256]byte
	b := append(buf[:0], DomainStateValue...)
	return sha256.Sum256(append(b, value...))
}

// StateLeafHash is the hash of a leaf.
func StateLeafHash(path *StatePath, valueHash Hash) Hash {
	var buf [len(DomainStateLeaf) + len(StatePath{}) + len(Hash{})]byte
	n := copy(buf[:], DomainStateLeaf)
	n += copy(buf[n:], path[:])
	copy(buf[n:], valueHash[:])
	return sha256.Sum256(buf[:])
}

// StateBranchHash is the hash of a branch whose leaves differ first in bit.
func StateBranchHash(bit int, left, right *Hash) Hash {
	var buf [len(DomainStateBranch) + 2 + 2*len(Hash{})]byte
	n := copy(buf[:], DomainStateBranch)
	binary.BigEndian.PutUint16(buf[n:], uint16(bit))
	n += 2
	n += copy(buf[n:], left[:])
	copy(buf[n:], right[:])
	return sha256.Sum256(buf[:])
}

// StateStep is a branch on the way from the root to a leaf: the bit that it tests, and the child that is not on the way.
type StateStep struct {
	Bit     uint16
	Sibling Hash
}

// StateLeaf is a leaf without its value.
type StateLeaf struct {
	Path  StatePath
	Value Hash // StateValueHash of the value
}

// StateProof shows that an item has a value under a state root, or that there is no such item. It follows the item's bits
// from the root down. An item that exists stands at the end of that way. For one that doesn't, Other is the leaf that
// stands there instead; in an empty state there is none, and no steps.
type StateProof struct {
	Steps []StateStep // from the root down; bits ascend
	Other *StateLeaf  // only in a proof of absence
}

// Encode returns the canonical bytes.
func (p *StateProof) Encode() []byte {
	e := NewEncoder(80 + 34*len(p.Steps))
	e.Byte(1) // format
	e.Uint(uint64(len(p.Steps)))
	for i := range p.Steps {
		e.Uint(uint64(p.Steps[i].Bit))
		e.Hash(p.Steps[i].Sibling)
	}
	if p.Other == nil {
		e.Byte(0)
	} else {
		e.Byte(1)
		e.Raw(p.Other.Path[:])
		e.Hash(p.Other.Value)
	}
	return e.Bytes()
}

// DecodeStateProof is the inverse of [StateProof.Encode].
func DecodeStateProof(b []byte) (*StateProof, error) {
	d := NewDecoder(b)
	if f := d.Byte(); f != 1 {
		d.Fail("state proof format %d is unknown", f)
	}
	p := &StateProof{}
	if n := d.Count(StatePathBits, 1+len(Hash{})); n > 0 {
		p.Steps = make([]StateStep, n)
	}
	last := -1
	for i := range p.Steps {
		bit := d.Uint()
		if bit >= StatePathBits || int(bit) <= last {
			d.Fail("bit %d after %d", bit, last)
			break
		}
		last = int(bit)
		p.Steps[i] = StateStep{uint16(bit), d.Hash()}
	}
	switch f := d.Byte(); f {
	case 0:
	case 1:
		p.Other = &StateLeaf{}
		copy(p.Other.Path[:], d.Raw(len(p.Other.Path)))
		p.Other.Value = d.Hash()
	default:
		d.Fail("flag %d", f)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("state proof: %w", err)
	}
	return p, nil
}

// Verify checks that the item {module, place, key} has the value under root or, where value is nil, that there is no such
// item. An empty value that is not nil is a value. It fails with an error that wraps [ErrBadProof].
func (p *StateProof) Verify(root Hash, module string, place Place, key string, value []byte) error {
	if len(module) > MaxStateModuleBytes || len(key) > MaxStateKeyBytes || len(p.Steps) > StatePathBits {
		return fmt.Errorf("state proof: %w: too long", ErrBadProof)
	}
	path := StatePathOf(module, place, key)
	var h Hash
	switch {
	case value != nil:
		if p.Other != nil {
			return fmt.Errorf("state proof: %w: it shows absence, not a value", ErrBadProof)
		}
		h = StateLeafHash(&path, StateValueHash(value))
	case p.Other != nil:
		if p.Other.Path == path {
			return fmt.Errorf("state proof: %w: the item exists", ErrBadProof)
		}
		h = StateLeafHash(&p.Other.Path, p.Other.Value)
	case len(p.Steps) > 0:
		return fmt.Errorf("state proof: %w: no leaf at the end of the way", ErrBadProof)
	}
	last := StatePathBits
	for i := len(p.Steps) - 1; i >= 0; i-- {
		s := &p.Steps[i]
		bit := int(s.Bit)
		if bit >= last || p.Other != nil && p.Other.Path.Bit(bit) != path.Bit(bit) {
			return fmt.Errorf("state proof: %w: step %d tests bit %d", ErrBadProof, i, bit)
		}
		last = bit
		if path.Bit(bit) == 0 {
			h = StateBranchHash(bit, &h, &s.Sibling)
		} else {
			h = StateBranchHash(bit, &s.Sibling, &h)
		}
	}
	if h != root {
		return fmt.Errorf("state proof: %w", ErrBadProof)
	}
	return nil
}
