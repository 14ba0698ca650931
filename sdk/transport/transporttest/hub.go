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
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Hub connects reference transports within one process. Everything happens at once and in order: when Send returns, the
// message lies with its receivers. Nothing is lost but what is sent to a peer whose queue is full.
type Hub struct {
	// Queue is how many bytes may wait for one peer on one lane, 64 counted for each message. 0 is 64 MiB. It is set before
	// the first transport is made.
	Queue int

	authenticates bool

	mu      sync.Mutex
	nodes   []*Memory
	conns   map[[2]*Memory]*joined
	cuts    map[[2]string]bool
	port    int
	unnamed int
}

// NewHub returns a hub without transports, which do not authenticate their peers.
func NewHub() *Hub {
	return &Hub{conns: map[[2]*Memory]*joined{}, cuts: map[[2]string]bool{}, port: 20000}
}

// NewAuthenticatedHub returns a hub without transports, which authenticate their peers by the node keys that [Hub.Node] gives
// them.
func NewAuthenticatedHub() *Hub {
	h := NewHub()
	h.authenticates = true
	return h
}

// New returns the transport of a node of which nobody knows the key. Addresses are host:port with any host; only the text
// counts.
func (h *Hub) New() *Memory {
	h.mu.Lock()
	h.unnamed++
	name := fmt.Sprint("unnamed ", h.unnamed)
	h.mu.Unlock()
	return h.Node(NodeKey(name))
}

// Node returns a transport of the node with that key, as New does otherwise.
func (h *Hub) Node(key types.PublicKey) *Memory {
	return &Memory{hub: h, key: key, peers: map[transport.PeerID]string{}, inbox: [2]*memoryInbox{newMemoryInbox(), newMemoryInbox()}}
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
	return a.listening() && b.listening() && (a.dials(b) || b.dials(a)) && !h.cuts[[2]string{a.address, b.address}]
}

// settle makes and breaks connections until they are as wanted.
func (h *Hub) settle(reason string) {
	for i, a := range h.nodes {
		for _, b := range h.nodes[i+1:] {
			key := [2]*Memory{a, b}
			j, want := h.conns[key], h.wanted(a, b)
			switch {
			case want && j == nil:
				j = connect(a, b)
				h.conns[key] = j
				a.tell(j.names[0], b, true, "connected")
				b.tell(j.names[1], a, true, "connected")
			case !want && j != nil:
				h.part(key, reason)
			case want: // one may have dialled a stranger
				for k, at := range key {
					other := key[1-k]
					if name := at.nameOf(other); name != j.names[k] {
						at.tell(j.names[k], other, false, "it has another name")
						at.tell(name, other, true, "connected")
						j.names[k] = name
					}
				}
			}
		}
	}
}

// part ends a connection.
func (h *Hub) part(key [2]*Memory, reason string) {
	j := h.conns[key]
	delete(h.conns, key)
	j.parted = true
	for k, at := range key {
		at.tell(j.names[k], key[1-k], false, reason)
	}
}

// unplug breaks the connections of a transport, or the one to a peer.
func (h *Hub) unplug(m *Memory, only *transport.PeerID, reason string) {
	for i, a := range h.nodes {
		for _, b := range h.nodes[i+1:] {
			key := [2]*Memory{a, b}
			j := h.conns[key]
			if j == nil || a != m && b != m || only != nil && (a != m || j.names[0] != *only) && (b != m || j.names[1] != *only) {
				continue
			}
			h.part(key, reason)
		}
	}
}

// links calls f with each connection of a transport: who is at the other end, and which end this is.
func (h *Hub) links(m *Memory, f func(other *Memory, j *joined, end int)) {
	for _, n := range h.nodes {
		if j := h.conns[[2]*Memory{m, n}]; j != nil {
			f(n, j, 0)
		}
		if j := h.conns[[2]*Memory{n, m}]; j != nil {
			f(n, j, 1)
		}
	}
}

// find returns the connection of a transport to a peer of that name, with its end there; nil if there is none.
func (h *Hub) find(m *Memory, name transport.PeerID) (found *joined, end int) {
	h.links(m, func(_ *Memory, j *joined, k int) {
		if found == nil && j.names[k] == name {
			found, end = j, k
		}
	})
	return found, end
}

// Memory is the reference transport. See [Hub.New].
type Memory struct {
	hub     *Hub
	key     types.PublicKey
	address string // "" until Listen
	closed  bool
	peers   map[transport.PeerID]string // as dialled
	inbox   [2]*memoryInbox
}

var _ transport.Transport = (*Memory)(nil)

func (m *Memory) listening() bool { return m.address != "" && !m.closed }

// dials tells whether a transport wants to be connected to another.
func (m *Memory) dials(other *Memory) bool {
	if m.hub.authenticates {
		return other.address != "" && m.peers[other.id()] == other.address
	}
	_, ok := m.named(other.address)
	return ok
}

// named returns the name under which an address was dialled.
func (m *Memory) named(address string) (transport.PeerID, bool) {
	for id, a := range m.peers {
		if a == address {
			return id, true
		}
	}
	return transport.PeerID{}, false
}

// id is what a hub that authenticates calls a node.
func (m *Memory) id() transport.PeerID { return transport.PeerID(m.key.Hash()) }

func (m *Memory) nameOf(other *Memory) transport.PeerID {
	if m.hub.authenticates {
		return other.id()
	}
	if id, ok := m.named(other.address); ok {
		return id
	}
	return sha256.Sum256([]byte("stranger " + other.address))
}

// event is one about a peer under its name.
func (m *Memory) event(name transport.PeerID, other *Memory, up bool, reason string) transport.Incoming {
	e := &transport.PeerEvent{Peer: name, Up: up, Reason: reason, Address: other.address}
	if m.hub.authenticates {
		key := other.key
		e.Node = &key
	}
	return transport.Incoming{Peer: e}
}

func (m *Memory) tell(name transport.PeerID, other *Memory, up bool, reason string) {
	m.inbox[transport.Control].push(memoryItem{Incoming: m.event(name, other, up, reason)})
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

// Attach implements transport.Transport. A lane begins with a flow for each peer that is full there.
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
	var first []memoryItem
	m.hub.links(m, func(other *Memory, j *joined, end int) {
		if lane == transport.Control {
			first = append(first, memoryItem{Incoming: m.event(j.names[end], other, true, "connected")})
		}
		if j.ways[end][lane].full {
			first = append(first, memoryItem{Incoming: transport.Incoming{Flow: &transport.Flow{Peer: j.names[end], Full: true}}})
		}
	})
	m.inbox[lane].attach(l, first)
	l.unlink = context.AfterFunc(ctx, func() { m.inbox[lane].detach(l) })
	return l, nil
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
