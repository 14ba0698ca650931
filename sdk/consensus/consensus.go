// Package consensus is the consensus kind: it orders blocks. It sees headers, votes and certificates, never a body and
// never a key.
//
// The life of an engine. The core opens one instance a chain and starts one Run, whose first event is Start. From then on
// it is a conversation in the manner of etcd's raft: the core hands in events; the engine answers with Ready values, any
// number at any time, each of which the core carries out in the order of its fields:
//
//  1. Persist and Snapshot are appended to the journal and made durable. Records come back in Start after a restart of
//     the plugin or of the node, the last snapshot first, then the records since.
//  2. Sign: each is signed behind the core's guard, appended to its message, sent, and handed back as a Message from
//     nobody. The engine counts its own vote only then. If the guard refuses, nothing comes back.
//  3. Send: messages that need no signature.
//  4. Build: the core builds a body on the parent, completes the header (it fills in everything but Slot, Epoch and
//     Consensus; CertHeight is the height of Build.Certificate, which goes into the body, or 0; with VRFInput it appends the
//     proof to Consensus) and answers Built. An empty header means that it could not. The answer comes even if it is late.
//  5. Check: the core fetches and checks the body, makes it durable and answers Checked. A block is asked for when its
//     parent has been checked. It may take long; a reply may never come if the body is nowhere. While it is missing the
//     engine asks again, with more peers in From; one answer is enough. The core's own block is asked for like any other,
//     with no peers. Part of the check is that header and body agree on the certificate: with CertHeight above 0 the body
//     carries one of that height that verifies, else it carries none. OK false is final for this block, so a body that
//     cannot be had yet is no answer.
//  6. Head: what the engine builds on now, for the mempool and for status.
//  7. Final: blocks that a quorum has committed to, ascending and without a gap. The proof stands with the block that it
//     is for; ancestors that it makes final come before it with none. Every one of them was checked. The core verifies the
//     proof and refuses what does not verify. Final is repeated after a restart only for blocks above Start.Final, and
//     never for blocks that the core has told of with Finalised.
//  8. Evidence: encoded proof that somebody has broken the rules, for the log; the module face of the same instance brings
//     it into a block.
//  9. Epoch: the set that has taken over; after a restart it may be told again.
//  10. WakeAt: the core sends Woken at that time, or earlier; each Ready replaces the previous wish.
//
// Epochs. When the state of a block's parent holds a set under [NextSetKey] of the consensus plugin's module, the block closes
// its epoch: the core puts the set's hash into NextSet, and hands the set over with Built, Checked or Finalised. Blocks of
// the same epoch that descend from it carry votes and nothing else, and are dropped when it is final; the core builds and
// checks them with empty bodies. Blocks of the next epoch have the closing block, and no other of the epoch before, as
// ancestor. Whether a block may stand where it does in that respect the engine checks: the core takes Epoch to be the
// parent's, or one more if the parent closes its epoch.
//
// The engine does not look at a clock: every event carries the time. The core may skip ahead of the engine with
// Finalised, when it has caught up from other nodes by certificates alone.
//
// Records and restarts. A record of a Ready may be lost in a crash only together with all that come after it, and with
// everything below Persist in its Ready and the following ones; records are replayed in the order in which they were
// persisted. A block that was answered Checked before a restart is not asked for again: its body is in the journal. An
// engine asks again for the signature of what it had decided to sign; the payload is the same, and so is the signature.
//
// A signature of the own key that a peer brings and that is newer than the records says that somebody else signs with this
// key, or that the records are an old copy: the engine asks for Halt, and nothing more is signed.
package consensus

import (
	"context"
	"errors"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Errors.
var (
	ErrClosed   = errors.New("consensus: closed")                                 // the run has ended
	ErrBadState = errors.New("consensus: the replayed records do not make sense") // from Run
	ErrConflict = errors.New("consensus: conflicting certificates")               // from Run: two blocks of one height are final
	ErrInvalid  = errors.New("consensus: invalid call")
)

// NextSetKey is the key, at place zero of the module of the consensus plugin, under which the state holds the encoded set of
// the next epoch while the next block has to close the current one.
const NextSetKey = "next-set"

// VRFBytes is the size of a proof by ECVRF-EDWARDS25519-SHA512-ELL2, RFC 9381.
const VRFBytes = 80

// VRFInput returns what the producer of a slot proves. The hash of the set is settled before its epoch begins.
func VRFInput(set types.Hash, slot uint64) []byte {
	e := types.NewEncoder(64)
	e.Raw([]byte("paloalto/vrf/1\x00"))
	e.Hash(set)
	e.Uint(slot)
	return e.Bytes()
}

// MaxRecordBytes bounds one record of Ready.Persist.
const MaxRecordBytes = 4 << 20

// Event is one of Start, Woken, Message, Built, Checked, Finalised.
type Event interface{ isEvent() }

// Start opens the conversation.
type Start struct {
	Genesis       *types.Header
	Set           *types.Set       // of the epoch that Final is in
	Key           *types.PublicKey // of this node's seat; nil if it only follows
	Snapshot      []byte           // newest that was persisted, or nil
	Records       [][]byte         // persisted since, in order
	Final         *types.Header
	FinalProof    *types.Finality // nil if Final is the genesis block
	EpochStart    *types.Header   // the block that opened Set's epoch: the closing block of the one before, or genesis
	EpochProof    *types.Finality // of EpochStart; nil if that is the genesis block
	Next          *types.Set      // that Final names, if it closes its epoch
	NowMs         uint64          // Unix time in milliseconds
	GenesisTimeMs uint64          // when slot 0 began
}

// Woken says what time it is.
type Woken struct{ NowMs uint64 }

// Message is from a peer, or from nobody (zero From) if it is an own one that has just been signed.
type Message struct {
	From    types.Hash
	Payload []byte
	NowMs   uint64
}

// Built answers Build. Header is nil if no body could be built.
type Built struct {
	Slot   uint64
	Parent types.BlockID
	Header *types.Header
	Next   *types.Set // that Header names, if it closes its epoch
	NowMs  uint64
}

// Checked answers Check.
type Checked struct {
	Block  types.BlockID
	OK     bool
	Reason string
	Next   *types.Set // that the block's header names, if it closes its epoch
	NowMs  uint64
}

// Finalised tells of a certified block that the core has by itself; it and its ancestors are final.
type Finalised struct {
	Header *types.Header
	Proof  *types.Finality
	Next   *types.Set // that Header names, if it closes its epoch
	NowMs  uint64
}

func (*Start) isEvent()     {}
func (*Woken) isEvent()     {}
func (*Message) isEvent()   {}
func (*Built) isEvent()     {}
func (*Checked) isEvent()   {}
func (*Finalised) isEvent() {}

// Unsigned is to be signed as types.SignBytes(chain, Purpose, Payload); the signature is appended to Message.
type Unsigned struct {
	Purpose string
	Ordinal uint64
	Payload []byte
	Message []byte
	To      []types.Hash // nil: all peers of the chain
}

// Outbound is a message that needs no signature.
type Outbound struct {
	Payload []byte
	To      []types.Hash // nil: all peers of the chain
}

// Build asks for a body on Parent.
type Build struct {
	Slot        uint64
	Parent      types.BlockID
	Epoch       uint64 // for the header
	Consensus   []byte // the engine's own header bytes
	VRFInput    []byte // if not empty: the core proves it and appends the proof to Consensus
	Certificate []byte // newest that the block should carry; may be nil
	Empty       bool   // no transactions
	DeadlineMs  uint64
}

// Check asks for a block's body to be fetched, checked and made durable.
type Check struct {
	Header *types.Header
	From   []types.Hash // peers that vouched for it
}

// Final is a block that is irreversible, and why.
type Final struct {
	Block types.BlockID
	Proof *types.Finality // nil for an ancestor of the block that the next one with a proof is for
}

// Ready is what the core has to do, in this order.
type Ready struct {
	Persist  [][]byte
	Snapshot []byte // if not nil: supersedes all records persisted before this Ready; Persist follows it
	Sign     []Unsigned
	Send     []Outbound
	Build    *Build
	Check    []Check
	Head     *types.BlockID
	Final    []Final
	Evidence [][]byte
	Epoch    *types.Set
	WakeAtMs uint64  // 0: time alone changes nothing
	Halt     string  // if not empty: the chain must stop, and why
	Trouble  *string // if not nil: what is wrong with this node's part by now, for health and status; empty: nothing
}

// Session is one Run. Step and Next may be called concurrently with each other.
type Session interface {
	// Step hands in an event, which belongs to the engine from then on. It may block while the engine is behind, and
	// returns nil once the event is queued. An event whose content makes no sense changes nothing and is no error; an
	// event of a wrong type, or a second Start, is ErrInvalid. After the run's end it fails.
	Step(ctx context.Context, e Event) error
	// Next waits for the next Ready. After the run's end it returns ErrClosed, or why the run ended. Cancelling its
	// context ends only this call.
	Next(ctx context.Context) (*Ready, error)
	// Close ends the run and waits until nothing of it is left. Next then returns ErrClosed. It may be called twice.
	Close() error
}

// Engine is one instance.
type Engine interface {
	// Run starts the conversation. There is at most one at a time; a second ends the first. Cancelling ctx ends the run.
	// Fails with ErrBadState, ErrConflict or ErrInvalid.
	Run(ctx context.Context, start *Start) (Session, error)
}
