package node

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// file is a message that is arriving.
type file struct {
	channel string
	data    []byte
}

// handle takes the events of connections. It is called with the endpoint locked.
func (n *Node) handle(now plain.Time, h *plain.Hub, e plain.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	p := n.byAddr[e.Addr]
	switch e.Kind {
	case plain.Up:
		n.up(now, h, p, e.Addr)
	case plain.Down:
		if p == nil || !p.up {
			return
		}
		n.clear(p)
		n.tell(p, false, e.Reason)
		if !p.dialled {
			delete(n.peers, p.id)
			delete(n.byAddr, e.Addr)
		}
	case plain.Unreachable, plain.Refused:
		if p != nil && !p.up {
			n.tell(p, false, e.Reason)
		}
	case plain.Confirmed:
		if p != nil && p.up {
			p.confirmed(e)
		}
	case plain.Received:
		if p == nil || !p.up {
			return
		}
		if code, err := n.received(p, e.ID, e.Body); err != nil {
			if c := h.Conn(e.Addr); c != nil {
				c.Break(now, code, err.Error())
			}
			return
		}
		n.hold(h, p)
	}
}

func (n *Node) up(now plain.Time, h *plain.Hub, p *peer, addr netip.AddrPort) {
	if p == nil {
		p = n.newPeer(strangerID(addr))
		if old := n.peers[p.id]; old != nil { // the core has dialled another address by this very name
			n.drop(now, h, old, "the name belongs to another address")
		}
		p.addr = addr
		n.peers[p.id], n.byAddr[addr] = p, p
	}
	n.clear(p)
	p.up, p.counts = true, counts{}
	if c := h.Conn(addr); c != nil {
		p.counts.base = c.Stats()
	}
	n.tell(p, true, "connected")
	n.hold(h, p)
}

// hold makes a peer's connection take no more as long as the core has too much of it.
func (n *Node) hold(h *plain.Hub, p *peer) {
	if c := h.Conn(p.addr); c != nil && p.held.check(n.cfg.ReceiveQueue) {
		c.Hold(true)
	}
}

// release is called when the core has taken a message.
func (n *Node) release(it item) {
	if !it.held.taken(it.size, n.cfg.ReceiveQueue) {
		return
	}
	n.do(func(_ plain.Time, h *plain.Hub) {
		if c := h.Conn(it.from); c != nil {
			c.Hold(false)
		}
	})
}

// received takes the next message of a connection. With an error it returns the code that the peer is told.
func (n *Node) received(p *peer, id wire.ID, body []byte) (wire.Code, error) {
	switch id {
	case wire.FileName:
		l, channel, ok := parseName(string(body))
		switch {
		case !ok:
			return wire.ConfigError, fmt.Errorf("the peer sends the file %.80q, which is no message of a node", body)
		case p.files[l] != nil || l == transport.Bulk && p.files[transport.Control] != nil:
			return wire.NumMissMatch, fmt.Errorf("the peer begins a message of %s within another", l)
		}
		p.files[l] = &file{channel: channel}
	case wire.Data:
		_, f := p.file()
		switch {
		case f == nil:
			return wire.NumMissMatch, fmt.Errorf("the peer sends DATA of no message")
		case len(f.data)+len(body) > transport.MaxPayload:
			return wire.ConfigError, fmt.Errorf("the peer sends a message of more than %d bytes", transport.MaxPayload)
		case n.assembling+len(body) > assemblies:
			return wire.DisConnect, fmt.Errorf("too many messages of all peers are not whole")
		}
		f.data = append(f.data, body...)
		n.assembling += len(body)
	case wire.DataOver:
		l, f := p.file()
		if f == nil {
			return wire.NumMissMatch, fmt.Errorf("the peer ends no message")
		}
		p.files[l] = nil
		n.assembling -= len(f.data)
		size := len(f.data) + eventSize
		p.held.add(size)
		m := &transport.Message{Peer: p.id, Channel: f.channel, Payload: f.data}
		if !n.inbox[l].push(item{Incoming: transport.Incoming{Message: m}, from: p.addr, size: size, held: p.held}) {
			p.held.add(-size)
			return wire.DisConnect, fmt.Errorf("the core takes too little") // what was confirmed may not be lost while the connection lasts
		}
		p.counts.received(time.Since(n.start), len(f.data))
	}
	return 0, nil // a measurement: START and STOP, which are confirmed and mean nothing else
}

// file returns the message that DATA belong to.
func (p *peer) file() (transport.Lane, *file) {
	if f := p.files[transport.Control]; f != nil {
		return transport.Control, f
	}
	return transport.Bulk, p.files[transport.Bulk]
}
