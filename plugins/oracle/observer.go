package prophecy

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// Observe implements oracle.Observer.
func (o *Oracle) Observe(ctx context.Context, q oracle.Question) (oracle.Belief, error) {
	if err := o.watching(ctx, "observe", q.ID); err != nil {
		return oracle.Belief{}, err
	}
	b, err := o.voter.observe(ctx, q)
	return b, named("observe", err)
}

// Believe implements oracle.Observer.
func (o *Oracle) Believe(ctx context.Context, id [32]byte, b oracle.Belief) error {
	if err := o.watching(ctx, "believe", id); err != nil {
		return err
	}
	return named("believe", o.voter.believe(ctx, id, b))
}

// Observations implements oracle.Observer.
func (o *Oracle) Observations(ctx context.Context) ([]oracle.Observation, error) {
	if o.voter == nil && !o.closed.Load() {
		return nil, nil
	}
	if err := o.watching(ctx, "observations", [32]byte{}); err != nil {
		return nil, err
	}
	return o.voter.observations(), nil
}

// SignBallot implements oracle.Observer.
func (o *Oracle) SignBallot(ctx context.Context, id [32]byte) ([]byte, error) {
	if err := o.watching(ctx, "sign a ballot", id); err != nil {
		return nil, err
	}
	b, err := o.voter.signBallot(ctx, id)
	return b, named("sign a ballot", err)
}

// watching tells why there is nobody to ask, if so.
func (o *Oracle) watching(ctx context.Context, op string, id [32]byte) error {
	if o.closed.Load() {
		return fmt.Errorf("%s: %s: %w", pluginName, op, oracle.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %s: %w", pluginName, op, err)
	}
	if o.voter == nil {
		return fmt.Errorf("%s: %s: %w: this instance does not vote, so it has nothing on question %x", pluginName, op, oracle.ErrNoBelief, id[:4])
	}
	return nil
}

func named(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s: %w", pluginName, op, err)
}
