package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/api"
	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Query asks a module of a chain, in nobody's name. The answer is JSON, as of the final block at height.
func (c *Client) Query(ctx context.Context, chain, module, path string, argument []byte) (json []byte, height uint64, err error) {
	a, err := c.Ask(ctx, chain, api.QueryRequest{Module: module, Path: path, Argument: argument})
	return a.JSON, a.Height, err
}

// Ask asks a module of a chain, in the name of an account if the question has what [Client.QueryAuth] makes.
func (c *Client) Ask(ctx context.Context, chain string, q api.QueryRequest) (api.QueryAnswer, error) {
	m, err := call(ctx, c, c.opts.Timeout, c.chain.Query, &apiv1.QueryRequest{Chain: chain, Module: q.Module, Path: q.Path, Argument: q.Argument, Prove: q.Prove,
		Auth: q.Auth}, "query "+q.Module+" "+q.Path)
	if err != nil {
		return api.QueryAnswer{}, err
	}
	a, err := api.ParseQuery(m)
	if err != nil {
		return a, err
	}
	if who := asker(q); (who == nil) != (a.Caller == nil) || who != nil && *who != *a.Caller {
		return api.QueryAnswer{}, fmt.Errorf("query %s %s: the node did not heed in whose name it was asked", q.Module, q.Path)
	}
	return a, nil
}

// asker returns in whose name a question is asked, or nil.
func asker(q api.QueryRequest) *types.AccountID {
	s, err := types.DecodeSignedQuery(q.Auth)
	if err != nil {
		return nil
	}
	x, err := types.DecodeQueryAuth(s.Raw)
	if err != nil {
		return nil
	}
	return &x.Account
}

// ProvenQuery asks a module of a chain and returns, with its answer, the items of the state that the answer rests on by the word
// of the module, and their proofs, which lead to the state root of the final block at ProofHeight. They are for the caller to
// verify; [Light.Query] does.
func (c *Client) ProvenQuery(ctx context.Context, chain string, q api.QueryRequest) (api.QueryAnswer, error) {
	q.Prove = true
	a, err := c.Ask(ctx, chain, q)
	switch {
	case err != nil:
	case a.ProofHeight == 0:
		err = fmt.Errorf("query %s %s: the node gave no proofs", q.Module, q.Path)
	case a.Height+1 != a.ProofHeight:
		err = fmt.Errorf("query %s %s: the node answers about the state after block %d with proofs of that after block %d", q.Module, q.Path, a.Height, a.ProofHeight-1)
	}
	if err != nil {
		return api.QueryAnswer{}, err
	}
	return a, nil
}

// SignQuery encodes a right to ask on a chain and signs it.
func SignQuery(chain types.ChainID, q *types.QueryAuth, signers ...Signer) ([]byte, error) {
	if len(signers) == 0 || len(signers) > types.MaxSignatures {
		return nil, fmt.Errorf("sign a right to ask: %d signers, 1 to %d are allowed", len(signers), types.MaxSignatures)
	}
	s := types.SignedQuery{Raw: q.Encode()}
	msg := types.QuerySignBytes(chain, s.Raw)
	for _, x := range signers {
		sig, err := x.Sign(msg)
		if err != nil {
			return nil, fmt.Errorf("sign a right to ask with %s: %w", x.Public(), err)
		}
		s.Signatures = append(s.Signatures, types.Signature{Key: x.Public(), Sig: sig})
	}
	return s.Encode(), nil
}

// QueryAuth makes the right to ask one question in the name of an account, which goes with the question as Auth. It is good for
// five sixths of a transaction's lifetime: whoever gets hold of it, the node first of all, can ask the same until then. If the
// account has not revealed its authority on the chain and belongs to the first signer's key alone, it is shown; for another
// authority, and to name a permission, use [SignQuery].
func (c *Client) QueryAuth(ctx context.Context, chain string, account types.AccountID, q api.QueryRequest, signers ...Signer) ([]byte, error) {
	if len(signers) == 0 {
		return nil, errors.New("right to ask: no signer")
	}
	ref, err := c.Reference(ctx, chain)
	if err != nil {
		return nil, err
	}
	a, err := c.Account(ctx, chain, account)
	if err != nil {
		return nil, err
	}
	x := &types.QueryAuth{Account: account, Module: q.Module, Path: q.Path, Argument: types.QueryArgumentHash(q.Argument),
		Expires: ref.Slot + ref.Params.TxLifetime*5/6}
	if a.Authority == nil {
		if first := types.SingleKeyAuthority(signers[0].Public()); first.ID() == account {
			x.Authority = first.Encode()
		}
	}
	return SignQuery(ref.Chain, x, signers...)
}
