package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/network"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// What a node uses where its configuration says nothing.
const (
	defaultStorage   = "cometbftdb"
	defaultTransport = "udp"
)

// Node is a running node.
type Node struct {
	cfg       Config
	log       *slog.Logger
	host      *host.Host
	net       *network.Network
	transport opened
	metrics   *chain.Metrics
	gauges    *gauges

	ctx    context.Context // ends when the node closes
	cancel context.CancelFunc
	wg     sync.WaitGroup
	once   sync.Once
	fatal  chan error // the network cannot listen

	probing atomic.Bool // a link is being measured

	mu      sync.Mutex
	chains  map[types.ChainID]*running
	order   []types.ChainID
	opening map[types.ChainID]chan struct{} // closed when the opening has ended
	closing bool
	failed  map[types.ChainID]failure // chains that did not start
}

type failure struct {
	name string
	err  error
}

// Start makes a node and returns when its chains are open and the transport listens. The error is a [*StageError].
func Start(ctx context.Context, cfg Config) (_ *Node, err error) {
	n := &Node{cfg: cfg, log: cfg.Log.With("node", cfg.Node.Name), chains: map[types.ChainID]*running{},
		opening: map[types.ChainID]chan struct{}{}, failed: map[types.ChainID]failure{}, fatal: make(chan error, 1)}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			_ = n.Close(context.WithoutCancel(ctx))
		}
	}()
	stage := func(what string, err error) error { return &StageError{cfg.Node.Name, what, err} }
	if !filepath.IsAbs(cfg.Home) {
		return nil, stage("data folder", fmt.Errorf("%q is not absolute", cfg.Home))
	}
	if err := os.MkdirAll(cfg.Home, 0o700); err != nil {
		return nil, stage("data folder", err)
	}
	if cfg.Registry != nil {
		n.metrics, n.gauges = chain.NewMetrics(cfg.Registry), newGauges(cfg.Registry)
	}
	ho := cfg.Host
	ho.Logger, ho.LogDir = n.log, filepath.Join(cfg.Home, "logs")
	if n.host, err = host.New(ho); err != nil {
		return nil, stage("plugin host", err)
	}
	if err := n.startNetwork(ctx); err != nil {
		return nil, stage("transport", err)
	}
	if err := n.startChains(ctx); err != nil {
		return nil, err // a StageError already
	}
	return n, nil
}

// startNetwork opens the transport and listens.
func (n *Node) startNetwork(ctx context.Context) error {
	t := n.cfg.Node.Transport
	if t.Plugin == "" {
		t.Plugin = defaultTransport
	}
	var err error
	n.transport, err = n.openInstance(ctx, want{kind: plugin.Transport, name: t.Plugin, local: t.Config, settings: t.Host}, nil, nil)
	if err != nil {
		return err
	}
	peers := make([]network.Peer, 0, len(n.cfg.Node.Peers))
	for _, p := range n.cfg.Node.Peers {
		peers = append(peers, network.Peer{Name: p.Name, ID: p.ID, Address: p.Address})
	}
	n.net = network.New(network.Options{Transport: n.transport.instance.Transport(), Listen: n.cfg.Node.Listen, Key: n.cfg.Signer.Public(),
		Sign: n.cfg.Signer.SignHello, Peers: peers, Log: n.log})
	if n.cfg.Registry != nil {
		n.cfg.Registry.MustRegister(newLinkMetrics(n.Links, n.HeldBack))
	}
	n.wg.Go(func() {
		if err := n.net.Run(n.ctx); err != nil {
			n.fatal <- err
		}
	})
	select {
	case <-n.net.Listening():
		return nil
	case err := <-n.fatal:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startChains opens the chains of the configuration, then those that were started from a record before.
func (n *Node) startChains(ctx context.Context) error {
	var lost error
	for _, c := range n.cfg.Node.Chains {
		g, err := chainspec.DecodeGenesis(n.cfg.Genesis[c.Name])
		if err == nil {
			_, err = n.openChain(ctx, g, n.localDefaults(c.Name))
		}
		if err == nil {
			continue
		}
		var s *StageError
		if !errors.As(err, &s) {
			err = &StageError{n.cfg.Node.Name, "chain " + c.Name, err}
		}
		if !errors.Is(err, host.ErrFailed) {
			return err
		}
		// A plugin that dies of what its chain has is no reason to keep the node's other chains from going on.
		n.log.Error("a chain could not be started; the others go on", "chain", c.Name, "cause", err)
		n.notStarted(g, err)
		lost = cmp.Or(lost, err)
	}
	if lost != nil && len(n.running()) == 0 {
		return lost
	}
	known, err := filepath.Glob(filepath.Join(n.cfg.Home, "chains", "*", "genesis.json"))
	if err != nil {
		return &StageError{n.cfg.Node.Name, "data folder", err}
	}
	for _, path := range known {
		if err := n.startKnown(ctx, path); err != nil {
			n.log.Error("a child chain could not be started", "document", path, "cause", err)
		}
	}
	return nil
}

func (n *Node) startKnown(ctx context.Context, path string) error {
	doc, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	g, err := chainspec.DecodeGenesis(doc)
	if err != nil {
		return err
	}
	n.mu.Lock()
	_, have := n.chains[g.ID()]
	n.mu.Unlock()
	if have {
		return nil
	}
	_, err = n.openChain(ctx, g, n.localDefaults(g.Name))
	if errors.Is(err, errRuns) { // its parent has led to it first
		return n.awaitOpened(ctx, g.ID())
	}
	if err != nil {
		n.notStarted(g, err)
	}
	return err
}

// notStarted keeps for the status why a chain is not there.
func (n *Node) notStarted(g *chainspec.Genesis, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failed[g.ID()] = failure{g.Name, err}
}

// awaitOpened waits until a chain is no longer being opened.
func (n *Node) awaitOpened(ctx context.Context, id types.ChainID) error {
	n.mu.Lock()
	opened := n.opening[id]
	n.mu.Unlock()
	if opened == nil {
		return nil
	}
	select {
	case <-opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reserve marks a chain as being opened, so that two ways of finding a child do not start it twice. Close waits for it.
func (n *Node) reserve(g *chainspec.Genesis) (release func(), err error) {
	id := g.ID()
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closing:
		return nil, ErrClosed
	case n.opening[id] != nil || n.chains[id] != nil:
		return nil, fmt.Errorf("chain %s (%s): %w", g.Name, id.Short(), errRuns)
	}
	opened := make(chan struct{})
	n.opening[id] = opened
	n.wg.Add(1)
	return func() {
		n.mu.Lock()
		delete(n.opening, id)
		close(opened)
		n.mu.Unlock()
		n.wg.Done()
	}, nil
}

// errRuns says that a chain is open already, or is being opened.
var errRuns = errors.New("it runs already")

// hadSeat tells whether the node's key has a seat in the epoch in force of a chain that it runs, or had one before.
func (n *Node) hadSeat(ctx context.Context, id types.ChainID) (bool, error) {
	n.mu.Lock()
	r := n.chains[id]
	n.mu.Unlock()
	if r == nil {
		return false, nil
	}
	return r.chain.HadSeat(ctx)
}

// Fatal tells of an error after the start that the node cannot go on with.
func (n *Node) Fatal() <-chan error { return n.fatal }

// Close ends the chains, the network and the plugins. When it returns, nothing of the node is left. Without a deadline in ctx
// the plugins have three seconds.
func (n *Node) Close(ctx context.Context) error {
	var err error
	n.once.Do(func() {
		n.mu.Lock()
		n.closing = true
		n.mu.Unlock()
		n.cancel()
		n.wg.Wait()
		n.mu.Lock()
		order := append([]types.ChainID(nil), n.order...)
		n.mu.Unlock()
		if n.host != nil { // ends all processes at once, so that one that is slow does not hold up the others
			err = n.host.Close(ctx)
		}
		for i := len(order) - 1; i >= 0; i-- {
			n.closeParts(ctx, n.chains[order[i]])
		}
		if n.transport.instance != nil {
			err = errors.Join(err, n.transport.instance.Close(ctx), n.transport.process.Release(ctx))
		}
	})
	return err
}
