package types

import (
	"crypto/ed25519"
	"fmt"
)

// AccountID names an account: the hash of its first authority and a salt. Its text form is bech32m, "alto1…".
type AccountID [32]byte

// Human-readable parts of the text forms.
const (
	accountHRP = "alto"
	keyHRP     = "altopub"
)

// BurnAccount is where burned tokens go. Nobody holds its authority: no input is known to hash to zero.
var BurnAccount = AccountID{}

// String returns the bech32m form.
func (a AccountID) String() string { return bech32mEncode(accountHRP, a[:]) }

// MarshalText writes the bech32m form.
func (a AccountID) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the bech32m form.
func (a *AccountID) UnmarshalText(text []byte) error {
	v, err := ParseAccountID(string(text))
	if err == nil {
		*a = v
	}
	return err
}

// ParseAccountID reads "alto1…".
func ParseAccountID(s string) (a AccountID, err error) {
	b, err := bech32mDecode(accountHRP, s)
	if err == nil && len(b) != len(a) {
		err = fmt.Errorf("%w: %d bytes, an account id has %d", ErrMalformed, len(b), len(a))
	}
	if err != nil {
		return a, fmt.Errorf("account %q: %w", s, err)
	}
	copy(a[:], b)
	return a, nil
}

// Place is where the items of an account, or of anything with an id, lie in the state tree: 8 bytes of the id.
type Place [8]byte

// Place returns the account's place in the state tree.
func (a AccountID) Place() (p Place) {
	copy(p[:], a[:8])
	return p
}

// Scheme names a signature scheme. Zero is never valid.
type Scheme uint8

// SchemeEd25519 is Ed25519, verified by the ZIP-215 rules.
const SchemeEd25519 Scheme = 1

// PublicKey is a key with its scheme. Key has 32 bytes for [SchemeEd25519].
type PublicKey struct {
	Scheme Scheme
	Key    []byte
}

// MaxKeyBytes bounds a public key of any scheme, and MaxSignatureBytes a signature.
const (
	MaxKeyBytes       = 4096
	MaxSignatureBytes = 16384
)

// Ed25519Key wraps a raw key.
func Ed25519Key(key ed25519.PublicKey) PublicKey { return PublicKey{SchemeEd25519, key} }

// Hash is what accounts keep of a key.
func (k PublicKey) Hash() Hash { return Sum(DomainKey, []byte{byte(k.Scheme)}, k.Key) }

// String returns the bech32m form, "altopub1…".
func (k PublicKey) String() string {
	return bech32mEncode(keyHRP, append([]byte{byte(k.Scheme)}, k.Key...))
}

// MarshalText writes the bech32m form.
func (k PublicKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the bech32m form.
func (k *PublicKey) UnmarshalText(text []byte) error {
	v, err := ParsePublicKey(string(text))
	if err == nil {
		*k = v
	}
	return err
}

// ParsePublicKey reads "altopub1…" and checks the scheme and the length.
func ParsePublicKey(s string) (PublicKey, error) {
	b, err := bech32mDecode(keyHRP, s)
	if err != nil {
		return PublicKey{}, fmt.Errorf("public key %q: %w", s, err)
	}
	if len(b) == 0 {
		return PublicKey{}, fmt.Errorf("public key %q: %w: empty", s, ErrMalformed)
	}
	k := PublicKey{Scheme(b[0]), b[1:]}
	if err := k.Validate(); err != nil {
		return PublicKey{}, fmt.Errorf("public key %q: %w", s, err)
	}
	return k, nil
}

// Validate checks scheme and length.
func (k PublicKey) Validate() error {
	if k.Scheme != SchemeEd25519 {
		return fmt.Errorf("%w: signature scheme %d is unknown", ErrMalformed, k.Scheme)
	}
	if len(k.Key) != ed25519.PublicKeySize {
		return fmt.Errorf("%w: an ed25519 key has %d bytes, not %d", ErrMalformed, ed25519.PublicKeySize, len(k.Key))
	}
	return nil
}
