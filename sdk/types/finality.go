package types

import "fmt"

// Limits of a finality proof.
const (
	MaxSuffix        = 1024                                                      // headers between a closing block and the block that a certificate names
	MaxFinalityBytes = MaxCertificateBytes + MaxSuffix*(MaxHeaderBytes+3) + 1024 // encoded
)

// Finality shows that a block is irreversible. Cert names the block, or, if the block closes its epoch, it may name a block of
// the same epoch that descends from it: then Suffix holds the headers from the block's child up to the named one. Such blocks
// exist only to carry votes and are no part of the chain, so the certificate says nothing more than that the closing block is
// final.
type Finality struct {
	Cert   *Certificate
	Suffix []*Header
}

// Encode returns the canonical bytes.
func (f *Finality) Encode() []byte {
	e := NewEncoder(128 + 66*len(f.Cert.Signatures) + 450*len(f.Suffix))
	e.Blob(f.Cert.Encode())
	e.Uint(uint64(len(f.Suffix)))
	for _, h := range f.Suffix {
		e.Blob(h.Encode())
	}
	return e.Bytes()
}

// DecodeFinality is the inverse of [Finality.Encode]. It verifies no signature.
func DecodeFinality(b []byte) (*Finality, error) {
	if len(b) > MaxFinalityBytes {
		return nil, fmt.Errorf("finality: %w: %d bytes, at most %d are allowed", ErrMalformed, len(b), MaxFinalityBytes)
	}
	d := NewDecoder(b)
	raw := d.Blob(MaxCertificateBytes)
	n := d.Count(MaxSuffix, 300)
	hs := make([][]byte, 0, n)
	for range n {
		hs = append(hs, d.Blob(MaxHeaderBytes))
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("finality: %w", err)
	}
	c, err := DecodeCertificate(raw)
	if err != nil {
		return nil, fmt.Errorf("finality: %w", err)
	}
	f := &Finality{Cert: c}
	for _, raw := range hs {
		h, err := DecodeHeader(raw)
		if err != nil {
			return nil, fmt.Errorf("finality: %w", err)
		}
		f.Suffix = append(f.Suffix, h)
	}
	return f, nil
}

// Verify checks that the certificate is valid under the set of the block's epoch and makes the block irreversible.
func (f *Finality) Verify(set *Set, h *Header) error {
	if err := f.Links(h); err != nil {
		return err
	}
	return f.Cert.Verify(h.Chain, set)
}

// Links checks all of [Finality.Verify] but the certificate's signatures.
func (f *Finality) Links(h *Header) error {
	if f == nil || f.Cert == nil {
		return fmt.Errorf("%w: there is none", ErrBadCertificate)
	}
	if len(f.Suffix) > 0 && !h.Closes() || len(f.Suffix) > MaxSuffix {
		return fmt.Errorf("%w: %d blocks after one of height %d, which is not for a block that does not close its epoch", ErrBadCertificate,
			len(f.Suffix), h.Height)
	}
	tip, id := h, h.ID()
	for _, s := range f.Suffix {
		if s.Chain != h.Chain || s.Epoch != h.Epoch || s.Parent != id || s.Height != tip.Height+1 || s.Slot <= tip.Slot || s.Closes() {
			return fmt.Errorf("%w: the block at height %d does not follow the closing block at height %d", ErrBadCertificate, s.Height, h.Height)
		}
		tip, id = s, s.ID()
	}
	if c := f.Cert; c.Block != id || c.Height != tip.Height || c.Slot != tip.Slot || c.Epoch != h.Epoch {
		return fmt.Errorf("%w: it names block %s at height %d of epoch %d, want %s at height %d of epoch %d", ErrBadCertificate, c.Block.Short(),
			c.Height, c.Epoch, id.Short(), tip.Height, h.Epoch)
	}
	return nil
}
