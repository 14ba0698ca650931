// Package oracle is the oracle kind. An instance has two faces: a module (package module), which holds questions,
// answers and disputes on the chain, and an observer, which tells what this node believes. The observer may be
// non-deterministic, may fail and may be slow; it is consulted only for the node's own ballot and never for executing a
// block.
//
// The life of an oracle. The core opens one instance a chain, and drives its module face with every block. Observe is
// called when a ballot of this node's producer is due, and may be called again.
//
// Besides the interface, this package holds what clients and oracles have to agree on: the bodies of actions ([Ask],
// [Answer], [Counter], [Close]), the record of a question in the state ([Record]), the terms on which questions are asked
// ([Terms]), and the JSON of queries and events. [NewClient] is an Observer at the other end of a gRPC connection,
// [RegisterServer] serves open instances, and the package oracletest is the suite that every observer passes.
package oracle

import (
	"context"
	"errors"
)

// Errors.
var (
	ErrClosed   = errors.New("oracle: closed")
	ErrNoBelief = errors.New("oracle: the observer has no answer")
	ErrInvalid  = errors.New("oracle: invalid call")
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
	Reason string
}

// Observer is the face of an instance that this package adds to the module face.
type Observer interface {
	// Observe fails with ErrNoBelief, wrapped with why, if it has no answer; the producer then does not vote.
	Observe(ctx context.Context, q Question) (Belief, error)
}
