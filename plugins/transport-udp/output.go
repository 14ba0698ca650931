package transportudp

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// output carries out what a lane says. It is called with the lane locked.
func (n *node) output(at int, out *conn.Output) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	done := 0
	for i := range out.Delivered {
		d := &out.Delivered[i]
		for ; done < d.After(); done++ {
			n.event(at, &out.Events[done])
		}
		n.deliver(at, d)
	}
	for ; done < len(out.Events); done++ {
		n.event(at, &out.Events[done])
	}
}

func (n *node) deliver(at int, d *conn.Delivery) {
	from, size, l, k := d.From, d.Size(), n.loops[at], channel(at)
	p := n.byAddr[at][from]
	// An address may have become another node's while a lane of the one before is still to be ended.
	known := p != nil && p.up && (at > 0 || p.addr[0] == from) && d.Node != nil && sameNode(*d.Node, p.node)
	switch {
	case known && d.Channel == testChannel:
		n.tested(p, d.Payload)
	case known:
		m := &transport.Message{Peer: p.id, Channel: d.Channel, Payload: d.Payload}
		if n.inbox[k].push(item{Incoming: transport.Incoming{Message: m}, peer: p, size: size, taken: &p.taken[k]}) {
			if at > 0 {
				p.held += size
			}
			return
		}
		n.breakLink(p, "the core takes too little") // what was confirmed may not be lost as long as the connection lasts
	}
	if at > 0 {
		d.Release(n.now())
		return
	}
	n.tasks.add(func() { l.do(func(now conn.Time, l *lane.Lane) { l.Release(now, from, size) }) })
}

func sameNode(a, b types.PublicKey) bool { return a.Scheme == b.Scheme && bytes.Equal(a.Key, b.Key) }

// pause is how long a connection that this end broke stays down.
func (n *node) pause() time.Duration { return time.Duration(n.set.ConnectInterval) / 8 }

func (n *node) event(at int, e *conn.Event) {
	switch e.Kind {
	case conn.Dropped:
		n.dropped(channel(at), e.Addr, e.Count, e.Reason)
		return
	case conn.Echoed:
		n.probes.echoed(e.Number, time.Now())
		return
	}
	if at > 0 {
		n.bulkEvent(at, e)
		return
	}
	p := n.byAddr[0][e.Addr]
	switch e.Kind {
	case conn.Up:
		n.linked(e)
	case conn.Down:
		if p == nil || !p.up || p.session != e.Number {
			return
		}
		n.lost(p, e.Reason)
		n.connect(p)
	case conn.Moved:
		if p = n.byAddr[0][e.From]; p == nil || !p.up || p.addr[0] != e.From {
			return
		}
		n.moved(p, e.Addr)
	case conn.Unreachable, conn.Refused:
		if p != nil && !p.up && p.dialled {
			n.tell(p, false, e.Reason)
		} else if e.Kind == conn.Refused && n.refusals.note(time.Now()) {
			n.log("info", "a node was refused", map[string]string{"address": e.Addr.String(), "cause": e.Reason})
		}
	case conn.QueueFull, conn.QueueRoom:
		if p != nil && p.up {
			n.flow(transport.Control, p, e.Kind == conn.QueueFull)
		}
	}
}

// linked notes that a session with a node began, which was admitted.
func (n *node) linked(e *conn.Event) {
	id := transport.PeerID(e.Peer.Node.Hash())
	p := n.peers[id]
	if p == nil {
		p = &peer{id: id}
		n.peers[id] = p
	}
	if p.up { // at another address; at the same one the end of the session before was told
		old := p.addr[0]
		n.lost(p, "connected again")
		n.peers[id] = p
		n.task(0, func(now conn.Time, l *lane.Lane) { l.Hangup(now, old, "connected at another address") })
	}
	if p.dialled && p.home.IsValid() && p.home != e.Addr {
		n.leave(p.home)
	}
	p.up, p.addr[0], p.node, p.static, p.caller, p.session = true, e.Addr, e.Peer.Node, e.Peer.Static, e.Caller, e.Number
	n.byAddr[0][e.Addr] = p
	p.since = time.Now()
	n.joinBulk(p, e.Hello.Lanes, int(e.Hello.Datagram))
	n.tell(p, true, "connected")
}

// moved notes that a link goes on at another address. It is not the one that was dialled, so it is not called there when
// the link has ended.
func (n *node) moved(p *peer, to netip.AddrPort) {
	if p.addr[0] != p.home {
		n.forgetAddr(p, p.addr[0])
	}
	p.addr[0] = to
	n.byAddr[0][to] = p
	if to != p.home {
		n.leave(to)
	}
	n.tell(p, true, "the peer has moved")
}

// admit tells why a node that has proven who it is may not have a session, or "". It is called with the lane locked.
func (n *node) admit(at int, a conn.Admission) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	id := transport.PeerID(a.Node.Hash())
	if at > 0 {
		if p := n.byAddr[at][a.Addr]; p == nil || p.id != id || !p.up || p.session != a.Link {
			return "this lane is of another node's link"
		}
		return ""
	}
	p, there := n.peers[id], n.byAddr[0][a.Addr]
	switch {
	case n.key != nil && id == *n.key:
		return "this node's own key is there: it was dialled at its own address, or two nodes share a key, which they never must"
	case there != nil && there.dialled && there.home == a.Addr && there.id != id:
		return fmt.Sprintf("at %s is node %x, not %x", a.Addr, id[:4], there.id[:4])
	case n.allow != nil && !n.allow[id]:
		return fmt.Sprintf("node %x is not in the allow list", id[:4])
	case (p == nil || !p.dialled && !p.up) && n.strangers() >= int(n.set.Strangers):
		return fmt.Sprintf("there are %d nodes that nobody dialled, which is the most", n.set.Strangers)
	case p != nil && p.up && p.addr[0] != a.Addr && p.static == a.Static && p.caller != a.Caller:
		// Both ends of two processes have called each other. Both know of both sessions, and keep the same.
		if lower := bytes.Compare(n.key[:], id[:]) < 0; p.caller == lower {
			return fmt.Sprintf("node %x is connected at %s", id[:4], p.addr[0])
		}
	}
	return ""
}

func (n *node) strangers() (count int) {
	for _, p := range n.peers {
		if !p.dialled && p.up {
			count++
		}
	}
	return count
}

// breakLink ends a peer's session, and what belongs to it with its event.
func (n *node) breakLink(p *peer, reason string) {
	addr, session, l := p.addr[0], p.session, n.loops[0]
	n.tasks.add(func() { l.do(func(now conn.Time, l *lane.Lane) { l.Break(now, addr, session, reason, n.pause()) }) })
}

// log logs as soon as no lock is held.
func (n *node) log(level, message string, fields map[string]string) {
	if n.host != nil {
		n.tasks.add(func() { n.host.Log(level, message, fields) })
	}
}

// gate lets one through a second. The node's lock guards it.
type gate struct{ last time.Time }

func (g *gate) note(now time.Time) bool {
	if now.Sub(g.last) < time.Second {
		return false
	}
	g.last = now
	return true
}

// dropLog counts what was dropped, so that a flood of it is logged once a second. The node's lock guards it.
type dropLog struct {
	count int
	last  time.Time
}

// note returns whether to log, and how many were dropped since the last time.
func (d *dropLog) note(count int, now time.Time) (bool, int) {
	d.count += count
	if now.Sub(d.last) < time.Second {
		return false, 0
	}
	count, d.count, d.last = d.count, 0, now
	return true, count
}
