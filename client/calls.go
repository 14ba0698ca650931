package client

import (
	"context"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	apiv1 "github.com/paloalto-chain/paloalto/api/proto/paloalto/api/v1"
	"github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Status tells how the node is.
func (c *Client) Status(ctx context.Context) (api.NodeStatus, error) {
	m, err := call(ctx, c, c.opts.Timeout, c.node.Status, &apiv1.StatusRequest{}, "status")
	if err != nil {
		return api.NodeStatus{}, err
	}
	return api.ParseNodeStatus(m)
}

// Health returns what is wrong with the node; nothing if it is well.
func (c *Client) Health(ctx context.Context) ([]string, error) {
	m, err := call(ctx, c, c.opts.Timeout, c.node.Health, &apiv1.HealthRequest{}, "health")
	if err != nil {
		return nil, err
	}
	if !m.GetOk() && len(m.GetProblems()) == 0 {
		return []string{"the node does not say what"}, nil
	}
	return m.GetProblems(), nil
}

// Links tells the state of the node's links to others.
func (c *Client) Links(ctx context.Context) (api.Links, error) {
	m, err := call(ctx, c, c.opts.Timeout, c.node.Links, &apiv1.LinksRequest{}, "links")
	if err != nil {
		return api.Links{}, err
	}
	return api.ParseLinks(m)
}

// Chains lists the node's chains.
func (c *Client) Chains(ctx context.Context) ([]api.ChainStatus, error) {
	m, err := call(ctx, c, c.opts.Timeout, c.chain.ListChains, &apiv1.ListChainsRequest{}, "list chains")
	if err != nil {
		return nil, err
	}
	var out []api.ChainStatus
	for _, s := range m.GetChains() {
		st, err := api.ParseChainStatus(s)
		if err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

// ChainInfo is what defines a chain, and where it stands.
type ChainInfo struct {
	Status  api.ChainStatus
	Genesis []byte
	Set     *types.Set
	Params  api.Params
}

// Chain returns what defines a chain. Whoever knows the chain's id already can compare it with the hash of Genesis, as
// chainspec computes it, and trust the set that the document names.
func (c *Client) Chain(ctx context.Context, chain string) (*ChainInfo, error) {
	m, err := call(ctx, c, c.opts.Timeout, c.chain.GetChain, &apiv1.GetChainRequest{Chain: chain}, "chain "+chain)
	if err != nil {
		return nil, err
	}
	info := &ChainInfo{Genesis: m.GetGenesis(), Params: api.ParseParams(m.GetParams())}
	if info.Status, err = api.ParseChainStatus(m.GetStatus()); err != nil {
		return nil, err
	}
	if info.Set, err = api.ParseSet(m.GetSet()); err != nil {
		return nil, err
	}
	return info, nil
}

// Reference is what a new transaction of a chain is made from.
type Reference struct {
	Chain types.ChainID
	api.Reference
	Params api.Params
}

// Reference returns what a new transaction is made from.
func (c *Client) Reference(ctx context.Context, chain string) (*Reference, error) {
	m, err := call(ctx, c, c.opts.Timeout, c.chain.GetReference, &apiv1.GetReferenceRequest{Chain: chain}, "reference of chain "+chain)
	if err != nil {
		return nil, err
	}
	r := &Reference{}
	r.Chain, r.Reference, r.Params, err = api.ParseReference(m)
	return r, err
}

// SubmitResult is what became of one submitted transaction. Name is empty if it waits for a block.
type SubmitResult struct {
	ID      types.TxID
	Name    string // stable, "ErrExpired"
	Message string
}

// Err returns the refusal as an error, or nil.
func (r SubmitResult) Err() error {
	if r.Name == "" {
		return nil
	}
	return &Error{Op: "submit", Name: r.Name, Message: r.Message}
}

// Submit submits transactions. The results are in their order. Submitting again is harmless.
func (c *Client) Submit(ctx context.Context, chain string, envelopes ...[]byte) ([]SubmitResult, error) {
	m, err := call(ctx, c, c.opts.Timeout, c.chain.SubmitTransactions, &apiv1.SubmitTransactionsRequest{Chain: chain, Envelopes: envelopes},
		"submit to chain "+chain)
	if err != nil {
		return nil, err
	}
	if len(m.GetResults()) != len(envelopes) {
		return nil, fmt.Errorf("submit to chain %s: the node gave %d results for %d transactions", chain, len(m.GetResults()), len(envelopes))
	}
	out := make([]SubmitResult, len(envelopes))
	for i, r := range m.GetResults() {
		if r.GetId() != "" {
			if out[i].ID, err = types.ParseHash(r.GetId()); err != nil {
				return nil, fmt.Errorf("submit to chain %s: answer of the node: %w", chain, err)
			}
		}
		out[i].Name, out[i].Message = r.GetError(), r.GetMessage()
	}
	return out, nil
}

// Tx returns what the node knows of a transaction; an unknown one is no error.
func (c *Client) Tx(ctx context.Context, chain string, id types.TxID) (api.Tx, error) {
	m, err := call(ctx, c, c.opts.Timeout, c.chain.GetTransaction, &apiv1.GetTransactionRequest{Chain: chain, Id: id.String()}, "transaction "+id.Short())
	if err != nil {
		return api.Tx{}, err
	}
	return api.ParseTx(m.GetTransaction())
}

// Detail says how much of a block is wanted. Each level includes those before it.
type Detail = apiv1.BlockDetail

// The levels.
const (
	DetailDefault  = apiv1.BlockDetail_BLOCK_DETAIL_UNSPECIFIED
	DetailHeader   = apiv1.BlockDetail_BLOCK_DETAIL_HEADER
	DetailIDs      = apiv1.BlockDetail_BLOCK_DETAIL_IDS
	DetailReceipts = apiv1.BlockDetail_BLOCK_DETAIL_RECEIPTS
	DetailBody     = apiv1.BlockDetail_BLOCK_DETAIL_BODY
)

// Newest stands for the newest final block.
const Newest = ^uint64(0)

// Block returns the final block at a height, with its receipts by default.
func (c *Client) Block(ctx context.Context, chain string, height uint64, detail Detail) (*api.Block, error) {
	req := &apiv1.GetBlockRequest{Chain: chain, Detail: detail}
	if height != Newest {
		req.Height = &height
	}
	m, err := call(ctx, c, c.opts.Timeout, c.chain.GetBlock, req, "block of chain "+chain)
	if err != nil {
		return nil, err
	}
	b, err := api.ParseBlock(m.GetBlock())
	if err == nil && height != Newest && b.Header.Height != height {
		err = fmt.Errorf("block %d of chain %s: the node answered with block %d", height, chain, b.Header.Height)
	}
	return b, err
}

// Blocks returns up to limit final blocks from a height on, ascending, and the height to go on from. From [Newest] means the
// newest ones. A limit of 0 leaves it to the node.
func (c *Client) Blocks(ctx context.Context, chain string, from uint64, limit int, detail Detail) (blocks []*api.Block, next uint64, err error) {
	req := &apiv1.ListBlocksRequest{Chain: chain, Limit: uint32(max(limit, 0)), Detail: detail}
	if from != Newest {
		req.From = &from
	}
	m, err := call(ctx, c, c.opts.Timeout, c.chain.ListBlocks, req, "blocks of chain "+chain)
	if err != nil {
		return nil, 0, err
	}
	for _, bm := range m.GetBlocks() {
		b, err := api.ParseBlock(bm)
		if err != nil {
			return nil, 0, err
		}
		blocks = append(blocks, b)
	}
	return blocks, m.GetNext(), nil
}

// CurrentEpoch stands for the epoch in force.
const CurrentEpoch = ^uint64(0)

// Epoch returns an epoch that has begun. That its set is the right one is for the caller to verify.
func (c *Client) Epoch(ctx context.Context, chain string, number uint64) (api.Epoch, error) {
	req := &apiv1.GetEpochRequest{Chain: chain}
	if number != CurrentEpoch {
		req.Epoch = &number
	}
	m, err := call(ctx, c, c.opts.Timeout, c.chain.GetEpoch, req, "epoch of chain "+chain)
	if err != nil {
		return api.Epoch{}, err
	}
	e, err := api.ParseEpoch(m)
	if err == nil && number != CurrentEpoch && e.Set.Epoch != number {
		err = fmt.Errorf("epoch %d of chain %s: the node answered with epoch %d", number, chain, e.Set.Epoch)
	}
	return e, err
}

// Account returns an account as of the newest final block.
func (c *Client) Account(ctx context.Context, chain string, id types.AccountID) (api.Account, error) {
	m, err := call(ctx, c, c.opts.Timeout, c.chain.GetAccount, &apiv1.GetAccountRequest{Chain: chain, Account: id.String()}, "account "+id.String())
	if err != nil {
		return api.Account{}, err
	}
	a, err := api.ParseAccount(m)
	if err == nil && a.ID != id {
		err = fmt.Errorf("account %s: the node answered about %s", id, a.ID)
	}
	return a, err
}

// ProvenAccount returns an account with the items that the state holds for it and their proofs, which lead to the state root of
// the final block at ProofHeight. They are for the caller to verify.
func (c *Client) ProvenAccount(ctx context.Context, chain string, id types.AccountID) (api.Account, error) {
	m, err := call(ctx, c, c.opts.Timeout, c.chain.GetAccount, &apiv1.GetAccountRequest{Chain: chain, Account: id.String(), Prove: true},
		"proof of account "+id.String())
	if err != nil {
		return api.Account{}, err
	}
	a, err := api.ParseAccount(m)
	switch {
	case err == nil && a.ID != id:
		err = fmt.Errorf("account %s: the node answered about %s", id, a.ID)
	case err == nil && len(a.Proofs) == 0:
		err = fmt.Errorf("account %s: the node gave no proofs", id)
	}
	return a, err
}

// Registry returns the chain's parameters with the values in force, as of the final block at height.
func (c *Client) Registry(ctx context.Context, chain string) (r *params.Registry, height uint64, err error) {
	m, err := call(ctx, c, c.opts.Timeout, c.chain.GetParams, &apiv1.GetParamsRequest{Chain: chain}, "parameters of chain "+chain)
	if err != nil {
		return nil, 0, err
	}
	return api.ParseRegistry(m)
}

// A wait is made of requests of maxWait, with waitRoom for the way. After each it shows whether the node has lost the transaction.
const (
	maxWait  = 2 * time.Second
	waitRoom = 10 * time.Second
)

// wait asks once for a transaction to reach a stage.
func (c *Client) wait(ctx context.Context, chain string, id types.TxID, until api.Stage, expires uint64) (tx api.Tx, reached, expired bool, err error) {
	req := &apiv1.WaitTransactionRequest{Chain: chain, Id: id.String(), Until: apiv1.Stage(until), Expires: expires, WaitMs: uint32(maxWait.Milliseconds())}
	m, err := call(ctx, c, maxWait+waitRoom, c.chain.WaitTransaction, req, "wait for transaction "+id.Short())
	if err != nil {
		return api.Tx{}, false, false, err
	}
	tx, err = api.ParseTx(m.GetTransaction())
	return tx, m.GetReached(), m.GetExpired(), err
}

// Stop asks the node to stop. It needs a unix socket and the token, like all administration.
func (c *Client) Stop(ctx context.Context, reason string) error {
	_, err := call(ctx, c, c.opts.Timeout, c.admin.Stop, &apiv1.StopRequest{Reason: reason}, "stop")
	return err
}

// FollowChain makes the node run the chain of a resolved genesis document.
func (c *Client) FollowChain(ctx context.Context, genesis []byte) (types.ChainID, error) {
	m, err := call(ctx, c, c.opts.Timeout, c.admin.FollowChain, &apiv1.FollowChainRequest{Genesis: genesis}, "follow a chain")
	if err != nil {
		return types.ChainID{}, err
	}
	return types.ParseHash(m.GetChainId())
}

// RestartPlugin restarts the processes of a plugin.
func (c *Client) RestartPlugin(ctx context.Context, name string) error {
	_, err := call(ctx, c, c.opts.Timeout, c.admin.RestartPlugin, &apiv1.RestartPluginRequest{Name: name}, "restart plugin "+name)
	return err
}

// SetLogLevel changes what the node logs: debug, info, warn or error.
func (c *Client) SetLogLevel(ctx context.Context, level string) error {
	_, err := call(ctx, c, c.opts.Timeout, c.admin.SetLogLevel, &apiv1.SetLogLevelRequest{Level: level}, "set the log level")
	return err
}

// Probe measures the node's link to a peer, by its name or id, with so many datagrams, 1 to [api.MaxProbe]; 0 leaves it to the node.
func (c *Client) Probe(ctx context.Context, peer string, datagrams int) (api.Probe, error) {
	m, err := call(ctx, c, c.opts.Timeout, c.admin.Probe, &apiv1.ProbeRequest{Peer: peer, Datagrams: uint32(max(datagrams, 0))}, "probe "+peer)
	if err != nil {
		return api.Probe{}, err
	}
	return api.ParseProbe(m)
}
