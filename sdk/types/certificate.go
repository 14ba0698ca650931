package types

import (
	"errors"
	"fmt"
)

// MaxCertificateBytes bounds an encoded certificate.
const MaxCertificateBytes = 128 << 10

// CertScheme names the way in which a certificate's signatures are put together.
type CertScheme uint8

// CertEd25519List is one Ed25519 signature for each bit of the bitmap, in order.
const CertEd25519List CertScheme = 1

// Certificate shows that a quorum of a set has committed to a block, which makes the block and all its ancestors
// irreversible. One type serves every consensus plugin.
type Certificate struct {
	Scheme     CertScheme
	SetHash    Hash
	Epoch      uint64
	Slot       uint64
	Height     uint64
	Block      BlockID
	Bitmap     []byte // bit i (least significant first) stands for seat i
	Signatures [][]byte
}

// ErrBadCertificate says that a certificate does not verify.
var ErrBadCertificate = errors.New("bad certificate")

// SignBytes returns what is signed for a plugin: a purpose of its own and a payload, under a domain in which no
// transaction can ever be signed.
func SignBytes(chain Hash, purpose string, payload []byte) []byte {
	e := NewEncoder(len(DomainSign) + 64 + len(payload))
	e.Raw([]byte(DomainSign))
	e.Hash(chain)
	e.String(purpose)
	e.Raw(payload)
	return e.Bytes()
}

// PurposeCommit is the purpose under which a certificate's votes are signed.
const PurposeCommit = "commit"

// CommitPayload returns the payload of a commit vote; [SignBytes] with [PurposeCommit] completes it. It is at fixed
// offsets: set hash 32, block id 32, then epoch, slot and height as varints.
func CommitPayload(setHash Hash, epoch, slot, height uint64, block BlockID) []byte {
	e := NewEncoder(96)
	e.Hash(setHash)
	e.Hash(block)
	e.Uint(epoch)
	e.Uint(slot)
	e.Uint(height)
	return e.Bytes()
}

// Encode returns the certificate's canonical bytes.
func (c *Certificate) Encode() []byte {
	e := NewEncoder(120 + 66*len(c.Signatures))
	e.Byte(byte(c.Scheme))
	e.Hash(c.SetHash)
	e.Uint(c.Epoch)
	e.Uint(c.Slot)
	e.Uint(c.Height)
	e.Hash(c.Block)
	e.Blob(c.Bitmap)
	e.Uint(uint64(len(c.Signatures)))
	for _, s := range c.Signatures {
		e.Blob(s)
	}
	return e.Bytes()
}

// DecodeCertificate is the inverse of [Certificate.Encode]. It verifies no signature.
func DecodeCertificate(b []byte) (*Certificate, error) {
	if len(b) > MaxCertificateBytes {
		return nil, fmt.Errorf("certificate: %w: %d bytes", ErrMalformed, len(b))
	}
	d := NewDecoder(b)
	c := &Certificate{Scheme: CertScheme(d.Byte()), SetHash: d.Hash(), Epoch: d.Uint(), Slot: d.Uint(), Height: d.Uint(),
		Block: d.Hash(), Bitmap: d.Blob(MaxSeats / 8)}
	n := d.Count(MaxSeats, 1)
	for range n {
		c.Signatures = append(c.Signatures, d.Blob(MaxSignatureBytes))
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return c, nil
}

// Verify checks the certificate for an instance against the set that was in force: the right set, a bitmap of exactly
// its size, one valid signature a bit, and enough weight.
func (c *Certificate) Verify(chain Hash, set *Set) error {
	if c.Scheme != CertEd25519List {
		return fmt.Errorf("%w: scheme %d is unknown", ErrBadCertificate, c.Scheme)
	}
	keys, msg, err := c.Signers(chain, set)
	if err != nil {
		return err
	}
	return VerifyEd25519List(keys, msg, c.Signatures)
}

// Signers checks all of a certificate but its signatures: the right set, a bitmap of exactly its size, and enough weight. It
// returns the keys of the seats that the bitmap names, in the order of their bits, and the message that each has signed.
func (c *Certificate) Signers(chain Hash, set *Set) (keys []PublicKey, msg []byte, err error) {
	if err := set.Validate(); err != nil { // a set without weight would make an empty certificate good
		return nil, nil, fmt.Errorf("%w: %w", ErrBadCertificate, err)
	}
	if h := set.Hash(); c.SetHash != h || c.Epoch != set.Epoch {
		return nil, nil, fmt.Errorf("%w: made by set %s of epoch %d, want %s of epoch %d", ErrBadCertificate, c.SetHash.Short(), c.Epoch,
			h.Short(), set.Epoch)
	}
	if len(c.Bitmap) != (len(set.Seats)+7)/8 {
		return nil, nil, fmt.Errorf("%w: bitmap of %d bytes for %d seats", ErrBadCertificate, len(c.Bitmap), len(set.Seats))
	}
	keys = make([]PublicKey, 0, len(set.Seats))
	var weight uint64
	for i := range len(c.Bitmap) * 8 {
		if c.Bitmap[i/8]>>(i%8)&1 == 0 {
			continue
		}
		if i >= len(set.Seats) {
			return nil, nil, fmt.Errorf("%w: bit %d for %d seats", ErrBadCertificate, i, len(set.Seats))
		}
		keys = append(keys, set.Seats[i].Key)
		weight += set.Seats[i].Weight
	}
	if weight < set.Threshold {
		return nil, nil, fmt.Errorf("%w: weight %d is below the threshold %d", ErrBadCertificate, weight, set.Threshold)
	}
	return keys, SignBytes(chain, PurposeCommit, CommitPayload(c.SetHash, c.Epoch, c.Slot, c.Height, c.Block)), nil
}

// VerifyEd25519List checks the signatures of a certificate of scheme [CertEd25519List]: one of each key over the message, in
// order.
func VerifyEd25519List(keys []PublicKey, msg []byte, signatures [][]byte) error {
	if len(signatures) != len(keys) {
		return fmt.Errorf("%w: %d signatures for %d bits", ErrBadCertificate, len(signatures), len(keys))
	}
	batch := NewBatchVerifier(len(keys))
	for i, k := range keys {
		batch.Add(k, msg, signatures[i])
	}
	if all, _ := batch.Verify(); !all {
		return fmt.Errorf("%w: %w", ErrBadCertificate, ErrBadSignature)
	}
	return nil
}
