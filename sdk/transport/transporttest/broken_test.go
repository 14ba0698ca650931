package transporttest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// broken wraps the reference transport. What is set takes the place of what the reference does.
type broken struct {
	transport.Transport
	listen func(ctx context.Context, address string) (string, error)
	attach func(ctx context.Context, lane transport.Lane) (transport.Link, error)
	probe  func(ctx context.Context, peer transport.PeerID, n int) (transport.LinkReport, error)
	stats  func(ctx context.Context) ([]transport.LinkStats, error)
}

func (b *broken) Listen(ctx context.Context, address string) (string, error) {
	if b.listen != nil {
		return b.listen(ctx, address)
	}
	return b.Transport.Listen(ctx, address)
}

func (b *broken) Attach(ctx context.Context, lane transport.Lane) (transport.Link, error) {
	if b.attach != nil {
		return b.attach(ctx, lane)
	}
	return b.Transport.Attach(ctx, lane)
}

func (b *broken) Probe(ctx context.Context, peer transport.PeerID, n int) (transport.LinkReport, error) {
	if b.probe != nil {
		return b.probe(ctx, peer, n)
	}
	return b.Transport.Probe(ctx, peer, n)
}

func (b *broken) Stats(ctx context.Context) ([]transport.LinkStats, error) {
	if b.stats != nil {
		return b.stats(ctx)
	}
	return b.Transport.Stats(ctx)
}

// brokenLink does the same for a link.
type brokenLink struct {
	transport.Link
	lane   transport.Lane
	dial   func(transport.PeerID, string) error
	hangup func(transport.PeerID) error
	send   func(transport.Outgoing) error
	recv   func() (transport.Incoming, error)
	close  func() error
}

func (l *brokenLink) Dial(p transport.PeerID, a string) error {
	if l.dial != nil {
		return l.dial(p, a)
	}
	return l.Link.Dial(p, a)
}

func (l *brokenLink) Hangup(p transport.PeerID) error {
	if l.hangup != nil {
		return l.hangup(p)
	}
	return l.Link.Hangup(p)
}

func (l *brokenLink) Send(o transport.Outgoing) error {
	if l.send != nil {
		return l.send(o)
	}
	return l.Link.Send(o)
}

func (l *brokenLink) Recv() (transport.Incoming, error) {
	if l.recv != nil {
		return l.recv()
	}
	return l.Link.Recv()
}

func (l *brokenLink) Close() error {
	if l.close != nil {
		return l.close()
	}
	return l.Link.Close()
}

// breakage breaks a transport.
type breakage func(s *shared, b *broken, m *Memory)

// shared is what the transports of one factory know together.
type shared struct {
	mu      sync.Mutex
	listens map[string]int // by address
	dialled map[string]bool
}

func (s *shared) isDialled(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dialled[address]
}

// onLinks breaks every link of a transport.
func onLinks(f func(l *brokenLink)) breakage {
	return func(_ *shared, b *broken, m *Memory) {
		b.attach = func(ctx context.Context, lane transport.Lane) (transport.Link, error) {
			k, err := m.Attach(ctx, lane)
			if err != nil {
				return nil, err
			}
			l := &brokenLink{Link: k, lane: lane}
			f(l)
			return l, nil
		}
	}
}

// onReceive changes what is received.
func onReceive(f func(lane transport.Lane, in transport.Incoming) transport.Incoming) breakage {
	return onLinks(func(l *brokenLink) {
		l.recv = func() (transport.Incoming, error) {
			in, err := l.Link.Recv()
			if err != nil {
				return in, err
			}
			return f(l.lane, in), nil
		}
	})
}

// breakages has, for each case, a transport that only this case finds, or several: CASE/VARIANT. They do not authenticate.
func breakages() map[string]breakage {
	return map[string]breakage{
		"listen-again-is-the-same": func(_ *shared, b *broken, m *Memory) {
			listening := false
			b.listen = func(ctx context.Context, a string) (string, error) {
				if listening {
					return "", transport.ErrInvalid
				}
				at, err := m.Listen(ctx, a)
				listening = err == nil
				return at, err
			}
		},
		"listen-after-restart": func(s *shared, b *broken, m *Memory) {
			b.listen = func(ctx context.Context, a string) (string, error) {
				if s.listens[a] > 2 {
					return "", transport.ErrAddress
				}
				at, err := m.Listen(ctx, a)
				s.listens[at]++
				return at, err
			}
		},
		"bad-listen-address": func(_ *shared, b *broken, m *Memory) {
			b.listen = func(ctx context.Context, a string) (string, error) {
				if a == "127.0.0.1" {
					a = "127.0.0.1:0"
				}
				return m.Listen(ctx, a)
			}
		},
		"address-in-use": func(_ *shared, b *broken, m *Memory) {
			b.listen = func(ctx context.Context, a string) (string, error) {
				at, err := m.Listen(ctx, a)
				if err != nil && strings.Contains(err.Error(), "in use") {
					return m.Listen(ctx, "127.0.0.1:0")
				}
				return at, err
			}
		},
		"closed-instance": func(_ *shared, b *broken, m *Memory) {
			var address string
			b.listen = func(ctx context.Context, a string) (string, error) {
				at, err := m.Listen(ctx, a)
				if errors.Is(err, transport.ErrClosed) {
					return address, nil
				}
				address = at
				return at, err
			}
		},
		"delivers-both-ways": onReceive(func(_ transport.Lane, in transport.Incoming) transport.Incoming {
			if in.Message != nil && string(in.Message.Payload) == "from b" {
				in.Message.Payload = []byte("from B")
			}
			return in
		}),
		"bulk-on-the-bulk-lane": onReceive(func(lane transport.Lane, in transport.Incoming) transport.Incoming {
			if in.Message != nil && lane == transport.Bulk && string(in.Message.Payload) == "bulk body" {
				in.Message.Peer = id("somebody")
			}
			return in
		}),
		"empty-and-binary": onReceive(func(_ transport.Lane, in transport.Incoming) transport.Incoming {
			if in.Message != nil {
				in.Message.Channel = strings.ToValidUTF8(in.Message.Channel, "?")
			}
			return in
		}),
		"order-within-a-channel": onLinks(func(l *brokenLink) { // what is large overtakes what was sent before it
			var held *transport.Outgoing
			l.send = func(o transport.Outgoing) error {
				if o.Channel != "ordered" {
					return l.Link.Send(o)
				}
				if held == nil && len(o.Payload) < 100 {
					held = &o
					return nil
				}
				err := l.Link.Send(o)
				if held != nil {
					err = errors.Join(err, l.Link.Send(*held))
					held = nil
				}
				return err
			}
		}),
		"bulk-arrives-whole": onReceive(func(lane transport.Lane, in transport.Incoming) transport.Incoming {
			if in.Message != nil && lane == transport.Bulk && len(in.Message.Payload) == 40_000 {
				in.Message.Payload[39_999]++
			}
			return in
		}),
		"bulk-arrives-whole/lost": onLinks(func(l *brokenLink) {
			n := 0
			l.send = func(o transport.Outgoing) error {
				if o.Channel == "bulk" {
					if n++; n == several {
						return nil
					}
				}
				return l.Link.Send(o)
			}
		}),
		"largest-message-whole": onReceive(func(_ transport.Lane, in transport.Incoming) transport.Incoming {
			if in.Message != nil && len(in.Message.Payload) > 8<<20 {
				in.Message.Payload = in.Message.Payload[:8<<20]
			}
			return in
		}),
		"too-large-is-refused": onLinks(func(l *brokenLink) {
			l.send = func(o transport.Outgoing) error {
				if len(o.Payload) > transport.MaxPayload {
					return nil
				}
				return l.Link.Send(o)
			}
		}),
		"malformed-is-refused": onLinks(func(l *brokenLink) {
			l.send = func(o transport.Outgoing) error {
				if len(o.Channel) > transport.MaxChannel {
					return nil
				}
				return l.Link.Send(o)
			}
		}),
		"several-receivers": onLinks(func(l *brokenLink) {
			l.send = func(o transport.Outgoing) error {
				if len(o.Peers) == 2 && o.Peers[0] != id("nobody") {
					o.Peers = o.Peers[:1]
				}
				return l.Link.Send(o)
			}
		}),
		"unknown-peer-is-no-error": onLinks(func(l *brokenLink) {
			l.send = func(o transport.Outgoing) error {
				if err := l.Link.Send(o); err != nil {
					return err
				}
				if len(o.Peers) > 0 && o.Peers[0] == id("nobody") {
					return transport.ErrUnknownPeer
				}
				return nil
			}
		}),
		"event-names-the-address": onReceive(func(_ transport.Lane, in transport.Incoming) transport.Incoming {
			if in.Peer != nil {
				in.Peer.Address = ""
			}
			return in
		}),
		"dial-before-the-peer-listens": onLinks(func(l *brokenLink) {
			l.send = func(o transport.Outgoing) error {
				if string(o.Payload) == "hello" {
					return nil
				}
				return l.Link.Send(o)
			}
		}),
		"restarted-peer-is-down-then-up": func(s *shared, b *broken, m *Memory) {
			hide(func(e *transport.PeerEvent) bool { return !e.Up && e.Peer == id("b") && s.isDialled(m.address) })(s, b, m)
		},
		"peer-is-found-again": func(s *shared, b *broken, m *Memory) {
			hide(func(e *transport.PeerEvent) bool {
				return !e.Up && e.Peer == id("b") && e.Reason != "hung up" && !s.isDialled(m.address)
			})(s, b, m)
		},
		"hangup-ends-a-connection": onLinks(func(l *brokenLink) {
			l.hangup = func(p transport.PeerID) error {
				if p == id("b") {
					return nil
				}
				return l.Link.Hangup(p)
			}
		}),
		"hangup-of-nobody": onLinks(func(l *brokenLink) {
			l.hangup = func(p transport.PeerID) error {
				if p == id("nobody") {
					return transport.ErrUnknownPeer
				}
				return l.Link.Hangup(p)
			}
		}),
		"dial-again-moves-the-peer": onLinks(func(l *brokenLink) {
			at := map[transport.PeerID]string{}
			l.dial = func(p transport.PeerID, a string) error {
				if old, ok := at[p]; ok && transport.CheckAddress(a) == nil {
					a = old
				}
				if err := l.Link.Dial(p, a); err != nil {
					return err
				}
				if p == id("peer") {
					at[p] = a
				}
				return nil
			}
		}),
		"dial-twice-is-once": onLinks(func(l *brokenLink) {
			at := map[transport.PeerID]string{}
			l.dial = func(p transport.PeerID, a string) error {
				if at[p] == a && a != "" {
					_ = l.Link.Hangup(p)
				}
				at[p] = a
				return l.Link.Dial(p, a)
			}
			hang := l.Link.Hangup
			l.hangup = func(p transport.PeerID) error { delete(at, p); return hang(p) }
		}),
		"bad-dial-address": onLinks(func(l *brokenLink) {
			l.dial = func(p transport.PeerID, a string) error {
				if transport.CheckAddress(a) != nil {
					return nil
				}
				return l.Link.Dial(p, a)
			}
		}),
		"stranger-has-one-name": func(s *shared, b *broken, m *Memory) {
			gen := byte(0) // strangers have other names after one has gone
			rename(func(real transport.PeerID) transport.PeerID { real[31] ^= gen; return real }, func(e *transport.PeerEvent) {
				if !e.Up {
					gen++
				}
			})(s, b, m)
		},
		"strangers-differ": func(s *shared, b *broken, m *Memory) {
			rename(func(transport.PeerID) transport.PeerID { return id("stranger") }, func(*transport.PeerEvent) {})(s, b, m)
		},
		"stranger-is-renamed-when-dialled": hide(func(e *transport.PeerEvent) bool { return e.Reason == "it has another name" }),
		"second-attach-replaces-the-first": func(_ *shared, b *broken, m *Memory) {
			var mu sync.Mutex
			n := 0
			b.attach = func(ctx context.Context, lane transport.Lane) (transport.Link, error) {
				k, err := m.Attach(ctx, lane)
				if err != nil || lane != transport.Bulk {
					return k, err
				}
				mu.Lock()
				defer mu.Unlock()
				n++
				l := &brokenLink{Link: k, lane: lane}
				l.recv = func() (transport.Incoming, error) {
					in, err := k.Recv()
					mu.Lock()
					defer mu.Unlock()
					if errors.Is(err, transport.ErrClosed) && n == 2 {
						err = errors.New("another error than ErrClosed")
					}
					return in, err
				}
				return l, nil
			}
		},
		"control-begins-with-who-is-up": func(_ *shared, b *broken, m *Memory) {
			n := 0
			b.attach = func(ctx context.Context, lane transport.Lane) (transport.Link, error) {
				k, err := m.Attach(ctx, lane)
				if err != nil || lane != transport.Control {
					return k, err
				}
				if n++; n == 1 {
					return k, nil
				}
				return &brokenLink{Link: k, lane: lane, recv: func() (transport.Incoming, error) {
					for {
						if in, err := k.Recv(); err != nil || in.Message != nil {
							return in, err
						}
					}
				}}, nil
			}
		},
		"recv-returns-after-close": onLinks(func(l *brokenLink) {
			var closed sync.Once
			gone := make(chan struct{})
			l.close = func() error { closed.Do(func() { close(gone) }); return l.Link.Close() }
			l.recv = func() (transport.Incoming, error) {
				in, err := l.Link.Recv()
				select {
				case <-gone:
					err = errors.New("another error than ErrClosed")
				default:
				}
				return in, err
			}
		}),
		"send-fails-after-close": onLinks(func(l *brokenLink) {
			l.send = func(o transport.Outgoing) error {
				if err := l.Link.Send(o); !errors.Is(err, transport.ErrClosed) {
					return err
				}
				return nil
			}
		}),
		"close-again": onLinks(func(l *brokenLink) {
			closed := 0
			l.close = func() error {
				closed++
				if err := l.Link.Close(); err != nil || closed < 3 || l.lane != transport.Bulk {
					return err
				}
				if closed == 3 {
					return transport.ErrClosed
				}
				return nil
			}
		}),
		"link-ends-with-its-context": func(_ *shared, b *broken, m *Memory) {
			b.attach = func(ctx context.Context, lane transport.Lane) (transport.Link, error) {
				return m.Attach(context.WithoutCancel(ctx), lane)
			}
		},
		"attach-needs-a-lane": func(_ *shared, b *broken, m *Memory) {
			b.attach = func(ctx context.Context, lane transport.Lane) (transport.Link, error) {
				return m.Attach(ctx, min(lane, transport.Bulk))
			}
		},
		"probe-counts": func(_ *shared, b *broken, m *Memory) {
			b.probe = func(ctx context.Context, p transport.PeerID, n int) (transport.LinkReport, error) {
				r, err := m.Probe(ctx, p, n)
				r.Sent /= 2
				return r, err
			}
		},
		"probe-counts/overtaken": func(_ *shared, b *broken, m *Memory) {
			b.probe = func(ctx context.Context, p transport.PeerID, n int) (transport.LinkReport, error) {
				r, err := m.Probe(ctx, p, n)
				r.Reordered = r.Sent + 1
				return r, err
			}
		},
		"probe-counts/goodput": func(_ *shared, b *broken, m *Memory) {
			b.probe = func(ctx context.Context, p transport.PeerID, n int) (transport.LinkReport, error) {
				r, err := m.Probe(ctx, p, n)
				r.In--
				return r, err
			}
		},
		"probe-of-nobody": func(_ *shared, b *broken, m *Memory) {
			b.probe = func(ctx context.Context, p transport.PeerID, n int) (transport.LinkReport, error) {
				r, err := m.Probe(ctx, p, n)
				if errors.Is(err, transport.ErrUnknownPeer) {
					err = transport.ErrNotConnected
				}
				return r, err
			}
		},
		"probe-without-connection": func(_ *shared, b *broken, m *Memory) {
			b.probe = func(ctx context.Context, p transport.PeerID, n int) (transport.LinkReport, error) {
				r, err := m.Probe(ctx, p, n)
				if errors.Is(err, transport.ErrNotConnected) {
					return transport.LinkReport{Sent: n, Lost: n}, nil
				}
				return r, err
			}
		},
		"probe-is-bounded": func(_ *shared, b *broken, m *Memory) {
			b.probe = func(ctx context.Context, p transport.PeerID, n int) (transport.LinkReport, error) {
				return m.Probe(ctx, p, min(max(n, 1), transport.MaxProbe))
			}
		},
		"node-is-authenticated": onReceive(func(_ transport.Lane, in transport.Incoming) transport.Incoming {
			if in.Peer != nil {
				key := NodeKey("whoever")
				in.Peer.Node = &key
			}
			return in
		}),
		"flow-tells-when-full":         hideFlow(true),
		"flow-tells-when-full/no-room": hideFlow(false),
		"flow-tells-when-full/lossy": onLinks(func(l *brokenLink) { // it takes what it has no room for, and forgets it
			l.send = func(o transport.Outgoing) error {
				if len(o.Payload) == bodyBytes && o.Payload[3]%2 == 1 {
					return nil
				}
				return l.Link.Send(o)
			}
		}),
		"slow-peer-holds-up-nobody": onReceive(func(_ transport.Lane, in transport.Incoming) transport.Incoming {
			if in.Message != nil && string(in.Message.Payload) == "past the bodies" {
				in.Message.Payload = nil
			}
			return in
		}),
		"stats-tell-links": onStats(func(links []transport.LinkStats) []transport.LinkStats { return links[:max(1, len(links))-1] }),
		"stats-tell-links/order": onStats(func(links []transport.LinkStats) []transport.LinkStats {
			slices.Reverse(links)
			return links
		}),
		"stats-tell-links/down":      onStats(eachLink(func(l *transport.LinkStats) { l.Up = true })),
		"stats-tell-links/stranger":  onStats(eachLink(func(l *transport.LinkStats) { l.Dialled = true })),
		"stats-tell-links/nowhere":   onStats(eachLink(func(l *transport.LinkStats) { l.Address = "" })),
		"stats-tell-links/below":     onStats(eachLink(func(l *transport.LinkStats) { l.Queued-- })),
		"stats-tell-links/wraps":     onStats(eachLink(func(l *transport.LinkStats) { l.Retransmitted-- })),
		"stats-tell-links/queue":     onStats(eachLink(func(l *transport.LinkStats) { l.Queued++ })),
		"stats-tell-links/sends":     onStats(eachLink(func(l *transport.LinkStats) { l.SentBytes /= 2 })),
		"stats-tell-links/receives":  onStats(eachLink(func(l *transport.LinkStats) { l.ReceivedBytes = 0 })),
		"stats-tell-links/laneless":  onStats(eachLink(func(l *transport.LinkStats) { l.Lanes = 0 })),
		"stats-tell-links/one-twice": onStats(func(links []transport.LinkStats) []transport.LinkStats { return append(links, links[len(links)-1]) }),
	}
}

// authenticatedBreakages are of transports that authenticate.
func authenticatedBreakages() map[string]breakage {
	return map[string]breakage{
		"node-is-authenticated": onReceive(func(_ transport.Lane, in transport.Incoming) transport.Incoming {
			if in.Peer != nil {
				in.Peer.Node = nil
			}
			return in
		}),
		"node-is-authenticated/another": onReceive(func(_ transport.Lane, in transport.Incoming) transport.Incoming {
			if in.Peer != nil {
				key := NodeKey("whoever")
				in.Peer.Node = &key
			}
			return in
		}),
		"wrong-node-is-refused": wrongNode(func(c transport.PeerID, in transport.Incoming) []transport.Incoming {
			return []transport.Incoming{{Peer: &transport.PeerEvent{Peer: c, Up: true, Reason: "connected", Address: in.Peer.Address}}, in}
		}),
		"wrong-node-is-refused/delivers": wrongNode(func(c transport.PeerID, in transport.Incoming) []transport.Incoming {
			return []transport.Incoming{{Message: &transport.Message{Peer: c, Channel: "c", Payload: []byte("from b")}}, in}
		}),
		"wrong-node-is-refused/sends": func(_ *shared, b *broken, m *Memory) { // what is for c goes to b as soon as that can be
			onLinks(func(l *brokenLink) {
				var held []transport.Outgoing
				l.send = func(o transport.Outgoing) error {
					if string(o.Payload) == "for c" {
						held = append(held, o)
					}
					if string(o.Payload) == "for b" {
						for _, h := range held {
							h.Peers = o.Peers
							if err := l.Link.Send(h); err != nil {
								return err
							}
						}
					}
					return l.Link.Send(o)
				}
			})(nil, b, m)
		},
		"wrong-node-is-refused/probes": func(_ *shared, b *broken, m *Memory) {
			b.probe = func(ctx context.Context, p transport.PeerID, n int) (transport.LinkReport, error) {
				if p == NodeID("c") {
					return transport.LinkReport{Min: 1, P50: 1, P99: 1, Sent: n}, nil
				}
				return m.Probe(ctx, p, n)
			}
		},
		"moved-stranger": func(_ *shared, b *broken, m *Memory) {
			var mu sync.Mutex
			at := map[transport.PeerID]string{}
			onReceive(func(_ transport.Lane, in transport.Incoming) transport.Incoming {
				mu.Lock()
				defer mu.Unlock()
				if e := in.Peer; e != nil && e.Up {
					if at[e.Peer] == "" {
						at[e.Peer] = e.Address
					}
					e.Address = at[e.Peer]
				}
				return in
			})(nil, b, m)
		},
	}
}

// hideFlow withholds the flows that a peer is full, or that it is not.
func hideFlow(full bool) breakage {
	return onLinks(func(l *brokenLink) {
		l.recv = func() (transport.Incoming, error) {
			for {
				if in, err := l.Link.Recv(); err != nil || in.Flow == nil || in.Flow.Full != full {
					return in, err
				}
			}
		}
	})
}

// onStats changes what is told about links.
func onStats(f func([]transport.LinkStats) []transport.LinkStats) breakage {
	return func(_ *shared, b *broken, m *Memory) {
		b.stats = func(ctx context.Context) ([]transport.LinkStats, error) {
			links, err := m.Stats(ctx)
			if len(links) > 0 {
				links = f(links)
			}
			return links, err
		}
	}
}

func eachLink(f func(*transport.LinkStats)) func([]transport.LinkStats) []transport.LinkStats {
	return func(links []transport.LinkStats) []transport.LinkStats {
		for i := range links {
			f(&links[i])
		}
		return links
	}
}

// wrongNode receives what lie says before the first event about another peer that comes after c was dialled in vain.
func wrongNode(lie func(c transport.PeerID, in transport.Incoming) []transport.Incoming) breakage {
	return onLinks(func(l *brokenLink) {
		var mu sync.Mutex
		dialled := false
		var next []transport.Incoming
		l.dial = func(p transport.PeerID, a string) error {
			mu.Lock()
			dialled = dialled || p == NodeID("c") && l.lane == transport.Control
			mu.Unlock()
			return l.Link.Dial(p, a)
		}
		l.recv = func() (transport.Incoming, error) {
			mu.Lock()
			if len(next) > 0 {
				in := next[0]
				next = next[1:]
				mu.Unlock()
				return in, nil
			}
			mu.Unlock()
			in, err := l.Link.Recv()
			mu.Lock()
			defer mu.Unlock()
			if err == nil && dialled && in.Peer != nil && in.Peer.Peer == NodeID("d") {
				dialled = false
				next = lie(NodeID("c"), in)
				in, next = next[0], next[1:]
			}
			return in, err
		}
	})
}

// hide withholds events.
func hide(which func(*transport.PeerEvent) bool) breakage {
	return onLinks(func(l *brokenLink) {
		l.recv = func() (transport.Incoming, error) {
			for {
				if in, err := l.Link.Recv(); err != nil || in.Peer == nil || !which(in.Peer) {
					return in, err
				}
			}
		}
	})
}

// rename gives strangers other names.
func rename(name func(transport.PeerID) transport.PeerID, after func(*transport.PeerEvent)) breakage {
	var mu sync.Mutex
	back := map[transport.PeerID]transport.PeerID{}
	alias := func(real transport.PeerID) transport.PeerID {
		if [16]byte(real[16:]) == [16]byte{} { // one of id's, not a hash
			return real
		}
		n := name(real)
		back[n] = real
		return n
	}
	links := onLinks(func(l *brokenLink) {
		l.recv = func() (transport.Incoming, error) {
			in, err := l.Link.Recv()
			mu.Lock()
			defer mu.Unlock()
			if in.Message != nil {
				in.Message.Peer = alias(in.Message.Peer)
			}
			if in.Peer != nil {
				in.Peer.Peer = alias(in.Peer.Peer)
				after(in.Peer)
			}
			return in, err
		}
		l.send = func(o transport.Outgoing) error {
			mu.Lock()
			to := make([]transport.PeerID, len(o.Peers))
			for i, p := range o.Peers {
				if to[i] = p; back[p] != (transport.PeerID{}) {
					to[i] = back[p]
				}
			}
			mu.Unlock()
			o.Peers = to
			return l.Link.Send(o)
		}
	})
	stats := onStats(eachLink(func(l *transport.LinkStats) {
		mu.Lock()
		defer mu.Unlock()
		l.Peer = alias(l.Peer)
	}))
	return func(s *shared, b *broken, m *Memory) {
		links(s, b, m)
		stats(s, b, m)
	}
}

func brokenFactory(f breakage, h *Hub) Factory {
	h.Queue = smallQueue
	s := &shared{listens: map[string]int{}, dialled: map[string]bool{}}
	return Factory{Authenticates: h.authenticates, Queue: 2 * smallQueue, Open: func(name string) (transport.Transport, func() error, error) {
		m := h.Node(NodeKey(name))
		b := &broken{Transport: m}
		f(s, b, m)
		// Who has been dialled is noted whatever else is broken.
		attach := b.Attach
		noting := &broken{Transport: b, attach: func(ctx context.Context, lane transport.Lane) (transport.Link, error) {
			k, err := attach(ctx, lane)
			if err != nil {
				return nil, err
			}
			return &brokenLink{Link: k, lane: lane, dial: func(p transport.PeerID, a string) error {
				s.mu.Lock()
				s.dialled[a] = true
				s.mu.Unlock()
				return k.Dial(p, a)
			}}, nil
		}}
		return noting, m.Close, nil
	}}
}

// judge is a T that only notes that the case has failed.
type judge struct {
	*testing.T
	mu     sync.Mutex
	failed []string
}

func (j *judge) Errorf(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failed = append(j.failed, fmt.Sprintf(format, args...))
}

func (j *judge) Fatalf(format string, args ...any) {
	j.Errorf(format, args...)
	runtime.Goexit()
}

// verdict runs a case and returns why it failed.
func verdict(t *testing.T, c Case, f Factory) []string {
	j := &judge{T: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(j, f)
	}()
	<-done
	return j.failed
}

// caseOf returns the case of CASE/VARIANT.
func caseOf(breakage string) string {
	name, _, _ := strings.Cut(breakage, "/")
	return name
}

// TestEachCaseFindsItsBreakage runs every case against every broken transport, of either sort.
func TestEachCaseFindsItsBreakage(t *testing.T) {
	sorts := map[string]struct {
		hub    func() *Hub
		breaks map[string]breakage
	}{"plain": {NewHub, breakages()}, "authenticated": {NewAuthenticatedHub, authenticatedBreakages()}}
	has := map[string]bool{}
	for _, s := range sorts {
		for name := range s.breaks {
			has[caseOf(name)] = true
		}
	}
	cases := map[string]Case{}
	for _, c := range Cases() {
		if cases[c.Name] = c; !has[c.Name] {
			t.Errorf("%s has no broken transport", c.Name)
		}
	}
	for sort, s := range sorts {
		for name, f := range s.breaks {
			own := cases[caseOf(name)]
			if own.Run == nil {
				t.Errorf("%s: there is no such case", name)
				continue
			}
			t.Run(sort+"/"+name, func(t *testing.T) {
				t.Parallel()
				found := make(chan []string, 1)
				go func() { // it mostly waits, so the others need not
					impatient := brokenFactory(f, s.hub())
					impatient.Patience = 500 * time.Millisecond
					found <- verdict(t, own, impatient)
				}()
				for _, c := range cases {
					if c.Name == own.Name || c.Name == "largest-message-whole" { // the latter is slow, and finds only its own
						continue
					}
					if why := verdict(t, c, brokenFactory(f, s.hub())); len(why) != 0 {
						t.Errorf("%s fails as well: %q", c.Name, why)
					}
				}
				if why := <-found; len(why) == 0 {
					t.Errorf("%s does not find its broken transport", own.Name)
				}
			})
		}
	}
}
