//go:build linux

package dishonest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/ledger/account"
	"github.com/paloalto-chain/paloalto/core/ledger/bank"
	"github.com/paloalto-chain/paloalto/core/node"
	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/core/state"
	dpospbft "github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/storage/storagetest"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// built is the dishonest plugin's binary, and its digest.
var built struct{ path, digest string }

// TestMain lets the test binary be the shim that confines a plugin, and builds the plugin.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "plugin" && os.Args[2] == "exec-shim" {
		host.RunShim(os.Args[3:])
	}
	flag.Parse()
	dir, err := os.MkdirTemp("", "dishonest-")
	if err == nil {
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func build(dir string) error {
	built.path = filepath.Join(dir, "dishonest")
	if out, err := exec.Command("go", "build", "-o", built.path, "../../internal/testplugins/dishonest").CombinedOutput(); err != nil {
		return fmt.Errorf("build the dishonest plugin: %w: %s", err, out)
	}
	b, err := os.ReadFile(built.path)
	sum := sha256.Sum256(b)
	built.digest = hex.EncodeToString(sum[:])
	return err
}

// patience is how long a test waits for what has to come. It decides nothing but how a failure ends.
const patience = 90 * time.Second

type key struct {
	priv ed25519.PrivateKey
	pub  types.PublicKey
}

func newKey(name string) key {
	seed := sha256.Sum256([]byte(name))
	priv := ed25519.NewKeyFromSeed(seed[:])
	return key{priv, types.Ed25519Key(priv.Public().(ed25519.PublicKey))}
}

func (k key) id() types.AccountID { return types.SingleKeyAuthority(k.pub).ID() }

var alice = newKey("alice")

func nodeKey(i int) key        { return newKey(fmt.Sprintf("n%d", i)) }
func nodeAddress(i int) string { return fmt.Sprintf("127.0.0.1:%d", 9500+i) }

// supply is all that there is on a chain.
const supply = 1_000_000_000

// Lengths of slots in milliseconds. A producer leaves out what takes a quarter of a slot; tests that count on a block with much for
// modules, on a machine that is busy with others, have slow slots.
const (
	quick = 200
	slow  = 400
)

// calm is the name of a module of the same plugin, in the same process, that no test gives an order.
const calm = "calm"

func genesisOf(t testing.TB, name string, slotMs uint64, producers int, modules ...string) *chainspec.Genesis {
	t.Helper()
	g := &chainspec.Genesis{
		Format: 1, Name: name, Token: "TST", Supply: supply, SlotMs: slotMs, TimeMs: uint64(time.Now().UnixMilli()) / slotMs * slotMs,
		Consensus:   chainspec.Rules{Plugin: "dpospbft", Rules: "1", Config: fmt.Appendf(nil, `{"slot":%d}`, slotMs*1_000_000)},
		Limits:      chainspec.Limits{BlockBytes: 1 << 20, TxBytes: 64 << 10, BlockGas: 40_000_000},
		Fees:        chainspec.Fees{PerByte: 1, PerGas: 1, Floor: 500, BurnPPM: 1_000_000},
		Allocations: []chainspec.Allocation{{Name: "alice", Account: alice.id(), Amount: supply}},
	}
	for _, m := range modules {
		g.Modules = append(g.Modules, chainspec.ModuleRules{Name: m, Plugin: "dishonest", Rules: "1", Config: []byte(`{}`)})
	}
	for i := range producers {
		g.Producers = append(g.Producers, chainspec.Producer{Name: fmt.Sprintf("n%d", i), Key: nodeKey(i).pub, Stake: 1})
	}
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	return g
}

// testNode is a node in this process. Its module plugin is a process; everything else is not.
type testNode struct {
	t        testing.TB
	i        int
	hub      *transporttest.Hub
	home     string
	chains   []*chainspec.Genesis
	peers    int
	bad      bool   // plays what is for bad nodes alone, from the next start on
	paranoid string // the chain that it is paranoid about
	stores   *stores
	signer   *signer.Signer
	node     *node.Node
	starts   int
	log      *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() < 4<<20 {
		l.b.Write(p)
	}
	return len(p), nil
}

func newNodes(t testing.TB, n int, chains ...*chainspec.Genesis) (out []*testNode) {
	t.Helper()
	hub, log := transporttest.NewHub(), &logBuffer{}
	for i := range n {
		out = append(out, &testNode{t: t, i: i, hub: hub, home: t.TempDir(), chains: chains, peers: n, stores: &stores{m: map[string]storage.Store{}}, log: log})
	}
	t.Cleanup(func() {
		for _, x := range out {
			x.stop()
		}
		if t.Failed() {
			t.Log(log.b.String())
		}
	})
	return out
}

func (x *testNode) start() {
	x.t.Helper()
	x.starts++
	var err error
	x.signer, err = signer.Open(nodeKey(x.i).priv.Seed(), filepath.Join(x.home, "guard"), signer.Options{NewValidator: x.starts == 1})
	if err != nil {
		x.t.Fatal(err)
	}
	name := fmt.Sprintf("n%d", x.i)
	cfg := node.Config{
		Home: x.home, Node: &chainspec.Node{Name: name, Listen: nodeAddress(x.i)}, Genesis: map[string][]byte{},
		Signer: x.signer, Catalog: x, Log: slog.New(slog.NewTextHandler(x.log, nil).WithAttrs([]slog.Attr{slog.String("node", name)})),
	}
	for i := range x.peers {
		cfg.Node.Peers = append(cfg.Node.Peers, chainspec.PeerRef{Name: fmt.Sprintf("n%d", i), ID: nodeKey(i).pub.Hash(), Address: nodeAddress(i)})
	}
	for _, g := range x.chains {
		c := chainspec.NodeChain{Name: g.Name, Storage: chainspec.Block{Plugin: "memory"}, Paranoid: g.Name == x.paranoid}
		for _, m := range g.Modules {
			c.Modules = append(c.Modules, chainspec.LocalModule{Name: m.Name, LocalBlock: chainspec.LocalBlock{
				Plugin: "dishonest", Local: fmt.Appendf(nil, `{"bad":%t}`, x.bad), HostSettings: chainspec.HostSettings{Memory: 192 << 20}}})
		}
		cfg.Node.Chains = append(cfg.Node.Chains, c)
		cfg.Genesis[g.Name] = g.Encode()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if x.node, err = node.Start(ctx, cfg); err != nil {
		_ = x.signer.Close()
		x.node = nil
		x.t.Fatalf("node %d: %v", x.i, err)
	}
}

func (x *testNode) stop() {
	if x.node == nil {
		return
	}
	if err := x.node.Close(context.Background()); err != nil {
		x.t.Logf("close node %d: %v", x.i, err)
	}
	_ = x.signer.Close()
	x.node = nil
}

// Find implements node.Catalog.
func (x *testNode) Find(kind plugin.Kind, name string) (node.Source, error) {
	switch {
	case kind == plugin.Transport:
		return node.Source{InProcess: hubPlugin{x.hub}}, nil
	case kind == plugin.Storage:
		return node.Source{InProcess: x.stores}, nil
	case kind == plugin.Consensus:
		return node.Source{InProcess: dpospbft.Plugin()}, nil
	case kind == plugin.Module && name == "dishonest":
		// What hangs is found out sooner than on a real node, and less is endured, so that tests take seconds.
		return node.Source{Spec: host.Spec{Name: name, Path: built.path, SHA256: built.digest, ModuleTimeout: time.Second, PingTimeout: 2 * time.Second,
			MaxCrashes: 3}}, nil
	}
	return node.Source{}, fmt.Errorf("there is no %s plugin %q", kind, name)
}

type hubPlugin struct{ hub *transporttest.Hub }

func (hubPlugin) Describe() plugin.Info {
	return plugin.Info{Name: "udp", Version: "0", API: plugin.API, Kinds: []plugin.KindInfo{{Kind: plugin.Transport}}}
}

func (p hubPlugin) Open(context.Context, plugin.Host, plugin.OpenRequest) (any, error) {
	return p.hub.New(), nil
}

// stores is a storage plugin that keeps what it holds in memory, for longer than a node lives.
type stores struct {
	mu sync.Mutex
	m  map[string]storage.Store
}

func (*stores) Describe() plugin.Info {
	return plugin.Info{Name: "memory", Version: "0", API: plugin.API, Kinds: []plugin.KindInfo{{Kind: plugin.Storage}}}
}

func (s *stores) Open(_ context.Context, _ plugin.Host, req plugin.OpenRequest) (any, error) {
	return struct{ storage.Store }{s.of(req.ChainName)}, nil
}

func (s *stores) of(name string) storage.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m[name] == nil {
		s.m[name] = storagetest.NewMemory()
	}
	return s.m[name]
}

// total is where all tokens of a chain are by what a node that was stopped has committed, and the height of that.
func (x *testNode) total(g *chainspec.Genesis) (ledger.Total, uint64) {
	x.t.Helper()
	cfg := ledger.Config{Genesis: g, Modules: []ledger.Named{{Name: types.ModuleAccount, Module: account.New(ledger.TillItem, ledger.AuthorityItem)},
		{Name: types.ModuleBank, Module: bank.New()}}}
	for _, m := range g.Modules {
		cfg.Modules = append(cfg.Modules, ledger.Named{Name: m.Name})
	}
	l, err := ledger.New(cfg)
	if err != nil {
		x.t.Fatal(err)
	}
	db, err := state.Open(context.Background(), x.stores.of(g.Name), state.Options{})
	if err != nil {
		x.t.Fatal(err)
	}
	total, err := l.Total(context.Background(), db.Base())
	if err != nil {
		x.t.Fatal(err)
	}
	return total, db.Version()
}

// conserved stops a node, and checks that no token was made or lost, and that only these modules hold any.
func (x *testNode) conserved(g *chainspec.Genesis, modules ...string) ledger.Total {
	x.t.Helper()
	x.stop()
	total, version := x.total(g)
	if total.Sum() != supply {
		x.t.Errorf("node %d, chain %s, version %d: %d tokens, there have to be %d: %+v", x.i, g.Name, version, total.Sum(), supply, total)
	}
	for m, v := range total.Escrows {
		if !slices.Contains(modules, m) {
			x.t.Errorf("node %d, chain %s: module %s holds %d", x.i, g.Name, m, v)
		}
	}
	if total.Burned == 0 {
		x.t.Errorf("node %d, chain %s: no fee was burned", x.i, g.Name)
	}
	return total
}
