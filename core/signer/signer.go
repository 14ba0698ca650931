package signer

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"github.com/paloalto-chain/paloalto/core/journal/disk"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// SeedBytes is the length of the secret from which a key is made.
const SeedBytes = ed25519.SeedSize

// MaxPurposeBytes bounds a purpose.
const MaxPurposeBytes = 64

// domainDerive begins what Derive hashes, which never leaves this package.
const domainDerive = "paloalto/derive/1\x00"

// Request asks for a signature over types.SignBytes(chain, Purpose, Payload). Of all requests with a chain and a purpose,
// those with larger ordinals come later.
type Request struct {
	Purpose string
	Ordinal uint64
	Payload []byte
}

// Result is the answer to one request: a signature, or why there is none.
type Result struct {
	Sig []byte
	Err error
}

// Options are how a node's key is opened. The zero value is good.
type Options struct {
	// NewValidator says that the key has never signed anything, or that one knows that it cannot do harm: the missing guard
	// is begun anew. It is an error if there is one, so that nobody leaves it on.
	NewValidator bool
	FS           disk.FS // nil is the operating system's
}

// Signer signs with a node's key behind its guard. Its methods may be called concurrently.
type Signer struct {
	key   ed25519.PrivateKey
	pub   types.PublicKey
	guard *guard
}

// Open opens a key whose guard is in guardDir, which stays locked until Close.
func Open(seed []byte, guardDir string, opts Options) (*Signer, error) {
	if len(seed) != SeedBytes {
		return nil, fmt.Errorf("open key: a seed has %d bytes, not %d", SeedBytes, len(seed))
	}
	if opts.FS == nil {
		opts.FS = disk.OS{}
	}
	s := &Signer{key: ed25519.NewKeyFromSeed(seed)}
	s.pub = publicOf(s.key)
	open := openGuard
	if opts.NewValidator {
		open = createGuard
	}
	var err error
	s.guard, err = open(opts.FS, guardDir, s.pub)
	return s, err
}

func publicOf(key ed25519.PrivateKey) types.PublicKey {
	return types.Ed25519Key(key.Public().(ed25519.PublicKey))
}

// Public returns the public key.
func (s *Signer) Public() types.PublicKey { return s.pub }

// Close gives up the guard. Signatures are refused from then on.
func (s *Signer) Close() error { return s.guard.close() }

// SignAll signs for a chain, in order, what the guard allows. position is up to where the chain's journal is durable; it
// is remembered with the signatures. When SignAll returns, all of the guard's records are on the disk, with one sync for
// the whole call. An error means that nothing was signed; after one that wraps [ErrNoSpace] the call may be repeated.
func (s *Signer) SignAll(chain types.Hash, position uint64, reqs []Request) ([]Result, error) {
	results := make([]Result, len(reqs))
	messages := make([][]byte, len(reqs))
	wishes := make([]wish, len(reqs))
	for i, r := range reqs {
		if r.Purpose == "" || len(r.Purpose) > MaxPurposeBytes {
			results[i].Err = fmt.Errorf("%w: a purpose of %d bytes, 1 to %d are allowed", ErrBadRequest, len(r.Purpose), MaxPurposeBytes)
			continue
		}
		messages[i] = types.SignBytes(chain, r.Purpose, r.Payload)
		wishes[i] = wish{purpose: r.Purpose, ordinal: r.Ordinal, digest: sha256.Sum256(messages[i])}
	}
	verdicts, err := s.guard.allow(chain, position, wishes)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	for i := range reqs {
		if results[i].Err != nil {
			continue
		}
		if results[i].Err = verdicts[i]; results[i].Err == nil {
			results[i].Sig = ed25519.Sign(s.key, messages[i])
		}
	}
	return results, nil
}

// CheckJournal compares where a chain's journal ends with what the guard remembers. It must be called before the first
// signature for the chain. [ErrStaleJournal] means that the journal has lost what was signed after, and that the engine
// would not know of its own votes.
func (s *Signer) CheckJournal(chain types.Hash, end uint64) error {
	known := s.guard.position(chain)
	if end >= known {
		return nil
	}
	return fmt.Errorf("%w: for chain %s it ends at %d, but this key has signed when it reached to %d, and without what lies between nobody knows "+
		"its votes; put the newest copy of the journal back, or start the node with a new key and have that take the seat: this one must not sign for the "+
		"chain any more", ErrStaleJournal, chain, end, known)
}

// ProveVRF returns the proof for input of RFC 9381, ECVRF-EDWARDS25519-SHA512-ELL2.
func (s *Signer) ProveVRF(input []byte) ([]byte, error) {
	return ecvrf.Prove(voi.PrivateKey(s.key), input), nil
}

// VerifyVRF checks a proof and returns its 64 bytes of output.
func VerifyVRF(key types.PublicKey, input, proof []byte) ([]byte, error) {
	if err := key.Validate(); err != nil {
		return nil, fmt.Errorf("verify VRF: %w", err)
	}
	if len(proof) != ecvrf.ProofSize {
		return nil, fmt.Errorf("verify VRF: %w: a proof of %d bytes", types.ErrBadSignature, len(proof))
	}
	ok, out := ecvrf.Verify(voi.PublicKey(key.Key), proof, input)
	if !ok {
		return nil, fmt.Errorf("verify VRF: %w", types.ErrBadSignature)
	}
	return out, nil
}

// Derive returns 32 secret bytes that are the same for the same label, chain and key. It is HKDF-SHA-256 of the seed.
func (s *Signer) Derive(label string, chain types.Hash) ([]byte, error) {
	out, err := hkdf.Key(sha256.New, s.key.Seed(), []byte(domainDerive), string(chain[:])+label, 32)
	if err != nil {
		return nil, fmt.Errorf("derive a secret: %w", err)
	}
	return out, nil
}

// errClosed is the cause when a signer is used after Close.
var errClosed = errors.New("the key is closed")
