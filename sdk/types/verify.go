package types

import (
	"errors"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// ErrBadSignature says that a signature does not verify.
var ErrBadSignature = errors.New("signature does not verify")

// zip215 are the rules under which single and batch verification always agree, so that the way in which a node
// verifies cannot split a chain (https://zips.z.cash/zip-0215).
var zip215 = &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215}

// VerifySignature checks one signature over msg.
func VerifySignature(key PublicKey, msg, sig []byte) error {
	if err := key.Validate(); err != nil {
		return err
	}
	if len(sig) != ed25519.SignatureSize || !ed25519.VerifyWithOptions(key.Key, msg, sig, zip215) {
		return ErrBadSignature
	}
	return nil
}

// BatchVerifier collects signatures and verifies them together, which is about twice as fast as one by one.
type BatchVerifier struct {
	v   *ed25519.BatchVerifier
	bad bool
	ok  []bool // well-formed, by index
}

// NewBatchVerifier returns a verifier with room for n signatures.
func NewBatchVerifier(n int) *BatchVerifier {
	return &BatchVerifier{v: ed25519.NewBatchVerifierWithCapacity(n)}
}

// Add queues a signature.
func (b *BatchVerifier) Add(key PublicKey, msg, sig []byte) {
	ok := key.Validate() == nil && len(sig) == ed25519.SignatureSize
	b.ok = append(b.ok, ok)
	if !ok {
		b.bad = true
		return
	}
	b.v.AddWithOptions(key.Key, msg, sig, zip215)
}

// Verify returns whether all are valid, and which.
func (b *BatchVerifier) Verify() (all bool, each []bool) {
	if len(b.ok) == 0 {
		return true, nil
	}
	each = make([]bool, len(b.ok))
	anyOK := false
	for _, ok := range b.ok {
		anyOK = anyOK || ok
	}
	if !anyOK {
		return false, each
	}
	all, valid := b.v.Verify(nil)
	j := 0
	for i, ok := range b.ok {
		if ok {
			each[i] = valid[j]
			j++
		}
	}
	return all && !b.bad, each
}
