package transporttest

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// smallQueue makes queues full soon.
const smallQueue = 1 << 20

func memoryFactory() Factory        { return hubFactory(NewHub()) }
func authenticatedFactory() Factory { return hubFactory(NewAuthenticatedHub()) }

func hubFactory(h *Hub) Factory {
	h.Queue = smallQueue
	return Factory{Authenticates: h.authenticates, Queue: 2 * smallQueue, Open: func(name string) (transport.Transport, func() error, error) {
		m := h.Node(NodeKey(name))
		return m, m.Close, nil
	}}
}

func TestMemory(t *testing.T)              { Run(t, memoryFactory()) }
func TestMemoryRemote(t *testing.T)        { Run(t, remote(memoryFactory())) }
func TestAuthenticated(t *testing.T)       { Run(t, authenticatedFactory()) }
func TestAuthenticatedRemote(t *testing.T) { Run(t, remote(authenticatedFactory())) }

// remote allows for what a connection holds.
func remote(f Factory) Factory {
	f.Queue = 0
	return Remote(f)
}

// TestFactoryNames: who says nothing gets the names of the sort of transport.
func TestFactoryNames(t *testing.T) {
	mine := func(string) transport.PeerID { return transport.PeerID{1} }
	for name, c := range map[string]struct {
		f    Factory
		want transport.PeerID
	}{
		"plain": {Factory{}, transport.PeerID{'n'}}, "authenticated": {Factory{Authenticates: true}, NodeID("n")},
		"told": {Factory{Authenticates: true, Peer: mine}, transport.PeerID{1}},
	} {
		if got := c.f.id("n"); got != c.want {
			t.Errorf("%s: %x, want %x", name, got, c.want)
		}
	}
}

// TestHost: what it certifies is the node's of that name, and it does nothing else.
func TestHost(t *testing.T) {
	h := Host("n")
	session := []byte("a session key")
	cert, err := h.BindTransport(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	key, err := transport.VerifyBinding(session, cert)
	if err != nil || transport.PeerID(key.Hash()) != NodeID("n") || NodeID("n") == NodeID("m") {
		t.Errorf("the certificate is of %s, %v", key, err)
	}
	for _, n := range []int{0, transport.MaxSessionKey + 1} {
		if _, err := h.BindTransport(t.Context(), make([]byte, n)); !errors.Is(err, transport.ErrInvalid) {
			t.Errorf("a session key of %d bytes: %v", n, err)
		}
	}
	_, sign := h.Sign(t.Context(), "p", 1, nil)
	_, prove := h.ProveVRF(t.Context(), nil)
	_, derive := h.Derive(t.Context(), "l")
	for _, err := range []error{sign, prove, derive} {
		if !errors.Is(err, plugin.ErrHostUnavailable) {
			t.Errorf("%v, want ErrHostUnavailable", err)
		}
	}
}

// TestAttachTellsWhoIsFull: a core that comes later knows to whom it must not send, on each lane by itself.
func TestAttachTellsWhoIsFull(t *testing.T) {
	a, b := pair(t, memoryFactory())
	defer a.done()
	defer b.done()
	b.bulk.end()
	a.bulk.send("c", make([]byte, smallQueue), id("b"))
	a.bulk.flow(id("b"), true)
	a.bulk.end()
	a.bulk = a.attach(transport.Bulk)
	a.bulk.flow(id("b"), true)
	a.control.end()
	a.control = a.attach(transport.Control)
	a.control.event(id("b"), true)
	a.control.send("c", []byte("on"), id("b"))
	want(t, b.control.message("a message"), id("a"), "c", []byte("on"))
	b.bulk = b.attach(transport.Bulk)
	if len(b.bulk.message("a large message").Payload) != smallQueue {
		t.Error("what has filled the queue is lost")
	}
	a.bulk.flow(id("b"), false)
}
