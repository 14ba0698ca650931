package secure

import (
	"errors"
	"fmt"
	"io"

	"github.com/flynn/noise"

	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Domain begins every prologue: a handshake of anything else is none here.
const Domain = "paloalto transport-udp noise 1\x00"

// Limits of a handshake, in bytes.
const (
	// SeedSize is the randomness that an end brings to a handshake.
	SeedSize = 32
	// MaxCertificate is the longest certificate that fits the datagrams of a handshake.
	MaxCertificate = 640
	// MaxExtra is the most that the one who answers may tell besides.
	MaxExtra = 256
)

// Errors of a handshake.
var (
	// ErrHandshake: a message was altered, belongs to another handshake, or is none.
	ErrHandshake = errors.New("handshake does not fit")
	// ErrIdentity: the handshake is genuine, and its certificate is not.
	ErrIdentity = errors.New("handshake without a valid certificate")
	// ErrVersion: the peer wants a pattern that this end does not have.
	ErrVersion = errors.New("handshake of an unknown version")
)

// Identity is what a node proves in a handshake.
type Identity struct {
	static      noise.DHKey
	certificate []byte
}

// NewIdentity makes one with a new key, without a certificate.
func NewIdentity(random io.Reader) (*Identity, error) {
	key, err := noise.DH25519.GenerateKeypair(random)
	if err != nil {
		return nil, fmt.Errorf("make a session key: %w", err)
	}
	return &Identity{static: key}, nil
}

// Public returns the key that the certificate is for.
func (id *Identity) Public() []byte { return id.static.Public }

// Certify sets the certificate, after having checked it, and returns the node key.
func (id *Identity) Certify(certificate []byte) (types.PublicKey, error) {
	if len(certificate) > MaxCertificate {
		return types.PublicKey{}, fmt.Errorf("certificate of %d bytes, at most %d fit a handshake", len(certificate), MaxCertificate)
	}
	node, err := transport.VerifyBinding(id.static.Public, certificate)
	if err == nil {
		id.certificate = certificate
	}
	return node, err
}

// CertificateSize returns the length of the certificate in bytes.
func (id *Identity) CertificateSize() int { return len(id.certificate) }

// Peer is who is at the other end.
type Peer struct {
	Node   types.PublicKey // proven
	Static [32]byte        // its session key: another one is another process
}

// Result is a handshake that an end has completed.
type Result struct {
	Peer
	Extra   []byte // what the one who answered has told; only the caller has it
	Session *Session
}

// Pattern is a way to exchange keys in three messages.
type Pattern interface {
	// Call begins a handshake. Seed is fresh randomness.
	Call(id *Identity, seed [SeedSize]byte, prologue []byte) (Call, error)
	// Answer answers a first message, and tells extra under encryption.
	Answer(id *Identity, seed [SeedSize]byte, prologue, first, extra []byte) (Answer, error)
}

// Call is the caller's side of a handshake.
type Call interface {
	First() []byte
	// Finish takes the second message and makes the third. After an error it can be called again: a message that somebody
	// made up does not spoil the handshake.
	Finish(second []byte, rotation Rotation) (third []byte, r Result, err error)
}

// Answer is the other side.
type Answer interface {
	Second() []byte
	// Finish takes the third message. After an error it can be called again.
	Finish(third []byte, rotation Rotation) (Result, error)
}

// Latest is the version that callers use.
const Latest = VersionXX

func pattern(version byte) (Pattern, error) {
	if version == VersionXX {
		return xx{}, nil
	}
	return nil, fmt.Errorf("%w: %d, this node has %d", ErrVersion, version, VersionXX)
}

// NewCall begins a handshake of the latest version. Its messages begin with the version.
func NewCall(id *Identity, seed [SeedSize]byte, prologue []byte) (Call, error) {
	p, err := pattern(Latest)
	if err != nil {
		return nil, err
	}
	return p.Call(id, seed, prologue)
}

// NewAnswer answers a first message of any version that is known.
func NewAnswer(id *Identity, seed [SeedSize]byte, prologue, first, extra []byte) (Answer, error) {
	if len(first) == 0 {
		return nil, fmt.Errorf("%w: empty", ErrHandshake)
	}
	if len(extra) > MaxExtra {
		return nil, fmt.Errorf("%w: %d bytes besides", ErrHandshake, len(extra))
	}
	p, err := pattern(first[0])
	if err != nil {
		return nil, err
	}
	return p.Answer(id, seed, prologue, first, extra)
}
