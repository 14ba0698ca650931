package transportudp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
)

// waitReason waits for an event that a peer is down for a reason.
func waitReason(tb testing.TB, k transport.Link, peer transport.PeerID, reason string) {
	tb.Helper()
	for {
		in, err := k.Recv()
		if err != nil {
			tb.Fatal(err)
		}
		if e := in.Peer; e != nil && e.Peer == peer {
			if e.Up {
				tb.Fatalf("the peer is up, want it refused: %s", reason)
			}
			if strings.Contains(e.Reason, reason) {
				return
			}
		}
	}
}

func TestAllowList(t *testing.T) {
	friend, other := startNamed(t, "friend", fast, "127.0.0.1:0"), startNamed(t, "other", fast, "127.0.0.1:0")
	defer friend.stop()
	defer other.stop()
	id, key := transporttest.NodeID("friend"), transporttest.NodeKey("friend2")
	config := strings.TrimSuffix(fast, "}") + fmt.Sprintf(`, "allow": ["%x", %q]}`, id[:], key)
	closed := startNamed(t, "closed", config, "127.0.0.1:0")
	defer closed.stop()
	if err := other.control.Dial(closed.id(), closed.address); err != nil {
		t.Fatal(err)
	}
	waitReason(t, other.control, closed.id(), "not in the allow list")
	if err := friend.control.Dial(closed.id(), closed.address); err != nil {
		t.Fatal(err)
	}
	waitEvent(t, friend.control, closed.id(), true)
	send(t, friend.control, []byte("hello"), closed.id())
	if m := recv(t, closed.control); m.Peer != friend.id() { // the first message of all
		t.Fatalf("a message from %x", m.Peer[:4])
	}
	// The list holds for whom it dials itself as well.
	if err := closed.control.Dial(other.id(), other.address); err != nil {
		t.Fatal(err)
	}
	waitReason(t, closed.control, other.id(), "not in the allow list")
	// The second friend is named by its key.
	second := startNamed(t, "friend2", fast, "127.0.0.1:0")
	defer second.stop()
	if err := second.control.Dial(closed.id(), closed.address); err != nil {
		t.Fatal(err)
	}
	waitEvent(t, second.control, closed.id(), true)
}

func TestAllowListIsChecked(t *testing.T) {
	for _, list := range []string{`["x"]`, `["abcd"]`, `[""]`, `["altopub1qqqq"]`} {
		if _, err := openNode("a", `{"allow": `+list+`}`); !errors.Is(err, plugin.ErrBadConfig) {
			t.Errorf("allow = %s: %v", list, err)
		}
	}
	if _, err := openNode("a", `{"mode": "plain", "allow": ["`+strings.Repeat("ab", 32)+`"]}`); !errors.Is(err, plugin.ErrBadConfig) {
		t.Errorf("allow in plain mode: %v", err)
	}
}

// TestOwnKey: a node that is dialled under another name and turns out to be this one, or to have its key, is refused.
func TestOwnKey(t *testing.T) {
	a, twin := startNamed(t, "a", fast, "127.0.0.1:0"), startNamed(t, "a", fast, "127.0.0.1:0")
	defer a.stop()
	defer twin.stop()
	if err := a.control.Dial(transporttest.NodeID("b"), twin.address); err != nil {
		t.Fatal(err)
	}
	waitReason(t, a.control, transporttest.NodeID("b"), "own key")
	if err := a.control.Dial(a.id(), twin.address); !errors.Is(err, transport.ErrInvalid) {
		t.Fatalf("dialling its own name: %v", err)
	}
}

// TestWhoIsThere: a dialled address where another node answers is refused, with its name.
func TestWhoIsThere(t *testing.T) {
	a, b := startLive(t, fast, "127.0.0.1:0"), startLive(t, fast, "127.0.0.1:0")
	defer a.stop()
	defer b.stop()
	want := transporttest.NodeID("somebody")
	if err := a.control.Dial(want, b.address); err != nil {
		t.Fatal(err)
	}
	there := b.id()
	waitReason(t, a.control, want, fmt.Sprintf("is node %x", there[:4]))
}

// TestStrangersAreLimited: beyond the limit a node that nobody dialled is told why it is refused; one that was dialled is
// not counted.
func TestStrangersAreLimited(t *testing.T) {
	config := strings.TrimSuffix(fast, "}") + `, "strangers": 1}`
	a := startNamed(t, "a", config, "127.0.0.1:0")
	defer a.stop()
	var nodes [3]*live
	for i := range nodes {
		nodes[i] = startNamed(t, fmt.Sprint("s", i), fast, "127.0.0.1:0")
		defer nodes[i].stop()
	}
	dial := func(l *live) {
		if err := l.control.Dial(a.id(), a.address); err != nil {
			t.Fatal(err)
		}
	}
	dial(nodes[0])
	waitEvent(t, nodes[0].control, a.id(), true)
	dial(nodes[1])
	waitReason(t, nodes[1].control, a.id(), "which is the most")
	if err := a.control.Dial(nodes[2].id(), nodes[2].address); err != nil {
		t.Fatal(err)
	}
	dial(nodes[2])
	waitEvent(t, nodes[2].control, a.id(), true)
}

// TestPlainPeer: a peer of the plain mode is told ConfigError, and one that answers in it is reported as such.
func TestPlainPeer(t *testing.T) {
	a := startLive(t, fast, "127.0.0.1:0")
	defer a.stop()
	old, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Close() }()
	_ = old.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := old.WriteTo([]byte{1, byte(wire.Connect), 0, 0, 0x67, 0xe8}, net.UDPAddrFromAddrPort(a.self)); err != nil {
		t.Fatal(err)
	}
	var buf [2000]byte
	n, _, err := old.ReadFrom(buf[:])
	if err != nil || string(buf[:n]) != string([]byte{1, byte(wire.Error), 0, 0, byte(wire.ConfigError)}) {
		t.Fatalf("a plain CONNECT is answered with %x, %v", buf[:n], err)
	}
	id := transporttest.NodeID("old")
	if err := a.control.Dial(id, old.LocalAddr().String()); err != nil {
		t.Fatal(err)
	}
	_, from, err := old.ReadFrom(buf[:])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.WriteTo([]byte{0, byte(wire.ConnOK), 1, 0}, from); err != nil {
		t.Fatal(err)
	}
	waitReason(t, a.control, id, "plain mode")
}

// relay passes datagrams between whoever sends to it and a target, so that the target sees another address.
func relay(t *testing.T, target string) (address string, stop func()) {
	t.Helper()
	front, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	to, err := net.ResolveUDPAddr("udp", target)
	if err != nil {
		t.Fatal(err)
	}
	back, err := net.DialUDP("udp", nil, to)
	if err != nil {
		t.Fatal(err)
	}
	callers := make(chan net.Addr, 1)
	done := make(chan struct{}, 2)
	go func() {
		defer func() { done <- struct{}{} }()
		buf := make([]byte, 65536)
		for {
			n, from, err := front.ReadFrom(buf)
			if err != nil {
				return
			}
			select {
			case callers <- from:
			default:
			}
			_, _ = back.Write(buf[:n])
		}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		buf := make([]byte, 65536)
		var caller net.Addr
		for {
			n, err := back.Read(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			select {
			case caller = <-callers:
			default:
			}
			if caller != nil {
				_, _ = front.WriteTo(buf[:n], caller)
			}
		}
	}()
	return front.LocalAddr().String(), func() {
		_ = front.Close()
		_ = back.Close()
		<-done
		<-done
	}
}

// TestBothDialElsewhere: two nodes have dialled each other, each at an address that the other does not call from. They
// agree on one link and keep it.
func TestBothDialElsewhere(t *testing.T) {
	a, b := startLive(t, fast, "127.0.0.1:0"), startLive(t, fast, "127.0.0.1:0")
	defer a.stop()
	defer b.stop()
	toA, stopA := relay(t, a.address)
	defer stopA()
	toB, stopB := relay(t, b.address)
	defer stopB()
	if err := a.control.Dial(b.id(), toB); err != nil {
		t.Fatal(err)
	}
	if err := b.control.Dial(a.id(), toA); err != nil {
		t.Fatal(err)
	}
	waitEvent(t, a.control, b.id(), true)
	waitEvent(t, b.control, a.id(), true)
	// The links settle; from then on nothing changes any more.
	state := func(l *live, peer transport.PeerID) (uint64, bool) {
		l.node.mu.Lock()
		defer l.node.mu.Unlock()
		p := l.peers[peer]
		return p.session, p.up
	}
	same := 0
	var session uint64
	for deadline := time.Now().Add(20 * time.Second); same < 40; {
		if time.Now().After(deadline) {
			t.Fatal("no common link that lasts")
		}
		x, upA := state(a, b.id())
		y, upB := state(b, a.id())
		if !upA || !upB || x != y || x != session {
			same, session = 0, x
		}
		same++
		time.Sleep(25 * time.Millisecond) // a pace, no verdict
	}
	send(t, a.control, []byte("hello"), b.id())
	if m := recv(t, b.control); m.Peer != a.id() || string(m.Payload) != "hello" {
		t.Fatalf("got %q", m.Payload)
	}
}
