package pbft

import (
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/ecvrf"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Config is what the rules need to know besides the Start event.
type Config struct {
	SlotMs     uint64 // length of a slot in milliseconds; at least 1
	Turn       uint64 // consecutive slots of one producer; at least 1
	MaxUnfinal uint64 // with so many blocks above the last final one, only empty blocks are built
	MaxSkewMs  uint64 // how much before its slot a block is accepted; 0: a fifth of a slot

	// Verifier checks signatures; nil checks them by sdk/types. Simulations memoise here.
	Verifier Verifier

	rules rules
	count func(branch string) // if not nil: is told which ways are taken, for simulations
	twin  bool                // simulations of adversaries run several instances of one key: that is no reason to stop

	maxSuffix uint64 // types.MaxSuffix; tests make it smaller
	maxTree   int    // the constant of that name; tests make it smaller
}

// Verifier checks signatures.
type Verifier interface {
	// Signature checks one signature over msg.
	Signature(key types.PublicKey, msg, sig []byte) error
	// Certificate checks a whole finality certificate.
	Certificate(c *types.Certificate, chain types.Hash, set *types.Set) error
	// Batch checks signatures of several keys over messages of their own: all of them, or an error.
	Batch(keys []types.PublicKey, msgs, sigs [][]byte) error
	// VRF checks a proof of an input by ECVRF-EDWARDS25519-SHA512-ELL2, RFC 9381.
	VRF(key types.PublicKey, input, proof []byte) error
}

// rules switches single rules off. All are on in the zero value, which is all that other packages can have; the tests show
// that the simulator and the transcripts notice when one is missing.
type rules struct {
	onePhase    bool // the white paper's literal rule: final at a quorum of PREPAREs, one signature a slot and a height
	noR2        bool
	noR3        bool
	noR4        bool
	noForkSlot  bool // R4 without its second condition
	anySrc      bool // votes count whatever src they claim
	anyJustify  bool // justify need not be an ancestor
	noBackoff   bool
	forgetVotes bool // vote records are not read at a restart
	earlySet    bool // the next set takes over when the closing block has a PrepareQC
	keepSuffix  bool // blocks after the closing block become final as well
	noShun      bool // blocks of those that have broken the rules are prepared
}

// tick tells that a way was taken.
func (m *Machine) tick(branch string) {
	if m.cfg.count != nil {
		m.cfg.count(branch)
	}
}

func (c Config) withDefaults() (Config, error) {
	if c.SlotMs == 0 || c.Turn == 0 {
		return c, fmt.Errorf("slot of %d ms and turn of %d slots: both must be above 0", c.SlotMs, c.Turn)
	}
	if c.MaxSkewMs == 0 {
		c.MaxSkewMs = c.SlotMs / 5
	}
	if c.MaxUnfinal == 0 {
		c.MaxUnfinal = 1800
	}
	if c.maxSuffix == 0 {
		c.maxSuffix = types.MaxSuffix
	}
	if c.maxTree == 0 {
		c.maxTree = maxTree
	}
	c.twin = c.twin || c.rules.forgetVotes
	if c.Verifier == nil {
		c.Verifier = plainVerifier{}
	}
	return c, nil
}

type plainVerifier struct{}

func (plainVerifier) VRF(key types.PublicKey, input, proof []byte) error {
	if key.Validate() != nil || key.Scheme != types.SchemeEd25519 {
		return types.ErrBadSignature
	}
	if ok, _ := ecvrf.Verify(ed25519.PublicKey(key.Key), proof, input); !ok {
		return types.ErrBadSignature
	}
	return nil
}

func (plainVerifier) Signature(key types.PublicKey, msg, sig []byte) error {
	return types.VerifySignature(key, msg, sig)
}

func (plainVerifier) Certificate(c *types.Certificate, chain types.Hash, set *types.Set) error {
	return c.Verify(chain, set)
}

func (plainVerifier) Batch(keys []types.PublicKey, msgs, sigs [][]byte) error {
	b := types.NewBatchVerifier(len(keys))
	for i := range keys {
		b.Add(keys[i], msgs[i], sigs[i])
	}
	if all, _ := b.Verify(); !all {
		return types.ErrBadSignature
	}
	return nil
}
