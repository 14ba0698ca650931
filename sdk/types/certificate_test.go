package types

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"
)

func TestCertificate(t *testing.T) {
	chain := testHash("chain")
	for _, n := range []int{1, 4, 7, 8, 9, 21} {
		set := testSet(n)
		var seats []int
		for i := range n {
			seats = append(seats, i)
		}
		q := int(set.Threshold)
		for _, s := range [][]int{seats, seats[n-q:], seats[:q]} {
			if err := testCertificate(chain, set, s...).Verify(chain, set); err != nil {
				t.Errorf("%d of %d: %v", len(s), n, err)
			}
		}
		if err := testCertificate(chain, set, seats[:q-1]...).Verify(chain, set); !errors.Is(err, ErrBadCertificate) {
			t.Errorf("%d of %d: %v", q-1, n, err)
		}
	}
}

func TestForgedCertificates(t *testing.T) {
	chain, set := testHash("chain"), testSet(7)
	weighted := testSet(7)
	weighted.Seats[0].Weight = 100
	weighted.Threshold = QuorumOf(106)
	for _, c := range []struct {
		name  string
		chain Hash // verified for
		set   *Set // verified against
		forge func(c *Certificate)
	}{
		{"other chain", testHash("other chain"), set, func(*Certificate) {}},
		{"signed for another chain", chain, set, func(c *Certificate) { signCertificate(c, testHash("other chain"), 0, 1, 2, 3, 4) }},
		{"other set", chain, testSet(8), func(*Certificate) {}},
		{"other weights", chain, weighted, func(*Certificate) {}},
		{"hash of another set", chain, set, func(c *Certificate) { c.SetHash = weighted.Hash(); signCertificate(c, chain, 0, 1, 2, 3, 4) }},
		{"other epoch", chain, set, func(c *Certificate) { c.Epoch++ }},
		{"other epoch, signed", chain, set, func(c *Certificate) { c.Epoch++; signCertificate(c, chain, 0, 1, 2, 3, 4) }},
		{"other slot", chain, set, func(c *Certificate) { c.Slot++ }},
		{"other height", chain, set, func(c *Certificate) { c.Height++ }},
		{"other block", chain, set, func(c *Certificate) { c.Block[0] ^= 1 }},
		{"unknown scheme", chain, set, func(c *Certificate) { c.Scheme = 2 }},
		{"no scheme", chain, set, func(c *Certificate) { c.Scheme = 0 }},
		{"too little weight", chain, set, func(c *Certificate) { signCertificate(c, chain, 0, 1, 2, 3) }},
		{"nobody", chain, set, func(c *Certificate) { signCertificate(c, chain) }},
		{"foreign bit", chain, set, func(c *Certificate) { signCertificate(c, chain, 0, 1, 2, 3, 7) }},
		{"a bit without signature", chain, set, func(c *Certificate) { c.Bitmap[0] |= 1 << 5 }},
		{"a signature without bit", chain, set, func(c *Certificate) { c.Signatures = append(c.Signatures, c.Signatures[0]) }},
		{"one signer twice", chain, set, func(c *Certificate) {
			signCertificate(c, chain, 0, 1, 2, 3)
			c.Bitmap[0] |= 1 << 4
			c.Signatures = append(c.Signatures, c.Signatures[3])
		}},
		{"signatures in another order", chain, set, func(c *Certificate) {
			c.Signatures[0], c.Signatures[1] = c.Signatures[1], c.Signatures[0]
		}},
		{"bits of other seats", chain, set, func(c *Certificate) { c.Bitmap[0] = 0b1111100 }},
		{"bitmap too long", chain, set, func(c *Certificate) { c.Bitmap = append(c.Bitmap, 0) }},
		{"bitmap too short", chain, set, func(c *Certificate) { c.Bitmap = nil }},
		{"changed signature", chain, set, func(c *Certificate) {
			c.Signatures[2] = bytes.Clone(c.Signatures[2])
			c.Signatures[2][5] ^= 1
		}},
		{"empty signature", chain, set, func(c *Certificate) { c.Signatures[2] = nil }},
		{"long signature", chain, set, func(c *Certificate) { c.Signatures[2] = append(bytes.Clone(c.Signatures[2]), 0) }},
		{"signed for another purpose", chain, set, func(c *Certificate) {
			msg := SignBytes(chain, "prepare", CommitPayload(c.SetHash, c.Epoch, c.Slot, c.Height, c.Block))
			for i := range c.Signatures {
				k, _ := testKey(10 + i)
				c.Signatures[i] = ed25519.Sign(k, msg)
			}
		}},
		{"a set without weight", chain, &Set{}, func(c *Certificate) {
			*c = Certificate{Scheme: CertEd25519List, SetHash: (&Set{}).Hash()}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cert := testCertificate(chain, set, 0, 1, 2, 3, 4)
			if err := cert.Verify(chain, set); err != nil {
				t.Fatal(err)
			}
			c.forge(cert)
			if err := cert.Verify(c.chain, c.set); !errors.Is(err, ErrBadCertificate) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestWeightsDecide(t *testing.T) {
	chain, set := testHash("chain"), testSet(4)
	set.Seats[2].Weight = 97
	set.Threshold = QuorumOf(100) // 67
	if err := testCertificate(chain, set, 2).Verify(chain, set); err != nil {
		t.Error(err)
	}
	if err := testCertificate(chain, set, 0, 1, 3).Verify(chain, set); !errors.Is(err, ErrBadCertificate) {
		t.Error(err)
	}
}

func TestQuorumOf(t *testing.T) {
	for w, want := range map[uint64]uint64{1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 6: 5, 7: 5, 21: 15, 100: 67, 1<<64 - 1: 12297829382473034411} {
		if got := QuorumOf(w); got != want {
			t.Errorf("QuorumOf(%d) = %d, want %d", w, got, want)
		}
	}
	// Two quorums of w = 3f+1 share more than f.
	for f := uint64(1); f < 400; f++ {
		if q := QuorumOf(3*f + 1); 2*q-(3*f+1) <= f {
			t.Errorf("f = %d", f)
		}
	}
}

func TestBadSets(t *testing.T) {
	for name, change := range map[string]func(s *Set){
		"no seats":            func(s *Set) { s.Seats = nil },
		"too many seats":      func(s *Set) { s.Seats = make([]Seat, MaxSeats+1) },
		"repeated key":        func(s *Set) { s.Seats[1].Key = s.Seats[0].Key },
		"no weight":           func(s *Set) { s.Seats[1].Weight = 0 },
		"weights overflow":    func(s *Set) { s.Seats[1].Weight = 1<<64 - 1 },
		"threshold too low":   func(s *Set) { s.Threshold-- },
		"threshold too high":  func(s *Set) { s.Threshold = 5 },
		"unknown key scheme":  func(s *Set) { s.Seats[1].Key.Scheme = 2 },
		"key of wrong length": func(s *Set) { s.Seats[1].Key.Key = s.Seats[1].Key.Key[:31] },
	} {
		s := testSet(4)
		change(s)
		if err := s.Validate(); !errors.Is(err, ErrBadSet) {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := DecodeSet(s.Encode()); err == nil || got != nil {
			t.Errorf("%s: decoded to %v, %v", name, got, err)
		}
	}
	s := testSet(4)
	for i := range s.Seats {
		if got := s.Index(s.Seats[i].Key.Hash()); got != i {
			t.Errorf("Index of seat %d: %d", i, got)
		}
	}
	if s.Index(testHash("stranger")) != -1 {
		t.Error("Index of a stranger")
	}
}
