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
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/secure"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/udpio"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
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
	tests  tests
	// refusals holds back what is logged about nodes that were refused.
	refusals gate

	identity *secure.Identity
	allow    map[transport.PeerID]bool // nil: all

	start time.Time             // of the clock
	wrap  func(packets) packets // of tests, which put something between a loop and its socket; may be nil

	mu     sync.Mutex
	closed bool
	key    *transport.PeerID // this node's own name, once its session key was certified
	loops  [maxLoops]*loop   // of control and of the bulk lanes; nil before Listen
	self   netip.AddrPort
	peers  map[transport.PeerID]*peer
	byAddr [maxLoops]map[netip.AddrPort]*peer // by the address of each lane, and by the one that was dialled
}

// peer is someone who was dialled, or a stranger who is connected.
type peer struct {
	id      transport.PeerID
	dialled bool
	address string            // as dialled
	home    netip.AddrPort    // that, looked up; not valid before
	addr    [1]netip.AddrPort // of the control lane, while it is up; not valid if there is none
	up      bool
	node    types.PublicKey // proven, while it is up
	static  [32]byte        // its session key
	caller  bool            // this end has called
	session uint64          // tag of the control lane's session, which its bulk lane refers to
	since   time.Time       // when it came up or went down
	bulk    *bulk           // of the last session, nil if there was none
	taken   [2]int          // see item
	burst   *burst          // the latest that it has begun, nil if there was none
	asked   *burst          // the latest that this end has asked for
	serving bool            // one is being made for it
	served  time.Time       // when the last of these was over
	held    int             // bytes that came by bulk lanes and that the core has not taken, or not yet said so
}

func newNode(set settings, host plugin.Host) (*node, error) {
	n := &node{set: set, host: host, start: time.Now(), peers: map[transport.PeerID]*peer{}}
	var err error
	if n.identity, err = secure.NewIdentity(rand.Reader); err != nil {
		return nil, err
	}
	if n.allow, err = parseAllow(set.Allow); err != nil {
		return nil, err
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	for i := range n.byAddr {
		n.byAddr[i] = map[netip.AddrPort]*peer{}
	}
	chunk := int(set.ReceiveQueue) / 8
	n.inbox = [2]*inbox{newInbox(chunk, n.releaseControl), newInbox(chunk, n.releaseBulk)}
	return n, nil
}

// releaseControl says that the core has taken control messages of a peer.
func (n *node) releaseControl(p *peer, size int) {
	n.mu.Lock()
	addr, l := p.addr[0], n.loops[0]
	if !addr.IsValid() { // its next session there goes on with what the core has not taken
		addr = p.home
	}
	n.mu.Unlock()
	if l != nil {
		l.do(func(now conn.Time, l *lane.Lane) { l.Release(now, addr, size) })
	}
}

// random returns unpredictable bits.
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
	if err := n.certify(ctx); err != nil {
		return "", fmt.Errorf("listen on %s: %w", address, err)
	}
	at, err := n.listen(ctx, address)
	n.tasks.run()
	return at, err
}

// certify has the core vouch for the session key, once. The key lives as long as the instance and is never stored.
func (n *node) certify(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.key != nil || n.closed {
		return nil
	}
	if n.host == nil {
		return fmt.Errorf("certify the session key: %w", plugin.ErrHostUnavailable)
	}
	certificate, err := n.host.BindTransport(ctx, n.identity.Public())
	if err != nil {
		return fmt.Errorf("certify the session key: %w", err)
	}
	key, err := n.identity.Certify(certificate)
	if err != nil {
		return fmt.Errorf("certify the session key: %w", err)
	}
	id := transport.PeerID(key.Hash())
	n.key = &id
	return nil
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
	socks := []*net.UDPConn{control}
	var ports []uint16
	for i := range int(n.set.BulkLanes) {
		bulkAt := net.UDPAddr{IP: at.IP, Zone: at.Zone}
		if n.set.BulkPort > 0 {
			bulkAt.Port = int(n.set.BulkPort) + i
		}
		bulk, err := openSocket(ctx, bulkAt.String())
		if err != nil {
			for _, s := range socks {
				_ = s.Close()
			}
			return "", listenError(ctx, bulkAt.String()+" for a bulk lane", err)
		}
		socks = append(socks, bulk)
		ports = append(ports, uint16(bulk.LocalAddr().(*net.UDPAddr).Port))
	}
	n.self = unmap(at.AddrPort())
	for i, sock := range socks {
		local := conn.Local{Port: n.self.Port()}
		if i == 0 {
			local.Lanes = ports
		}
		env := lane.Env{Random: rand.Reader, Identity: n.identity, Admit: func(a conn.Admission) string { return n.admit(i, a) }}
		l, err := lane.New(n.set.laneConfig(i, receiveBuffer(sock)), local, env)
		if err != nil {
			return "", fmt.Errorf("listen on %s: %w", address, err)
		}
		// What comes and is longer is dropped. Control is noticed at once, whatever bulk does.
		io := packets(udpio.New(sock, udpio.Config{Largest: n.set.largest(), Thread: i == 0}))
		if n.wrap != nil {
			io = n.wrap(io)
		}
		n.loops[i] = newLoop(io, sock, l, n.start, func(out *conn.Output) { n.output(i, out) }, n.tasks.run, i > 0)
	}
	if n.host != nil {
		n.wait.Go(n.measure)
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
	e := &transport.PeerEvent{Peer: p.id, Up: up, Reason: reason, Address: p.address}
	if p.addr[0].IsValid() && (!p.dialled || p.addr[0] != p.home) {
		e.Address = p.addr[0].String()
	}
	if up { // a copy: the event outlives the link
		key := p.node
		e.Node = &key
	}
	return e
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
