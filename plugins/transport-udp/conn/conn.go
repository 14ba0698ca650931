package conn

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// candidateTimeout is how long a CONNECT that was answered may wait for the session's first datagram.
const candidateTimeout = 5 * time.Second

// Conn is one connection. It is not for concurrent use. After any number of calls of Dial, Datagram, Send, Echo and
// Release, Flush makes the datagrams; Tick does so itself.
type Conn struct {
	cfg   Config
	local Local
	addr  netip.AddrPort
	rand  func() uint64
	out   *Output

	// Calling.
	dialled     bool
	calling     bool
	dialTag     uint64
	tries       int
	reported    bool
	nextConnect Time

	cand candidate

	early      []Message // given while calling, see Config.Early
	earlyBytes int

	// The session.
	up           bool
	tags         pair
	session      uint64
	datagram     int // largest datagram to this peer
	lastSent     Time
	lastHeard    Time
	confirmUntil bool // the handshake's COFIRM is repeated until the peer has been heard
	nextConfirm  Time
	snd          sender
	rcv          receiver
	held         int // bytes delivered and not released; outlives sessions
	scratch      [5 + wire.MaxBits]byte
}

// pair are the two tags of a session.
type pair struct{ local, remote uint64 }

func (p pair) session() uint64 { return p.local ^ p.remote }

// candidate is a session that the peer may accept.
type candidate struct {
	ok    bool
	tags  pair
	hello wire.Hello
	since Time
}

// New returns a connection to an address that does nothing yet. Output is appended to out, which several connections may
// share. Rand draws tags and jitter; outside of tests it must be unpredictable.
func New(cfg Config, local Local, addr netip.AddrPort, rand func() uint64, out *Output) *Conn {
	return &Conn{cfg: cfg, local: local, addr: addr, rand: rand, out: out}
}

// Up tells whether there is a session.
func (c *Conn) Up() bool { return c.up }

// Session returns the session's tag, 0 if there is none.
func (c *Conn) Session() uint64 { return c.session }

// Link returns what the handshakes of the connection carry as such.
func (c *Conn) Link() uint64 { return c.local.Link }

// Dialled tells whether the connection calls the peer whenever there is no session.
func (c *Conn) Dialled() bool { return c.dialled }

// Idle tells whether nothing would be lost by forgetting the connection: no session, no call, no candidate.
func (c *Conn) Idle() bool { return !c.up && !c.calling && !c.cand.ok }

// Dial makes the connection call the peer, now and whenever a session ends.
func (c *Conn) Dial(now Time) {
	if c.dialled {
		return
	}
	c.dialled = true
	if !c.up {
		c.call(now, now)
	}
}

// Hangup ends the session and the calling. The peer is told once.
func (c *Conn) Hangup(now Time, reason string) {
	c.dialled, c.calling, c.cand = false, false, candidate{}
	c.early, c.earlyBytes = nil, 0
	c.end(now, reason, wire.DisConnect, true, 0)
}

// Break ends the session, as if the connection had been lost, and calls again after the delay if it was dialled.
func (c *Conn) Break(now Time, reason string, delay time.Duration) {
	c.end(now, reason, wire.DisConnect, true, delay)
}

// call begins to call at a time.
func (c *Conn) call(now, at Time) {
	c.calling, c.dialTag, c.tries, c.nextConnect = true, c.rand(), 0, at
	if at <= now {
		c.connect(now)
	}
}

// connect sends a CONNECT and sets the time of the next.
func (c *Conn) connect(now Time) {
	if c.tries >= c.cfg.ConnectTries && !c.reported {
		c.reported = true
		c.event(Event{Kind: Unreachable, Reason: fmt.Sprintf("no connection: no answer to %d CONNECT", c.tries)})
	}
	c.tries++
	body := wire.ConnectBody{Port: c.local.Port, Hello: c.hello(c.dialTag)}.Append(nil)
	c.emit(wire.Header{ID: wire.Connect}, nil, body)
	wait := c.cfg.ConnectInterval
	for i := c.cfg.ConnectTries; i <= c.tries-1 && wait < c.cfg.ConnectMax; i++ {
		wait = min(2*wait, c.cfg.ConnectMax)
	}
	if c.tries > c.cfg.ConnectTries { // spread, so that a thousand nodes do not call one that comes back in step
		wait += time.Duration(c.rand() % uint64(wait/4+1))
	}
	c.nextConnect = now + wait
}

func (c *Conn) hello(tag uint64) wire.Hello {
	return wire.Hello{Tag: tag, Datagram: uint16(min(c.cfg.MaxDatagram, 1<<16-1)), Link: c.local.Link, Lanes: c.local.Lanes}
}

// emit appends a datagram without a session tag.
func (c *Conn) emit(h wire.Header, tail, body []byte) {
	d := Datagram{To: c.addr, Body: body}
	head := h.Append(d.Head[:0], len(tail)+len(body) > 0)
	d.HeadLen = uint8(len(append(head, tail...)))
	c.out.Datagrams = append(c.out.Datagrams, d)
}

// emitTagged appends a datagram of the session.
func (c *Conn) emitTagged(now Time, h wire.Header, tail, body []byte) {
	d := Datagram{To: c.addr, Body: body}
	head := binary.BigEndian.AppendUint64(h.Append(d.Head[:0], true), c.session)
	d.HeadLen = uint8(len(append(head, tail...)))
	c.out.Datagrams = append(c.out.Datagrams, d)
	c.lastSent = now
}

func (c *Conn) event(e Event) {
	e.Addr, e.Link = c.addr, c.local.Link
	c.out.Events = append(c.out.Events, e)
}

// Verdict is what became of a datagram.
type Verdict uint8

// The verdicts.
const (
	// Taken: it belonged to the connection.
	Taken Verdict = iota
	// Junk: it was malformed.
	Junk
	// Stray: it belongs to a session that this end does not have. The peer should be told, see [Reset].
	Stray
	// Refused: it was a handshake that this end cannot agree to. The peer should be told with ConfigError.
	Refused
)

// Datagram handles one that came from the peer's address: its header and body.
func (c *Conn) Datagram(now Time, h wire.Header, body []byte) Verdict {
	switch h.ID {
	case wire.Connect:
		hello, err := wire.ParseConnect(body)
		if err != nil {
			return Refused
		}
		c.onConnect(now, hello)
		return Taken
	case wire.ConnOK:
		ok, err := wire.ParseConnOK(body)
		if err != nil {
			return Refused
		}
		c.onConnOK(now, ok)
		return Taken
	}
	tag, rest, err := wire.ParseTag(body)
	if err != nil {
		return Junk
	}
	switch {
	case c.up && tag == c.session:
	case c.cand.ok && tag == c.cand.tags.session():
		cand := c.cand
		if c.up {
			c.end(now, "the peer started a new connection", 0, false, 0)
		}
		c.begin(now, cand.tags, cand.hello, false)
	case h.ID == wire.Error || h.ID.IsConfirmation(): // no error about an error, and what confirms waits for nothing
		return Junk
	default:
		return Stray
	}
	c.lastHeard, c.confirmUntil = now, false
	if err := c.onTagged(now, h, rest); err != nil {
		c.end(now, err.Error(), wire.NumMissMatch, true, c.cfg.ConnectInterval)
		return Junk
	}
	return Taken
}

func (c *Conn) onConnect(now Time, b wire.ConnectBody) {
	switch {
	case b.Link != c.local.Link: // of an earlier session of the link's first lane, or of one that is not known here yet
		return
	case c.calling && b.Tag == c.dialTag: // its own call
		return
	case c.up && b.Tag == c.tags.remote:
		c.emit(wire.Header{ID: wire.ConnOK, Confirm: wire.Wanted}, nil, wire.ConnOKBody{Echo: b.Tag, Hello: c.hello(c.tags.local)}.Append(nil))
		return
	case c.cand.ok && c.cand.tags.remote == b.Tag:
	default:
		tag := c.dialTag
		if !c.calling {
			tag = c.rand()
		}
		c.cand = candidate{ok: true, tags: pair{tag, b.Tag}, hello: b.Hello}
	}
	c.cand.since = now
	c.emit(wire.Header{ID: wire.ConnOK, Confirm: wire.Wanted}, nil, wire.ConnOKBody{Echo: b.Tag, Hello: c.hello(c.cand.tags.local)}.Append(nil))
}

func (c *Conn) onConnOK(now Time, b wire.ConnOKBody) {
	switch {
	case b.Link != c.local.Link:
		return
	case c.calling && b.Echo == c.dialTag:
		c.begin(now, pair{c.dialTag, b.Tag}, b.Hello, true)
	case c.up && b.Echo == c.tags.local && b.Tag == c.tags.remote: // our COFIRM was lost
	default:
		return
	}
	c.emitTagged(now, wire.Header{ID: wire.Confirm}, c.confirmation(), nil)
}

// begin starts a session.
func (c *Conn) begin(now Time, tags pair, hello wire.Hello, caller bool) {
	c.up, c.tags, c.session = true, tags, tags.session()
	c.calling, c.tries, c.reported, c.cand = false, 0, false, candidate{}
	c.datagram = min(c.cfg.Datagram, int(hello.Datagram))
	if c.datagram < minDatagram {
		c.datagram = minDatagram
	}
	c.lastHeard = now
	c.snd = newSender(c.cfg)
	c.rcv = newReceiver(c.held >= c.cfg.ReceiveQueue)
	c.event(Event{Kind: Up, Hello: hello, Number: c.session})
	for _, m := range c.early {
		c.Send(m)
	}
	c.early, c.earlyBytes = nil, 0
	if caller {
		c.confirmUntil, c.nextConfirm = true, now+c.cfg.RetransmitInitial
	} else { // tells the caller that its COFIRM has come
		c.emitTagged(now, wire.Header{ID: wire.Jump, Seq: c.snd.last()}, nil, nil)
	}
}

// end ends the session, if there is one, and tells the peer why if asked to. The ERROR wants no confirmation: nobody would
// be left to receive it.
func (c *Conn) end(now Time, reason string, code wire.Code, tell bool, delay time.Duration) {
	if !c.up {
		return
	}
	if tell {
		c.emitTagged(now, wire.Header{ID: wire.Error, Seq: c.snd.last()}, []byte{byte(code)}, nil)
	}
	c.up, c.session, c.tags = false, 0, pair{}
	c.snd, c.rcv = sender{}, receiver{}
	c.event(Event{Kind: Down, Reason: reason})
	if c.dialled {
		c.call(now, now+delay)
	}
}

// onTagged handles a datagram of the session. An error means that the peer broke the protocol.
func (c *Conn) onTagged(now Time, h wire.Header, b []byte) error {
	switch {
	case h.ID.IsConfirmation():
		conf, err := wire.ParseConfirmation(b)
		if err != nil {
			return err
		}
		c.confirmed(now, conf)
		return nil
	case h.ID == wire.Jump:
		return nil
	case h.ID == wire.Error:
		code := wire.Code(255)
		if len(b) == 1 {
			code = wire.Code(b[0])
		}
		c.end(now, "the peer reports "+code.String(), 0, false, c.cfg.ConnectInterval/8)
		return nil
	case h.ID == wire.Data && h.Confirm == wire.NotWanted:
		return c.onEcho(now, b)
	case h.Confirm == wire.NotWanted:
		return fmt.Errorf("%w: %s wants no confirmation", wire.ErrMalformed, h.ID)
	}
	return c.receive(now, h, b)
}

// Echo sends an echo request with a number; the answer is the event Echoed. It does nothing without a session.
func (c *Conn) Echo(now Time, number uint64) {
	if c.up {
		c.emitTagged(now, wire.Header{ID: wire.Data, Seq: c.snd.last()}, binary.BigEndian.AppendUint64([]byte{byte(wire.Echo)}, number), nil)
	}
}

func (c *Conn) onEcho(now Time, b []byte) error {
	if len(b) != 9 {
		return fmt.Errorf("%w: echo of %d bytes", wire.ErrMalformed, len(b))
	}
	switch wire.DataKind(b[0]) {
	case wire.Echo:
		var reply [9]byte
		copy(reply[:], b)
		reply[0] = byte(wire.EchoReply)
		c.emitTagged(now, wire.Header{ID: wire.Data, Seq: c.snd.last()}, reply[:], nil)
	case wire.EchoReply:
		c.event(Event{Kind: Echoed, Number: binary.BigEndian.Uint64(b[1:])})
	default:
		return fmt.Errorf("%w: unconfirmed DATA of kind %d", wire.ErrMalformed, b[0])
	}
	return nil
}

// Reset returns the datagram that tells an address that a session with that tag does not exist here.
func Reset(to netip.AddrPort, tag uint64, code wire.Code) Datagram {
	d := Datagram{To: to}
	head := wire.Header{ID: wire.Error}.Append(d.Head[:0], true)
	head = binary.BigEndian.AppendUint64(head, tag)
	d.HeadLen = uint8(len(append(head, byte(code))))
	return d
}

// Tick handles all timers that are due.
func (c *Conn) Tick(now Time) {
	if c.cand.ok && now >= c.cand.since+candidateTimeout {
		c.cand = candidate{}
	}
	if c.calling && now >= c.nextConnect {
		c.connect(now)
	}
	if c.up && now >= c.lastHeard+c.cfg.Silence {
		c.end(now, fmt.Sprintf("nothing heard for %s", c.cfg.Silence), wire.HeartJumpFailed, true, 0)
	}
	if c.up && c.rcv.stalled(now, c.cfg.AssemblyTimeout) {
		c.end(now, fmt.Sprintf("a large message made no progress for %s", c.cfg.AssemblyTimeout), wire.NumMissMatch, true, 0)
	}
	if c.up && now >= c.snd.timer {
		c.timeout(now)
	}
	if c.up && c.confirmUntil && now >= c.nextConfirm {
		c.nextConfirm = now + c.cfg.RetransmitInitial
		c.emitTagged(now, wire.Header{ID: wire.Confirm}, c.confirmation(), nil)
	}
	c.Flush(now)
	if c.up && now >= c.lastSent+c.cfg.Heartbeat {
		c.emitTagged(now, wire.Header{ID: wire.Jump, Seq: c.snd.last()}, nil, nil)
	}
}

// Flush emits the confirmation that is due and as many messages as the windows allow.
func (c *Conn) Flush(now Time) {
	if !c.up {
		return
	}
	c.pump(now)
	if c.rcv.confirm {
		c.rcv.confirm = false
		c.emitTagged(now, wire.Header{ID: c.rcv.confirmID, Seq: c.rcv.confirmSeq}, c.confirmation(), nil)
	}
}

// Wake returns the time of the next timer.
func (c *Conn) Wake() Time {
	t := never
	if c.cand.ok {
		t = min(t, c.cand.since+candidateTimeout)
	}
	if c.calling {
		t = min(t, c.nextConnect)
	}
	if c.up {
		t = min(t, c.lastHeard+c.cfg.Silence, c.lastSent+c.cfg.Heartbeat, c.snd.timer, c.rcv.deadline(c.cfg.AssemblyTimeout))
		if c.confirmUntil {
			t = min(t, c.nextConfirm)
		}
	}
	return t
}
