package conn

import (
	"bytes"
	"fmt"
	"math/bits"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// confirmEvery is how many datagrams one confirmation serves at most, if they come fast enough.
const confirmEvery = 16

// receiver is the receiving half of a session.
type receiver struct {
	expected uint32
	early    int                          // numbers after expected that have arrived
	have     [(MaxWindow + 1) / 64]uint64 // which, by number modulo 128
	slots    map[uint32]slot              // of an ordered connection: what waits for what is before it

	confirm    bool // something is to be confirmed
	confirmID  wire.ID
	confirmSeq uint8
	confirmAt  Time
	unanswered int  // datagrams since the last confirmation
	told       bool // the last confirmation said that there is no room
}

type slot struct {
	id   wire.ID
	body []byte
}

func newReceiver() receiver { return receiver{expected: 1, confirmAt: never} }

func (r *receiver) has(number uint32) bool {
	i := number % (MaxWindow + 1)
	return r.have[i/64]>>(i%64)&1 == 1
}

func (r *receiver) mark(number uint32, have bool) {
	i := number % (MaxWindow + 1)
	if have {
		r.have[i/64] |= 1 << (i % 64)
		r.early++
	} else {
		r.have[i/64] &^= 1 << (i % 64)
		r.early--
	}
}

// confirmation returns the body of a confirmation, valid until the next call.
func (c *Conn) confirmation() []byte {
	r := &c.rcv
	conf := wire.Confirmation{Expected: r.expected}
	c.group.mu.Lock()
	conf.Window = uint8(c.group.window(min(c.cfg.Window, MaxWindow)))
	c.group.mu.Unlock()
	r.told = conf.Window == 0
	var set [wire.MaxBits]byte
	if r.early > 0 {
		// Bits of the numbers after expected: the ring, turned.
		k := (r.expected + 1) % (MaxWindow + 1)
		lo, hi := r.have[0], r.have[1]
		if k >= 64 {
			lo, hi = hi, lo
		}
		if k %= 64; k > 0 {
			lo, hi = lo>>k|hi<<(64-k), hi>>k|lo<<(64-k)
		}
		n := bits.Len64(hi) + 64
		if hi == 0 {
			n = bits.Len64(lo)
		}
		for i := range 8 {
			set[i], set[8+i] = byte(lo>>(8*i)), byte(hi>>(8*i))
		}
		conf.Bits = set[:(n+7)/8]
	}
	return conf.Append(c.scratch[:0])
}

// confirmDelay is how long a confirmation may wait for others to be confirmed together: a quarter of a round trip, if it is
// known.
func (c *Conn) confirmDelay() time.Duration {
	if rtt := c.snd.rtt.smooth; rtt > 0 {
		return min(rtt/4, ackDelay)
	}
	return ackDelay / 4
}

// receive handles a message that wants confirmation.
func (c *Conn) receive(now Time, h wire.Header, b []byte) error {
	r := &c.rcv
	number, b, err := wire.ParseNumber(b)
	if err != nil {
		return err
	}
	if uint8(number) != h.Seq {
		return fmt.Errorf("%w: number %d in the body and %d in the header", wire.ErrMalformed, number, h.Seq)
	}
	c.lastData = now
	ahead := int32(number - r.expected)
	if r.unanswered++; !r.confirm {
		r.confirm, r.confirmAt = true, now+c.confirmDelay()
	}
	if ahead < 0 || ahead < MaxWindow && r.has(number) { // received before; a copy, or the confirmation was lost
		if r.confirmID = h.ID.Confirmation(); h.Confirm == wire.Retransmits && !c.shared {
			r.confirmSeq = h.Seq // copies are usual there
			return nil
		}
		r.confirmSeq, r.confirmAt = h.Seq, now
		return nil
	}
	taken := false
	switch {
	case ahead >= MaxWindow:
	case ahead > 0 && !c.shared:
		taken = c.keep(number, h.ID, b)
	default:
		if taken, err = c.group.take(now, c, h.ID, b); err != nil {
			return err
		}
	}
	if !taken { // so not confirmed either
		r.confirmID, r.confirmSeq, r.confirmAt = wire.DataOK, uint8(r.expected-1), now
		return nil
	}
	r.confirmID, r.confirmSeq = h.ID.Confirmation(), h.Seq
	if ahead > 0 {
		if r.unanswered == 1 || !r.has(number-1) && ahead > 1 || r.early == 0 { // a gap opens
			r.confirmAt = now
		}
		r.mark(number, true)
		return nil
	}
	if r.early > 0 { // a gap closes
		r.confirmAt = now
	}
	r.expected++
	return c.advance(now)
}

// keep lets a message of an ordered connection wait for those before it.
func (c *Conn) keep(number uint32, id wire.ID, b []byte) bool {
	c.group.mu.Lock()
	closed := c.group.closed
	c.group.mu.Unlock()
	if closed {
		return false
	}
	if c.rcv.slots == nil {
		c.rcv.slots = map[uint32]slot{}
	}
	c.rcv.slots[number] = slot{id, bytes.Clone(b)}
	return true
}

// advance goes on past what has arrived already.
func (c *Conn) advance(now Time) error {
	r := &c.rcv
	for r.early > 0 && r.has(r.expected) {
		if !c.shared {
			s := r.slots[r.expected]
			ok, err := c.group.take(now, c, s.id, s.body)
			if err != nil || !ok {
				return err
			}
			delete(r.slots, r.expected)
		}
		r.mark(r.expected, false)
		r.expected++
	}
	return nil
}

// reopen goes on after the core has taken something, and tells the peer that there is room.
func (c *Conn) reopen(now Time) {
	r := &c.rcv
	if !r.told {
		return
	}
	c.group.mu.Lock()
	closed := c.group.closed
	c.group.mu.Unlock()
	if closed {
		return
	}
	if err := c.advance(now); err != nil {
		c.breach(now, err.Error())
		return
	}
	if !r.confirm {
		r.confirmID, r.confirmSeq = wire.DataOK, uint8(r.expected-1)
	}
	r.confirm, r.confirmAt = true, now
}

// confirmDue tells whether the confirmation has to go out now.
func (r *receiver) confirmDue(now Time) bool {
	return r.confirm && (r.unanswered >= confirmEvery || now >= r.confirmAt)
}

// Release says that delivered messages of that size have been consumed.
func (c *Conn) Release(now Time, size int) {
	if c.group != nil {
		c.group.Release(now, size)
	}
}
