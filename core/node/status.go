package node

import (
	"fmt"
	"slices"
	"strings"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Status is where a node stands.
type Status struct {
	Name    string
	ID      types.Hash
	Listen  string
	Peers   []Peer
	Chains  []ChainStatus
	Plugins []host.Status
}

// Peer is another node, and whether it is connected and has proven who it is.
type Peer struct {
	Name      string
	ID        types.Hash
	Address   string
	Connected bool
}

// ChainStatus is where a chain stands on this node. Failed says why it could not be started; then nothing else is set
// but name and id.
type ChainStatus struct {
	chain.Status
	Parent *types.ChainID
	Rules  []string // "name/version" of its plugins
	Failed string
}

// Status returns where the node stands.
func (n *Node) Status() Status {
	s := Status{Name: n.cfg.Node.Name, ID: n.net.Self(), Listen: n.net.Address(), Plugins: n.host.Status()}
	connected := n.net.Connected()
	for _, p := range n.cfg.Node.Peers {
		if p.ID == s.ID {
			continue
		}
		i := slices.Index(connected, p.ID)
		s.Peers = append(s.Peers, Peer{p.Name, p.ID, p.Address, i >= 0})
		if i >= 0 {
			connected = slices.Delete(connected, i, i+1)
		}
	}
	for _, id := range connected { // that dialled us
		s.Peers = append(s.Peers, Peer{ID: id, Connected: true})
	}
	for _, r := range n.running() {
		s.Chains = append(s.Chains, ChainStatus{Status: r.chain.Status(), Parent: r.genesis.Parent, Rules: r.rules})
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, f := range n.failed {
		if n.chains[id] == nil {
			s.Chains = append(s.Chains, ChainStatus{Status: chain.Status{Name: f.name, Chain: id}, Failed: f.err.Error()})
		}
	}
	return s
}

func (n *Node) running() []*running {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]*running, 0, len(n.order))
	for _, id := range n.order {
		out = append(out, n.chains[id])
	}
	return out
}

// Chain returns a running chain by its name, or its id in hexadecimal digits. The error lists the chains that there are.
func (n *Node) Chain(nameOrID string) (*chain.Chain, *chainspec.Genesis, error) {
	var names []string
	var found *running
	for _, r := range n.running() {
		if r.chain.ID().String() == nameOrID {
			return r.chain, r.genesis, nil
		}
		if r.name == nameOrID {
			if found != nil {
				return nil, nil, fmt.Errorf("%w: two chains are named %q; use an id: %s or %s", ErrUnknownChain, nameOrID, found.chain.ID(), r.chain.ID())
			}
			found = r
		}
		names = append(names, r.name)
	}
	if found == nil {
		return nil, nil, fmt.Errorf("%w: %q; this node has %s", ErrUnknownChain, nameOrID, strings.Join(names, ", "))
	}
	return found.chain, found.genesis, nil
}

// ChainIDs returns the chains that run on the node, in the order in which they were started.
func (n *Node) ChainIDs() []types.ChainID {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]types.ChainID(nil), n.order...)
}
