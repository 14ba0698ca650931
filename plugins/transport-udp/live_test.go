package transportudp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
)

// live is a node on loopback with both lanes attached.
type live struct {
	*node
	name          string
	tb            testing.TB
	address       string
	control, bulk transport.Link
}

func startLive(tb testing.TB, config, address string) *live {
	tb.Helper()
	return startNamed(tb, fmt.Sprint(liveCount.Add(1)), config, address)
}

// liveCount numbers the nodes that have no name.
var liveCount atomic.Int64

func startNamed(tb testing.TB, name, config, address string) *live {
	tb.Helper()
	n, err := openNode(name, config)
	if err != nil {
		tb.Fatal(err)
	}
	l := &live{node: n, name: name, tb: tb}
	if l.address, err = n.Listen(tb.Context(), address); err != nil {
		tb.Fatal(err)
	}
	l.control, l.bulk = l.attach(transport.Control), l.attach(transport.Bulk)
	return l
}

func (l *live) attach(lane transport.Lane) transport.Link {
	l.tb.Helper()
	k, err := l.Attach(l.tb.Context(), lane)
	if err != nil {
		l.tb.Fatal(err)
	}
	return k
}

func (l *live) stop() {
	if err := l.Close(); err != nil {
		l.tb.Error(err)
	}
}

// id is what a node is called.
func (l *live) id() transport.PeerID { return transporttest.NodeID(l.name) }

func recv(tb testing.TB, k transport.Link) *transport.Message {
	tb.Helper()
	for {
		in, err := k.Recv()
		if err != nil {
			tb.Fatal(err)
		}
		if in.Message != nil {
			return in.Message
		}
	}
}

func waitEvent(tb testing.TB, k transport.Link, peer transport.PeerID, up bool) {
	tb.Helper()
	for {
		in, err := k.Recv()
		if err != nil {
			tb.Fatal(err)
		}
		if in.Peer != nil && in.Peer.Peer == peer && in.Peer.Up == up {
			return
		}
	}
}

func send(tb testing.TB, k transport.Link, payload []byte, peers ...transport.PeerID) {
	tb.Helper()
	if err := k.Send(transport.Outgoing{Peers: peers, Channel: "c", Payload: payload}); err != nil {
		tb.Fatal(err)
	}
}

// livePair are two nodes that have dialled each other.
func livePair(tb testing.TB, config string) (a, b *live) {
	tb.Helper()
	a, b = startLive(tb, config, "127.0.0.1:0"), startLive(tb, config, "127.0.0.1:0")
	if err := a.control.Dial(b.id(), b.address); err != nil {
		tb.Fatal(err)
	}
	if err := b.control.Dial(a.id(), a.address); err != nil {
		tb.Fatal(err)
	}
	waitEvent(tb, a.control, b.id(), true)
	waitEvent(tb, b.control, a.id(), true)
	return a, b
}

// TestManyPeers connects everyone with everyone.
func TestManyPeers(t *testing.T) {
	const n = 16
	// A link that breaks takes along what is sent, and on a busy machine a node may not be heard for seconds.
	const config = `{"connect_interval": 50000000, "heartbeat": 100000000, "silence": 60000000000}`
	var nodes [n]*live
	for i := range nodes {
		nodes[i] = startLive(t, config, "127.0.0.1:0")
		defer nodes[i].stop()
	}
	for i, l := range nodes { // all first: a message from a stranger has another name
		for j, o := range nodes {
			if j != i {
				if err := l.control.Dial(o.id(), o.address); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	var wg sync.WaitGroup
	for i, l := range nodes {
		wg.Go(func() {
			var all []transport.PeerID
			for j := range nodes {
				if j != i {
					all = append(all, nodes[j].id())
				}
			}
			up := map[transport.PeerID]bool{}
			for len(up) < n-1 {
				in, err := l.control.Recv()
				if err != nil {
					t.Error(err)
					return
				}
				if in.Peer != nil && in.Peer.Up {
					for _, p := range all {
						up[p] = up[p] || p == in.Peer.Peer
					}
					for p, ok := range up {
						if !ok {
							delete(up, p)
						}
					}
				}
			}
			send(t, l.bulk, binary.BigEndian.AppendUint64(nil, uint64(i)), all...)
		})
	}
	wg.Wait()
	for i, l := range nodes {
		got := map[transport.PeerID]bool{}
		for range n - 1 {
			m := recv(t, l.bulk)
			if m.Peer != nodes[binary.BigEndian.Uint64(m.Payload)%n].id() || got[m.Peer] {
				t.Fatalf("node %d: message %x from %x", i, m.Payload, m.Peer[:2])
			}
			got[m.Peer] = true
		}
	}
}

// TestFixedBulkPort restarts a node whose bulk lane has a port of its own: no session of the old lane gets in the way.
func TestFixedBulkPort(t *testing.T) {
	probe, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	port := probe.LocalAddr().(*net.UDPAddr).Port
	_ = probe.Close()
	config := fmt.Sprintf(`{"connect_interval": 50000000, "heartbeat": 100000000, "silence": 2000000000, "bulk_port": %d}`, port)
	a, b := startLive(t, fast, "127.0.0.1:0"), startNamed(t, "fixed", config, "127.0.0.1:0")
	defer a.stop()
	if err := a.control.Dial(b.id(), b.address); err != nil {
		t.Fatal(err)
	}
	waitEvent(t, a.control, b.id(), true)
	for i := range 10 {
		b.kill()
		b = startNamed(t, b.name, config, b.address)
		if err := b.control.Dial(a.id(), a.address); err != nil {
			t.Fatal(err)
		}
		waitEvent(t, a.control, b.id(), false)
		waitEvent(t, a.control, b.id(), true)
		waitEvent(t, b.control, a.id(), true)
		send(t, a.bulk, []byte{1, byte(i)}, b.id())
		send(t, b.bulk, []byte{2, byte(i)}, a.id())
		if m := recv(t, b.bulk); !bytes.Equal(m.Payload, []byte{1, byte(i)}) {
			t.Fatalf("restart %d: got %x", i, m.Payload)
		}
		if m := recv(t, a.bulk); !bytes.Equal(m.Payload, []byte{2, byte(i)}) {
			t.Fatalf("restart %d: got %x", i, m.Payload)
		}
	}
	b.stop()
}

// kill ends a node without a word to anybody, as kill -9 does.
func (l *live) kill() {
	for _, p := range l.loops {
		if p != nil {
			p.close()
		}
	}
	l.node.mu.Lock()
	l.node.loops = [maxLoops]*loop{}
	l.node.mu.Unlock()
	l.stop()
}

// TestQueuesAreBounded sends far more than a slow peer takes. Memory stays within the queues, another peer is served,
// and what arrives is in order.
func TestQueuesAreBounded(t *testing.T) {
	const config = `{"connect_interval": 50000000, "bulk_queue": 4194304, "receive_queue": 1048576}`
	a, b := livePair(t, config) // b takes nothing for a while
	defer a.stop()
	defer b.stop()
	c := startLive(t, config, "127.0.0.1:0")
	defer c.stop()
	if err := a.control.Dial(c.id(), c.address); err != nil {
		t.Fatal(err)
	}
	waitEvent(t, a.control, c.id(), true)
	payload := make([]byte, 64<<10)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 4000 // 250 MiB
	for i := range n {
		p := bytes.Clone(payload)
		binary.BigEndian.PutUint32(p, uint32(i))
		send(t, a.bulk, p, b.id())
	}
	send(t, a.bulk, []byte("for c"), c.id())
	if m := recv(t, c.bulk); string(m.Payload) != "for c" {
		t.Fatalf("c got %d bytes", len(m.Payload))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Fatalf("%d MiB are held for a peer that takes nothing", grown>>20)
	}
	seen := map[int]bool{}
	for !seen[n-1] { // the newest is never dropped
		i := int(binary.BigEndian.Uint32(recv(t, b.bulk).Payload))
		if seen[i] {
			t.Fatalf("message %d comes twice", i)
		}
		seen[i] = true
	}
}

// TestJunk: a flood of junk and of calls that nobody completes changes nothing for a peer.
func TestJunk(t *testing.T) {
	a, b := livePair(t, fast)
	defer a.stop()
	defer b.stop()
	flood, err := net.Dial("udp", b.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = flood.Close() }()
	for i := range 3000 {
		junk := make([]byte, i%200)
		for j := range junk {
			junk[j] = byte(i * j)
		}
		if len(junk) > 4 {
			junk[0], junk[1], junk[2] = 1, byte(i%16), byte(i%3)
		}
		_, _ = flood.Write(junk)
		if i%100 == 0 {
			send(t, a.control, []byte{byte(i / 100)}, b.id())
			if m := recv(t, b.control); m.Peer != a.id() || m.Payload[0] != byte(i/100) {
				t.Fatalf("got %x from %x", m.Payload, m.Peer[:2])
			}
		}
	}
}

func TestDialByName(t *testing.T) {
	a, b := startLive(t, fast, "127.0.0.1:0"), startLive(t, fast, "127.0.0.1:0")
	defer a.stop()
	defer b.stop()
	_, port, _ := net.SplitHostPort(b.address)
	if err := a.control.Dial(b.id(), "localhost:"+port); err != nil {
		t.Fatal(err)
	}
	waitEvent(t, a.control, b.id(), true)
}

// TestWildcard: a node that listens on all addresses of both families is reached over IPv4.
func TestWildcard(t *testing.T) {
	a, b := startLive(t, fast, ":0"), startLive(t, fast, "127.0.0.1:0")
	defer a.stop()
	defer b.stop()
	_, port, _ := net.SplitHostPort(a.address)
	if err := b.control.Dial(a.id(), "127.0.0.1:"+port); err != nil {
		t.Fatal(err)
	}
	waitEvent(t, b.control, a.id(), true)
	send(t, b.bulk, []byte("hello"), a.id())
	if m := recv(t, a.bulk); string(m.Payload) != "hello" {
		t.Fatalf("got %q", m.Payload)
	}
}

// BenchmarkLatency is the way of a 200-byte message there and back; ns/op is one way.
func BenchmarkLatency(b *testing.B) {
	x, y := livePair(b, "{}")
	defer x.stop()
	defer y.stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := y.control.Recv()
			if err != nil {
				return
			}
			if in.Message != nil {
				send(b, y.control, in.Message.Payload, x.id())
			}
		}
	})
	payload := make([]byte, 200)
	trips := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for range b.N {
		t := time.Now()
		send(b, x.control, payload, y.id())
		recv(b, x.control)
		trips = append(trips, time.Since(t)/2)
	}
	b.StopTimer()
	sort.Slice(trips, func(i, j int) bool { return trips[i] < trips[j] })
	b.ReportMetric(float64(trips[len(trips)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(trips[len(trips)*99/100].Nanoseconds()), "p99-ns")
	_ = y.control.Close()
	wg.Wait()
}

// BenchmarkBulk sends bodies of 4 MiB, at most four of them unanswered.
func BenchmarkBulk(b *testing.B) {
	x, y := livePair(b, "{}")
	defer x.stop()
	defer y.stop()
	payload := make([]byte, 4<<20)
	b.SetBytes(int64(len(payload)))
	b.ResetTimer()
	for i := range b.N {
		send(b, x.bulk, payload, y.id())
		if i >= 3 {
			recv(b, y.bulk)
		}
	}
	for range min(b.N, 3) {
		recv(b, y.bulk)
	}
}
