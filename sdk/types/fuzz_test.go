package types

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// TestEveryDecoderIsFuzzed finds a decoder that was forgotten here.
func TestEveryDecoderIsFuzzed(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				have[fn.Name.Name] = true
			}
		}
	}
	decoders := 0
	for name := range have {
		if strings.HasPrefix(name, "Decode") {
			decoders++
			if !have["Fuzz"+name] {
				t.Errorf("%s has no fuzz target", name)
			}
		}
	}
	if decoders < len(kinds()) {
		t.Errorf("%d decoders are found, %d kinds of encoding are known", decoders, len(kinds()))
	}
}

// fuzz shows a decoder hostile bytes. It must not panic, and what it accepts it must have understood to the last byte.
func fuzz(f *testing.F, name string, more ...[]byte) {
	for _, k := range kinds() {
		if k.name != name {
			continue
		}
		f.Add(k.sample)
		f.Add(k.sample[:len(k.sample)/2])
		for _, b := range more {
			f.Add(b)
		}
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

func FuzzDecodeAuthority(f *testing.F)    { fuzz(f, "authority") }
func FuzzDecodeTransaction(f *testing.F)  { fuzz(f, "transaction") }
func FuzzDecodeEnvelope(f *testing.F)     { fuzz(f, "envelope") }
func FuzzDecodeHeader(f *testing.F)       { fuzz(f, "header") }
func FuzzDecodeBody(f *testing.F)         { fuzz(f, "body") }
func FuzzDecodeSet(f *testing.F)          { fuzz(f, "set") }
func FuzzDecodeCertificate(f *testing.F)  { fuzz(f, "certificate") }
func FuzzDecodeFinality(f *testing.F)     { fuzz(f, "finality") }
func FuzzDecodeReceipt(f *testing.F)      { fuzz(f, "receipt") }
func FuzzDecodeHistory(f *testing.F)      { fuzz(f, "history") }
func FuzzDecodeMerkleProof(f *testing.F)  { fuzz(f, "merkle proof") }
func FuzzDecodeStateProof(f *testing.F)   { fuzz(f, "state proof") }
func FuzzDecodeTransferBody(f *testing.F) { fuzz(f, "transfer body") }
func FuzzDecodeBurnBody(f *testing.F)     { fuzz(f, "burn body") }
func FuzzDecodeRunBody(f *testing.F)      { fuzz(f, "run body", RunBody{Questions: questions(2)}.Encode()) }
func FuzzDecodeLockBody(f *testing.F)     { fuzz(f, "lock body") }
func FuzzDecodeClaimBody(f *testing.F) {
	fuzz(f, "claim body", ClaimBody{Questions: questions(2)}.Encode())
}
func FuzzDecodeLockRefBody(f *testing.F)    { fuzz(f, "lock reference") }
func FuzzDecodeLock(f *testing.F)           { fuzz(f, "lock") }
func FuzzDecodeSpawnBody(f *testing.F)      { fuzz(f, "spawn body") }
func FuzzDecodePermissionBody(f *testing.F) { fuzz(f, "permission body") }
func FuzzDecodeNameBody(f *testing.F)       { fuzz(f, "name body") }
func FuzzDecodeLinkBody(f *testing.F)       { fuzz(f, "link body") }
func FuzzDecodeRegisterBody(f *testing.F)   { fuzz(f, "register body") }
func FuzzDecodeRotateBody(f *testing.F)     { fuzz(f, "rotate body") }
func FuzzDecodeStakeBody(f *testing.F)      { fuzz(f, "stake body") }
func FuzzDecodeVoteBody(f *testing.F)       { fuzz(f, "vote body") }
func FuzzDecodeEvidenceBody(f *testing.F)   { fuzz(f, "evidence body") }

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

// FuzzVerifyFinality verifies whatever decodes: a proof, a header and a set.
func FuzzVerifyFinality(f *testing.F) {
	f.Add(testFinality(testSet(4), 0, 1, 3).Encode(), testHeader().Encode(), testSet(4).Encode())
	f.Fuzz(func(t *testing.T, p, h, s []byte) {
		proof, err := DecodeFinality(p)
		if err != nil {
			return
		}
		header, err := DecodeHeader(h)
		if err != nil {
			return
		}
		set, err := DecodeSet(s)
		if err != nil {
			return
		}
		if proof.Verify(set, header) == nil && proof.Cert.Block != header.ID() && !header.Closes() {
			t.Fatal("a certificate for another block")
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
