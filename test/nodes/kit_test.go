package nodes

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
	"github.com/paloalto-chain/paloalto/core/node"
	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/core/state"
	dpospbft "github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft"
	prophecy "github.com/paloalto-chain/paloalto/plugins/oracle"
	cometbftdb "github.com/paloalto-chain/paloalto/plugins/storage-cometbftdb"
	forth "github.com/paloalto-chain/paloalto/plugins/vm-forth"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestMain(m *testing.M) {
	// goleveldb leaves this one behind for up to half a minute after it was closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

// patience is how long a test waits for what has to come. It decides nothing but how a failure ends.
const patience = 60 * time.Second

// key is a key pair, and the account whose only key it is.
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

var people = []key{newKey("alice"), newKey("bob"), newKey("carol"), newKey("dave")}

const (
	supply = 1_000_000_000_000
	slotMs = 100
)

// genesisOf returns the document of a chain whose producers are the first so many nodes. All fees are burned, so that what the
// people have and what is burned sum to the supply.
func genesisOf(t *testing.T, name string, slot uint64, seats ...int) *chainspec.Genesis {
	t.Helper()
	g := &chainspec.Genesis{
		Format: 1, Name: name, Token: "TST", Supply: supply, SlotMs: slot,
		TimeMs:    uint64(time.Now().UnixMilli()) / slot * slot,
		Consensus: chainspec.Rules{Plugin: "dpospbft", Rules: "1", Config: fmt.Appendf(nil, `{"slot":%d}`, slot*1_000_000)},
		VM:        &chainspec.Rules{Plugin: "forth", Rules: "2", Config: []byte(`{}`)},
		Oracle:    &chainspec.Rules{Plugin: "prophecy", Rules: "2", Config: []byte(`{}`)},
		Limits:    chainspec.Limits{BlockBytes: 1 << 20, TxBytes: 128 << 10, BlockGas: 40_000_000},
		Fees:      chainspec.Fees{PerByte: 1, PerGas: 1, Floor: 500, BurnPPM: 1_000_000},
	}
	for i, k := range people {
		g.Allocations = append(g.Allocations, chainspec.Allocation{Name: fmt.Sprintf("p%d", i), Account: k.id(), Amount: supply / uint64(len(people))})
	}
	for _, i := range seats {
		g.Producers = append(g.Producers, chainspec.Producer{Name: nodeName(i), Key: nodeKey(i).pub, Stake: 1})
	}
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	return g
}

func nodeName(i int) string    { return fmt.Sprintf("n%d", i) }
func nodeKey(i int) key        { return newKey(nodeName(i)) }
func nodeAddress(i int) string { return fmt.Sprintf("127.0.0.1:%d", 9000+i) }

// network is nodes in this process, over a transport in memory, with journals on disks in memory.
type network struct {
	t     *testing.T
	hub   *transporttest.Hub
	nodes []*testNode
	log   *logBuffer
}

// options say what the nodes of a network are like.
type options struct {
	backend string // of the storage plugin; memdb if empty
	state   state.Options
	follow  []types.ChainID
}

type testNode struct {
	net      *network
	i        int
	opts     options
	home     string
	fs       *disktest.FS
	genesis  []*chainspec.Genesis
	follow   []types.ChainID
	signer   *signer.Signer
	node     *node.Node
	registry *prometheus.Registry
	store    *stores
	starts   int
	refused  float64 // by the guard, in earlier lives
}

// logBuffer keeps what the nodes say and shows it if the test fails.
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

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newNetwork makes n nodes that have the chains. They are not started.
func newNetwork(t *testing.T, n int, opts options, chains ...*chainspec.Genesis) *network {
	t.Helper()
	w := &network{t: t, hub: transporttest.NewHub(), log: &logBuffer{}}
	t.Cleanup(func() {
		for _, x := range w.nodes {
			if x.node != nil {
				x.stop()
			}
		}
		if t.Failed() {
			t.Log(w.log.String())
		}
	})
	for i := range n {
		w.nodes = append(w.nodes, &testNode{net: w, i: i, opts: opts, home: t.TempDir(), fs: disktest.New(rand.New(rand.NewPCG(uint64(i), 7))), genesis: chains,
			store: &stores{m: map[string]*gatedStore{}}, follow: opts.follow})
	}
	return w
}

func (w *network) start(which ...int) {
	w.t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, len(which))
	for k, i := range which {
		wg.Go(func() { errs[k] = w.nodes[i].start() })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *network) all() (out []int) {
	for i := range w.nodes {
		out = append(out, i)
	}
	return out
}

// cut breaks or mends the connections between two groups.
func (w *network) cut(a, b []int, broken bool) {
	for _, x := range a {
		for _, y := range b {
			if broken {
				w.hub.Cut(nodeAddress(x), nodeAddress(y))
			} else {
				w.hub.Heal(nodeAddress(x), nodeAddress(y))
			}
		}
	}
}

func (x *testNode) start() error {
	var err error
	x.starts++
	x.store.reset()
	x.signer, err = signer.Open(nodeKey(x.i).priv.Seed(), filepath.Join(x.home, "guard"), signer.Options{NewValidator: x.starts == 1, FS: x.fs})
	if err != nil {
		return err
	}
	x.registry = prometheus.NewRegistry()
	cfg := node.Config{
		Home: x.home, Node: &chainspec.Node{Name: nodeName(x.i), Listen: nodeAddress(x.i), Follow: x.follow}, Genesis: map[string][]byte{},
		Signer: x.signer, Catalog: x, Log: slog.New(slog.NewTextHandler(x.net.log, nil)), Registry: x.registry,
		Journal: journal.Options{FS: x.fs, SegmentBytes: 256 << 10}, State: x.opts.state,
	}
	backend := x.opts.backend
	if backend == "" {
		backend = "memdb"
	}
	st := chainspec.Block{Plugin: "cometbftdb", Config: fmt.Appendf(nil, `{"backend":%q}`, backend)}
	cfg.Node.Defaults.Storage = st
	for i := range x.net.nodes {
		cfg.Node.Peers = append(cfg.Node.Peers, chainspec.PeerRef{Name: nodeName(i), ID: nodeKey(i).pub.Hash(), Address: nodeAddress(i)})
	}
	for _, g := range x.genesis {
		cfg.Node.Chains = append(cfg.Node.Chains, chainspec.NodeChain{Name: g.Name, Storage: st})
		cfg.Genesis[g.Name] = g.Encode()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	x.node, err = node.Start(ctx, cfg)
	if err != nil {
		_ = x.signer.Close()
		x.node = nil
	}
	return err
}

// stop ends a node in order.
func (x *testNode) stop() {
	x.refused += x.metric("alto_chain_guard_refusals_total")
	if err := x.node.Close(context.Background()); err != nil {
		x.net.t.Errorf("close node %d: %v", x.i, err)
	}
	_ = x.signer.Close() // of a node whose disk was taken away it fails
	x.node = nil
}

// kill ends a node as kill -9 would, or with power as the loss of it: from this moment on nothing reaches its disk, and so it can
// sign nothing either. Then its goroutines are ended.
func (x *testNode) kill(power bool) {
	x.store.freeze()
	old := x.fs
	if power {
		x.fs = old.Crash()
	} else {
		x.fs = old.Restart()
	}
	x.stop()
}

func (x *testNode) chain(g *chainspec.Genesis) *chain.Chain {
	x.net.t.Helper()
	c, _, err := x.node.Chain(g.ID().String())
	if err != nil {
		x.net.t.Fatal(err)
	}
	return c
}

func (x *testNode) metric(name string) (sum float64) {
	families, err := x.registry.Gather()
	if err != nil {
		x.net.t.Error(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// Find implements node.Catalog.
func (x *testNode) Find(kind plugin.Kind, name string) (node.Source, error) {
	switch {
	case kind == plugin.Transport:
		return node.Source{InProcess: hubPlugin{x.net.hub}}, nil
	case kind == plugin.Storage && name == "cometbftdb":
		return node.Source{InProcess: storePlugin{cometbftdb.Plugin(), x.store}}, nil
	}
	for _, p := range []plugin.Plugin{dpospbft.Plugin(), forth.Plugin(), prophecy.Plugin()} {
		if _, ok := p.Describe().Find(kind); ok && p.Describe().Name == name {
			return node.Source{InProcess: p}, nil
		}
	}
	return node.Source{}, fmt.Errorf("there is no %s plugin %q", kind, name)
}

// hubPlugin is a transport plugin over the hub.
type hubPlugin struct{ hub *transporttest.Hub }

func (hubPlugin) Describe() plugin.Info {
	return plugin.Info{Name: "udp", Version: "0", API: plugin.API, Kinds: []plugin.KindInfo{{Kind: plugin.Transport}}}
}

func (p hubPlugin) Open(context.Context, plugin.Host, plugin.OpenRequest) (any, error) {
	return p.hub.New(), nil
}

// storePlugin opens stores that can be frozen and emptied.
type storePlugin struct {
	plugin.Plugin
	all *stores
}

func (p storePlugin) Open(ctx context.Context, h plugin.Host, req plugin.OpenRequest) (any, error) {
	open := func() (storage.Store, error) {
		v, err := p.Plugin.Open(ctx, h, req)
		if err != nil {
			return nil, err
		}
		return v.(storage.Store), nil
	}
	s, err := open()
	if err != nil {
		return nil, err
	}
	g := &gatedStore{inner: s, open: open}
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	p.all.m[req.ChainName] = g
	return g, nil
}

type stores struct {
	mu sync.Mutex
	m  map[string]*gatedStore
}

func (s *stores) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.m)
}

func (s *stores) freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.m {
		g.frozen.Store(true)
	}
}

func (s *stores) of(g *chainspec.Genesis) *gatedStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[g.Name]
}

// gatedStore is a store that can fail, and lose everything as one in memory does when its process dies.
type gatedStore struct {
	mu     sync.RWMutex
	inner  storage.Store
	open   func() (storage.Store, error)
	frozen atomic.Bool
	fail   atomic.Pointer[error] // of Apply
}

var errFrozen = errors.New("the node was killed")

func (g *gatedStore) Apply(ctx context.Context, b storage.Batch) (storage.Status, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.frozen.Load() {
		return storage.Status{}, errFrozen
	}
	if err := g.fail.Load(); err != nil {
		return storage.Status{}, *err
	}
	return g.inner.Apply(ctx, b)
}

func (g *gatedStore) Get(ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.inner.Get(ctx, keys)
}

func (g *gatedStore) Scan(ctx context.Context, start, end []byte, limit int) (storage.Page, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.inner.Scan(ctx, start, end, limit)
}

func (g *gatedStore) Status(ctx context.Context, sync bool) (storage.Status, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.inner.Status(ctx, sync)
}

func (g *gatedStore) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inner.(interface{ Close() error }).Close()
}

// lose begins the store anew, as the process of memdb does after kill -9.
func (g *gatedStore) lose() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.inner.(interface{ Close() error }).Close(); err != nil {
		return err
	}
	s, err := g.open()
	if err == nil {
		g.inner = s
	}
	return err
}
