package transportudp

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// Times of looking up a name: each attempt, and between failed ones.
const (
	lookupTimeout = 5 * time.Second
	lookupPause   = 5 * time.Second
)

// strangerID names an address that nobody dialled.
func strangerID(addr netip.AddrPort) transport.PeerID {
	return sha256.Sum256([]byte("paloalto transport-udp stranger " + addr.String()))
}

// dial names a peer and connects to it.
func (n *node) dial(k *link, id transport.PeerID, address string) error {
	if err := transport.CheckAddress(address); err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	n.mu.Lock()
	err := n.dialLocked(k, id, address)
	n.mu.Unlock()
	n.tasks.run()
	return err
}

func (n *node) dialLocked(k *link, id transport.PeerID, address string) error {
	if n.closed || !n.inbox[k.lane].current(k) {
		return fmt.Errorf("dial on the %s lane: %w", k.lane, transport.ErrClosed)
	}
	p := n.peers[id]
	if p != nil && p.dialled && p.address == address {
		return nil
	}
	addr, literal := literalAddress(address)
	if literal {
		if other := n.byAddr[0][addr]; other != nil && other.dialled && other != p || addr == n.self {
			return fmt.Errorf("dial %x: the address %s belongs to another peer, or to this node: %w", id[:4], address, transport.ErrAddress)
		}
		if p != nil && p.addr[0] == addr { // the same in other words, or a stranger whose name the core uses
			p.dialled, p.address = true, address
			n.connect(p)
			return nil
		}
	}
	if p != nil {
		n.drop(p, "the peer has moved")
	}
	p = &peer{id: id, dialled: true, address: address}
	n.peers[id] = p
	if literal {
		n.locate(p, addr)
		return nil
	}
	host, port, _ := net.SplitHostPort(address) // CheckAddress has split it
	num, _ := strconv.ParseUint(port, 10, 16)
	n.wait.Go(func() { n.resolve(p, host, uint16(num)) })
	return nil
}

// literalAddress parses an address that has no name in it.
func literalAddress(address string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddrPort(address)
	return unmap(a), err == nil
}

// resolve looks a name up until it is found or the peer was dialled elsewhere or hung up.
func (n *node) resolve(p *peer, host string, port uint16) {
	told := false
	for {
		ctx, cancel := context.WithTimeout(n.ctx, lookupTimeout)
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		cancel()
		n.mu.Lock()
		if n.closed || n.peers[p.id] != p {
			n.mu.Unlock()
			return
		}
		reason := ""
		if addr, ok := n.choose(addrs, port); err == nil && ok {
			if other := n.byAddr[0][addr]; (other == nil || !other.dialled) && addr != n.self {
				n.locate(p, addr)
				n.mu.Unlock()
				n.tasks.run()
				return
			}
			reason = fmt.Sprintf("the name %q leads to %s, which belongs to another peer, or to this node", host, addr)
		} else {
			reason = fmt.Sprintf("the name %q leads to no address that this node can reach: %v", host, err)
		}
		if !told { // once: the core has nothing to do about it
			told = true
			n.tell(p, false, reason)
		}
		n.mu.Unlock()
		select {
		case <-n.ctx.Done():
			return
		case <-time.After(lookupPause):
		}
	}
}

// choose returns the first address of the family that the socket speaks.
func (n *node) choose(addrs []netip.Addr, port uint16) (netip.AddrPort, bool) {
	only4 := n.self.IsValid() && n.self.Addr().Is4()
	only6 := n.self.IsValid() && n.self.Addr().Is6() && !n.self.Addr().IsUnspecified()
	for _, a := range addrs {
		if a = a.Unmap(); only4 && !a.Is4() || only6 && !a.Is6() {
			continue
		}
		return netip.AddrPortFrom(a, port), true
	}
	return netip.AddrPort{}, false
}

// locate gives a dialled peer its address. If a stranger is connected from there, the peer is that one.
func (n *node) locate(p *peer, addr netip.AddrPort) {
	if s := n.byAddr[0][addr]; s != nil {
		if s.up {
			n.tell(s, false, "it is known by another name now")
		}
		delete(n.peers, s.id)
		s.id, s.dialled, s.address = p.id, true, p.address
		n.peers[p.id] = s
		if s.up {
			n.tell(s, true, "connected")
		}
		n.connect(s)
		return
	}
	p.addr[0] = addr
	n.byAddr[0][addr] = p
	n.connect(p)
}

// connect calls a dialled peer, once there is a socket and its address is known.
func (n *node) connect(p *peer) {
	if addr := p.addr[0]; p.dialled && addr.IsValid() && n.loops[0] != nil {
		l := n.loops[0]
		n.tasks.add(func() { l.do(func(now conn.Time, l *lane.Lane) { l.Dial(now, addr, 0) }) })
	}
}

// hangup forgets a peer.
func (n *node) hangup(k *link, id transport.PeerID) error {
	n.mu.Lock()
	if n.closed || !n.inbox[k.lane].current(k) {
		n.mu.Unlock()
		return fmt.Errorf("hang up on the %s lane: %w", k.lane, transport.ErrClosed)
	}
	if p := n.peers[id]; p != nil {
		n.drop(p, "hung up")
	}
	n.mu.Unlock()
	n.tasks.run()
	return nil
}

// drop forgets a peer and ends its connections.
func (n *node) drop(p *peer, reason string) {
	if p.up {
		p.up = false
		n.tell(p, false, reason)
	}
	n.leaveBulk(p, reason)
	if addr, l := p.addr[0], n.loops[0]; addr.IsValid() {
		delete(n.byAddr[0], addr)
		if l != nil {
			n.tasks.add(func() { l.do(func(now conn.Time, l *lane.Lane) { l.Hangup(now, addr, reason) }) })
		}
	}
	delete(n.peers, p.id)
}

// joinBulk calls a peer's bulk lane, whose port its control lane has told. The session's tag makes both belong together.
func (n *node) joinBulk(p *peer, port uint16) {
	addr := netip.AddrPortFrom(p.addr[0].Addr(), port)
	if other := n.byAddr[1][addr]; other != nil && other != p { // somebody lies, or the port has changed hands
		n.leaveBulk(other, "the port belongs to another peer now")
	}
	p.addr[1] = addr
	n.byAddr[1][addr] = p
	l, session := n.loops[1], p.session
	n.tasks.add(func() { l.do(func(now conn.Time, l *lane.Lane) { l.Dial(now, addr, session) }) })
}

func (n *node) leaveBulk(p *peer, reason string) {
	addr := p.addr[1]
	if !addr.IsValid() {
		return
	}
	p.addr[1] = netip.AddrPort{}
	delete(n.byAddr[1], addr)
	l := n.loops[1]
	n.tasks.add(func() { l.do(func(now conn.Time, l *lane.Lane) { l.Hangup(now, addr, reason) }) })
}
