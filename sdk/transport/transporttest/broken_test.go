package transporttest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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

// breakages has, for each case, a transport that only this case finds.
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
	}
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
	return onLinks(func(l *brokenLink) {
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
}

func brokenFactory(f breakage) Factory {
	h := NewHub()
	s := &shared{listens: map[string]int{}, dialled: map[string]bool{}}
	return Factory{Patience: time.Second, Open: func() (transport.Transport, func() error, error) {
		m := h.New()
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

// TestEachCaseFindsItsBreakage runs every case against every broken transport.
func TestEachCaseFindsItsBreakage(t *testing.T) {
	all := breakages()
	for _, c := range Cases() {
		if all[c.Name] == nil {
			t.Errorf("%s has no broken transport", c.Name)
		}
	}
	for name, f := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range Cases() {
				if c.Name == "largest-message-whole" && name != c.Name {
					continue // it is slow, and only two breakages look at payloads of that size
				}
				switch why := verdict(t, c, brokenFactory(f)); {
				case c.Name == name && len(why) == 0:
					t.Errorf("%s does not find its broken transport", c.Name)
				case c.Name != name && len(why) != 0:
					t.Errorf("%s fails as well: %q", c.Name, why)
				}
			}
		})
	}
}
