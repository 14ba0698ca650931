package network

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Peer is another node: the hash of its node key, and where its transport listens (host:port).
type Peer struct {
	Name    string
	ID      types.Hash
	Address string
}

// Options configure a network.
type Options struct {
	Transport transport.Transport
	Listen    string // host:port
	Key       types.PublicKey
	Sign      func(message []byte) ([]byte, error) // with the node key
	Peers     []Peer
	Log       *slog.Logger
}

// Handler is a chain as the network sees it.
type Handler interface {
	// OnMessage must not block.
	OnMessage(from types.Hash, purpose byte, payload []byte)
	OnRequest(ctx context.Context, from types.Hash, purpose byte, payload []byte) ([]byte, error)
	// Announcement is sent to a peer that has just connected, as chain.MsgFinal.
	Announcement() []byte
}

// Network is a node's share in the network.
type Network struct {
	opts Options
	self types.Hash

	mu      sync.Mutex
	address string
	links   [2]transport.Link
	peers   map[transport.PeerID]*peer // by the transport's name
	nodes   map[types.Hash]*peer       // authenticated, by node
	chains  map[types.ChainID]*View

	held      atomic.Uint64  // messages that were not sent since too much waited for their receivers
	serving   sync.WaitGroup // requests that are being answered
	once      sync.Once
	listening chan struct{}
}

// peer is a connection.
type peer struct {
	link   transport.PeerID
	node   types.Hash // zero until authenticated
	up     bool
	nonce  nonce                    // of our hello on this connection
	theirs nonce                    // of the newest hello that was answered with one
	chains map[types.ChainID]string // the chains that the node has, and their rules
	shown  *types.PublicKey         // the node key that the transport has authenticated, if it does that
	room   [2]chan struct{}         // of each lane: not nil while it is full, closed when there is room or the peer is gone
}

// clear says of a lane that there is room; the network's lock is held.
func (p *peer) clear(lane transport.Lane) {
	if p.room[lane] != nil {
		close(p.room[lane])
		p.room[lane] = nil
	}
}

// speaks tells whether the node has a chain and runs the same rules.
func (p *peer) speaks(v *View) bool {
	rules, ok := p.chains[v.id]
	return ok && rules == v.rules
}

// maxLinks bounds the connections that are known at the same time, besides those that this node dialled.
const maxLinks = 1024

// New makes a network; Run makes it work.
func New(opts Options) *Network {
	return &Network{opts: opts, self: opts.Key.Hash(), peers: map[transport.PeerID]*peer{}, nodes: map[types.Hash]*peer{}, chains: map[types.ChainID]*View{},
		listening: make(chan struct{})}
}

// Self returns this node's id.
func (n *Network) Self() types.Hash { return n.self }

// Address returns the address that the transport listens on; "" before it does.
func (n *Network) Address() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.address
}

// Listening is closed once the transport has listened for the first time.
func (n *Network) Listening() <-chan struct{} { return n.listening }

// Run keeps the transport attached until ctx ends. It returns an error only if that is of no use any more: the address cannot be
// listened on, or the transport has failed for good.
func (n *Network) Run(ctx context.Context) error {
	defer n.serving.Wait()
	listen := n.opts.Listen
	pause := firstPause
	for ctx.Err() == nil {
		address, err := n.opts.Transport.Listen(ctx, listen)
		if err == nil {
			n.mu.Lock()
			n.address = address
			n.mu.Unlock()
			listen = address
			n.once.Do(func() { close(n.listening) })
			start := time.Now()
			err = n.attached(ctx)
			if time.Since(start) > lastPause {
				pause = firstPause
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, transport.ErrAddress):
			return fmt.Errorf("listen on %s: %w", listen, err)
		case errors.Is(err, host.ErrFailed), errors.Is(err, host.ErrClosed):
			return fmt.Errorf("transport: %w", err)
		}
		n.pause(ctx, err, pause)
		pause = min(2*pause, lastPause)
	}
	return nil
}

// Pauses before the transport is attached again: longer ones if it comes to nothing each time.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

func (n *Network) pause(ctx context.Context, err error, d time.Duration) {
	n.opts.Log.Warn("the transport was lost; it is attached again", "cause", err)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// attached is one life of the transport.
func (n *Network) attached(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var links [2]transport.Link
	for i, lane := range []transport.Lane{transport.Control, transport.Bulk} {
		l, err := n.opts.Transport.Attach(ctx, lane)
		if err != nil {
			if links[0] != nil {
				_ = links[0].Close()
			}
			return err
		}
		links[i] = l
	}
	n.mu.Lock()
	n.links = links
	n.mu.Unlock()
	errs := make(chan error, 3)
	var wg sync.WaitGroup
	for i, l := range links {
		wg.Go(func() { errs <- n.receive(ctx, l, transport.Lane(i)) })
	}
	for _, p := range n.opts.Peers {
		if p.ID != n.self {
			err := links[transport.Control].Dial(transport.PeerID(p.ID), p.Address)
			if errors.Is(err, transport.ErrAddress) || errors.Is(err, transport.ErrInvalid) {
				n.opts.Log.Error("a peer's address cannot be dialled; the others are", "peer", p.Name, "address", p.Address, "cause", err)
			} else if err != nil {
				errs <- fmt.Errorf("dial %s: %w", p.Name, err)
				break
			}
		}
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-errs:
	}
	n.mu.Lock()
	n.links = [2]transport.Link{}
	n.mu.Unlock()
	for _, l := range links {
		_ = l.Close()
	}
	wg.Wait()
	n.forgetAll()
	return err
}

func (n *Network) receive(ctx context.Context, l transport.Link, lane transport.Lane) error {
	for {
		in, err := l.Recv()
		if err != nil {
			return err
		}
		switch {
		case in.Peer != nil:
			n.onPeer(in.Peer)
		case in.Flow != nil:
			n.onFlow(lane, in.Flow)
		case in.Message != nil && in.Message.Channel == channelHello:
			if err := n.onGreeting(in.Message.Peer, in.Message.Payload); err != nil {
				n.opts.Log.Warn("a greeting was refused", "peer", types.Hash(in.Message.Peer).Short(), "cause", err)
			}
		case in.Message != nil:
			n.onMessage(ctx, in.Message)
		}
	}
}

// onFlow notes that what waits for a peer has reached its bound, or that there is room again.
func (n *Network) onFlow(lane transport.Lane, f *transport.Flow) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch p := n.peers[f.Peer]; {
	case p == nil:
	case !f.Full:
		p.clear(lane)
	case p.room[lane] == nil:
		p.room[lane] = make(chan struct{})
	}
}

func (n *Network) onPeer(e *transport.PeerEvent) {
	if e.Up {
		if e.Node != nil && e.Node.Hash() != types.Hash(e.Peer) {
			n.opts.Log.Error("the transport calls a peer by another name than its node key's; it is not spoken to", "peer", types.Hash(e.Peer).Short(),
				"node", e.Node.Hash().Short())
			return
		}
		n.mu.Lock()
		if p := n.peer(e.Peer); p != nil {
			if p.up && p.shown != nil && e.Node != nil { // the same node on the same connection, at another address
				n.mu.Unlock()
				n.opts.Log.Info("a peer has moved", "peer", types.Hash(e.Peer).Short(), "address", e.Address)
				return
			}
			n.detach(p) // a new connection: who it is has to be shown again
			p.up, p.nonce, p.theirs, p.shown = true, freshNonce(), nonce{}, e.Node
			p.clear(transport.Control)
			p.clear(transport.Bulk)
		}
		n.mu.Unlock()
		n.greet(e.Peer)
		return
	}
	n.mu.Lock()
	var gone types.Hash
	if p := n.peers[e.Peer]; p != nil {
		gone = n.detach(p)
		p.clear(transport.Control)
		p.clear(transport.Bulk)
		delete(n.peers, e.Peer)
	}
	n.mu.Unlock()
	n.lost(gone)
	n.opts.Log.Info("a peer is gone", "peer", types.Hash(e.Peer).Short(), "reason", e.Reason)
}

// detach takes a connection from its node and returns the node if it has no other; the lock is held.
func (n *Network) detach(p *peer) (gone types.Hash) {
	id := p.node
	p.node, p.chains = types.Hash{}, nil
	if id.IsZero() || n.nodes[id] != p {
		return types.Hash{}
	}
	delete(n.nodes, id)
	for _, other := range n.peers {
		if other.node == id {
			n.nodes[id] = other
			return types.Hash{}
		}
	}
	return id
}

// lost tells those who wait for a node's answer that none will come.
func (n *Network) lost(node types.Hash) {
	if node.IsZero() {
		return
	}
	n.mu.Lock()
	views := make([]*View, 0, len(n.chains))
	for _, v := range n.chains {
		views = append(views, v)
	}
	n.mu.Unlock()
	for _, v := range views {
		v.lost(node)
	}
}

// forgetAll ends all connections, with the transport.
func (n *Network) forgetAll() {
	n.mu.Lock()
	nodes := n.nodes
	for _, p := range n.peers {
		p.clear(transport.Control)
		p.clear(transport.Bulk)
	}
	n.peers, n.nodes = map[transport.PeerID]*peer{}, map[types.Hash]*peer{}
	n.mu.Unlock()
	for id := range nodes {
		n.lost(id)
	}
}

func freshNonce() (x nonce) {
	_, _ = rand.Read(x[:]) // never fails (crypto/rand)
	return x
}

// peer returns the record of a connection, or nil if there are too many; the lock is held. The address of a stranger is known
// by the first that is heard from there, which need not be the event that it is up.
func (n *Network) peer(id transport.PeerID) *peer {
	p := n.peers[id]
	if p == nil {
		if len(n.peers) >= maxLinks && !n.dialled(types.Hash(id)) {
			return nil
		}
		p = &peer{link: id, nonce: freshNonce()}
		n.peers[id] = p
	}
	return p
}

func (n *Network) sendGreeting(to transport.PeerID, b []byte) {
	n.transmit(transport.Control, transport.Outgoing{Peers: []transport.PeerID{to}, Channel: channelHello, Payload: b})
}

func (n *Network) greet(to transport.PeerID) {
	n.mu.Lock()
	p := n.peer(to)
	if p == nil {
		n.mu.Unlock()
		return
	}
	h := hello{Version, n.opts.Key, p.nonce}
	n.mu.Unlock()
	n.sendGreeting(to, h.encode())
}

func (n *Network) transmit(lane transport.Lane, out transport.Outgoing) {
	n.mu.Lock()
	l := n.links[lane]
	n.mu.Unlock()
	if l == nil {
		return
	}
	if err := l.Send(out); err != nil && !errors.Is(err, transport.ErrClosed) {
		n.opts.Log.Debug("a message could not be sent", "channel", len(out.Channel), "bytes", len(out.Payload), "cause", err)
	}
}

// onGreeting answers a hello with a proof, and takes a proof for what it shows.
func (n *Network) onGreeting(from transport.PeerID, b []byte) error {
	if len(b) == 1 && b[0] == kindAgain {
		n.greet(from)
		return nil
	}
	h, p, err := decodeGreeting(b)
	if err != nil {
		return err
	}
	n.mu.Lock()
	conn := n.peer(from)
	if conn == nil {
		n.mu.Unlock()
		return fmt.Errorf("%w: %d connections are the most", errGreeting, maxLinks)
	}
	mine, shown, known := conn.nonce, conn.shown, h != nil && conn.theirs == h.nonce
	n.mu.Unlock()
	if h != nil {
		if shown != nil && h.key.Hash() != shown.Hash() {
			return fmt.Errorf("%w: it is from node %s, and the connection is with node %s", errGreeting, h.key.Hash().Short(), shown.Hash().Short())
		}
		if h.version != Version {
			return fmt.Errorf("%w: the peer speaks version %d of the node protocol, this node %d", errGreeting, h.version, Version)
		}
		if err := n.prove(from, h); err != nil || known {
			return err
		}
		// The first hello of the other side on this connection, or in its life: it may not have heard ours. A second answer to the
		// same one would go back and forth for ever between nodes that do not accept each other.
		n.mu.Lock()
		conn.theirs = h.nonce
		n.mu.Unlock()
		n.greet(from)
		return nil
	}
	id := p.key.Hash()
	if shown != nil && id != shown.Hash() {
		return fmt.Errorf("%w: a proof of node %s, and the connection is with node %s", errGreeting, id.Short(), shown.Hash().Short())
	}
	if p.nonce != mine {
		return fmt.Errorf("%w: a proof for another nonce", errGreeting)
	}
	if err := types.VerifySignature(p.key, p.signBytes(n.self), p.sig); err != nil {
		return fmt.Errorf("%w: %w", errGreeting, err)
	}
	if id == n.self {
		return fmt.Errorf("%w: the peer has this node's own key; two nodes must never share one", errGreeting)
	}
	if n.dialled(types.Hash(from)) && id != types.Hash(from) {
		return fmt.Errorf("%w: at that address is node %s", errGreeting, id.Short())
	}
	n.accept(from, id, p.chains)
	return nil
}

func (n *Network) dialled(id types.Hash) bool {
	for _, p := range n.opts.Peers {
		if p.ID == id {
			return true
		}
	}
	return false
}

func (n *Network) prove(to transport.PeerID, h *hello) error {
	p := proof{key: n.opts.Key, nonce: h.nonce}
	n.mu.Lock()
	for id, v := range n.chains {
		p.chains = append(p.chains, chainInfo{id, v.rules})
	}
	n.mu.Unlock()
	sort.Slice(p.chains, func(i, j int) bool { return string(p.chains[i].id[:]) < string(p.chains[j].id[:]) })
	var err error
	if p.sig, err = n.opts.Sign(p.signBytes(h.key.Hash())); err != nil {
		return fmt.Errorf("sign a proof: %w", err)
	}
	n.sendGreeting(to, p.encode())
	return nil
}

// accept records an authenticated peer and tells its chains where ours stand.
func (n *Network) accept(from transport.PeerID, id types.Hash, chains []chainInfo) {
	n.mu.Lock()
	p := n.peers[from]
	if p == nil { // gone meanwhile
		n.mu.Unlock()
		return
	}
	fresh := p.node != id
	if fresh {
		n.detach(p)
	}
	p.node, p.up, p.chains = id, true, map[types.ChainID]string{}
	if old := n.nodes[id]; old == nil || n.dialled(types.Hash(from)) {
		n.nodes[id] = p
	}
	var views []*View
	for _, c := range chains {
		p.chains[c.id] = c.rules
		v := n.chains[c.id]
		switch {
		case v == nil:
		case p.speaks(v):
			views = append(views, v)
		default:
			n.opts.Log.Error("a peer runs other rules of the same chain; it is not spoken to about it", "peer", id.Short(), "chain", c.id.Short(),
				"theirs", c.rules, "ours", v.rules)
		}
	}
	n.mu.Unlock()
	if fresh {
		n.opts.Log.Info("a peer is connected", "peer", id.Short(), "chains", len(chains))
	}
	for _, v := range views {
		if b := v.handler.Announcement(); b != nil {
			v.Send([]types.Hash{id}, chain.MsgFinal, b)
		}
	}
}

// HeldBack returns how many messages were not sent because too much waited for their receivers already.
func (n *Network) HeldBack() uint64 { return n.held.Load() }

// Stats returns the state of the transport's links.
func (n *Network) Stats(ctx context.Context) ([]transport.LinkStats, error) {
	return n.opts.Transport.Stats(ctx)
}

// Probe measures the link to a node with so many datagrams.
func (n *Network) Probe(ctx context.Context, node types.Hash, datagrams int) (transport.LinkReport, error) {
	n.mu.Lock()
	link := transport.PeerID(node) // what it was dialled as, or is called by a transport that authenticates
	if p := n.nodes[node]; p != nil {
		link = p.link
	}
	n.mu.Unlock()
	return n.opts.Transport.Probe(ctx, link, datagrams)
}

// NodeOf returns the node behind the transport's name for a peer: zero while it has not shown who it is.
func (n *Network) NodeOf(link transport.PeerID) types.Hash {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.peers[link]; p != nil {
		return p.node
	}
	return types.Hash{}
}

// Connected returns the nodes that are authenticated now.
func (n *Network) Connected() []types.Hash {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]types.Hash, 0, len(n.nodes))
	for id := range n.nodes {
		out = append(out, id)
	}
	sort.Slice(out, func(i, j int) bool { return string(out[i][:]) < string(out[j][:]) })
	return out
}
