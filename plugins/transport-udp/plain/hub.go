package plain

import (
	"net/netip"
	"slices"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// HubConfig are the settings of a hub.
type HubConfig struct {
	Conn Config
	// Strangers is how many connections from addresses that were not dialled there may be; a further CONNECT is answered with
	// ComPortsInUse.
	Strangers int
	// Replies is how many datagrams a second answer those that belong to no connection; 0 is 200.
	Replies int
}

// Hub is all connections of a socket. It is not for concurrent use.
//
// A peer may send from another port than the one that its CONNECT tells; it is answered at that one.
type Hub struct {
	cfg     HubConfig
	conns   []*Conn // in the order in which they came, so that nothing depends on a map's
	by      map[netip.AddrPort]*Conn
	alias   map[*Conn]netip.AddrPort // the other address that a peer sends from
	out     Output
	replies int  // since
	second  Time // this time
}

// NewHub returns a hub without connections.
func NewHub(cfg HubConfig) *Hub {
	if cfg.Replies == 0 {
		cfg.Replies = 200
	}
	return &Hub{cfg: cfg, by: map[netip.AddrPort]*Conn{}, alias: map[*Conn]netip.AddrPort{}}
}

// Output returns what is to be carried out since the last call. What it returned before is overwritten.
func (h *Hub) Output() *Output { return &h.out }

// Reset empties the output.
func (h *Hub) Reset() { h.out = Output{} }

// Conn returns the connection to an address, or nil.
func (h *Hub) Conn(addr netip.AddrPort) *Conn { return h.by[addr] }

// Conns returns all connections; the caller must not change the slice.
func (h *Hub) Conns() []*Conn { return h.conns }

// Dial calls an address.
func (h *Hub) Dial(now Time, addr netip.AddrPort) *Conn {
	c := h.by[addr]
	if c == nil {
		c = h.add(addr)
	}
	c.Dial(now)
	return c
}

// Hangup ends a connection and the calling.
func (h *Hub) Hangup(now Time, addr netip.AddrPort, code wire.Code, reason string) {
	if c := h.by[addr]; c != nil {
		c.Hangup(now, code, reason)
		h.tidy(c)
	}
}

// Close ends all connections. The ERRORs are sent once, since nobody will be left to send them again.
func (h *Hub) Close(now Time) {
	for _, c := range slices.Clone(h.conns) {
		c.Hangup(now, wire.DisConnect, "closed")
		h.remove(c)
	}
}

func (h *Hub) add(addr netip.AddrPort) *Conn {
	c := New(h.cfg.Conn, addr, &h.out)
	h.conns = append(h.conns, c)
	h.by[addr] = c
	return c
}

// tidy forgets a connection that is over.
func (h *Hub) tidy(c *Conn) {
	if c.Idle() && !c.Dialled() {
		h.remove(c)
	}
}

func (h *Hub) remove(c *Conn) {
	delete(h.by, c.addr)
	if a, ok := h.alias[c]; ok {
		delete(h.by, a)
		delete(h.alias, c)
	}
	h.conns = slices.DeleteFunc(h.conns, func(o *Conn) bool { return o == c })
}

// Datagram handles one that came from an address.
func (h *Hub) Datagram(now Time, from netip.AddrPort, b []byte) {
	c := h.by[from]
	if c == nil {
		c = h.stranger(now, from, b)
	}
	if c != nil {
		c.Datagram(now, b)
		h.tidy(c)
	}
}

// stranger finds the connection that a datagram from an unknown address belongs to, makes one for a CONNECT, or answers.
func (h *Hub) stranger(now Time, from netip.AddrPort, b []byte) *Conn {
	head, body, err := wire.Parse(b)
	switch {
	case err != nil:
	case head.ID == wire.Connect && len(body) == 2:
		to := from
		if port := uint16(body[0])<<8 | uint16(body[1]); port != 0 {
			to = netip.AddrPortFrom(from.Addr(), port)
		}
		c := h.by[to]
		if c == nil && h.strangers() >= h.cfg.Strangers {
			h.reply(now, to, wire.Header{ID: wire.Error}, byte(wire.ComPortsInUse))
			return nil
		}
		if c == nil {
			c = h.add(to)
		}
		if to != from && !c.Up() {
			h.know(c, from)
		}
		return c
	case head.ID == wire.ConnOK:
		var found *Conn
		for _, c := range h.conns {
			if c.calling && c.addr.Addr() == from.Addr() {
				if found != nil {
					return nil // which of them is not known
				}
				found = c
			}
		}
		if found != nil {
			h.know(found, from)
		}
		return found
	case head.ID == wire.Connect:
		h.reply(now, from, wire.Header{ID: wire.Error}, byte(wire.ConfigError))
	case head.ID == wire.Error && head.Confirm != wire.NotWanted:
		h.reply(now, from, wire.Header{ID: wire.Confirm, Seq: head.Seq})
	case head.ID == wire.Error || head.ID.IsConfirmation(): // never an error about an error; and nobody waits for an answer
	default:
		h.reply(now, from, wire.Header{ID: wire.Error, Seq: head.Seq}, byte(wire.DisConnect))
	}
	return nil
}

// know makes another address belong to a connection, in place of the one before.
func (h *Hub) know(c *Conn, from netip.AddrPort) {
	if a, ok := h.alias[c]; ok {
		delete(h.by, a)
	}
	h.by[from], h.alias[c] = c, from
}

// strangers is how many connections nobody here has asked for.
func (h *Hub) strangers() int {
	n := 0
	for _, c := range h.conns {
		if !c.dialled && c.exists {
			n++
		}
	}
	return n
}

// reply answers a datagram that belongs to no connection, unless there are too many.
func (h *Hub) reply(now Time, to netip.AddrPort, head wire.Header, body ...byte) {
	if now >= h.second+time.Second {
		h.second, h.replies = now, 0
	}
	if h.replies++; h.replies > h.cfg.Replies {
		return
	}
	h.out.Datagrams = append(h.out.Datagrams, Datagram{to, append(head.Append(nil, len(body) > 0), body...)})
}

// Tick handles all timers that are due.
func (h *Hub) Tick(now Time) {
	for _, c := range slices.Clone(h.conns) {
		if now >= c.Wake() {
			c.Tick(now)
			h.tidy(c)
		}
	}
}

// Wake returns when Tick has to be called next.
func (h *Hub) Wake() Time {
	t := never
	for _, c := range h.conns {
		t = min(t, c.Wake())
	}
	return t
}
