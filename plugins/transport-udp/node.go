package transportudp

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// node is an instance.
//
// Locks, each taken while none of the later is held: a loop's, mu, an inbox's. What has to change a lane because of
// something that was seen under one of them is appended to the tasks, which run in order with no lock held.
type node struct {
	set    settings
	host   plugin.Host
	ctx    context.Context // ends with the instance
	cancel context.CancelFunc
	wait   sync.WaitGroup // look-ups of names
	inbox  [2]*inbox
	tasks  tasks
	probes probes
	drops  dropLog

	mu     sync.Mutex
	closed bool
	loops  [2]*loop // nil before Listen
	self   netip.AddrPort
	peers  map[transport.PeerID]*peer
	byAddr [2]map[netip.AddrPort]*peer // by the address of each lane
}

// peer is someone who was dialled, or a stranger who is connected.
type peer struct {
	id      transport.PeerID
	dialled bool
	address string            // as dialled
	addr    [2]netip.AddrPort // of each lane; not valid while the name is looked up, or the lane unknown
	up      bool
	session uint64 // tag of the control lane's session, which its bulk lane refers to
	taken   [2]int // see item
}

func newNode(set settings, host plugin.Host) *node {
	n := &node{set: set, host: host, peers: map[transport.PeerID]*peer{}}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	for i := range n.inbox {
		n.byAddr[i] = map[netip.AddrPort]*peer{}
		n.inbox[i] = newInbox(int(set.ReceiveQueue)/8, func(from netip.AddrPort, size int) {
			if l := n.loop(transport.Lane(i)); l != nil {
				l.do(func(now conn.Time, l *lane.Lane) { l.Release(now, from, size) })
			}
		})
	}
	return n
}

// loop returns the loop of a lane, or nil before Listen.
func (n *node) loop(l transport.Lane) *loop {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.loops[l]
}

// random returns unpredictable bits: the tags are all that protects the open mode.
func random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

// Listen opens the sockets of both lanes.
func (n *node) Listen(ctx context.Context, address string) (string, error) {
	if err := transport.CheckListen(address); err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	at, err := n.listen(ctx, address)
	n.tasks.run()
	return at, err
}

func (n *node) listen(ctx context.Context, address string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return "", fmt.Errorf("listen on %s: %w", address, transport.ErrClosed)
	}
	if n.loops[0] != nil {
		if at := n.loops[0].sock.LocalAddr().String(); at == address {
			return at, nil
		}
		return "", fmt.Errorf("listen on %s: the instance listens on %s already: %w", address, n.loops[0].sock.LocalAddr(), transport.ErrInvalid)
	}
	control, err := openSocket(ctx, address)
	if err != nil {
		return "", listenError(ctx, address, err)
	}
	at := control.LocalAddr().(*net.UDPAddr)
	bulkAt := net.UDPAddr{IP: at.IP, Zone: at.Zone, Port: int(n.set.BulkPort)}
	bulk, err := openSocket(ctx, bulkAt.String())
	if err != nil {
		_ = control.Close()
		return "", listenError(ctx, bulkAt.String()+" for the bulk lane", err)
	}
	n.self = unmap(at.AddrPort())
	for i, sock := range []*net.UDPConn{control, bulk} {
		local := conn.Local{Port: n.self.Port()}
		if i == 0 {
			local.Lanes = []uint16{uint16(bulk.LocalAddr().(*net.UDPAddr).Port)}
		}
		l := lane.New(n.set.laneConfig(i == 1, receiveBuffer(sock)), local, random)
		n.loops[i] = newLoop(sock, l, n.set.largest(), func(out *conn.Output) { n.output(i, out) }, n.tasks.run)
	}
	for _, p := range n.peers { // dialled before there was a socket
		n.connect(p)
	}
	return at.String(), nil
}

func listenError(ctx context.Context, where string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("listen on %s: %w", where, ctx.Err())
	}
	return fmt.Errorf("listen on %s: %w: %v", where, transport.ErrAddress, err)
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// Attach opens a lane towards the core. On the control lane the first events tell who is connected.
func (n *node) Attach(ctx context.Context, l transport.Lane) (transport.Link, error) {
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
	var events []transport.Incoming
	if l == transport.Control {
		for _, p := range n.peers {
			if p.up {
				events = append(events, transport.Incoming{Peer: p.event(true, "connected")})
			}
		}
		slices.SortFunc(events, func(a, b transport.Incoming) int { return slices.Compare(a.Peer.Peer[:], b.Peer.Peer[:]) })
	}
	k := &link{node: n, lane: l}
	n.inbox[l].attach(k, events)
	k.unlink = context.AfterFunc(ctx, func() { n.inbox[l].detach(k) })
	return k, nil
}

func (p *peer) event(up bool, reason string) *transport.PeerEvent {
	address := p.address
	if address == "" {
		address = p.addr[0].String()
	}
	return &transport.PeerEvent{Peer: p.id, Up: up, Reason: reason, Address: address}
}

// tell queues an event for the core.
func (n *node) tell(p *peer, up bool, reason string) {
	n.inbox[0].push(item{Incoming: transport.Incoming{Peer: p.event(up, reason)}, size: eventSize})
}

// Close ends all connections and frees the sockets.
func (n *node) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	loops := n.loops
	n.mu.Unlock()
	n.cancel()
	for _, l := range loops {
		if l != nil {
			l.do(func(now conn.Time, l *lane.Lane) { l.Close(now) })
			l.close()
		}
	}
	for _, b := range n.inbox {
		b.close()
	}
	n.wait.Wait()
	return nil
}
