package conn

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/stripe"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

const (
	// minDatagram is the smallest that a peer may ask for; it has room for a FILENAME with the longest channel.
	minDatagram = 512
	// datagramOverhead is what a datagram has besides its frame, in bytes.
	datagramOverhead = wire.Overhead + wire.NumberSize
	// The floors of the window, in datagrams. That of control is not one: a few lost datagrams on a bad path must not stop votes.
	minCount        = 4
	minControlCount = 16
	// A control datagram goes out twice while the path loses some: each loss arms so many copies, as long as so few are
	// under way. A lost vote costs a round trip, a copy costs a few hundred bytes.
	copiesPerLoss = 1000
	copiesFlying  = 64
)

// frameRoom is how much a datagram of that size has for a frame.
func frameRoom(datagram int) int { return datagram - datagramOverhead }

// flight is a message that was given a number.
type flight struct {
	frame   stripe.Frame
	mark    mark
	size    int32
	sent    Time
	tx      uint64 // number of its last transmission among all of the session
	firstTx uint64
	again   bool // it was sent more than once
	tail    bool // of these, the last time only since nothing was heard
	acked   bool
	lost    bool
}

// sender is the sending half of a session.
type sender struct {
	base, next  uint32 // numbers from base up to next are in flight
	flights     *[MaxWindow + 1]flight
	outstanding int // of these, neither confirmed nor known to be lost
	lost        int
	window      int // what the peer has room for, from base on
	tx          uint64
	stuck       bool // see Group.exhausted
	rack        rack
	rtt         estimate
	copies      int

	timer    Time // of what is not confirmed
	backoff  int  // doublings of the timer
	timeouts int  // in a row
	paced    Time // when pacing lets more go, or never
}

func newSender(cfg Config) sender {
	return sender{base: 1, next: 1, flights: new([MaxWindow + 1]flight), window: cfg.Window, rack: rack{mult: 1, at: never}, timer: never, paced: never}
}

// last is the number of the last message that wanted confirmation.
func (s *sender) last() uint8 { return uint8(s.next - 1) }

func (s *sender) span() int { return int(s.next - s.base) }

// at returns the flight of a number that is in flight.
func (s *sender) at(seq uint32) *flight { return &s.flights[seq%(MaxWindow+1)] }

// Send queues a message of a connection that is in no group. Without a session it is dropped.
func (c *Conn) Send(m Message) {
	if !c.up || c.shared || len(m.Payload) > MaxMessage || len(m.Channel) > MaxChannel {
		c.event(Event{Kind: Dropped, Count: 1, Reason: "there is no connection, or the message is too large"})
		return
	}
	dropped, flow := c.group.Send(m)
	if dropped > 0 {
		c.event(Event{Kind: Dropped, Count: dropped, Reason: "the send queue is full"})
	}
	c.tellFlow(flow)
}

func (c *Conn) tellFlow(f Flow) {
	switch f {
	case Full:
		c.event(Event{Kind: QueueFull})
	case Room:
		c.event(Event{Kind: QueueRoom})
	}
}

// room is how much a datagram has for a frame.
func (c *Conn) room() int { return frameRoom(c.datagram) }

// window is how many numbers this end lets be in flight. The kernel counts a datagram for up to twice its length: a window
// that fits the buffer of a socket on the same machine loses nothing there.
func (c *Conn) window() int {
	w := min(c.cfg.Window, MaxWindow)
	if c.cfg.Buffer > 0 {
		w = min(w, max(c.cfg.Buffer/(2*c.datagram), 16))
	}
	return w
}

// Queued returns the bytes that wait to be sent or are under way.
func (c *Conn) Queued() int {
	if c.group == nil {
		return 0
	}
	return c.group.Stats(0).Queued
}

// pump sends again what was lost, then what waits, as far as windows and pacing allow.
func (c *Conn) pump(now Time) {
	s := &c.snd
	s.paced = never
	for seq := s.base; s.lost > 0 && seq != s.next; seq++ {
		f := s.at(seq)
		if !f.lost {
			continue
		}
		if c.tooLong(f) {
			continue
		}
		switch v, at := c.group.again(now, f, false); v {
		case congested, early:
			s.paced = at
			return
		}
		f.lost, f.again, f.tail = false, true, false
		s.lost--
		c.transmit(now, seq, wire.Retransmits)
	}
	// A closed window still lets one message through: its confirmation tells when the window opens.
	for s.span() < min(c.window(), max(s.window, 1)) {
		f := s.at(s.next)
		*f = flight{}
		v, at, flow := c.group.pull(now, f, c.room())
		c.tellFlow(flow)
		if v == early {
			s.paced = at
		}
		if v != sending {
			c.unstick()
			if v != empty && c.shared {
				c.crowded(c.group.crowding(c.window() * c.datagram))
			}
			return
		}
		f.firstTx = s.tx + 1
		s.next++
		c.transmit(now, s.next-1, wire.Wanted)
		if s.copies > 0 && s.outstanding <= copiesFlying && f.size <= 1200 {
			s.copies--
			c.put(now, s.next-1, wire.Retransmits)
		}
	}
	if !c.shared || s.window == 0 {
		return
	}
	stuck, kick, want := c.group.exhausted(s.stuck, c.window()*c.datagram)
	s.stuck = stuck
	if kick {
		c.event(Event{Kind: Kick})
	}
	c.crowded(want)
}

func (c *Conn) crowded(want int) {
	if want > 0 {
		c.event(Event{Kind: Crowded, Count: want})
	}
}

func (c *Conn) unstick() {
	if c.snd.stuck {
		c.snd.stuck = false
		c.group.unstuck()
	}
}

// tooLong handles a lost message that is larger than the path allows by now: its frame goes back to the group and
// something empty takes its number, which the peer waits for. In order that would come too early, but only lanes of a group,
// which have no order, change their datagrams' size.
func (c *Conn) tooLong(f *flight) bool {
	if !c.shared || f.frame.Len() <= c.room() {
		return false
	}
	g := c.group
	g.mu.Lock()
	g.snd.Return(&f.frame)
	g.mu.Unlock()
	f.frame = stripe.Frame{ID: wire.Data, Body: []byte{byte(wire.Void)}}
	f.size = int32(f.frame.Len() + datagramOverhead)
	return false
}

func (c *Conn) transmit(now Time, seq uint32, confirm uint8) {
	s := &c.snd
	f := s.at(seq)
	s.tx++
	f.tx, f.sent = s.tx, now
	s.outstanding++
	if s.timer == never {
		s.timer = now + c.probeTime()
	}
	c.lastData = now
	c.put(now, seq, confirm)
}

// put emits the datagram of a number.
func (c *Conn) put(now Time, seq uint32, confirm uint8) {
	f := c.snd.at(seq)
	tail := append(binary.BigEndian.AppendUint32(c.scratch[:0], seq), f.frame.Meta()...)
	c.emitTagged(now, wire.Header{ID: f.frame.ID, Confirm: confirm, Seq: uint8(seq)}, tail, f.frame.Body)
}

// confirmed handles a confirmation. One that confirms what was never sent, or is older than what is known, is ignored.
func (c *Conn) confirmed(now Time, conf wire.Confirmation) {
	s, g := &c.snd, c.group
	ahead := int(conf.Expected - s.base)
	if ahead > s.span() {
		return
	}
	s.timeouts = 0
	var last flight // of those confirmed, the one that was sent last
	newly, bytes, trip := 0, 0, time.Duration(-1)
	g.mu.Lock()
	for ; s.base != conf.Expected; s.base++ {
		if f := s.at(s.base); !f.acked {
			newly++
			bytes += int(f.size)
			trip = c.ack(now, f, &last, trip)
		}
	}
	for i := 1; i < s.span() && i <= 8*len(conf.Bits); i++ {
		if conf.Has(i) {
			if f := s.at(s.base + uint32(i)); !f.acked {
				newly++
				bytes += int(f.size)
				trip = c.ack(now, f, &last, trip)
			}
		}
	}
	if trip >= 0 {
		s.rtt.measure(trip)
		g.stats.RTT, g.stats.Variance, g.stats.Datagram = s.rtt.smooth, s.rtt.variance, c.datagram
	}
	if newly > 0 && last.tx > 0 {
		g.path.update(now, last.mark, last.sent, trip, bytes)
	}
	flow := Same
	if newly > 0 {
		flow = g.flow()
	}
	if s.window == 0 && conf.Window > 0 { // what was sent into the closed window was not taken
		for seq := s.base; seq != s.next; seq++ {
			c.lose(seq)
		}
	}
	s.window = int(conf.Window)
	if newly > 0 {
		s.backoff = 0
		if s.timer = never; s.span() > 0 {
			s.timer = now + c.probeTime()
		}
	}
	c.detect(now)
	g.mu.Unlock()
	c.tellFlow(flow)
}

// ack confirms one message, with the group locked. It returns the round trip, or the one given if this one tells none.
func (c *Conn) ack(now Time, f *flight, last *flight, trip time.Duration) time.Duration {
	s, g := &c.snd, c.group
	if f.lost {
		s.lost--
	} else {
		s.outstanding--
	}
	g.path.arrive(int(f.size), !f.lost)
	n := g.snd.Confirm(&f.frame)
	g.stats.SentBytes += uint64(n)
	g.rates[0].add(now, n)
	fresh := true // it was the last transmission that was confirmed
	switch {
	case !f.again:
		trip = now - f.sent
		s.rack.overtaken(f, now-f.sent)
	case f.lost || s.rtt.smooth == 0 || now-f.sent < s.rtt.least*3/4: // it was the first after all, which was only late
		fresh = false
		if !f.lost && !f.tail && s.rtt.smooth > 0 {
			s.rack.spurious()
		}
	}
	if fresh {
		s.rack.arrived(f, now)
		if f.tx > last.tx {
			*last = *f
		}
	}
	f.acked, f.lost = true, false
	return trip
}

// lose marks a message as lost, with the group locked. It returns false if it is not outstanding.
func (c *Conn) lose(seq uint32) bool {
	f := c.snd.at(seq)
	if f.acked || f.lost {
		return false
	}
	f.lost = true
	c.snd.lost++
	c.snd.outstanding--
	c.group.path.lose(int(f.size))
	return true
}

// arm makes the next datagrams of the control lane go out twice.
func (c *Conn) arm() {
	if !c.shared {
		c.snd.copies = copiesPerLoss
	}
}

// timeout handles the timer of what is not confirmed. First the oldest and the newest are sent again, since a tail that was lost is overtaken
// by nothing. The next time all that is not confirmed counts as lost.
func (c *Conn) timeout(now Time) {
	s, g := &c.snd, c.group
	if s.span() == 0 {
		s.timer = never
		return
	}
	if s.timeouts++; s.timeouts > c.cfg.RetransmitLimit {
		c.end(now, fmt.Sprintf("no confirmation after %d retransmissions", c.cfg.RetransmitLimit), wire.DisConnect, true, 0)
		return
	}
	if s.backoff == 0 && s.outstanding > 0 {
		s.backoff = 1
		s.timer = now + c.rto()
		c.probeTail(now)
		return
	}
	c.blackHole(now)
	g.mu.Lock()
	for seq := s.base; seq != s.next; seq++ {
		c.lose(seq)
	}
	c.arm()
	g.path.collapse(c.datagram)
	g.mu.Unlock()
	s.backoff = min(s.backoff+1, 16)
	s.timer = now + c.rto()
}

// probeTail sends the oldest and the newest outstanding message again.
func (c *Conn) probeTail(now Time) {
	s := &c.snd
	again := func(seq uint32) {
		f := s.at(seq)
		c.group.mu.Lock()
		c.group.path.flying -= int(f.size)
		c.group.mu.Unlock()
		c.group.again(now, f, true)
		f.again, f.tail = true, true
		s.outstanding--
		c.transmit(now, seq, wire.Retransmits)
	}
	oldest := s.base
	for seq := s.base; seq != s.next; seq++ {
		if f := s.at(seq); !f.acked && !f.lost {
			oldest = seq
			again(seq)
			break
		}
	}
	for seq := s.next - 1; seq != oldest; seq-- {
		if f := s.at(seq); !f.acked && !f.lost {
			again(seq)
			break
		}
	}
}

// giveBack returns what was not confirmed to the group, for its other lanes, when a session ends.
func (c *Conn) giveBack() {
	s, g := &c.snd, c.group
	if s.flights == nil { // there was no session
		return
	}
	c.unstick()
	g.mu.Lock()
	defer g.mu.Unlock()
	for seq := s.base; seq != s.next; seq++ {
		f := s.at(seq)
		if f.acked {
			continue
		}
		if !f.lost {
			g.path.flying -= int(f.size)
		}
		g.snd.Return(&f.frame)
	}
	g.lanes--
}
