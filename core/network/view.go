package network

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// View is the network of one chain; it implements chain.Network.
type View struct {
	n       *Network
	id      types.ChainID
	rules   string
	handler Handler

	next    atomic.Uint64
	mu      sync.Mutex
	pending map[uint64]pending
	serving map[types.Hash]int // requests that are being answered, or wait for room on their way back, of each node
	busy    int                // that are being answered, of all nodes
}

// pending is a request that waits for its answer.
type pending struct {
	node types.Hash // that was asked
	ch   chan answer
}

type answer struct {
	data []byte
	err  error
}

// Bounds of the requests of a chain that are answered at the same time: of all nodes, and of one. Further ones are refused.
const (
	maxServing = 64
	maxPerNode = 8
)

// answerPatience is how long a request waits until there is room for its answer; nobody waits longer for one. An answer that
// has been made waits for briefPatience only, since it holds up those of others.
const (
	answerPatience = 30 * time.Second
	briefPatience  = 2 * time.Second
)

// maxWaiting is the longest request that waits for room, in bytes: who does not take what it has asked for can not have this
// node keep much.
const maxWaiting = 64 << 10

// msgRequest is the purpose of requests and answers: kind, id, then the purpose of the request or the answer.
const msgRequest byte = 'q'

const (
	kindRequest byte = 0
	kindAnswer  byte = 1
	kindRefusal byte = 2
)

// Errors of requests.
var (
	ErrRefused      = errors.New("the peer refuses")
	ErrNotConnected = errors.New("the peer is not connected, or does not have the chain")
)

// Join lets a chain take part. rules names the rules versions of its plugins; peers with other rules are not spoken to.
// Nothing is sent or received before Start.
func (n *Network) Join(id types.ChainID, rules string) *View {
	return &View{n: n, id: id, rules: rules, pending: map[uint64]pending{}, serving: map[types.Hash]int{}}
}

// Start connects the handler and tells the peers that this node has the chain.
func (v *View) Start(h Handler) {
	v.handler = h
	v.n.mu.Lock()
	v.n.chains[v.id] = v
	var links []transport.PeerID
	for id, p := range v.n.peers {
		if p.up {
			links = append(links, id)
		}
	}
	v.n.mu.Unlock()
	// A new hello makes each peer prove itself again, with the list of its chains; and it will ask the same of us.
	for _, id := range links {
		v.n.greet(id)
		v.n.askForHello(id)
	}
}

// askForHello makes the peer forget what it knows of our chains: it greets whom it does not know, and a new proof follows.
func (n *Network) askForHello(id transport.PeerID) { n.sendGreeting(id, []byte{kindAgain}) }

// kindAgain asks the other side to greet again.
const kindAgain byte = 3

// Stop disconnects the chain.
func (v *View) Stop() {
	v.n.mu.Lock()
	defer v.n.mu.Unlock()
	delete(v.n.chains, v.id)
}

func (v *View) channel(purpose byte) string { return string(v.id[:]) + string([]byte{purpose}) }

// lane and priority of a purpose.
func class(purpose byte) (transport.Lane, uint32) {
	switch purpose {
	case chain.MsgConsensus, chain.MsgFinal:
		return transport.Control, 0
	case chain.MsgBody, chain.MsgShort:
		return transport.Bulk, 0
	case msgRequest:
		return transport.Bulk, 1
	}
	return transport.Bulk, 2
}

// Peers implements chain.Network.
func (v *View) Peers() []types.Hash {
	v.n.mu.Lock()
	defer v.n.mu.Unlock()
	var out []types.Hash
	for id, p := range v.n.nodes {
		if p.speaks(v) {
			out = append(out, id)
		}
	}
	sort.Slice(out, func(i, j int) bool { return string(out[i][:]) < string(out[j][:]) })
	return out
}

// Broadcast implements chain.Network. What is not urgent is not sent to a peer for which too much waits already.
func (v *View) Broadcast(purpose byte, payload []byte) {
	v.n.mu.Lock()
	lane, _ := class(purpose)
	var to []transport.PeerID
	held := 0
	for _, p := range v.n.nodes {
		switch {
		case !p.speaks(v):
		case lane == transport.Bulk && p.room[lane] != nil: // it asks for what it lacks when it has caught up
			held++
		default:
			to = append(to, p.link)
		}
	}
	v.n.mu.Unlock()
	if held > 0 {
		v.n.held.Add(uint64(held))
	}
	v.transmit(to, purpose, payload)
}

// awaitRoom waits until there is room for a node on the bulk lane, or it is gone.
func (v *View) awaitRoom(ctx context.Context, node types.Hash) error {
	for {
		v.n.mu.Lock()
		var room chan struct{}
		if p := v.n.nodes[node]; p != nil {
			room = p.room[transport.Bulk]
		}
		v.n.mu.Unlock()
		if room == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-room:
		}
	}
}

// Send implements chain.Network.
func (v *View) Send(nodes []types.Hash, purpose byte, payload []byte) {
	v.n.mu.Lock()
	var to []transport.PeerID
	for _, id := range nodes {
		if p := v.n.nodes[id]; p != nil && p.speaks(v) {
			to = append(to, p.link)
		}
	}
	v.n.mu.Unlock()
	v.transmit(to, purpose, payload)
}

func (v *View) transmit(to []transport.PeerID, purpose byte, payload []byte) {
	if len(to) == 0 {
		return
	}
	lane, priority := class(purpose)
	v.n.transmit(lane, transport.Outgoing{Peers: to, Channel: v.channel(purpose), Priority: priority, Payload: payload})
}

// Request implements chain.Network. It fails with ErrNotConnected, at once or when the connection is lost, with ErrRefused, or
// with ctx.
func (v *View) Request(ctx context.Context, node types.Hash, purpose byte, payload []byte) ([]byte, error) {
	id := v.next.Add(1)
	ch := make(chan answer, 1)
	v.mu.Lock()
	v.pending[id] = pending{node, ch}
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		delete(v.pending, id)
		v.mu.Unlock()
	}()
	// After the request is known: who is lost from now on is told to it.
	v.n.mu.Lock()
	p := v.n.nodes[node]
	ok := p != nil && p.speaks(v)
	v.n.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("ask %s: %w", node.Short(), ErrNotConnected)
	}
	if err := v.awaitRoom(ctx, node); err != nil {
		return nil, fmt.Errorf("ask %s: too much waits for it: %w", node.Short(), err)
	}
	v.Send([]types.Hash{node}, msgRequest, append(frame(kindRequest, id, purpose), payload...))
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("ask %s: %w", node.Short(), ctx.Err())
	case a := <-ch:
		return a.data, a.err
	}
}

// lost ends the requests that wait for a node.
func (v *View) lost(node types.Hash) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, p := range v.pending {
		if p.node == node {
			delete(v.pending, id)
			p.ch <- answer{err: fmt.Errorf("ask %s: %w", node.Short(), ErrNotConnected)}
		}
	}
}

func frame(kind byte, id uint64, purpose byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{kind}, id), purpose)
}

const frameBytes = 10

func (n *Network) onMessage(ctx context.Context, m *transport.Message) {
	if len(m.Channel) != 33 {
		return
	}
	n.mu.Lock()
	v := n.chains[types.ChainID([]byte(m.Channel[:32]))]
	p := n.peers[m.Peer]
	ok := v != nil && p != nil && !p.node.IsZero()
	if ok {
		// What comes before the list of chains that names this one is good; what comes from a node with other rules is not.
		rules, told := p.chains[v.id]
		ok = !told || rules == v.rules
	}
	var from types.Hash
	if ok {
		from = p.node
	}
	n.mu.Unlock()
	if !ok {
		return
	}
	if purpose := m.Channel[32]; purpose == msgRequest {
		v.onRequest(ctx, from, m.Payload)
	} else {
		v.handler.OnMessage(from, purpose, m.Payload)
	}
}

func (v *View) onRequest(ctx context.Context, from types.Hash, b []byte) {
	if len(b) < frameBytes {
		return
	}
	kind, id, purpose, data := b[0], binary.BigEndian.Uint64(b[1:9]), b[9], b[frameBytes:]
	switch kind {
	case kindRequest:
		if len(data) > maxWaiting && v.full(from) || !v.admit(from) {
			v.refuse(from, id, purpose, "busy")
			return
		}
		v.n.serving.Go(func() {
			defer v.release(from)
			v.serve(ctx, from, id, purpose, data)
		})
	case kindAnswer, kindRefusal:
		v.mu.Lock()
		p, ok := v.pending[id]
		if ok = ok && p.node == from; ok { // ids can be guessed by others
			delete(v.pending, id)
		}
		v.mu.Unlock()
		switch {
		case !ok:
		case kind == kindRefusal:
			p.ch <- answer{err: fmt.Errorf("%w: %.200q", ErrRefused, data)}
		default:
			p.ch <- answer{data: data}
		}
	}
}

func (v *View) refuse(node types.Hash, id uint64, purpose byte, reason string) {
	v.Send([]types.Hash{node}, msgRequest, append(frame(kindRefusal, id, purpose), reason...))
}

// full tells whether too much waits for a node on the bulk lane.
func (v *View) full(node types.Hash) bool {
	v.n.mu.Lock()
	defer v.n.mu.Unlock()
	p := v.n.nodes[node]
	return p != nil && p.room[transport.Bulk] != nil
}

// admit takes a request of a node, unless there are too many of it.
func (v *View) admit(from types.Hash) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.serving[from] >= maxPerNode {
		return false
	}
	v.serving[from]++
	return true
}

// begin begins to answer a request, unless too many of all nodes are being answered. What waits for room does not count: else a
// few nodes that take nothing could keep all others from being answered.
func (v *View) begin() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.busy >= maxServing {
		return false
	}
	v.busy++
	return true
}

func (v *View) finish() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.busy--
}

func (v *View) release(from types.Hash) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.serving[from]--; v.serving[from] == 0 {
		delete(v.serving, from)
	}
}

func (v *View) serve(ctx context.Context, from types.Hash, id uint64, purpose byte, data []byte) {
	if v.patient(ctx, from, answerPatience) != nil {
		return // whoever asked waits no longer
	}
	if !v.begin() {
		v.refuse(from, id, purpose, "busy")
		return
	}
	defer v.finish()
	out, err := v.handler.OnRequest(ctx, from, purpose, data)
	if v.patient(ctx, from, briefPatience) != nil {
		return // it filled meanwhile
	}
	if err != nil {
		v.refuse(from, id, purpose, err.Error())
		return
	}
	v.Send([]types.Hash{from}, msgRequest, append(frame(kindAnswer, id, purpose), out...))
}

// patient is awaitRoom for so long.
func (v *View) patient(ctx context.Context, node types.Hash, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return v.awaitRoom(ctx, node)
}
