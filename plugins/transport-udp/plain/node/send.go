package node

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// reserve is how many numbers of the window bulk leaves to control.
const reserve = 16

// prefixes are what names of files begin with, by lane.
func prefix(l transport.Lane) string { return "alto-" + l.String() + "-" }

// fileName is the name under which a message travels.
func fileName(l transport.Lane, channel string) string {
	return prefix(l) + hex.EncodeToString([]byte(channel))
}

// parseName reads one.
func parseName(name string) (l transport.Lane, channel string, ok bool) {
	for _, l := range []transport.Lane{transport.Control, transport.Bulk} {
		text, found := strings.CutPrefix(name, prefix(l))
		if !found || len(text) > 2*transport.MaxChannel {
			continue
		}
		b, err := hex.DecodeString(text)
		return l, string(b), err == nil
	}
	return 0, "", false
}

// send queues a message for each of its receivers.
func (n *Node) send(k *link, out transport.Outgoing) (err error) {
	if err := out.Check(); err != nil {
		return err
	}
	n.do(func(plain.Time, *plain.Hub) {
		if n.closed || !n.inbox[k.lane].current(k) {
			err = fmt.Errorf("send on the %s lane: %w", k.lane, transport.ErrClosed)
			return
		}
		for _, id := range out.Peers {
			p := n.peers[id]
			if p == nil || !p.up {
				continue
			}
			o := &outgoing{channel: out.Channel, priority: out.Priority, payload: out.Payload}
			if dropped := p.queue[k.lane].push(o, n.limit(k.lane)); dropped > 0 {
				n.drops(p, k.lane, dropped)
			}
			n.flow(p, k.lane)
		}
	})
	return err // what was queued is sent by pump, which follows
}

func (n *Node) limit(l transport.Lane) int {
	if l == transport.Control {
		return n.cfg.ControlQueue
	}
	return n.cfg.BulkQueue
}

// flow tells the core when a queue has become full, well before messages are dropped, and when there is room again.
func (n *Node) flow(p *peer, l transport.Lane) {
	q, limit := &p.queue[l], n.limit(l)
	switch {
	case !q.full && q.bytes > limit/2:
		q.full = true
	case q.full && q.bytes <= limit/4:
		q.full = false
	default:
		return
	}
	n.inbox[l].push(item{Incoming: transport.Incoming{Flow: &transport.Flow{Peer: p.id, Full: q.full}}, size: eventSize})
}

// drops logs what was dropped, once a second.
func (n *Node) drops(p *peer, l transport.Lane, count int) {
	n.dropped += count
	if now := time.Now(); now.Sub(n.droppedAt) >= time.Second {
		n.log("warn", "messages were not sent", map[string]string{"count": fmt.Sprint(n.dropped), "last peer": p.where(), "lane": l.String(),
			"cause": "the send queue is full"})
		n.dropped, n.droppedAt = 0, now
	}
}

// pump sends what windows have room for. It is called with the endpoint locked, after each change.
func (n *Node) pump(now plain.Time, h *plain.Hub) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range h.Conns() {
		if p := n.byAddr[c.Addr()]; p != nil && p.up {
			n.pumpPeer(now, c, p)
		}
	}
}

func (n *Node) pumpPeer(now plain.Time, c *plain.Conn, p *peer) {
	piece := n.cfg.Datagram - wire.HeaderSize
	if p.addr.Addr().IsLoopback() {
		piece = n.piece
	}
	spare := min(reserve, n.cfg.Conn.Window/4)
	for c.Room() > 0 {
		l := transport.Control
		if !p.load(l) {
			if l = transport.Bulk; c.Room() <= spare || !p.load(l) {
				return
			}
		}
		o := p.sending[l]
		switch {
		case !o.named:
			c.Send(now, wire.FileName, []byte(fileName(l, o.channel)))
			o.named = true
		case o.off < len(o.payload):
			k := min(piece, len(o.payload)-o.off)
			c.Send(now, wire.Data, o.payload[o.off:o.off+k])
			o.off += k
		default:
			c.Send(now, wire.DataOver, nil)
			p.counts.sent(time.Since(n.start), len(o.payload))
			p.sending[l] = nil
		}
		n.flow(p, l)
	}
}

// load sees to it that there is a message under way on a lane, and returns whether there is.
func (p *peer) load(l transport.Lane) bool {
	if p.sending[l] == nil {
		p.sending[l] = p.queue[l].next()
	}
	return p.sending[l] != nil
}
