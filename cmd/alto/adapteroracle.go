package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/core/node"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var _ api.OracleAdmin = (*apiNode)(nil)

// observer finds the observer of a chain; "" stands for the only one.
func (a *apiNode) observer(chain string) (oracle.Observer, error) {
	if chain == "" {
		ids := a.n.ChainIDs()
		if len(ids) != 1 {
			return nil, fmt.Errorf("%w: this node runs %d chains; say which", api.ErrInvalid, len(ids))
		}
		chain = ids[0].String()
	}
	c, g, err := a.n.Chain(chain)
	if errors.Is(err, node.ErrUnknownChain) {
		return nil, fmt.Errorf("%w: %w", api.ErrUnknownChain, err)
	}
	if err != nil {
		return nil, err
	}
	if g.Oracle == nil {
		return nil, fmt.Errorf("%w: chain %s has none; a chain gets one from an oracle block in its spec", api.ErrNoOracle, g.Name)
	}
	return a.n.Oracle(c.ID())
}

// oracleNamed gives an observer's errors the names that the API knows.
func oracleNamed(err error) error {
	for _, x := range []struct{ have, want error }{
		{oracle.ErrNoBelief, api.ErrNoBelief}, {oracle.ErrNothingDue, api.ErrNothingDue}, {oracle.ErrCommitted, api.ErrCommitted},
		{oracle.ErrInvalid, api.ErrInvalid}, {oracle.ErrClosed, api.ErrStopped},
	} {
		if errors.Is(err, x.have) {
			return fmt.Errorf("%w: %w", x.want, err)
		}
	}
	return err
}

// Believe implements api.OracleAdmin.
func (a *apiNode) Believe(ctx context.Context, chain string, question types.Hash, v oracle.Value, reason string) error {
	o, err := a.observer(chain)
	if err != nil {
		return err
	}
	return oracleNamed(o.Believe(ctx, question, oracle.Belief{Value: v, Reason: reason}))
}

// Observations implements api.OracleAdmin.
func (a *apiNode) Observations(ctx context.Context, chain string) ([]api.Observation, error) {
	o, err := a.observer(chain)
	if err != nil {
		return nil, err
	}
	list, err := o.Observations(ctx)
	out := make([]api.Observation, len(list))
	for i, x := range list {
		out[i] = api.Observation{Question: x.Question, State: x.State, Value: x.Value, Reason: x.Reason, Source: x.Source, Attempts: x.Attempts, At: x.At}
	}
	return out, oracleNamed(err)
}

// SignBallot implements api.OracleAdmin.
func (a *apiNode) SignBallot(ctx context.Context, chain string, question types.Hash) ([]byte, error) {
	o, err := a.observer(chain)
	if err != nil {
		return nil, err
	}
	b, err := o.SignBallot(ctx, question)
	return b, oracleNamed(err)
}
