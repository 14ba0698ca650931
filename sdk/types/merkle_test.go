package types

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
)

// naiveMerkle is the definition of RFC 6962, section 2.1, word for word.
func naiveMerkle(leaves [][]byte) Hash {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, leaves[0]...))
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	l, r := naiveMerkle(leaves[:k]), naiveMerkle(leaves[k:])
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}

func someLeaves(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = fmt.Appendf(nil, "leaf %d", i)
	}
	return out
}

// The roots that certificate transparency's own tests have for these leaves.
func TestMerkleKnownRoots(t *testing.T) {
	var leaves [][]byte
	for i, c := range []struct{ leaf, root string }{
		{"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
		{"00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
		{"10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
		{"2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
		{"3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
		{"40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
		{"5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
		{"606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
	} {
		leaf, err := hex.DecodeString(c.leaf)
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leaf)
		if got := MerkleRoot(leaves).String(); got != c.root {
			t.Errorf("%d leaves: %s, want %s", i+1, got, c.root)
		}
	}
}

func TestMerkleAndHistoryAgainstTheDefinition(t *testing.T) {
	var h History
	for n := range 130 {
		leaves := make([][]byte, n)
		for i := range leaves {
			id := testHash(fmt.Sprint(i))
			leaves[i] = id[:]
		}
		want := naiveMerkle(leaves)
		if got := MerkleRoot(leaves); got != want {
			t.Fatalf("%d leaves: %s, want %s", n, got, want)
		}
		if got := h.Root(); got != want || h.Count != uint64(n) {
			t.Fatalf("history of %d: %s, want %s", n, got, want)
		}
		back, err := DecodeHistory(h.Encode())
		if err != nil || back.Root() != want {
			t.Fatalf("history of %d, decoded: %v", n, err)
		}
		before := h.Encode()
		next := back.Append(testHash(fmt.Sprint(n)))
		h.Append(testHash("another fork"))
		if string(h.Encode()) != string(before) {
			t.Fatal("Append changed the history that it was called on")
		}
		h = next
	}
}

func TestMerkleProofs(t *testing.T) {
	for n := 1; n <= 40; n++ {
		leaves := someLeaves(n)
		root := MerkleRoot(leaves)
		for i := range leaves {
			p := MerkleProve(leaves, i)
			if err := p.Verify(root, leaves[i]); err != nil {
				t.Fatalf("leaf %d of %d: %v", i, n, err)
			}
			bad := func(what string, p MerkleProof, root Hash, leaf []byte) {
				t.Helper()
				if err := p.Verify(root, leaf); !errors.Is(err, ErrBadProof) {
					t.Fatalf("leaf %d of %d: %s: %v", i, n, what, err)
				}
			}
			bad("another leaf", p, root, leaves[(i+1)%n][:5])
			bad("another root", p, testHash("root"), leaves[i])
			bad("index beyond the end", MerkleProof{uint64(n), uint64(n), p.Path}, root, leaves[i])
			bad("a hash too many", MerkleProof{p.Index, p.Count, append(p.Path[:len(p.Path):len(p.Path)], Hash{})}, root, leaves[i])
			if len(p.Path) > 0 {
				bad("a hash too few", MerkleProof{p.Index, p.Count, p.Path[1:]}, root, leaves[i])
			}
			for j := range p.Path {
				path := append([]Hash{}, p.Path...)
				path[j][31] ^= 1
				bad("a changed hash", MerkleProof{p.Index, p.Count, path}, root, leaves[i])
			}
			// With the true count, no other index passes.
			for k := range n {
				if k != i {
					bad("another index", MerkleProof{uint64(k), uint64(n), p.Path}, root, leaves[i])
				}
			}
		}
	}
	long := MerkleProof{0, 1<<64 - 1, make([]Hash, 65)}
	if err := long.Verify(Hash{}, nil); !errors.Is(err, ErrBadProof) {
		t.Error(err)
	}
	if err := (MerkleProof{}).Verify(MerkleRoot(nil), nil); !errors.Is(err, ErrBadProof) {
		t.Error("a leaf among none")
	}
}

// A node's two children must not pass as a leaf.
func TestMerkleNodeIsNoLeaf(t *testing.T) {
	leaves := someLeaves(4)
	l, r := MerkleRoot(leaves[:2]), MerkleRoot(leaves[2:])
	forged := append(append([]byte{}, l[:]...), r[:]...)
	if err := (MerkleProof{0, 1, nil}).Verify(MerkleRoot(leaves), forged); !errors.Is(err, ErrBadProof) {
		t.Error(err)
	}
}
