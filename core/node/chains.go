package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/mempool"
	"github.com/paloalto-chain/paloalto/core/network"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// running is a chain of this node with everything that it is made from.
type running struct {
	name    string
	genesis *chainspec.Genesis
	chain   *chain.Chain
	journal *journal.Journal
	view    *network.View
	parts   []opened
	oracle  *host.Instance   // nil: it has none
	seconds []*host.Instance // those that a paranoid chain asks the second time
	rules   []string         // "name/version" of its plugins
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // valid once done is closed
}

// openTimeout bounds the opening of one chain: plugins, recovery, replay.
const openTimeout = 5 * time.Minute

// openChain starts the plugins of a chain, recovers it and lets it run. What it has begun is undone if it fails.
func (n *Node) openChain(ctx context.Context, g *chainspec.Genesis, local chainspec.NodeChain) (r *running, err error) {
	id := g.ID()
	release, err := n.reserve(g)
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	defer context.AfterFunc(n.ctx, cancel)()
	r = &running{name: g.Name, genesis: g, done: make(chan struct{})}
	parts := r // r is nil in what an error returns
	defer func() {
		if err != nil {
			err = &StageError{n.cfg.Node.Name, "chain " + g.Name, err}
			n.closeParts(context.WithoutCancel(ctx), parts)
		}
	}()
	folder := filepath.Join(n.cfg.Home, "chains", shortID(id))
	if err := saveGenesis(folder, g); err != nil {
		return nil, err
	}
	if r.journal, err = journal.Open(filepath.Join(folder, "journal"), n.cfg.Journal); err != nil {
		return nil, err
	}
	// Whether or not the key has a seat now: it may have had one, or come to one.
	if err := n.cfg.Signer.CheckJournal(id, uint64(r.journal.End())); err != nil {
		return nil, fmt.Errorf("journal %s: %w", filepath.Join(folder, "journal"), err)
	}
	cfg, err := n.assemble(ctx, r, local)
	if err != nil {
		return nil, err
	}
	r.view = n.net.Join(id, strings.Join(r.rules, " "))
	cfg.Network = r.view
	if r.chain, err = chain.Open(ctx, cfg); err != nil {
		return nil, err
	}
	n.run(r)
	return r, nil
}

// assemble opens the plugins and puts the ledger together.
func (n *Node) assemble(ctx context.Context, r *running, local chainspec.NodeChain) (chain.Config, error) {
	cfg := chain.Config{Name: r.genesis.Name, Genesis: r.genesis, Journal: r.journal, Clock: newClock(), Log: n.log, Metrics: n.metrics,
		State: n.cfg.State, Signer: n.cfg.Signer, Checkpoint: local.Checkpoint}
	p := &parts{n: n, r: r, local: local, schemas: map[string]plugin.Schema{}, exports: map[string][]string{}, foreign: map[string]foreign{}}
	st, err := p.open(ctx, want{kind: plugin.Storage, name: local.Storage.Plugin, local: local.Storage.Config, settings: local.Storage.Host})
	if err != nil {
		return cfg, err
	}
	cfg.Store = st.instance.Store()
	co, err := p.all(ctx)
	if err != nil {
		return cfg, err
	}
	cfg.Engine = co.instance.Engine()
	if err := p.ledger(&cfg); err != nil {
		return cfg, err
	}
	if err := cfg.Ledger.ValidateGenesis(ctx); err != nil {
		return cfg, err
	}
	cfg.Pool = mempool.New(cfg.Ledger, mempool.Options{})
	cfg.Progress = func() {
		for _, p := range r.parts {
			p.instance.Progress()
		}
		for _, i := range r.seconds {
			i.Progress()
		}
	}
	return cfg, nil
}

// run lets an open chain run, and closes what it is made from when it has ended.
func (n *Node) run(r *running) {
	ctx, cancel := context.WithCancel(n.ctx)
	r.cancel = cancel
	n.mu.Lock()
	n.chains[r.chain.ID()] = r
	n.order = append(n.order, r.chain.ID())
	n.mu.Unlock()
	r.view.Start(r.chain)
	n.wg.Go(func() { n.watchChildren(ctx, r) })
	n.wg.Go(func() {
		defer close(r.done)
		r.err = r.chain.Run(ctx)
		if r.err != nil {
			n.log.Error("a chain has halted; the others go on", "chain", r.name, "cause", r.err)
			<-n.ctx.Done() // it can still be asked about
		}
		r.view.Stop()
	})
}

// closeParts gives back what a chain was made from.
func (n *Node) closeParts(ctx context.Context, r *running) {
	for _, i := range r.seconds {
		n.closeSolo(ctx, r.name, i)
	}
	for i := len(r.parts) - 1; i >= 0; i-- {
		p := r.parts[i]
		if err := p.instance.Close(ctx); err != nil {
			n.log.Warn("a plugin's instance was not closed cleanly", "chain", r.name, "cause", err)
		}
		if err := p.process.Release(ctx); err != nil {
			n.log.Warn("a plugin was not ended cleanly", "chain", r.name, "cause", err)
		}
	}
	if r.journal != nil {
		if err := r.journal.Close(); err != nil {
			n.log.Warn("the journal was not closed cleanly", "chain", r.name, "cause", err)
		}
	}
}

// saveGenesis keeps a chain's document, so that the node finds the chain again without the spec or the parent.
func saveGenesis(folder string, g *chainspec.Genesis) error {
	path := filepath.Join(folder, "genesis.json")
	doc := g.Encode()
	old, err := os.ReadFile(path)
	if err == nil && string(old) == string(doc) {
		return nil
	}
	if err == nil {
		return fmt.Errorf("%s holds another chain's document; move the folder away", path)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("genesis document: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("genesis document: %w", err)
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, doc, 0o600); err != nil {
		return fmt.Errorf("genesis document: %w", err)
	}
	if err := syncPath(tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("genesis document: %w", err)
	}
	return syncPath(folder)
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("genesis document: %w", err)
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}

// seated tells whether a key has a seat among producers.
func seated(key types.Hash, producers []chainspec.Producer) bool {
	for _, p := range producers {
		if p.Key.Hash() == key {
			return true
		}
	}
	return false
}
