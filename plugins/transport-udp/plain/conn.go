package plain

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// Conn is one connection. It is not for concurrent use. Datagram, Send and the others append to the output at once; there is
// nothing to flush.
type Conn struct {
	cfg   Config
	addr  netip.AddrPort
	out   *Output
	stats Stats

	// Calling.
	dialled     bool
	calling     bool
	tries       int
	told        bool // Unreachable, once until the next connection
	nextConnect Time

	// The connection. It exists from the first CONNECT or CONN_OK on, and is up when the peer is known to have it too.
	exists   bool
	up       bool
	called   bool // this end has called as well, so the peer may do without our CONN_OK
	suspect  bool // a CONNECT came that could be a new call
	suspectT Time
	lastJump Time
	nextJump Time
	snd      sender
	rcv      receiver

	// farewell is the ERROR that ended the last connection and was not confirmed.
	farewell      []byte
	farewellTries int
	farewellAt    Time
}

// New returns a connection to an address that does nothing yet. Output is appended to out, which several may share.
func New(cfg Config, addr netip.AddrPort, out *Output) *Conn {
	return &Conn{cfg: cfg, addr: addr, out: out}
}

// Up tells whether there is a connection.
func (c *Conn) Up() bool { return c.up }

// Addr returns where datagrams are sent.
func (c *Conn) Addr() netip.AddrPort { return c.addr }

// Dialled tells whether this end calls.
func (c *Conn) Dialled() bool { return c.dialled }

// Stats returns the counters.
func (c *Conn) Stats() Stats { return c.stats }

// Farewell tells whether the ERROR that has ended the connection still waits for its confirmation.
func (c *Conn) Farewell() bool { return c.farewell != nil }

// Idle tells whether nothing would be lost by forgetting the connection.
func (c *Conn) Idle() bool { return !c.exists && !c.calling && c.farewell == nil }

// Dial makes the connection call the peer.
func (c *Conn) Dial(now Time) {
	if c.dialled {
		return
	}
	c.dialled, c.told = true, false
	if !c.exists {
		c.call(now)
	}
}

// Hangup ends the connection and the calling. The peer is told with the code, usually DisConnect.
func (c *Conn) Hangup(now Time, code wire.Code, reason string) {
	c.dialled, c.calling = false, false
	c.end(now, code, reason, false, true)
}

// Break ends the connection as Hangup does, and calls again if it was dialled.
func (c *Conn) Break(now Time, code wire.Code, reason string) { c.end(now, code, reason, false, true) }

func (c *Conn) call(now Time) {
	c.calling, c.tries = true, 0
	c.connect(now)
}

func (c *Conn) connect(now Time) {
	c.farewell = nil // it would end the connection that is being asked for
	if c.tries >= c.cfg.ConnectTries && !c.told {
		c.told = true
		c.event(Event{Kind: Unreachable, Reason: fmt.Sprintf("no connection: no answer to %d CONNECT", c.tries)})
	}
	if c.tries >= c.cfg.ConnectTries && !c.cfg.KeepCalling {
		c.calling, c.dialled = false, false
		return
	}
	c.tries++
	c.nextConnect = now + c.cfg.ConnectInterval
	c.emit(wire.Header{ID: wire.Connect}, binary.BigEndian.AppendUint16(nil, c.cfg.Port))
}

// emit appends a datagram and returns its bytes, which must not be changed.
func (c *Conn) emit(h wire.Header, body []byte) []byte {
	b := append(h.Append(make([]byte, 0, wire.HeaderSize+len(body)), len(body) > 0), body...)
	c.write(b)
	return b
}

func (c *Conn) write(b []byte) {
	c.stats.Sent++
	c.out.Datagrams = append(c.out.Datagrams, Datagram{c.addr, b})
}

func (c *Conn) event(e Event) {
	e.Addr = c.addr
	c.out.Events = append(c.out.Events, e)
}

// begin starts a connection: the numbers of both ends are cleared.
func (c *Conn) begin(now Time, previous uint8) {
	c.exists, c.up, c.called, c.suspect = true, false, c.calling, false
	c.farewell = nil
	c.snd = sender{timer: never, flights: make([]flight, 256)}
	c.rcv = receiver{expected: previous + 1, early: map[uint8]message{}}
	c.lastJump, c.nextJump = now, now+c.cfg.Heartbeat
}

// agree makes the connection be up: the peer has it.
func (c *Conn) agree(now Time) {
	if c.up {
		return
	}
	c.up, c.calling, c.tries, c.told = true, false, 0, false
	c.lastJump, c.nextJump = now, now+c.cfg.Heartbeat
	c.event(Event{Kind: Up})
}

// end ends the connection and clears everything. An ERROR tells the peer if asked to, and is sent again until it is confirmed.
func (c *Conn) end(now Time, code wire.Code, reason string, byPeer, tell bool) {
	if !c.exists {
		return
	}
	if tell {
		number := c.snd.last + 1
		c.farewell = c.emit(wire.Header{ID: wire.Error, Confirm: wire.Wanted, Seq: number}, []byte{byte(code)})
		c.farewellTries, c.farewellAt = 0, now+c.cfg.Retransmit
	}
	up := c.up
	c.exists, c.up, c.suspect = false, false, false
	c.snd, c.rcv = sender{}, receiver{}
	if up {
		c.event(Event{Kind: Down, Reason: reason, Code: code, ByPeer: byPeer, Stats: c.stats})
	}
	switch {
	case !c.dialled:
		c.calling = false
	case c.cfg.KeepCalling:
		c.calling, c.tries, c.nextConnect = true, 0, now+c.cfg.ConnectInterval
	default:
		c.dialled, c.calling = false, false
	}
}

// Datagram handles one that came from the peer.
func (c *Conn) Datagram(now Time, b []byte) {
	h, body, err := wire.Parse(b)
	if err != nil {
		c.stats.Dropped++
		return
	}
	c.stats.Received++
	if c.snd.timer != never && c.exists {
		c.snd.timer = now + c.cfg.Retransmit // anything that is received restarts it
	}
	switch h.ID {
	case wire.Connect:
		c.onConnect(now, h, body)
		return
	case wire.Error:
		c.onError(now, h, body)
		return
	case wire.ConnOK:
		c.suspect = false
		c.onConnOK(now, h)
		return
	}
	if !c.exists {
		if h.ID == wire.Confirm && c.farewell != nil && c.farewell[3] == h.Seq {
			c.farewell = nil
		} else {
			c.stats.Dropped++
		}
		return
	}
	c.suspect = false
	if !c.up {
		if !c.called { // only who has received CONN_OK sends anything but CONNECT
			c.confirm(now, wire.Confirm, 1)
		}
		c.agree(now)
	}
	switch {
	case h.ID == wire.Jump:
		c.lastJump = now
	case h.ID.IsConfirmation():
		c.confirm(now, h.ID, h.Seq)
	case h.Confirm == wire.NotWanted:
		c.stats.Dropped++
	default:
		c.receive(now, h, body)
	}
}

func (c *Conn) onConnect(now Time, h wire.Header, body []byte) {
	if len(body) != 2 {
		c.stats.Dropped++
		c.emit(wire.Header{ID: wire.Error, Seq: c.snd.last}, []byte{byte(wire.ConfigError)})
		if _, err := wire.ParseConnect(body); err == nil && c.calling && !c.exists {
			c.refused(wire.ConfigError, "the peer seems to speak the noise mode, this node speaks the plain mode")
		}
		return
	}
	switch {
	case !c.exists:
	case !c.up, c.rcv.taken == 0 && c.snd.last == 1 && !c.called: // CONN_OK was lost, and nothing else has a number yet
		c.repeatConnOK()
		return
	case !c.suspect:
		c.suspect, c.suspectT = true, now
		return
	case now < c.suspectT+c.cfg.ConnectInterval/4:
		return
	default:
		keep, dialled := c.calling, c.dialled
		c.end(now, wire.DisConnect, "the peer calls again: it has lost the connection", false, false)
		c.calling, c.dialled = keep, dialled
	}
	c.begin(now, h.Seq)
	c.send(now, wire.ConnOK, nil)
}

// repeatConnOK answers a CONNECT once more. CONN_OK is the first number of whoever is called.
func (c *Conn) repeatConnOK() {
	c.stats.Retransmitted++
	c.emit(wire.Header{ID: wire.ConnOK, Confirm: wire.Retransmits, Seq: 1}, nil)
}

func (c *Conn) onConnOK(now Time, h wire.Header) {
	switch {
	case !c.exists && c.calling:
		c.begin(now, h.Seq)
		c.rcv.connOK = true
	case !c.exists:
		c.stats.Dropped++
		return
	case c.rcv.taken == 0 && !c.rcv.connOK && c.called: // both have called; this is what the peer's numbers begin with
		c.rcv.connOK = true
		c.rcv.expected = h.Seq + 1
		c.drain(now)
	case h.Seq-c.rcv.expected < MaxWindow+2: // not one that was received before
		c.stats.Dropped++
		return
	default:
		c.stats.Repeated++
	}
	if h.Confirm != wire.NotWanted {
		c.emit(wire.Header{ID: wire.Confirm, Seq: h.Seq}, nil)
	}
	c.agree(now)
}

func (c *Conn) onError(now Time, h wire.Header, body []byte) {
	if h.Confirm != wire.NotWanted {
		c.emit(wire.Header{ID: wire.Confirm, Seq: h.Seq}, nil)
	}
	code := wire.Code(255)
	if len(body) == 1 {
		code = wire.Code(body[0])
	}
	switch {
	case c.exists && h.Confirm != wire.NotWanted && h.Seq-c.rcv.expected >= MaxWindow: // of an earlier connection
		c.stats.Dropped++
	case c.exists:
		c.end(now, code, "the peer reports "+code.String(), true, false)
	case c.calling && (code == wire.ComPortsInUse || code == wire.ConfigError):
		reason := "the peer refuses the connection: " + code.String()
		if code == wire.ConfigError { // nobody who speaks this mode has a reason for it
			reason += "; it seems to speak the noise mode, this node speaks the plain mode"
		}
		c.refused(code, reason)
		if !c.cfg.KeepCalling {
			c.calling, c.dialled = false, false
		}
	}
}

// refused reports, once until the next connection, that the peer does not want one.
func (c *Conn) refused(code wire.Code, reason string) {
	if !c.told {
		c.told = true
		c.event(Event{Kind: Refused, Code: code, ByPeer: true, Reason: reason})
	}
}

// Tick handles all timers that are due.
func (c *Conn) Tick(now Time) {
	if c.calling && !c.exists && now >= c.nextConnect {
		c.connect(now)
	}
	if c.farewell != nil && now >= c.farewellAt {
		if c.farewellTries++; c.farewellTries > c.cfg.RetransmitLimit {
			c.farewell = nil
		} else {
			c.farewellAt = now + c.cfg.Retransmit
			c.stats.Retransmitted++
			c.farewell = again(c.farewell)
			c.write(c.farewell)
		}
	}
	if c.exists && now >= c.lastJump+c.cfg.Silence {
		c.end(now, wire.HeartJumpFailed, fmt.Sprintf("no JUMP for %s", c.cfg.Silence), false, true)
	}
	if c.exists {
		c.retransmit(now)
	}
	if c.up && now >= c.nextJump {
		c.nextJump = now + c.cfg.Heartbeat
		c.emit(wire.Header{ID: wire.Jump, Seq: c.snd.last}, nil)
	}
}

// Wake returns when Tick has to be called next.
func (c *Conn) Wake() Time {
	t := never
	if c.calling && !c.exists {
		t = c.nextConnect
	}
	if c.farewell != nil {
		t = min(t, c.farewellAt)
	}
	if c.exists {
		t = min(t, c.lastJump+c.cfg.Silence, c.snd.timer, c.overdue())
	}
	if c.up {
		t = min(t, c.nextJump)
	}
	return t
}

// again returns a copy of a datagram as a retransmission.
func again(b []byte) []byte {
	n := append(make([]byte, 0, len(b)), b...)
	n[2] = wire.Retransmits
	return n
}

// since is a time that is never negative.
func since(now, then Time) time.Duration { return max(now-then, 0) }
