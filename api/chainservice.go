package api

import (
	"context"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// chainService implements apiv1connect.ChainServiceHandler.
type chainService struct{ s *Server }

// maxName bounds what may name a chain, a module or a path, and maxArgument the argument of a query.
const (
	maxName     = 256
	maxArgument = 64 << 10
)

// chain finds a chain by name or id. An empty name means the only one.
func (c *chainService) chain(name string) (Chain, error) {
	all := c.s.node.Chains()
	if len(name) > maxName {
		return nil, fmt.Errorf("%w: the name of a chain has at most %d bytes", ErrInvalid, maxName)
	}
	if name == "" {
		if len(all) == 1 {
			return all[0], nil
		}
		return nil, fmt.Errorf("%w: which chain? This node has %s", ErrInvalid, names(all))
	}
	if id, err := types.ParseHash(name); err == nil {
		for _, ch := range all {
			if ch.ID() == id {
				return ch, nil
			}
		}
	}
	var found Chain
	for _, ch := range all {
		if ch.Name() != name {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%w: two chains have the name %q; use the id, %s or %s", ErrInvalid, name, found.ID(), ch.ID())
		}
		found = ch
	}
	if found == nil {
		return nil, fmt.Errorf("%w: %q; this node has %s", ErrUnknownChain, name, names(all))
	}
	return found, nil
}

func names(all []Chain) string {
	if len(all) == 0 {
		return "none"
	}
	out := make([]string, 0, len(all))
	for _, ch := range all[:min(len(all), 20)] {
		out = append(out, ch.Name())
	}
	if len(all) > len(out) {
		out = append(out, fmt.Sprintf("%d more", len(all)-len(out)))
	}
	return strings.Join(out, ", ")
}

func txID(s string) (types.TxID, error) {
	id, err := types.ParseHash(s[:min(len(s), maxName)])
	if err != nil {
		return id, fmt.Errorf("%w: transaction id: %w", ErrInvalid, err)
	}
	return id, nil
}

func (c *chainService) ListChains(context.Context, *connect.Request[apiv1.ListChainsRequest]) (*connect.Response[apiv1.ListChainsResponse], error) {
	out := &apiv1.ListChainsResponse{}
	for _, ch := range c.s.node.Chains() {
		st := ch.Status()
		out.Chains = append(out.Chains, chainStatusMessage(&st))
	}
	return connect.NewResponse(out), nil
}

func (c *chainService) GetChain(_ context.Context, r *connect.Request[apiv1.GetChainRequest]) (*connect.Response[apiv1.GetChainResponse], error) {
	ch, err := c.chain(r.Msg.Chain)
	if err != nil {
		return nil, wireError(err, 0)
	}
	st, params := ch.Status(), ch.Params()
	return connect.NewResponse(&apiv1.GetChainResponse{Status: chainStatusMessage(&st), Genesis: ch.Genesis(), Set: setMessage(ch.Set()),
		Params: paramsMessage(&params)}), nil
}

func (c *chainService) GetReference(ctx context.Context, r *connect.Request[apiv1.GetReferenceRequest]) (*connect.Response[apiv1.GetReferenceResponse], error) {
	ch, err := c.chain(r.Msg.Chain)
	if err != nil {
		return nil, wireError(err, 0)
	}
	ref, err := ch.Reference(ctx)
	if err != nil {
		return nil, wireError(err, 0)
	}
	params := ch.Params()
	return connect.NewResponse(&apiv1.GetReferenceResponse{ChainId: ch.ID().String(), Height: ref.Height, Id: ref.ID.String(), Clock: ref.Clock,
		Slot: ref.Slot, Params: paramsMessage(&params)}), nil
}

func (c *chainService) SubmitTransactions(ctx context.Context, r *connect.Request[apiv1.SubmitTransactionsRequest]) (*connect.Response[apiv1.SubmitTransactionsResponse], error) {
	ch, err := c.chain(r.Msg.Chain)
	if err != nil {
		return nil, wireError(err, 0)
	}
	n := len(r.Msg.Envelopes)
	if n == 0 || n > c.s.opts.Limits.Batch {
		return nil, wireError(fmt.Errorf("%w: %d transactions in a request; 1 to %d are allowed", ErrInvalid, n, c.s.opts.Limits.Batch), 0)
	}
	ids, errs := ch.Submit(ctx, r.Msg.Envelopes)
	if len(ids) != n || len(errs) != n {
		return nil, wireError(fmt.Errorf("%w: %d ids and %d results for %d transactions", ErrInternal, len(ids), len(errs), n), 0)
	}
	out := &apiv1.SubmitTransactionsResponse{Results: make([]*apiv1.SubmitResult, n)}
	for i := range out.Results {
		out.Results[i] = &apiv1.SubmitResult{Id: text(ids[i])}
		if errs[i] != nil {
			out.Results[i].Error, out.Results[i].Message = ErrorName(errs[i]), message(errs[i])
		}
	}
	return connect.NewResponse(out), nil
}

func (c *chainService) GetTransaction(ctx context.Context, r *connect.Request[apiv1.GetTransactionRequest]) (*connect.Response[apiv1.GetTransactionResponse], error) {
	ch, err := c.chain(r.Msg.Chain)
	if err != nil {
		return nil, wireError(err, 0)
	}
	id, err := txID(r.Msg.Id)
	if err != nil {
		return nil, wireError(err, 0)
	}
	tx, err := ch.Tx(ctx, id)
	if err != nil {
		return nil, wireError(err, 0)
	}
	tx.ID = id
	return connect.NewResponse(&apiv1.GetTransactionResponse{Transaction: txMessage(&tx)}), nil
}

// detailOr checks a detail and puts a default in the place of none.
func detailOr(d, otherwise apiv1.BlockDetail) (apiv1.BlockDetail, error) {
	if d < 0 || d > apiv1.BlockDetail_BLOCK_DETAIL_BODY {
		return 0, fmt.Errorf("%w: block detail %d is unknown", ErrInvalid, d)
	}
	if d == 0 {
		return otherwise, nil
	}
	return d, nil
}

func (c *chainService) GetBlock(ctx context.Context, r *connect.Request[apiv1.GetBlockRequest]) (*connect.Response[apiv1.GetBlockResponse], error) {
	ch, err := c.chain(r.Msg.Chain)
	if err != nil {
		return nil, wireError(err, 0)
	}
	detail, err := detailOr(r.Msg.Detail, apiv1.BlockDetail_BLOCK_DETAIL_RECEIPTS)
	if err != nil {
		return nil, wireError(err, 0)
	}
	height := r.Msg.GetHeight()
	if r.Msg.Height == nil {
		height = ch.Status().Final
	}
	b, err := ch.Block(ctx, height)
	if err != nil {
		return nil, wireError(err, 0)
	}
	params := ch.Params()
	return connect.NewResponse(&apiv1.GetBlockResponse{Block: blockMessage(b, &params, detail)}), nil
}

// defaultPage is how many blocks a page has if the request does not say.
const defaultPage = 20

func (c *chainService) ListBlocks(ctx context.Context, r *connect.Request[apiv1.ListBlocksRequest]) (*connect.Response[apiv1.ListBlocksResponse], error) {
	ch, err := c.chain(r.Msg.Chain)
	if err != nil {
		return nil, wireError(err, 0)
	}
	detail, err := detailOr(r.Msg.Detail, apiv1.BlockDetail_BLOCK_DETAIL_HEADER)
	if err != nil {
		return nil, wireError(err, 0)
	}
	limits := &c.s.opts.Limits
	limit := uint64(r.Msg.Limit)
	if limit == 0 {
		limit = min(defaultPage, uint64(limits.Page))
	}
	if limit > uint64(limits.Page) {
		return nil, wireError(fmt.Errorf("%w: %d blocks in a page; at most %d are allowed", ErrInvalid, limit, limits.Page), 0)
	}
	final := ch.Status().Final
	out := &apiv1.ListBlocksResponse{Final: final, Next: max(r.Msg.GetFrom(), 1)} // the block of genesis is not stored
	if r.Msg.From == nil {
		out.Next = final - min(final, limit) + 1
	}
	params := ch.Params()
	size := 0
	for ; out.Next <= final && uint64(len(out.Blocks)) < limit && size < limits.PageBytes; out.Next++ {
		b, err := ch.Block(ctx, out.Next)
		if err != nil {
			return nil, wireError(err, 0)
		}
		m := blockMessage(b, &params, detail)
		size += proto.Size(m)
		out.Blocks = append(out.Blocks, m)
	}
	return connect.NewResponse(out), nil
}

func (c *chainService) GetAccount(ctx context.Context, r *connect.Request[apiv1.GetAccountRequest]) (*connect.Response[apiv1.GetAccountResponse], error) {
	ch, err := c.chain(r.Msg.Chain)
	if err != nil {
		return nil, wireError(err, 0)
	}
	id, err := types.ParseAccountID(r.Msg.Account[:min(len(r.Msg.Account), maxName)])
	if err != nil {
		return nil, wireError(fmt.Errorf("%w: %w", ErrInvalid, err), 0)
	}
	a, err := ch.Account(ctx, id, r.Msg.Prove)
	if err != nil {
		return nil, wireError(err, 0)
	}
	a.ID = id
	return connect.NewResponse(accountMessage(&a)), nil
}
