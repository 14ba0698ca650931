// Package lane is all connections of one socket: it finds the connection that a datagram belongs to, asks strangers for a
// cookie before it keeps anything for them, holds handshakes to a rate, answers what belongs to nothing, follows sessions
// to other addresses, and keeps the time of the next timer. Like package conn it is a pure state machine: the caller
// brings datagrams and the time, and carries out the output.
//
// What an unknown sender can cause: a datagram that is not a CONNECT costs a look into a table and at most an answer of 13
// bytes, shorter than it was, of which there are so many a second. A CONNECT without a good cookie costs a hash and an
// answer of 30 bytes. With a good cookie, which proves that the sender receives at its address, it costs the Diffie-Hellman
// of an answer, within the rates of package secure, and a place among the half-open handshakes, of which there is a bounded
// number and the oldest gives way. Who is admitted when a handshake is complete is for [Env.Admit] to say.
//
// A lane that takes no strangers answers only addresses that were dialled: that is how the further lanes of a link work,
// whose ports both ends tell each other on the first one.
package lane

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/secure"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// never is later than every deadline.
const never = conn.Time(1<<63 - 1)

// Config are the settings of a lane.
type Config struct {
	Conn     conn.Config
	HalfOpen int // most handshakes of addresses that were not dialled; 0 takes none of these
	Rates    secure.Rates
	Rotation secure.Rotation
	// Loopback is the largest datagram that is looked for to a loopback address in bytes, Buffer the size of a socket's buffer,
	// which bounds the window there.
	Loopback, Buffer int
	// Replies is how many answers a second may go to datagrams that belong to no connection.
	Replies int
}

// Env is what a lane needs of its node.
type Env struct {
	Random   io.Reader // unpredictable but in tests
	Identity *secure.Identity
	Admit    func(conn.Admission) string // see conn.Env
}

// Stats counts since the lane was made.
type Stats struct {
	conn.Stats
	Datagrams uint64 // that came
	Junk      uint64 // of these, malformed
	Stray     uint64 // of these, of no session here
	Refused   uint64 // calls of another version or mode
	Limited   uint64 // calls beyond the rate of handshakes
	Forged    uint64 // datagrams and handshakes that the peer has not made, or that were altered
	Replayed  uint64 // datagrams that came again, or far too late
	Cookies   uint64 // that were sent
	Plain     uint64 // of the calls refused, those of peers that speak the plain mode
	Moves     uint64 // sessions that went on at another address
}

// Lane is the connections of one socket. It is not for concurrent use.
type Lane struct {
	cfg      Config
	local    conn.Local
	env      *conn.Env
	cookies  *secure.Cookies
	limits   *secure.Limits
	conns    map[netip.AddrPort]*conn.Conn
	order    []*conn.Conn // of conns, so that nothing depends on a map's order
	touched  []*conn.Conn
	out      conn.Output
	wake     conn.Time
	stats    Stats
	tokens   float64
	refilled conn.Time
}

// New returns a lane without connections.
func New(cfg Config, local conn.Local, env Env) (*Lane, error) {
	l := &Lane{cfg: cfg, local: local, limits: secure.NewLimits(cfg.Rates), conns: map[netip.AddrPort]*conn.Conn{}, wake: never,
		tokens: float64(cfg.Replies)}
	var err error
	if l.cookies, err = secure.NewCookies(env.Random); err != nil {
		return nil, fmt.Errorf("open a lane: %w", err)
	}
	l.env = &conn.Env{Random: env.Random, Identity: env.Identity, Admit: env.Admit, Rotation: cfg.Rotation, Out: &l.out, Tags: map[uint64]*conn.Conn{}}
	return l, nil
}

// Stats returns the counters.
func (l *Lane) Stats() Stats {
	s := l.stats
	s.Stats = l.env.Stats
	return s
}

// Kept returns how much is kept for others: connections, session tags and addresses with a rate.
func (l *Lane) Kept() (conns, tags, rates int) { return len(l.conns), len(l.env.Tags), l.limits.Size() }

// Up tells whether there is a session with an address.
func (l *Lane) Up(addr netip.AddrPort) bool {
	c := l.conns[addr]
	return c != nil && c.Up()
}

// Known tells whether there is a connection to an address, with or without a session.
func (l *Lane) Known(addr netip.AddrPort) bool { return l.conns[addr] != nil }

func (l *Lane) add(addr netip.AddrPort, m Member) *conn.Conn {
	cfg, local := l.cfg.Conn, l.local
	local.Link, local.Group, cfg.Extra = m.Link, m.Group, m.Extra
	if addr.Addr().IsLoopback() {
		cfg.Largest, cfg.Buffer = l.cfg.Loopback, l.cfg.Buffer
	}
	c := conn.New(cfg, local, addr, l.env)
	l.conns[addr] = c
	l.order = append(l.order, c)
	return c
}

// remove forgets a connection. It ends what is left of it without a word.
func (l *Lane) remove(c *conn.Conn) {
	delete(l.conns, c.Addr())
	if i := slices.Index(l.order, c); i >= 0 {
		l.order = slices.Delete(l.order, i, i+1)
	}
	c.Forget()
}

// Member is a lane's part in a link. The zero Member is a link's first lane.
type Member struct {
	Link  uint64 // session tag of the first lane
	Group *conn.Group
	Extra bool // see conn.Config
}

// Dial keeps a connection to an address. One that a stranger has is kept, one with another link is ended first.
func (l *Lane) Dial(now conn.Time, addr netip.AddrPort, m Member) {
	c := l.join(now, addr, m)
	c.Dial(now)
	l.touch(c)
}

// Expect keeps a connection to an address for a call of the peer.
func (l *Lane) Expect(now conn.Time, addr netip.AddrPort, m Member) { l.join(now, addr, m).Expect() }

func (l *Lane) join(now conn.Time, addr netip.AddrPort, m Member) *conn.Conn {
	c := l.conns[addr]
	if c != nil && c.Link() != m.Link {
		l.Hangup(now, addr, "the link was made again")
		c = nil
	}
	if c == nil {
		return l.add(addr, m)
	}
	return c
}

// GroupStats returns the counters of a connection.
func (l *Lane) GroupStats(now conn.Time, addr netip.AddrPort) conn.GroupStats {
	if c := l.conns[addr]; c != nil {
		return c.GroupStats(now)
	}
	return conn.GroupStats{}
}

// Touch makes the next Flush send what the group of an address's connection has.
func (l *Lane) Touch(addr netip.AddrPort) {
	if c := l.conns[addr]; c != nil {
		l.touch(c)
	}
}

// TooLong says that the system has refused to send a datagram of that size.
func (l *Lane) TooLong(now conn.Time, addr netip.AddrPort, size int) {
	if c := l.conns[addr]; c != nil {
		c.TooLong(now, size)
		l.touch(c)
	}
}

// Leave stops calling an address. A session that there is goes on.
func (l *Lane) Leave(addr netip.AddrPort) {
	if c := l.conns[addr]; c != nil {
		c.Leave()
		l.settle(c)
	}
}

// Hangup ends the connection to an address and forgets it.
func (l *Lane) Hangup(now conn.Time, addr netip.AddrPort, reason string) {
	c := l.conns[addr]
	if c == nil {
		return
	}
	c.Hangup(now, reason)
	l.remove(c)
}

// Close ends all connections.
func (l *Lane) Close(now conn.Time) {
	for _, c := range slices.Clone(l.order) {
		l.Hangup(now, c.Addr(), "closed")
	}
}

// Break ends the session with an address as if it had been lost; one that was dialled calls again after the delay. It
// does nothing if the session has another tag than the one given, since it is a later one then.
func (l *Lane) Break(now conn.Time, addr netip.AddrPort, session uint64, reason string, delay time.Duration) {
	if c := l.conns[addr]; c != nil && c.Session() == session {
		c.Break(now, reason, delay)
		l.settle(c)
	}
}

// Send queues a message for an address. It returns false if there is no connection.
func (l *Lane) Send(addr netip.AddrPort, m conn.Message) bool {
	c := l.conns[addr]
	if c == nil || !c.Up() {
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

// Datagram handles one that came. It opens b in place and keeps nothing of it.
func (l *Lane) Datagram(now conn.Time, from netip.AddrPort, b []byte) {
	l.stats.Datagrams++
	h, body, err := wire.Parse(b)
	if err != nil {
		l.stats.Junk++
		return
	}
	switch {
	case h.ID == wire.Connect:
		l.connect(now, from, body)
	case h.ID == wire.ConnOK:
		if c := l.conns[from]; c != nil {
			l.count(now, from, c.ConnOK(now, body))
			l.settle(c)
		} else {
			l.stats.Stray++
		}
	case h.ID == wire.Error && len(body) <= wire.ResetSize:
		if c := l.conns[from]; c != nil {
			l.count(now, from, c.Clear(now, body))
			l.touch(c)
		} else {
			l.stats.Stray++
		}
	default:
		l.sealed(now, from, h, b)
	}
}

// sealed handles a datagram of a session, or what should be one.
func (l *Lane) sealed(now conn.Time, from netip.AddrPort, h wire.Header, b []byte) {
	tag, _, err := wire.ParseTag(b[wire.HeaderSize:])
	if err != nil {
		l.stats.Junk++
		return
	}
	c := l.env.Tags[tag]
	if c == nil {
		l.stray(now, from, h, tag, len(b))
		return
	}
	v, latest := c.Datagram(now, h, b)
	if v == conn.Stray {
		l.stray(now, from, h, tag, len(b))
	} else {
		l.count(now, from, v)
	}
	// The peer may have moved: whose datagrams they are is proven, where they came from only when it answers what was sent
	// there. An address that has a connection stays with that one.
	switch {
	case !c.Up() || c.Addr() == from || l.conns[from] != nil:
	case c.Proven(from):
		delete(l.conns, c.Addr())
		l.conns[from] = c
		c.Move(from)
		l.stats.Moves++
	case latest:
		c.Elsewhere(now, from)
	}
	l.settle(c)
}

// count notes what became of a datagram, and answers where that is wanted.
func (l *Lane) count(now conn.Time, from netip.AddrPort, v conn.Verdict) {
	switch v {
	case conn.Junk:
		l.stats.Junk++
	case conn.Stray:
		l.stats.Stray++
	case conn.Foreign:
		l.refuse(now, from)
	case conn.Limited:
		l.stats.Limited++
	case conn.Forged:
		l.stats.Forged++
	case conn.Replayed:
		l.stats.Replayed++
	}
}

// connect handles a CONNECT. Nothing is kept before its cookie was found good.
func (l *Lane) connect(now conn.Time, from netip.AddrPort, body []byte) {
	b, err := wire.ParseConnect(body)
	c := l.conns[from]
	switch {
	case errors.Is(err, wire.ErrPlain):
		l.stats.Plain++
		l.refuse(now, from)
		return
	case err != nil:
		l.stats.Junk++
		if len(body) >= wire.ConnectSize { // another version
			l.refuse(now, from)
		}
		return
	case c == nil && (l.cfg.HalfOpen == 0 || b.Link != 0): // what is said about it on the first lane may still be on its way
		l.stats.Stray++
		return
	case !l.cookies.Good(now, from, b.Cookie):
		l.stats.Cookies++
		cookie := l.cookies.Make(now, from)
		l.reply(from, wire.Header{ID: wire.ConnOK, Confirm: wire.Wanted}, wire.ConnOKBody{Echo: b.Tag, Cookie: cookie[:]}.Append(nil))
		return
	}
	allow := func() bool { return l.limits.Take(now, from.Addr(), c != nil && c.Dialled()) }
	if c == nil {
		if !allow() {
			l.stats.Limited++
			return
		}
		l.makeRoom()
		c = l.add(from, Member{})
		allow = func() bool { return true }
	}
	l.count(now, from, c.Connect(now, b, allow))
	l.settle(c)
}

// makeRoom gives up the oldest half-open handshakes of addresses that were not dialled when there are too many.
func (l *Lane) makeRoom() {
	n := 0
	for _, c := range l.order {
		if !c.Dialled() && !c.Up() {
			n++
		}
	}
	for i := 0; n >= l.cfg.HalfOpen && i < len(l.order); {
		if c := l.order[i]; !c.Dialled() && !c.Up() {
			l.remove(c)
			n--
			continue
		}
		i++
	}
}

// refuse tells a caller that this end cannot agree to what it asks, in a form that both modes read. A lane without room for
// strangers says nothing.
func (l *Lane) refuse(now conn.Time, to netip.AddrPort) {
	l.stats.Refused++
	if l.cfg.HalfOpen > 0 && l.allowance(now) {
		l.reply(to, wire.Header{ID: wire.Error}, []byte{byte(wire.ConfigError)})
	}
}

// stray tells an address that the session of its datagram does not exist here. There is no error about an error, and what
// confirms waits for nothing.
func (l *Lane) stray(now conn.Time, to netip.AddrPort, h wire.Header, tag uint64, size int) {
	l.stats.Stray++
	if h.ID != wire.Error && !h.ID.IsConfirmation() && size >= wire.Overhead && l.allowance(now) {
		l.reply(to, wire.Header{ID: wire.Error}, wire.AppendReset(nil, tag, wire.DisConnect))
	}
}

func (l *Lane) reply(to netip.AddrPort, h wire.Header, body []byte) {
	l.out.Datagrams = append(l.out.Datagrams, conn.Datagram{To: to, Data: append(h.Append(nil, true), body...)})
}

// allowance takes one of the answers to datagrams of no connection.
func (l *Lane) allowance(now conn.Time) bool {
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

// settle forgets a connection that has ended and is not called again, and notes any other as touched.
func (l *Lane) settle(c *conn.Conn) {
	if c.Idle() && !c.Dialled() {
		l.remove(c)
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
		c := l.order[i]
		if c.Wake() <= now {
			c.Tick(now)
		}
		if c.Idle() && !c.Dialled() {
			l.remove(c)
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
