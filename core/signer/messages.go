package signer

import (
	"bytes"
	"crypto/ed25519"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// SignHello signs a greeting between nodes, which has to begin with types.DomainHello. Nothing else is signed.
func (s *Signer) SignHello(message []byte) ([]byte, error) {
	if !bytes.HasPrefix(message, []byte(types.DomainHello)) || len(message) == len(types.DomainHello) {
		return nil, fmt.Errorf("sign hello: %w: the message is not in the domain of greetings", ErrBadRequest)
	}
	return ed25519.Sign(s.key, message), nil
}

// BindTransport returns a certificate that a transport's session key belongs to this node, for transport.VerifyBinding.
func (s *Signer) BindTransport(sessionKey []byte) ([]byte, error) {
	if len(sessionKey) == 0 || len(sessionKey) > transport.MaxSessionKey {
		return nil, fmt.Errorf("bind transport: %w: a session key of %d bytes", ErrBadRequest, len(sessionKey))
	}
	return transport.EncodeBinding(s.pub, ed25519.Sign(s.key, transport.BindingBytes(sessionKey))), nil
}

// Wallet signs transactions, and rights to ask, with a user's key.
type Wallet struct {
	key ed25519.PrivateKey
	pub types.PublicKey
}

// NewWallet makes a wallet from a seed of [SeedBytes] bytes.
func NewWallet(seed []byte) (*Wallet, error) {
	if len(seed) != SeedBytes {
		return nil, fmt.Errorf("open wallet: a seed has %d bytes, not %d", SeedBytes, len(seed))
	}
	key := ed25519.NewKeyFromSeed(seed)
	return &Wallet{key, publicOf(key)}, nil
}

// Public returns the public key.
func (w *Wallet) Public() types.PublicKey { return w.pub }

// SignTx signs the bytes of a transaction for a chain.
func (w *Wallet) SignTx(chain types.ChainID, raw []byte) ([]byte, error) {
	if len(raw) == 0 || len(raw) > types.MaxTxBytes {
		return nil, fmt.Errorf("sign transaction: %w: %d bytes, 1 to %d are allowed", ErrBadRequest, len(raw), types.MaxTxBytes)
	}
	return ed25519.Sign(w.key, types.TxSignBytes(chain, raw)), nil
}

// SignQuery signs the bytes of a types.QueryAuth for a chain: a right to ask a module in the name of the key's account.
func (w *Wallet) SignQuery(chain types.ChainID, raw []byte) ([]byte, error) {
	if len(raw) == 0 || len(raw) > types.MaxSignedQueryBytes {
		return nil, fmt.Errorf("sign query: %w: %d bytes, 1 to %d are allowed", ErrBadRequest, len(raw), types.MaxSignedQueryBytes)
	}
	return ed25519.Sign(w.key, types.QuerySignBytes(chain, raw)), nil
}
