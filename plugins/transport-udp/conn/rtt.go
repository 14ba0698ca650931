package conn

import "time"

const (
	// minReordering is the least by which a later datagram must have overtaken one that is taken for lost, and maxReordering
	// what that may grow to on a path that delays some, or a round trip if that is longer.
	minReordering = time.Millisecond
	maxReordering = 20 * time.Millisecond
	// maxMult bounds the multiples of a quarter of the round trip.
	maxMult = 8
	// calm is after how many confirmed datagrams without a needless retransmission the multiple falls.
	calm = 2000
	// ackDelay is how late a peer may confirm.
	ackDelay = 2 * time.Millisecond
	minProbe = time.Millisecond
)

// estimate is that of RFC 6298 of the round trip, and the least of recent ones.
type estimate struct {
	smooth, variance time.Duration
	least            time.Duration
}

// measure takes a round trip.
func (e *estimate) measure(rtt time.Duration) {
	rtt = max(rtt, 1)
	if e.smooth == 0 {
		e.smooth, e.variance, e.least = rtt, rtt/2, rtt
		return
	}
	e.variance += ((e.smooth - rtt).Abs() - e.variance) / 4
	e.smooth = max(e.smooth+(rtt-e.smooth)/8, 1)
	if rtt < e.least {
		e.least = rtt
	} else {
		e.least += (rtt - e.least) / 256
	}
}

// probeTime is after what time without a confirmation the tail is sent again.
func (c *Conn) probeTime() time.Duration {
	e := &c.snd.rtt
	if e.smooth == 0 {
		return c.cfg.RetransmitInitial
	}
	return min(e.smooth+max(4*e.variance, minProbe)+ackDelay, c.cfg.RetransmitMax)
}

// rto is the retransmission timeout of RFC 6298, doubled for each time that it has passed.
func (c *Conn) rto() time.Duration {
	e := &c.snd.rtt
	t := c.cfg.RetransmitInitial
	if e.smooth > 0 {
		t = max(e.smooth+4*e.variance+ackDelay, c.cfg.RetransmitMin)
	}
	for i := 1; i < c.snd.backoff && t < c.cfg.RetransmitMax; i++ {
		t *= 2
	}
	return min(t, c.cfg.RetransmitMax)
}

// rack finds losses by time (RFC 8985): what was sent before something that has arrived, by more than datagrams are known to
// overtake each other, is lost. How much that is grows with each retransmission that turns out to be needless.
type rack struct {
	sent  Time   // of the latest transmission that is known to have arrived
	tx    uint64 // its number
	rtt   time.Duration
	mult  int
	calm  int
	wide  time.Duration // longest delay of a datagram that was overtaken and arrived
	at    Time          // when something will count as lost, or never
	burst uint64
}

func (r *rack) arrived(f *flight, now Time) {
	if f.tx > r.tx {
		r.tx, r.sent, r.rtt = f.tx, f.sent, now-f.sent
	}
}

// overtaken notes by how much a datagram that arrived by itself had been overtaken.
func (r *rack) overtaken(f *flight, trip time.Duration) {
	if f.tx < r.tx && trip > r.rtt {
		r.wide = max(r.wide, trip-r.rtt)
	}
	if r.calm++; r.calm >= calm {
		r.calm, r.mult = 0, max(r.mult-1, 1)
		r.wide -= r.wide / 4
	}
}

// spurious notes a needless retransmission, once for those of one time.
func (r *rack) spurious() {
	if r.tx >= r.burst {
		r.mult, r.calm, r.burst = min(r.mult+1, maxMult), 0, r.tx+MaxWindow/2
	}
}

// window is by how much a datagram may be overtaken.
func (r *rack) window(e *estimate) time.Duration {
	w := max(time.Duration(r.mult)*max(e.least/4, minReordering), r.wide*5/4)
	return min(w, max(e.smooth, maxReordering))
}

// detect finds messages that were overtaken, with the group locked.
func (c *Conn) detect(now Time) {
	s := &c.snd
	r := &s.rack
	r.at = never
	if s.outstanding == 0 || r.tx == 0 {
		return
	}
	w := r.window(&s.rtt)
	for seq := s.base; seq != s.next; seq++ {
		f := s.at(seq)
		if f.acked || f.lost || f.tx >= r.tx {
			continue
		}
		switch due := f.sent + r.rtt + w; {
		case r.sent-f.sent >= w || due <= now:
			c.lose(seq)
			c.arm()
		default:
			r.at = min(r.at, due)
		}
	}
}
