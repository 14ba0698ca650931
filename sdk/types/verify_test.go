package types

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"testing"
)

// TestBatchAndSingleAgree verifies good and bad signatures in batches of all sizes, and each of them alone.
func TestBatchAndSingleAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range 70 {
		batch := NewBatchVerifier(n)
		want := make([]bool, n)
		all := true
		for i := range n {
			priv, key := testKey(rng.IntN(5))
			msg := []byte{byte(n), byte(i)}
			sig := ed25519.Sign(priv, msg)
			if n%3 != 0 && rng.IntN(8) == 0 {
				key, msg, sig = spoil(rng, key, msg, sig)
			}
			want[i] = VerifySignature(key, msg, sig) == nil
			all = all && want[i]
			batch.Add(key, msg, sig)
		}
		gotAll, got := batch.Verify()
		if gotAll != all || len(got) != n {
			t.Fatalf("%d signatures: %v, want %v", n, gotAll, all)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("signature %d of %d: in a batch %v, alone %v", i, n, got[i], want[i])
			}
		}
	}
}

func spoil(rng *rand.Rand, key PublicKey, msg, sig []byte) (PublicKey, []byte, []byte) {
	sig = bytes.Clone(sig)
	switch rng.IntN(6) {
	case 0:
		sig[rng.IntN(64)] ^= 1
	case 1:
		msg = append(msg, 0)
	case 2:
		sig = sig[:63]
	case 3:
		key = PublicKey{2, key.Key}
	case 4:
		key = PublicKey{SchemeEd25519, key.Key[:31]}
	case 5:
		key = PublicKey{SchemeEd25519, bytes.Repeat([]byte{0xff}, 31)}
		key.Key = append(key.Key, 0x7e) // no point of the curve, or not this key's
	}
	return key, msg, sig
}

// smallOrder are encodings of points of small order, among them ones that are not canonical: where implementations of
// Ed25519 disagree. The rules of ZIP 215 accept all of them, alone and in batches.
var smallOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func TestZIP215(t *testing.T) {
	var points [][]byte
	for _, s := range smallOrder {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		points = append(points, b)
	}
	msg := []byte("Zcash")
	for _, a := range points {
		for _, r := range points {
			sig := append(append([]byte{}, r...), make([]byte, 32)...)
			key := PublicKey{SchemeEd25519, a}
			if err := VerifySignature(key, msg, sig); err != nil {
				t.Errorf("key %x, R %x: %v", a, r, err)
			}
			batch := NewBatchVerifier(2)
			batch.Add(key, msg, sig)
			batch.Add(key, msg, sig)
			if all, _ := batch.Verify(); !all {
				t.Errorf("key %x, R %x: refused in a batch", a, r)
			}
		}
	}
	// S must be below the group's order: S + order would be a second signature of the same message.
	priv, key := testKey(0)
	sig := ed25519.Sign(priv, msg)
	order, _ := hex.DecodeString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	carry := 0
	for i := range 32 {
		carry += int(sig[32+i]) + int(order[i])
		sig[32+i] = byte(carry)
		carry >>= 8
	}
	if err := VerifySignature(key, msg, sig); !errors.Is(err, ErrBadSignature) {
		t.Errorf("S above the order: %v", err)
	}
}

func TestVerifySignature(t *testing.T) {
	priv, key := testKey(0)
	msg := []byte("message")
	sig := ed25519.Sign(priv, msg)
	if err := VerifySignature(key, msg, sig); err != nil {
		t.Error(err)
	}
	if err := VerifySignature(key, []byte("massage"), sig); !errors.Is(err, ErrBadSignature) {
		t.Error(err)
	}
	if err := VerifySignature(key, msg, nil); !errors.Is(err, ErrBadSignature) {
		t.Error(err)
	}
	if err := VerifySignature(PublicKey{}, msg, sig); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}
