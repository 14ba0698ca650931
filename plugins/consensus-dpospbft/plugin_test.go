package dpospbft

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/pbft"
	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/staking"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/consensus/consensustest"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		json string
		want pbft.Config
		ok   bool
	}{
		{``, pbft.Config{SlotMs: 500, Turn: 1, MaxUnfinal: 1800}, true},
		{`{}`, pbft.Config{SlotMs: 500, Turn: 1, MaxUnfinal: 1800}, true},
		{`{"slot":50000000,"turn":4,"max_unfinal":10}`, pbft.Config{SlotMs: 50, Turn: 4, MaxUnfinal: 10}, true},
		{`{"slot":49000000}`, pbft.Config{}, false},
		{`{"slot":50500000}`, pbft.Config{}, false},
		{`{"slot":7200000000000}`, pbft.Config{}, false},
		{`{"slot":"500ms"}`, pbft.Config{}, false},
		{`{"turn":0}`, pbft.Config{}, false},
		{`{"turn":-1}`, pbft.Config{}, false},
		{`{"max_unfinal":0}`, pbft.Config{}, false},
		{`{"epochs":12}`, pbft.Config{}, false},
		{`{}{}`, pbft.Config{}, false},
		{`[]`, pbft.Config{}, false},
		{`nonsense`, pbft.Config{}, false},
	} {
		got, err := parseConfig([]byte(c.json))
		if (err == nil) != c.ok || err != nil && !errors.Is(err, plugin.ErrBadConfig) || err == nil && !reflect.DeepEqual(got.Engine, c.want) {
			t.Errorf("%s: %+v, %v", c.json, got, err)
		}
	}
}

// TestElectionConfig checks what the attributes of elections mean, in slots, and what must hold between them.
func TestElectionConfig(t *testing.T) {
	byDefault := staking.Config{SlotMs: 500, Turn: 1, Params: staking.Params{Seats: 21, EpochSlots: 7200, Approvals: 30, UnbondingTicks: 3_628_800,
		TrustingTicks: 2_419_200, MinStake: 1_000_000_000, SlashPPM: 50_000, SilenceTicks: 172_800, JailMissedTurns: 20}}
	with := func(f func(*staking.Config)) staking.Config {
		c := byDefault
		f(&c)
		return c
	}
	for _, c := range []struct {
		json string
		want staking.Config
		says string // of an error
	}{
		{`{}`, byDefault, ""},
		{`{"seats":7,"min_set":5,"approvals":3,"slash_ppm":1000000,"jail_missed_turns":2,"min_stake":"12"}`, with(func(c *staking.Config) {
			c.Params.Seats, c.Params.MinSet, c.Params.Approvals, c.Params.SlashPPM, c.Params.JailMissedTurns, c.Params.MinStake = 7, 5, 3, 1_000_000, 2, 12
		}), ""},
		{`{"epoch":2100000000,"unbonding":10000000000,"trusting":5000000000,"silence":60000000001,"min_stake":0}`, with(func(c *staking.Config) {
			c.Params.EpochSlots, c.Params.UnbondingTicks, c.Params.TrustingTicks, c.Params.SilenceTicks, c.Params.MinStake = 5, 20, 10, 121, 0
		}), ""},
		{`{"decay":"weekly"}`, with(func(c *staking.Config) { c.Decay = true }), ""},
		{`{"decay":"daily"}`, byDefault, "decay"},
		{`{"seats":0}`, byDefault, "seats"},
		{`{"seats":513}`, byDefault, "seats"},
		{`{"seats":3,"min_set":4}`, byDefault, "min_set 4 is above seats 3"},
		{`{"epoch":1000000000}`, byDefault, "epoch"},
		{`{"epoch":"1h"}`, byDefault, "epoch"},
		{`{"epoch":60000000000}`, with(func(c *staking.Config) { c.Params.EpochSlots = 120 }), ""},
		{`{"epoch":2000000000}`, byDefault, "make epochs longer"},
		{`{"jail_missed_turns":1}`, byDefault, "jail_missed_turns"},
		{`{"approvals":31}`, byDefault, "approvals"},
		{`{"trusting":1814400000000000}`, byDefault, "trusting"},
		{`{"unbonding":3600000000000}`, byDefault, "trusting"},
		{`{"epoch":3600000000000,"trusting":3600000000000,"unbonding":7199000000000}`, byDefault, "trusting (1h0m0s) and an epoch (1h0m0s)"},
		{`{"min_stake":-1}`, byDefault, "min_stake"},
		{`{"min_stake":1.5}`, byDefault, "1.5"},
		{`{"slash_ppm":1000001}`, byDefault, "slash_ppm"},
		{`{"silence":20000000000}`, byDefault, "two rounds"},
		{`{"turn":1000,"silence":10000000000000}`, byDefault, "two rounds"},
		{`{"jail_missed_turns":0}`, byDefault, "jail_missed_turns"},
	} {
		got, err := parseConfig([]byte(c.json))
		switch {
		case c.says == "" && (err != nil || got.Staking != c.want):
			t.Errorf("%s: %+v, %v, want %+v", c.json, got.Staking, err, c.want)
		case c.says != "" && (!errors.Is(err, plugin.ErrBadConfig) || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v, want an error that says %q", c.json, err, c.says)
		}
	}
}

func TestOpen(t *testing.T) {
	for _, c := range []struct {
		req  plugin.OpenRequest
		want error
	}{
		{plugin.OpenRequest{Kind: plugin.Consensus}, nil},
		{plugin.OpenRequest{Kind: plugin.Consensus, Rules: "1"}, nil},
		{plugin.OpenRequest{Kind: plugin.Consensus, Rules: "2"}, plugin.ErrBadConfig},
		{plugin.OpenRequest{Kind: plugin.Consensus, Config: []byte(`{"x":1}`)}, plugin.ErrBadConfig},
		{plugin.OpenRequest{Kind: plugin.Storage}, plugin.ErrWrongKind},
	} {
		if _, err := Plugin().Open(context.Background(), nil, c.req); !errors.Is(err, c.want) {
			t.Errorf("open %+v: %v, want %v", c.req, err, c.want)
		}
	}
}

// TestDescribe checks that the schema's defaults are what an empty configuration means.
func TestDescribe(t *testing.T) {
	info := Plugin().Describe()
	ki, ok := info.Find(plugin.Consensus)
	if !ok || info.Name != "dpospbft" || len(ki.Rules) != 1 || ki.Rules[0] != "1" || !ki.HasModule {
		t.Fatalf("%+v", info)
	}
	json := "{"
	for i, a := range ki.Schema.Attributes {
		if !a.ConsensusCritical || a.Description == "" {
			t.Errorf("attribute %+v", a)
		}
		if i > 0 {
			json += ","
		}
		json += `"` + a.Name + `":` + a.Default
	}
	got, err := parseConfig([]byte(json + "}"))
	want, _ := parseConfig(nil)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the schema's defaults are %+v (%v), those of the plugin %+v", got, err, want)
	}
}

// TestHandles checks what a client is told of a handle that is unknown, or another kind's.
func TestHandles(t *testing.T) {
	e, closeEngine, err := factory().Open()
	if err != nil {
		t.Fatal(err)
	}
	defer closeEngine()
	conn, closeConn, err := consensustest.Serve(consensustest.Instances{1: e, 2: "no engine"})
	if err != nil {
		t.Fatal(err)
	}
	defer closeConn()
	for handle, want := range map[uint64]error{1: nil, 2: plugin.ErrWrongKind, 3: plugin.ErrUnknownInstance} {
		s, err := consensus.NewClient(conn, handle).Run(t.Context(), testStart())
		if !errors.Is(err, want) {
			t.Errorf("run with handle %d: %v, want %v", handle, err, want)
		}
		if err == nil {
			_ = s.Close()
		}
	}
}

func testStart() *consensus.Start {
	key := types.Ed25519Key(make([]byte, 32))
	genesis := &types.Header{Chain: types.Sum("test", nil)}
	return &consensus.Start{Genesis: genesis, Set: types.EqualSet(0, []types.PublicKey{key}), Final: genesis, NowMs: 1000, GenesisTimeMs: 1000}
}

// TestBacklog shows that an engine whose core takes nothing stops taking events, rather than growing.
func TestBacklog(t *testing.T) {
	e := NewEngine(pbft.Config{SlotMs: 50, Turn: 1}, nil)
	defer e.Close()
	s, err := e.Run(t.Context(), testStart())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	full := make(chan error, 1)
	go func() {
		for i := uint64(1); ; i++ { // each slot has a status to send
			if err := s.Step(ctx, &consensus.Woken{NowMs: 1000 + 50*i}); err != nil {
				full <- err
				return
			}
			if i > maxBacklog+2*eventQueue {
				full <- nil
				return
			}
		}
	}()
	for len(s.(*session).events) < eventQueue {
		runtime.Gosched()
		select {
		case err := <-full:
			t.Fatalf("%d events without a Next: %v", maxBacklog+2*eventQueue, err)
		default:
		}
	}
	cancel()
	if err := <-full; !errors.Is(err, context.Canceled) {
		t.Errorf("step while the engine is behind: %v", err)
	}
	if _, err := s.Next(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestClosedEngine checks that a closed engine runs nothing.
func TestClosedEngine(t *testing.T) {
	e := NewEngine(pbft.Config{SlotMs: 50, Turn: 1}, nil)
	s, err := e.Run(t.Context(), testStart())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Next(t.Context()); !errors.Is(err, consensus.ErrClosed) {
		t.Errorf("next: %v", err)
	}
	if _, err := e.Run(t.Context(), testStart()); !errors.Is(err, consensus.ErrClosed) {
		t.Errorf("run: %v", err)
	}
}

// TestInstance checks that an instance has both faces, that what the engine finds reaches the module, and that closing it
// closes both.
func TestInstance(t *testing.T) {
	v, err := Plugin().Open(t.Context(), nil, plugin.OpenRequest{Kind: plugin.Consensus})
	if err != nil {
		t.Fatal(err)
	}
	i := v.(*Instance)
	if i.Engine.onEvidence == nil {
		t.Error("the engine keeps what it finds to itself")
	}
	i.Engine.onEvidence([]byte("junk")) // is dropped
	if err := i.ValidateParams(t.Context(), map[string][]byte{"consensus.seats": []byte("7"), "consensus.epoch": []byte("3600000000000")}); err != nil {
		t.Error(err)
	}
	if err := i.ValidateParams(t.Context(), map[string][]byte{"consensus.slot": []byte("7")}); !errors.Is(err, module.ErrBadParams) {
		t.Errorf("a parameter that cannot change: %v", err)
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Run(t.Context(), testStart()); !errors.Is(err, consensus.ErrClosed) {
		t.Errorf("run: %v", err)
	}
	if _, err := i.Check(t.Context(), nil); !errors.Is(err, module.ErrClosed) {
		t.Errorf("check: %v", err)
	}
}

// TestGoverned checks which attributes the chain may change, and that the module takes every bound of theirs by name.
func TestGoverned(t *testing.T) {
	ki, _ := Plugin().Describe().Find(plugin.Consensus)
	m := staking.New(mustParse(t).Staking)
	got := []string{}
	for _, a := range ki.Schema.Attributes {
		if !a.Governed {
			continue
		}
		got = append(got, a.Name)
		if err := m.ValidateParams(t.Context(), map[string][]byte{"consensus." + a.Name: []byte(a.Default)}); err != nil {
			t.Error(err)
		}
	}
	if want := "seats epoch approvals unbonding min_stake slash_ppm silence jail_missed_turns"; strings.Join(got, " ") != want {
		t.Errorf("governed are %v, want %s", got, want)
	}
}

func mustParse(t *testing.T) settings {
	s, err := parseConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
