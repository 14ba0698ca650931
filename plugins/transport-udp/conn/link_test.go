package conn

import (
	"bytes"
	"container/heap"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/secure"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
	"github.com/paloalto-chain/paloalto/sdk/transport"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// path is one direction of a network. All lanes of a link share it.
type path struct {
	loss, repeat, reorder float64
	delay, late           time.Duration // late is by how much a datagram is late that others overtake, at most
	rate                  float64       // bytes a second; 0 has no limit
	buffer                int           // bytes that may wait for it; more are lost
	mtu                   int           // longer datagrams are lost; 0 lets all through
	down                  func(lane int) bool

	free    Time // when the wire is free
	dropped int
	passed  int
}

// link is two ends with a control lane and up to so many bulk lanes, a network and a clock.
type link struct {
	t       testing.TB
	rng     *rand.Rand
	now     Time
	seq     int
	wire    flying
	paths   [2]path // by sender
	ends    [2]*linkEnd
	widest  int // most numbers that a lane had in flight
	longest int
	fast    bool // contents are not compared
	slow    bool // the core takes things now and then only
}

type flyingDatagram struct {
	at       Time
	seq      int
	to, lane int
	data     []byte
}

type flying []flyingDatagram

func (p flying) Len() int { return len(p) }
func (p flying) Less(i, j int) bool {
	return p[i].at < p[j].at || p[i].at == p[j].at && p[i].seq < p[j].seq
}
func (p flying) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *flying) Push(x any)   { *p = append(*p, x.(flyingDatagram)) }
func (p *flying) Pop() any {
	old := *p
	x := old[len(old)-1]
	old[len(old)-1] = flyingDatagram{}
	*p = old[:len(old)-1]
	return x
}

type linkEnd struct {
	out     Output
	env     *Env
	group   *Group
	conns   []*Conn // 0 is control
	sent    []sentMessage
	got     map[uint32]bool // of the other's messages
	bytes   int
	control []time.Duration // latencies of the other's control messages
	next    uint32          // index of the control message that is expected
	held    int             // delivered bulk that was not released
	full    int
	flows   int
	reasons []string
	opened  int
}

type sentMessage struct {
	at   Time
	size int
}

const simLanes = 64

func linkAddr(end, lane int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(end)}), uint16(1000+lane))
}

func linkConfig() Config {
	c := Defaults()
	c.AssemblyTimeout = time.Minute
	return c
}

func newLink(t testing.TB, seed uint64, cfg Config, p path) *link {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	random := rand.NewChaCha8(key)
	l := &link{t: t, rng: rand.New(rand.NewPCG(seed, 11)), paths: [2]path{p, p}}
	for i := range l.ends {
		e := &linkEnd{got: map[uint32]bool{}, opened: 1}
		e.group = NewGroup(cfg, simLanes, cfg.Datagram, 0)
		l.ends[i] = e
		e.env = &Env{Random: random, Identity: identity(t, random, i), Admit: func(Admission) string { return "" },
			Rotation: secure.DefaultRotation(), Out: &e.out, Tags: map[uint64]*Conn{}}
		for lane := range simLanes + 1 {
			own, local := cfg, Local{Port: uint16(1000 + lane)}
			if lane > 0 {
				local.Link, local.Group, own.Extra = 1, e.group, lane > 1
				own.ConnectInterval = own.RetransmitInitial
			}
			e.conns = append(e.conns, New(own, local, linkAddr(1-i, lane), e.env))
			e.conns[lane].Expect()
		}
	}
	for i := range l.ends {
		l.ends[i].conns[0].Dial(0)
		l.ends[i].conns[1].Dial(0)
		l.flush(i)
	}
	return l
}

// flush carries out what an end says.
func (l *link) flush(i int) {
	e := l.ends[i]
	for again := true; again; {
		again = false
		for _, c := range e.conns {
			c.Flush(l.now)
			if c.up {
				l.widest = max(l.widest, c.snd.span())
			}
		}
		for k := range e.out.Delivered {
			l.deliver(i, &e.out.Delivered[k])
		}
		for k := range e.out.Events {
			ev := &e.out.Events[k]
			switch ev.Kind {
			case Down:
				e.reasons = append(e.reasons, fmt.Sprintf("%s %s: %s", l.now, ev.Addr, ev.Reason))
			case Broken:
				l.t.Fatalf("at %s %s: %s", l.now, ev.Addr, ev.Reason)
			case Dropped:
				l.t.Fatalf("dropped: %s", ev.Reason)
			case Crowded:
				e.opened = min(ev.Count, simLanes)
				for _, c := range e.conns[2 : e.opened+1] {
					c.Dial(l.now)
				}
				again = true
			case QueueFull:
				e.full++
				e.flows++
			case QueueRoom:
				e.full--
			}
		}
		for k := range e.out.Datagrams {
			d := &e.out.Datagrams[k]
			l.transmit(i, int(d.To.Port())-1000, d.Append(nil))
		}
		e.out.Reset()
	}
}

func (l *link) transmit(from, lane int, b []byte) {
	p := &l.paths[from]
	l.longest = max(l.longest, len(b))
	p.passed++
	if p.mtu > 0 && len(b) > p.mtu || p.down != nil && p.down(lane) {
		return
	}
	copies := 1
	if l.rng.Float64() < p.repeat {
		copies = 2
	}
	for range copies {
		if l.rng.Float64() < p.loss {
			continue
		}
		at := l.now
		if p.rate > 0 {
			begin := max(p.free, l.now)
			if p.buffer > 0 && (begin-l.now).Seconds()*p.rate > float64(p.buffer) {
				p.dropped++
				continue
			}
			p.free = begin + time.Duration(float64(len(b)+28)/p.rate*1e9)
			at = p.free
		}
		at += p.delay + 20*time.Microsecond
		if l.rng.Float64() < p.reorder {
			at += time.Duration(l.rng.Int64N(int64(p.late) + 1))
		}
		l.seq++
		heap.Push(&l.wire, flyingDatagram{at, l.seq, 1 - from, lane, bytes.Clone(b)}) // it is opened in place
	}
}

// identity makes a certified session key of node i.
func identity(t testing.TB, random io.Reader, i int) *secure.Identity {
	t.Helper()
	var seed [32]byte
	seed[0] = byte(i)
	node := ed25519.NewKeyFromSeed(seed[:])
	id, err := secure.NewIdentity(random)
	if err == nil {
		_, err = id.Certify(transport.EncodeBinding(types.Ed25519Key(node.Public().(ed25519.PublicKey)), ed25519.Sign(node, transport.BindingBytes(id.Public()))))
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// receive brings a datagram to the connection that it belongs to, as a lane does.
func (e *linkEnd) receive(t testing.TB, now Time, lane int, b []byte) {
	h, body, err := wire.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	switch c := e.conns[lane]; {
	case h.ID == wire.Connect:
		b, err := wire.ParseConnect(body)
		if err != nil {
			t.Fatal(err)
		}
		c.Connect(now, b, func() bool { return true })
	case h.ID == wire.ConnOK:
		c.ConnOK(now, body)
	case h.ID == wire.Error && len(body) <= wire.ResetSize:
		c.Clear(now, body)
	default:
		tag, _, err := wire.ParseTag(body)
		if err != nil {
			t.Fatal(err)
		}
		if c := e.env.Tags[tag]; c != nil {
			c.Datagram(now, h, b)
		}
	}
}

// long skips a simulation of many datagrams under the race detector, which finds nothing in what is one goroutine and takes ten
// times as long. Where lanes run beside each other, the tests of the node are.
func long(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("one goroutine, and long")
	}
}

// send queues a bulk message.
func (l *link) send(i, size int) {
	e := l.ends[i]
	b := content(uint32(len(e.sent)), max(size, 4))
	e.sent = append(e.sent, sentMessage{l.now, len(b)})
	if n, flow := e.group.Send(Message{Channel: "bulk", Priority: uint32(l.rng.IntN(2)), Payload: b}); n > 0 {
		l.t.Fatal("dropped")
	} else if flow == Full {
		e.full++
		e.flows++
	}
}

// vote sends a control message.
func (l *link) vote(i int, index uint32) {
	b := make([]byte, 200)
	binary.BigEndian.PutUint32(b, index)
	binary.BigEndian.PutUint64(b[4:], uint64(l.now))
	l.ends[i].conns[0].Send(Message{Channel: "vote", Payload: b})
}

func content(index uint32, size int) []byte {
	b := make([]byte, size)
	x := index*2654435761 + 1
	for i := 4; i < size; i++ {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	binary.BigEndian.PutUint32(b, index)
	return b
}

func (l *link) deliver(i int, d *Delivery) {
	e, from := l.ends[i], l.ends[1-i]
	index := binary.BigEndian.Uint32(d.Payload)
	if d.Channel == "vote" {
		if index != e.next {
			l.t.Fatalf("control message %d comes in place of %d", index, e.next)
		}
		e.next++
		e.control = append(e.control, l.now-Time(binary.BigEndian.Uint64(d.Payload[4:])))
		e.conns[0].Release(l.now, d.Size())
		return
	}
	if int(index) >= len(from.sent) || from.sent[index].size != len(d.Payload) {
		l.t.Fatalf("message %d of %d bytes was never sent", index, len(d.Payload))
	}
	if e.got[index] {
		l.t.Fatalf("message %d is delivered twice", index)
	}
	if !l.fast && !bytes.Equal(d.Payload, content(index, len(d.Payload))) { // the digest was checked
		l.t.Fatalf("message %d was altered", index)
	}
	e.got[index] = true
	e.bytes += len(d.Payload)
	e.held += d.Size()
	if !l.slow {
		e.group.Release(l.now, e.held)
		e.held = 0
	}
}

// step goes to what happens next, at most until a time.
func (l *link) step(until Time) bool {
	at := until
	for _, e := range l.ends {
		for _, c := range e.conns {
			at = min(at, c.Wake())
		}
	}
	if len(l.wire) > 0 {
		at = min(at, l.wire[0].at)
	}
	l.now = max(l.now, at)
	if l.now >= until {
		return false
	}
	if len(l.wire) > 0 && l.wire[0].at <= l.now {
		p := heap.Pop(&l.wire).(flyingDatagram)
		l.ends[p.to].receive(l.t, l.now, p.lane, p.data)
		l.flush(p.to)
		return true
	}
	for i, e := range l.ends {
		for _, c := range e.conns {
			if c.Wake() <= l.now {
				c.Tick(l.now)
			}
		}
		l.flush(i)
	}
	return true
}

func (l *link) run(d time.Duration) {
	for until := l.now + d; l.step(until); {
	}
}

// finish runs until everything has arrived.
func (l *link) finish(limit time.Duration) {
	until := l.now + limit
	for len(l.ends[1].got) < len(l.ends[0].sent) || len(l.ends[0].got) < len(l.ends[1].sent) {
		if !l.step(until) {
			a, b := l.ends[0], l.ends[1]
			l.t.Fatalf("after %s: %d of %d and %d of %d messages have arrived; %d and %d bytes wait; %q %q", limit, len(b.got), len(a.sent),
				len(a.got), len(b.sent), a.group.Stats(l.now).Queued, b.group.Stats(l.now).Queued, a.reasons, b.reasons)
		}
	}
}

func percentiles(d []time.Duration) (p50, p99 time.Duration) {
	if len(d) == 0 {
		return 0, 0
	}
	s := append([]time.Duration(nil), d...)
	for i := range s { // few values
		for j := i; j > 0 && s[j] < s[j-1]; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
	return s[len(s)/2], s[len(s)*99/100]
}
