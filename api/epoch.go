package api

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Epoch is an epoch that has begun, with what a light client needs to go on to it.
type Epoch struct {
	Set    *types.Set
	Opened *types.Header   // names the set: the closing block of the epoch before, or genesis
	Proof  *types.Finality // that Opened is final, by the set of the epoch before; nil for genesis
}

func (c *chainService) GetEpoch(ctx context.Context, r *connect.Request[apiv1.GetEpochRequest]) (*connect.Response[apiv1.GetEpochResponse], error) {
	ch, err := c.chain(r.Msg.Chain)
	if err != nil {
		return nil, wireError(err, 0)
	}
	number := r.Msg.GetEpoch()
	if r.Msg.Epoch == nil {
		number = ch.Set().Epoch
	}
	e, err := ch.Epoch(ctx, number)
	if err != nil {
		return nil, wireError(err, 0)
	}
	return connect.NewResponse(epochMessage(&e)), nil
}

func epochMessage(e *Epoch) *apiv1.GetEpochResponse {
	m := &apiv1.GetEpochResponse{Set: setMessage(e.Set), Opened: e.Opened.Encode()}
	if e.Proof != nil {
		m.Finality = e.Proof.Encode()
	}
	return m
}

// ParseEpoch reads a GetEpochResponse. That the header names the set is checked; that it is final is for the caller to verify.
func ParseEpoch(m *apiv1.GetEpochResponse) (e Epoch, err error) {
	bad := func(err error) (Epoch, error) { return Epoch{}, fmt.Errorf("answer of the node: epoch: %w", err) }
	if e.Set, err = types.DecodeSet(m.GetSet().GetEncoded()); err != nil {
		return bad(err)
	}
	if e.Opened, err = types.DecodeHeader(m.GetOpened()); err != nil {
		return bad(err)
	}
	if len(m.GetFinality()) > 0 {
		if e.Proof, err = types.DecodeFinality(m.GetFinality()); err != nil {
			return bad(err)
		}
	}
	if e.Opened.NextSet != e.Set.Hash() {
		return bad(fmt.Errorf("the block at height %d names set %s, this is %s", e.Opened.Height, e.Opened.NextSet.Short(), e.Set.Hash().Short()))
	}
	return e, nil
}
