package oracle

import (
	"bytes"
	"crypto/sha3"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// MaxBallots is the most ballots that the extensions of a block may have together.
const MaxBallots = 128

// MaxExtensionBytes is the most bytes that [EncodeBallots] makes of [MaxBallots].
const MaxExtensionBytes = 3 + MaxBallots*maxBallotBytes

const (
	maxBallotBytes = 32 + 10 + 1 + 33 + 10
	minBallotBytes = 32 + 1 + 1 + 32 + 1
	ballotPurpose  = "ballot"
	kindOracle     = "oracle"
	maxSigBytes    = 64
)

// Ballot is one half of a producer's vote: in the phase COMMIT a promise, in the phase REVEAL what was promised. It travels in
// a block extension of its producer, or signed in a transaction, see [Carried].
type Ballot struct {
	Question [32]byte
	// CommitAt is that of the [Dispute] that the ballot belongs to. A question can be disputed twice, before and after it was
	// reopened; a ballot of the first dispute means nothing in the second.
	CommitAt uint64
	Phase    State      // [Commit] or [Reveal]
	Commit   types.Hash // in COMMIT: [BallotCommit]
	Value    Value      // in REVEAL
	Salt     [32]byte   // in REVEAL
	// Serial orders what a node signs; in an extension it is 0. A node's guard signs nothing with a smaller one than before, and
	// nothing else with the same. Any number that rises will do, such as nanoseconds since 1970.
	Serial uint64
}

// BallotCommit is what a producer promises: SHA3-256("ballot/1" ‖ chain ‖ question ‖ producer ‖ value ‖ salt). producer is the
// hash of its key, so that what one has promised no other can promise. Without the salt, which must be random and secret
// until it is revealed, the value could be guessed.
func BallotCommit(chain types.ChainID, question [32]byte, producer types.Hash, v Value, salt [32]byte) types.Hash {
	b := make([]byte, 0, 8+4*32+1)
	b = append(b, "ballot/1"...)
	b = append(b, chain[:]...)
	b = append(b, question[:]...)
	b = append(b, producer[:]...)
	b = append(b, byte(v))
	b = append(b, salt[:]...)
	return sha3.Sum256(b)
}

func (b Ballot) encode(e *types.Encoder) {
	e.Hash(b.Question)
	e.Uint(b.CommitAt)
	e.Byte(byte(b.Phase))
	if b.Phase == Commit {
		e.Hash(b.Commit)
	} else {
		e.Byte(byte(b.Value))
		e.Raw(b.Salt[:])
	}
	e.Uint(b.Serial)
}

func decodeBallot(d *types.Decoder) (b Ballot) {
	b.Question, b.CommitAt, b.Phase = d.Hash(), d.Uint(), State(d.Byte())
	switch b.Phase {
	case Commit:
		b.Commit = d.Hash()
	case Reveal:
		if b.Value = Value(d.Byte()); !b.Value.Valid() {
			d.Fail("value %d", b.Value)
		}
		b.Salt = d.Hash()
	default:
		d.Fail("a ballot in state %d", b.Phase)
	}
	b.Serial = d.Uint()
	return b
}

// Payload, Purpose and Ordinal are what plugin.Host.Sign is given to sign a ballot that is to be carried.
func (b Ballot) Payload() []byte {
	e := types.NewEncoder(1 + maxBallotBytes)
	e.Byte(1) // format
	b.encode(e)
	return e.Bytes()
}

// Purpose is the same for all ballots.
func (b Ballot) Purpose() string { return ballotPurpose }

// Ordinal is the ballot's Serial.
func (b Ballot) Ordinal() uint64 { return b.Serial }

// EncodeBallots returns the bytes of a block extension, nil if there are no ballots. The producer is the block's; there is no
// other signature than the block's own. At most [MaxBallots] may be given.
func EncodeBallots(ballots []Ballot) []byte {
	if len(ballots) == 0 {
		return nil
	}
	e := types.NewEncoder(3 + 80*len(ballots))
	e.Byte(1) // format
	e.Uint(uint64(len(ballots)))
	for _, b := range ballots {
		b.encode(e)
	}
	return e.Bytes()
}

// DecodeBallots is the inverse of [EncodeBallots] for an extension that is not empty.
func DecodeBallots(b []byte) ([]Ballot, error) {
	d := types.NewDecoder(b)
	format(d, "ballots")
	n := d.Count(MaxBallots, minBallotBytes)
	if d.Err() == nil && n == 0 {
		d.Fail("no ballots")
	}
	out := make([]Ballot, 0, n)
	for range n {
		out = append(out, decodeBallot(d))
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("ballots: %w", err)
	}
	return out, nil
}

// Carried is the body of the action "ballot": a ballot that its producer has signed and anybody may bring to the chain, such as
// that of a producer that has left the schedule.
type Carried struct {
	Ballot Ballot
	Key    types.PublicKey // the producer's
	Sig    []byte
}

// Encode returns the canonical bytes.
func (c Carried) Encode() []byte {
	e := types.NewEncoder(200)
	e.Byte(1) // format
	c.Ballot.encode(e)
	encodeKey(e, c.Key)
	e.Blob(c.Sig)
	return e.Bytes()
}

// DecodeCarried is the inverse of [Carried.Encode]. It does not verify the signature.
func DecodeCarried(b []byte) (Carried, error) {
	d := types.NewDecoder(b)
	format(d, "ballot")
	c := Carried{Ballot: decodeBallot(d), Key: decodeKey(d)}
	c.Sig = bytes.Clone(d.Blob(maxSigBytes))
	if err := d.Finish(); err != nil {
		return Carried{}, fmt.Errorf("oracle.ballot: %w", err)
	}
	return c, nil
}

// Verify checks the signature. The error wraps types.ErrBadSignature or types.ErrMalformed.
func (c Carried) Verify(chain types.ChainID) error {
	msg := types.PluginSignBytes(types.Hash(chain), kindOracle, c.Ballot.Purpose(), c.Ballot.Payload())
	if err := types.VerifySignature(c.Key, msg, c.Sig); err != nil {
		return fmt.Errorf("ballot on question %x: %w", c.Ballot.Question[:4], err)
	}
	return nil
}

func encodeKey(e *types.Encoder, k types.PublicKey) {
	e.Byte(byte(k.Scheme))
	e.Blob(k.Key)
}

func decodeKey(d *types.Decoder) types.PublicKey {
	k := types.PublicKey{Scheme: types.Scheme(d.Byte())}
	k.Key = bytes.Clone(d.Blob(types.MaxKeyBytes))
	if d.Err() == nil {
		if err := k.Validate(); err != nil {
			d.Fail("%v", err)
		}
	}
	return k
}
