package lane

import (
	"net/netip"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// TestMoveIsProven: a node that has a session writes another's address on its datagrams. The session does not go there: that
// address gets an echo now and then, and is free for who lives there.
func TestMoveIsProven(t *testing.T) {
	w := newWorld(t, 1, testConfig())
	w.run(time.Second)
	l := w.ends[0].lane
	l.env.Admit = open
	p := dialRaw(t, w, 0, strangerAt, malloryNode)
	victim := netip.MustParseAddrPort("198.51.100.66:66")
	w.queueFor(0, strangerAt, 50)
	p.take()
	sent, bytes := 0, 0
	for range 100 {
		p.from = victim
		for _, b := range p.send(wire.Header{ID: wire.Jump}, nil) {
			sent, bytes = sent+1, bytes+len(b)
		}
		w.now += 10 * time.Millisecond
	}
	if l.Known(victim) || !l.Up(strangerAt) {
		t.Fatal("the session has moved to where its peer does not receive")
	}
	if sent == 0 || sent > 11 || bytes > 100*wire.Overhead/2 {
		t.Fatalf("%d datagrams of %d bytes went to somebody else for 100 of %d", sent, bytes, wire.Overhead)
	}
	v := dialRaw(t, w, 0, victim, malloryNode+1)
	if v.session == nil {
		t.Fatal("who lives at the address is kept out")
	}
}

// TestAnotherNodeAtTheAddress: where a peer was, another node answers, while the session has not ended yet. It is asked now and then
// who it is, and not in a loop.
func TestAnotherNodeAtTheAddress(t *testing.T) {
	w := newWorld(t, 1, testConfig())
	w.run(time.Second)
	l, err := New(testConfig(), conn.Local{Port: 1000}, Env{Random: w.random, Identity: identity(t, w.random, malloryNode), Admit: open})
	if err != nil {
		t.Fatal(err)
	}
	w.ends[1].lane, w.ends[1].up = l, false
	before := w.ends[0].lane.Stats().Handshakes
	w.packets = 0
	w.run(8 * time.Second)
	if n := w.ends[0].lane.Stats().Handshakes - before; n < 1 || n > 8 || w.packets > 100 {
		t.Fatalf("%d handshakes and %d datagrams in 8 seconds", n, w.packets)
	}
}
