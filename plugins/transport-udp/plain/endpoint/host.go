package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

const (
	// holdAt is how many messages may wait to be received; then no more are taken until releaseAt are left.
	holdAt    = 512
	releaseAt = 256
)

// Errors.
var (
	// ErrNoConnection: nobody answered CONNECT.
	ErrNoConnection = errors.New("no connection")
	// ErrClosed: the host was closed.
	ErrClosed = errors.New("the endpoint is closed")
)

// EndError says why a connection ended, or was refused.
type EndError struct {
	Peer    netip.AddrPort
	Code    wire.Code
	ByPeer  bool // the peer reports the code
	Refused bool // there was no connection yet
	Reason  string
}

func (e *EndError) Error() string {
	if e.Refused {
		return fmt.Sprintf("connect to %s: %s", e.Peer, e.Reason)
	}
	return fmt.Sprintf("the connection to %s has ended (%s): %s", e.Peer, e.Code, e.Reason)
}

// Message is one that was received.
type Message struct {
	ID   wire.ID
	Body []byte
}

// Host is an endpoint with a blocking interface.
type Host struct {
	ep *Endpoint

	mu       sync.Mutex
	closed   bool
	changed  chan struct{} // closed at each change
	peers    map[netip.AddrPort]*Peer
	accepted []*Peer
	conns    int // of the hub
}

// Peer is a connection, from its beginning to its end.
type Peer struct {
	host      *Host
	addr      netip.AddrPort
	up        bool
	err       error // it is over
	queue     []Message
	held      bool
	confirmed []plain.Event
	room      int
	inFlight  int
	final     plain.Stats
}

// Open opens a host. Handle, Pump and After of the options are its own.
func Open(ctx context.Context, address string, opt Options) (*Host, error) {
	if err := opt.Hub.Conn.Check(); err != nil {
		return nil, err
	}
	h := &Host{changed: make(chan struct{}), peers: map[netip.AddrPort]*Peer{}}
	opt.Handle, opt.Pump, opt.After = h.handle, h.pump, nil
	ep, err := Listen(ctx, address, opt)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.ep = ep
	h.mu.Unlock()
	return h, nil
}

// Address is where the host listens.
func (h *Host) Address() netip.AddrPort { return h.ep.Address() }

// Close ends all connections.
func (h *Host) Close() error {
	err := h.ep.Close()
	h.mu.Lock()
	h.closed = true
	h.change()
	h.mu.Unlock()
	return err
}

func (h *Host) change() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// handle takes events, with the endpoint locked.
func (h *Host) handle(_ plain.Time, hub *plain.Hub, e plain.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.peers[e.Addr]
	switch e.Kind {
	case plain.Up:
		if p == nil {
			p = &Peer{host: h, addr: e.Addr}
			h.peers[e.Addr] = p
			h.accepted = append(h.accepted, p)
		}
		p.up = true
	case plain.Down, plain.Unreachable, plain.Refused:
		if p == nil {
			return
		}
		p.up, p.final = false, e.Stats
		p.err = &EndError{Peer: e.Addr, Code: e.Code, ByPeer: e.ByPeer, Refused: e.Kind == plain.Refused, Reason: e.Reason}
		if e.Kind == plain.Unreachable {
			p.err = fmt.Errorf("%w: %s: %s", ErrNoConnection, e.Addr, e.Reason)
		}
		delete(h.peers, e.Addr)
	case plain.Received:
		if p == nil {
			return
		}
		p.queue = append(p.queue, Message{e.ID, e.Body})
		if c := hub.Conn(e.Addr); c != nil && len(p.queue) >= holdAt && !p.held {
			p.held = true
			c.Hold(true)
		}
	case plain.Confirmed:
		if p != nil {
			p.confirmed = append(p.confirmed, e)
		}
	}
	h.change()
}

// pump looks at who has room, with the endpoint locked.
func (h *Host) pump(_ plain.Time, hub *plain.Hub) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed := h.conns != len(hub.Conns())
	h.conns = len(hub.Conns())
	for _, c := range hub.Conns() {
		if p := h.peers[c.Addr()]; p != nil && (p.room != c.Room() || p.inFlight != c.Unconfirmed()) {
			p.room, p.inFlight, changed = c.Room(), c.Unconfirmed(), true
		}
	}
	if changed {
		h.change()
	}
}

// until waits for a condition, which is called with the host locked.
func (h *Host) until(ctx context.Context, ok func() bool) error {
	h.mu.Lock()
	for !ok() {
		if h.closed {
			h.mu.Unlock()
			return ErrClosed
		}
		ch := h.changed
		h.mu.Unlock()
		select {
		case <-ch:
		case <-ctx.Done():
			return ctx.Err()
		}
		h.mu.Lock()
	}
	h.mu.Unlock()
	return nil
}

// Dial connects to an address. The error wraps [ErrNoConnection] if nobody answers, and is an [EndError] if the peer refuses.
func (h *Host) Dial(ctx context.Context, addr netip.AddrPort) (*Peer, error) {
	addr = unmap(addr)
	p := &Peer{host: h, addr: addr}
	h.mu.Lock()
	if h.peers[addr] != nil {
		h.mu.Unlock()
		return nil, fmt.Errorf("connect to %s: there is a connection already", addr)
	}
	h.peers[addr] = p
	h.mu.Unlock()
	h.ep.Do(func(now plain.Time, hub *plain.Hub) { hub.Dial(now, addr) })
	if err := h.until(ctx, func() bool { return p.up || p.err != nil }); err != nil {
		p.drop()
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !p.up && p.err != nil {
		return nil, p.err
	}
	return p, nil
}

// Accept waits for a connection that somebody else has made.
func (h *Host) Accept(ctx context.Context) (*Peer, error) {
	var p *Peer
	err := h.until(ctx, func() bool {
		if len(h.accepted) == 0 {
			return false
		}
		p, h.accepted = h.accepted[0], h.accepted[1:]
		return true
	})
	return p, err
}

func (p *Peer) drop() {
	p.host.ep.Do(func(now plain.Time, hub *plain.Hub) { hub.Hangup(now, p.addr, wire.DisConnect, "hung up") })
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	if p.host.peers[p.addr] == p {
		delete(p.host.peers, p.addr)
	}
}

// Addr is the peer's address.
func (p *Peer) Addr() netip.AddrPort { return p.addr }

// Done waits for the connection to end and returns why, or ctx's error.
func (p *Peer) Done(ctx context.Context) error {
	if err := p.host.until(ctx, func() bool { return p.err != nil }); err != nil {
		return err
	}
	return p.err
}

// conn calls f with the connection, if it is still this one.
func (p *Peer) conn(f func(now plain.Time, c *plain.Conn)) {
	p.host.ep.Do(func(now plain.Time, hub *plain.Hub) {
		p.host.mu.Lock()
		mine := p.host.peers[p.addr] == p
		p.host.mu.Unlock()
		if c := hub.Conn(p.addr); c != nil && mine {
			f(now, c)
		}
	})
}

// Send sends a message, when the window has room.
func (p *Peer) Send(ctx context.Context, id wire.ID, body []byte) error {
	for {
		sent := false
		p.conn(func(now plain.Time, c *plain.Conn) { sent = c.Send(now, id, body) })
		if sent {
			return nil
		}
		if err := p.host.until(ctx, func() bool { return p.err != nil || p.room > 0 }); err != nil {
			return err
		}
		if err := p.Err(); err != nil {
			return err
		}
	}
}

// Err is why the connection has ended, or nil.
func (p *Peer) Err() error {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	return p.err
}

// Flush waits until all that was sent is confirmed.
func (p *Peer) Flush(ctx context.Context) error {
	err := p.host.until(ctx, func() bool { return p.err != nil || p.inFlight == 0 })
	if err == nil {
		err = p.Err()
	}
	return err
}

// Recv returns the next message. After the connection has ended it returns those that came before, then the error.
func (p *Peer) Recv(ctx context.Context) (Message, error) {
	var m Message
	var end error
	release := false
	err := p.host.until(ctx, func() bool {
		if len(p.queue) == 0 {
			end = p.err
			return end != nil
		}
		m, p.queue = p.queue[0], p.queue[1:]
		if p.held && len(p.queue) <= releaseAt {
			p.held, release = false, true
		}
		return true
	})
	if release {
		p.conn(func(_ plain.Time, c *plain.Conn) { c.Hold(false) })
	}
	if err == nil {
		err = end
	}
	return m, err
}

// AcceptOver confirms the DATA_OVER that Recv has returned.
func (p *Peer) AcceptOver() { p.conn(func(now plain.Time, c *plain.Conn) { c.Accept(now) }) }

// Confirmed returns what was confirmed since the last call, if the settings ask for it.
func (p *Peer) Confirmed() []plain.Event {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	c := p.confirmed
	p.confirmed = nil
	return c
}

// Stats returns the connection's counters.
func (p *Peer) Stats() plain.Stats {
	p.host.mu.Lock()
	s := p.final
	p.host.mu.Unlock()
	p.conn(func(_ plain.Time, c *plain.Conn) { s = c.Stats() })
	return s
}

// Hangup ends the connection with a code and waits until the peer has confirmed it, or the limit of retransmissions.
func (p *Peer) Hangup(ctx context.Context, code wire.Code) error {
	if p.Err() != nil {
		return nil
	}
	p.host.ep.Do(func(now plain.Time, hub *plain.Hub) { hub.Hangup(now, p.addr, code, "hung up") })
	for {
		gone := false
		p.host.mu.Lock()
		ch := p.host.changed
		p.host.mu.Unlock()
		p.host.ep.Do(func(_ plain.Time, hub *plain.Hub) {
			c := hub.Conn(p.addr)
			gone = c == nil || !c.Farewell()
		})
		if gone {
			return nil
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
