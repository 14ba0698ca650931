package oracle

import (
	"context"
	"fmt"
)

// NoVoter is for embedding in an observer that answers questions but has no ballots: it has the methods of [Observer] that
// are about these, and they say so.
type NoVoter struct{}

// Believe implements [Observer].
func (NoVoter) Believe(_ context.Context, id [32]byte, _ Belief) error {
	return fmt.Errorf("%w: this oracle has no ballots, so it has no use for an answer to question %x", ErrNoBelief, id[:4])
}

// Observations implements [Observer].
func (NoVoter) Observations(context.Context) ([]Observation, error) { return nil, nil }

// SignBallot implements [Observer].
func (NoVoter) SignBallot(_ context.Context, id [32]byte) ([]byte, error) {
	return nil, fmt.Errorf("%w: this oracle has no ballots, so there is none on question %x", ErrNoBelief, id[:4])
}
