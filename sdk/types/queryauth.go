package types

import (
	"crypto/sha256"
	"fmt"
)

// DomainQuery begins what is signed to ask a module in an account's name. No signature of it is one of a transaction.
const DomainQuery = "paloalto/query/1\x00"

// ActionQuery is the action for which an account's links are asked which permission asks a module in its name: a link with the
// pattern "MODULE.query", "MODULE.*" or "*" says so, else it is "active".
const ActionQuery = "query"

// Limits of a signed right to ask.
const (
	MaxQueryPathBytes   = 256
	MaxSignedQueryBytes = 128 << 10 // with its signatures
)

// QueryAuth says in whose name a module is asked, so that it can show what only that account may see. It is good for one
// question, on one chain, until a slot. Whoever gets hold of it can ask the same question again until then, and do nothing else.
type QueryAuth struct {
	Account    AccountID
	Permission string // "" stands for the permission that the account's links ask for, see [ActionQuery]
	Authority  []byte // encoded first authority, of an account that has not revealed it on the chain yet; else empty
	Module     string
	Path       string
	Argument   Hash   // [QueryArgumentHash] of the question's argument
	Expires    uint64 // last slot in which it is good; at most a transaction's lifetime ahead
}

// QueryArgumentHash is what a [QueryAuth] holds of the argument of a question.
func QueryArgumentHash(argument []byte) Hash { return sha256.Sum256(argument) }

// Encode returns the bytes that are signed, after the domain and the chain id.
func (q *QueryAuth) Encode() []byte {
	e := NewEncoder(160 + len(q.Authority))
	e.Byte(1) // format
	e.Raw(q.Account[:])
	e.String(q.Permission)
	e.Blob(q.Authority)
	e.String(q.Module)
	e.String(q.Path)
	e.Hash(q.Argument)
	e.Uint(q.Expires)
	return e.Bytes()
}

// DecodeQueryAuth is the inverse of [QueryAuth.Encode]. It does not look into Authority. The result aliases b.
func DecodeQueryAuth(b []byte) (*QueryAuth, error) {
	if len(b) > MaxSignedQueryBytes {
		return nil, fmt.Errorf("right to ask: %w: %d bytes, at most %d are allowed", ErrMalformed, len(b), MaxSignedQueryBytes)
	}
	d := NewDecoder(b)
	if f := d.Byte(); f != 1 {
		d.Fail("format %d is unknown", f)
	}
	q := &QueryAuth{}
	copy(q.Account[:], d.Raw(len(q.Account)))
	q.Permission = d.String(MaxNameBytes)
	q.Authority = d.Blob(MaxAuthorityBytes)
	q.Module = d.String(MaxNameBytes)
	q.Path = d.String(MaxQueryPathBytes)
	q.Argument = d.Hash()
	q.Expires = d.Uint()
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("right to ask: %w", err)
	}
	return q, nil
}

// QuerySignBytes returns what is signed for the bytes of a [QueryAuth] on a chain.
func QuerySignBytes(chain ChainID, raw []byte) []byte {
	out := make([]byte, 0, len(DomainQuery)+len(chain)+len(raw))
	out = append(out, DomainQuery...)
	out = append(out, chain[:]...)
	return append(out, raw...)
}

// SignedQuery is the bytes of a [QueryAuth] as received, and signatures over [QuerySignBytes] of them.
type SignedQuery struct {
	Raw        []byte
	Signatures []Signature
}

// Encode returns the bytes that go with a question. They are laid out like an [Envelope].
func (s *SignedQuery) Encode() []byte {
	return (&Envelope{Raw: s.Raw, Signatures: s.Signatures}).Encode()
}

// DecodeSignedQuery is the inverse of [SignedQuery.Encode]. It does not look into Raw. The result aliases b.
func DecodeSignedQuery(b []byte) (*SignedQuery, error) {
	if len(b) > MaxSignedQueryBytes {
		return nil, fmt.Errorf("right to ask: %w: %d bytes, at most %d are allowed", ErrMalformed, len(b), MaxSignedQueryBytes)
	}
	v, err := DecodeEnvelope(b)
	if err != nil {
		return nil, fmt.Errorf("right to ask: %w", err)
	}
	return &SignedQuery{Raw: v.Raw, Signatures: v.Signatures}, nil
}
