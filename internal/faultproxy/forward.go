package faultproxy

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// largest is the largest payload of a UDP datagram over IPv4; IPv6 has 20 bytes more.
	largest = 65527
	// socketBuffer is asked of the kernel for each direction of a socket, in bytes. It may grant less.
	socketBuffer = 4 << 20
	// batch is how many parcels are taken from the queue at once.
	batch = 64
	// pause is how long a reader waits after an error that does not end it.
	pause = 10 * time.Millisecond
)

// endpoint is an Endpoint at work. The proxy's lock guards target.
type endpoint struct {
	name   string
	at     netip.AddrPort
	target netip.AddrPort
	sock   *net.UDPConn
}

type flowKey struct {
	from netip.AddrPort
	to   *endpoint
}

// flow is the way of a sender that is no target: a socket of its own towards the target.
type flow struct {
	sock *net.UDPConn
	used atomic.Int64 // time of the last datagram, in either direction
}

// outlet is where a datagram leaves the proxy.
type outlet struct {
	sock *net.UDPConn
	to   netip.AddrPort
	flow *flow // or nil
}

// link is a directed pair at work. The lock is held while a datagram is written, so that order is kept, and nothing passes any more
// once a partition has been set.
type link struct {
	pair
	mu      sync.Mutex
	line    *Line
	pending int // in the queue
	extra   struct{ forwarded, forwardedBytes, overflow, late, sendErrors uint64 }
}

func openSocket(at netip.AddrPort) (*net.UDPConn, error) {
	network := "udp6"
	if at.Addr().Is4() {
		network = "udp4"
	}
	sock, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(at))
	if err == nil {
		_ = sock.SetReadBuffer(socketBuffer)
		_ = sock.SetWriteBuffer(socketBuffer)
	}
	return sock, err
}

func (p *Proxy) now() time.Duration { return time.Since(p.start) }

// read forwards what comes to an endpoint.
func (p *Proxy) read(e *endpoint) {
	p.receive(e.sock, func(from netip.AddrPort, b []byte) {
		if l, out := p.route(e, from); l != nil {
			p.pass(l, out, b)
		}
	})
}

// receive reads a socket until it is closed.
func (p *Proxy) receive(sock *net.UDPConn, handle func(netip.AddrPort, []byte)) {
	buf := make([]byte, largest)
	for {
		n, from, err := sock.ReadFromUDPAddrPort(buf)
		switch {
		case err == nil:
			handle(unmap(from), buf[:n])
		case errors.Is(err, net.ErrClosed):
			return
		default: // such as no memory; nothing that would not pass
			select {
			case <-p.done:
				return
			case <-time.After(pause):
			}
		}
	}
}

// route finds the link and the way out of a datagram, or nil if there is none.
func (p *Proxy) route(e *endpoint, from netip.AddrPort) (*link, outlet) {
	p.mu.RLock()
	l, out, ok := p.known(e, from)
	p.mu.RUnlock()
	if !ok {
		p.mu.Lock()
		l, out = p.make(e, from)
		p.mu.Unlock()
	}
	return l, out
}

// known finds what is there already, with the lock held for reading.
func (p *Proxy) known(e *endpoint, from netip.AddrPort) (*link, outlet, bool) {
	if !e.target.IsValid() {
		return nil, outlet{}, false
	}
	s := p.senders[from]
	if s.name == "" {
		s.name = Unknown
	}
	out := outlet{to: e.target}
	if s.via != nil && s.via.at.Addr().Is4() == e.target.Addr().Is4() {
		out.sock = s.via.sock
	} else if out.flow = p.flows[flowKey{from, e}]; out.flow != nil {
		out.sock = out.flow.sock
	}
	l := p.links[pair{s.name, e.name}]
	return l, out, l != nil && out.sock != nil
}

// make makes what is missing, with the lock held.
func (p *Proxy) make(e *endpoint, from netip.AddrPort) (*link, outlet) {
	if p.closed {
		return nil, outlet{}
	}
	if !e.target.IsValid() {
		p.noTarget++
		return nil, outlet{}
	}
	l, out, ok := p.known(e, from)
	if ok {
		return l, out
	}
	if out.sock == nil {
		f := p.newFlow(e, from)
		if f == nil {
			p.noFlow++
			return nil, outlet{}
		}
		out.sock, out.flow = f.sock, f
	}
	name := Unknown
	if s, ok := p.senders[from]; ok {
		name = s.name
	}
	return p.link(pair{name, e.name}), out
}

// link returns the link of a pair, with the lock held.
func (p *Proxy) link(k pair) *link {
	l := p.links[k]
	if l == nil {
		l = &link{pair: k, line: NewLine(p.cfg.Seed, k.from, k.to)}
		l.line.SetFaults(p.faults(k))
		l.line.Cut(p.parted(k))
		p.links[k] = l
	}
	return l
}

// newFlow opens a flow, if there may be one more. The lock is held.
func (p *Proxy) newFlow(e *endpoint, from netip.AddrPort) *flow {
	if len(p.flows) >= p.cfg.MaxFlows {
		return nil
	}
	at := netip.IPv6Loopback()
	if e.target.Addr().Is4() {
		at = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	sock, err := openSocket(netip.AddrPortFrom(at, 0))
	if err != nil {
		p.log.Warn("a sender gets no socket", "sender", from, "to", e.name, "error", err)
		return nil
	}
	f := &flow{sock: sock}
	f.used.Store(int64(p.now()))
	p.flows[flowKey{from, e}] = f
	p.wait.Go(func() { p.readFlow(f, e, from) })
	return f
}

// readFlow sends the target's replies back to a sender.
func (p *Proxy) readFlow(f *flow, e *endpoint, sender netip.AddrPort) {
	p.receive(f.sock, func(from netip.AddrPort, b []byte) {
		p.mu.RLock()
		stranger, name := from != e.target, p.senders[sender].name
		if name == "" {
			name = Unknown
		}
		k := pair{e.name, name}
		l := p.links[k]
		p.mu.RUnlock()
		if stranger {
			return
		}
		if l == nil {
			p.mu.Lock()
			l = p.link(k)
			p.mu.Unlock()
		}
		p.pass(l, outlet{e.sock, sender, f}, b)
	})
}

// endFlow is called with the lock held.
func (p *Proxy) endFlow(k flowKey, f *flow) {
	_ = f.sock.Close()
	delete(p.flows, k)
}

// pass lets a datagram meet its fate.
func (p *Proxy) pass(l *link, out outlet, b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := p.now()
	fate := l.line.Decide(now, len(b))
	last := now
	for _, c := range fate.Copies[:fate.N] {
		if c.At <= now && l.pending == 0 {
			c.Alter(b)
			l.write(out, b)
			c.Alter(b)
			continue
		}
		last = max(last, c.At)
		if p.queue.push(c.At, l, out, c, b) {
			l.pending++
		} else {
			l.extra.overflow++
		}
	}
	if out.flow != nil && int64(last) > out.flow.used.Load() {
		out.flow.used.Store(int64(last))
	}
}

// write sends a datagram, with the lock held.
func (l *link) write(out outlet, b []byte) {
	if _, err := out.sock.WriteToUDPAddrPort(b, out.to); err != nil {
		l.extra.sendErrors++
		return
	}
	l.extra.forwarded++
	l.extra.forwardedBytes += uint64(len(b))
}

// deliver sends what is due, and ends flows that are idle.
func (p *Proxy) deliver() {
	timer := time.NewTimer(never)
	defer timer.Stop()
	due := make([]parcel, 0, batch)
	sweep := p.cfg.FlowIdle
	for {
		now := p.now()
		if now >= sweep {
			p.sweep(now)
			sweep = now + p.cfg.FlowIdle/2 + time.Millisecond
		}
		var next time.Duration
		due, next = p.queue.pop(now, sweep, due[:0])
		for i := range due {
			p.hand(&due[i])
		}
		if len(due) > 0 {
			clear(due)
			select {
			case <-p.done:
				return
			default:
				continue
			}
		}
		timer.Reset(next - now)
		select {
		case <-p.done:
			return
		case <-p.queue.kick:
		case <-timer.C:
		}
	}
}

// hand delivers a parcel, unless a partition came in its way.
func (p *Proxy) hand(c *parcel) {
	l := c.link
	l.mu.Lock()
	l.pending--
	if l.line.cut {
		l.extra.late++
	} else {
		l.write(c.out, (*c.buf)[:c.bytes])
	}
	l.mu.Unlock()
	p.queue.release(c)
}

// sweep ends idle flows.
func (p *Proxy) sweep(now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, f := range p.flows {
		if now-time.Duration(f.used.Load()) > p.cfg.FlowIdle {
			p.endFlow(k, f)
		}
	}
}
