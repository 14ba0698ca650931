package plain

import (
	"bytes"
	"fmt"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// message is one that came before its turn.
type message struct {
	id   wire.ID
	body []byte
}

// receiver is the receiving half of a connection.
type receiver struct {
	expected uint8 // number whose turn it is
	taken    int   // messages taken, up to 256
	early    map[uint8]message
	connOK   bool // the peer's CONN_OK has set the number
	pending  bool // a DATA_OVER was handed out and waits for Accept
	held     bool
	mismatch int // impossible numbers in a row
}

// receive handles a message that wants confirmation.
func (c *Conn) receive(now Time, h wire.Header, body []byte) {
	r := &c.rcv
	if r.held {
		c.stats.Dropped++
		return
	}
	ahead := h.Seq - r.expected
	behind := -int(int8(ahead))
	switch {
	case ahead < MaxWindow:
		r.mismatch = 0
		c.arrive(now, h, ahead, body)
	case behind > 0 && behind < 128 && behind <= r.taken+r.first():
		r.mismatch = 0
		c.stats.Repeated++
		c.emit(wire.Header{ID: h.ID.Confirmation(), Seq: h.Seq}, nil)
	case r.taken == 0 && behind == 1 && len(r.early) == 0: // the peer counts from the number of its CONNECT
		r.expected = h.Seq
		c.arrive(now, h, 0, body)
	default:
		c.stats.Dropped++
		if r.mismatch++; r.mismatch >= mismatches {
			c.end(now, wire.NumMissMatch, fmt.Sprintf("%s has number %d and %d is expected", h.ID, h.Seq, r.expected), false, true)
		}
	}
}

// first is how many numbers the peer's CONN_OK has used.
func (r *receiver) first() int {
	if r.connOK {
		return 1
	}
	return 0
}

// arrive handles a message whose number is new.
func (c *Conn) arrive(now Time, h wire.Header, ahead uint8, body []byte) {
	r := &c.rcv
	if ahead == 0 {
		if r.pending {
			return
		}
		c.take(message{h.ID, bytes.Clone(body)})
		c.drain(now)
		return
	}
	if _, ok := r.early[h.Seq]; ok {
		c.stats.Repeated++
	} else {
		r.early[h.Seq] = message{h.ID, bytes.Clone(body)}
	}
	if h.ID != wire.DataOver || !c.cfg.DeferOver {
		c.emit(wire.Header{ID: h.ID.Confirmation(), Seq: h.Seq}, nil)
	}
}

// take hands out the message whose turn it is, and confirms it if that was not done before.
func (c *Conn) take(m message) {
	r := &c.rcv
	c.event(Event{Kind: Received, ID: m.id, Body: m.body})
	if m.id == wire.DataOver && c.cfg.DeferOver {
		r.pending = true
		return
	}
	if _, ok := r.early[r.expected]; ok {
		delete(r.early, r.expected)
	} else {
		c.emit(wire.Header{ID: m.id.Confirmation(), Seq: r.expected}, nil)
	}
	c.next()
}

func (c *Conn) next() {
	c.rcv.expected++
	c.rcv.taken = min(c.rcv.taken+1, 256)
}

// drain hands out the messages whose turn has come.
func (c *Conn) drain(Time) {
	for !c.rcv.pending {
		m, ok := c.rcv.early[c.rcv.expected]
		if !ok {
			return
		}
		c.take(m)
	}
}

// Accept confirms the DATA_OVER that was handed out, see [Config.DeferOver].
func (c *Conn) Accept(now Time) {
	r := &c.rcv
	if !c.exists || !r.pending {
		return
	}
	r.pending = false
	delete(r.early, r.expected)
	c.emit(wire.Header{ID: wire.DataOverOK, Seq: r.expected}, nil)
	c.next()
	c.drain(now)
}

// Hold makes the connection take no messages that want confirmation, nor confirm them, until it is released. The peer sends
// them again, up to its limit.
func (c *Conn) Hold(hold bool) { c.rcv.held = hold }

// Held tells whether Hold holds.
func (c *Conn) Held() bool { return c.rcv.held }
