// Package oracle is the oracle kind. An instance has two faces: a module (package module), which holds questions,
// answers and disputes on the chain, and an observer, which tells what this node believes. The observer may be
// non-deterministic, may fail and may be slow; it is consulted only for the node's own ballot and never for executing a
// block.
//
// The life of an oracle. The core opens one instance a chain, and drives its module face with every block. Where an answer is
// contradicted, the instance asks its observer by itself, in the background and again and again until it has an answer or the
// time for it is over, and puts what it believes into its producer's blocks, through module.Module's Extend. The methods of
// [Observer] are for the node's operator: to try an observer, to see what it found, to overrule it, and to get a ballot that
// somebody else can bring to the chain. None of them is part of the chain's rules, and all may be called at any time.
//
// Besides the interface, this package holds what clients and oracles have to agree on: the bodies of actions ([Ask],
// [Answer], [Counter], [Close]), the record of a question in the state ([Record]), the terms on which questions are asked
// ([Terms]), and the JSON of queries and events. [NewClient] is an Observer at the other end of a gRPC connection,
// [RegisterServer] serves open instances, and the package oracletest is the suite that every observer passes.
package oracle

import (
	"context"
	"errors"
	"time"
)

// Errors.
var (
	ErrClosed     = errors.New("oracle: closed")
	ErrNoBelief   = errors.New("oracle: the observer has no answer")
	ErrInvalid    = errors.New("oracle: invalid call")
	ErrCommitted  = errors.New("oracle: this node has committed to another answer")
	ErrNothingDue = errors.New("oracle: no ballot of this node is due")
)

// Question is what an observer is asked.
type Question struct {
	ID      [32]byte
	Text    string
	Sources []string
}

// Belief is an observer's answer and its grounds.
type Belief struct {
	Value  Value
	Reason string // for people: UTF-8, at most [MaxReasonBytes] bytes
}

// Where an [Observation] stands.
const (
	ObservationWaiting   = "waiting"   // to be made, or to be made again later
	ObservationObserving = "observing" // under way
	ObservationBelieves  = "believes"  // there is an answer, and no ballot for it in the state yet
	ObservationFailed    = "failed"    // there is no answer and no time to look for one any more
	ObservationCommitted = "committed" // the ballot's commit is, or has been offered to be, on the chain
	ObservationRevealed  = "revealed"  // the ballot is on the chain, open to all
)

// Observation is what an instance knows about its own ballot on one question.
type Observation struct {
	Question [32]byte
	State    string    // one of the Observation constants
	Value    *Value    // what the node believes; nil if it believes nothing
	Reason   string    // why it believes that, or why the last attempt failed; at most [MaxReasonBytes] bytes
	Source   string    // what it was learnt from: "operator", "command", "http", …; empty if from nothing yet
	Attempts int       // times that the observer was asked
	At       time.Time // when the last of this came about
}

// MaxObservations is the most observations that are listed.
const MaxObservations = 256

// Observer is the face of an instance that this package adds to the module face. All methods fail with ErrClosed on an
// instance that is closed.
type Observer interface {
	// Observe asks the configured sources once, for whoever wants to know; nothing is remembered of it. It fails with
	// ErrNoBelief, wrapped with why, if they have no answer; on such a question the producer does not vote.
	Observe(ctx context.Context, q Question) (Belief, error)
	// Believe gives the operator's own answer to a question, asked and disputed already or not. It wins over what the sources
	// say, before and after, and survives a restart. It fails with ErrCommitted if this node has committed to another value:
	// a ballot can't be changed. It fails with ErrNoBelief if the instance never votes.
	Believe(ctx context.Context, id [32]byte, b Belief) error
	// Observations lists what is known, the latest change first, at most MaxObservations.
	Observations(ctx context.Context) ([]Observation, error)
	// SignBallot returns the encoded [Carried] of what this node's producer has to say on a disputed question now, so that
	// anybody can bring it to the chain, in a transaction: of use to a producer who has left the schedule. It fails with
	// ErrNoBelief, wrapped with why, if there is no answer, and with ErrNothingDue if it is not the time.
	SignBallot(ctx context.Context, id [32]byte) ([]byte, error)
}
