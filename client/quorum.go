package client

import (
	"context"
	"errors"
	"fmt"
)

// ErrNoQuorum says that too few nodes gave the same answer.
var ErrNoQuorum = errors.New("ErrNoQuorum")

// Quorum asks all nodes at the same time and returns the first answer that need of them gave alike. With at most f nodes that
// lie, f+1 is enough: one of them is honest. The clients must be those of different nodes, which Quorum cannot know. key says
// what makes two answers the same, so that it can leave out what may differ among honest nodes, such as the height.
func Quorum[T any](ctx context.Context, nodes []*Client, need int, read func(context.Context, *Client) (T, error), key func(T) string) (T, error) {
	var zero T
	if need < 1 || need > len(nodes) {
		return zero, fmt.Errorf("%w: %d equal answers of %d nodes", ErrNoQuorum, need, len(nodes))
	}
	ctx, cancel := context.WithCancel(ctx)
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, len(nodes))
	for _, c := range nodes {
		go func() {
			v, err := read(ctx, c)
			answers <- answer{v, err}
		}()
	}
	pending := len(nodes)
	defer func() { // nobody is left behind
		cancel()
		for ; pending > 0; pending-- {
			<-answers
		}
	}()
	votes := map[string]int{}
	var errs []error
	for pending > 0 {
		a := <-answers
		pending--
		if a.err != nil {
			errs = append(errs, a.err)
			continue
		}
		k := key(a.value)
		if votes[k]++; votes[k] >= need {
			return a.value, nil
		}
	}
	return zero, fmt.Errorf("%w: %d equal answers are needed; %d nodes gave %d different ones, %d gave none: %w", ErrNoQuorum, need,
		len(nodes)-len(errs), len(votes), len(errs), errors.Join(errs...))
}
