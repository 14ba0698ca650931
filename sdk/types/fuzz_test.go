package types

import (
	"bytes"
	"strings"
	"testing"
)

// fuzz shows a decoder hostile bytes. It must not panic, and what it accepts it must have understood to the last byte.
func fuzz(f *testing.F, name string) {
	for _, k := range kinds() {
		if k.name != name {
			continue
		}
		f.Add(k.sample)
		f.Add(k.sample[:len(k.sample)/2])
		f.Fuzz(func(t *testing.T, b []byte) {
			before := bytes.Clone(b)
			got, err := k.decode(b)
			if err == nil && !bytes.Equal(got, b) {
				t.Fatalf("decoded %x\n     as %x", b, got)
			}
			if !bytes.Equal(before, b) {
				t.Fatal("the decoder changed its input")
			}
		})
		return
	}
	f.Fatalf("no encoding %q", name)
}

func FuzzDecodeAuthority(f *testing.F)   { fuzz(f, "authority") }
func FuzzDecodeTransaction(f *testing.F) { fuzz(f, "transaction") }
func FuzzDecodeEnvelope(f *testing.F)    { fuzz(f, "envelope") }
func FuzzDecodeHeader(f *testing.F)      { fuzz(f, "header") }
func FuzzDecodeBody(f *testing.F)        { fuzz(f, "body") }
func FuzzDecodeSet(f *testing.F)         { fuzz(f, "set") }
func FuzzDecodeCertificate(f *testing.F) { fuzz(f, "certificate") }
func FuzzDecodeReceipt(f *testing.F)     { fuzz(f, "receipt") }
func FuzzDecodeHistory(f *testing.F)     { fuzz(f, "history") }
func FuzzDecodeMerkleProof(f *testing.F) { fuzz(f, "merkle proof") }
func FuzzDecodeStateProof(f *testing.F)  { fuzz(f, "state proof") }

// FuzzVerifyCertificate verifies whatever decodes against whatever set decodes.
func FuzzVerifyCertificate(f *testing.F) {
	chain := testHash("chain")
	f.Add(testCertificate(chain, testSet(4), 0, 1, 3).Encode(), testSet(4).Encode())
	f.Fuzz(func(t *testing.T, c, s []byte) {
		cert, err := DecodeCertificate(c)
		if err != nil {
			return
		}
		set, err := DecodeSet(s)
		if err != nil {
			return
		}
		if err := cert.Verify(chain, set); err == nil && len(cert.Signatures) == 0 {
			t.Fatal("verified without a signature")
		}
	})
}

func FuzzVerifyProofs(f *testing.F) {
	f.Add(testMerkleProof().Encode(), testStateProof().Encode(), []byte("leaf"))
	f.Fuzz(func(t *testing.T, m, s, leaf []byte) {
		root := testHash("root of nothing that is known")
		if p, err := DecodeMerkleProof(m); err == nil && p.Verify(root, leaf) == nil {
			t.Fatal("a Merkle proof for an arbitrary root")
		}
		if p, err := DecodeStateProof(s); err == nil && (p.Verify(root, "m", Place{}, "k", leaf) == nil || p.Verify(root, "m", Place{}, "k", nil) == nil) {
			t.Fatal("a state proof for an arbitrary root")
		}
	})
}

func FuzzParseText(f *testing.F) {
	_, k := testKey(0)
	f.Add(testAuthority().ID().String())
	f.Add(k.String())
	f.Add(testHash("x").String())
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := ParseAccountID(s); err == nil && a.String() != strings.ToLower(s) {
			t.Fatalf("account %q reads as %q", s, a)
		}
		if k, err := ParsePublicKey(s); err == nil && k.String() != strings.ToLower(s) {
			t.Fatalf("key %q reads as %q", s, k)
		}
		if h, err := ParseHash(s); err == nil && h.String() != strings.ToLower(s) {
			t.Fatalf("hash %q reads as %q", s, h)
		}
	})
}
