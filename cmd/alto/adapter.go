package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/node"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// apiNode shows a node to the API.
type apiNode struct {
	n       *node.Node
	started time.Time
	stop    func(reason string)
	level   *slog.LevelVar
}

// Status implements api.Node.
func (a *apiNode) Status(context.Context) (api.NodeStatus, error) {
	s := a.n.Status()
	out := api.NodeStatus{Name: s.Name, ID: s.ID, Version: version, Listen: s.Listen, Started: a.started}
	for _, p := range s.Peers {
		out.Peers = append(out.Peers, api.Peer{Name: p.Name, ID: p.ID, Address: p.Address, Connected: p.Connected})
	}
	for _, c := range s.Chains {
		st := chainStatus(c.Status, c.Parent)
		if c.Failed != "" {
			st.Halted = c.Failed
		}
		out.Chains = append(out.Chains, st)
	}
	for _, p := range s.Plugins {
		v := api.Plugin{Name: p.Name, Chain: p.Chain, Version: p.Version, Digest: p.Digest, Path: p.Path, PID: p.PID, State: string(p.State),
			Restarts: p.Restarts, RSS: p.RSS, Started: p.Started, LastError: p.LastError}
		for _, k := range p.Kinds {
			v.Kinds = append(v.Kinds, string(k))
		}
		for _, i := range p.Instances {
			v.Instances = append(v.Instances, api.Instance{Chain: i.Chain, Kind: string(i.Kind), Ready: i.Ready, Crashes: i.Crashes, Failed: i.Failed})
		}
		out.Plugins = append(out.Plugins, v)
	}
	return out, nil
}

func chainStatus(s chain.Status, parent *types.ChainID) api.ChainStatus {
	out := api.ChainStatus{Name: s.Name, ID: s.Chain, Head: s.Head, Final: s.Final, FinalID: s.FinalID, FinalSlot: s.FinalSlot, Slot: s.Slot,
		StateRoot: s.StateRoot, StateHeight: s.StateHeight, Producers: s.Producers, Producer: s.Producer, Produced: s.Produced,
		Skipped: s.Skipped, Waiting: s.Waiting, Burned: s.Burned, Halted: s.Halted, Stalled: s.Stalled, Trouble: s.Trouble}
	if parent != nil {
		out.Parent = *parent
	}
	return out
}

// Chains implements api.Node.
func (a *apiNode) Chains() []api.Chain {
	var out []api.Chain
	for _, id := range a.n.ChainIDs() {
		if c, g, err := a.n.Chain(id.String()); err == nil {
			out = append(out, &apiChain{c, g})
		}
	}
	return out
}

// Stop implements api.Admin.
func (a *apiNode) Stop(_ context.Context, reason string) error {
	a.stop(reason)
	return nil
}

// Follow implements api.Admin.
func (a *apiNode) Follow(ctx context.Context, genesis []byte) (types.ChainID, error) {
	g, err := chainspec.DecodeGenesis(genesis)
	if err != nil {
		return types.ChainID{}, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	return g.ID(), a.n.Follow(ctx, g)
}

// RestartPlugin implements api.Admin.
func (a *apiNode) RestartPlugin(context.Context, string) error {
	return fmt.Errorf("%w: end the process of a plugin, by the pid that `alto status` shows, and the node starts it again", api.ErrUnsupported)
}

// SetLogLevel implements api.Admin.
func (a *apiNode) SetLogLevel(_ context.Context, level string) error {
	if err := a.level.UnmarshalText([]byte(level)); err != nil {
		return fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	return nil
}

// apiChain shows a chain to the API.
type apiChain struct {
	c *chain.Chain
	g *chainspec.Genesis
}

func (a *apiChain) Name() string            { return a.g.Name }
func (a *apiChain) ID() types.ChainID       { return a.c.ID() }
func (a *apiChain) Status() api.ChainStatus { return chainStatus(a.c.Status(), a.g.Parent) }
func (a *apiChain) Genesis() []byte         { return a.c.Genesis() }
func (a *apiChain) Set() *types.Set         { return a.c.Set() }

// Params implements api.Chain.
func (a *apiChain) Params() api.Params {
	f := a.c.Fees()
	return api.Params{Token: a.g.Token, GenesisTimeMs: a.g.TimeMs, SlotMs: a.g.SlotMs, TxLifetime: ledger.TxLifetime,
		Fees:    api.Fees{PerByte: f.PerByte, PerGas: f.PerGas, Floor: f.Floor, BurnPPM: f.BurnPPM},
		Limits:  api.ChainLimits{BlockBytes: a.g.Limits.BlockBytes, TxBytes: a.g.Limits.TxBytes, BlockGas: a.g.Limits.BlockGas},
		Modules: a.c.Modules()}
}

// Reference implements api.Chain.
func (a *apiChain) Reference(context.Context) (api.Reference, error) {
	height, id, clock, slot := a.c.Reference()
	return api.Reference{Height: height, ID: id, Clock: clock, Slot: slot}, nil
}

// Submit implements api.Chain.
func (a *apiChain) Submit(ctx context.Context, envelopes [][]byte) ([]types.TxID, []error) {
	ids, errs := a.c.Submit(ctx, envelopes)
	for i := range errs {
		errs[i] = named(errs[i])
	}
	return ids, errs
}

// Tx implements api.Chain.
func (a *apiChain) Tx(ctx context.Context, id types.TxID) (api.Tx, error) {
	t, err := a.c.Tx(ctx, id)
	return api.Tx{ID: id, Stage: api.Stage(t.Stage), Height: t.Height, Block: t.Block, Index: t.Index, Envelope: t.Envelope, Receipt: t.Receipt}, named(err)
}

// Block implements api.Chain.
func (a *apiChain) Block(ctx context.Context, height uint64) (*api.Block, error) {
	b, err := a.c.Block(ctx, height)
	if err != nil {
		return nil, named(err)
	}
	return apiBlock(b), nil
}

func apiBlock(b *chain.FinalBlock) *api.Block {
	return &api.Block{ID: b.ID, Header: b.Header, Certificate: b.Certificate(), TxCount: len(b.TxIDs), TxIDs: b.TxIDs, Receipts: b.Receipts, Body: b.Body(),
		Finality: b.Finality()}
}

// Epoch implements api.Chain.
func (a *apiChain) Epoch(ctx context.Context, number uint64) (api.Epoch, error) {
	e, err := a.c.Epoch(ctx, number)
	return api.Epoch{Set: e.Set, Opened: e.Start, Proof: e.Proof}, named(err)
}

// Account implements api.Chain.
func (a *apiChain) Account(ctx context.Context, id types.AccountID, prove bool) (api.Account, error) {
	if prove {
		return a.provenAccount(ctx, id)
	}
	acc, auth, height, clock, err := a.c.Account(ctx, id)
	if err != nil {
		return api.Account{}, named(err)
	}
	return api.Account{ID: id, Balance: acc.Balance, Locked: min(acc.Locked(clock), acc.Balance), Free: acc.Free(clock), Authority: auth, Height: height, Clock: clock}, nil
}

// provenAccount answers as of the parent of the newest final block, whose header has the root of that state.
func (a *apiChain) provenAccount(ctx context.Context, id types.AccountID) (api.Account, error) {
	p, err := a.c.Prove(ctx, ledger.AccountItems(id))
	if err != nil {
		return api.Account{}, named(err)
	}
	acc, auth, err := ledger.AccountOf(ctx, p, id)
	if err != nil {
		return api.Account{}, err
	}
	out := api.Account{ID: id, Balance: acc.Balance, Locked: min(acc.Locked(p.Clock), acc.Balance), Free: acc.Free(p.Clock), Authority: auth, Height: p.Height,
		Clock: p.Clock, ProofHeight: p.Root.Height, Proofs: itemProofs(p)}
	return out, nil
}

// Query implements api.Chain.
func (a *apiChain) Query(ctx context.Context, q api.QueryRequest) (api.QueryAnswer, error) {
	ans, err := a.c.Ask(ctx, chain.Question{Module: q.Module, Path: q.Path, Argument: q.Argument, Prove: q.Prove, Auth: q.Auth})
	if err != nil {
		return api.QueryAnswer{}, named(err)
	}
	out := api.QueryAnswer{JSON: ans.JSON, Height: ans.Height, Clock: ans.Clock, Caller: ans.Caller}
	if p := ans.Proven; p != nil {
		out.ProofHeight, out.Proofs = p.Root.Height, itemProofs(p)
	}
	return out, nil
}

func itemProofs(p *chain.Proven) (out []api.ItemProof) {
	for i, it := range p.Items {
		out = append(out, api.ItemProof{Module: it.Module, Place: it.Place, Key: []byte(it.Key), Value: p.Values[i], Proof: &p.Proofs[i]})
	}
	return out
}

// Subscribe implements api.Chain.
func (a *apiChain) Subscribe() (api.Subscription, error) {
	blocks, cancel, err := a.c.Subscribe()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", api.ErrBusy, err)
	}
	return &subscription{a.c, blocks, cancel}, nil
}

type subscription struct {
	c      *chain.Chain
	blocks <-chan *chain.FinalBlock
	cancel func()
}

// Next implements api.Subscription.
func (s *subscription) Next(ctx context.Context) (*api.Block, error) {
	select {
	case b, ok := <-s.blocks:
		if ok {
			return apiBlock(b), nil
		}
		if s.c.Closed() {
			return nil, api.ErrStopped
		}
		return nil, api.ErrSlow
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close implements api.Subscription.
func (s *subscription) Close() { s.cancel() }

// named gives the chain's own errors the names that the API knows.
func named(err error) error {
	for _, x := range []struct{ have, want error }{
		{chain.ErrNotFound, api.ErrNotFound}, {chain.ErrHalted, api.ErrHalted}, {chain.ErrClosed, api.ErrStopped},
	} {
		if errors.Is(err, x.have) && !strings.HasPrefix(err.Error(), "Err") {
			return fmt.Errorf("%w: %w", x.want, err)
		}
	}
	return err
}
