package light

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestFiftyEpochs follows chains whose sets change in size and members, and before each step shows the client a proof that is
// spoilt in one way.
func TestFiftyEpochs(t *testing.T) {
	const epochs = 50
	tried := map[string]int{}
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 1))
		set := func() []int { return seats(rng.IntN(30), 1+rng.IntN(9)) }
		c := newChain(set()...)
		for range epochs {
			for range 1 + rng.IntN(3) {
				c.grow(1 + rng.Uint64N(5))
			}
			c.close(1+rng.Uint64N(5), max(0, rng.IntN(6)-3), set()...)
		}
		cl := c.client(t)
		for e := range epochs {
			now := at(c.closing[e].Slot)
			for _, name := range mutations {
				x, next, proof, late := clone(c.closing[e]), clone(c.sets[e+1]), cloneProof(c.proofs[e]), now
				if !mutate(name, rng, c, e, &x, &next, &proof, &late) {
					continue
				}
				tried[name]++
				before := cl.Encode()
				if err := cl.Advance(x, next, proof, late); err == nil {
					t.Fatalf("seed %d, epoch %d: %s is accepted", seed, e, name)
				}
				if !bytes.Equal(cl.Encode(), before) {
					t.Fatalf("seed %d, epoch %d: %s changes the client", seed, e, name)
				}
			}
			c.advance(t, cl, 1)
			for i := range c.proofs[e].Suffix {
				x := Claim{Header: c.proofs[e].Suffix[i], Set: c.sets[e]}
				x.Proof = c.prove(x.Set, x.Header, 0)
				if err := cl.Verify(x, now); !errors.Is(err, ErrSuffix) {
					t.Fatalf("seed %d, epoch %d: a block after the closing one: %v", seed, e, err)
				}
			}
			cl = again(t, cl)
		}
		if got := cl.Epoch(); got.Number != epochs || got.Opened.ID != c.tip().ID() {
			t.Fatalf("seed %d: %+v after %d epochs", seed, got, epochs)
		}
		for _, h := range c.blocks[1:] {
			err := cl.Verify(c.claim(h), at(c.tip().Slot))
			if known := h.Epoch >= epochs-3; known && err != nil || !known && !errors.Is(err, ErrEpoch) {
				t.Fatalf("seed %d: height %d of epoch %d: %v", seed, h.Height, h.Epoch, err)
			}
		}
	}
	for _, m := range mutations {
		if tried[m] < 10 {
			t.Errorf("%s was tried %d times", m, tried[m])
		}
	}
}

var mutations = []string{"set of other keys", "set of the same epoch", "closing block of the next epoch", "a signer below the threshold",
	"a signer that signs for another", "signed by the next set", "old keys after the trusting period", "suffix swapped", "suffix cut",
	"suffix of a block that does not close", "another past signed by the set before", "a bit of the header", "a bit of the proof"}

// mutate spoils a step of a chain in one way, and tells whether there was anything to spoil.
func mutate(name string, rng *rand.Rand, c *testChain, e int, x **types.Header, next **types.Set, proof **types.Finality, now *uint64) bool {
	set, f := c.sets[e], *proof
	switch name {
	case "set of other keys":
		*next = c.newSet((*next).Epoch, seats(200, len((*next).Seats))...)
	case "set of the same epoch":
		(*next).Epoch--
	case "closing block of the next epoch":
		if e+1 == len(c.closing) {
			return false
		}
		*x, *next, *proof = c.closing[e+1], c.sets[e+2], c.proofs[e+1]
	case "a signer below the threshold":
		tip := append([]*types.Header{*x}, f.Suffix...)
		f.Cert = c.cert(set, tip[len(f.Suffix)], int(set.Threshold)-1)
	case "a signer that signs for another":
		if len(set.Seats) == len(f.Cert.Signatures) || len(f.Cert.Signatures) == 1 {
			return false
		}
		f.Cert.Bitmap[0] &^= 1 // the first signature is then by a seat that has not signed
		i := len(set.Seats) - 1
		f.Cert.Bitmap[i/8] |= 1 << (i % 8)
	case "signed by the next set":
		other := clone(*next)
		other.Epoch = set.Epoch
		if other.Hash() == set.Hash() {
			return false
		}
		*proof = c.prove(other, *x, len(f.Suffix))
	case "old keys after the trusting period":
		*now = at(c.blocks[0].Slot) + 14*day + 1
		if e > 0 {
			*now = at(c.closing[e-1].Slot) + 14*day + 1
		}
	case "suffix swapped":
		if len(f.Suffix) < 2 {
			return false
		}
		f.Suffix[0], f.Suffix[1] = f.Suffix[1], f.Suffix[0]
	case "suffix cut":
		if len(f.Suffix) == 0 {
			return false
		}
		i := rng.IntN(len(f.Suffix))
		f.Suffix = append(f.Suffix[:i], f.Suffix[i+1:]...)
	case "suffix of a block that does not close":
		plain := clone(*x)
		plain.NextSet = types.Hash{}
		*proof = c.prove(set, plain, max(1, len(f.Suffix)))
	case "another past signed by the set before":
		if e == 0 {
			return false
		}
		// Another end of the epoch before, which leads to keys of the attacker.
		mine := c.newSet(uint64(e), seats(300, 4)...)
		fake := clone(c.closing[e-1])
		fake.NextSet = mine.Hash()
		end := c.child(fake, 5, uint64(e), "rival")
		end.NextSet = (*next).Hash()
		if rng.IntN(2) == 0 { // shown as the end of this epoch, or as the one before again
			*x, *proof = end, c.prove(mine, end, 0)
		} else {
			*x, *next, *proof = fake, mine, c.prove(c.sets[e-1], fake, 0)
		}
	case "a bit of the header":
		*x = flip(rng, *x, (*types.Header).Encode, types.DecodeHeader)
		return *x != nil
	case "a bit of the proof":
		*proof = flip(rng, f, (*types.Finality).Encode, types.DecodeFinality)
		return *proof != nil
	}
	return true
}

// flip changes a bit of an encoding; nil if nothing can be read from it any more.
func flip[T any](rng *rand.Rand, v *T, encode func(*T) []byte, decode func([]byte) (*T, error)) *T {
	b := encode(v)
	b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
	out, err := decode(b)
	if err != nil {
		return nil
	}
	return out
}
