package conn

import (
	"testing"
	"time"
)

// TestSmallMessagesAreGathered sends small messages faster than datagrams are worth it: while something is under way they
// wait a moment for each other, and nobody is asked to send what a lane has set a time for.
func TestSmallMessagesAreGathered(t *testing.T) {
	cfg := Defaults()
	g := NewGroup(cfg, 1, 1200, 0)
	now := time.Second
	send := func() { g.Send(Message{Channel: "c", Payload: make([]byte, 200)}) }
	pull := func(at Time) (verdict, Time) {
		f := &flight{}
		v, when, _ := g.pull(at, f, frameRoom(1200))
		return v, when
	}
	send()
	if v, _ := pull(now); v != sending {
		t.Fatalf("the first message, with nothing under way: %d", v)
	}
	send()
	if !g.Open(now) {
		t.Fatal("nobody has set a time")
	}
	v, at := pull(now + 1)
	if v != early || at != now+quantum {
		t.Fatalf("a small message right after it: %d at %s", v, at)
	}
	if g.Open(now + 2) {
		t.Fatal("a lane has set a time, and there is no need to ask another")
	}
	for range 6 {
		send()
	}
	if !g.Open(now + 3) {
		t.Fatal("a datagram can be filled, and nobody is asked to send it")
	}
	if v, _ := pull(now + 4); v != sending {
		t.Fatalf("a datagram that is full: %d", v)
	}
	send()
	if v, _ := pull(now + 5); v != early {
		t.Fatalf("what is left: %d", v)
	}
	if !g.Open(now + 4 + quantum) {
		t.Fatal("the time that was set has come")
	}
	if v, _ := pull(now + 4 + quantum); v != sending {
		t.Fatalf("what is left, after a moment: %d", v)
	}
	control := newGroup(cfg, true, 1200, 0)
	for i := range Time(3) {
		control.Send(Message{Channel: "c", Payload: make([]byte, 200)})
		if v, _, _ := control.pull(now+i, &flight{}, frameRoom(1200)); v != sending {
			t.Fatalf("control message %d waits: %d", i, v)
		}
	}
}
