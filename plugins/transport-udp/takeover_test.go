package transportudp

import (
	"net/netip"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/secure"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
)

// TestFlowEndsWithTheLink: a core that was told that a peer's queue is full hears of room when the link ends, in the same
// stream. Otherwise the news of the old link may reach it after the new one is up, and it would wait for ever.
func TestFlowEndsWithTheLink(t *testing.T) {
	const config = `{"connect_interval": 50000000, "heartbeat": 100000000, "silence": 2000000000, "bulk_queue": 65536, "receive_queue": 65536}`
	a, b := livePair(t, config)
	defer a.stop()
	full := func() bool {
		t.Helper()
		for {
			in, err := a.bulk.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if in.Flow != nil {
				return in.Flow.Full
			}
		}
	}
	for range 16 { // b takes nothing
		send(t, a.bulk, make([]byte, 16<<10), b.id())
	}
	if !full() {
		t.Fatal("room, and the queue was never full")
	}
	b.stop()
	if full() {
		t.Fatal("full twice")
	}
}

// up has a node believe that another is connected from an address, with a bulk port.
func (l *live) up(name string, at netip.AddrPort, session uint64, bulkPort uint16) *peer {
	node := transporttest.NodeKey(name)
	l.output(0, &conn.Output{Events: []conn.Event{{Kind: conn.Up, Addr: at, Number: session, Peer: secure.Peer{Node: node},
		Hello: wire.Hello{Datagram: 1200, Lanes: []uint16{bulkPort}}}}})
	l.node.mu.Lock()
	defer l.node.mu.Unlock()
	return l.peers[transport.PeerID(node.Hash())]
}

// TestBulkPortOfAnother: a peer that names a port where another has a bulk lane does not end that one. As long as nobody has
// shown that the port is its own the later one has it; what the earlier one still sends from there is not taken for its.
func TestBulkPortOfAnother(t *testing.T) {
	a := startLive(t, fast, "127.0.0.1:0")
	defer a.stop()
	port := uint16(9)
	lane := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
	laneUp := func(session uint64) {
		a.output(1, &conn.Output{Events: []conn.Event{{Kind: conn.Up, Addr: lane, Link: session}}})
	}
	first := a.up("first", netip.MustParseAddrPort("127.0.0.1:11"), 1, port)
	second := a.up("second", netip.MustParseAddrPort("127.0.0.1:12"), 2, port)
	if !second.linked() || first.linked() {
		t.Fatal("a claim that nobody has shown to be true keeps the port")
	}
	said := func(name string) {
		node := transporttest.NodeKey(name)
		a.output(1, &conn.Output{Delivered: []conn.Delivery{{From: lane, Channel: name, Payload: make([]byte, 100), Node: &node}}})
	}
	said("first")
	said("second")
	if m := recv(t, a.bulk); m.Channel != "second" || m.Peer != second.id {
		t.Fatalf("what %s sent is taken for a message of %x", m.Channel, m.Peer[:4])
	}
	if second.held == 0 || first.held != 0 {
		t.Fatalf("%d and %d bytes are held", first.held, second.held)
	}
	laneUp(2)
	third := a.up("third", netip.MustParseAddrPort("127.0.0.1:13"), 3, port)
	if third.linked() || !second.linked() {
		t.Fatal("a peer has ended the lane of another by naming its port")
	}
}

// TestEventOutlivesTheLink: who was there stays in the event when the link has ended before the core has read it.
func TestEventOutlivesTheLink(t *testing.T) {
	a := startLive(t, fast, "127.0.0.1:0")
	defer a.stop()
	at := netip.MustParseAddrPort("127.0.0.1:11")
	p := a.up("peer", at, 1, 9)
	a.output(0, &conn.Output{Events: []conn.Event{{Kind: conn.Down, Addr: at, Number: 1}}})
	in, err := a.control.Recv()
	if err != nil || in.Peer == nil || !in.Peer.Up || in.Peer.Node == nil || transport.PeerID(in.Peer.Node.Hash()) != p.id {
		t.Fatalf("%+v, %v", in.Peer, err)
	}
}
