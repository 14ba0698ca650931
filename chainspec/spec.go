package chainspec

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// FrameworkVersion is what framework.required_version is compared with unless [Options] say otherwise.
const FrameworkVersion = "0.1.0"

// Limits of specs.
const (
	MaxSpecBytes = 256 << 10 // of a spec file, and of a file that it reads with file()
	MaxChains    = 1000      // of one spec, after count and for_each
	MaxNodes     = 1000      // of a local network
)

// Defaults of a chain that says nothing else.
const (
	DefaultSlotMs     = 500
	DefaultBlockBytes = 4 << 20
	DefaultTxBytes    = 64 << 10
	DefaultBlockGas   = 40_000_000
	DefaultPerByte    = 1   // 0.000001 ALTO
	DefaultFloor      = 100 // 0.0001 ALTO
	DefaultToken      = "ALTO"
	DefaultSupply     = 1_000_000_000 // tokens
)

// Options are what a spec is read with.
type Options struct {
	Vars    map[string]string // values of variables, as given on a command line
	Schemas Schemas           // nil: no plugin is known
	Version string            // of the framework; empty means FrameworkVersion

	pluginsOnly bool
}

// Schemas knows plugins without running them: the built-in ones, and external ones from the lock file.
type Schemas interface {
	// Plugin returns how a plugin describes itself; false if there is none of that name and kind.
	Plugin(name string, kind plugin.Kind) (plugin.Info, bool)
	// Names returns the names of all plugins of a kind, for error messages.
	Names(kind plugin.Kind) []string
}

// Spec is a spec file, evaluated.
type Spec struct {
	File      string         `json:"file"`
	Framework Framework      `json:"framework"`
	Plugins   []PluginSource `json:"plugins,omitempty"`
	Chains    []*Chain       `json:"chains"` // in the order of the file, count and for_each expanded
	Networks  []*Network     `json:"networks,omitempty"`
}

// Framework is what a spec demands of the framework.
type Framework struct {
	RequiredVersion string `json:"required_version,omitempty"` // a constraint such as "~> 0.1"
}

// PluginSource says where a plugin that is not built in comes from.
type PluginSource struct {
	Name    string `json:"name"`
	Source  string `json:"source"`            // a path, relative to the file that names it
	Version string `json:"version,omitempty"` // a constraint
	SHA256  string `json:"sha256,omitempty"`  // 64 hexadecimal digits; otherwise the lock file has it
}

// Chain is one chain of a spec. A chain "shard" with count = 2 becomes shard-0 and shard-1; with for_each = ["eu"] it becomes
// shard-eu.
type Chain struct {
	Name      string        `json:"name"`
	Parent    string        `json:"parent,omitempty"` // name of a chain of the same spec; empty for a root
	Consensus Block         `json:"consensus"`
	VM        *Block        `json:"vm,omitempty"`
	Storage   Block         `json:"storage"`
	Oracle    *Block        `json:"oracle,omitempty"`
	Transport Block         `json:"transport"`
	Modules   []ModuleBlock `json:"modules,omitempty"`
	Limits    Limits        `json:"limits"`
	Fees      Fees          `json:"fees"`
	Params    *ParamsBlock  `json:"params,omitempty"`
	Genesis   GenesisBlock  `json:"genesis"`
	SlotMs    uint64        `json:"slot_ms"`             // of the consensus block's "slot"
	Producers int           `json:"producers,omitempty"` // of the consensus block's "producers": how many keys a local network makes
	Paranoid  bool          `json:"paranoid,omitempty"`  // see [NodeChain]; for the nodes of a local network, and no part of the genesis document
}

// Seats returns how many producers the chain starts with.
func (c *Chain) Seats() int {
	if n := len(c.Genesis.Producers); n > 0 {
		return n
	}
	return c.Producers
}

// Block is a plugin's block of a chain.
type Block struct {
	Plugin   string          `json:"plugin"`   // the label, such as "dpospbft"
	Config   json.RawMessage `json:"config"`   // all attributes, defaults filled in, in the form of plugin.OpenRequest.Config
	Critical json.RawMessage `json:"critical"` // the consensus-critical ones alone
	Host     HostSettings    `json:"host"`
	Governed []Param         `json:"governed,omitempty"` // parameters that the chain can change, by their names without the module's
}

// ModuleBlock is a module of the chain's own.
type ModuleBlock struct {
	Name string `json:"name"` // by which transactions speak to it
	Block
}

// ParamsBlock is a chain's params block.
type ParamsBlock struct {
	Account    *types.AccountID `json:"account,omitempty"`    // who may change parameters; nil: Allocation, or nobody
	Allocation string           `json:"allocation,omitempty"` // whose account may
	Bounds     []ParamBounds    `json:"bounds,omitempty"`
}

// ParamBounds narrows what a parameter can become. What is empty stays as it is declared.
type ParamBounds struct {
	Name string          `json:"name"`
	Min  json.RawMessage `json:"min,omitempty"`
	Max  json.RawMessage `json:"max,omitempty"`
	Step json.RawMessage `json:"step,omitempty"`
}

// HostSettings are attributes of every plugin block that the host reads, never the plugin. They are local to a node. The
// zero value of a field means the host's default.
type HostSettings struct {
	Isolation    string        `json:"isolation,omitempty"` // "shared", or "chain": a process for this chain alone; empty means shared
	MTLS         bool          `json:"mtls,omitempty"`
	Memory       uint64        `json:"memory,omitempty"`     // bytes
	OpenFiles    uint64        `json:"open_files,omitempty"` // descriptors
	StartTimeout time.Duration `json:"start_timeout,omitempty"`
	CallTimeout  time.Duration `json:"call_timeout,omitempty"`
	PingTimeout  time.Duration `json:"ping_timeout,omitempty"`
}

// Isolation values.
const (
	IsolationShared = "shared"
	IsolationChain  = "chain"
)

// GenesisBlock is a chain's genesis block, shares turned into amounts.
type GenesisBlock struct {
	Token       string            `json:"token"`
	Supply      uint64            `json:"supply,string"` // smallest unit
	Allocations []AllocationBlock `json:"allocations"`
	Producers   []Producer        `json:"producers,omitempty"` // with keys of the spec's own
}

// AllocationBlock is an allocation whose account may still be open.
type AllocationBlock struct {
	Name    string           `json:"name"`
	Amount  uint64           `json:"amount,string"`     // smallest unit
	Account *types.AccountID `json:"account,omitempty"` // nil: whoever resolves the chain makes one
	Vesting *Vesting         `json:"vesting,omitempty"` // in ticks of the chain's clock
}

// Network is a local network: what `alto up` starts on this machine.
type Network struct {
	Name         string       `json:"name"`
	Nodes        int          `json:"nodes"`
	Faucet       string       `json:"faucet,omitempty"` // the allocation that pays where a command names no account, such as for the record of a new chain
	NodeDefaults NodeDefaults `json:"node_defaults"`
}

// NodeDefaults is what every node of a local network is configured with.
type NodeDefaults struct {
	Transport *Block `json:"transport,omitempty"` // settings of the transport; nil: those of the chains
	Storage   *Block `json:"storage,omitempty"`   // for children that are started from a record; nil: that of the root
}

// Chain returns the chain with a name, or nil.
func (s *Spec) Chain(name string) *Chain {
	for _, c := range s.Chains {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Network returns the network with a name. An empty name means the only one, or, if the spec has none, a network
// "local" with as many nodes as the chain with the most producers needs.
func (s *Spec) Network(name string) (*Network, error) {
	if name == "" {
		switch len(s.Networks) {
		case 0:
			return &Network{Name: "local", Nodes: s.mostProducers()}, nil
		case 1:
			return s.Networks[0], nil
		}
		return nil, fmt.Errorf("%s has %d networks; choose one of %s with --network", s.File, len(s.Networks), quotedList(s.networkNames()))
	}
	for _, n := range s.Networks {
		if n.Name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("%s has no network %q%s", s.File, name, hint(name, s.networkNames()))
}

func (s *Spec) networkNames() []string {
	var out []string
	for _, n := range s.Networks {
		out = append(out, n.Name)
	}
	return out
}

func (s *Spec) mostProducers() int {
	n := 1
	for _, c := range s.Chains {
		n = max(n, c.Seats())
	}
	return n
}
