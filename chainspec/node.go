package chainspec

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// MaxNodeBytes bounds node.hcl.
const MaxNodeBytes = 1 << 20

// Node is a node's configuration, node.hcl: what is local to a node and never hashed. Paths in it are relative to the file.
type Node struct {
	Name      string
	Listen    string // host:port of the transport
	API       string // host:port; empty: none
	Peers     []PeerRef
	Transport Block
	Chains    []NodeChain
	Defaults  NodeChain       // for children that are started from a record: no name, no genesis
	Follow    []types.ChainID // children to run without a seat
	Plugins   []PluginSource
}

// PeerRef is another node.
type PeerRef struct {
	Name    string
	ID      types.Hash // the hash of its node key
	Address string     // host:port
}

// NodeChain is how this node runs one chain.
type NodeChain struct {
	Name    string
	Genesis string // path of the genesis document
	// Checkpoint, if there is one, is a block of the chain that somebody has looked up; a node that is new, or was away for
	// longer than a quorum is trusted, needs it to catch up.
	Checkpoint *Checkpoint
	// Paranoid has the node ask every module twice for each block, one that is a plugin in a second process too, and halt the
	// chain where the answers differ. It changes no result, so each node decides for itself.
	Paranoid bool
	Storage  Block
	// Consensus, VM, Oracle and Modules hold what is local of their plugins' settings. One without a plugin's name stands
	// for defaults throughout.
	Consensus LocalBlock
	VM        LocalBlock
	Oracle    LocalBlock
	Modules   []LocalModule
}

// Checkpoint is a block that is known to be of a chain.
type Checkpoint struct {
	Height uint64
	ID     types.BlockID
}

// String returns HEIGHT:ID.
func (c Checkpoint) String() string { return strconv.FormatUint(c.Height, 10) + ":" + c.ID.String() }

// ParseCheckpoint reads HEIGHT:ID.
func ParseCheckpoint(s string) (*Checkpoint, error) {
	height, id, ok := strings.Cut(s, ":")
	c := &Checkpoint{}
	var err error
	if c.Height, err = strconv.ParseUint(height, 10, 64); err != nil || !ok || strconv.FormatUint(c.Height, 10) != height {
		return nil, fmt.Errorf("checkpoint %q: write HEIGHT:ID, with the id of the block in 64 hexadecimal digits", clip(s))
	}
	if c.ID, err = types.ParseHash(id); err != nil {
		return nil, fmt.Errorf("checkpoint %q: %w; write HEIGHT:ID, with the id of the block in 64 hexadecimal digits", clip(s), err)
	}
	return c, nil
}

// LocalBlock is the local part of a plugin's settings: those of the host, and those of the plugin that are not critical to
// consensus. What is critical lies in the genesis document; [MergeConfig] brings both together.
type LocalBlock struct {
	Plugin string
	Local  json.RawMessage // object; nil: defaults
	HostSettings
}

// LocalModule is the local part of a module's settings.
type LocalModule struct {
	Name string
	LocalBlock
}

// Local returns the local part of a block.
func (b Block) Local() LocalBlock { return LocalBlock{b.Plugin, localSettings(b), b.Host} }

// NodeChain returns how a node of a local network runs the chain.
func (c *Chain) NodeChain(genesisPath string) NodeChain {
	n := NodeChain{Name: c.Name, Genesis: genesisPath, Paranoid: c.Paranoid, Storage: c.Storage, Consensus: c.Consensus.Local()}
	if c.VM != nil {
		n.VM = c.VM.Local()
	}
	if c.Oracle != nil {
		n.Oracle = c.Oracle.Local()
	}
	for _, m := range c.Modules {
		n.Modules = append(n.Modules, LocalModule{m.Name, m.Block.Local()})
	}
	return n
}

// Chain returns the settings of the chain with a name, or nil.
func (n *Node) Chain(name string) *NodeChain {
	for i := range n.Chains {
		if n.Chains[i].Name == name {
			return &n.Chains[i]
		}
	}
	return nil
}

var nodeSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
	{Type: "node"}, {Type: "peer", LabelNames: []string{"name"}}, {Type: "transport", LabelNames: []string{"plugin"}},
	{Type: "plugin", LabelNames: []string{"name"}}, {Type: "chain", LabelNames: []string{"name"}}, {Type: "defaults"},
}}

func nodeChainSchema(named bool) *hcl.BodySchema {
	s := &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "storage", LabelNames: []string{"plugin"}}, {Type: "consensus", LabelNames: []string{"plugin"}},
		{Type: "vm", LabelNames: []string{"plugin"}}, {Type: "oracle", LabelNames: []string{"plugin"}},
	}}
	s.Attributes = []hcl.AttributeSchema{{Name: "paranoid"}}
	if named {
		s.Attributes = append(s.Attributes, hcl.AttributeSchema{Name: "genesis", Required: true}, hcl.AttributeSchema{Name: "checkpoint"})
		s.Blocks = append(s.Blocks, hcl.BlockHeaderSchema{Type: "module", LabelNames: []string{"name", "plugin"}})
	}
	return s
}

// LoadNode reads node.hcl. Settings of plugins are checked against their schemas; a duration, size or amount may also be a
// bare integer, in nanoseconds, bytes or the smallest unit, which is what [Node.Encode] writes.
func LoadNode(path string, schemas Schemas) (*Node, Diagnostics) {
	src, err := readFile(path, MaxNodeBytes)
	if err != nil {
		return nil, fileFault(path, "the node's configuration cannot be read", err)
	}
	return loadNode(src, path, schemas)
}

// nodeLoader is the state of one LoadNode.
type nodeLoader struct {
	node   *Node
	reader blockReader
	diags  hcl.Diagnostics
}

func (l *nodeLoader) report(d ...*hcl.Diagnostic) { l.diags = append(l.diags, d...) }

func loadNode(src []byte, path string, schemas Schemas) (*Node, Diagnostics) {
	sources := map[string][]byte{path: src}
	f, diags := parse(src, path)
	if f == nil {
		return nil, export(diags, sources)
	}
	meterFile(f, &budget{})
	if schemas == nil {
		schemas = noSchemas{}
	}
	l := &nodeLoader{node: &Node{}, reader: blockReader{schemas: schemas, raw: true}, diags: diags}
	c, d := f.Body.Content(nodeSchema)
	l.report(d...)
	blocks := c.Blocks.ByType()
	for _, b := range blocks["plugin"] {
		p, d := decodePluginSource(b, nil)
		l.report(d...)
		l.node.Plugins = append(l.node.Plugins, p)
	}
	l.unique(blocks["plugin"])
	l.reader.external = l.node.Plugins
	l.header(blocks["node"], f.Body.MissingItemRange())
	l.peers(blocks["peer"])
	l.transport(blocks["transport"], f.Body.MissingItemRange())
	for _, b := range blocks["chain"] {
		l.node.Chains = append(l.node.Chains, l.chain(b, true))
	}
	l.unique(blocks["chain"])
	for i, b := range blocks["defaults"] {
		if i > 0 {
			l.report(fault(b.DefRange, "defaults block written twice", "There is one."))
			break
		}
		l.node.Defaults = l.chain(b, false)
	}
	out := export(l.diags, sources)
	if out.HasErrors() {
		return nil, out
	}
	return l.node, out
}

// unique refuses labels that are there twice.
func (l *nodeLoader) unique(blocks []*hcl.Block) {
	seen := map[string]bool{}
	for _, b := range blocks {
		if seen[b.Labels[0]] {
			l.report(fault(b.LabelRanges[0], b.Type+" named twice", "There is another %s block %q.", b.Type, clip(b.Labels[0])))
		}
		seen[b.Labels[0]] = true
	}
}

func (l *nodeLoader) header(blocks []*hcl.Block, end hcl.Range) {
	if len(blocks) == 0 {
		l.report(fault(end, "block missing", "A node's configuration needs a node block with name and listen."))
		return
	}
	if len(blocks) > 1 {
		l.report(fault(blocks[1].DefRange, "node block written twice", "There is one."))
	}
	b, n := blocks[0], l.node
	a := newAttributes(b.Body, nil, "name", "listen", "api", "follow")
	var ok bool
	if n.Name, ok = a.text("name"); !ok {
		a.missing("name", b.DefRange, "what this node is called in logs and by peers")
	} else if err := checkName("node", n.Name); err != nil {
		a.fail("name", "bad name of a node", err)
	}
	if n.Listen, ok = a.text("listen"); !ok {
		a.missing("listen", b.DefRange, "host:port of the transport")
	} else if err := checkAddress(n.Listen); err != nil {
		a.fail("listen", "bad address", err)
	}
	if n.API, ok = a.text("api"); ok && n.API != "" {
		if err := checkAddress(n.API); err != nil {
			a.fail("api", "bad address", err)
		}
	}
	if v, ok := a.known("follow"); ok {
		list, err := asStrings(v)
		for _, s := range list {
			var id types.ChainID
			if id, err = types.ParseHash(s); err != nil {
				break
			}
			n.Follow = append(n.Follow, id)
		}
		if err != nil {
			a.fail("follow", "bad chain id", fmt.Errorf("%w; a chain id has 64 hexadecimal digits", err))
		}
	}
	l.report(a.diags...)
}

// checkAddress says what is wrong with host:port. The host may be empty where one listens.
func checkAddress(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil || len(s) > 280 {
		return fmt.Errorf("%q is no address; write host:port, like \"127.0.0.1:7100\"", clip(s))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return fmt.Errorf("%q: the port must be a number of 0 to 65535", clip(s))
	}
	for _, c := range host {
		if c <= ' ' || c > '~' || strings.ContainsRune(`"\/`, c) {
			return fmt.Errorf("%q: the host is malformed", clip(s))
		}
	}
	return nil
}

func (l *nodeLoader) peers(blocks []*hcl.Block) {
	l.unique(blocks)
	ids := map[types.Hash]string{}
	for _, b := range blocks {
		p := PeerRef{Name: b.Labels[0]}
		if err := checkName("peer", p.Name); err != nil {
			l.report(fault(b.LabelRanges[0], "bad name of a peer", "%s.", err))
		}
		a := newAttributes(b.Body, nil, "id", "address")
		if s, ok := a.text("id"); !ok {
			a.missing("id", b.DefRange, "the hash of the peer's node key, 64 hexadecimal digits")
		} else if id, err := types.ParseHash(s); err != nil {
			a.fail("id", "bad id", err)
		} else if other, twice := ids[id]; twice {
			a.fail("id", "id used twice", fmt.Errorf("peer %q has the same", other))
		} else {
			p.ID, ids[id] = id, p.Name
		}
		var ok bool
		if p.Address, ok = a.text("address"); !ok {
			a.missing("address", b.DefRange, "host:port")
		} else if err := checkAddress(p.Address); err != nil {
			a.fail("address", "bad address", err)
		}
		l.report(a.diags...)
		l.node.Peers = append(l.node.Peers, p)
	}
}

// DefaultTransport is the transport of a node whose configuration names none.
const DefaultTransport = "udp"

func (l *nodeLoader) transport(blocks []*hcl.Block, end hcl.Range) {
	b := &hcl.Block{Type: "transport", Labels: []string{DefaultTransport}, Body: hcl.EmptyBody(), DefRange: end, LabelRanges: []hcl.Range{end}}
	if len(blocks) > 0 {
		b = blocks[0]
	}
	if len(blocks) > 1 {
		l.report(fault(blocks[1].DefRange, "transport block written twice", "A node has one."))
	}
	out, a, _ := l.reader.readBlock(plugin.Transport, b, b.Labels[0], b.LabelRanges[0], nil)
	l.report(a.diags...)
	l.node.Transport = out
}

// chain reads a chain block, or the defaults block.
func (l *nodeLoader) chain(b *hcl.Block, named bool) (n NodeChain) {
	c, d := b.Body.Content(nodeChainSchema(named))
	l.report(d...)
	a := evaluated(c.Attributes, nil)
	n.Paranoid, _ = a.boolean("paranoid")
	if named {
		n.Name = b.Labels[0]
		if err := checkName("chain", n.Name); err != nil {
			l.report(fault(b.LabelRanges[0], "bad name of a chain", "%s.", err))
		}
		var ok bool
		if n.Genesis, ok = a.text("genesis"); ok && (n.Genesis == "" || len(n.Genesis) > 4096 || strings.ContainsRune(n.Genesis, 0)) {
			a.fail("genesis", "bad path", errors.New("it must be the path of a genesis document"))
		}
		if s, ok := a.text("checkpoint"); ok {
			var err error
			if n.Checkpoint, err = ParseCheckpoint(s); err != nil {
				a.fail("checkpoint", "bad checkpoint", err)
			}
		}
	}
	l.report(a.diags...)
	seen := map[string]bool{}
	for _, x := range c.Blocks {
		kind := plugin.Kind(x.Type)
		key := x.Type
		if kind == plugin.Module {
			key += " " + x.Labels[0]
		}
		if seen[key] {
			l.report(fault(x.DefRange, x.Type+" block written twice", "There is one."))
			continue
		}
		seen[key] = true
		last := len(x.Labels) - 1
		r := l.reader
		r.local = kind != plugin.Storage
		out, a, _ := r.readBlock(kind, x, x.Labels[last], x.LabelRanges[last], nil)
		l.report(a.diags...)
		local := LocalBlock{out.Plugin, out.Config, out.Host}
		switch kind {
		case plugin.Storage:
			n.Storage = out
		case plugin.Consensus:
			n.Consensus = local
		case plugin.VM:
			n.VM = local
		case plugin.Oracle:
			n.Oracle = local
		case plugin.Module:
			if err := checkName("module", x.Labels[0]); err != nil {
				l.report(fault(x.LabelRanges[0], "bad name of a module", "%s.", err))
			}
			n.Modules = append(n.Modules, LocalModule{x.Labels[0], local})
		}
	}
	if named && !seen["storage"] {
		l.report(fault(b.DefRange, "block missing", "A chain needs a storage block, such as %s.", example(plugin.Storage, l.reader.schemas)))
	}
	return n
}
