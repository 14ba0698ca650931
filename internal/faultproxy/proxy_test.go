package faultproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// timeout ends a test that waits for what does not come; it decides nothing else.
const timeout = 10 * time.Second

// node is a socket that plays a node or a client.
type node struct {
	t    testing.TB
	sock *net.UDPConn
	addr netip.AddrPort
}

func newNode(t testing.TB) *node {
	t.Helper()
	sock, err := openSocket(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sock.Close() })
	return &node{t, sock, unmap(sock.LocalAddr().(*net.UDPAddr).AddrPort())}
}

func (n *node) send(to netip.AddrPort, text string) {
	n.t.Helper()
	if _, err := n.sock.WriteToUDPAddrPort([]byte(text), to); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) receive() (string, netip.AddrPort) {
	n.t.Helper()
	b := make([]byte, largest)
	_ = n.sock.SetReadDeadline(time.Now().Add(timeout))
	k, from, err := n.sock.ReadFromUDPAddrPort(b)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(b[:k]), unmap(from)
}

func (n *node) expect(text string) netip.AddrPort {
	n.t.Helper()
	got, from := n.receive()
	if got != text {
		n.t.Fatalf("received %.40q, want %.40q", got, text)
	}
	return from
}

// newProxy returns a proxy that is closed with the test, after its counters were seen to add up.
func newProxy(t testing.TB, cfg Config) *Proxy {
	t.Helper()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Close()
		for _, l := range p.Stats().Links {
			in := l.Received + l.Duplicated
			if out := l.Lost + l.Oversize + l.QueueFull + l.Partitioned + l.Overflow + l.SendErrors + l.Forwarded + l.Pending; in != out {
				t.Errorf("seed %d: %d came and %d went: %+v", p.Seed(), in, out, l)
			}
		}
	})
	return p
}

// until waits for the counters to say something.
func until(t testing.TB, p *Proxy, what string, ok func(Stats) bool) {
	t.Helper()
	for end := time.Now().Add(timeout); !ok(p.Stats()); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s: %+v", timeout, what, p.Stats())
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pairOf returns two nodes behind a proxy.
func pairOf(t testing.TB, cfg Config) (p *Proxy, a, b *node) {
	a, b = newNode(t), newNode(t)
	cfg.Endpoints = []Endpoint{{Name: "a", Target: a.addr}, {Name: "b", Target: b.addr}}
	return newProxy(t, cfg), a, b
}

func TestNodesSeeEachOtherAtTheProxysAddresses(t *testing.T) {
	p, a, b := pairOf(t, Config{Seed: 1})
	a.send(p.Addr("b"), "hello")
	if from := b.expect("hello"); from != p.Addr("a") {
		t.Errorf("b sees a at %s, want %s", from, p.Addr("a"))
	}
	b.send(p.Addr("a"), "yes")
	if from := a.expect("yes"); from != p.Addr("b") {
		t.Errorf("a sees b at %s, want %s", from, p.Addr("b"))
	}
	s := p.Stats()
	if s.Flows != 0 || s.Link("a", "b").Forwarded != 1 || s.Link("b", "a").ForwardedBytes != 3 {
		t.Errorf("%+v", s)
	}
}

// A node's second port, which is told in band, leads through the proxy too.
func TestSecondPorts(t *testing.T) {
	a, b := [2]*node{newNode(t), newNode(t)}, [2]*node{newNode(t), newNode(t)}
	ipA, ipB := netip.MustParseAddr("127.77.0.1"), netip.MustParseAddr("127.77.0.2")
	p := newProxy(t, Config{Endpoints: append(Endpoints("a", ipA, a[0].addr, a[1].addr), Endpoints("b", ipB, b[0].addr, b[1].addr)...)})
	for i := range 2 {
		a[i].send(netip.AddrPortFrom(ipB, b[i].addr.Port()), "ping")
		if from := b[i].expect("ping"); from != netip.AddrPortFrom(ipA, a[i].addr.Port()) {
			t.Errorf("port %d: from %s", i, from)
		}
	}
	if l := p.Stats().Link("a", "b"); l.Forwarded != 2 {
		t.Errorf("%+v", l)
	}
}

func TestClientsHaveFlowsOfTheirOwn(t *testing.T) {
	p, _, b := pairOf(t, Config{})
	known, unknown := newNode(t), newNode(t)
	must(t, p.Register("client", known.addr))
	known.send(p.Addr("b"), "one")
	one := b.expect("one")
	unknown.send(p.Addr("b"), "two")
	two := b.expect("two")
	if one == two {
		t.Fatal("two clients come from one address")
	}
	b.send(two, "to two")
	b.send(one, "to one")
	if from := known.expect("to one"); from != p.Addr("b") {
		t.Errorf("the reply comes from %s", from)
	}
	unknown.expect("to two")
	newNode(t).send(one, "forged") // only the target may reply
	b.send(one, "again")
	known.expect("again")
	s := p.Stats()
	if s.Flows != 2 || s.Link("client", "b").Forwarded != 1 || s.Link(Unknown, "b").Forwarded != 1 ||
		s.Link("b", "client").Forwarded != 2 || s.Link("b", Unknown).Forwarded != 1 {
		t.Errorf("%+v", s)
	}
}

func TestFlowsAreBoundedAndEnd(t *testing.T) {
	t.Run("bounded", func(t *testing.T) {
		p, _, b := pairOf(t, Config{MaxFlows: 1})
		newNode(t).send(p.Addr("b"), "first")
		b.expect("first")
		newNode(t).send(p.Addr("b"), "second")
		until(t, p, "the second gets no flow", func(s Stats) bool { return s.NoFlow == 1 && s.Flows == 1 })
	})
	t.Run("idle", func(t *testing.T) {
		p, _, b := pairOf(t, Config{FlowIdle: 20 * ms})
		c := newNode(t)
		c.send(p.Addr("b"), "first")
		b.expect("first")
		until(t, p, "the flow ends", func(s Stats) bool { return s.Flows == 0 })
		c.send(p.Addr("b"), "second")
		b.expect("second")
	})
}

func TestPartitionAndHeal(t *testing.T) {
	nodes, names := make([]*node, 4), []string{"n1", "n2", "n3", "n4"}
	var es []Endpoint
	for i := range nodes {
		nodes[i] = newNode(t)
		es = append(es, Endpoint{Name: names[i], Target: nodes[i].addr})
	}
	p := newProxy(t, Config{Seed: 4, Endpoints: es})
	// reach sends from each to each and tells by the counters who got through.
	round := 0
	reach := func() string {
		round++
		before := p.Stats()
		var s strings.Builder
		for i, a := range names {
			for j, b := range names {
				if i == j {
					continue
				}
				nodes[i].send(p.Addr(b), fmt.Sprint(round, a))
				until(t, p, "the datagram is counted", func(s Stats) bool {
					return s.Link(a, b).Received == before.Link(a, b).Received+1 && s.Link(a, b).Pending == 0
				})
				if p.Stats().Link(a, b).Forwarded > before.Link(a, b).Forwarded {
					nodes[j].expect(fmt.Sprint(round, a))
					fmt.Fprintf(&s, "%d%d ", i+1, j+1)
				}
			}
		}
		return strings.TrimSpace(s.String())
	}
	const all = "12 13 14 21 23 24 31 32 34 41 42 43"
	for _, c := range []struct {
		name   string
		groups [][]string
		want   string
	}{
		{"two and two", [][]string{{"n1", "n2"}, {"n3", "n4"}}, "12 21 34 43"},
		{"one and the rest", [][]string{{"n1"}}, "23 24 32 34 42 43"},
		{"a bridge", [][]string{{"n1", "n2", "n3"}, {"n3", "n4"}}, "12 13 21 23 31 32 34 43"},
		{"all alone", [][]string{{"n1"}, {"n2"}, {"n3"}, {"n4"}}, ""},
	} {
		must(t, p.Partition(c.groups))
		if got := reach(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		must(t, p.Heal())
		if got := reach(); got != all {
			t.Errorf("%s, healed: %s", c.name, got)
		}
	}
}

func TestAPartitionCatchesWhatIsOnItsWay(t *testing.T) {
	p, a, b := pairOf(t, Config{Faults: Faults{Delay: 50 * ms}})
	a.send(p.Addr("b"), "never")
	until(t, p, "it is on its way", func(s Stats) bool { return s.Link("a", "b").Pending == 1 })
	must(t, p.Partition([][]string{{"a"}, {"b"}}))
	until(t, p, "it is dropped", func(s Stats) bool { return s.Link("a", "b").Partitioned == 1 })
	must(t, p.Reset())
	a.send(p.Addr("b"), "now")
	b.expect("now")
}

func TestFaultsAreDirectedAndTheExactRuleCounts(t *testing.T) {
	p, a, b := pairOf(t, Config{Faults: Faults{Loss: 1}})
	must(t, p.SetFaults("a", Any, Faults{}))
	a.send(p.Addr("b"), "1")
	b.expect("1")
	b.send(p.Addr("a"), "2")
	until(t, p, "the other way loses", func(s Stats) bool { return s.Link("b", "a").Lost == 1 })
	must(t, p.SetFaults(Any, "b", Faults{Loss: 1})) // less exact than a > *
	a.send(p.Addr("b"), "3")
	b.expect("3")
	must(t, p.SetFaults("a", "b", Faults{Loss: 1}))
	a.send(p.Addr("b"), "4")
	until(t, p, "the pair's own rule loses", func(s Stats) bool { return s.Link("a", "b").Lost == 1 })
}

func TestDelayedDatagramsKeepTheirOrder(t *testing.T) {
	p, a, b := pairOf(t, Config{Seed: 2, Faults: Faults{Delay: 20 * ms, Jitter: 15 * ms, KeepOrder: true}})
	for i := range 300 {
		if i == 100 {
			until(t, p, "all are through", func(s Stats) bool { return s.Link("a", "b").Forwarded == uint64(i) })
			must(t, p.SetFaults("a", "b", Faults{Delay: 20 * ms, Jitter: 15 * ms, KeepOrder: true, Rate: 100_000_000}))
		}
		if i == 200 {
			until(t, p, "all are through", func(s Stats) bool { return s.Link("a", "b").Forwarded == uint64(i) })
			must(t, p.Reset())
		}
		a.send(p.Addr("b"), fmt.Sprint(i))
	}
	for i := range 300 {
		b.expect(fmt.Sprint(i))
	}
}

func TestDuplicatesAndCorruption(t *testing.T) {
	for name, delay := range map[string]time.Duration{"at once": 0, "delayed": ms} {
		t.Run(name, func(t *testing.T) {
			p, a, b := pairOf(t, Config{Seed: 3, Faults: Faults{Duplicate: 1, Corrupt: 0.5, Delay: delay}})
			text, wrong := strings.Repeat("content ", 100), 0
			for range 50 {
				a.send(p.Addr("b"), text)
				for range 2 {
					if got, _ := b.receive(); got != text {
						wrong++
					}
				}
			}
			if l := p.Stats().Link("a", "b"); l.Duplicated != 50 || l.Corrupted != uint64(wrong) || wrong == 0 || wrong == 100 {
				t.Errorf("%d are altered: %+v", wrong, l)
			}
		})
	}
}

func TestLargestAndEmptyDatagrams(t *testing.T) {
	big := string(bytes.Repeat([]byte("0123456"), 65_507/7+1)[:65_507])
	for name, f := range map[string]Faults{"at once": {}, "delayed": {Delay: ms}} {
		t.Run(name, func(t *testing.T) {
			p, a, b := pairOf(t, Config{Faults: f})
			c := newNode(t)
			for _, text := range []string{big, ""} {
				a.send(p.Addr("b"), text)
				b.expect(text)
				c.send(p.Addr("b"), text)
				b.send(b.expect(text), text)
				c.expect(text)
			}
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	p, a, _ := pairOf(t, Config{MaxPending: 10 * 2048, Faults: Faults{Delay: MaxDelay}})
	for range 15 {
		a.send(p.Addr("b"), "x")
	}
	until(t, p, "five find no room", func(s Stats) bool {
		return s.Link("a", "b").Overflow == 5 && s.Link("a", "b").Pending == 10 && s.PendingBytes == 10*2048
	})
}

func TestTargetsMayComeLaterAndMove(t *testing.T) {
	first, second, c := newNode(t), newNode(t), newNode(t)
	p := newProxy(t, Config{Endpoints: []Endpoint{{Name: "a"}}})
	c.send(p.Addr("a"), "lost")
	until(t, p, "there is no target", func(s Stats) bool { return s.NoTarget == 1 })
	must(t, p.SetTarget(p.Addr("a"), first.addr))
	c.send(p.Addr("a"), "1")
	first.expect("1")
	must(t, p.SetTarget(p.Addr("a"), second.addr))
	c.send(p.Addr("a"), "2")
	second.send(second.expect("2"), "3")
	c.expect("3")
	_ = second.sock.Close() // a dead target is no error
	for range 3 {
		c.send(p.Addr("a"), "4")
	}
	until(t, p, "all came", func(s Stats) bool { return s.Link(Unknown, "a").Received == 5 })
	must(t, p.SetTarget(p.Addr("a"), first.addr))
	c.send(p.Addr("a"), "5")
	first.expect("5")
}

func TestPlay(t *testing.T) {
	var log bytes.Buffer
	p, a, b := pairOf(t, Config{Seed: 77, Log: slog.New(slog.NewTextHandler(&log, nil))})
	steps, err := ParseScenario("0s link a > b loss=100%\n1ms partition a | b\n2ms heal")
	must(t, err)
	must(t, p.Play(context.Background(), steps))
	a.send(p.Addr("b"), "lost")
	until(t, p, "it is lost", func(s Stats) bool { return s.Link("a", "b").Lost == 1 })
	must(t, p.Play(context.Background(), []Step{{Do: ResetAll}}))
	a.send(p.Addr("b"), "hello")
	b.expect("hello")
	if s := log.String(); strings.Count(s, "faultproxy_seed=77") != 5 || !strings.Contains(s, "partition a | b") {
		t.Errorf("the log: %s", s)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Play(ctx, []Step{{At: time.Hour, Do: HealGroups}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ended := make(chan error)
	go func() { ended <- p.Play(context.Background(), []Step{{At: time.Hour, Do: HealGroups}}) }()
	_ = p.Close()
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestMisuseIsRefused(t *testing.T) {
	p, a, b := pairOf(t, Config{Seed: 9})
	elsewhere := netip.MustParseAddrPort("192.0.2.1:9000")
	add := func(e Endpoint) error { _, err := p.AddEndpoint(e); return err }
	for name, err := range map[string]error{
		"listen elsewhere":     add(Endpoint{Name: "x", Listen: elsewhere}),
		"target elsewhere":     add(Endpoint{Name: "x", Target: elsewhere}),
		"target without port":  add(Endpoint{Name: "x", Target: netip.MustParseAddrPort("127.0.0.1:0")}),
		"target twice":         add(Endpoint{Name: "x", Target: a.addr}),
		"target is the proxy":  add(Endpoint{Name: "x", Target: p.Addr("a")}),
		"name":                 add(Endpoint{Name: "a b"}),
		"no name":              add(Endpoint{}),
		"move onto another":    p.SetTarget(p.Addr("a"), b.addr),
		"move what is not":     p.SetTarget(b.addr, a.addr),
		"register a target":    p.Register("x", a.addr),
		"register elsewhere":   p.Register("x", elsewhere),
		"register star":        p.Register("*", newNode(t).addr),
		"faults of a stranger": p.SetFaults("a", "nobody", Faults{}),
		"faults":               p.SetFaults("a", "b", Faults{Loss: 2}),
		"partition a stranger": p.Partition([][]string{{"a", "nobody"}}),
		"no groups":            p.Partition(nil),
		"play a stranger":      p.Play(context.Background(), []Step{{Do: HealGroups}, {Do: SetLink, From: "nobody", To: Any}}),
		"play no action":       p.Play(context.Background(), []Step{{}}),
		"play backwards":       p.Play(context.Background(), []Step{{At: 1, Do: HealGroups}, {Do: HealGroups}}),
	} {
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "seed 9") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Config{Faults: Faults{Delay: -1}}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := New(Config{MaxFlows: -1}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := New(Config{Endpoints: []Endpoint{{Name: "a"}, {Name: "b", Listen: a.addr}}}); err == nil {
		t.Error("a port that is taken")
	}
	_ = p.Close()
	for name, err := range map[string]error{"add": add(Endpoint{Name: "x"}), "target": p.SetTarget(p.Addr("a"), a.addr),
		"register": p.Register("x", newNode(t).addr), "heal": p.Heal()} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

func TestCloseWithTrafficInFlight(t *testing.T) {
	p, a, b := pairOf(t, Config{Faults: Faults{Delay: 2 * ms, Jitter: 2 * ms, Duplicate: 0.5}})
	c := newNode(t)
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, from := range []*node{a, c} {
				_, _ = from.sock.WriteToUDPAddrPort([]byte("x"), p.Addr("b"))
			}
			_, _ = b.sock.WriteToUDPAddrPort([]byte("x"), p.Addr("a"))
		}
	}()
	until(t, p, "traffic flows", func(s Stats) bool { return s.Link("a", "b").Forwarded > 100 && s.Link(Unknown, "b").Forwarded > 100 })
	must(t, p.SetFaults("a", "b", Faults{Loss: 0.5}))
	must(t, p.Partition([][]string{{"a", "b", Unknown}}))
	_ = p.Close()
	_ = p.Close()
	close(stop)
	<-ended
}
