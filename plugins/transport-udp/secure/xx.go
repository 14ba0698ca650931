package secure

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/flynn/noise"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// VersionXX is Noise_XX_25519_AESGCM_BLAKE2s. AES-GCM is what today's processors have instructions for.
const VersionXX byte = 1

// xx is the pattern XX: both ends show who they are, neither has to know the other before.
type xx struct{}

func suite() noise.CipherSuite {
	return noise.NewCipherSuite(noise.DH25519, noise.CipherAESGCM, noise.HashBLAKE2s)
}

// state begins one side. The ephemeral key follows from the seed, so that a side can be made again.
func (xx) state(id *Identity, seed []byte, prologue []byte, caller bool) (*noise.HandshakeState, error) {
	return noise.NewHandshakeState(noise.Config{CipherSuite: suite(), Random: bytes.NewReader(seed), Pattern: noise.HandshakeXX, Initiator: caller,
		Prologue: append([]byte(Domain), prologue...), StaticKeypair: id.static})
}

// xxCall and xxAnswer keep what makes their state again. A message that does not fit leaves the library's state half
// changed; then it is made anew, so that junk under the right tag costs time and nothing else.
type xxCall struct {
	id       *Identity
	seed     [SeedSize]byte
	prologue []byte
	first    []byte
	hs       *noise.HandshakeState
}

func (p xx) Call(id *Identity, seed [SeedSize]byte, prologue []byte) (Call, error) {
	c := &xxCall{id: id, seed: seed, prologue: bytes.Clone(prologue)}
	return c, c.start()
}

func (c *xxCall) start() error {
	hs, err := xx{}.state(c.id, c.seed[:], c.prologue, true)
	if err != nil {
		return fmt.Errorf("begin a handshake: %w", err)
	}
	first, _, _, err := hs.WriteMessage([]byte{VersionXX}, nil)
	if err != nil {
		return fmt.Errorf("begin a handshake: %w", err)
	}
	c.hs, c.first = hs, first
	return nil
}

func (c *xxCall) First() []byte { return c.first }

func (c *xxCall) Finish(second []byte, rotation Rotation) ([]byte, Result, error) {
	if len(second) == 0 || second[0] != VersionXX {
		return nil, Result{}, fmt.Errorf("%w: not the second message", ErrHandshake)
	}
	if c.hs == nil {
		if err := c.start(); err != nil {
			return nil, Result{}, err
		}
	}
	hs := c.hs
	c.hs = nil
	payload, _, _, err := hs.ReadMessage(nil, second[1:])
	if err != nil {
		return nil, Result{}, fmt.Errorf("%w: second message: %v", ErrHandshake, err)
	}
	if len(payload) < 2 || len(payload)-2 < int(binary.BigEndian.Uint16(payload)) {
		return nil, Result{}, fmt.Errorf("%w: second message of %d bytes", ErrIdentity, len(payload))
	}
	n := 2 + int(binary.BigEndian.Uint16(payload))
	peer, err := identify(hs, payload[n:])
	if err != nil {
		return nil, Result{}, err
	}
	third, out, in, err := hs.WriteMessage([]byte{VersionXX}, c.id.certificate)
	if err != nil {
		return nil, Result{}, fmt.Errorf("%w: third message: %v", ErrHandshake, err)
	}
	return third, Result{Peer: peer, Extra: payload[2:n:n], Session: newSession(out.UnsafeKey(), in.UnsafeKey(), rotation)}, nil
}

type xxAnswer struct {
	id                             *Identity
	seed                           [SeedSize]byte
	prologue, first, extra, second []byte
	hs                             *noise.HandshakeState
}

func (p xx) Answer(id *Identity, seed [SeedSize]byte, prologue, first, extra []byte) (Answer, error) {
	a := &xxAnswer{id: id, seed: seed, prologue: bytes.Clone(prologue), first: bytes.Clone(first), extra: bytes.Clone(extra)}
	return a, a.start()
}

func (a *xxAnswer) start() error {
	hs, err := xx{}.state(a.id, a.seed[:], a.prologue, false)
	if err != nil {
		return fmt.Errorf("answer a handshake: %w", err)
	}
	payload, _, _, err := hs.ReadMessage(nil, a.first[1:])
	if err != nil || len(payload) > 0 {
		return fmt.Errorf("%w: first message of %d bytes: %v", ErrHandshake, len(a.first), err)
	}
	tell := binary.BigEndian.AppendUint16(nil, uint16(len(a.extra)))
	tell = append(append(tell, a.extra...), a.id.certificate...)
	second, _, _, err := hs.WriteMessage([]byte{VersionXX}, tell)
	if err != nil {
		return fmt.Errorf("%w: first message: %v", ErrHandshake, err)
	}
	a.hs, a.second = hs, second
	return nil
}

func (a *xxAnswer) Second() []byte { return a.second }

func (a *xxAnswer) Finish(third []byte, rotation Rotation) (Result, error) {
	if len(third) == 0 || third[0] != VersionXX {
		return Result{}, fmt.Errorf("%w: not the third message", ErrHandshake)
	}
	if a.hs == nil {
		if err := a.start(); err != nil {
			return Result{}, err
		}
	}
	hs := a.hs
	a.hs = nil
	payload, in, out, err := hs.ReadMessage(nil, third[1:])
	if err != nil {
		return Result{}, fmt.Errorf("%w: third message: %v", ErrHandshake, err)
	}
	peer, err := identify(hs, payload)
	if err != nil {
		return Result{}, err
	}
	return Result{Peer: peer, Session: newSession(out.UnsafeKey(), in.UnsafeKey(), rotation)}, nil
}

// identify checks the certificate of the key that the peer has shown.
func identify(hs *noise.HandshakeState, certificate []byte) (p Peer, err error) {
	if copy(p.Static[:], hs.PeerStatic()) != len(p.Static) {
		return p, fmt.Errorf("%w: no key", ErrIdentity)
	}
	if p.Node, err = transport.VerifyBinding(p.Static[:], certificate); err != nil {
		return p, fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	return p, nil
}
