package host

import (
	"context"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Observer returns the instance as an observer, which outlives its process. Its module face is [Instance.Module]. It panics if
// the instance is of another kind.
func (i *Instance) Observer() oracle.Observer {
	if o, ok := localAs[oracle.Observer](i, plugin.Oracle); ok {
		return o
	}
	return observer{i}
}

type observer struct{ i *Instance }

func (o observer) Observe(ctx context.Context, q oracle.Question) (oracle.Belief, error) {
	return call(ctx, o.i, "oracle.Observe", oracle.NewClient, func(ctx context.Context, c oracle.Observer) (oracle.Belief, error) {
		return c.Observe(ctx, q)
	})
}

func (o observer) Believe(ctx context.Context, id [32]byte, b oracle.Belief) error {
	_, err := call(ctx, o.i, "oracle.Believe", oracle.NewClient, func(ctx context.Context, c oracle.Observer) (struct{}, error) {
		return struct{}{}, c.Believe(ctx, id, b)
	})
	return err
}

func (o observer) Observations(ctx context.Context) ([]oracle.Observation, error) {
	return call(ctx, o.i, "oracle.Observations", oracle.NewClient, func(ctx context.Context, c oracle.Observer) ([]oracle.Observation, error) {
		return c.Observations(ctx)
	})
}

func (o observer) SignBallot(ctx context.Context, id [32]byte) ([]byte, error) {
	return call(ctx, o.i, "oracle.SignBallot", oracle.NewClient, func(ctx context.Context, c oracle.Observer) ([]byte, error) {
		return c.SignBallot(ctx, id)
	})
}
