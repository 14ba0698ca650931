package transporttest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Key is the node key of the node of a name. It is no secret.
func Key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("transporttest/node\x00" + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// NodeKey is the public half of [Key].
func NodeKey(name string) types.PublicKey {
	return types.Ed25519Key(Key(name).Public().(ed25519.PublicKey))
}

// NodeID is what a transport that authenticates calls the node of a name: the hash of its key.
func NodeID(name string) transport.PeerID { return transport.PeerID(NodeKey(name).Hash()) }

// Host is what the host of the node of a name offers to its transport: BindTransport, with [Key]. What is logged or measured
// is dropped; the rest fails with plugin.ErrHostUnavailable.
func Host(name string) plugin.Host { return nodeHost(name) }

type nodeHost string

func (h nodeHost) BindTransport(ctx context.Context, sessionKey []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(sessionKey) == 0 || len(sessionKey) > transport.MaxSessionKey {
		return nil, fmt.Errorf("bind a session key of %d bytes: %w", len(sessionKey), transport.ErrInvalid)
	}
	return transport.EncodeBinding(NodeKey(string(h)), ed25519.Sign(Key(string(h)), transport.BindingBytes(sessionKey))), nil
}

func (nodeHost) Sign(context.Context, string, uint64, []byte) ([]byte, error) {
	return nil, fmt.Errorf("sign: %w", plugin.ErrHostUnavailable)
}

func (nodeHost) ProveVRF(context.Context, []byte) ([]byte, error) {
	return nil, fmt.Errorf("prove VRF: %w", plugin.ErrHostUnavailable)
}

func (nodeHost) Derive(context.Context, string) ([]byte, error) {
	return nil, fmt.Errorf("derive: %w", plugin.ErrHostUnavailable)
}

func (nodeHost) Log(string, string, map[string]string) {}
func (nodeHost) Metric(string, float64)                {}
