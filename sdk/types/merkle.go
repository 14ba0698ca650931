package types

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"
)

// The Merkle tree of RFC 6962, section 2.1: leaves are hashed with prefix 0, nodes with prefix 1, and a list of n
// leaves is split at the largest power of two below n.

func merkleLeaf(b []byte) (out Hash) {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(b)
	h.Sum(out[:0])
	return out
}

func merkleNode(l, r Hash) Hash {
	var buf [65]byte
	buf[0] = 1
	copy(buf[1:], l[:])
	copy(buf[33:], r[:])
	return sha256.Sum256(buf[:])
}

// MerkleRoot returns the root over leaves. The root of no leaves is the hash of nothing.
func MerkleRoot(leaves [][]byte) Hash {
	if len(leaves) == 0 {
		return sha256.Sum256(nil)
	}
	// Bottom-up with a stack of perfect subtrees: same tree as the recursive definition, no recursion.
	var stack [64]Hash
	n := 0
	for i, l := range leaves {
		stack[n] = merkleLeaf(l)
		n++
		for j := i; j&1 == 1; j >>= 1 {
			stack[n-2] = merkleNode(stack[n-2], stack[n-1])
			n--
		}
	}
	for n > 1 {
		stack[n-2] = merkleNode(stack[n-2], stack[n-1])
		n--
	}
	return stack[0]
}

// MerkleProof shows that a leaf stands under a root. The root does not commit to the number of leaves: Index and Count are
// shown only to one who knows Count from elsewhere; without that, a proof shows no more than that the leaf is there.
type MerkleProof struct {
	Index, Count uint64
	Path         []Hash // siblings, from the leaf upwards
}

// MerkleProve makes the proof for leaves[i]; it panics if i is out of range.
func MerkleProve(leaves [][]byte, i int) MerkleProof {
	p := MerkleProof{Index: uint64(i), Count: uint64(len(leaves))}
	lo, hi := 0, len(leaves)
	var down []Hash
	for hi-lo > 1 {
		k := lo + 1<<(bits.Len(uint(hi-lo-1))-1)
		if i < k {
			down = append(down, MerkleRoot(leaves[k:hi]))
			hi = k
		} else {
			down = append(down, MerkleRoot(leaves[lo:k]))
			lo = k
		}
	}
	for j := len(down) - 1; j >= 0; j-- {
		p.Path = append(p.Path, down[j])
	}
	return p
}

// Encode returns the canonical bytes.
func (p MerkleProof) Encode() []byte {
	e := NewEncoder(24 + 32*len(p.Path))
	e.Uint(p.Index)
	e.Uint(p.Count)
	e.Uint(uint64(len(p.Path)))
	for _, h := range p.Path {
		e.Hash(h)
	}
	return e.Bytes()
}

// DecodeMerkleProof is the inverse of [MerkleProof.Encode].
func DecodeMerkleProof(b []byte) (MerkleProof, error) {
	d := NewDecoder(b)
	p := MerkleProof{Index: d.Uint(), Count: d.Uint()}
	if n := d.Count(64, len(Hash{})); n > 0 {
		p.Path = make([]Hash, n)
	}
	for i := range p.Path {
		p.Path[i] = d.Hash()
	}
	if err := d.Finish(); err != nil {
		return MerkleProof{}, fmt.Errorf("merkle proof: %w", err)
	}
	return p, nil
}

// ErrBadProof says that a proof does not lead to the root that it is checked against.
var ErrBadProof = errors.New("proof does not match the root")

// Verify checks that leaf stands at p.Index under root.
func (p MerkleProof) Verify(root Hash, leaf []byte) error {
	if p.Index >= p.Count || len(p.Path) > 64 {
		return ErrBadProof
	}
	fn, sn := p.Index, p.Count-1
	r := merkleLeaf(leaf)
	for _, s := range p.Path { // RFC 9162, section 2.1.3.2
		if sn == 0 {
			return ErrBadProof
		}
		if fn&1 == 1 || fn == sn {
			r = merkleNode(s, r)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = merkleNode(r, s)
		}
		fn, sn = fn>>1, sn>>1
	}
	if sn != 0 || r != root {
		return ErrBadProof
	}
	return nil
}
