package pbft

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// simKey is a producer's key.
type simKey struct {
	pub  types.PublicKey
	hash types.Hash
	priv ed25519.PrivateKey
}

var simKeys = makeSimKeys(64)

func makeSimKeys(n int) []*simKey {
	var ks []*simKey
	for i := range n {
		seed := sha256.Sum256([]byte{byte(i), 'k'})
		k := &simKey{priv: ed25519.NewKeyFromSeed(seed[:])}
		k.pub = types.PublicKey{Scheme: types.SchemeEd25519, Key: []byte(k.priv.Public().(ed25519.PublicKey))}
		k.hash = k.pub.Hash()
		ks = append(ks, k)
	}
	return ks
}

func simKeyOf(i int) *simKey { return simKeys[i] }

// simVerifier checks signatures, once each: real ones, or such that only holders of a key make them because nobody else in a
// simulation does.
type simVerifier struct {
	real  bool
	rules *rules
	done  map[types.Hash]error
	sets  map[*types.Set]types.Hash
}

func newSimVerifier(s *sim) *simVerifier {
	return &simVerifier{real: s.realSigs, rules: &s.plan.rules, done: map[types.Hash]error{}, sets: map[*types.Set]types.Hash{}}
}

// modelSign stands for a signature.
func modelSign(k types.PublicKey, msg []byte) []byte {
	h := sha256.New()
	h.Write(k.Key)
	h.Write(msg)
	return append(h.Sum(make([]byte, 0, sigBytes)), make([]byte, 32)...)
}

func modelVRF(k types.PublicKey, input []byte) []byte {
	h := sha256.Sum256(append(append([]byte("vrf"), k.Key...), input...))
	return append(h[:], make([]byte, consensus.VRFBytes-32)...)
}

func (v *simVerifier) sign(k *simKey, msg []byte) []byte {
	if v.real {
		return ed25519.Sign(k.priv, msg)
	}
	return modelSign(k.pub, msg)
}

func (v *simVerifier) prove(k *simKey, input []byte) []byte {
	if v.real {
		return ecvrf.Prove(voi.PrivateKey(k.priv), input)
	}
	return modelVRF(k.pub, input)
}

// once does what is costly once.
func (v *simVerifier) once(f func() error, parts ...[]byte) error {
	h := sha256.New()
	var l [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(l[:], uint64(len(p)))
		h.Write(l[:])
		h.Write(p)
	}
	var k types.Hash
	h.Sum(k[:0])
	err, ok := v.done[k]
	if !ok {
		err = f()
		v.done[k] = err
	}
	return err
}

func (v *simVerifier) Signature(k types.PublicKey, msg, sig []byte) error {
	if v.real {
		return v.once(func() error { return types.VerifySignature(k, msg, sig) }, k.Key, msg, sig)
	}
	if !bytes.Equal(modelSign(k, msg), sig) {
		return types.ErrBadSignature
	}
	return nil
}

func (v *simVerifier) Batch(keys []types.PublicKey, msgs, sigs [][]byte) error {
	for i := range keys {
		if err := v.Signature(keys[i], msgs[i], sigs[i]); err != nil {
			return err
		}
	}
	return nil
}

// VRF checks what a header's bytes end with.
func (v *simVerifier) VRF(k types.PublicKey, input, proof []byte) error {
	if v.real {
		return v.once(func() error {
			if len(proof) != ecvrf.ProofSize {
				return types.ErrBadSignature
			}
			if ok, _ := ecvrf.Verify(voi.PublicKey(k.Key), proof, input); !ok {
				return types.ErrBadSignature
			}
			return nil
		}, []byte("vrf"), k.Key, input, proof)
	}
	if !bytes.Equal(modelVRF(k, input), proof) {
		return types.ErrBadSignature
	}
	return nil
}

func (v *simVerifier) hashOf(set *types.Set) types.Hash {
	h, ok := v.sets[set]
	if !ok {
		h = set.Hash()
		v.sets[set] = h
	}
	return h
}

func (v *simVerifier) Certificate(c *types.Certificate, chain types.Hash, set *types.Set) error {
	if (v.rules.onePhase || v.rules.earlySet) && len(c.Signatures) == 0 {
		return nil // what is final without COMMITs has no certificate
	}
	if v.real {
		h := v.hashOf(set)
		return v.once(func() error { return c.Verify(chain, set) }, c.Encode(), chain[:], h[:])
	}
	if c.SetHash != v.hashOf(set) || c.Epoch != set.Epoch || len(c.Bitmap) != (len(set.Seats)+7)/8 {
		return types.ErrBadCertificate
	}
	msg := types.SignBytes(chain, types.PurposeCommit, types.CommitPayload(c.SetHash, c.Epoch, c.Slot, c.Height, c.Block))
	var weight uint64
	i := 0
	for bit := range len(c.Bitmap) * 8 {
		if c.Bitmap[bit/8]>>(bit%8)&1 == 0 {
			continue
		}
		if i >= len(c.Signatures) || bit >= len(set.Seats) || v.Signature(set.Seats[bit].Key, msg, c.Signatures[i]) != nil {
			return types.ErrBadCertificate
		}
		weight += set.Seats[bit].Weight
		i++
	}
	if i != len(c.Signatures) || weight < set.Threshold {
		return types.ErrBadCertificate
	}
	return nil
}

// looseVerifier leaves out some of the checks.
type looseVerifier struct {
	*simVerifier
	core coreRules
}

func (s *sim) verifier() Verifier {
	if c := s.core; c.anyCert || c.anyQC || c.anyVRF {
		return looseVerifier{s.ver, c}
	}
	return s.ver
}

func (v looseVerifier) Certificate(c *types.Certificate, chain types.Hash, set *types.Set) error {
	if v.core.anyCert {
		return nil
	}
	return v.simVerifier.Certificate(c, chain, set)
}

func (v looseVerifier) Batch(keys []types.PublicKey, msgs, sigs [][]byte) error {
	if v.core.anyQC {
		return nil
	}
	return v.simVerifier.Batch(keys, msgs, sigs)
}

func (v looseVerifier) VRF(k types.PublicKey, input, proof []byte) error {
	if v.core.anyVRF {
		return nil
	}
	return v.simVerifier.VRF(k, input, proof)
}

// simGuard is the second lock, beside the key: see core/signer.
type simGuard struct {
	marks    map[string]simMark
	position int // length of the journal when something was last signed
}

type simMark struct {
	ordinal uint64
	digest  [32]byte
}

// allow tells whether something may be signed, and remembers it.
func (g *simGuard) allow(u consensus.Unsigned, position int) error {
	d := sha256.Sum256(u.Payload)
	last, known := g.marks[u.Purpose]
	switch {
	case known && u.Ordinal < last.ordinal:
		return fmt.Errorf("%s of %d after %d", u.Purpose, u.Ordinal, last.ordinal)
	case known && u.Ordinal == last.ordinal && d != last.digest:
		return fmt.Errorf("%s of %d twice", u.Purpose, u.Ordinal)
	}
	if g.marks == nil {
		g.marks = map[string]simMark{}
	}
	g.marks[u.Purpose] = simMark{u.Ordinal, d}
	g.position = max(g.position, position)
	return nil
}

// sign signs behind the guard and returns the whole message, or nil.
func (s *sim) sign(n *simNode, u consensus.Unsigned) []byte {
	s.checkSign(n, u)
	if err := n.guard.allow(u, n.synced); err != nil && !s.core.noGuard {
		s.count("guard refuses")
		s.say("node %d: the guard refuses: %v", n.i, err)
		return nil
	}
	sig := s.ver.sign(n.key, types.SignBytes(s.genesis.h.Chain, u.Purpose, u.Payload))
	msg := append(bytes.Clone(u.Message), sig...)
	s.judge.signed(n.id, n.byz, msg)
	return msg
}
