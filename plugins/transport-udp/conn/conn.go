package conn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/secure"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// quiet is how long datagrams of a session that has ended are ignored, without telling the peer that there is none.
const quiet = time.Second

// maxReason is the longest reason that an ERROR carries, in bytes.
const maxReason = 128

// Conn is one connection. It is not for concurrent use. After any number of calls of Dial, Datagram, Send, Echo and
// Release, Flush makes the datagrams; Tick does so itself.
type Conn struct {
	cfg   Config
	local Local
	addr  netip.AddrPort
	env   *Env
	out   *Output

	// Calling.
	dialled  bool
	call     *call // nil while it does not call
	tries    int
	reported bool   // that the peer does not answer
	refusal  string // the last that was reported

	// Handshakes of which one message is missing: of the own call, the peer's first datagram; of the peer's, the third.
	pending      *session
	pendingSince Time
	nextThird    Time
	answers      []*answer

	// The session.
	up        bool
	sess      *session
	session   uint64
	last      uint64 // tag of the session before
	lastUntil Time   // from when on its datagrams are strays
	spent     bool   // its counter is used up
	datagram  int    // largest datagram to this peer
	base      int    // what it was in the beginning
	mtu       discovery
	group     *Group
	shared    bool // the group is that of a link
	expects   bool // see Expect
	lastData  Time // something that wants confirmation went to the peer or came
	lastSent  Time
	lastHeard Time
	doubt     doubt
	trial     trial
	snd       sender
	rcv       receiver
	scratch   [5 + wire.MaxBits]byte
}

// session is one that both ends have the keys of.
type session struct {
	tag     uint64
	callTag uint64 // of the CONNECT that it began with
	hello   wire.Hello
	peer    secure.Peer
	keys    *secure.Session
	caller  bool
	third   []byte // message of the handshake, as long as it may have to be sent or answered again
}

// doubt is what follows from a claim that the peer has lost the session. Anybody can claim that, so it is checked: some
// echoes, and if none is answered, a call beside the session. Whatever is heard in the session ends the doubt.
type doubt struct {
	open   bool
	since  Time
	probes int
	next   Time // when the next echo may be sent; holds beyond the end of a doubt
}

// trial is another address that the peer sends from. Anybody who has a session can write any address on a datagram, and so have this
// end send to others, or take the place of who lives there. So an echo goes there first, and the session follows once its
// answer has come from there.
type trial struct {
	to     netip.AddrPort
	number uint64 // of the echo; 0 if there is none
	at     Time   // when it was sent last
	proven bool
}

// trialPause is how long after one echo to an address that is on trial the next may follow.
const trialPause = 100 * time.Millisecond

// doubtProbes is how many echoes a doubt sends.
const doubtProbes = 4

// doubtPeriod is how long a doubt lasts until the peer is called. A peer that has the session sends something meanwhile.
func (c *Conn) doubtPeriod() time.Duration { return max(c.cfg.ConnectInterval, c.cfg.Heartbeat) }

// New returns a connection to an address that does nothing yet. Output is appended to the environment's.
func New(cfg Config, local Local, addr netip.AddrPort, env *Env) *Conn {
	return &Conn{cfg: cfg, local: local, addr: addr, env: env, out: env.Out, group: local.Group, shared: local.Group != nil}
}

// Up tells whether there is a session.
func (c *Conn) Up() bool { return c.up }

// Addr returns the peer's address.
func (c *Conn) Addr() netip.AddrPort { return c.addr }

// GroupStats returns the counters of the connection, or of its group.
func (c *Conn) GroupStats(now Time) GroupStats {
	if c.group == nil {
		return GroupStats{}
	}
	return c.group.Stats(now)
}

// Session returns the session's tag, 0 if there is none.
func (c *Conn) Session() uint64 { return c.session }

// Link returns what the handshakes of the connection carry as such.
func (c *Conn) Link() uint64 { return c.local.Link }

// Dialled tells whether the connection is kept while there is no session.
func (c *Conn) Dialled() bool { return c.dialled || c.expects }

// Expect keeps the connection for a call of the peer without calling itself.
func (c *Conn) Expect() { c.expects = true }

// Calling tells whether an answer to a CONNECT is waited for.
func (c *Conn) Calling() bool { return c.call != nil }

// Idle tells whether nothing would be lost by forgetting the connection: no session, no call, no handshake.
func (c *Conn) Idle() bool { return !c.up && c.call == nil && c.pending == nil && len(c.answers) == 0 }

// Dial makes the connection call the peer, now and whenever a session ends.
func (c *Conn) Dial(now Time) {
	if c.dialled || c.cfg.Extra && c.up {
		return
	}
	c.dialled = true
	if !c.up {
		c.startCall(now, now)
	}
}

// Hangup ends the session and the calling, and all that belongs to the connection. The peer is told once.
func (c *Conn) Hangup(now Time, reason string) {
	c.dialled, c.expects, c.call = false, false, nil
	c.end(now, reason, wire.DisConnect, true, 0)
	c.dropHandshakes()
}

// Leave stops calling, and what may come of a call. A session goes on.
func (c *Conn) Leave() {
	c.dialled, c.call = false, nil
	c.dropPending()
}

// Forget takes the connection's tags out of the environment. It must not be used after that.
func (c *Conn) Forget() {
	c.dropHandshakes()
	delete(c.env.Tags, c.last)
	delete(c.env.Tags, c.session)
}

// Break ends the session, as if the connection had been lost, and calls again after the delay if it was dialled.
func (c *Conn) Break(now Time, reason string, delay time.Duration) {
	c.end(now, reason, wire.DisConnect, true, delay)
}

// Elsewhere says that the peer has sent its latest datagram from another address than its own, at which nobody else is.
func (c *Conn) Elsewhere(now Time, from netip.AddrPort) {
	t := &c.trial
	if !c.up || t.number != 0 && now < t.at+trialPause {
		return
	}
	if t.to != from || t.number == 0 {
		*t = trial{to: from, number: max(c.env.number(), 1)}
	}
	t.at = now
	n := len(c.out.Datagrams)
	c.seal(now, c.sess, wire.Header{ID: wire.Data, Seq: c.snd.last()}, nil, binary.BigEndian.AppendUint64([]byte{byte(wire.Echo)}, t.number))
	if len(c.out.Datagrams) > n {
		c.out.Datagrams[n].To = from
	}
}

// Proven tells whether the peer receives at an address that was tried.
func (c *Conn) Proven(at netip.AddrPort) bool { return c.up && c.trial.proven && c.trial.to == at }

// Move makes the session go on at another address of the peer.
func (c *Conn) Move(to netip.AddrPort) {
	from := c.addr
	c.addr, c.trial.proven = to, false
	c.event(Event{Kind: Moved, From: from, Number: c.session})
}

func (c *Conn) hello(tag uint64) wire.Hello {
	return wire.Hello{Tag: tag, Datagram: uint16(min(c.cfg.MaxDatagram, 1<<16-1)), Link: c.local.Link, Lanes: c.local.Lanes}
}

// emit appends a datagram in the clear.
func (c *Conn) emit(h wire.Header, body []byte) {
	b := h.Append(c.out.pool.get(wire.HeaderSize+len(body)), len(body) > 0)
	c.out.Datagrams = append(c.out.Datagrams, Datagram{To: c.addr, Data: append(b, body...), pool: &c.out.pool})
}

// emitTagged seals a datagram of the session and appends it. Its content is tail and body, neither of which is kept.
func (c *Conn) emitTagged(now Time, h wire.Header, tail, body []byte) {
	c.seal(now, c.sess, h, tail, body)
	c.lastSent = now
}

func (c *Conn) seal(now Time, s *session, h wire.Header, tail, body []byte) {
	b := h.Append(c.out.pool.get(wire.Overhead+len(tail)+len(body)), true)
	b = binary.BigEndian.AppendUint64(b, s.tag)
	b = append(b, make([]byte, wire.CounterSize)...)
	b = append(append(b, tail...), body...)
	b, err := s.keys.Seal(now, b, wire.Clear)
	if err != nil {
		c.spent = c.spent || s == c.sess
		return
	}
	c.out.Datagrams = append(c.out.Datagrams, Datagram{To: c.addr, Data: b, pool: &c.out.pool})
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
	// Late: it may have been right once, or will be; it changes nothing.
	Late
	// Stray: it belongs to a session that this end does not have. The peer should be told, see [Reset].
	Stray
	// Forged: the peer has not made it, or it was altered.
	Forged
	// Replayed: it has come before.
	Replayed
	// Foreign: it was a handshake of a version that this end does not have. The peer should be told with ConfigError.
	Foreign
	// Denied: a handshake was completed, and the node at the other end is not wanted.
	Denied
	// Limited: an address has begun too many handshakes.
	Limited
)

// Datagram handles one of a session or the last of a handshake: all but CONNECT, CONN_OK and what is said in the clear. It
// opens b in place. Latest tells that it is the peer's, and sent later than all before.
func (c *Conn) Datagram(now Time, h wire.Header, b []byte) (v Verdict, latest bool) {
	tag, _, err := wire.ParseTag(b[wire.HeaderSize:])
	if err != nil {
		return Junk, false
	}
	if h.ID == wire.Confirm {
		if third, ok := wire.ParseThird(b[wire.HeaderSize:]); ok {
			return c.third(now, tag, third), false
		}
	}
	var s *session
	switch {
	case c.up && tag == c.session:
		s = c.sess
	case c.pending != nil && tag == c.pending.tag:
		s = c.pending
	case tag == c.last && now >= c.lastUntil:
		return Stray, false
	default: // of the session before, or of one whose third message has been overtaken
		return Late, false
	}
	inner, latest, err := s.keys.Open(b, wire.Clear)
	if errors.Is(err, secure.ErrReplayed) {
		return Replayed, false
	} else if err != nil {
		return Forged, false
	}
	if s == c.pending {
		if h.ID == wire.Error {
			c.refused(now, reported(inner))
			return Denied, false
		}
		if reason := c.refuse(s.peer, true); reason != "" {
			c.refused(now, reason)
			return Denied, false
		}
		c.begin(now, s)
	}
	s.third = nil
	c.lastHeard, c.doubt.open = now, false
	if c.up { // a call beside the session, if any, was for nothing
		c.call = nil
	}
	if err := c.onTagged(now, h, inner); err != nil {
		c.breach(now, err.Error())
		return Junk, latest
	}
	return Taken, latest
}

// Clear handles an ERROR in the clear. Nobody can tell who has sent it, so it is a reason to look and no more.
func (c *Conn) Clear(now Time, body []byte) Verdict {
	switch {
	case len(body) == 1:
		if c.call == nil || wire.Code(body[0]) != wire.ConfigError {
			return Late
		}
		c.plain()
	case len(body) != wire.ResetSize || !c.up || binary.BigEndian.Uint64(body) != c.session || c.doubt.open:
		return Late
	default:
		c.env.Stats.Resets++
		c.doubt.open, c.doubt.since, c.doubt.probes = true, now, 0
		c.doubt.next = max(c.doubt.next, now+1) // never in answer
	}
	return Taken
}

// begin starts a session in place of the one that there is.
func (c *Conn) begin(now Time, s *session) {
	if c.up {
		c.close(now, "the peer started a new connection")
	}
	if s == c.pending {
		c.pending = nil
	}
	c.dropHandshakes()
	c.call = nil
	c.tries, c.reported, c.refusal = 0, false, ""
	c.up, c.sess, c.session, c.spent, c.doubt.open = true, s, s.tag, false, false
	c.env.Tags[s.tag] = c
	c.datagram = max(min(c.cfg.Datagram, int(s.hello.Datagram)), minDatagram)
	c.base, c.lastHeard, c.lastData = c.datagram, now, now
	c.snd = newSender(c.cfg)
	c.rcv = newReceiver()
	if !c.shared {
		held := 0
		if c.group != nil {
			held = c.group.Held()
		}
		c.group = newGroup(c.cfg, true, c.datagram, held)
	}
	c.snd.rtt = c.group.join()
	c.beginDiscovery(now, min(c.cfg.Largest, int(s.hello.Datagram)))
	c.event(Event{Kind: Up, Hello: s.hello, Number: s.tag, Peer: s.peer, Caller: s.caller})
	c.emitTagged(now, wire.Header{ID: wire.Jump, Seq: c.snd.last()}, nil, nil) // tells the caller that its COFIRM has come
}

// dropHandshakes forgets those that are not complete: what comes of them later is of the past.
func (c *Conn) dropHandshakes() {
	c.dropPending()
	for len(c.answers) > 0 {
		c.dropAnswer(c.answers[0])
	}
}

// end ends the session, if there is one, and tells the peer why if asked to. The ERROR wants no confirmation: nobody would
// be left to receive it.
func (c *Conn) end(now Time, reason string, code wire.Code, tell bool, delay time.Duration) {
	if !c.up {
		return
	}
	if tell {
		c.emitTagged(now, wire.Header{ID: wire.Error, Seq: c.snd.last()}, errorBody(code, reason), nil)
	}
	c.close(now, reason)
	c.startCall(now, now+delay)
}

func (c *Conn) close(now Time, reason string) {
	c.giveBack()
	delete(c.env.Tags, c.last)
	c.last, c.lastUntil = c.session, now+quiet
	c.up, c.sess, c.session = false, nil, 0
	c.snd, c.rcv = sender{}, receiver{}
	c.doubt.open, c.trial = false, trial{}
	c.event(Event{Kind: Down, Reason: reason, Number: c.last})
	if c.cfg.Extra {
		c.dialled = false
	}
}

func errorBody(code wire.Code, reason string) []byte {
	return append([]byte{byte(code)}, reason[:min(len(reason), maxReason)]...)
}

// reported reads the body of an ERROR.
func reported(b []byte) string {
	code := wire.Code(255)
	if len(b) > 0 {
		code = wire.Code(b[0])
	}
	if len(b) < 2 {
		return "the peer reports " + code.String()
	}
	return "the peer reports " + code.String() + ": " + strings.ToValidUTF8(string(b[1:min(len(b), 1+maxReason)]), "?")
}

// breach ends the session of a peer that broke the protocol.
func (c *Conn) breach(now Time, reason string) {
	if c.up {
		c.event(Event{Kind: Broken, Reason: reason})
		c.end(now, reason, wire.NumMissMatch, true, c.cfg.ConnectInterval)
	}
}

// onTagged handles the opened content of a datagram of the session. An error means that the peer broke the protocol.
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
		c.end(now, reported(b), 0, false, c.cfg.ConnectInterval/8)
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
	if len(b) > 0 && (wire.DataKind(b[0]) == wire.Size || wire.DataKind(b[0]) == wire.SizeReply) {
		return c.onSize(now, wire.DataKind(b[0]), b[1:])
	}
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
		if n := binary.BigEndian.Uint64(b[1:]); c.trial.number != 0 && n == c.trial.number {
			c.trial.proven = true
			return nil
		}
		c.event(Event{Kind: Echoed, Number: binary.BigEndian.Uint64(b[1:])})
	default:
		return fmt.Errorf("%w: unconfirmed DATA of kind %d", wire.ErrMalformed, b[0])
	}
	return nil
}

// Tick handles all timers that are due.
func (c *Conn) Tick(now Time) {
	for len(c.answers) > 0 && now >= c.answers[0].since+halfOpen {
		c.dropAnswer(c.answers[0])
	}
	if c.pending != nil {
		switch {
		case now >= c.pendingSince+halfOpen:
			c.dropPending()
			if !c.up {
				c.startCall(now, now)
			}
		case now >= c.nextThird:
			c.sendThird(now)
		}
	}
	if c.call != nil && now >= c.call.next {
		c.connect(now)
	}
	c.checkDoubt(now)
	if c.up && now >= c.lastHeard+c.cfg.Silence {
		c.end(now, fmt.Sprintf("nothing heard for %s", c.cfg.Silence), wire.HeartJumpFailed, true, 0)
	}
	if c.up && c.group.overdue(now) {
		c.breach(now, fmt.Sprintf("a large message made no progress for %s", c.cfg.AssemblyTimeout))
	}
	if c.up && now >= c.snd.timer {
		c.timeout(now)
	}
	if c.up && now >= c.snd.rack.at {
		c.group.mu.Lock()
		c.detect(now)
		c.group.mu.Unlock()
	}
	if c.up && c.cfg.Extra && now >= c.idleAt() {
		c.end(now, "idle", wire.DisConnect, true, 0)
	}
	if c.up && now >= c.mtu.at {
		c.probeSize(now)
	}
	c.Flush(now)
	if c.up && now >= c.lastSent+c.cfg.Heartbeat {
		c.emitTagged(now, wire.Header{ID: wire.Jump, Seq: c.snd.last()}, nil, nil)
	}
}

// checkDoubt sends the echoes of a doubt, and calls when they were not answered. Only who was dialled is called.
func (c *Conn) checkDoubt(now Time) {
	d := &c.doubt
	if !c.up || !d.open {
		return
	}
	if d.probes < doubtProbes && now >= d.next {
		d.probes++
		d.next = now + c.doubtPeriod()/doubtProbes
		c.Echo(now, 0)
	}
	if now >= d.since+c.doubtPeriod() {
		c.startCall(now, now)
	}
}

// idleAt is when an extra lane has carried nothing for too long.
func (c *Conn) idleAt() Time {
	if !c.cfg.Extra || c.snd.span() > 0 {
		return never
	}
	return c.lastData + c.cfg.Idle
}

// Flush emits the confirmation that is due and as many messages as the windows allow.
func (c *Conn) Flush(now Time) {
	if !c.up {
		return
	}
	c.reopen(now)
	if !c.up {
		return
	}
	c.pump(now)
	if c.rcv.confirmDue(now) {
		c.rcv.confirm, c.rcv.confirmAt, c.rcv.unanswered = false, never, 0
		c.emitTagged(now, wire.Header{ID: c.rcv.confirmID, Seq: c.rcv.confirmSeq}, c.confirmation(), nil)
	}
	if c.spent {
		c.end(now, "the keys of the session are used up", 0, false, 0)
	}
}

// Wake returns the time of the next timer.
func (c *Conn) Wake() Time {
	t := never
	if len(c.answers) > 0 {
		t = min(t, c.answers[0].since+halfOpen)
	}
	if c.pending != nil {
		t = min(t, c.pendingSince+halfOpen, c.nextThird)
	}
	if c.call != nil {
		t = min(t, c.call.next)
	}
	if c.up {
		t = min(t, c.lastHeard+c.cfg.Silence, c.lastSent+c.cfg.Heartbeat, c.snd.timer, c.snd.rack.at, c.snd.paced, c.rcv.confirmAt, c.mtu.at, c.idleAt(),
			c.group.deadline())
		if d := &c.doubt; d.open {
			if d.probes < doubtProbes {
				t = min(t, d.next)
			}
			if c.dialled && c.call == nil && c.pending == nil {
				t = min(t, d.since+c.doubtPeriod())
			}
		}
	}
	return t
}
