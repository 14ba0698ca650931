package dpospbft

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/pbft"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/consensus/consensustest"
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
		{`{"epoch":12}`, pbft.Config{}, false},
		{`{}{}`, pbft.Config{}, false},
		{`[]`, pbft.Config{}, false},
		{`nonsense`, pbft.Config{}, false},
	} {
		got, err := parseConfig([]byte(c.json))
		if (err == nil) != c.ok || err != nil && !errors.Is(err, plugin.ErrBadConfig) || err == nil && got != c.want {
			t.Errorf("%s: %+v, %v", c.json, got, err)
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
	if !ok || info.Name != "dpospbft" || len(ki.Rules) != 1 || ki.Rules[0] != "1" {
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
	if err != nil || got != want {
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
	e := newEngine(pbft.Config{SlotMs: 50, Turn: 1})
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
	e := newEngine(pbft.Config{SlotMs: 50, Turn: 1})
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
