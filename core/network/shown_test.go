package network

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"

	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// puppet is a transport whose peers are the test.
type puppet struct {
	transport.Transport
	in   [2]chan transport.Incoming
	sent chan transport.Outgoing
}

func (p *puppet) Listen(_ context.Context, address string) (string, error) { return address, nil }

func (p *puppet) Attach(ctx context.Context, lane transport.Lane) (transport.Link, error) {
	ctx, cancel := context.WithCancel(ctx)
	return &puppetLink{p, lane, ctx, cancel}, nil
}

type puppetLink struct {
	p      *puppet
	lane   transport.Lane
	ctx    context.Context
	cancel func()
}

func (l *puppetLink) Dial(transport.PeerID, string) error { return nil }
func (l *puppetLink) Hangup(transport.PeerID) error       { return nil }
func (l *puppetLink) Close() error                        { l.cancel(); return nil }

func (l *puppetLink) Send(o transport.Outgoing) error {
	select {
	case l.p.sent <- o:
		return nil
	case <-l.ctx.Done():
		return transport.ErrClosed
	}
}

func (l *puppetLink) Recv() (transport.Incoming, error) {
	select {
	case in := <-l.p.in[l.lane]:
		return in, nil
	case <-l.ctx.Done():
		return transport.Incoming{}, transport.ErrClosed
	}
}

// onPuppet starts the network of node 1 on a puppet.
func onPuppet(t *testing.T) (*Network, *puppet) {
	t.Helper()
	k := newKey(1)
	p := &puppet{sent: make(chan transport.Outgoing, 64)}
	for i := range p.in {
		p.in[i] = make(chan transport.Incoming)
	}
	n := New(Options{Transport: p, Listen: address(1), Key: k.pub, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Sign: func(m []byte) ([]byte, error) { return ed25519.Sign(k.priv, m), nil }})
	bed{t: t}.run(n)
	return n, p
}

// up tells that a node is up, and returns the nonce of the hello that it is sent.
func (p *puppet) up(t *testing.T, name transport.PeerID, node *types.PublicKey) nonce {
	t.Helper()
	p.in[transport.Control] <- transport.Incoming{Peer: &transport.PeerEvent{Peer: name, Up: true, Node: node}}
	for o := range p.sent {
		if o.Channel == channelHello && o.Peers[0] == name {
			h, _, err := decodeGreeting(o.Payload)
			if err != nil || h == nil {
				t.Fatalf("%v, %v", h, err)
			}
			return h.nonce
		}
	}
	panic("unreachable")
}

func proofOf(k key, to types.Hash, n nonce, chains ...types.ChainID) []byte {
	p := proof{key: k.pub, nonce: n}
	for _, id := range chains {
		p.chains = append(p.chains, chainInfo{id, "rules"})
	}
	p.sig = ed25519.Sign(k.priv, p.signBytes(to))
	return p.encode()
}

// TestShownNodeIsTheOneThatProves has a transport that authenticates: who proves to be another node than the connection is with is
// not accepted, be the proof ever so good.
func TestShownNodeIsTheOneThatProves(t *testing.T) {
	n, _ := onPuppet(t)
	two, three := newKey(2), newKey(3)
	name := transport.PeerID(two.id())
	n.mu.Lock()
	p := n.peer(name)
	p.up, p.shown = true, &two.pub
	nonce := p.nonce
	n.mu.Unlock()
	if err := n.onGreeting(name, proofOf(three, n.self, nonce)); !errors.Is(err, errGreeting) || len(n.Connected()) > 0 {
		t.Errorf("a relayed proof: %v, %v are connected", err, n.Connected())
	}
	if err := n.onGreeting(name, hello{Version, three.pub, nonce}.encode()); !errors.Is(err, errGreeting) {
		t.Errorf("a relayed hello: %v", err)
	}
	if err := n.onGreeting(name, proofOf(two, n.self, nonce)); err != nil {
		t.Error(err)
	}
	connected(t, n, two.id())
}

// TestMisnamedPeerIsNotSpokenTo has a transport show a node key that is not the peer's name.
func TestMisnamedPeerIsNotSpokenTo(t *testing.T) {
	n, p := onPuppet(t)
	two := newKey(2)
	p.in[transport.Control] <- transport.Incoming{Peer: &transport.PeerEvent{Peer: transport.PeerID{9}, Up: true, Node: &two.pub}}
	p.up(t, transport.PeerID(two.id()), &two.pub) // the first greeting is for this one
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.peers[transport.PeerID{9}] != nil {
		t.Error("it is spoken to")
	}
}

// TestMovedPeerStaysConnected has a peer's address change: nobody has to prove anything again.
func TestMovedPeerStaysConnected(t *testing.T) {
	n, p := onPuppet(t)
	two := newKey(2)
	name := transport.PeerID(two.id())
	nonce := p.up(t, name, &two.pub)
	p.in[transport.Control] <- transport.Incoming{Message: &transport.Message{Peer: name, Channel: channelHello, Payload: proofOf(two, n.self, nonce)}}
	connected(t, n, two.id())
	p.in[transport.Control] <- transport.Incoming{Peer: &transport.PeerEvent{Peer: name, Up: true, Node: &two.pub, Address: "127.0.0.1:9"}}
	p.in[transport.Control] <- transport.Incoming{Flow: &transport.Flow{Peer: name}} // after it has been handled
	connected(t, n, two.id())
	for len(p.sent) > 0 {
		if o := <-p.sent; o.Channel == channelHello && len(o.Payload) > 0 && o.Payload[0] == kindHello {
			t.Error("it is greeted again")
		}
	}
}

// TestFlow has too much wait for a peer: what is not urgent is held back or waits, until there is room or the peer is gone.
func TestFlow(t *testing.T) {
	n, p := onPuppet(t)
	two, three := newKey(2), newKey(3)
	id := types.ChainID{5}
	v := n.Join(id, "rules")
	v.Start(&recorder{})
	var names []transport.PeerID
	for _, k := range []key{two, three} {
		name := transport.PeerID(k.id())
		nonce := p.up(t, name, &k.pub)
		p.in[transport.Control] <- transport.Incoming{Message: &transport.Message{Peer: name, Channel: channelHello, Payload: proofOf(k, n.self, nonce, id)}}
		connected(t, n, k.id())
		names = append(names, name)
	}
	// What else is sent meanwhile, such as an announcement, is passed over.
	next := func(purpose byte) transport.Outgoing {
		t.Helper()
		for o := range p.sent {
			if len(o.Channel) == 33 && o.Channel[32] == purpose {
				return o
			}
		}
		panic("unreachable")
	}
	flow := func(i int, full bool) {
		t.Helper()
		p.in[transport.Bulk] <- transport.Incoming{Flow: &transport.Flow{Peer: names[i], Full: full}}
		await(t, "the flow", func() bool {
			n.mu.Lock()
			defer n.mu.Unlock()
			return (n.peers[names[i]].room[transport.Bulk] != nil) == full
		})
	}
	flow(0, true)
	v.Broadcast(chain.MsgTxs, []byte("txs"))
	if o := next(chain.MsgTxs); len(o.Peers) != 1 || o.Peers[0] != names[1] || n.HeldBack() != 1 {
		t.Errorf("%d receivers, %d held back", len(o.Peers), n.HeldBack())
	}
	v.Broadcast(chain.MsgConsensus, []byte("vote"))
	if o := next(chain.MsgConsensus); len(o.Peers) != 2 {
		t.Errorf("a vote has %d receivers", len(o.Peers))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Request(ctx, two.id(), chain.ReqBody, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a request that nobody waits for: %v", err)
	}
	var wg sync.WaitGroup
	answered := make(chan error, 1)
	wg.Go(func() {
		_, err := v.Request(t.Context(), two.id(), chain.ReqBody, nil)
		answered <- err
	})
	await(t, "the request", func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return len(v.pending) == 1
	})
	v.Broadcast(chain.MsgConsensus, []byte("a later vote"))
	for asked := false; !asked; { // the vote is sent, the request before it is not
		o := <-p.sent
		if asked = string(o.Payload) == "a later vote"; len(o.Channel) == 33 && o.Channel[32] == msgRequest {
			t.Error("a request to a peer that is full")
		}
	}
	flow(0, false)
	if o := next(msgRequest); len(o.Peers) != 1 || o.Peers[0] != names[0] {
		t.Errorf("%d receivers", len(o.Peers))
	}
	p.in[transport.Control] <- transport.Incoming{Peer: &transport.PeerEvent{Peer: names[0]}}
	if err := <-answered; !errors.Is(err, ErrNotConnected) {
		t.Error(err)
	}
	flow(1, true)
	wg.Go(func() {
		_, err := v.Request(t.Context(), three.id(), chain.ReqBody, nil)
		answered <- err
	})
	p.in[transport.Control] <- transport.Incoming{Peer: &transport.PeerEvent{Peer: names[1]}}
	if err := <-answered; !errors.Is(err, ErrNotConnected) {
		t.Error(err)
	}
	wg.Wait()
}

// TestThoseThatTakeNothingHoldUpNobody: nodes that ask for much and take none of it do not keep another's request waiting.
func TestThoseThatTakeNothingHoldUpNobody(t *testing.T) {
	n, p := onPuppet(t)
	id := types.ChainID{5}
	v := n.Join(id, "rules")
	v.Start(&recorder{})
	add := func(i int, full bool) types.Hash {
		k := newKey(i)
		n.mu.Lock()
		defer n.mu.Unlock()
		c := n.peer(transport.PeerID(k.id()))
		c.up, c.node, c.chains = true, k.id(), map[types.ChainID]string{id: "rules"}
		if full {
			c.room[transport.Bulk] = make(chan struct{})
		}
		n.nodes[c.node] = c
		return c.node
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer func() {
		cancel()
		n.serving.Wait()
	}()
	for i := range maxServing / maxPerNode {
		from := add(10+i, true)
		for k := range uint64(maxPerNode) {
			v.onRequest(ctx, from, frame(kindRequest, k, chain.ReqBody))
		}
		v.onRequest(ctx, from, append(frame(kindRequest, 99, chain.ReqBody), make([]byte, maxWaiting+1)...))
		if o := <-p.sent; o.Payload[0] != kindRefusal {
			t.Fatalf("kind %d for a long request of a node that takes nothing", o.Payload[0])
		}
	}
	v.onRequest(ctx, add(50, false), append(frame(kindRequest, 1, chain.ReqBody), 'x'))
	if o := <-p.sent; o.Payload[0] != kindAnswer || string(o.Payload[frameBytes:]) != "re x" {
		t.Fatalf("kind %d: %q", o.Payload[0], o.Payload[frameBytes:])
	}
}
