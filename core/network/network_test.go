package network

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/transport/transporttest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

type key struct {
	priv ed25519.PrivateKey
	pub  types.PublicKey
}

func newKey(i int) key {
	seed := sha256.Sum256(fmt.Append(nil, i))
	priv := ed25519.NewKeyFromSeed(seed[:])
	return key{priv, types.Ed25519Key(priv.Public().(ed25519.PublicKey))}
}

func (k key) id() types.Hash { return k.pub.Hash() }

func address(i int) string { return fmt.Sprintf("127.0.0.1:%d", 7000+i) }

// bed is networks on a hub.
type bed struct {
	t   *testing.T
	hub *transporttest.Hub
}

// node starts the network of node i, which dials those named.
func (b bed) node(i int, dials ...int) *Network {
	b.t.Helper()
	k := newKey(i)
	o := Options{Transport: b.hub.New(), Listen: address(i), Key: k.pub, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Sign: func(m []byte) ([]byte, error) { return ed25519.Sign(k.priv, m), nil }}
	for _, d := range dials {
		o.Peers = append(o.Peers, Peer{Name: fmt.Sprint(d), ID: newKey(d).id(), Address: address(d)})
	}
	c := counted{o.Transport, make(chan struct{}, 64)}
	o.Transport = c
	n := New(o)
	b.run(n)
	// A dial that crosses the other end's would begin the connection anew, in the middle of a test.
	for range dials {
		select {
		case <-c.dials:
		case <-time.After(patience):
			b.t.Fatal("it does not dial")
		}
	}
	return n
}

// counted is a transport that tells when it has dialled.
type counted struct {
	transport.Transport
	dials chan struct{}
}

func (c counted) Attach(ctx context.Context, lane transport.Lane) (transport.Link, error) {
	l, err := c.Transport.Attach(ctx, lane)
	if err != nil {
		return nil, err
	}
	return countedLink{l, c.dials}, nil
}

type countedLink struct {
	transport.Link
	dials chan struct{}
}

func (l countedLink) Dial(peer transport.PeerID, address string) error {
	err := l.Link.Dial(peer, address)
	select {
	case l.dials <- struct{}{}:
	default:
	}
	return err
}

// run runs a network until the end of the test.
func (b bed) run(n *Network) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("run: %v", err)
		}
	})
	select {
	case <-n.Listening():
	case <-time.After(patience):
		b.t.Fatal("it does not listen")
	}
}

func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}

func connected(t *testing.T, n *Network, ids ...types.Hash) {
	t.Helper()
	await(t, "the connection", func() bool {
		have := n.Connected()
		for _, id := range ids {
			found := false
			for _, h := range have {
				found = found || h == id
			}
			if !found {
				return false
			}
		}
		return true
	})
}

// recorder is a chain's end.
type recorder struct {
	mu       sync.Mutex
	got      []string
	announce string
	answer   func(ctx context.Context, payload []byte) ([]byte, error)
}

func (r *recorder) OnMessage(from types.Hash, purpose byte, payload []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, fmt.Sprintf("%s %c %s", from.Short(), purpose, payload))
}

func (r *recorder) OnRequest(ctx context.Context, _ types.Hash, _ byte, payload []byte) ([]byte, error) {
	if r.answer == nil {
		return append([]byte("re "), payload...), nil
	}
	return r.answer(ctx, payload)
}

func (r *recorder) Announcement() []byte { return []byte(r.announce) }

func (r *recorder) has(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.got {
		if g == text {
			return true
		}
	}
	return false
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

var chainA, chainB = types.ChainID{1}, types.ChainID{2}

func start(n *Network, id types.ChainID, rules string) (*View, *recorder) {
	v, r := n.Join(id, rules), &recorder{announce: "here"}
	v.Start(r)
	return v, r
}

func TestMessagesAndLateChains(t *testing.T) {
	b := bed{t, transporttest.NewHub()}
	one, two := b.node(1, 2), b.node(2) // only one of them dials
	va, ra := start(one, chainA, "x/1")
	connected(t, one, two.Self())
	connected(t, two, one.Self())
	if p := va.Peers(); len(p) != 0 {
		t.Errorf("a peer without the chain is among its peers: %v", p)
	}
	// A chain that begins after the connection.
	vb, rb := start(two, chainA, "x/1")
	await(t, "the peers", func() bool { return len(va.Peers()) == 1 && len(vb.Peers()) == 1 })
	await(t, "the announcements", func() bool {
		return ra.has(two.Self().Short()+" f here") && rb.has(one.Self().Short()+" f here")
	})
	va.Broadcast(chain.MsgConsensus, []byte("vote"))
	vb.Send([]types.Hash{one.Self(), {9}}, chain.MsgBody, []byte("body"))
	await(t, "the messages", func() bool {
		return rb.has(one.Self().Short()+" c vote") && ra.has(two.Self().Short()+" b body")
	})
	// Another chain of the same nodes, and one that only one has.
	wa, qa := start(one, chainB, "x/1")
	if got, err := wa.Request(t.Context(), two.Self(), chain.ReqBody, nil); !errors.Is(err, ErrNotConnected) {
		t.Errorf("%q, %v", got, err)
	}
	wb, _ := start(two, chainB, "x/1")
	await(t, "the other chain", func() bool { return len(wa.Peers()) == 1 && len(wb.Peers()) == 1 })
	va.Stop()
	if n := ra.count(); n == 0 {
		t.Error("nothing came")
	}
	vb.Broadcast(chain.MsgConsensus, []byte("late"))
	wb.Broadcast(chain.MsgConsensus, []byte("after it"))
	await(t, "what was sent after it", func() bool { return qa.has(two.Self().Short() + " c after it") })
	va.Start(ra)
	await(t, "the chain that begins again", func() bool { return len(va.Peers()) == 1 && len(vb.Peers()) == 1 })
	if ra.has(two.Self().Short() + " c late") {
		t.Error("a stopped chain got a message")
	}
}

func TestOtherRules(t *testing.T) {
	b := bed{t, transporttest.NewHub()}
	one, two := b.node(1, 2), b.node(2, 1)
	va, ra := start(one, chainA, "x/1")
	vb, rb := start(two, chainA, "x/2")
	oa, got := start(one, chainB, "x/1")
	ob, _ := start(two, chainB, "x/1")
	await(t, "the chain with the same rules", func() bool { return len(oa.Peers()) == 1 && len(ob.Peers()) == 1 })
	if len(va.Peers())+len(vb.Peers()) > 0 {
		t.Error("nodes with other rules are peers")
	}
	// What such a node sends all the same is not looked at.
	two.transmit(transport.Control, transport.Outgoing{Peers: []transport.PeerID{transport.PeerID(one.Self())}, Channel: vb.channel(chain.MsgConsensus), Payload: []byte("vote")})
	ob.Broadcast(chain.MsgConsensus, []byte("last"))
	await(t, "the last message", func() bool { return got.has(two.Self().Short() + " c last") })
	if ra.count()+rb.count() > 0 {
		t.Errorf("%q, %q", ra.got, rb.got)
	}
}

func TestRequests(t *testing.T) {
	b := bed{t, transporttest.NewHub()}
	one, two, three := b.node(1, 2, 3), b.node(2, 1), b.node(3, 1)
	va, _ := start(one, chainA, "")
	vb, rb := start(two, chainA, "")
	vc, _ := start(three, chainA, "")
	// Both ends of each connection: what is asked of a node that does not know the asker yet is lost.
	await(t, "the peers", func() bool { return len(va.Peers()) == 2 && len(vb.Peers()) == 1 && len(vc.Peers()) == 1 })
	if got, err := va.Request(t.Context(), two.Self(), chain.ReqBody, []byte("x")); err != nil || string(got) != "re x" {
		t.Errorf("%q, %v", got, err)
	}
	rb.answer = func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no such block") }
	if _, err := va.Request(t.Context(), two.Self(), chain.ReqBody, nil); !errors.Is(err, ErrRefused) || !bytes.Contains([]byte(err.Error()), []byte("no such block")) {
		t.Errorf("%v", err)
	}
	// More than one node may ask at a time are refused, and others are served meanwhile.
	release, entered := make(chan struct{}), make(chan struct{}, 64)
	rb.answer = func(context.Context, []byte) ([]byte, error) { entered <- struct{}{}; <-release; return nil, nil }
	errs := make(chan error, maxPerNode)
	for range maxPerNode {
		go func() {
			_, err := va.Request(context.Background(), two.Self(), chain.ReqBody, nil)
			errs <- err
		}()
	}
	for range maxPerNode {
		<-entered
	}
	if _, err := va.Request(t.Context(), two.Self(), chain.ReqBody, nil); !errors.Is(err, ErrRefused) {
		t.Errorf("one too many: %v", err)
	}
	close(release)
	for range maxPerNode {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	await(t, "the end of serving", func() bool {
		v := two.chains[chainA]
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.busy == 0 && len(v.serving) == 0
	})
	// One who does not answer: the asker's time ends it, or the end of the connection.
	rb.answer = func(ctx context.Context, _ []byte) ([]byte, error) {
		entered <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	if _, err := va.Request(ctx, two.Self(), chain.ReqBody, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	go func() { <-entered; b.hub.Cut(address(1), address(2)) }()
	if _, err := va.Request(t.Context(), two.Self(), chain.ReqBody, nil); !errors.Is(err, ErrNotConnected) {
		t.Errorf("%v", err)
	}
	va.mu.Lock()
	if len(va.pending) > 0 {
		t.Error("requests are left")
	}
	va.mu.Unlock()
	// An answer of a node that was not asked.
	ch := make(chan answer, 1)
	va.mu.Lock()
	va.pending[77] = pending{two.Self(), ch}
	va.mu.Unlock()
	va.onRequest(t.Context(), three.Self(), append(frame(kindAnswer, 77, 'B'), "lie"...))
	va.onRequest(t.Context(), three.Self(), append(frame(kindRefusal, 77, 'B'), "lie"...))
	va.onRequest(t.Context(), two.Self(), []byte{kindAnswer})
	va.onRequest(t.Context(), two.Self(), append(frame(9, 77, 'B'), "unknown"...))
	if len(ch) > 0 {
		t.Error("an answer of another node was taken")
	}
	va.onRequest(t.Context(), two.Self(), append(frame(kindAnswer, 77, 'B'), "truth"...))
	if a := <-ch; string(a.data) != "truth" {
		t.Errorf("%+v", a)
	}
	// After the connection comes back.
	rb.answer = nil
	b.hub.Heal(address(1), address(2))
	await(t, "the connection", func() bool {
		// One side may know of the connection before the other: what is asked then is lost, and asked again.
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		got, err := va.Request(ctx, two.Self(), chain.ReqBody, []byte("y"))
		return err == nil && string(got) == "re y"
	})
}

// raw is a bare transport that speaks for itself.
type raw struct {
	t *testing.T
	k key
	l transport.Link
}

func (b bed) raw(i, dial int) *raw {
	b.t.Helper()
	tr := b.hub.New()
	if _, err := tr.Listen(b.t.Context(), address(i)); err != nil {
		b.t.Fatal(err)
	}
	l, err := tr.Attach(context.Background(), transport.Control)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = l.Close(); _ = tr.Close() })
	if err := l.Dial(transport.PeerID(newKey(dial).id()), address(dial)); err != nil {
		b.t.Fatal(err)
	}
	return &raw{b.t, newKey(i), l}
}

func (r *raw) send(to types.Hash, channel string, payload []byte) {
	r.t.Helper()
	if err := r.l.Send(transport.Outgoing{Peers: []transport.PeerID{transport.PeerID(to)}, Channel: channel, Payload: payload}); err != nil {
		r.t.Fatal(err)
	}
}

// hello waits for the other side's.
func (r *raw) hello() *hello {
	r.t.Helper()
	for {
		in, err := r.l.Recv()
		if err != nil {
			r.t.Fatal(err)
		}
		if in.Message != nil && in.Message.Channel == channelHello {
			if h, _, err := decodeGreeting(in.Message.Payload); err == nil && h != nil {
				return h
			}
		}
	}
}

func (r *raw) proof(to types.Hash, n nonce, chains ...chainInfo) proof {
	p := proof{key: r.k.pub, nonce: n, chains: chains}
	p.sig = ed25519.Sign(r.k.priv, p.signBytes(to))
	return p
}

func TestGreetingsThatAreRefused(t *testing.T) {
	b := bed{t, transporttest.NewHub()}
	n := b.node(1, 2)
	_, rec := start(n, chainA, "")
	two, stranger := b.raw(2, 1), b.raw(3, 1)
	h2, h3 := two.hello(), stranger.hello()
	if h2.nonce == h3.nonce {
		t.Fatal("two connections have one nonce")
	}
	other := newKey(4)
	good := two.proof(n.Self(), h2.nonce, chainInfo{chainA, ""})
	with := func(f func(p *proof)) proof {
		p := good
		f(&p)
		return p
	}
	forged := with(func(p *proof) { p.key = other.pub }) // a valid signature of another key
	forged.sig = ed25519.Sign(other.priv, forged.signBytes(n.Self()))
	own := with(func(p *proof) { p.key = newKey(1).pub })
	own.sig = ed25519.Sign(newKey(1).priv, own.signBytes(n.Self()))
	for name, c := range map[string]struct {
		from *raw
		p    proof
	}{
		"bad signature":           {two, with(func(p *proof) { p.sig = bytes.Clone(p.sig); p.sig[3] ^= 1 })},
		"other chains":            {two, with(func(p *proof) { p.chains = nil })},
		"for another node":        {two, two.proof(other.id(), h2.nonce)},
		"of another connection":   {two, two.proof(n.Self(), h3.nonce)},
		"replayed by a stranger":  {stranger, good},
		"not who was dialled":     {two, forged},
		"this node's own key":     {two, own},
		"a nonce that nobody had": {two, two.proof(n.Self(), nonce{})},
	} {
		if err := n.onGreeting(linkOf(t, n, c.from), c.p.encode()); !errors.Is(err, errGreeting) {
			t.Errorf("%s: %v", name, err)
		}
		if got := n.Connected(); len(got) > 0 {
			t.Fatalf("%s: %v", name, got)
		}
	}
	for name, payload := range map[string][]byte{
		"nothing": {}, "unknown kind": {9}, "cut off": good.encode()[:40], "left over": append(good.encode(), 0),
		"other version": hello{Version + 1, two.k.pub, nonce{1}}.encode(),
	} {
		if err := n.onGreeting(linkOf(t, n, two), payload); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	// Nobody who has not shown who he is is heard.
	two.send(n.Self(), string(chainA[:])+"c", []byte("early"))
	two.send(n.Self(), "short", []byte("x"))
	two.send(n.Self(), channelHello, good.encode())
	connected(t, n, two.k.id())
	two.send(n.Self(), string(chainA[:])+"c", []byte("vote"))
	await(t, "the message", func() bool { return rec.has(two.k.id().Short() + " c vote") })
	if rec.has(two.k.id().Short() + " c early") {
		t.Error("a message from nobody was heard")
	}
	// A stranger who shows who he is may follow.
	stranger.send(n.Self(), channelHello, stranger.proof(n.Self(), h3.nonce, chainInfo{chainA, ""}).encode())
	connected(t, n, two.k.id(), stranger.k.id())
}

// linkOf returns what a network calls a bare transport.
func linkOf(t *testing.T, n *Network, r *raw) transport.PeerID {
	t.Helper()
	if n.dialled(r.k.id()) {
		return transport.PeerID(r.k.id())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for id := range n.peers {
		if !n.dialled(types.Hash(id)) {
			return id
		}
	}
	t.Fatal("there is no stranger")
	return transport.PeerID{}
}

// Two nodes that do not accept each other do not greet each other for ever.
func TestGreetingsEnd(t *testing.T) {
	b := bed{t, transporttest.NewHub()}
	n := b.node(1) // which dials nobody: a dial that crosses the other's would begin the connection anew
	two := b.raw(2, 1)
	two.hello()
	mine := hello{Version, two.k.pub, nonce{5}}
	for range 20 {
		two.send(n.Self(), channelHello, mine.encode())
	}
	hellos, proofs := 0, 0
	for proofs < 20 {
		in, err := two.l.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if in.Message == nil {
			continue // the connection has come up
		}
		switch h, p, _ := decodeGreeting(in.Message.Payload); {
		case h != nil:
			hellos++
		case p != nil:
			proofs++
		}
	}
	if hellos != 1 {
		t.Errorf("%d hellos in answer to one that was repeated", hellos)
	}
}

// A node that is reached over two connections is still there when one of them breaks.
func TestTwoConnectionsOfANode(t *testing.T) {
	b := bed{t, transporttest.NewHub()}
	n := b.node(1, 2)
	two := b.raw(2, 1)
	second := b.raw(3, 1)
	second.k = two.k
	h2, h3 := two.hello(), second.hello()
	two.send(n.Self(), channelHello, two.proof(n.Self(), h2.nonce).encode())
	second.send(n.Self(), channelHello, second.proof(n.Self(), h3.nonce).encode())
	await(t, "both", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		up := 0
		for _, p := range n.peers {
			if p.node == two.k.id() {
				up++
			}
		}
		return up == 2
	})
	b.hub.Cut(address(1), address(2))
	await(t, "the loss of one", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.peers) == 1
	})
	connected(t, n, two.k.id())
}

func TestConnectionsAreBounded(t *testing.T) {
	b := bed{t, transporttest.NewHub()}
	n := b.node(1, 2)
	for i := range maxLinks + 10 {
		_ = n.onGreeting(transport.PeerID{byte(i), byte(i >> 8), 1}, []byte{kindAgain})
	}
	n.mu.Lock()
	if len(n.peers) > maxLinks {
		t.Errorf("%d connections", len(n.peers))
	}
	n.mu.Unlock()
	two := b.node(2, 1)
	connected(t, n, two.Self()) // there is always room for those that are dialled
	for i := range maxLinks + 10 {
		n.onPeer(&transport.PeerEvent{Peer: transport.PeerID{byte(i), byte(i >> 8), 1}})
	}
	n.mu.Lock()
	if len(n.peers) != 1 {
		t.Errorf("%d connections are left", len(n.peers))
	}
	n.mu.Unlock()
}

// A bad address among the peers does not keep the node from the others, and a transport that dies is attached again.
func TestTransportTrouble(t *testing.T) {
	b := bed{t, transporttest.NewHub()}
	two := b.node(2, 1)
	k := newKey(1)
	f := &fragile{Transport: b.hub.New()}
	n := New(Options{Transport: f, Listen: address(1), Key: k.pub, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Sign:  func(m []byte) ([]byte, error) { return ed25519.Sign(k.priv, m), nil },
		Peers: []Peer{{"bad", types.Hash{1}, "nonsense"}, {"self", types.Hash{2}, address(1)}, {"two", two.Self(), address(2)}}})
	b.run(n)
	va, _ := start(n, chainA, "")
	_, rb := start(two, chainA, "")
	connected(t, n, two.Self())
	await(t, "the peer", func() bool { return len(va.Peers()) == 1 })
	for i := range 3 {
		f.breakLinks()
		await(t, "a message after it came back", func() bool {
			text := fmt.Sprint("life ", i)
			va.Broadcast(chain.MsgConsensus, []byte(text))
			return rb.has(n.Self().Short() + " c " + text)
		})
	}
	f.mu.Lock()
	f.gone = fmt.Errorf("test: %w", host.ErrFailed)
	f.mu.Unlock()
	last := New(Options{Transport: f, Listen: address(1), Key: k.pub, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := last.Run(t.Context()); !errors.Is(err, host.ErrFailed) {
		t.Errorf("a transport that has failed for good: %v", err)
	}
	f.mu.Lock()
	f.gone = nil
	f.mu.Unlock()
	taken := New(Options{Transport: b.hub.New(), Listen: address(2), Key: k.pub, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := taken.Run(t.Context()); !errors.Is(err, transport.ErrAddress) {
		t.Errorf("an address that is taken: %v", err)
	}
}

// fragile is a transport whose links can be broken.
type fragile struct {
	transport.Transport
	mu    sync.Mutex
	links []transport.Link
	gone  error
}

func (f *fragile) Listen(ctx context.Context, address string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone != nil {
		return "", f.gone
	}
	return f.Transport.Listen(ctx, address)
}

func (f *fragile) Attach(ctx context.Context, lane transport.Lane) (transport.Link, error) {
	l, err := f.Transport.Attach(ctx, lane)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.links = append(f.links, l)
	return l, err
}

func (f *fragile) breakLinks() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.links {
		_ = l.Close()
	}
	f.links = nil
}

func FuzzDecodeGreeting(f *testing.F) {
	k := newKey(1)
	f.Add(hello{Version, k.pub, nonce{1}}.encode())
	f.Add(proof{key: k.pub, chains: []chainInfo{{chainA, "x/1 y/2"}}, sig: make([]byte, 64)}.encode())
	f.Add([]byte{kindAgain})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, p, err := decodeGreeting(b)
		switch {
		case err != nil:
		case h != nil && p == nil:
			if !bytes.Equal(h.encode(), b) {
				t.Error("a hello has two encodings")
			}
		case p != nil && h == nil:
			if !bytes.Equal(p.encode(), b) {
				t.Error("a proof has two encodings")
			}
		default:
			t.Error("neither, or both")
		}
	})
}
