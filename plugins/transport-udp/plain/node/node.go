package node

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain/endpoint"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// Config are the settings of a node. All must be set but Log.
type Config struct {
	Conn             plain.Config // of each connection; the port, KeepCalling, Measure and DeferOver are the node's own
	Datagram         int          // largest datagram that is sent, in bytes
	DatagramLoopback int          // the same to peers on this machine, as far as the socket's buffer allows
	ControlQueue     int          // bytes that may wait for a peer
	BulkQueue        int
	ReceiveQueue     int // bytes received from a peer that the core has not taken
	Strangers        int // connections from addresses that were not dialled
	// Log is called with no lock held; nil: nobody wants to know.
	Log func(level, message string, fields map[string]string)
}

// assemblies is how many bytes of messages that are not whole there may be, over all peers.
const assemblies = 512 << 20

// Node is an instance. Locks, each taken while none of the later is held: the endpoint's, mu, an inbox's.
type Node struct {
	cfg    Config
	ctx    context.Context // ends with the instance
	cancel context.CancelFunc
	wait   sync.WaitGroup // look-ups of names
	inbox  [2]*inbox
	start  time.Time

	mu         sync.Mutex
	closed     bool
	ep         *endpoint.Endpoint // nil before Listen
	self       netip.AddrPort
	piece      int // bytes of a DATA to peers on this machine
	peers      map[transport.PeerID]*peer
	byAddr     map[netip.AddrPort]*peer
	assembling int
	logs       []func()
	dropped    int // since
	droppedAt  time.Time
}

// peer is someone who was dialled, or a stranger who is connected.
type peer struct {
	id      transport.PeerID
	dialled bool
	address string         // as dialled
	addr    netip.AddrPort // not valid while the name is looked up
	up      bool
	since   time.Duration
	queue   [2]queue
	sending [2]*outgoing
	files   [2]*file // that are arriving
	nested  bool     // the one of control stands within the one of bulk
	held    *holding
	probes  []*probe
	counts  counts
}

// New returns an instance that does nothing yet.
func New(cfg Config) *Node {
	cfg.Conn.KeepCalling, cfg.Conn.Measure, cfg.Conn.DeferOver = true, true, false
	n := &Node{cfg: cfg, peers: map[transport.PeerID]*peer{}, byAddr: map[netip.AddrPort]*peer{}, start: time.Now()}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	for i := range n.inbox {
		n.inbox[i] = newInbox(n.release)
	}
	return n
}

// do changes the node's state. Before Listen there is no hub.
func (n *Node) do(f func(now plain.Time, h *plain.Hub)) {
	n.mu.Lock()
	ep := n.ep
	if ep == nil {
		defer n.mu.Unlock()
		f(0, nil)
		return
	}
	n.mu.Unlock()
	ep.Do(func(now plain.Time, h *plain.Hub) {
		n.mu.Lock()
		defer n.mu.Unlock()
		f(now, h)
	})
}

// Listen opens the socket.
func (n *Node) Listen(ctx context.Context, address string) (string, error) {
	if err := transport.CheckListen(address); err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	at, err := n.listen(ctx, address)
	if err != nil {
		return "", err
	}
	n.do(func(now plain.Time, h *plain.Hub) { // dialled before there was a socket
		for _, p := range n.sorted() {
			n.connect(now, h, p)
		}
	})
	return at, nil
}

func (n *Node) listen(ctx context.Context, address string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return "", fmt.Errorf("listen on %s: %w", address, transport.ErrClosed)
	}
	if n.ep != nil {
		if at := n.ep.Text(); at == address {
			return at, nil
		}
		return "", fmt.Errorf("listen on %s: the instance listens on %s already: %w", address, n.ep.Text(), transport.ErrInvalid)
	}
	ep, err := endpoint.Listen(ctx, address, endpoint.Options{
		Hub:     plain.HubConfig{Conn: n.cfg.Conn, Strangers: n.cfg.Strangers},
		Largest: max(n.cfg.Datagram, n.cfg.DatagramLoopback),
		Handle:  n.handle, Pump: n.pump, After: n.after,
	})
	if err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("listen on %s: %w", address, ctx.Err())
		}
		return "", fmt.Errorf("listen on %s: %w: %v", address, transport.ErrAddress, err)
	}
	// A window must fit the peer's buffer, which on this machine is like our own.
	fits := ep.Buffer() / (2 * n.cfg.Conn.Window)
	n.ep, n.self, n.piece = ep, ep.Address(), min(max(fits, n.cfg.Datagram), n.cfg.DatagramLoopback)-wire.HeaderSize
	return ep.Text(), nil
}

// Attach opens a lane towards the core. On the control lane the first events tell who is connected.
func (n *Node) Attach(ctx context.Context, l transport.Lane) (transport.Link, error) {
	if err := transport.CheckLane(l); err != nil {
		return nil, fmt.Errorf("attach: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, fmt.Errorf("attach to the %s lane: %w", l, transport.ErrClosed)
	}
	var first []transport.Incoming
	for _, p := range n.sorted() {
		if l == transport.Control && p.up {
			first = append(first, transport.Incoming{Peer: p.event(true, "connected")})
		}
		if p.up && p.queue[l].full {
			first = append(first, transport.Incoming{Flow: &transport.Flow{Peer: p.id, Full: true}})
		}
	}
	k := &link{node: n, lane: l}
	n.inbox[l].attach(k, first)
	k.unlink = context.AfterFunc(ctx, func() { n.inbox[l].detach(k) })
	return k, nil
}

// sorted returns all peers by name.
func (n *Node) sorted() []*peer {
	list := make([]*peer, 0, len(n.peers))
	for _, p := range n.peers {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *peer) int { return slices.Compare(a.id[:], b.id[:]) })
	return list
}

// log logs as soon as no lock is held.
func (n *Node) log(level, message string, fields map[string]string) {
	if n.cfg.Log != nil {
		n.logs = append(n.logs, func() { n.cfg.Log(level, message, fields) })
	}
}

// after carries out what has to wait for the locks.
func (n *Node) after() {
	n.mu.Lock()
	logs := n.logs
	n.logs = nil
	n.mu.Unlock()
	for _, f := range logs {
		f()
	}
}

// Close ends all connections and frees the socket.
func (n *Node) Close() error { return n.end((*endpoint.Endpoint).Close) }

// Kill does so without a word to anybody, as a process that is killed does.
func (n *Node) Kill() { _ = n.end(func(e *endpoint.Endpoint) error { e.Kill(); return nil }) }

func (n *Node) end(f func(*endpoint.Endpoint) error) error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	ep := n.ep
	n.mu.Unlock()
	n.cancel()
	var err error
	if ep != nil {
		err = f(ep)
	}
	for _, b := range n.inbox {
		b.close()
	}
	n.wait.Wait()
	return err
}
