package transporttest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// Hub connects reference transports within one process. Everything happens at once and in order: when Send returns, the
// message lies with its receivers. Nothing is dropped and queues have no bound, which is what makes it a fake.
type Hub struct {
	mu    sync.Mutex
	nodes []*Memory
	conns map[[2]*Memory]*joined
	cuts  map[[2]string]bool
	port  int
}

// joined is a connection: what each end calls the other.
type joined struct{ names [2]transport.PeerID }

// NewHub returns a hub without transports.
func NewHub() *Hub {
	return &Hub{conns: map[[2]*Memory]*joined{}, cuts: map[[2]string]bool{}, port: 20000}
}

// New returns a transport on the hub. Addresses are host:port with any host; only the text counts.
func (h *Hub) New() *Memory {
	return &Memory{hub: h, peers: map[transport.PeerID]string{}, inbox: [2]*memoryInbox{newMemoryInbox(), newMemoryInbox()}}
}

// Cut breaks the connection of two addresses until Heal.
func (h *Hub) Cut(a, b string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cuts[[2]string{a, b}], h.cuts[[2]string{b, a}] = true, true
	h.settle("cut")
}

// Heal undoes Cut.
func (h *Hub) Heal(a, b string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.cuts, [2]string{a, b})
	delete(h.cuts, [2]string{b, a})
	h.settle("healed")
}

// wanted tells whether two transports are to be connected. The lock is held, here and below.
func (h *Hub) wanted(a, b *Memory) bool {
	_, ab := a.named(b.address)
	_, ba := b.named(a.address)
	return a.listening() && b.listening() && (ab || ba) && !h.cuts[[2]string{a.address, b.address}]
}

// settle makes and breaks connections until they are as wanted.
func (h *Hub) settle(reason string) {
	for i, a := range h.nodes {
		for _, b := range h.nodes[i+1:] {
			key := [2]*Memory{a, b}
			j, want := h.conns[key], h.wanted(a, b)
			switch {
			case want && j == nil:
				j = &joined{[2]transport.PeerID{a.nameOf(b), b.nameOf(a)}}
				h.conns[key] = j
				a.tell(j.names[0], true, "connected", b.address)
				b.tell(j.names[1], true, "connected", a.address)
			case !want && j != nil:
				delete(h.conns, key)
				a.tell(j.names[0], false, reason, b.address)
				b.tell(j.names[1], false, reason, a.address)
			case want: // one may have dialled a stranger
				for k, at := range key {
					other := key[1-k]
					if name := at.nameOf(other); name != j.names[k] {
						at.tell(j.names[k], false, "it has another name", other.address)
						at.tell(name, true, "connected", other.address)
						j.names[k] = name
					}
				}
			}
		}
	}
}

// unplug breaks the connections of a transport, or the one to a peer.
func (h *Hub) unplug(m *Memory, only *transport.PeerID, reason string) {
	for i, a := range h.nodes {
		for _, b := range h.nodes[i+1:] {
			j := h.conns[[2]*Memory{a, b}]
			if j == nil || a != m && b != m || only != nil && (a != m || j.names[0] != *only) && (b != m || j.names[1] != *only) {
				continue
			}
			delete(h.conns, [2]*Memory{a, b})
			a.tell(j.names[0], false, reason, b.address)
			b.tell(j.names[1], false, reason, a.address)
		}
	}
}

// find returns who a transport calls by that name, and what it is called by that one.
func (h *Hub) find(m *Memory, name transport.PeerID) (*Memory, transport.PeerID) {
	for _, n := range h.nodes {
		if j := h.conns[[2]*Memory{m, n}]; j != nil && j.names[0] == name {
			return n, j.names[1]
		}
		if j := h.conns[[2]*Memory{n, m}]; j != nil && j.names[1] == name {
			return n, j.names[0]
		}
	}
	return nil, transport.PeerID{}
}

// Memory is the reference transport. See [Hub.New].
type Memory struct {
	hub     *Hub
	address string // "" until Listen
	closed  bool
	peers   map[transport.PeerID]string // as dialled
	inbox   [2]*memoryInbox
}

var _ transport.Transport = (*Memory)(nil)

func (m *Memory) listening() bool { return m.address != "" && !m.closed }

// named returns the name under which an address was dialled.
func (m *Memory) named(address string) (transport.PeerID, bool) {
	for id, a := range m.peers {
		if a == address {
			return id, true
		}
	}
	return transport.PeerID{}, false
}

func (m *Memory) nameOf(other *Memory) transport.PeerID {
	if id, ok := m.named(other.address); ok {
		return id
	}
	return sha256.Sum256([]byte("stranger " + other.address))
}

func (m *Memory) tell(peer transport.PeerID, up bool, reason, address string) {
	m.inbox[transport.Control].push(transport.Incoming{Peer: &transport.PeerEvent{Peer: peer, Up: up, Reason: reason, Address: address}})
}

// Listen implements transport.Transport. Port 0 becomes one that the hub has not given out.
func (m *Memory) Listen(ctx context.Context, address string) (string, error) {
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := transport.CheckListen(address); err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	switch {
	case m.closed:
		return "", fmt.Errorf("listen on %s: %w", address, transport.ErrClosed)
	case m.address == address:
		return address, nil
	case m.address != "":
		return "", fmt.Errorf("listen on %s: the instance listens on %s already: %w", address, m.address, transport.ErrInvalid)
	}
	if host, port, _ := net.SplitHostPort(address); port == "0" { // CheckListen has split it
		m.hub.port++
		address = net.JoinHostPort(host, strconv.Itoa(m.hub.port))
	}
	for _, n := range m.hub.nodes {
		if n.address == address {
			return "", fmt.Errorf("listen on %s: it is in use: %w", address, transport.ErrAddress)
		}
	}
	m.address = address
	m.hub.nodes = append(m.hub.nodes, m)
	m.hub.settle("listening")
	return address, nil
}

// Attach implements transport.Transport.
func (m *Memory) Attach(ctx context.Context, lane transport.Lane) (transport.Link, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := transport.CheckLane(lane); err != nil {
		return nil, fmt.Errorf("attach: %w", err)
	}
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	if m.closed {
		return nil, fmt.Errorf("attach to the %s lane: %w", lane, transport.ErrClosed)
	}
	l := &memoryLink{m: m, lane: lane}
	var events []transport.Incoming
	if lane == transport.Control {
		for _, n := range m.hub.nodes {
			for key, j := range map[[2]*Memory]*joined{{m, n}: m.hub.conns[[2]*Memory{m, n}], {n, m}: m.hub.conns[[2]*Memory{n, m}]} {
				if j == nil {
					continue
				}
				name := j.names[slices.Index(key[:], m)]
				events = append(events, transport.Incoming{Peer: &transport.PeerEvent{Peer: name, Up: true, Reason: "connected", Address: n.address}})
			}
		}
	}
	m.inbox[lane].attach(l, events)
	l.unlink = context.AfterFunc(ctx, func() { m.inbox[lane].detach(l) })
	return l, nil
}

// Probe implements transport.Transport: each datagram takes a microsecond.
func (m *Memory) Probe(ctx context.Context, peer transport.PeerID, datagrams int) (transport.LinkReport, error) {
	if err := ctx.Err(); err != nil {
		return transport.LinkReport{}, err
	}
	if err := transport.CheckProbe(datagrams); err != nil {
		return transport.LinkReport{}, err
	}
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	if m.closed {
		return transport.LinkReport{}, fmt.Errorf("probe: %w", transport.ErrClosed)
	}
	if n, _ := m.hub.find(m, peer); n == nil {
		if _, ok := m.peers[peer]; ok {
			return transport.LinkReport{}, fmt.Errorf("probe %x: %w", peer[:4], transport.ErrNotConnected)
		}
		return transport.LinkReport{}, fmt.Errorf("probe %x: %w", peer[:4], transport.ErrUnknownPeer)
	}
	return transport.LinkReport{Min: 1000, P50: 1000, P99: 1000, Sent: datagrams}, nil
}

// Close ends the transport, as the end of its process would.
func (m *Memory) Close() error {
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	if m.closed {
		return nil
	}
	m.hub.unplug(m, nil, "the peer is gone")
	m.closed = true
	m.hub.nodes = slices.DeleteFunc(m.hub.nodes, func(n *Memory) bool { return n == m })
	for _, b := range m.inbox {
		b.attach(nil, nil)
	}
	return nil
}
