package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hubPlugin is a transport plugin in this process.
type hubPlugin struct{ hub *transporttest.Hub }

func (hubPlugin) Describe() plugin.Info {
	return plugin.Info{Name: "udp", Version: "0", API: plugin.API, Kinds: []plugin.KindInfo{{Kind: plugin.Transport}}}
}

func (p hubPlugin) Open(context.Context, plugin.Host, plugin.OpenRequest) (any, error) {
	return p.hub.New(), nil
}

// catalog has a transport and, as everything else, a plugin that opens nothing.
type catalog struct{ hub *transporttest.Hub }

var errNothing = errors.New("it opens nothing")

func (c catalog) Find(kind plugin.Kind, name string) (Source, error) {
	switch {
	case kind == plugin.Transport:
		return Source{InProcess: hubPlugin(c)}, nil
	case name == "missing":
		return Source{}, fmt.Errorf("there is no %s plugin %q", kind, name)
	}
	return Source{InProcess: nothing{kind, name}}, nil
}

type nothing struct {
	kind plugin.Kind
	name string
}

func (p nothing) Describe() plugin.Info {
	return plugin.Info{Name: p.name, Version: "0", API: plugin.API, Kinds: []plugin.KindInfo{{Kind: p.kind, Rules: []string{"1"}}}}
}

func (p nothing) Open(context.Context, plugin.Host, plugin.OpenRequest) (any, error) {
	return nil, errNothing
}

func openSigner(t *testing.T) *signer.Signer {
	t.Helper()
	s, err := signer.Open(make([]byte, signer.SeedBytes), filepath.Join(t.TempDir(), "guard"), signer.Options{NewValidator: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func config(t *testing.T) Config {
	t.Helper()
	return Config{Home: t.TempDir(), Node: &chainspec.Node{Name: "n1", Listen: "127.0.0.1:0"}, Genesis: map[string][]byte{}, Signer: openSigner(t),
		Catalog: catalog{transporttest.NewHub()}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

func genesis(s *signer.Signer) *chainspec.Genesis {
	key := s.Public()
	return &chainspec.Genesis{Format: 1, Name: "main", Token: "TST", Supply: 10, SlotMs: 100, Consensus: chainspec.Rules{Plugin: "c", Rules: "1", Config: []byte(`{}`)},
		Limits:      chainspec.Limits{BlockBytes: 1 << 20, TxBytes: 128 << 10, BlockGas: 1 << 20},
		Fees:        chainspec.Fees{},
		Allocations: []chainspec.Allocation{{Name: "a", Account: types.SingleKeyAuthority(key).ID(), Amount: 10}},
		Producers:   []chainspec.Producer{{Name: "p", Key: key, Stake: 1}}}
}

// A node that cannot start says at which stage, and leaves nothing behind: the same folder can be used at once.
func TestStartFails(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		stage  string
		text   string
	}{
		"relative home": {func(c *Config) { c.Home = "home" }, "data folder", "not absolute"},
		"bad address":   {func(c *Config) { c.Node.Listen = "nonsense" }, "transport", "nonsense"},
		"no document":   {func(c *Config) { c.Node.Chains = []chainspec.NodeChain{{Name: "main"}} }, "chain main", ""},
		"missing storage": {func(c *Config) {
			c.Node.Chains = []chainspec.NodeChain{{Name: "main", Storage: chainspec.Block{Plugin: "missing"}}}
		}, "chain main", `no storage plugin "missing"`},
		"storage does not open": {func(c *Config) {
			c.Node.Chains = []chainspec.NodeChain{{Name: "main", Storage: chainspec.Block{Plugin: "s"}}}
		}, "chain main", errNothing.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			if name != "no document" {
				cfg.Genesis["main"] = genesis(cfg.Signer).Encode()
			}
			c.change(&cfg)
			for range 2 {
				n, err := Start(t.Context(), cfg)
				var stage *StageError
				if n != nil || !errors.As(err, &stage) || stage.Stage != c.stage || stage.Node != "n1" || !strings.Contains(err.Error(), c.text) {
					t.Fatalf("%v, %v", n, err)
				}
			}
		})
	}
}

// A node that has lost its journal, or got an old copy back, does not sign with a key that has signed after. It says where, why,
// and what to do; under a new key it starts.
func TestLostDisk(t *testing.T) {
	cfg := config(t)
	g := genesis(cfg.Signer)
	cfg.Genesis["main"] = g.Encode()
	cfg.Node.Chains = []chainspec.NodeChain{{Name: "main", Storage: chainspec.Block{Plugin: "s"}}}
	if _, err := cfg.Signer.SignAll(g.ID(), 100, []signer.Request{{Purpose: "prepare", Ordinal: 7, Payload: []byte("vote")}}); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), cfg)
	if !errors.Is(err, signer.ErrStaleJournal) {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{filepath.Join(cfg.Home, "chains", shortID(g.ID()), "journal"), "ends at 0", "reached to 100", "new key"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	fresh, err := signer.Open([]byte(strings.Repeat("k", signer.SeedBytes)), filepath.Join(t.TempDir(), "guard"), signer.Options{NewValidator: true})
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	cfg.Signer = fresh
	if _, err := Start(t.Context(), cfg); !errors.Is(err, errNothing) { // as far as these plugins go
		t.Errorf("%v", err)
	}
}

func TestAddressInUse(t *testing.T) {
	cfg := config(t)
	cfg.Node.Listen = "127.0.0.1:5555"
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close(t.Context()) }()
	other := config(t)
	other.Catalog, other.Node.Listen = cfg.Catalog, cfg.Node.Listen
	if _, err := Start(t.Context(), other); !errors.Is(err, transport.ErrAddress) {
		t.Errorf("%v", err)
	}
}

// A node without chains is a node. A chain that cannot be opened leaves it as it was; after Close none is opened any more.
func TestFollowAndClose(t *testing.T) {
	cfg := config(t)
	cfg.Registry = prometheus.NewRegistry()
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	g := genesis(cfg.Signer)
	for range 2 {
		if err := n.Follow(t.Context(), g); !errors.Is(err, errNothing) {
			t.Errorf("%v", err)
		}
	}
	if _, _, err := n.Chain("main"); !errors.Is(err, ErrUnknownChain) {
		t.Errorf("%v", err)
	}
	if s := n.Status(); s.Name != "n1" || s.ID != cfg.Signer.Public().Hash() || s.Listen == "" || len(s.Chains) != 0 {
		t.Errorf("%+v", s)
	}
	for range 2 {
		if err := n.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := n.Follow(t.Context(), g); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// A chain that was once begun from a record is found again, and shown if it does not start; the node starts all the same.
func TestKnownChainThatDoesNotStart(t *testing.T) {
	cfg := config(t)
	g := genesis(cfg.Signer)
	if err := saveGenesis(filepath.Join(cfg.Home, "chains", shortID(g.ID())), g); err != nil {
		t.Fatal(err)
	}
	junk := filepath.Join(cfg.Home, "chains", "junk")
	if err := os.MkdirAll(junk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(junk, "genesis.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close(t.Context()) }()
	if s := n.Status().Chains; len(s) != 1 || s[0].Name != "main" || s[0].Chain != g.ID() || !strings.Contains(s[0].Failed, errNothing.Error()) {
		t.Errorf("%+v", s)
	}
}

func TestSaveGenesis(t *testing.T) {
	g := genesis(openSigner(t))
	folder := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		if err := saveGenesis(folder, g); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(filepath.Join(folder, "genesis.json"))
	if err != nil || string(got) != string(g.Encode()) {
		t.Errorf("%v", err)
	}
	g.Name = "other"
	if err := saveGenesis(folder, g); err == nil || !strings.Contains(err.Error(), "another chain") {
		t.Errorf("%v", err)
	}
}

func TestApplySettings(t *testing.T) {
	spec := host.Spec{MTLS: true}
	applySettings(&spec, chainspec.HostSettings{})
	if spec.Isolation != "" || !spec.MTLS || spec.CallTimeout != 0 {
		t.Errorf("%+v", spec)
	}
	applySettings(&spec, chainspec.HostSettings{Isolation: "chain", Memory: 5, OpenFiles: 6, StartTimeout: 7, CallTimeout: 8, PingTimeout: 9})
	if spec.Isolation != host.PerChain || spec.Limits.Memory != 5 || spec.Limits.OpenFiles != 6 || spec.StartTimeout != 7 || spec.CallTimeout != 8 || spec.PingTimeout != 9 {
		t.Errorf("%+v", spec)
	}
}

// What a plugin has signed is under its own purpose, and only a node with a seat signs; secrets differ by kind and chain.
func TestServices(t *testing.T) {
	cfg := config(t)
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close(t.Context()) }()
	a := &services{node: n, kind: plugin.Oracle, chain: types.ChainID{1}, log: n.log}
	b := &services{node: n, kind: plugin.Consensus, chain: types.ChainID{1}, log: n.log}
	c := &services{node: n, kind: plugin.Oracle, chain: types.ChainID{2}, log: n.log}
	if _, err := a.Sign(t.Context(), "x", 1, nil); err == nil {
		t.Error("signed without a seat")
	}
	if _, err := a.BindTransport(t.Context(), []byte("key")); err == nil {
		t.Error("an oracle bound a transport's key")
	}
	seen := map[string]bool{}
	for _, s := range []*services{a, b, c} {
		for _, label := range []string{"x", "y"} {
			v, err := s.Derive(t.Context(), label)
			if err != nil || len(v) != 32 || seen[string(v)] {
				t.Errorf("%x, %v", v, err)
			}
			seen[string(v)] = true
		}
	}
	p, err := a.ProveVRF(t.Context(), []byte("in"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.VerifyVRF(cfg.Signer.Public(), append(a.chain[:], "in"...), p); err != nil {
		t.Error(err)
	}
	a.Log("nonsense", "text", map[string]string{"k": "v"})
	a.Metric("no_registry", 1)
}

func TestGaugesAreBounded(t *testing.T) {
	reg := prometheus.NewRegistry()
	g := newGauges(reg)
	for i := range maxMetricNames + 50 {
		g.set(plugin.VM, "main", fmt.Sprintf("m_%d", i), 1)
	}
	for _, bad := range []string{"", "Up", "9x", "a-b", "a\n", strings.Repeat("a", 65)} {
		g.set(plugin.VM, "main", bad, 1)
	}
	g.set(plugin.VM, "main", "m_1", 2)
	families, err := reg.Gather()
	if err != nil || len(families) != 1 || len(families[0].GetMetric()) != maxMetricNames {
		t.Fatalf("%v, %v", families, err)
	}
}
