package transportudp

import (
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
	"github.com/paloalto-chain/paloalto/sdk/transport"
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
	from, size, l := d.From, d.Size(), n.loops[at]
	p := n.byAddr[at][from]
	if p != nil && p.up {
		m := &transport.Message{Peer: p.id, Channel: d.Channel, Payload: d.Payload}
		if n.inbox[at].push(item{Incoming: transport.Incoming{Message: m}, from: from, size: size, taken: &p.taken[at]}) {
			return
		}
		n.breakLink(p, "the core takes too little") // what was confirmed may not be lost as long as the connection lasts
	}
	n.tasks.add(func() { l.do(func(now conn.Time, l *lane.Lane) { l.Release(now, from, size) }) })
}

// pause is how long a connection that this end broke stays down.
func (n *node) pause() time.Duration { return time.Duration(n.set.ConnectInterval) / 8 }

func (n *node) event(at int, e *conn.Event) {
	switch e.Kind {
	case conn.Dropped:
		if text, count := n.drops.note(e.Count, time.Now()); text {
			n.log("warn", "messages were not sent", map[string]string{"count": fmt.Sprint(count), "last peer": e.Addr.String(),
				"lane": transport.Lane(at).String(), "cause": e.Reason})
		}
		return
	case conn.Echoed:
		n.probes.echoed(e.Number, time.Now())
		return
	}
	if at == int(transport.Bulk) {
		n.bulkEvent(e)
		return
	}
	p := n.byAddr[0][e.Addr]
	switch e.Kind {
	case conn.Up:
		if p == nil {
			p = &peer{id: strangerID(e.Addr)}
			if old := n.peers[p.id]; old != nil { // the core has dialled another address by this very name
				n.drop(old, "the name belongs to another address")
			}
			p.addr[0] = e.Addr
			n.peers[p.id], n.byAddr[0][e.Addr] = p, p
		}
		if p.up { // never, since a session's end is told before the next begins
			n.tell(p, false, "connected again")
		}
		p.up, p.session = true, e.Number
		n.leaveBulk(p, "the link was made again")
		if len(e.Hello.Lanes) > 0 && e.Hello.Lanes[0] != 0 {
			n.joinBulk(p, e.Hello.Lanes[0])
		}
		n.tell(p, true, "connected")
	case conn.Down:
		if p == nil || !p.up {
			return
		}
		p.up = false
		n.leaveBulk(p, e.Reason)
		n.tell(p, false, e.Reason)
		if !p.dialled {
			delete(n.peers, p.id)
			delete(n.byAddr[0], e.Addr)
		}
	case conn.Unreachable:
		if p != nil && !p.up {
			n.tell(p, false, e.Reason)
		}
	}
}

// bulkEvent handles what happens to a bulk lane. When one that was up breaks, messages may be lost, so the link breaks.
func (n *node) bulkEvent(e *conn.Event) {
	p := n.byAddr[1][e.Addr]
	if p == nil || !p.up || e.Link != p.session { // the bulk lane of an earlier session ends when this one begins
		return
	}
	switch e.Kind {
	case conn.Down:
		n.breakLink(p, "bulk lane: "+e.Reason)
	case conn.Unreachable:
		n.log("warn", "a peer is connected but its bulk lane is not; does a firewall close the port?",
			map[string]string{"peer": p.addr[0].String(), "bulk lane": e.Addr.String(), "cause": e.Reason})
	}
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
