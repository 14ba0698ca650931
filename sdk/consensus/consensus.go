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
//  4. Build: the core builds a body on the parent, completes the header (it fills in everything but Slot, Producer's
//     intent, Consensus and NextSet) and answers Built. An empty header means that it could not.
//  5. Check: the core fetches and checks the body, makes it durable and answers Checked. Parent first. It may take long;
//     a reply may never come if the body is nowhere.
//  6. Head: what the engine builds on now, for the mempool and for status.
//  7. Final: blocks that a quorum has committed to, with the certificate, ascending. One certificate makes all ancestors
//     final. The core verifies it and refuses what does not verify. Final is repeated after a restart only for blocks
//     above Start.Final.
//  8. Epoch: the set that takes over.
//  9. WakeAt: the core sends Woken at that time, or earlier; each Ready replaces the previous wish.
//
// The engine does not look at a clock: every event carries the time. The core may skip ahead of the engine with
// Finalised, when it has caught up from other nodes by certificates alone.
package consensus

import (
	"context"
	"errors"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Errors.
var (
	ErrClosed   = errors.New("consensus: closed")
	ErrBadState = errors.New("consensus: the replayed records do not make sense")
	ErrConflict = errors.New("consensus: conflicting certificates")
	ErrInvalid  = errors.New("consensus: invalid call")
)

// Event is one of Start, Woken, Message, Built, Checked, Finalised.
type Event interface{ isEvent() }

// Start opens the conversation.
type Start struct {
	Genesis       *types.Header
	Set           *types.Set       // of the current epoch
	Key           *types.PublicKey // of this node's seat; nil if it only follows
	Snapshot      []byte           // newest that was persisted, or nil
	Records       [][]byte         // persisted since, in order
	Final         *types.Header
	FinalCert     *types.Certificate // nil if Final is the genesis block
	NowMs         uint64             // Unix time in milliseconds
	GenesisTimeMs uint64             // when slot 0 began
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
	NowMs  uint64
}

// Checked answers Check.
type Checked struct {
	Block  types.BlockID
	OK     bool
	Reason string
	NowMs  uint64
}

// Finalised tells of a certified block that the core has by itself; it and its ancestors are final.
type Finalised struct {
	Header *types.Header
	Cert   *types.Certificate
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
	Consensus   []byte // the engine's own header bytes
	NextSet     types.Hash
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
	Cert  *types.Certificate
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
	WakeAtMs uint64 // 0: time alone changes nothing
	Halt     string // if not empty: the chain must stop, and why
}

// Session is one Run. Step and Next may be called concurrently with each other.
type Session interface {
	// Step hands in an event. It may block while the engine is behind.
	Step(ctx context.Context, e Event) error
	// Next waits for the next Ready.
	Next(ctx context.Context) (*Ready, error)
	// Close ends the run. Next then returns ErrClosed.
	Close() error
}

// Engine is one instance.
type Engine interface {
	// Run starts the conversation. There is at most one at a time; a second ends the first.
	Run(ctx context.Context, start *Start) (Session, error)
}
