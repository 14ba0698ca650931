package types

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Hash is a SHA-256 digest.
type Hash [32]byte

// ChainID names a chain: the hash of its genesis document.
type ChainID = Hash

// BlockID is the hash of a block's header.
type BlockID = Hash

// TxID is the hash of a transaction's signed bytes.
type TxID = Hash

// Domain strings. Each hash and signature in the framework starts with exactly one of them.
const (
	DomainTx          = "paloalto/tx/1\x00"
	DomainHeader      = "paloalto/header/1\x00"
	DomainBody        = "paloalto/body/1\x00"
	DomainCertificate = "paloalto/certificate/1\x00"
	DomainSet         = "paloalto/set/1\x00"
	DomainSign        = "paloalto/sign/1\x00"
	DomainAccount     = "paloalto/account/1\x00"
	DomainKey         = "paloalto/key/1\x00"
	DomainExtension   = "paloalto/extension/1\x00"
	DomainReceipt     = "paloalto/receipt/1\x00"
	DomainStateKey    = "paloalto/statekey/1\x00"
	DomainStateValue  = "paloalto/statevalue/1\x00"
	DomainStateLeaf   = "paloalto/stateleaf/1\x00"
	DomainStateBranch = "paloalto/statebranch/1\x00"
	DomainHello       = "paloalto/hello/1\x00"
)

// Sum hashes a domain and the concatenation of parts.
func Sum(domain string, parts ...[]byte) Hash {
	h := sha256.New()
	h.Write([]byte(domain))
	for _, p := range parts {
		h.Write(p)
	}
	var out Hash
	h.Sum(out[:0])
	return out
}

// IsZero tells whether all bytes are zero, which stands for "none".
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns 64 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short returns the first eight hexadecimal digits, for logs.
func (h Hash) Short() string { return hex.EncodeToString(h[:4]) }

// MarshalText writes 64 hexadecimal digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 64 hexadecimal digits.
func (h *Hash) UnmarshalText(text []byte) error {
	v, err := ParseHash(string(text))
	if err == nil {
		*h = v
	}
	return err
}

// ParseHash reads 64 hexadecimal digits.
func ParseHash(s string) (h Hash, err error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		return h, fmt.Errorf("hash %q: %w: %v", s, ErrMalformed, err)
	}
	return HashFromBytes(b)
}

// HashFromBytes copies exactly 32 bytes.
func HashFromBytes(b []byte) (h Hash, err error) {
	if len(b) != len(h) {
		return h, fmt.Errorf("hash of %d bytes: %w", len(b), ErrMalformed)
	}
	copy(h[:], b)
	return h, nil
}
