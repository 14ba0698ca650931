package network

import (
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// channelHello is the transport channel of hellos; those of chains are 33 bytes long.
const channelHello = "hello"

// Version is the version of the protocol between nodes.
const Version = 1

const (
	kindHello byte = 1 // key, nonce
	kindProof byte = 2 // key, nonce of the other, signature, chains
)

// maxChains bounds the chains that a node may say it has.
const maxChains = 1024

type nonce [16]byte

type hello struct {
	version uint64
	key     types.PublicKey
	nonce   nonce
}

func (h hello) encode() []byte {
	e := types.NewEncoder(64)
	e.Byte(kindHello)
	e.Uint(h.version)
	e.Byte(byte(h.key.Scheme))
	e.Blob(h.key.Key)
	e.Raw(h.nonce[:])
	return e.Bytes()
}

// chainInfo is what a node says of one of its chains.
type chainInfo struct {
	id    types.ChainID
	rules string // rules versions of the chain's plugins, as "name/version" separated by spaces
}

type proof struct {
	key    types.PublicKey
	nonce  nonce
	chains []chainInfo
	sig    []byte
}

// signBytes is what a proof's signature covers: everything in it, and to whom it is meant.
func (p proof) signBytes(to types.Hash) []byte {
	e := types.NewEncoder(256)
	e.Raw([]byte(types.DomainHello))
	e.Hash(to)
	e.Raw(p.encodeUnsigned())
	return e.Bytes()
}

func (p proof) encodeUnsigned() []byte {
	e := types.NewEncoder(128)
	e.Byte(kindProof)
	e.Byte(byte(p.key.Scheme))
	e.Blob(p.key.Key)
	e.Raw(p.nonce[:])
	e.Uint(uint64(len(p.chains)))
	for _, c := range p.chains {
		e.Hash(c.id)
		e.String(c.rules)
	}
	return e.Bytes()
}

func (p proof) encode() []byte {
	e := types.NewEncoder(256)
	e.Raw(p.encodeUnsigned())
	e.Blob(p.sig)
	return e.Bytes()
}

// decodeGreeting reads a hello or a proof; one of the results is nil.
func decodeGreeting(b []byte) (*hello, *proof, error) {
	d := types.NewDecoder(b)
	switch kind := d.Byte(); kind {
	case kindHello:
		h := &hello{version: d.Uint(), key: types.PublicKey{Scheme: types.Scheme(d.Byte()), Key: d.Blob(types.MaxKeyBytes)}}
		copy(h.nonce[:], d.Raw(16))
		if err := d.Finish(); err != nil {
			return nil, nil, fmt.Errorf("hello: %w", err)
		}
		return h, nil, h.key.Validate()
	case kindProof:
		p := &proof{key: types.PublicKey{Scheme: types.Scheme(d.Byte()), Key: d.Blob(types.MaxKeyBytes)}}
		copy(p.nonce[:], d.Raw(16))
		for range d.Count(maxChains, 33) {
			p.chains = append(p.chains, chainInfo{d.Hash(), d.String(1024)})
		}
		p.sig = d.Blob(types.MaxSignatureBytes)
		if err := d.Finish(); err != nil {
			return nil, nil, fmt.Errorf("proof: %w", err)
		}
		return nil, p, p.key.Validate()
	default:
		d.Fail("greeting of kind %d is unknown", kind)
		return nil, nil, d.Finish()
	}
}

var errGreeting = errors.New("bad greeting")
