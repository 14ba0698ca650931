package node

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/internal/faultproxy"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fast are settings with which a test does not wait for seconds.
func fast() Config {
	c := plain.Defaults()
	c.ConnectInterval, c.Heartbeat, c.Silence, c.Retransmit, c.RetransmitLimit = 50*time.Millisecond, 100*time.Millisecond, 2*time.Second, 50*time.Millisecond, 200
	return Config{Conn: c, Datagram: 1200, DatagramLoopback: 16 << 10, ControlQueue: 32 << 20, BulkQueue: 64 << 20, ReceiveQueue: 32 << 20, Strangers: 64}
}

func factory() transporttest.Factory {
	return transporttest.Factory{Open: func(string) (transport.Transport, func() error, error) {
		cfg := fast()
		cfg.BulkQueue, cfg.ReceiveQueue = 16<<20, 12<<20 // they are soon full
		n := New(cfg)
		return n, n.Close, nil
	}}
}

func TestConformance(t *testing.T)       { transporttest.Run(t, factory()) }
func TestConformanceRemote(t *testing.T) { transporttest.Run(t, transporttest.Remote(factory())) }

// live is a node on loopback with both lanes attached.
type live struct {
	*Node
	tb            testing.TB
	address       string
	control, bulk transport.Link
}

func start(tb testing.TB, cfg Config, address string) *live {
	tb.Helper()
	l := &live{Node: New(cfg), tb: tb}
	tb.Cleanup(func() { _ = l.Close() })
	var err error
	if l.address, err = l.Listen(tb.Context(), address); err != nil {
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

func name(i int) transport.PeerID { return transport.PeerID{byte(i), 1} }

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

func event(tb testing.TB, k transport.Link, peer transport.PeerID, up bool) *transport.PeerEvent {
	tb.Helper()
	for {
		in, err := k.Recv()
		if err != nil {
			tb.Fatal(err)
		}
		if in.Peer != nil && in.Peer.Peer == peer && in.Peer.Up == up {
			return in.Peer
		}
	}
}

func send(tb testing.TB, k transport.Link, channel string, payload []byte, peers ...transport.PeerID) {
	tb.Helper()
	if err := k.Send(transport.Outgoing{Peers: peers, Channel: channel, Payload: payload}); err != nil {
		tb.Fatal(err)
	}
}

// pair are two nodes that have dialled each other, as name(0) and name(1), through a network with faults.
func pair(tb testing.TB, cfg Config, faults string) (a, b *live) {
	tb.Helper()
	a, b = start(tb, cfg, "127.0.0.1:0"), start(tb, cfg, "127.0.0.1:0")
	toA, toB := a.address, b.address
	if faults != "" {
		f, err := faultproxy.ParseFaults(faults)
		if err != nil {
			tb.Fatal(err)
		}
		p, err := faultproxy.New(faultproxy.Config{Seed: 1, Faults: f, Endpoints: append(
			faultproxy.Endpoints("a", netip.MustParseAddr("127.0.0.23"), netip.MustParseAddrPort(a.address)),
			faultproxy.Endpoints("b", netip.MustParseAddr("127.0.0.24"), netip.MustParseAddrPort(b.address))...)})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = p.Close() })
		toA, toB = p.Addr("a").String(), p.Addr("b").String()
	}
	if err := a.control.Dial(name(1), toB); err != nil {
		tb.Fatal(err)
	}
	if err := b.control.Dial(name(0), toA); err != nil {
		tb.Fatal(err)
	}
	event(tb, a.control, name(1), true)
	event(tb, b.control, name(0), true)
	return a, b
}

// TestBadNetwork: all messages of both lanes arrive, those of control in order, with loss, copies and reordering.
func TestBadNetwork(t *testing.T) {
	a, b := pair(t, fast(), "loss=5% duplicate=2% reorder=5% gap=2ms")
	const n = 60
	for i := range n {
		p := bytes.Repeat([]byte{byte(i)}, 1+i*200)
		send(t, a.control, "c", p, name(1))
		send(t, a.bulk, "c", p, name(1))
	}
	for i := range n {
		if m := recv(t, b.control); len(m.Payload) != 1+i*200 || m.Payload[0] != byte(i) {
			t.Fatalf("control message %d is %d bytes of %d", i, len(m.Payload), m.Payload[0])
		}
	}
	got := map[byte]bool{}
	for len(got) < n {
		m := recv(t, b.bulk)
		if i := m.Payload[0]; len(m.Payload) != 1+int(i)*200 || got[i] {
			t.Fatalf("bulk message %d is %d bytes", i, len(m.Payload))
		}
		got[m.Payload[0]] = true
	}
}

// TestControlPassesBulk: a control message that is sent while a large message is under way arrives before it.
func TestControlPassesBulk(t *testing.T) {
	a, b := pair(t, fast(), "delay=5ms rate=20M queue=10M")
	big := make([]byte, 8<<20)
	send(t, a.bulk, "c", big, name(1))
	order := make(chan string, 2)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if m, err := b.bulk.Recv(); err == nil && m.Message != nil {
			order <- "bulk"
		}
	}()
	send(t, a.control, "c", []byte("vote"), name(1))
	if m := recv(t, b.control); string(m.Payload) != "vote" {
		t.Fatalf("got %q", m.Payload)
	}
	order <- "control"
	<-ended
	if first := <-order; first != "control" {
		t.Fatalf("%s came first", first)
	}
}

// TestPriority: the queue serves the lowest number first, keeps the order within a channel, and drops the oldest of the
// lowest priority.
func TestPriority(t *testing.T) {
	var q queue
	for i, m := range []struct {
		channel  string
		priority uint32
	}{{"a", 5}, {"a", 1}, {"b", 2}, {"c", 2}, {"a", 0}} {
		if q.push(&outgoing{channel: m.channel, priority: m.priority, payload: []byte{byte(i)}}, 1<<20) != 0 {
			t.Fatal("a message was dropped")
		}
	}
	var got []byte
	for o := q.next(); o != nil; o = q.next() {
		got = append(got, o.payload[0])
	}
	if want := []byte{2, 3, 0, 1, 4}; !bytes.Equal(got, want) {
		t.Fatalf("order %v, want %v", got, want)
	}
	if q.bytes != 0 || len(q.lists) != 0 {
		t.Fatalf("%d bytes, %d lists are left", q.bytes, len(q.lists))
	}
	limit := 3 * (overhead + 1)
	for i, p := range []uint32{1, 3, 2} {
		q.push(&outgoing{channel: fmt.Sprint(i), priority: p, payload: []byte{byte(i)}}, limit)
	}
	if d := q.push(&outgoing{channel: "x", priority: 2, payload: []byte{9}}, limit); d != 1 {
		t.Fatalf("%d dropped", d)
	}
	if d := q.push(&outgoing{channel: "x", priority: 7, payload: []byte{9}}, limit); d != 1 {
		t.Fatalf("%d dropped", d)
	}
	got = nil
	for o := q.next(); o != nil; o = q.next() {
		got = append(got, o.payload[0])
	}
	if want := []byte{0, 2, 9}; !bytes.Equal(got, want) {
		t.Fatalf("left %v, want %v", got, want)
	}
}

// TestQueuesAreBounded sends far more than a slow peer takes. Memory stays within the queues, another peer is served.
func TestQueuesAreBounded(t *testing.T) {
	cfg := fast()
	cfg.BulkQueue, cfg.ReceiveQueue = 4<<20, 1<<20
	a, b := pair(t, cfg, "")
	c := start(t, cfg, "127.0.0.1:0")
	if err := a.control.Dial(name(2), c.address); err != nil {
		t.Fatal(err)
	}
	event(t, a.control, name(2), true)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 3000 // 190 MiB
	for i := range n {
		p := make([]byte, 64<<10)
		binary.BigEndian.PutUint32(p, uint32(i))
		send(t, a.bulk, "c", p, name(1))
		if i%10 == 0 { // in step with another peer, so that there is time for all to arrive
			send(t, a.bulk, "c", []byte("for c"), name(2))
			if m := recv(t, c.bulk); string(m.Payload) != "for c" {
				t.Fatalf("c got %d bytes", len(m.Payload))
			}
		}
		b.mu.Lock()
		held := b.peers[name(0)].held
		b.mu.Unlock()
		held.mu.Lock()
		if most := cfg.ReceiveQueue + plain.MaxWindow*cfg.DatagramLoopback; held.bytes > most {
			t.Fatalf("%d bytes wait for a core that takes nothing, at most %d are allowed", held.bytes, most)
		}
		held.mu.Unlock()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Fatalf("%d MiB are held for a peer that takes nothing", grown>>20)
	}
	for last := -1; last != n-1; { // the newest is never dropped
		i := int(binary.BigEndian.Uint32(recv(t, b.bulk).Payload))
		if i <= last {
			t.Fatalf("message %d after %d", i, last)
		}
		last = i
	}
}

// TestJunk: a flood of junk changes nothing for a peer.
func TestJunk(t *testing.T) {
	a, b := pair(t, fast(), "")
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
			send(t, a.control, "c", []byte{byte(i / 100)}, name(1))
			if m := recv(t, b.control); m.Peer != name(0) || m.Payload[0] != byte(i/100) {
				t.Fatalf("got %x from %x", m.Payload, m.Peer[:2])
			}
		}
	}
}

// TestKilledPeer: a peer that is gone without a word is found again, and both ends learn of it.
func TestKilledPeer(t *testing.T) {
	a, b := pair(t, fast(), "")
	for i := range 3 {
		b.Kill()
		b = start(t, fast(), b.address)
		if err := b.control.Dial(name(0), a.address); err != nil {
			t.Fatal(err)
		}
		event(t, a.control, name(1), false)
		event(t, a.control, name(1), true)
		event(t, b.control, name(0), true)
		send(t, a.bulk, "c", []byte{1, byte(i)}, name(1))
		send(t, b.control, "c", []byte{2, byte(i)}, name(0))
		if m := recv(t, b.bulk); !bytes.Equal(m.Payload, []byte{1, byte(i)}) {
			t.Fatalf("restart %d: got %x", i, m.Payload)
		}
		if m := recv(t, a.control); !bytes.Equal(m.Payload, []byte{2, byte(i)}) {
			t.Fatalf("restart %d: got %x", i, m.Payload)
		}
	}
}

func TestDialByName(t *testing.T) {
	a, b := start(t, fast(), ":0"), start(t, fast(), "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(b.address)
	if err := a.control.Dial(name(1), "localhost:"+port); err != nil {
		t.Fatal(err)
	}
	event(t, a.control, name(1), true)
}

// TestPeerBreaksTheForm: what is no message of a node ends the connection with the code that says so.
func TestPeerBreaksTheForm(t *testing.T) {
	type msg struct {
		id   wire.ID
		body string
	}
	control, bulk := fileName(transport.Control, "c"), fileName(transport.Bulk, "c")
	for what, c := range map[string]struct {
		msgs []msg
		code wire.Code
	}{
		"another file":        {[]msg{{wire.FileName, "params.txt"}}, wire.ConfigError},
		"no channel":          {[]msg{{wire.FileName, "alto-bulk-zz"}}, wire.ConfigError},
		"a long channel":      {[]msg{{wire.FileName, "alto-bulk-" + strings.Repeat("00", 65)}}, wire.ConfigError},
		"DATA of nothing":     {[]msg{{wire.Data, "x"}}, wire.NumMissMatch},
		"the end of nothing":  {[]msg{{wire.DataOver, ""}}, wire.NumMissMatch},
		"control in control":  {[]msg{{wire.FileName, control}, {wire.FileName, control}}, wire.NumMissMatch},
		"bulk within control": {[]msg{{wire.FileName, control}, {wire.FileName, bulk}}, wire.NumMissMatch},
		"bulk in bulk":        {[]msg{{wire.FileName, bulk}, {wire.FileName, bulk}}, wire.NumMissMatch},
	} {
		t.Run(what, func(t *testing.T) {
			n := New(fast())
			defer n.cancel()
			n.inbox[0].reader, n.inbox[1].reader = &link{}, &link{}
			p := n.newPeer(name(1))
			var code wire.Code
			var err error
			for i, m := range c.msgs {
				if code, err = n.received(p, m.id, []byte(m.body)); err != nil && i < len(c.msgs)-1 {
					t.Fatal(err)
				}
			}
			if err == nil || code != c.code {
				t.Fatalf("%s, %v; want %s", code, err, c.code)
			}
		})
	}
	n := New(fast())
	defer n.cancel()
	p := n.newPeer(name(1))
	if _, err := n.received(p, wire.FileName, []byte(bulk)); err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 60_000)
	for total := 0; ; total += len(chunk) {
		_, err := n.received(p, wire.Data, chunk)
		if total+len(chunk) > transport.MaxPayload {
			if err == nil {
				t.Fatal("a message that is too large is taken")
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	n.clear(p)
	if n.assembling != 0 {
		t.Fatalf("%d bytes are counted for messages that are gone", n.assembling)
	}
}

// TestNesting: DATA after an inner file belong to the outer one again.
func TestNesting(t *testing.T) {
	n := New(fast())
	defer n.cancel()
	p := n.newPeer(name(1))
	for _, m := range []struct {
		id   wire.ID
		body string
	}{{wire.FileName, fileName(transport.Bulk, "\x00b")}, {wire.Data, "ou"}, {wire.FileName, fileName(transport.Control, "c")}, {wire.Data, "in"},
		{wire.Start, ""}, {wire.DataOver, ""}, {wire.Data, "ter"}, {wire.DataOver, ""}} {
		if _, err := n.received(p, m.id, []byte(m.body)); err != nil {
			t.Fatal(err)
		}
	}
	for l, want := range []string{"c in", "\x00b outer"} {
		m := n.inbox[l].items[0].Message
		if got := m.Channel + " " + string(m.Payload); got != want {
			t.Errorf("%s has %q, want %q", transport.Lane(l), got, want)
		}
	}
}
