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
