package light

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

var update = flag.Bool("update", false, "write testdata/golden.txt again")

// states are clients of all kinds.
func states(t testing.TB) map[string]*Client {
	c := threeEpochs()
	fresh, advanced, frozen := c.client(t), c.client(t), c.client(t)
	c.advance(t, advanced, 2)
	if err := advanced.Verify(c.claim(c.tip()), at(c.tip().Slot)); err != nil {
		t.Fatal(err)
	}
	c.advance(t, frozen, 1)
	a, b := c.claim(c.blocks[7]), c.claim(c.child(c.blocks[6], 3, 1, "rival"))
	if err := frozen.Conflict(a, b, at(c.tip().Slot)); err != nil {
		t.Fatal(err)
	}
	return map[string]*Client{"fresh": fresh, "advanced": advanced, "frozen": frozen}
}

// TestGolden fixes the encoding of a client's state: chains hold it in theirs.
func TestGolden(t *testing.T) {
	var out bytes.Buffer
	all := states(t)
	for _, name := range []string{"fresh", "advanced", "frozen"} {
		fmt.Fprintf(&out, "%-10s %s\n", name, hex.EncodeToString(all[name].Encode()))
	}
	const file = "testdata/golden.txt"
	if *update {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("got\n%swant\n%s", out.Bytes(), want)
	}
}

func TestDamagedStates(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, cl := range states(t) {
		sample := cl.Encode()
		for n := range sample {
			if _, err := Decode(sample[:n], AllSchemes()); !errors.Is(err, types.ErrMalformed) {
				t.Fatalf("%s: cut at %d: %v", name, n, err)
			}
		}
		for range 2000 {
			b := bytes.Clone(sample)
			b[rng.IntN(len(b))] ^= byte(1 + rng.IntN(255))
			got, err := Decode(b, AllSchemes())
			if err == nil && !bytes.Equal(got.Encode(), b) || err != nil && !errors.Is(err, types.ErrMalformed) {
				t.Fatalf("%s: %x is read, with error %v", name, b, err)
			}
		}
	}
	for name, change := range map[string]func(c *Client){
		"no slot length":                   func(c *Client) { c.params.SlotMs = 0 },
		"more epochs than are kept":        func(c *Client) { c.params.Keep = 1 },
		"no epochs":                        func(c *Client) { c.epochs = nil },
		"an epoch missing":                 func(c *Client) { c.epochs[0].Number-- },
		"epochs in the wrong order":        func(c *Client) { c.epochs[0].Opened.Height = 1000 },
		"slots in the wrong order":         func(c *Client) { c.epochs[0].Opened.Slot = 1000 },
		"another set":                      func(c *Client) { c.epochs[2].SetHash[0] ^= 1 },
		"a set of another epoch":           func(c *Client) { c.set = clone(c.set); c.set.Epoch++ },
		"a bad set":                        func(c *Client) { c.set = clone(c.set); c.set.Threshold = 0; c.epochs[2].SetHash = c.set.Hash() },
		"newest below the epoch":           func(c *Client) { c.newest.Height = 3 },
		"newest earlier than the epoch":    func(c *Client) { c.newest.Slot = 3 },
		"newest in place of what opens it": func(c *Client) { c.newest = c.epochs[2].Opened; c.newest.ID[0] ^= 1 },
	} {
		cl := states(t)["advanced"]
		change(cl)
		if _, err := Decode(cl.Encode(), AllSchemes()); !errors.Is(err, types.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Decode(make([]byte, MaxStateBytes+1), AllSchemes()); !errors.Is(err, types.ErrMalformed) {
		t.Errorf("too many bytes: %v", err)
	}
}

// TestSizeOfAStep shows what it costs to follow a chain.
func TestSizeOfAStep(t *testing.T) {
	for _, n := range []int{4, 21, 100} {
		c := newChain(seats(0, n)...)
		c.close(1, 0, seats(0, n)...)
		size := len(c.closing[0].Encode()) + len(c.sets[1].Encode()) + len(c.proofs[0].Encode())
		cl := c.client(t)
		c.advance(t, cl, 1)
		t.Logf("%3d seats: %5d bytes an epoch (header %d, set %d, proof %d), state %d bytes", n, size, len(c.closing[0].Encode()),
			len(c.sets[1].Encode()), len(c.proofs[0].Encode()), len(cl.Encode()))
		if n == 21 && size > 3500 {
			t.Errorf("%d bytes an epoch with 21 seats", size)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, cl := range states(f) {
		f.Add(cl.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		cl, err := Decode(b, AllSchemes())
		if err == nil && !bytes.Equal(cl.Encode(), b) {
			t.Fatalf("decoded %x\n     as %x", b, cl.Encode())
		}
	})
}

// FuzzSteps hands whatever decodes to a client of whatever state. Without the keys nothing can be done.
func FuzzSteps(f *testing.F) {
	c := threeEpochs()
	for _, cl := range states(f) {
		for e := range 2 {
			f.Add(cl.Encode(), c.closing[e].Encode(), c.sets[e+1].Encode(), c.proofs[e].Encode(), at(c.tip().Slot), []byte{0})
		}
		x := c.claim(c.blocks[13])
		f.Add(cl.Encode(), x.Header.Encode(), x.Set.Encode(), x.Proof.Encode(), at(c.tip().Slot), types.MerkleProve(c.ids[:13], 3).Encode())
	}
	f.Fuzz(func(t *testing.T, state, header, set, proof []byte, now uint64, merkle []byte) {
		cl, err := Decode(state, AllSchemes())
		if err != nil {
			return
		}
		h, _ := types.DecodeHeader(header)
		s, _ := types.DecodeSet(set)
		p, _ := types.DecodeFinality(proof)
		m, _ := types.DecodeMerkleProof(merkle)
		st, _ := types.DecodeStateProof(merkle)
		x := Claim{Header: h, Set: s, Proof: p}
		verified := cl.Verify(x, now)
		_ = cl.VerifyItem(x, item, merkle, st, now)
		_ = cl.VerifyMessage(x, merkle, m, now)
		if h != nil {
			older := clone(h)
			older.Height--
			_ = cl.VerifyAncestor(x, older, m, now)
		}
		if verified == nil && cl.Frozen() != nil {
			t.Fatal("a frozen client verifies")
		}
		if cl.Conflict(x, x, now) == nil && len(p.Suffix) == 0 {
			t.Fatal("a claim excludes itself")
		}
		_ = cl.Advance(h, s, p, now)
		if _, err := Decode(cl.Encode(), AllSchemes()); err != nil {
			t.Fatalf("what the client has become cannot be read: %v", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, n := range []int{4, 21, 100} {
		b.Run(fmt.Sprintf("seats=%d", n), func(b *testing.B) {
			c := newChain(seats(0, n)...)
			c.grow(1)
			x, cl := c.claim(c.tip()), c.client(b)
			for b.Loop() {
				if err := cl.Verify(x, at(1)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
