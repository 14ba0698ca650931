// Package transporttest is the conformance suite of the transport kind: named cases that every transport passes, in
// process and behind a gRPC connection.
//
// A transport's own test calls [Run] with a [Factory]; [Remote] turns one factory into another whose transports are
// reached through gRPC over a unix socket. [Hub] connects reference transports in memory: the simplest that pass, also
// used as a fake by the tests of others. Each case comes with a transport, in this package's tests, that only this case
// fails.
//
// Cases call nodes by names. A transport that authenticates its peers needs a node key for each name: [Key] makes one,
// [Host] is a host that certifies session keys with it, and [NodeID] is what such a node is called.
package transporttest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// T is what a case needs of a *testing.T. A runner outside of go test can implement it: Fatalf must not return.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

// Factory opens transports.
type Factory struct {
	// Open opens the transport of the node of that name. The function that it returns closes it, as its plugin's Close
	// would. A node of the same name is the same node, after it was closed and before: a transport that authenticates gives
	// it the same node key. All transports of one factory can reach each other.
	Open func(name string) (t transport.Transport, closeTransport func() error, err error)
	// Authenticates says that the transport authenticates its peers, as package transport describes it. There are cases for
	// one sort of transport alone.
	Authenticates bool
	// Peer tells what the node of a name is called. nil is [NodeID] for a transport that authenticates, and for another the
	// bytes of the name.
	Peer func(name string) transport.PeerID
	// Listen is the address that cases listen on. Its port is 0. "" is 127.0.0.1:0.
	Listen string
	// Patience is how long a case waits for what must happen; 0 is 20 s. It is no part of any verdict but "never".
	Patience time.Duration
	// Queue is how many bytes both ends together may hold, at most, for a peer whose core does not receive; 0 is 512 MiB.
	Queue int
}

// id is what a node is called.
func (f Factory) id(name string) transport.PeerID {
	switch {
	case f.Peer != nil:
		return f.Peer(name)
	case f.Authenticates:
		return NodeID(name)
	}
	return id(name)
}

func (f Factory) patience() time.Duration {
	if f.Patience == 0 {
		return 20 * time.Second
	}
	return f.Patience
}

// Case is one property of a transport.
type Case struct {
	Name string
	Why  string // what goes wrong in a node whose transport does not have it
	Run  func(t T, f Factory)
}

// Cases returns all cases.
func Cases() []Case {
	var out []Case
	out = append(out, listenCases()...)
	out = append(out, deliveryCases()...)
	out = append(out, peerCases()...)
	out = append(out, identityCases()...)
	out = append(out, linkCases()...)
	out = append(out, flowCases()...)
	out = append(out, probeCases()...)
	out = append(out, statsCases()...)
	return out
}

// Run runs all cases as subtests.
func Run(t *testing.T, f Factory) {
	t.Helper()
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, f) })
	}
}

// node is a transport under test with both lanes attached. Its methods fail the test on errors that the case does not
// expect.
type node struct {
	transport.Transport
	t             T
	f             Factory
	name          string
	address       string
	control, bulk *lane
	close         func() error
}

// bare opens the transport of a node and does nothing with it.
func bare(t T, f Factory, name string) *node {
	t.Helper()
	tr, c, err := f.Open(name)
	if err != nil {
		t.Fatalf("open the transport of node %q: %v", name, err)
	}
	return &node{Transport: tr, t: t, f: f, name: name, close: c}
}

// start opens the transport of a node, which listens.
func start(t T, f Factory, name string) *node {
	t.Helper()
	if f.Listen == "" {
		f.Listen = "127.0.0.1:0"
	}
	return startAt(t, f, name, f.Listen)
}

func startAt(t T, f Factory, name, address string) *node {
	t.Helper()
	n := bare(t, f, name)
	var err error
	if n.address, err = n.Listen(t.Context(), address); err != nil {
		t.Fatalf("listen on %s: %v", address, err)
	}
	if err := transport.CheckAddress(n.address); err != nil {
		t.Fatalf("listen on %s answers %q: %v", address, n.address, err)
	}
	n.control, n.bulk = n.attach(transport.Control), n.attach(transport.Bulk)
	return n
}

// done closes the transport; cases defer it.
func (n *node) done() {
	if n.close == nil {
		return
	}
	c := n.close
	n.close = nil
	for _, l := range []*lane{n.control, n.bulk} {
		if l != nil {
			l.end()
		}
	}
	if err := c(); err != nil {
		n.t.Errorf("close: %v", err)
	}
}

// restart closes the transport and opens that of the same node again, on the same address.
func (n *node) restart() *node {
	n.t.Helper()
	n.done()
	return startAt(n.t, n.f, n.name, n.address)
}

// moved does the same on another address.
func (n *node) moved() *node {
	n.t.Helper()
	n.done()
	for range 10 {
		m := start(n.t, n.f, n.name)
		if m.address != n.address {
			return m
		}
		m.done() // the port that was just given back
	}
	n.t.Fatalf("a node that listens on port 0 is given port %s ten times", n.address)
	panic("unreachable")
}

// lane is an attached link and what was received on it.
type lane struct {
	transport.Link
	t        T
	patience time.Duration
	in       chan received
	stop     chan struct{}
	stopped  chan struct{}
	ended    bool
}

type received struct {
	transport.Incoming
	err error
}

// kinds is how many things it is: one.
func (r received) kinds() int {
	n := 0
	for _, is := range []bool{r.Message != nil, r.Peer != nil, r.Flow != nil} {
		if is {
			n++
		}
	}
	return n
}

func (n *node) attach(which transport.Lane) *lane {
	n.t.Helper()
	k, err := n.Attach(n.t.Context(), which)
	if err != nil {
		n.t.Fatalf("attach to the %s lane: %v", which, err)
	}
	return watch(n.t, n.f, k)
}

// watch receives on a link until it ends.
func watch(t T, f Factory, k transport.Link) *lane {
	l := &lane{Link: k, t: t, patience: f.patience(), in: make(chan received), stop: make(chan struct{}), stopped: make(chan struct{})}
	go func() {
		defer close(l.stopped)
		for {
			in, err := k.Recv()
			select {
			case l.in <- received{in, err}:
			case <-l.stop:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return l
}

// end closes the link and waits for what watch started.
func (l *lane) end() {
	if l.ended {
		return
	}
	l.ended = true
	close(l.stop)
	if err := l.Close(); err != nil {
		l.t.Errorf("close a link: %v", err)
	}
	timer := time.NewTimer(l.patience)
	defer timer.Stop()
	select {
	case <-l.stopped:
	case <-timer.C:
		l.t.Errorf("Recv does not return %s after Close", l.patience)
	}
}

// next returns what comes next.
func (l *lane) next(what string) received {
	l.t.Helper()
	timer := time.NewTimer(l.patience)
	defer timer.Stop()
	select {
	case r := <-l.in:
		if n := r.kinds(); r.err == nil && n != 1 {
			l.t.Fatalf("waiting for %s: what comes is %d of a message, an event and a flow", what, n)
		}
		return r
	case <-timer.C:
		l.t.Fatalf("waiting for %s: nothing came for %s", what, l.patience)
	}
	panic("unreachable")
}

// message returns the next message; events and flows before it are passed over.
func (l *lane) message(what string) *transport.Message {
	l.t.Helper()
	for {
		r := l.next(what)
		if r.err != nil {
			l.t.Fatalf("waiting for %s: %v", what, r.err)
		}
		if r.Message != nil {
			return r.Message
		}
	}
}

// event waits for a peer to be up or down. Messages, flows and other events before it are passed over.
func (l *lane) event(peer transport.PeerID, up bool) *transport.PeerEvent {
	l.t.Helper()
	what := fmt.Sprintf("the event that peer %x is down", peer[:2])
	if up {
		what = fmt.Sprintf("the event that peer %x is up", peer[:2])
	}
	for {
		r := l.next(what)
		if r.err != nil {
			l.t.Fatalf("waiting for %s: %v", what, r.err)
		}
		if r.Peer != nil && r.Peer.Peer == peer && r.Peer.Up == up {
			return r.Peer
		}
	}
}

// anyUp waits until somebody is up.
func (l *lane) anyUp() *transport.PeerEvent {
	l.t.Helper()
	for {
		r := l.next("the event that a peer is up")
		if r.err != nil {
			l.t.Fatalf("waiting for a peer to be up: %v", r.err)
		}
		if r.Peer != nil && r.Peer.Up {
			return r.Peer
		}
	}
}

// flow waits until a peer's queue is full or has room.
func (l *lane) flow(peer transport.PeerID, full bool) {
	l.t.Helper()
	what := fmt.Sprintf("the flow that there is room for peer %x again", peer[:2])
	if full {
		what = fmt.Sprintf("the flow that the queue of peer %x is full", peer[:2])
	}
	for {
		r := l.next(what)
		if r.err != nil {
			l.t.Fatalf("waiting for %s: %v", what, r.err)
		}
		if r.Flow != nil && *r.Flow == (transport.Flow{Peer: peer, Full: full}) {
			return
		}
	}
}

// failure waits until receiving ends with an error.
func (l *lane) failure(what string) error {
	l.t.Helper()
	for {
		if r := l.next(what); r.err != nil {
			return r.err
		}
	}
}

func (l *lane) send(channel string, payload []byte, peers ...transport.PeerID) {
	l.t.Helper()
	if err := l.Send(transport.Outgoing{Peers: peers, Channel: channel, Payload: payload}); err != nil {
		l.t.Fatalf("send %d bytes on channel %q: %v", len(payload), channel, err)
	}
}

func (l *lane) dial(peer transport.PeerID, address string) {
	l.t.Helper()
	if err := l.Dial(peer, address); err != nil {
		l.t.Fatalf("dial %s: %v", address, err)
	}
}

// id names a peer of a transport that does not authenticate.
func id(name string) transport.PeerID {
	var p transport.PeerID
	copy(p[:], name)
	return p
}

// pair starts two transports that dial each other, as "a" and "b", and waits until both are connected.
func pair(t T, f Factory) (a, b *node) {
	t.Helper()
	a, b = start(t, f, "a"), start(t, f, "b")
	join(a, b)
	return a, b
}

// join makes two nodes dial each other and waits until both are connected.
func join(a, b *node) {
	a.t.Helper()
	f := a.f
	a.control.dial(f.id(b.name), b.address)
	b.control.dial(f.id(a.name), a.address)
	a.control.event(f.id(b.name), true)
	b.control.event(f.id(a.name), true)
}

// want checks a message.
func want(t T, m *transport.Message, from transport.PeerID, channel string, payload []byte) {
	t.Helper()
	switch {
	case m.Peer != from:
		t.Fatalf("message is from %x, want %x", m.Peer, from)
	case m.Channel != channel:
		t.Fatalf("message is on channel %q, want %q", m.Channel, channel)
	case !bytes.Equal(m.Payload, payload):
		t.Fatalf("message has %d bytes, want %d, or others", len(m.Payload), len(payload))
	}
}

// pattern returns n bytes that depend on i; no two blocks of it are the same.
func pattern(i, n int) []byte {
	out := make([]byte, n)
	x := uint32(i)*2654435761 + 1
	for j := range out[:min(n, 4096)] {
		x = x*1664525 + 1013904223
		out[j] = byte(x >> 24)
	}
	for j := 4096; j < n; j += 4096 {
		copy(out[j:], out[:4096])
		binary.LittleEndian.PutUint16(out[j:min(j+8, n)], uint16(j>>12))
	}
	return out
}
