package conn

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

const (
	// minDatagram is the smallest that a peer may ask for; it has room for a FILENAME with the longest channel.
	minDatagram = 512
	// The congestion window, in datagrams. Its floor is not one: a few lost datagrams on a bad path must not stop votes.
	initialCongestion = 32
	minCongestion     = 16
	// decrease is what a loss leaves of the congestion window.
	decrease = 0.7
	// reordering is how many later transmissions must be confirmed before one is taken for lost.
	reordering = 3
)

// flight is a message that was given a number.
type flight struct {
	id      wire.ID
	metaLen uint8
	meta    [wire.PieceHeaderSize]byte
	body    []byte
	sent    Time
	tx      uint64 // number of its last transmission among all of the session
	firstTx uint64
	again   bool // it was sent more than once
	acked   bool
	lost    bool
}

// sender is the sending half of a session.
type sender struct {
	queue queue

	base, next  uint32 // numbers from base up to next are in flight
	flights     [256]flight
	outstanding int // of these, neither confirmed nor known to be lost
	lost        int
	window      int // what the peer has room for, from base on
	tx          uint64
	ackedTx     uint64 // latest transmission that is known to have arrived

	congestion float64
	threshold  float64 // of slow start
	recovery   uint64  // losses of earlier transmissions have been answered
	limited    bool    // the congestion window was what stopped the last pump

	srtt, variance time.Duration
	rto            time.Duration
	timeouts       int // in a row
	timer          Time
}

func newSender(cfg Config) sender {
	return sender{base: 1, next: 1, window: cfg.Window, congestion: initialCongestion, threshold: MaxWindow, rto: cfg.RetransmitInitial, timer: never}
}

// last is the number of the last message that wanted confirmation.
func (s *sender) last() uint8 { return uint8(s.next - 1) }

func (s *sender) span() int { return int(s.next - s.base) }

// Send queues a message. Without a session it is dropped, or kept for the session that is called for if Config.Early is set.
func (c *Conn) Send(m Message) {
	if n := len(m.Payload) + overhead; !c.up && c.cfg.Early && c.dialled && (c.earlyBytes == 0 || c.earlyBytes+n <= c.cfg.SendQueue) {
		c.early = append(c.early, m)
		c.earlyBytes += n
		return
	}
	if !c.up || len(m.Payload) > MaxMessage || len(m.Channel) > MaxChannel {
		c.event(Event{Kind: Dropped, Count: 1, Reason: "there is no connection, or the message is too large"})
		return
	}
	if n := c.snd.queue.push(m, c.room()-1, c.cfg.SendQueue); n > 0 {
		c.event(Event{Kind: Dropped, Count: n, Reason: "the send queue is full"})
	}
}

// room is how much a datagram has after tag and number.
func (c *Conn) room() int { return c.datagram - wire.HeaderSize - wire.TagSize - wire.NumberSize }

// Queued returns the bytes that wait to be sent.
func (c *Conn) Queued() int { return c.snd.queue.bytes }

// pump sends again what was lost, then what waits, as far as the windows allow.
func (c *Conn) pump(now Time) {
	s := &c.snd
	for seq := s.base; s.lost > 0 && s.outstanding < int(s.congestion) && seq != s.next; seq++ {
		if f := &s.flights[uint8(seq)]; f.lost {
			f.lost, f.again = false, true
			s.lost--
			c.transmit(now, seq, wire.Retransmits)
		}
	}
	s.limited = false
	// A closed window still lets one message through: its confirmation tells when the window opens.
	for s.span() < min(c.cfg.Window, MaxWindow, max(s.window, 1)) {
		if s.outstanding >= int(s.congestion) {
			s.limited = true
			return
		}
		f := &s.flights[uint8(s.next)]
		*f = flight{}
		if !s.queue.next(f, c.room()) {
			return
		}
		f.firstTx = s.tx + 1
		s.next++
		c.transmit(now, s.next-1, wire.Wanted)
	}
}

func (c *Conn) transmit(now Time, seq uint32, confirm uint8) {
	s := &c.snd
	f := &s.flights[uint8(seq)]
	s.tx++
	f.tx, f.sent = s.tx, now
	s.outstanding++
	if s.timer == never {
		s.timer = now + s.rto
	}
	tail := append(binary.BigEndian.AppendUint32(c.scratch[:0], seq), f.meta[:f.metaLen]...)
	c.emitTagged(now, wire.Header{ID: f.id, Confirm: confirm, Seq: uint8(seq)}, tail, f.body)
}

// confirmed handles a confirmation. One that confirms what was never sent, or is older than what is known, is ignored.
func (c *Conn) confirmed(now Time, conf wire.Confirmation) {
	s := &c.snd
	ahead := int(conf.Expected - s.base)
	if ahead > s.span() {
		return
	}
	s.timeouts = 0
	newly, sample := 0, time.Duration(-1)
	ack := func(seq uint32) {
		f := &s.flights[uint8(seq)]
		if f.acked {
			return
		}
		newly++
		if f.lost {
			s.lost--
		} else {
			s.outstanding--
		}
		tx := f.firstTx
		if !f.again {
			sample = now - f.sent
		} else if s.srtt > 0 && now-f.sent >= s.srtt/2 { // soon after a retransmission it is the first that was confirmed
			tx = f.tx
		}
		s.ackedTx = max(s.ackedTx, tx)
		f.acked, f.lost, f.body = true, false, nil
	}
	for ; s.base != conf.Expected; s.base++ {
		ack(s.base)
	}
	for i := 1; i < s.span() && i <= 8*len(conf.Bits); i++ {
		if conf.Has(i) {
			ack(s.base + uint32(i))
		}
	}
	if s.window == 0 && conf.Window > 0 { // what was sent into the closed window was not taken
		for seq := s.base; seq != s.next; seq++ {
			c.lose(seq)
		}
	}
	s.window = int(conf.Window)
	if newly == 0 {
		return
	}
	if sample >= 0 {
		s.measure(sample)
	}
	s.rto = s.timeoutFor(c.cfg)
	if s.timer = never; s.span() > 0 {
		s.timer = now + s.rto
	}
	if !c.detect() {
		s.grow(newly)
	}
}

// lose marks a message as lost. It returns false if it is not outstanding.
func (c *Conn) lose(seq uint32) bool {
	f := &c.snd.flights[uint8(seq)]
	if f.acked || f.lost {
		return false
	}
	f.lost = true
	c.snd.lost++
	c.snd.outstanding--
	return true
}

// detect finds messages that were overtaken by later ones, and answers with a smaller congestion window, once for what
// was under way together. It returns whether there were any.
func (c *Conn) detect() bool {
	s := &c.snd
	lost, cut := false, false
	for seq := s.base; seq != s.next; seq++ {
		if f := &s.flights[uint8(seq)]; f.tx+reordering <= s.ackedTx && c.lose(seq) {
			lost, cut = true, cut || f.tx > s.recovery
		}
	}
	if cut {
		s.threshold = max(s.congestion*decrease, minCongestion)
		s.congestion, s.recovery = s.threshold, s.tx
	}
	return lost
}

// grow opens the congestion window: by as much as was confirmed in slow start, by one a round trip after it.
func (s *sender) grow(newly int) {
	if !s.limited {
		return
	}
	if s.congestion < s.threshold {
		s.congestion += float64(newly)
	} else {
		s.congestion += float64(newly) / s.congestion
	}
	s.congestion = min(s.congestion, MaxWindow)
}

// measure takes a round trip into the estimate of RFC 6298.
func (s *sender) measure(rtt time.Duration) {
	if s.srtt == 0 {
		s.srtt, s.variance = max(rtt, 1), rtt/2
		return
	}
	s.variance += ((s.srtt - rtt).Abs() - s.variance) / 4
	s.srtt = max(s.srtt+(rtt-s.srtt)/8, 1)
}

func (s *sender) timeoutFor(cfg Config) time.Duration {
	if s.srtt == 0 {
		return cfg.RetransmitInitial
	}
	return min(max(s.srtt+4*s.variance, cfg.RetransmitMin), cfg.RetransmitMax)
}

// timeout handles the retransmission timer: all that is not confirmed counts as lost.
func (c *Conn) timeout(now Time) {
	s := &c.snd
	if s.span() == 0 {
		s.timer = never
		return
	}
	if s.timeouts++; s.timeouts > c.cfg.RetransmitLimit {
		c.end(now, fmt.Sprintf("no confirmation after %d retransmissions", c.cfg.RetransmitLimit), wire.DisConnect, true, 0)
		return
	}
	for seq := s.base; seq != s.next; seq++ {
		c.lose(seq)
	}
	s.threshold = max(s.congestion*decrease, minCongestion)
	s.congestion, s.recovery = minCongestion, s.tx
	s.rto = min(2*s.rto, c.cfg.RetransmitMax)
	s.timer = now + s.rto
}
