package light

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Scheme checks the signatures of certificates that are put together in one way.
type Scheme interface {
	// ID is the number in a certificate that stands for the scheme.
	ID() types.CertScheme
	// Verify checks that signatures are those of all the keys over msg. Weights and thresholds are not its business.
	Verify(keys []types.PublicKey, msg []byte, signatures [][]byte) error
}

// Ed25519List is [types.CertEd25519List].
type Ed25519List struct{}

// ID implements [Scheme].
func (Ed25519List) ID() types.CertScheme { return types.CertEd25519List }

// Verify implements [Scheme].
func (Ed25519List) Verify(keys []types.PublicKey, msg []byte, signatures [][]byte) error {
	return types.VerifyEd25519List(keys, msg, signatures)
}

// Schemes are those that a client accepts. The zero value accepts none.
type Schemes struct{ byID map[types.CertScheme]Scheme }

// NewSchemes registers schemes. It fails with [ErrDoubleScheme] if two have the same number.
func NewSchemes(list ...Scheme) (Schemes, error) {
	s := Schemes{map[types.CertScheme]Scheme{}}
	for _, x := range list {
		if _, ok := s.byID[x.ID()]; ok {
			return Schemes{}, fmt.Errorf("%w: %d", ErrDoubleScheme, x.ID())
		}
		s.byID[x.ID()] = x
	}
	return s, nil
}

// AllSchemes returns what this version knows: [Ed25519List].
func AllSchemes() Schemes {
	return Schemes{map[types.CertScheme]Scheme{types.CertEd25519List: Ed25519List{}}}
}

// Certificate checks a certificate under a set as types.Certificate.Verify does, for every scheme that is registered.
func (s Schemes) Certificate(c *types.Certificate, chain types.Hash, set *types.Set) error {
	x, ok := s.byID[c.Scheme]
	if !ok {
		return fmt.Errorf("%w: %w: %d", types.ErrBadCertificate, ErrScheme, c.Scheme)
	}
	keys, msg, err := c.Signers(chain, set)
	if err != nil {
		return err
	}
	return x.Verify(keys, msg, c.Signatures)
}

// Finality checks that a block is final by a proof, under the set of its epoch, as types.Finality.Verify does.
func (s Schemes) Finality(f *types.Finality, set *types.Set, h *types.Header) error {
	if err := f.Links(h); err != nil {
		return err
	}
	return s.Certificate(f.Cert, h.Chain, set)
}
