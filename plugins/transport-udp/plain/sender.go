package plain

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// flight is a message that was sent and not confirmed, or was confirmed before those ahead of it.
type flight struct {
	id        wire.ID
	confirmed bool
	data      []byte // the datagram
	first     Time   // when it was sent first
	last      Time   // when it was sent last
	order     uint64 // among all messages
	sent      int    // how often
	overdue   int    // of these, because it was overdue
}

// sender is the sending half of a connection.
type sender struct {
	last    uint8 // number of the last message that wants confirmation
	span    int   // numbers from the oldest unconfirmed one to the last
	flights []flight
	timer   Time // the retransmission timer
	repeats int  // times it has fired since something was confirmed
}

// base is the number of the oldest unconfirmed message.
func (s *sender) base() uint8 { return s.last - uint8(s.span) + 1 }

// Room returns how many messages Send takes now.
func (c *Conn) Room() int {
	if !c.up {
		return 0
	}
	return c.cfg.Window - c.snd.span
}

// Unconfirmed returns how many numbers are in flight, from the oldest unconfirmed one on.
func (c *Conn) Unconfirmed() int { return c.snd.span }

// Send sends a message that wants confirmation. It returns false if there is no connection or no room in the window. The
// message with its header must fit a datagram; the body is copied.
func (c *Conn) Send(now Time, id wire.ID, body []byte) bool {
	if c.Room() == 0 {
		return false
	}
	c.send(now, id, body)
	return true
}

func (c *Conn) send(now Time, id wire.ID, body []byte) {
	s := &c.snd
	s.last++
	s.span++
	c.stats.Messages++
	data := c.emit(wire.Header{ID: id, Confirm: wire.Wanted, Seq: s.last}, body)
	s.flights[s.last] = flight{id: id, data: data, first: now, last: now, sent: 1, order: c.stats.Messages}
	if s.timer == never {
		s.timer = now + c.cfg.Retransmit
	}
}

// confirm handles a confirmation. COFIRM confirms every message: the paper can be read so that all of type 1 have it.
func (c *Conn) confirm(now Time, by wire.ID, number uint8) {
	s := &c.snd
	if int(number-s.base()) >= s.span {
		return // confirmed before
	}
	f := &s.flights[number]
	if f.confirmed || by != wire.Confirm && by != f.id.Confirmation() {
		return
	}
	f.confirmed, f.data = true, nil
	s.repeats = 0
	if c.cfg.Measure {
		c.event(Event{Kind: Confirmed, ID: f.id, Sent: f.sent, Trip: since(now, f.first), Order: f.order})
	}
	for s.span > 0 && s.flights[s.base()].confirmed {
		s.span--
	}
	if s.timer = never; s.span > 0 {
		s.timer = now + c.cfg.Retransmit
	}
}

// retransmit sends the unconfirmed queue again when the timer fires, and the oldest message when it is overdue. The second
// is not in the paper: its timer never fires while the peer is heard more often than the waiting time.
func (c *Conn) retransmit(now Time) {
	s := &c.snd
	if now >= s.timer {
		if s.repeats++; s.repeats > c.cfg.RetransmitLimit {
			c.lost(now)
			return
		}
		for i := range s.span {
			c.repeat(now, s.base()+uint8(i))
		}
		s.timer = now + c.cfg.Retransmit
		return
	}
	if now >= c.overdue() {
		f := &s.flights[s.base()]
		if f.overdue++; f.overdue > c.cfg.RetransmitLimit {
			c.lost(now)
			return
		}
		c.repeat(now, s.base())
	}
}

// lost ends the connection. The ERROR is sent once: there were enough retransmissions.
func (c *Conn) lost(now Time) {
	c.end(now, wire.DisConnect, fmt.Sprintf("not confirmed after %d retransmissions", c.cfg.RetransmitLimit), false, true)
	c.farewell = nil
}

func (c *Conn) repeat(now Time, number uint8) {
	f := &c.snd.flights[number]
	if f.confirmed {
		return
	}
	if f.sent++; f.sent == 2 {
		f.data = again(f.data)
	}
	f.last = now
	c.stats.Retransmitted++
	c.write(f.data)
}

// overdue is when the oldest unconfirmed message is sent again although the peer is heard.
func (c *Conn) overdue() Time {
	s := &c.snd
	if s.span == 0 {
		return never
	}
	return s.flights[s.base()].last + overdueAfter*c.cfg.Retransmit
}
