package conn

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/secure"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

const (
	// halfOpen is how long a handshake waits for the next message of the other end.
	halfOpen = 5 * time.Second
	// renewCall is how long a call goes on with the same keys.
	renewCall = time.Minute
	// extraConnects is how many CONNECTs an interval may see beyond the one that is due, each in answer to another cookie.
	extraConnects = 2
	// maxFailures is how many messages that do not fit a handshake are looked at: for a call, between two CONNECTs.
	maxFailures = 8
	// answerSize is the most that a CONN_OK has besides the certificate, in bytes.
	answerSize = 224
)

// call is a handshake that this end has begun.
type call struct {
	tag       uint64
	hs        secure.Call
	since     Time
	next      Time // of the next CONNECT
	cookie    secure.Cookie
	hasCookie bool // the last CONNECT had one
	extra     int
	failures  int
}

// startCall begins to call at a time.
func (c *Conn) startCall(now, at Time) {
	if !c.dialled || c.call != nil || c.pending != nil {
		return
	}
	c.call = &call{next: at}
	c.tries = 0
	if at <= now {
		c.connect(now)
	}
}

// connect sends the CONNECT that is due and sets the time of the next.
func (c *Conn) connect(now Time) {
	if c.tries >= c.cfg.ConnectTries && !c.reported {
		c.reported = true
		c.event(Event{Kind: Unreachable, Reason: fmt.Sprintf("no connection: no answer to %d CONNECT", c.tries)})
		if c.cfg.Extra {
			c.call, c.dialled = nil, false
			return
		}
	}
	k := c.call
	if k.hs == nil || now >= k.since+renewCall {
		tag := c.env.tag(0)
		hs, err := secure.NewCall(c.env.Identity, c.env.seed(), c.connectBody(tag).Params(nil))
		if err != nil { // never: nothing of the peer's is in it
			panic("conn: " + err.Error())
		}
		k.tag, k.hs, k.since = tag, hs, now
	}
	c.tries++
	k.extra, k.failures = 0, 0
	c.sendConnect()
	wait := c.cfg.ConnectInterval
	for i := c.cfg.ConnectTries; i <= c.tries-1 && wait < c.cfg.ConnectMax; i++ {
		wait = min(2*wait, c.cfg.ConnectMax)
	}
	if c.tries > c.cfg.ConnectTries { // spread, so that a thousand nodes do not call one that comes back in step
		wait += time.Duration(c.env.number() % uint64(wait/4+1))
	}
	k.next = now + wait
}

func (c *Conn) connectBody(tag uint64) wire.ConnectBody {
	return wire.ConnectBody{Port: c.local.Port, Hello: c.hello(tag)}
}

// sendConnect sends the call's CONNECT: always the same, but for the cookie.
func (c *Conn) sendConnect() {
	k := c.call
	b := c.connectBody(k.tag)
	b.Handshake = k.hs.First()
	if k.cookie, k.hasCookie = c.env.Jar.Get(c.addr); k.hasCookie {
		b.Cookie = k.cookie[:]
	}
	c.emit(wire.Header{ID: wire.Connect}, b.Append(nil, answerSize+c.env.Identity.CertificateSize()))
}

// ConnOK handles the answer to a CONNECT.
func (c *Conn) ConnOK(now Time, body []byte) Verdict {
	b, err := wire.ParseConnOK(body)
	k := c.call
	switch {
	case errors.Is(err, wire.ErrPlain) && k != nil:
		c.plain()
		return Taken
	case err != nil:
		return Junk
	case k == nil || k.hs == nil || b.Echo != k.tag:
		return Late
	case len(b.Cookie) > 0:
		cookie := secure.Cookie(b.Cookie)
		if k.hasCookie && k.cookie == cookie || k.extra >= extraConnects {
			return Late
		}
		k.extra++
		c.env.Jar.Put(c.addr, cookie)
		c.sendConnect()
		return Taken
	case k.failures >= maxFailures:
		return Forged
	}
	third, r, err := k.hs.Finish(b.Handshake, c.env.Rotation)
	if errors.Is(err, secure.ErrIdentity) {
		c.refused(now, err.Error())
		return Denied
	}
	if err != nil {
		k.failures++
		return Forged
	}
	c.env.Stats.Handshakes++
	hello, rest, err := wire.ParseHello(r.Extra)
	tag := k.tag ^ hello.Tag
	if err != nil || len(rest) > 0 || hello.Link != c.local.Link || tag == 0 || c.env.Tags[tag] != nil {
		c.refused(now, "the peer answers with what makes no sense")
		return Denied
	}
	if reason := c.refuse(r.Peer, true); reason != "" {
		c.refused(now, reason)
		return Denied
	}
	c.pending = &session{tag: tag, callTag: k.tag, hello: hello, peer: r.Peer, keys: r.Session, caller: true, third: third}
	c.env.Tags[tag] = c
	c.call = nil
	c.pendingSince = now
	c.sendThird(now)
	return Taken
}

// sendThird sends the last message of the handshake, until the peer is heard in the session.
func (c *Conn) sendThird(now Time) {
	c.nextThird = now + c.cfg.RetransmitInitial
	c.emit(wire.Header{ID: wire.Confirm}, wire.AppendThird(nil, c.pending.tag, c.pending.third))
}

// refused gives a call up for a reason that lies in who the peer is, and calls again later: it may be another one then.
func (c *Conn) refused(now Time, reason string) {
	c.env.Stats.Denied++
	c.tellRefused(reason)
	c.call = nil
	c.dropPending()
	c.doubt.open = false // the next claim that there is no session leads to the next call
	if !c.up {
		c.startCall(now, now+c.cfg.ConnectMax)
	}
}

func (c *Conn) tellRefused(reason string) {
	if reason != c.refusal {
		c.refusal = reason
		c.event(Event{Kind: Refused, Reason: reason})
	}
}

// plain notes that the peer seems to speak the plain mode. Anybody can say so; it is reported, and the call goes on.
func (c *Conn) plain() {
	if !c.up {
		c.tellRefused("the peer speaks the plain mode, this node the noise mode")
	}
}

func (c *Conn) dropPending() {
	if c.pending != nil {
		delete(c.env.Tags, c.pending.tag)
		c.pending = nil
	}
}

// refuse tells why there may be no session with a node, or "".
func (c *Conn) refuse(p secure.Peer, caller bool) string {
	if c.up && !sameNode(c.sess.peer.Node, p.Node) {
		return "another node has a session at this address"
	}
	return c.env.Admit(Admission{Addr: c.addr, Link: c.local.Link, Peer: p, Caller: caller})
}

// answer is a handshake that the peer has begun and this end has answered.
type answer struct {
	session  uint64 // tag
	tag      uint64 // of the CONNECT
	hello    wire.Hello
	asked    []byte // what the CONNECT said, without its cookie
	hs       secure.Answer
	reply    []byte
	since    Time
	failures int
}

// maxAnswers is how many handshakes of one address may be half open: the peer's own, and some that others make up.
const maxAnswers = 4

// Connect handles a CONNECT whose cookie is good. Allow is asked before a handshake is answered that was not before.
func (c *Conn) Connect(now Time, b wire.ConnectBody, allow func() bool) Verdict {
	switch {
	case b.Link != c.local.Link: // of an earlier session of the link's first lane, or of one that is not known here yet
		return Late
	case c.call != nil && b.Tag == c.call.tag || c.pending != nil && b.Tag == c.pending.callTag: // its own call
		return Late
	}
	params := b.Params(nil)
	asked := append(params[:len(params):len(params)], b.Handshake...)
	for _, a := range c.answers {
		if a.tag == b.Tag && bytes.Equal(a.asked, asked) {
			c.emit(wire.Header{ID: wire.ConnOK, Confirm: wire.Wanted}, a.reply)
			return Taken
		}
	}
	if !allow() {
		return Limited
	}
	local := c.env.tag(b.Tag)
	hs, err := secure.NewAnswer(c.env.Identity, c.env.seed(), params, b.Handshake, c.hello(local).Append(nil))
	if err != nil {
		if errors.Is(err, secure.ErrVersion) {
			return Foreign
		}
		return Forged
	}
	a := &answer{session: local ^ b.Tag, tag: b.Tag, hello: b.Hello, asked: asked, hs: hs, since: now}
	a.reply = wire.ConnOKBody{Echo: b.Tag, Handshake: hs.Second()}.Append(nil)
	if len(a.reply) > b.Size { // a reply is never longer than the request
		return Foreign
	}
	if len(c.answers) >= maxAnswers {
		c.dropAnswer(c.answers[0])
	}
	c.answers = append(c.answers, a)
	c.env.Tags[a.session] = c
	c.emit(wire.Header{ID: wire.ConnOK, Confirm: wire.Wanted}, a.reply)
	return Taken
}

func (c *Conn) dropAnswer(a *answer) {
	delete(c.env.Tags, a.session)
	for i, x := range c.answers {
		if x == a {
			c.answers = append(c.answers[:i], c.answers[i+1:]...)
			return
		}
	}
}

// third handles the last message of a handshake.
func (c *Conn) third(now Time, tag uint64, third []byte) Verdict {
	if c.up && tag == c.session {
		if bytes.Equal(third, c.sess.third) { // the peer has not heard yet that it came
			c.emitTagged(now, wire.Header{ID: wire.Jump, Seq: c.snd.last()}, nil, nil)
		}
		return Taken
	}
	var a *answer
	for _, x := range c.answers {
		if x.session == tag {
			a = x
		}
	}
	if a == nil {
		return Late
	}
	// Both ends have called. Who has completed a call of a higher tag goes on with that one; so does the other end, which
	// completes every call that it is told of.
	if c.pending != nil && c.pending.callTag > a.tag {
		return Late
	}
	r, err := a.hs.Finish(third, c.env.Rotation)
	if err != nil {
		if a.failures++; a.failures >= maxFailures || errors.Is(err, secure.ErrIdentity) {
			c.dropAnswer(a)
		}
		return Forged
	}
	c.env.Stats.Handshakes++
	s := &session{tag: tag, callTag: a.tag, hello: a.hello, peer: r.Peer, keys: r.Session, third: bytes.Clone(third)}
	if reason := c.refuse(r.Peer, false); reason != "" {
		c.env.Stats.Denied++
		c.dropAnswer(a)
		c.tellRefused(reason)
		c.seal(now, s, wire.Header{ID: wire.Error}, errorBody(wire.ConfigError, reason), nil)
		return Denied
	}
	c.begin(now, s)
	return Taken
}
