package node

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
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

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func (p *peer) event(up bool, reason string) *transport.PeerEvent {
	return &transport.PeerEvent{Peer: p.id, Up: up, Reason: reason, Address: p.where()}
}

// where is the address that people know the peer by.
func (p *peer) where() string {
	if p.address == "" {
		return p.addr.String()
	}
	return p.address
}

// tell queues an event for the core.
func (n *Node) tell(p *peer, up bool, reason string) {
	n.inbox[transport.Control].push(item{Incoming: transport.Incoming{Peer: p.event(up, reason)}, size: eventSize})
}

// newPeer returns a peer that is not in any map.
func (n *Node) newPeer(id transport.PeerID) *peer {
	return &peer{id: id, since: time.Since(n.start), held: &holding{}}
}

// dial names a peer and connects to it.
func (n *Node) dial(k *link, id transport.PeerID, address string) (err error) {
	if err := transport.CheckAddress(address); err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	n.do(func(now plain.Time, h *plain.Hub) { err = n.dialLocked(now, h, k, id, address) })
	return err
}

func (n *Node) dialLocked(now plain.Time, h *plain.Hub, k *link, id transport.PeerID, address string) error {
	if n.closed || !n.inbox[k.lane].current(k) {
		return fmt.Errorf("dial on the %s lane: %w", k.lane, transport.ErrClosed)
	}
	p := n.peers[id]
	if p != nil && p.dialled && p.address == address {
		return nil
	}
	parsed, err := netip.ParseAddrPort(address)
	addr, literal := unmap(parsed), err == nil
	if literal {
		if other := n.byAddr[addr]; other != nil && other.dialled && other != p || addr == n.self {
			return fmt.Errorf("dial %x: the address %s belongs to another peer, or to this node: %w", id[:4], address, transport.ErrAddress)
		}
		if p != nil && p.addr == addr { // the same in other words, or a stranger whose name the core uses
			p.dialled, p.address = true, address
			n.connect(now, h, p)
			return nil
		}
	}
	if p != nil {
		n.drop(now, h, p, "the peer has moved")
	}
	p = n.newPeer(id)
	p.dialled, p.address = true, address
	n.peers[id] = p
	if literal {
		n.locate(now, h, p, addr)
		return nil
	}
	host, port, _ := net.SplitHostPort(address) // CheckAddress has split it
	num, _ := strconv.ParseUint(port, 10, 16)
	n.wait.Go(func() { n.resolve(p, host, uint16(num)) })
	return nil
}

// resolve looks a name up until it is found or the peer was dialled elsewhere or hung up.
func (n *Node) resolve(p *peer, host string, port uint16) {
	told := false
	for {
		ctx, cancel := context.WithTimeout(n.ctx, lookupTimeout)
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		cancel()
		over := false
		n.do(func(now plain.Time, h *plain.Hub) {
			if over = n.closed || n.peers[p.id] != p; over {
				return
			}
			reason := fmt.Sprintf("the name %q leads to no address that this node can reach: %v", host, err)
			if addr, ok := n.choose(addrs, port); err == nil && ok {
				if other := n.byAddr[addr]; (other == nil || !other.dialled) && addr != n.self {
					n.locate(now, h, p, addr)
					over = true
					return
				}
				reason = fmt.Sprintf("the name %q leads to %s, which belongs to another peer, or to this node", host, addr)
			}
			if !told { // once: the core has nothing to do about it
				told = true
				n.tell(p, false, reason)
			}
		})
		if over {
			return
		}
		select {
		case <-n.ctx.Done():
			return
		case <-time.After(lookupPause):
		}
	}
}

// choose returns the first address of the family that the socket speaks.
func (n *Node) choose(addrs []netip.Addr, port uint16) (netip.AddrPort, bool) {
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
func (n *Node) locate(now plain.Time, h *plain.Hub, p *peer, addr netip.AddrPort) {
	if s := n.byAddr[addr]; s != nil {
		if s.up {
			n.tell(s, false, "it is known by another name now")
		}
		delete(n.peers, s.id)
		s.id, s.dialled, s.address = p.id, true, p.address
		n.peers[p.id] = s
		if s.up {
			n.tell(s, true, "connected")
			for l := range s.queue {
				s.queue[l].full = false // there is room whenever a connection comes up, under its new name too
				n.flow(s, transport.Lane(l))
			}
		}
		p = s
	} else {
		p.addr = addr
		n.byAddr[addr] = p
	}
	n.connect(now, h, p)
}

// connect calls a dialled peer, once there is a socket and its address is known.
func (n *Node) connect(now plain.Time, h *plain.Hub, p *peer) {
	if h != nil && p.dialled && p.addr.IsValid() {
		h.Dial(now, p.addr)
	}
}

// hangup forgets a peer.
func (n *Node) hangup(k *link, id transport.PeerID) (err error) {
	n.do(func(now plain.Time, h *plain.Hub) {
		if n.closed || !n.inbox[k.lane].current(k) {
			err = fmt.Errorf("hang up on the %s lane: %w", k.lane, transport.ErrClosed)
		} else if p := n.peers[id]; p != nil {
			n.drop(now, h, p, "hung up")
		}
	})
	return err
}

// drop forgets a peer and ends its connection.
func (n *Node) drop(now plain.Time, h *plain.Hub, p *peer, reason string) {
	if p.up {
		n.tell(p, false, reason)
	}
	n.clear(p)
	delete(n.peers, p.id)
	if n.byAddr[p.addr] == p {
		delete(n.byAddr, p.addr)
		if h != nil {
			h.Hangup(now, p.addr, wire.DisConnect, reason)
		}
	}
}

// clear forgets all that belongs to a connection.
func (n *Node) clear(p *peer) {
	for i := range p.files {
		if f := p.files[i]; f != nil {
			n.assembling -= len(f.data)
		}
	}
	for l := range p.queue { // nothing waits any more; what was told of this connection may be read after the next has begun
		if q := &p.queue[l]; q.full {
			q.full = false
			n.inbox[l].push(item{Incoming: transport.Incoming{Flow: &transport.Flow{Peer: p.id}}, size: eventSize})
		}
	}
	for _, b := range p.probes {
		b.broken = true
		b.change()
	}
	p.up, p.since, p.queue, p.sending, p.files, p.nested, p.probes = false, time.Since(n.start), [2]queue{}, [2]*outgoing{}, [2]*file{}, false, nil
}
