package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// pair starts two nodes that have each other in their configuration, and waits until each has shown who it is.
func pair(t *testing.T) (a, b *Node) {
	t.Helper()
	cat := catalog{transporttest.NewHub()}
	keys := make([]*signer.Signer, 2)
	for i := range keys {
		var err error
		keys[i], err = signer.Open([]byte(strings.Repeat(fmt.Sprint(i), signer.SeedBytes)), filepath.Join(t.TempDir(), "guard"), signer.Options{NewValidator: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = keys[i].Close() })
	}
	nodes := make([]*Node, 2)
	for i := range nodes {
		cfg := config(t)
		cfg.Catalog, cfg.Signer, cfg.Registry = cat, keys[i], prometheus.NewRegistry()
		cfg.Node = &chainspec.Node{Name: fmt.Sprint("n", i), Listen: fmt.Sprintf("127.0.0.1:%d", 7000+i), Peers: []chainspec.PeerRef{
			{Name: fmt.Sprint("n", 1-i), ID: keys[1-i].Public().Hash(), Address: fmt.Sprintf("127.0.0.1:%d", 7001-i)},
			{Name: "away", ID: types.Hash{9}, Address: "127.0.0.1:9999"},
		}}
		n, err := Start(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Close(context.Background()) })
		nodes[i] = n
	}
	for end := time.Now().Add(30 * time.Second); len(nodes[0].net.Connected()) == 0 || len(nodes[1].net.Connected()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("they do not connect")
		}
	}
	return nodes[0], nodes[1]
}

func TestLinks(t *testing.T) {
	a, b := pair(t)
	for i, n := range []*Node{a, b} {
		links, err := n.Links(t.Context())
		if err != nil || len(links) != 2 {
			t.Fatalf("%+v, %v", links, err)
		}
		if l := links[0]; l.Name != fmt.Sprint("n", 1-i) || !l.Up || !l.Authenticated || l.Node != []*Node{b, a}[i].net.Self() {
			t.Errorf("the other: %+v", l)
		}
		if l := links[1]; l.Name != "away" || l.Up || l.Authenticated || l.Node != (types.Hash{9}) || l.Address != "127.0.0.1:9999" {
			t.Errorf("the one that is away: %+v", l)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Links(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// What a transport tells is told by the names of the configuration; what it does not tell of is down.
func TestNameLinks(t *testing.T) {
	a, b := pair(t)
	self := transport.PeerID(b.net.Self())
	links := a.nameLinks([]transport.LinkStats{{Peer: transport.PeerID{5}, Up: true}, {Peer: self, Up: true}})
	var got []string
	for _, l := range links {
		got = append(got, fmt.Sprintf("%q %v %v %v", l.Name, l.Up, l.Authenticated, l.Node.IsZero()))
	}
	if want := []string{`"n1" true true false`, `"away" false false false`, `"" true false true`}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestProbe(t *testing.T) {
	a, b := pair(t)
	for _, name := range []string{"n1", b.net.Self().String()} {
		l, r, err := a.Probe(t.Context(), name, 10)
		if err != nil || r.Sent != 10 || r.Min != time.Microsecond || l.Name != "n1" || l.Node != b.net.Self() {
			t.Errorf("%s: %+v, %+v, %v", name, l, r, err)
		}
	}
	for name, c := range map[string]struct {
		peer      string
		datagrams int
		err       error
		text      string
	}{
		"nobody":       {"nobody", 10, ErrUnknownPeer, "has n1, away"},
		"itself":       {"n0", 10, ErrUnknownPeer, "this node itself"},
		"its own id":   {a.net.Self().String(), 10, ErrUnknownPeer, "this node itself"},
		"away":         {"away", 10, ErrNotConnected, "keeps calling"},
		"none":         {"n1", 0, ErrDatagrams, "not 0"},
		"too many":     {"n1", MaxProbe + 1, ErrDatagrams, "not 1001"},
		"less than 0":  {"n1", -1, ErrDatagrams, "not -1"},
		"part of a id": {b.net.Self().Short(), 1, ErrUnknownPeer, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := a.Probe(t.Context(), c.peer, c.datagrams); !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v", err)
			}
		})
	}
	a.probing.Store(true)
	if _, _, err := a.Probe(t.Context(), "n1", 1); !errors.Is(err, ErrProbing) {
		t.Errorf("two at once: %v", err)
	}
	a.probing.Store(false)
	if _, _, err := a.Probe(t.Context(), "n1", 1); err != nil {
		t.Errorf("the next: %v", err)
	}
}

// gathered are the values of metrics by name and label.
func gathered(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			out[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return out
}

func TestLinkMetricsOfANode(t *testing.T) {
	a, _ := pair(t)
	got := gathered(t, a.cfg.Registry)
	if got["alto_link_up_bool n1"] != 1 || got["alto_link_up_bool away"] != 0 || got["alto_link_sent_bytes_total n1"] == 0 || got["alto_link_read_bool"] != 1 {
		t.Errorf("%v", got)
	}
}

func TestLinkMetrics(t *testing.T) {
	links := []Link{
		{Name: "n1", LinkStats: transport.LinkStats{RTT: 5 * time.Second}},
		{Name: "n1", LinkStats: transport.LinkStats{Up: true, RTT: time.Second, SentBytes: 1, ReceivedBytes: 2, Datagrams: 3, Retransmitted: 4, Lanes: 5, Queued: 6}},
		{Name: "away"},
	}
	for i := range 1000 { // strangers make no metrics up
		links = append(links, Link{LinkStats: transport.LinkStats{Peer: transport.PeerID{1, byte(i), byte(i >> 8)}, Up: i%2 == 0, SentBytes: 1}})
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(newLinkMetrics(func(context.Context) ([]Link, error) { return links, nil }, func() uint64 { return 7 }))
	got := gathered(t, reg)
	want := map[string]float64{"alto_link_held_back_messages_total": 7, "alto_link_read_bool": 1, "alto_link_strangers_count": 500,
		"alto_link_up_bool n1": 1, "alto_link_rtt_seconds n1": 1, "alto_link_sent_bytes_total n1": 1, "alto_link_received_bytes_total n1": 2,
		"alto_link_datagrams_total n1": 3, "alto_link_retransmitted_total n1": 4, "alto_link_lanes_count n1": 5, "alto_link_queued_bytes n1": 6,
		"alto_link_up_bool away": 0, "alto_link_rtt_seconds away": 0, "alto_link_sent_bytes_total (strangers)": 1000, "alto_link_lanes_count (strangers)": 0}
	for name, v := range want {
		if g, ok := got[name]; !ok || g != v {
			t.Errorf("%s: %v (%v), want %v", name, g, ok, v)
		}
	}
	for _, none := range []string{"alto_link_up_bool (strangers)", "alto_link_rtt_seconds (strangers)"} {
		if _, ok := got[none]; ok {
			t.Errorf("%s makes no sense", none)
		}
	}
	if most := 3 + 8*2 + 6; len(got) != most {
		t.Errorf("%d metrics, want %d: %v", len(got), most, got)
	}
}

// A transport that hangs does not hang whoever asks for metrics, and is asked once.
func TestLinkMetricsOfATransportThatHangs(t *testing.T) {
	hang, asked := make(chan struct{}), make(chan struct{}, 8)
	m := newLinkMetrics(func(context.Context) ([]Link, error) {
		asked <- struct{}{}
		<-hang
		return []Link{{Name: "n1"}}, nil
	}, func() uint64 { return 7 })
	m.deadline = 20 * time.Millisecond
	reg := prometheus.NewRegistry()
	reg.MustRegister(m)
	for range 3 {
		got := gathered(t, reg)
		if got["alto_link_read_bool"] != 0 || got["alto_link_held_back_messages_total"] != 7 || len(got) != 2 {
			t.Errorf("%v", got)
		}
	}
	if len(asked) != 1 {
		t.Errorf("it was asked %d times", len(asked))
	}
	close(hang)
	m.deadline = 30 * time.Second
	if got := gathered(t, reg); got["alto_link_read_bool"] != 1 {
		t.Errorf("when it goes on: %v", got)
	}
	failing := newLinkMetrics(func(context.Context) ([]Link, error) { return nil, transport.ErrClosed }, func() uint64 { return 0 })
	reg = prometheus.NewRegistry()
	reg.MustRegister(failing)
	if got := gathered(t, reg); got["alto_link_read_bool"] != 0 {
		t.Errorf("a transport that fails: %v", got)
	}
}
