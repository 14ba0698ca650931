//go:build linux

package mended

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/node"
	"github.com/paloalto-chain/paloalto/core/signer"
	dpospbft "github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft"
	cometbftdb "github.com/paloalto-chain/paloalto/plugins/storage-cometbftdb"
	"github.com/paloalto-chain/paloalto/sdk"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestMain lets the test binary be the plugin, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "plugin" {
		switch os.Args[2] {
		case "exec-shim":
			host.RunShim(os.Args[3:])
		case "serve":
			sdk.Serve(moody{os.Getenv("BUILD"), rand.Uint64N(1 << 40)})
			os.Exit(0)
		}
		fmt.Fprintln(os.Stderr, "unknown:", os.Args)
		os.Exit(2)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what has to come. It decides nothing but how a failure ends.
const patience = 2 * time.Minute

type key struct {
	priv ed25519.PrivateKey
	pub  types.PublicKey
}

func newKey(name string) key {
	seed := sha256.Sum256([]byte(name))
	priv := ed25519.NewKeyFromSeed(seed[:])
	return key{priv, types.Ed25519Key(priv.Public().(ed25519.PublicKey))}
}

var alice = newKey("alice")

func (k key) id() types.AccountID { return types.SingleKeyAuthority(k.pub).ID() }

func nodeKey(i int) key        { return newKey(fmt.Sprintf("n%d", i)) }
func nodeAddress(i int) string { return fmt.Sprintf("127.0.0.1:%d", 9400+i) }

const slotMs = 200

func genesisOf(t testing.TB, name string, producers int, withModule bool) *chainspec.Genesis {
	t.Helper()
	g := &chainspec.Genesis{
		Format: 1, Name: name, Token: "TST", Supply: 1_000_000_000, SlotMs: slotMs, TimeMs: uint64(time.Now().UnixMilli()) / slotMs * slotMs,
		Consensus:   chainspec.Rules{Plugin: "dpospbft", Rules: "1", Config: fmt.Appendf(nil, `{"slot":%d}`, slotMs*1_000_000)},
		Limits:      chainspec.Limits{BlockBytes: 1 << 20, TxBytes: 64 << 10, BlockGas: 40_000_000},
		Fees:        chainspec.Fees{PerByte: 1, PerGas: 1, Floor: 500, BurnPPM: 1_000_000},
		Allocations: []chainspec.Allocation{{Name: "alice", Account: alice.id(), Amount: 1_000_000_000}},
	}
	if withModule {
		g.Modules = []chainspec.ModuleRules{{Name: "moody", Plugin: "moody", Rules: "1", Config: []byte(`{}`)}}
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
	build    string // of the plugin, at the next start
	paranoid bool
	signer   *signer.Signer
	node     *node.Node
	registry *prometheus.Registry
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
		out = append(out, &testNode{t: t, i: i, hub: hub, home: t.TempDir(), chains: chains, peers: n, build: good, log: log})
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

func (x *testNode) start() error {
	x.starts++
	var err error
	x.signer, err = signer.Open(nodeKey(x.i).priv.Seed(), filepath.Join(x.home, "guard"), signer.Options{NewValidator: x.starts == 1})
	if err != nil {
		return err
	}
	x.registry = prometheus.NewRegistry()
	cfg := node.Config{
		Home: x.home, Node: &chainspec.Node{Name: fmt.Sprintf("n%d", x.i), Listen: nodeAddress(x.i)}, Genesis: map[string][]byte{},
		Signer: x.signer, Catalog: x, Log: slog.New(slog.NewTextHandler(x.log, nil)), Registry: x.registry, Journal: journal.Options{},
	}
	// What is in memory is gone with the node, so that a start executes everything again that the journal holds.
	st := chainspec.Block{Plugin: "cometbftdb", Config: []byte(`{"backend":"memdb"}`)}
	for i := range x.peers {
		cfg.Node.Peers = append(cfg.Node.Peers, chainspec.PeerRef{Name: fmt.Sprintf("n%d", i), ID: nodeKey(i).pub.Hash(), Address: nodeAddress(i)})
	}
	for _, g := range x.chains {
		cfg.Node.Chains = append(cfg.Node.Chains, chainspec.NodeChain{Name: g.Name, Storage: st, Paranoid: x.paranoid})
		cfg.Genesis[g.Name] = g.Encode()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if x.node, err = node.Start(ctx, cfg); err != nil {
		_ = x.signer.Close()
		x.node = nil
	}
	return err
}

func (x *testNode) mustStart() {
	x.t.Helper()
	if err := x.start(); err != nil {
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
		return node.Source{InProcess: cometbftdb.Plugin()}, nil
	case kind == plugin.Consensus:
		return node.Source{InProcess: dpospbft.Plugin()}, nil
	case kind == plugin.Module && name == "moody":
		return node.Source{Spec: host.Spec{Name: name, Builtin: true, Env: []string{"BUILD=" + x.build}}}, nil
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

func (x *testNode) chain(g *chainspec.Genesis) *chain.Chain {
	x.t.Helper()
	c, _, err := x.node.Chain(g.ID().String())
	if err != nil {
		x.t.Fatal(err)
	}
	return c
}

func (x *testNode) halted(g *chainspec.Genesis) string { return x.chain(g).Status().Halted }

func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}

var salt uint64

// call submits an action of the module at a node.
func (x *testNode) call(g *chainspec.Genesis, action string, body []byte) types.TxID {
	x.t.Helper()
	env, id := x.envelope(g, "moody", types.Action{Name: action, Body: body})
	if _, errs := x.chain(g).Submit(context.Background(), [][]byte{env}); errs[0] != nil {
		x.t.Fatal(errs[0])
	}
	return id
}

// envelope makes a transaction.
func (x *testNode) envelope(g *chainspec.Genesis, module string, a types.Action) ([]byte, types.TxID) {
	height, id, _, slot := x.chain(g).Reference()
	salt++
	t := &types.Transaction{Module: module, Account: alice.id(), Authority: types.SingleKeyAuthority(alice.pub).Encode(), Expires: slot + 110,
		Actions: []types.Action{a}, RefHeight: height, RefHash: [16]byte(id[:16]), Salt: salt, MaxGas: 10_000, MaxFee: 100_000}
	env := types.Envelope{Raw: t.Encode()}
	env.Signatures = []types.Signature{{Key: alice.pub, Sig: ed25519.Sign(alice.priv, types.TxSignBytes(g.ID(), env.Raw))}}
	return env.Encode(), types.TxIDOf(g.ID(), env.Raw)
}

// final waits until a transaction is final at a node, and returns its height.
func (x *testNode) final(g *chainspec.Genesis, id types.TxID) (height uint64) {
	x.t.Helper()
	await(x.t, fmt.Sprintf("finality of a transaction at node %d", x.i), func() bool {
		info, err := x.chain(g).Tx(context.Background(), id)
		height = info.Height
		return err == nil && info.Stage == chain.TxFinal && info.Receipt != nil
	})
	return height
}

// counter is the sum of a node's counters of a name and a label's value.
func (x *testNode) counter(name, value string) (sum float64) {
	families, err := x.registry.Gather()
	if err != nil {
		x.t.Error(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetValue() == value {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

// histogram is the sum of what a node has observed under a name, and how often.
func (x *testNode) histogram(name string) (sum, count float64) {
	families, err := x.registry.Gather()
	if err != nil {
		x.t.Error(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum, count = sum+m.GetHistogram().GetSampleSum(), count+float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum, count
}
