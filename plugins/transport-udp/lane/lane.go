// Package lane is all connections of one socket: it finds the connection that a datagram belongs to, admits strangers up
// to a bound, answers what belongs to nothing, and keeps the time of the next timer. Like package conn it is a pure state
// machine: the caller brings datagrams and the time, and carries out the output.
//
// A lane with room for strangers answers whoever calls. Calls that nobody completed are given up first when there are too
// many of them; completed connections of strangers are never given up for others. A lane without room answers only
// addresses that were dialled: that is how the further lanes of a link work, whose ports both ends tell each other on the
// first one.
package lane

import (
	"net/netip"
	"slices"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// never is later than every deadline.
const never = conn.Time(1<<63 - 1)

// Config are the settings of a lane.
type Config struct {
	Conn      conn.Config
	Strangers int // most connections that were not dialled
	// Loopback is the largest datagram to a loopback address in bytes, LoopbackWindow the window there. Conn.Datagram and
	// Conn.Window hold for all other addresses.
	Loopback, LoopbackWindow int
	// Replies is how many answers a second may go to datagrams that belong to no connection.
	Replies int
}

// Stats counts since the lane was made.
type Stats struct {
	Datagrams uint64 // that came
	Junk      uint64 // of these, malformed
	Stray     uint64 // of these, of no session here
	Refused   uint64 // calls of strangers for whom there was no room, or of another version
}

// Lane is the connections of one socket. It is not for concurrent use.
type Lane struct {
	cfg       Config
	local     conn.Local
	rand      func() uint64
	conns     map[netip.AddrPort]*conn.Conn
	order     []netip.AddrPort // of conns, so that nothing depends on a map's order
	strangers int
	touched   []*conn.Conn
	out       conn.Output
	wake      conn.Time
	stats     Stats
	tokens    float64
	refilled  conn.Time
}

// New returns a lane without connections.
func New(cfg Config, local conn.Local, rand func() uint64) *Lane {
	return &Lane{cfg: cfg, local: local, rand: rand, conns: map[netip.AddrPort]*conn.Conn{}, wake: never, tokens: float64(cfg.Replies)}
}

// Stats returns the counters.
func (l *Lane) Stats() Stats { return l.stats }

// Up tells whether there is a session with an address.
func (l *Lane) Up(addr netip.AddrPort) bool {
	c := l.conns[addr]
	return c != nil && c.Up()
}

// Known tells whether there is a connection to an address, with or without a session.
func (l *Lane) Known(addr netip.AddrPort) bool { return l.conns[addr] != nil }

func (l *Lane) add(addr netip.AddrPort, link uint64) *conn.Conn {
	cfg, local := l.cfg.Conn, l.local
	local.Link = link
	if addr.Addr().IsLoopback() {
		cfg.Datagram, cfg.Window = l.cfg.Loopback, l.cfg.LoopbackWindow
	}
	c := conn.New(cfg, local, addr, l.rand, &l.out)
	l.conns[addr] = c
	l.order = append(l.order, addr)
	return c
}

func (l *Lane) remove(addr netip.AddrPort) {
	if c := l.conns[addr]; c != nil && !c.Dialled() {
		l.strangers--
	}
	delete(l.conns, addr)
	for i, a := range l.order {
		if a == addr {
			l.order = append(l.order[:i], l.order[i+1:]...)
			return
		}
	}
}

// Dial keeps a connection to an address. One that a stranger has is kept, one with another link is ended first.
func (l *Lane) Dial(now conn.Time, addr netip.AddrPort, link uint64) {
	c := l.conns[addr]
	if c != nil && c.Link() != link {
		l.Hangup(now, addr, "the link was made again")
		c = nil
	}
	if c == nil {
		c = l.add(addr, link)
	} else if !c.Dialled() {
		l.strangers--
	}
	c.Dial(now)
	l.touch(c)
}

// Hangup ends the connection to an address and forgets it.
func (l *Lane) Hangup(now conn.Time, addr netip.AddrPort, reason string) {
	c := l.conns[addr]
	if c == nil {
		return
	}
	l.remove(addr)
	c.Hangup(now, reason)
}

// Close ends all connections.
func (l *Lane) Close(now conn.Time) {
	for _, addr := range slices.Clone(l.order) {
		l.Hangup(now, addr, "closed")
	}
}

// Break ends the session with an address as if it had been lost; one that was dialled calls again after the delay. It
// does nothing if the session has another tag than the one given, since it is a later one then.
func (l *Lane) Break(now conn.Time, addr netip.AddrPort, session uint64, reason string, delay time.Duration) {
	if c := l.conns[addr]; c != nil && c.Session() == session {
		c.Break(now, reason, delay)
		l.settle(addr, c)
	}
}

// Send queues a message for an address. It returns false if there is no connection.
func (l *Lane) Send(addr netip.AddrPort, m conn.Message) bool {
	c := l.conns[addr]
	if c == nil || !c.Up() && !l.cfg.Conn.Early {
		return false
	}
	c.Send(m)
	l.touch(c)
	return true
}

// Release says that messages from an address, of that size together, have been consumed.
func (l *Lane) Release(now conn.Time, addr netip.AddrPort, size int) {
	if c := l.conns[addr]; c != nil {
		c.Release(now, size)
		l.touch(c)
	}
}

// Echo sends an echo request. It returns false if there is no session.
func (l *Lane) Echo(now conn.Time, addr netip.AddrPort, number uint64) bool {
	c := l.conns[addr]
	if c == nil || !c.Up() {
		return false
	}
	c.Echo(now, number)
	return true
}

// Datagram handles one that came. It keeps nothing of b.
func (l *Lane) Datagram(now conn.Time, from netip.AddrPort, b []byte) {
	l.stats.Datagrams++
	h, body, err := wire.Parse(b)
	if err != nil {
		l.stats.Junk++
		return
	}
	c := l.conns[from]
	if c == nil {
		l.stranger(now, from, h, body)
		return
	}
	switch c.Datagram(now, h, body) {
	case conn.Junk:
		l.stats.Junk++
	case conn.Stray:
		l.stats.Stray++
		l.reset(now, from, body)
	case conn.Refused:
		l.refuse(now, from)
	}
	l.settle(from, c)
}

// stranger handles a datagram from an address that has no connection.
func (l *Lane) stranger(now conn.Time, from netip.AddrPort, h wire.Header, body []byte) {
	switch h.ID {
	case wire.Connect:
		if _, err := wire.ParseConnect(body); err != nil || !l.admit() {
			l.refuse(now, from)
			return
		}
		c := l.add(from, 0)
		l.strangers++
		c.Datagram(now, h, body)
		l.touch(c)
	case wire.Error, wire.ConnOK:
		l.stats.Stray++
	default:
		l.stats.Stray++
		if !h.ID.IsConfirmation() {
			l.reset(now, from, body)
		}
	}
}

// admit makes room for one more stranger and tells whether there is some. The oldest call that was not completed gives way.
func (l *Lane) admit() bool {
	if l.strangers < l.cfg.Strangers {
		return true
	}
	for _, addr := range l.order {
		if c := l.conns[addr]; !c.Dialled() && !c.Up() {
			l.remove(addr)
			return true
		}
	}
	return false
}

// refuse tells a caller that this end cannot agree to what it asks. A lane without room for strangers says nothing, since
// a peer's first call may overtake what is said about it on the first lane.
func (l *Lane) refuse(now conn.Time, to netip.AddrPort) {
	l.stats.Refused++
	if l.cfg.Strangers > 0 && l.reply(now) {
		l.out.Datagrams = append(l.out.Datagrams, conn.Reset(to, 0, wire.ConfigError))
	}
}

// reset tells an address that the session of its datagram does not exist here.
func (l *Lane) reset(now conn.Time, to netip.AddrPort, body []byte) {
	if tag, _, err := wire.ParseTag(body); err == nil && l.reply(now) {
		l.out.Datagrams = append(l.out.Datagrams, conn.Reset(to, tag, wire.DisConnect))
	}
}

// reply takes one from the allowance of answers to datagrams of no connection.
func (l *Lane) reply(now conn.Time) bool {
	l.tokens = min(l.tokens+(now-l.refilled).Seconds()*float64(l.cfg.Replies), float64(l.cfg.Replies))
	l.refilled = now
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}

// touch notes that a connection has something to flush.
func (l *Lane) touch(c *conn.Conn) {
	if n := len(l.touched); n == 0 || l.touched[n-1] != c {
		l.touched = append(l.touched, c)
	}
}

// settle forgets a stranger's connection that ended, and notes any other as touched.
func (l *Lane) settle(addr netip.AddrPort, c *conn.Conn) {
	if c.Idle() && !c.Dialled() {
		l.remove(addr)
		return
	}
	l.touch(c)
}

// Tick handles the timers that are due.
func (l *Lane) Tick(now conn.Time) {
	if now < l.wake {
		return
	}
	l.wake = never
	for i := 0; i < len(l.order); i++ {
		addr := l.order[i]
		c := l.conns[addr]
		if c.Wake() <= now {
			c.Tick(now)
		}
		if c.Idle() && !c.Dialled() {
			l.remove(addr)
			i--
			continue
		}
		l.wake = min(l.wake, c.Wake())
	}
}

// Flush makes the datagrams that are due after any number of other calls, and returns all output since the last time. It
// is valid until the next call of any method; the caller may take its slices over by setting them to nil.
func (l *Lane) Flush(now conn.Time) *conn.Output {
	for i, c := range l.touched {
		c.Flush(now)
		l.wake = min(l.wake, c.Wake())
		l.touched[i] = nil
	}
	l.touched = l.touched[:0]
	return &l.out
}

// Wake returns the time at which Tick is to be called next. It may be early.
func (l *Lane) Wake() conn.Time { return l.wake }
