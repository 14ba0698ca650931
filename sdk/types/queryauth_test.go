package types

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
)

func testQueryAuth() *QueryAuth {
	return &QueryAuth{Account: testAuthority().ID(), Permission: "read", Authority: testAuthority().Encode(), Module: "names", Path: "note/alice",
		Argument: QueryArgumentHash([]byte("argument")), Expires: 1234}
}

func testSignedQuery(chain ChainID) *SignedQuery {
	k, pub := testKey(0)
	raw := testQueryAuth().Encode()
	return &SignedQuery{Raw: raw, Signatures: []Signature{{Key: pub, Sig: ed25519.Sign(k, QuerySignBytes(chain, raw))}}}
}

func FuzzDecodeQueryAuth(f *testing.F)   { fuzz(f, "right to ask") }
func FuzzDecodeSignedQuery(f *testing.F) { fuzz(f, "signed query") }

// TestQueryAuthIsOfItsOwnDomain: what is signed to ask is no transaction and nothing of a plugin's, whatever the bytes, and
// belongs to one chain.
func TestQueryAuthIsOfItsOwnDomain(t *testing.T) {
	chain, raw := testHash("chain"), testQueryAuth().Encode()
	q := QuerySignBytes(chain, raw)
	for name, other := range map[string][]byte{"a transaction's": TxSignBytes(chain, raw), "a plugin's": SignBytes(chain, "query", raw), "another chain's": QuerySignBytes(testHash("other"), raw)} {
		if bytes.Equal(q, other) {
			t.Errorf("the signed bytes are %s, too", name)
		}
	}
	for _, d := range []string{DomainTx, DomainHeader, DomainBody, DomainCertificate, DomainSet, DomainSign, DomainAccount, DomainKey, DomainExtension,
		DomainReceipt, DomainHello, DomainStateKey, DomainStateValue, DomainStateLeaf, DomainStateBranch} {
		if strings.HasPrefix(d, DomainQuery) || strings.HasPrefix(DomainQuery, d) {
			t.Errorf("domain %q begins like %q", DomainQuery, d)
		}
	}
	if !strings.HasPrefix(DomainQuery, "paloalto/") || strings.Index(DomainQuery, "\x00") != len(DomainQuery)-1 {
		t.Errorf("domain %q", DomainQuery)
	}
	k, pub := testKey(0)
	if VerifySignature(pub, TxSignBytes(chain, raw), ed25519.Sign(k, q)) == nil {
		t.Error("a right to ask passes for a signature of a transaction")
	}
}

func TestQueryAuthIsBounded(t *testing.T) {
	long := testQueryAuth()
	long.Path = strings.Repeat("p", MaxQueryPathBytes+1)
	if _, err := DecodeQueryAuth(long.Encode()); !errors.Is(err, ErrMalformed) {
		t.Errorf("a path that is too long: %v", err)
	}
	if _, err := DecodeSignedQuery((&SignedQuery{Raw: make([]byte, MaxSignedQueryBytes)}).Encode()); !errors.Is(err, ErrMalformed) {
		t.Errorf("too many bytes: %v", err)
	}
	if _, err := DecodeQueryAuth(make([]byte, MaxSignedQueryBytes+1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("too many bytes: %v", err)
	}
}
