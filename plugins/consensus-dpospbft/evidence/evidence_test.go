package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var chain = types.Sum("test", []byte("chain"))

func key(i int) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte{byte(i), 'e'})
	return ed25519.NewKeyFromSeed(seed[:])
}

func testSet() *types.Set {
	var keys []types.PublicKey
	for i := range 4 {
		keys = append(keys, types.PublicKey{Scheme: types.SchemeEd25519, Key: []byte(key(i).Public().(ed25519.PublicKey))})
	}
	return types.EqualSet(3, keys)
}

// by makes something that seat 2 has signed.
func by(seat int, kind Kind, s Signed) Signed {
	set := testSet()
	purpose, payload := s.payload(kind, set.Hash(), set.Epoch)
	s.Sig = ed25519.Sign(key(seat), types.SignBytes(chain, purpose, payload))
	return s
}

func id(s string) types.BlockID { return types.Sum("test", []byte(s)) }

// path makes headers with these slots, each the child of the next, that end at height 10.
func path(slots ...uint64) []*types.Header {
	out := make([]*types.Header, len(slots))
	parent := id("below")
	for i := len(slots) - 1; i >= 0; i-- {
		h := &types.Header{Chain: chain, Epoch: 3, Height: uint64(10 + len(slots) - i), Slot: slots[i], Parent: parent, Shard: []byte{}, Consensus: []byte{1}}
		out[i], parent = h, h.ID()
	}
	return out
}

// hop makes evidence of a COMMIT of slot 20 and a PREPARE of the first of some headers with a src.
func hop(commit types.BlockID, src uint64, headers []*types.Header) *Evidence {
	h := headers[0]
	return &Evidence{Kind: Hop, Epoch: 3, Slot: h.Slot, Seat: 2, A: by(2, Commit, Signed{Slot: 20, Height: 11, ID: commit}),
		B: by(2, Prepare, Signed{Slot: h.Slot, Height: h.Height, Src: src, ID: h.ID()}), Headers: headers}
}

func samples() map[string]*Evidence {
	return map[string]*Evidence{
		"two blocks":              Pair(Propose, 3, 2, by(2, Propose, Signed{Slot: 7, ID: id("a")}), by(2, Propose, Signed{Slot: 7, ID: id("b")})),
		"two PREPAREs":            Pair(Prepare, 3, 2, by(2, Prepare, Signed{Slot: 7, Height: 5, Src: 4, ID: id("a")}), by(2, Prepare, Signed{Slot: 7, Height: 6, Src: 6, ID: id("b")})),
		"one block, two src":      Pair(Prepare, 3, 2, by(2, Prepare, Signed{Slot: 7, Height: 5, Src: 4, ID: id("a")}), by(2, Prepare, Signed{Slot: 7, Height: 5, Src: 3, ID: id("a")})),
		"two COMMITs":             Pair(Commit, 3, 2, by(2, Commit, Signed{Slot: 7, Height: 5, ID: id("a")}), by(2, Commit, Signed{Slot: 7, Height: 5, ID: id("b")})),
		"a hop to a sibling":      hop(id("a"), 12, path(22, 12)),
		"a hop in the same slot":  hop(id("a"), 12, path(22, 20)),
		"a hop over three blocks": hop(id("a"), 19, path(30, 22, 21, 19)),
	}
}

func TestGood(t *testing.T) {
	for name, v := range samples() {
		if err := v.Verify(chain, testSet()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		raw := v.Encode()
		w, err := Decode(raw)
		if err != nil || !reflect.DeepEqual(v, w) {
			t.Errorf("%s: %+v becomes %+v: %v", name, v, w, err)
			continue
		}
		if w.ID() != v.ID() || w.Verify(chain, testSet()) != nil {
			t.Errorf("%s: it is not the same after it was decoded", name)
		}
		for n := range raw {
			if _, err := Decode(raw[:n]); err == nil {
				t.Errorf("%s: the first %d of %d bytes are accepted", name, n, len(raw))
			}
		}
		if _, err := Decode(append(raw, 0)); err == nil {
			t.Errorf("%s: a byte too much is accepted", name)
		}
	}
}

// TestPairIsOneThing shows that the order in which two things were seen does not matter.
func TestPairIsOneThing(t *testing.T) {
	a, b := by(2, Commit, Signed{Slot: 7, Height: 5, ID: id("a")}), by(2, Commit, Signed{Slot: 7, Height: 5, ID: id("b")})
	if x, y := Pair(Commit, 3, 2, a, b), Pair(Commit, 3, 2, b, a); x.ID() != y.ID() {
		t.Error("two ids")
	}
}

func TestBad(t *testing.T) {
	sample := func(name string) *Evidence { return samples()[name] }
	for name, f := range map[string]func() *Evidence{
		"another epoch":   func() *Evidence { v := sample("two COMMITs"); v.Epoch = 4; return v },
		"no such seat":    func() *Evidence { v := sample("two COMMITs"); v.Seat = 4; return v },
		"another seat":    func() *Evidence { v := sample("two COMMITs"); v.Seat = 1; return v },
		"another kind":    func() *Evidence { v := sample("two COMMITs"); v.Kind = Prepare; return v },
		"unknown kind":    func() *Evidence { v := sample("two COMMITs"); v.Kind = 9; return v },
		"one thing twice": func() *Evidence { v := sample("two COMMITs"); v.B = v.A; return v },
		"two signatures of one": func() *Evidence {
			v := sample("two COMMITs")
			v.B = v.A
			v.B.Sig = bytes.Repeat([]byte{1}, 64)
			return v
		},
		"not in order": func() *Evidence { v := sample("two COMMITs"); v.A, v.B = v.B, v.A; return v },
		"two slots": func() *Evidence {
			v := sample("two COMMITs")
			v.B = by(2, Commit, Signed{Slot: 8, Height: 5, ID: id("b")})
			return v
		},
		"slots of neither":       func() *Evidence { v := sample("two COMMITs"); v.Slot = 8; return v },
		"first signature bad":    func() *Evidence { v := sample("two blocks"); v.A.Sig = bytes.Clone(v.A.Sig); v.A.Sig[3] ^= 1; return v },
		"second signature bad":   func() *Evidence { v := sample("two blocks"); v.B.Sig = bytes.Clone(v.B.Sig); v.B.Sig[3] ^= 1; return v },
		"by two seats":           func() *Evidence { v := sample("two blocks"); v.B = by(1, Propose, v.B); return v },
		"hop within one branch":  func() *Evidence { p := path(22, 20); return hop(p[1].ID(), 12, p) },
		"hop, branch at the top": func() *Evidence { p := path(23, 22, 20); return hop(p[1].ID(), 12, p) },
		"src as new as COMMIT":   func() *Evidence { return hop(id("a"), 20, path(22, 20)) },
		"PREPARE before COMMIT":  func() *Evidence { return hop(id("a"), 12, path(19, 15)) },
		"PREPARE in its slot":    func() *Evidence { return hop(id("a"), 12, path(20, 15)) },
		"no headers":             func() *Evidence { v := sample("a hop to a sibling"); v.Headers = nil; return v },
		"headers end early":      func() *Evidence { v := sample("a hop over three blocks"); v.Headers = v.Headers[:3]; return v },
		"headers go on":          func() *Evidence { return hop(id("a"), 12, path(22, 12, 11)) },
		"a header is missing": func() *Evidence {
			v := sample("a hop over three blocks")
			v.Headers = append(v.Headers[:1:1], v.Headers[2:]...)
			return v
		},
		"headers of another": func() *Evidence { v := sample("a hop to a sibling"); v.Headers = path(22, 13); return v },
		"a slot that is not its": func() *Evidence {
			v := sample("a hop to a sibling")
			v.B = by(2, Prepare, Signed{Slot: 25, Height: v.B.Height, Src: 12, ID: v.B.ID})
			v.Slot = 25
			return v
		},
		"a height that is not its": func() *Evidence {
			v := sample("a hop to a sibling")
			v.B = by(2, Prepare, Signed{Slot: 22, Height: 99, Src: 12, ID: v.B.ID})
			return v
		},
		"headers of another chain": func() *Evidence {
			p := path(22, 12)
			for _, h := range p {
				h.Chain = id("other")
			}
			p[0].Parent = p[1].ID()
			return hop(id("a"), 12, p)
		},
	} {
		if err := f().Verify(chain, testSet()); !errors.Is(err, ErrBad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := sample("two blocks").Verify(id("other chain"), testSet()); !errors.Is(err, ErrBad) {
		t.Errorf("another chain: %v", err)
	}
	other := testSet()
	other.Seats[0].Weight = 2
	other.Threshold = 4
	if err := sample("two COMMITs").Verify(chain, other); !errors.Is(err, ErrBad) {
		t.Errorf("another set: %v", err)
	}
}

// TestLongest shows that headers as long as the protocol makes them leave room for the longest path, and that the longest evidence
// leaves some in the extension of a block, which takes it for nothing.
func TestLongest(t *testing.T) {
	if MaxBytes > types.MaxExtensionBytes-64 {
		t.Errorf("evidence of %d bytes does not fit an extension", MaxBytes)
	}
	header := types.Header{Height: 1 << 63, Slot: 1 << 63, Epoch: 1 << 63, Clock: 1 << 63, CertHeight: 1 << 63, Consensus: make([]byte, 1+2*(10+32)+10+1+consensus.VRFBytes)}
	if n := MaxHeaders*(len(header.Encode())+2) + 300; n > MaxBytes {
		t.Errorf("%d headers may have %d bytes", MaxHeaders, n)
	}
	slots := []uint64{100}
	for s := uint64(99); len(slots) < MaxHeaders-1; s-- {
		slots = append(slots, s)
	}
	v := hop(id("a"), 12, path(append(slots, 12)...))
	if err := v.Verify(chain, testSet()); err != nil {
		t.Error(err)
	}
	if _, err := Decode(v.Encode()); err != nil {
		t.Errorf("the longest path, %d bytes: %v", len(v.Encode()), err)
	}
	if err := hop(id("a"), 12, path(append(append([]uint64{101}, slots...), 12)...)).Verify(chain, testSet()); !errors.Is(err, ErrBad) {
		t.Errorf("one header too many: %v", err)
	}
}

// TestGolden fixes the encoding: what is in blocks is for good.
func TestGolden(t *testing.T) {
	sum := func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:8]) }
	for name, want := range map[string]string{
		"two blocks": "58074d0b459a8163", "one block, two src": "c7b388b22d8be316", "two COMMITs": "daec9c1fe72bfc14", "a hop over three blocks": "07320ca2c84aedc7",
	} {
		if got := sum(samples()[name].Encode()); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range samples() {
		f.Add(v.Encode())
	}
	set := testSet()
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(v.Encode(), b) {
			t.Fatalf("%x becomes %x", b, v.Encode())
		}
		_ = v.Verify(chain, set)
	})
}
