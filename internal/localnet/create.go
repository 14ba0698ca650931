package localnet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Plan is what a network is made from.
type Plan struct {
	Home    string // ALTO_HOME
	Spec    *chainspec.Spec
	Network *chainspec.Network
	Schemas chainspec.Schemas
	Plugins []chainspec.PluginSource // external ones, with absolute paths and digests
	Now     func() time.Time         // nil: the machine's clock
	Tell    func(string)             // told what the user should know; may be nil
	// Adjust has the last word on each node's configuration before it is written; may be nil. Tests put a network of their own
	// between the nodes by it.
	Adjust func(*chainspec.Node)
}

// ErrOtherChain says that a spec stands for other chains than those that the network runs.
var ErrOtherChain = errors.New("the spec stands for another chain than the one that this network runs")

// NodeKeyName is what a node's key is called in its keystore.
const NodeKeyName = "node"

// Prepare makes a network's folder, or checks that the one that is there, which must not be running, fits the spec. Ports that
// others use by now are replaced. It returns the folder, what the
// network consists of, and whether it was made now.
func Prepare(p Plan) (dir string, s *State, fresh bool, err error) {
	if p.Now == nil {
		p.Now = time.Now
	}
	if !nameForm.MatchString(p.Network.Name) {
		return "", nil, false, fmt.Errorf("network %q: a name has lower-case letters, digits, dots, dashes and underscores", p.Network.Name)
	}
	dir = Dir(p.Home, p.Network.Name)
	s, err = ReadState(dir)
	if err == nil {
		return dir, s, false, p.refresh(dir, s)
	}
	if !errors.Is(err, ErrNoNetwork) {
		return "", nil, false, err
	}
	s, err = p.create(dir)
	return dir, s, true, err
}

// create makes the folder. network.json comes last: without it there is no network, and what a crash has left is used again.
func (p Plan) create(dir string) (*State, error) {
	for _, d := range []string{dir, filepath.Join(dir, "genesis"), filepath.Join(dir, "nodes"), filepath.Join(dir, "keys")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("network %s: %w", p.Network.Name, err)
		}
	}
	s := &State{Format: 1, Name: p.Network.Name, Spec: p.Spec.File, CreatedMs: uint64(p.Now().UnixMilli()), Faucet: p.Network.Faucet}
	ports, err := freePorts(dir, 2*p.Network.Nodes, takenPorts(p.Home))
	if err != nil {
		return nil, fmt.Errorf("network %s: %w", p.Network.Name, err)
	}
	for i := range p.Network.Nodes {
		n := NodeState{Name: "node-" + strconv.Itoa(i), Listen: local(ports[2*i]), API: local(ports[2*i+1])}
		if n.Key, err = ensureKey(filepath.Join(NodeDir(dir, n.Name), "keys"), NodeKeyName, signer.RoleNode); err != nil {
			return nil, fmt.Errorf("network %s: node %s: %w", s.Name, n.Name, err)
		}
		s.Nodes = append(s.Nodes, n)
	}
	docs, err := p.resolve(dir, s)
	if err != nil {
		return nil, err
	}
	for _, g := range docs {
		c := Chain{Name: g.Name, ID: g.ID(), Genesis: filepath.Join("genesis", g.Name+".json")}
		if pc := p.Spec.Chain(g.Name); pc != nil {
			c.Parent = pc.Parent
		}
		if err := writeFile(filepath.Join(dir, c.Genesis), g.Encode()); err != nil {
			return nil, fmt.Errorf("network %s: %w", s.Name, err)
		}
		s.Chains = append(s.Chains, c)
	}
	if err := p.writeNodes(dir, s); err != nil {
		return nil, err
	}
	return s, s.write(dir)
}

// refresh checks that the spec still stands for the chains of the network, and writes the nodes' configuration anew, so that
// local settings that have changed take effect.
func (p Plan) refresh(dir string, s *State) error {
	docs, err := p.resolve(dir, s)
	if err != nil {
		return err
	}
	have := map[string]types.ChainID{}
	for _, c := range s.Chains {
		if !c.Spawned {
			have[c.Name] = c.ID
		}
	}
	for _, g := range docs {
		id, ok := have[g.Name]
		if !ok {
			return fmt.Errorf("%w: network %s has no chain %q; `alto chain spawn` adds one, `alto down --wipe` begins anew", ErrOtherChain, s.Name, g.Name)
		}
		if id != g.ID() {
			return fmt.Errorf("%w: what consensus depends on has changed in chain %q (its id was %s, would be %s); take the change back, or begin anew with `alto down --wipe`",
				ErrOtherChain, g.Name, id.Short(), g.ID().Short())
		}
		delete(have, g.Name)
	}
	for name := range have {
		return fmt.Errorf("%w: chain %q is no longer in %s; take the change back, or begin anew with `alto down --wipe`", ErrOtherChain, name, p.Spec.File)
	}
	if len(s.Nodes) != p.Network.Nodes {
		return fmt.Errorf("network %s has %d nodes, the spec says %d; take the change back, or begin anew with `alto down --wipe`", s.Name, len(s.Nodes), p.Network.Nodes)
	}
	moved, err := p.movePorts(dir, s)
	if err != nil {
		return err
	}
	if moved {
		if err := s.write(dir); err != nil {
			return fmt.Errorf("network %s: %w", s.Name, err)
		}
	}
	return p.writeNodes(dir, s)
}

// resolve turns the spec's chains into genesis documents, parents first.
func (p Plan) resolve(dir string, s *State) ([]*chainspec.Genesis, error) {
	ids := map[string]types.ChainID{}
	var out []*chainspec.Genesis
	for len(out) < len(p.Spec.Chains) {
		before := len(out)
		for _, c := range p.Spec.Chains {
			parent, ready := ids[c.Parent]
			if _, done := ids[c.Name]; done || (c.Parent != "" && !ready) {
				continue
			}
			in := chainspec.ResolveInput{TimeMs: s.CreatedMs, Account: AccountKeys(dir), Rules: chainspec.NewestRules(p.Schemas)}
			if c.Parent != "" {
				in.Parent = &parent
			}
			var err error
			if in.Producers, err = Producers(c, s.Nodes); err != nil {
				return nil, err
			}
			g, err := chainspec.Resolve(c, in)
			if err != nil {
				return nil, fmt.Errorf("chain %q: %w", c.Name, err)
			}
			ids[c.Name] = g.ID()
			out = append(out, g)
		}
		if len(out) == before {
			return nil, fmt.Errorf("%s: a chain's parent is missing", p.Spec.File)
		}
	}
	return out, nil
}

// Producers gives a chain's seats to the first nodes.
func Producers(c *chainspec.Chain, nodes []NodeState) ([]chainspec.Producer, error) {
	if len(c.Genesis.Producers) > 0 {
		have := map[types.Hash]bool{}
		for _, n := range nodes {
			have[n.Key.Hash()] = true
		}
		for _, w := range c.Genesis.Producers {
			if !have[w.Key.Hash()] {
				return nil, fmt.Errorf("chain %q names producer %q by a key that no node of this network holds; run it with `alto node run`, or say `producers = %d` instead",
					c.Name, w.Name, len(c.Genesis.Producers))
			}
		}
		return c.Genesis.Producers, nil
	}
	if c.Producers < 1 || c.Producers > len(nodes) {
		return nil, fmt.Errorf("chain %q wants %d producers, the network has %d nodes", c.Name, c.Producers, len(nodes))
	}
	var out []chainspec.Producer
	for _, n := range nodes[:c.Producers] {
		out = append(out, chainspec.Producer{Name: n.Name, Key: n.Key})
	}
	return out, nil
}

// AccountKeys makes, or finds, the keys of allocations that name no account.
func AccountKeys(dir string) func(string) (types.AccountID, error) {
	return func(name string) (types.AccountID, error) {
		k, err := ensureKey(KeysDir(dir), name, signer.RoleWallet)
		if err != nil {
			return types.AccountID{}, err
		}
		return types.SingleKeyAuthority(k).ID(), nil
	}
}

// writeNodes writes each node's configuration.
func (p Plan) writeNodes(dir string, s *State) error {
	for _, n := range s.Nodes {
		cfg := chainspec.Node{Name: n.Name, Listen: n.Listen, API: n.API, Plugins: p.Plugins}
		for _, o := range s.Nodes {
			if o.Name != n.Name {
				cfg.Peers = append(cfg.Peers, chainspec.PeerRef{Name: o.Name, ID: o.Key.Hash(), Address: o.Listen})
			}
		}
		for _, c := range s.Chains {
			if c.Spawned {
				continue // the node finds it by itself, in its data folder or on the parent
			}
			if pc := p.Spec.Chain(c.Name); pc != nil {
				cfg.Chains = append(cfg.Chains, pc.NodeChain(filepath.Join("..", "..", c.Genesis)))
			}
		}
		p.defaults(&cfg)
		if p.Adjust != nil {
			p.Adjust(&cfg)
		}
		home := NodeDir(dir, n.Name)
		if err := os.MkdirAll(home, 0o700); err != nil {
			return fmt.Errorf("node %s: %w", n.Name, err)
		}
		if err := writeFile(filepath.Join(home, "node.hcl"), cfg.Encode()); err != nil {
			return fmt.Errorf("node %s: %w", n.Name, err)
		}
	}
	return nil
}

// defaults fills in what the network's block and its root chain say for all of a node's chains.
func (p Plan) defaults(cfg *chainspec.Node) {
	d := p.Network.NodeDefaults
	switch {
	case d.Transport != nil:
		cfg.Transport = *d.Transport
	case len(p.Spec.Chains) > 0:
		cfg.Transport = p.Spec.Chains[0].Transport
	}
	switch {
	case d.Storage != nil:
		cfg.Defaults.Storage = *d.Storage
	case len(p.Spec.Chains) > 0:
		cfg.Defaults.Storage = p.Spec.Chains[0].Storage
	}
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// takenPorts are those of all networks of this user, also of those that are down.
func takenPorts(home string) map[int]bool {
	out := map[int]bool{}
	files, err := filepath.Glob(filepath.Join(home, "networks", "*", stateFile))
	if err != nil {
		return out
	}
	for _, f := range files {
		s, err := ReadState(filepath.Dir(f))
		if err != nil {
			continue
		}
		for _, n := range s.Nodes {
			for _, a := range []string{n.Listen, n.API} {
				if p, err := portOf(a); err == nil {
					out[p] = true
				}
			}
		}
	}
	return out
}
