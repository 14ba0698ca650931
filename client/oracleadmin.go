package client

import (
	"context"

	"github.com/paloalto-chain/paloalto/api"
	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// OracleBallot makes v the operator's own answer to a question, from which the node's ballot is made. Like all administration it
// needs a unix socket and the token. It fails with api.ErrNoOracle, api.ErrNoBelief and api.ErrCommitted.
func (c *Client) OracleBallot(ctx context.Context, chain string, question types.Hash, v oracle.Value, reason string) error {
	_, err := call(ctx, c, c.opts.Timeout, c.admin.OracleBallot, &apiv1.OracleBallotRequest{Chain: chain, Question: question.String(), Value: v.String(),
		Reason: reason}, "ballot on question "+question.Short())
	return err
}

// OracleObservations returns what the node believes of the questions that it was asked about, newest first. It needs what
// OracleBallot needs.
func (c *Client) OracleObservations(ctx context.Context, chain string) ([]api.Observation, error) {
	m, err := call(ctx, c, c.opts.Timeout, c.admin.OracleObservations, &apiv1.OracleObservationsRequest{Chain: chain}, "observations")
	if err != nil {
		return nil, err
	}
	return api.ParseObservations(m)
}

// OracleSignBallot returns the ballot of the node's producer that is due now, for anybody to carry: the body of the action
// "ballot" of the module "oracle". It needs what OracleBallot needs, and fails with api.ErrNoOracle, api.ErrNoBelief and
// api.ErrNothingDue.
func (c *Client) OracleSignBallot(ctx context.Context, chain string, question types.Hash) ([]byte, error) {
	m, err := call(ctx, c, c.opts.Timeout, c.admin.OracleSignBallot, &apiv1.OracleSignBallotRequest{Chain: chain, Question: question.String()},
		"sign a ballot on question "+question.Short())
	if err != nil {
		return nil, err
	}
	return m.GetBallot(), nil
}
