package transportudp

import (
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// TestProbeGoodput: a probe measures both ways, leaves nothing to the core, and does not keep what the core sends from arriving.
func TestProbeGoodput(t *testing.T) {
	a, b := livePair(t, fast)
	defer a.stop()
	defer b.stop()
	for range 2 {
		r, err := a.Probe(t.Context(), b.id(), 5)
		if err != nil {
			t.Fatal(err)
		}
		if r.Out == 0 {
			t.Fatalf("no goodput towards the peer: %+v", r)
		}
		// The second probe may come too early for the peer to make another burst.
		t.Logf("%+v", r)
	}
	send(t, a.bulk, []byte("to b"), b.id())
	send(t, b.bulk, []byte("to a"), a.id())
	if m := recv(t, b.bulk); string(m.Payload) != "to b" {
		t.Fatalf("the core got %d bytes on %q", len(m.Payload), m.Channel)
	}
	if m := recv(t, a.bulk); string(m.Payload) != "to a" {
		t.Fatalf("the core got %d bytes on %q", len(m.Payload), m.Channel)
	}
}

// TestBurstIsMeasured: what comes of a burst counts from its first message on, in whatever order it comes; the result of it
// is told once; and numbers that are lies are not told on.
func TestBurstIsMeasured(t *testing.T) {
	n, err := openNode("a", fast)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	p := &peer{up: true}
	data := testMessage(wire.Data, 7).Payload
	for name, b := range map[string][]byte{"nothing": nil, "no number": {byte(wire.Data)}, "no kind": testMessage(99, 7).Payload, "no end": testMessage(wire.Result, 7, 1).Payload} {
		if n.tested(p, b); p.burst != nil {
			t.Fatalf("%s: a burst", name)
		}
	}
	n.tested(p, testMessage(wire.Stop, 7, uint64(3*len(data))).Payload)
	for i := range 3 {
		if p.burst.over {
			t.Fatalf("over after %d of 3", i)
		}
		n.tested(p, data)
	}
	if b := p.burst; !b.over || b.goodput().bytes != uint64(2*len(data)) {
		t.Fatalf("%+v", b)
	}
	// One that was asked for and is not made.
	own := &burst{number: 8, done: make(chan struct{})}
	p.asked = own
	for range 2 {
		n.tested(p, testMessage(wire.TestOver, 8).Payload)
	}
	select {
	case <-own.done:
	default:
		t.Fatal("not over")
	}
	for _, g := range []goodput{{}, {1, 0}, {0, 1}, {burstBytes + 1, time.Second}, {burstBytes, 1}, {1, -time.Second}} {
		if r := g.rate(); r != 0 {
			t.Fatalf("%+v: %d bytes a second", g, r)
		}
	}
	if r := (goodput{1000, time.Millisecond}).rate(); r != 1_000_000 {
		t.Fatalf("%d bytes a second", r)
	}
	// Who has no bulk lanes gets no burst.
	for range 5 {
		n.serve(p, 9, time.Now())
	}
	if n.tests.serving != 0 {
		t.Fatal("a burst for a peer without bulk lanes")
	}
}
