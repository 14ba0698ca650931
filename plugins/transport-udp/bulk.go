package transportudp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/lane"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

const (
	// maxLoops is how many sockets an instance has at most: that of control and those of the bulk lanes.
	maxLoops = 1 + wire.MaxLanes
	// maxConns is how many bulk connections a link has at most. With windows of 127 datagrams of 1,452 bytes, that is
	// more than 11 MB under way.
	maxConns = 64
)

// bulk is what a peer's bulk lanes share while the link lasts. The node's lock guards all but the group, which has its own.
type bulk struct {
	group *conn.Group
	link  uint64 // session tag of the control lane
	gone  bool
	lanes []bulkLane
	byKey map[laneKey]int
	turn  int  // the lane that is asked first next time
	full  bool // as the core was told
}

// bulkLane is a connection of one of this end's sockets to one of the peer's: with eight at each end a link can have as many
// lanes as it will ever need, and few ports are enough.
type bulkLane struct {
	loop int
	addr netip.AddrPort
	up   bool
}

type laneKey struct {
	loop int
	addr netip.AddrPort
}

// channel is the transport's lane of a loop.
func channel(at int) transport.Lane {
	if at == 0 {
		return transport.Control
	}
	return transport.Bulk
}

// joinBulk makes ready for a peer's bulk lanes, whose ports its control lane has told, and calls the first. The session's
// tag makes all of them belong together.
func (n *node) joinBulk(p *peer, ports []uint16, datagram int) {
	p.bulk = nil
	b := &bulk{link: p.session, byKey: map[laneKey]int{}}
	own := 0
	for own+1 < maxLoops && n.loops[own+1] != nil {
		own++
	}
	for shift := range len(ports) { // the first lane of both ends is the same, and the next use sockets that have none yet
		for i := range own {
			addr := netip.AddrPortFrom(p.addr[0].Addr(), ports[(i+shift)%len(ports)])
			key := laneKey{1 + i, addr}
			if _, twice := b.byKey[key]; twice || addr.Port() == 0 || len(b.lanes) >= maxConns {
				continue
			}
			if n.occupied(p, key) { // who has a lane there has shown that the port is its own; a peer can tell any
				continue
			}
			b.byKey[key] = len(b.lanes)
			b.lanes = append(b.lanes, bulkLane{loop: key.loop, addr: addr})
		}
	}
	if len(b.lanes) == 0 {
		if len(ports) > 0 {
			n.log("warn", "a peer names bulk ports that are others'; what is sent to it takes the control lane", map[string]string{"peer": p.addr[0].String()})
		}
		return
	}
	cfg := n.set.laneConfig(1, 0).Conn
	b.group = conn.NewGroup(cfg, len(b.lanes), min(cfg.Datagram, datagram), p.held)
	p.bulk = b
	for i, k := range b.lanes {
		if other := n.byAddr[k.loop][k.addr]; other != nil && other != p { // somebody lies, or the port has changed hands
			n.leaveBulk(other, "the port belongs to another peer now")
		}
		n.byAddr[k.loop][k.addr] = p
		l, m := n.loops[k.loop], b.member(i)
		n.tasks.add(func() {
			l.do(func(now conn.Time, l *lane.Lane) {
				if l.Expect(now, k.addr, m); !m.Extra {
					l.Dial(now, k.addr, m)
				}
			})
		})
	}
}

// occupied tells whether another peer has a lane up at the port where a bulk lane of p would be.
func (n *node) occupied(p *peer, key laneKey) bool {
	other := n.byAddr[key.loop][key.addr]
	if other == nil || other == p || !other.linked() {
		return false
	}
	return slices.ContainsFunc(other.bulk.lanes, func(k bulkLane) bool { return k.up && k.addr == key.addr })
}

func (b *bulk) member(i int) lane.Member {
	return lane.Member{Link: b.link, Group: b.group, Extra: i > 0}
}

// leaveBulk ends a peer's bulk lanes.
func (n *node) leaveBulk(p *peer, reason string) {
	b := p.bulk
	if b == nil || b.gone {
		return
	}
	b.gone = true
	if b.full { // nothing waits any more; nobody else would say so
		b.full = false
		n.flow(transport.Bulk, p, false)
	}
	for _, k := range b.lanes {
		if n.byAddr[k.loop][k.addr] == p {
			delete(n.byAddr[k.loop], k.addr)
			l := n.loops[k.loop]
			n.tasks.add(func() { l.do(func(now conn.Time, l *lane.Lane) { l.Hangup(now, k.addr, reason) }) })
		}
	}
}

// linked tells whether a peer has bulk lanes, up or not.
func (p *peer) linked() bool { return p.bulk != nil && !p.bulk.gone }

// bulkEvent handles what happens to a bulk lane. What a lane had under way when it broke goes on by the others. When the peer
// broke the protocol the link breaks.
func (n *node) bulkEvent(at int, e *conn.Event) {
	from := e.Addr
	if e.Kind == conn.Moved {
		from = e.From
	}
	p := n.byAddr[at][from]
	if p == nil || !p.up || !p.linked() || e.Link != p.bulk.link { // a lane of an earlier session ends when this one begins
		return
	}
	b := p.bulk
	i, ok := b.byKey[laneKey{at, from}]
	if !ok {
		return
	}
	switch e.Kind {
	case conn.Up:
		b.lanes[i].up = true
	case conn.Down:
		b.lanes[i].up = false
		n.tasks.add(func() { n.flushBulk(p, b) })
	case conn.Broken:
		n.breakLink(p, "bulk lane: "+e.Reason)
	case conn.Kick:
		n.tasks.add(func() { n.flushBulk(p, b) })
	case conn.Crowded:
		n.widen(p, b, e.Count)
	case conn.QueueFull, conn.QueueRoom:
		n.tellFlow(p)
	case conn.Moved:
		delete(b.byKey, laneKey{at, from})
		delete(n.byAddr[at], from)
		b.lanes[i].addr, b.byKey[laneKey{at, e.Addr}], n.byAddr[at][e.Addr] = e.Addr, i, p
	case conn.Unreachable, conn.Refused:
		if i == 0 {
			n.log("warn", "a peer is connected but its bulk lane is not; does a firewall close the port?",
				map[string]string{"peer": p.addr[0].String(), "bulk lane": e.Addr.String(), "cause": e.Reason})
		}
	}
}

// widen calls more lanes. One that turns out to be one too many costs little, and is closed when it is idle.
func (n *node) widen(p *peer, b *bulk, want int) {
	for i := 1; i < min(want, len(b.lanes)); i++ {
		k, l, m := b.lanes[i], n.loops[b.lanes[i].loop], b.member(i)
		if k.up {
			continue
		}
		n.tasks.add(func() {
			n.mu.Lock()
			current := p.bulk == b && !b.gone
			n.mu.Unlock()
			if current {
				l.do(func(now conn.Time, l *lane.Lane) { l.Dial(now, k.addr, m) })
			}
		})
	}
}

// flushBulk asks a peer's lanes to send what waits, each in turn, until one has taken all or the path takes no more.
func (n *node) flushBulk(p *peer, b *bulk) {
	var buf [maxConns]bulkLane
	n.mu.Lock()
	if b.gone || n.closed {
		n.mu.Unlock()
		return
	}
	up := buf[:0]
	for i := range b.lanes {
		if k := b.lanes[(b.turn+i)%len(b.lanes)]; k.up {
			up = append(up, k)
		}
	}
	b.turn = (b.turn + 1) % len(b.lanes)
	loops := n.loops
	n.mu.Unlock()
	for _, k := range up {
		loops[k.loop].do(func(_ conn.Time, l *lane.Lane) { l.Touch(k.addr) })
		if !b.group.Open(n.now()) {
			return
		}
	}
}

// sendBulk queues a message for a peer.
func (n *node) sendBulk(p *peer, b *bulk, m conn.Message) {
	dropped, flow := b.group.Send(m)
	if dropped > 0 || flow != conn.Same {
		n.mu.Lock()
		if dropped > 0 {
			n.dropped(transport.Bulk, p.addr[0], dropped, "the send queue is full")
		}
		n.tellFlow(p)
		n.mu.Unlock()
	}
	if b.group.Open(n.now()) {
		n.flushBulk(p, b)
	}
}

// tellFlow tells the core whether a peer's bulk queue is full, if that is not what it was told. Several lanes and senders see the
// queue change, so what counts is its state now.
func (n *node) tellFlow(p *peer) {
	if b := p.bulk; p.linked() && p.up && b.group.Pressed() != b.full && n.flow(transport.Bulk, p, !b.full) {
		b.full = !b.full
	}
}

func (n *node) flow(l transport.Lane, p *peer, full bool) bool {
	return n.inbox[l].push(item{Incoming: transport.Incoming{Flow: &transport.Flow{Peer: p.id, Full: full}}, size: eventSize})
}

// releaseBulk says that the core has taken messages of a peer.
func (n *node) releaseBulk(p *peer, size int) {
	n.mu.Lock()
	p.held -= size
	b := p.bulk
	n.mu.Unlock()
	if b == nil || !b.group.Release(n.now(), size) {
		return
	}
	n.mu.Lock()
	lanes, loops := slices.Clone(b.lanes), n.loops
	n.mu.Unlock()
	for _, k := range lanes { // each tells the peer that there is room
		if k.up {
			loops[k.loop].do(func(_ conn.Time, l *lane.Lane) { l.Touch(k.addr) })
		}
	}
}

// now is the time on the clock that all loops share.
func (n *node) now() conn.Time { return time.Since(n.start) }

// dropped logs that messages were not sent. The lock is held.
func (n *node) dropped(l transport.Lane, to netip.AddrPort, count int, cause string) {
	if text, count := n.drops.note(count, time.Now()); text {
		n.log("warn", "messages were not sent", map[string]string{"count": fmt.Sprint(count), "last peer": to.String(), "lane": l.String(), "cause": cause})
	}
}
