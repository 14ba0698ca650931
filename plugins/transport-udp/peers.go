package transportudp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Times of looking up a name: each attempt, and between failed ones.
const (
	lookupTimeout = 5 * time.Second
	lookupPause   = 5 * time.Second
)

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
	switch {
	case n.key != nil && *n.key == id:
		return fmt.Errorf("dial %x: this is the node's own name: %w", id[:4], transport.ErrInvalid)
	case literal && n.taken(p, addr):
		return fmt.Errorf("dial %x: the address %s belongs to another peer, or to this node: %w", id[:4], address, transport.ErrAddress)
	case p == nil:
		p = &peer{id: id, since: time.Now()}
		n.peers[id] = p
	case p.dialled && !(literal && p.home == addr):
		n.drop(p, "the peer has moved")
		p = &peer{id: id, since: time.Now()}
		n.peers[id] = p
	}
	p.dialled, p.address = true, address
	if literal {
		n.locate(p, addr)
		return nil
	}
	host, port, _ := net.SplitHostPort(address) // CheckAddress has split it
	num, _ := strconv.ParseUint(port, 10, 16)
	n.wait.Go(func() { n.resolve(p, address, host, uint16(num)) })
	return nil
}

// taken tells whether an address can not be dialled for a peer, since it is that of another dialled one or of this node.
func (n *node) taken(p *peer, addr netip.AddrPort) bool {
	other := n.byAddr[0][addr]
	return addr == n.self || other != nil && other != p && other.dialled && other.home == addr
}

// literalAddress parses an address that has no name in it.
func literalAddress(address string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddrPort(address)
	return unmap(a), err == nil
}

// resolve looks a name up until it is found or the peer was dialled elsewhere or hung up.
func (n *node) resolve(p *peer, address, host string, port uint16) {
	told := false
	for {
		ctx, cancel := context.WithTimeout(n.ctx, lookupTimeout)
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		cancel()
		n.mu.Lock()
		if n.closed || n.peers[p.id] != p || p.address != address {
			n.mu.Unlock()
			return
		}
		reason := ""
		if addr, ok := n.choose(addrs, port); err == nil && ok {
			if !n.taken(p, addr) {
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
			told = !p.up
			if !p.up {
				n.tell(p, false, reason)
			}
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

// locate gives a dialled peer its address. Another node that is connected from there has to go: it will be asked who it is.
func (n *node) locate(p *peer, addr netip.AddrPort) {
	if other := n.byAddr[0][addr]; other != nil && other != p {
		n.unlink(other, "another node was dialled at its address")
	}
	if p.home.IsValid() && p.home != addr {
		n.leave(p.home)
	}
	p.home = addr
	n.byAddr[0][addr] = p
	n.connect(p)
}

// connect calls a dialled peer, once there is a socket and its address is known, unless it is connected from another one.
func (n *node) connect(p *peer) {
	if addr := p.home; p.dialled && addr.IsValid() && (!p.up || p.addr[0] == addr) {
		n.task(0, func(now conn.Time, l *lane.Lane) { l.Dial(now, addr, lane.Member{}) })
	}
}

// leave stops calling an address of the control lane.
func (n *node) leave(addr netip.AddrPort) {
	n.task(0, func(_ conn.Time, l *lane.Lane) { l.Leave(addr) })
}

// task changes a lane as soon as no lock is held, if there is one yet.
func (n *node) task(at int, f func(conn.Time, *lane.Lane)) {
	if l := n.loops[at]; l != nil {
		n.tasks.add(func() { l.do(f) })
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
	p.dialled = false
	n.unlink(p, reason)
	if addr := p.home; addr.IsValid() {
		n.forgetAddr(p, addr)
		n.task(0, func(now conn.Time, l *lane.Lane) { l.Hangup(now, addr, reason) })
	}
	delete(n.peers, p.id)
}

// unlink ends the link to a peer. It stays known if it was dialled.
func (n *node) unlink(p *peer, reason string) {
	if !p.up {
		return
	}
	addr := p.addr[0]
	n.lost(p, reason)
	n.task(0, func(now conn.Time, l *lane.Lane) { l.Hangup(now, addr, reason) })
	n.connect(p)
}

// lost notes that a peer's link has ended.
func (n *node) lost(p *peer, reason string) {
	if !p.up {
		return
	}
	n.tell(p, false, reason)
	n.leaveBulk(p, reason)
	if p.addr[0] != p.home {
		n.forgetAddr(p, p.addr[0])
	}
	p.since = time.Now()
	p.up, p.addr[0], p.node = false, netip.AddrPort{}, types.PublicKey{}
	if !p.dialled {
		delete(n.peers, p.id)
	}
}

// forgetAddr takes an address of the control lane from a peer.
func (n *node) forgetAddr(p *peer, addr netip.AddrPort) {
	if n.byAddr[0][addr] == p {
		delete(n.byAddr[0], addr)
	}
}
