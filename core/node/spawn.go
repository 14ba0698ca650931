package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/core/ledger/chains"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// watchChildren starts the children that a chain records, for as long as it runs. First come those that were recorded while
// nobody watched; a record that both ways bring is started once.
func (n *Node) watchChildren(ctx context.Context, r *running) {
	for ctx.Err() == nil {
		blocks, stop, err := r.chain.Subscribe()
		if err != nil {
			return
		}
		n.recorded(ctx, r)
		n.follow(ctx, r, blocks)
		stop()
	}
}

// follow reads final blocks until the chain ends or this reader was too slow; then the caller begins again.
func (n *Node) follow(ctx context.Context, r *running, blocks <-chan *chain.FinalBlock) {
	for {
		select {
		case <-ctx.Done():
			return
		case b, ok := <-blocks:
			if !ok {
				return
			}
			for _, rc := range b.Receipts {
				for _, e := range rc.Events {
					if e.Module == types.ModuleChains && e.Name == "spawned" {
						n.spawned(ctx, r, e.Data)
					}
				}
			}
		}
	}
}

// recorded starts children from the state.
func (n *Node) recorded(ctx context.Context, r *running) {
	var after []byte
	for ctx.Err() == nil {
		a, _, err := r.chain.Query(ctx, types.ModuleChains, "list", after)
		if err != nil {
			n.log.Warn("the children of a chain could not be listed", "chain", r.name, "cause", err)
			return
		}
		var list []chains.Spawned
		if err := json.Unmarshal(a.JSON, &list); err != nil || len(list) == 0 {
			return
		}
		for _, c := range list {
			n.child(ctx, r, c.Chain)
			after = c.Chain[:]
		}
	}
}

func (n *Node) spawned(ctx context.Context, r *running, data []byte) {
	var s chains.Spawned
	if err := json.Unmarshal(data, &s); err == nil {
		n.child(ctx, r, s.Chain)
	}
}

// child starts a recorded child if this node has a seat in it or was told to follow it.
func (n *Node) child(ctx context.Context, parent *running, id types.ChainID) {
	n.mu.Lock()
	_, have := n.chains[id]
	n.mu.Unlock()
	if have {
		return
	}
	g, err := n.childGenesis(ctx, parent, id)
	if err != nil {
		n.log.Error("a child's record could not be read", "parent", parent.name, "child", id.Short(), "cause", err)
		return
	}
	if !seated(n.cfg.Signer.Public().Hash(), g.Producers) && !slices.Contains(n.cfg.Node.Follow, id) {
		n.log.Info("a child chain was recorded that is not for this node", "parent", parent.name, "child", g.Name, "id", id.Short())
		return
	}
	_, err = n.openChain(ctx, g, n.localDefaults(g.Name))
	if errors.Is(err, errRuns) || ctx.Err() != nil {
		return // by the other way, or the node is closing
	}
	if err != nil {
		n.log.Error("a child chain could not be started; it is tried again when the node starts", "child", g.Name, "cause", err)
		n.mu.Lock()
		n.failed[id] = failure{g.Name, err}
		n.mu.Unlock()
		return
	}
	n.log.Info("a child chain was started from its record", "parent", parent.name, "child", g.Name, "id", id.Short())
}

// Follow makes the node run the chain of a document, without a seat if its key has none.
func (n *Node) Follow(ctx context.Context, g *chainspec.Genesis) error {
	_, err := n.openChain(ctx, g, n.localDefaults(g.Name))
	return err
}

func (n *Node) childGenesis(ctx context.Context, parent *running, id types.ChainID) (*chainspec.Genesis, error) {
	a, _, err := parent.chain.Query(ctx, types.ModuleChains, "genesis", id[:])
	if err != nil {
		return nil, err
	}
	g, err := chainspec.DecodeGenesis(a.JSON)
	if err != nil {
		return nil, err
	}
	if g.ID() != id {
		return nil, fmt.Errorf("the record of %s holds the document of %s", id, g.ID())
	}
	return g, nil
}

// localDefaults are the settings of a chain that the node's configuration does not name.
func (n *Node) localDefaults(name string) chainspec.NodeChain {
	for _, c := range n.cfg.Node.Chains {
		if c.Name == name {
			return c
		}
	}
	d := n.cfg.Node.Defaults
	d.Name = name
	if d.Storage.Plugin == "" {
		d.Storage.Plugin = defaultStorage
	}
	return d
}
