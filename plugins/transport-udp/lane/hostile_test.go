package lane

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/secure"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// mallory sees every datagram, and sends whatever it likes under the addresses of both ends. It has a node key of its own.
type mallory struct {
	w        *world
	rng      *rand.Rand
	rate     float64 // forged datagrams for each genuine one
	seen     [2][][]byte
	injected int
	id       *secure.Identity
}

const malloryNode = 99

func newMallory(w *world, rate float64) *mallory {
	return &mallory{w: w, rng: rand.New(rand.NewPCG(w.rng.Uint64(), 3)), rate: rate, id: identity(w.t, w.random, malloryNode)}
}

// sees notes a datagram on its way to an end, and acts.
func (m *mallory) sees(to int, b []byte) {
	if s := &m.seen[to]; len(*s) < 4000 {
		*s = append(*s, bytes.Clone(b))
	} else {
		(*s)[m.rng.IntN(len(*s))] = bytes.Clone(b)
	}
	for r := m.rate; m.rng.Float64() < r; r-- {
		at := m.rng.IntN(2)
		if d := m.forge(at); len(d) > 0 {
			m.injected++
			m.w.seq++
			when := m.w.now + time.Duration(m.rng.Int64N(int64(200*time.Millisecond)))
			heap.Push(&m.w.wire, packet{when, m.w.seq, at, d})
		}
	}
}

// forge makes a datagram for an end.
func (m *mallory) forge(to int) []byte {
	own, back := m.seen[to], m.seen[1-to]
	if len(own) == 0 || len(back) == 0 {
		return nil
	}
	// Early datagrams are those of the handshake, and of earlier sessions.
	b := bytes.Clone(own[m.rng.IntN(1+m.rng.IntN(len(own)))])
	if m.rng.IntN(4) == 0 {
		b = bytes.Clone(own[len(own)-1])
	}
	var tag uint64
	if len(b) >= wire.Clear {
		tag = binary.BigEndian.Uint64(b[wire.HeaderSize:])
	}
	switch m.rng.IntN(14) {
	case 0: // again
		return b
	case 1: // altered
		for range 1 + m.rng.IntN(3) {
			b[m.rng.IntN(len(b))] ^= 1 << m.rng.IntN(8)
		}
		return b
	case 2: // cut
		return b[:m.rng.IntN(len(b))]
	case 3: // longer
		return append(b, make([]byte, 1+m.rng.IntN(100))...)
	case 4: // what the other end was sent
		return bytes.Clone(back[m.rng.IntN(len(back))])
	case 5: // the session is said not to exist
		return wire.AppendReset(wire.Header{ID: wire.Error}.Append(nil, true), tag, wire.Code(m.rng.IntN(5)))
	case 6: // as the paper's plain mode says it
		return [][]byte{{1, byte(wire.Error), 0, 0, byte(m.rng.IntN(5))}, {0, byte(wire.ConnOK), 1, 0}, {0, byte(wire.Jump), 0, 0},
			{1, byte(wire.Connect), 0, 0, 1, 2}, {0, byte(wire.DataOK), 0, byte(m.rng.IntN(256))}}[m.rng.IntN(5)]
	case 7: // a confirmation, error or heartbeat that is not sealed
		h := wire.Header{ID: wire.ID(m.rng.IntN(16)), Confirm: uint8(m.rng.IntN(3)), Seq: uint8(m.rng.Uint32())}
		b = binary.BigEndian.AppendUint64(h.Append(nil, true), tag)
		return wire.Confirmation{Window: 127, Expected: m.rng.Uint32N(1000), Bits: []byte{255, 255}}.Append(b)
	case 8: // with the counter of one that was seen, or a higher one
		if len(b) < wire.Overhead {
			return b
		}
		b[1] = byte(m.rng.IntN(16))
		if m.rng.IntN(2) == 0 {
			binary.BigEndian.PutUint64(b[wire.Clear:], m.rng.Uint64()>>m.rng.IntN(64))
		}
		return b
	case 9: // a header of another message
		b[1], b[2], b[3] = byte(m.rng.IntN(16)), byte(m.rng.IntN(3)), byte(m.rng.Uint32())
		return b
	case 10: // a cookie that is none
		return wire.ConnOKBody{Echo: tag, Cookie: make([]byte, 16)}.Append(wire.Header{ID: wire.ConnOK, Confirm: 1}.Append(nil, true))
	case 11: // a second message that is none
		return wire.ConnOKBody{Echo: tag, Handshake: append([]byte{1}, make([]byte, 200)...)}.Append(wire.Header{ID: wire.ConnOK, Confirm: 1}.Append(nil, true))
	case 12: // a third
		return wire.AppendThird(wire.Header{ID: wire.Confirm}.Append(nil, true), tag, append([]byte{1}, make([]byte, 160)...))
	default: // a call of its own, with a good cookie: it receives at the address too
		cookie := m.w.ends[to].lane.cookies.Make(m.w.now, addrs[1-to])
		body := wire.ConnectBody{Port: 1000, Hello: wire.Hello{Tag: m.rng.Uint64(), Datagram: 600}, Cookie: cookie[:]}
		if m.rng.IntN(2) == 0 && len(b) > 20 {
			body.Tag = binary.BigEndian.Uint64(b[7:]) // that of a genuine one
		}
		var seed [secure.SeedSize]byte
		binary.BigEndian.PutUint64(seed[:], m.rng.Uint64())
		call, err := secure.NewCall(m.id, seed, body.Params(nil))
		if err != nil {
			m.w.t.Fatal(err)
		}
		body.Handshake = call.First()
		return body.Append(wire.Header{ID: wire.Connect}.Append(nil, true), 0)
	}
}

// TestHostileNetwork: who sees everything and sends anything can neither end a link nor change a message.
func TestHostileNetwork(t *testing.T) {
	for seed := range uint64(few(2)) {
		w := newWorld(t, 100+seed, testConfig())
		w.loss, w.repeat, w.delay, w.late = 0.05, 0.1, 60*time.Millisecond, 3*time.Second
		m := newMallory(w, 1.5)
		w.tap = m.sees
		w.run(20 * time.Second)
		for i, e := range w.ends {
			if !e.up {
				t.Fatalf("seed %d: end %d is not connected; %q", seed, i, e.refusals)
			}
			e.ups, e.reasons = 0, nil
		}
		var sent [2]int
		for range few(40) {
			for i := range w.ends {
				for range 1 + w.rng.IntN(20) {
					if w.send(i) {
						sent[i]++
					}
				}
				w.flush(i)
			}
			w.run(time.Duration(w.rng.IntN(2000)) * time.Millisecond)
		}
		for range 300 {
			if w.ends[0].received == sent[1] && w.ends[1].received == sent[0] {
				break
			}
			w.run(time.Second)
		}
		if w.ends[0].received != sent[1] || w.ends[1].received != sent[0] {
			t.Fatalf("seed %d: received %d of %d and %d of %d", seed, w.ends[0].received, sent[1], w.ends[1].received, sent[0])
		}
		for i, e := range w.ends {
			s := e.lane.Stats()
			if e.ups != 0 || len(e.reasons) != 0 {
				t.Fatalf("seed %d: end %d came up %d times more and went down: %q", seed, i, e.ups, e.reasons)
			}
			if s.Forged == 0 || s.Replayed == 0 || s.Resets == 0 {
				t.Fatalf("seed %d: the attack does not reach end %d: %+v", seed, i, s)
			}
		}
		if m.injected < few(1000) {
			t.Fatalf("only %d datagrams were forged", m.injected)
		}
	}
}

// TestHostileStart: the same while the ends call each other, and after restarts. Each time they find each other.
func TestHostileStart(t *testing.T) {
	slowest := time.Duration(0)
	for seed := range uint64(few(15)) {
		cfg := testConfig()
		w := newWorld(t, 200+seed, cfg)
		w.loss, w.repeat, w.delay = 0.05, 0.1, 60*time.Millisecond
		w.tap = newMallory(w, 2).sees
		for round := range 4 {
			start := w.now
			for !w.ends[0].up || !w.ends[1].up || w.ends[0].session != w.ends[1].session {
				if w.now > start+30*time.Second {
					t.Fatalf("seed %d, round %d: not connected after 30 s; %q %q", seed, round, w.ends[0].refusals, w.ends[1].refusals)
				}
				w.run(50 * time.Millisecond)
			}
			slowest = max(slowest, w.now-start)
			w.run(time.Second)
			w.boot(w.rng.IntN(2), cfg)
		}
	}
	t.Logf("connected after at most %s", slowest)
}

// TestSimultaneousOpen: both ends call at once, over networks that lose more one way than the other. They agree on one
// session and keep it.
func TestSimultaneousOpen(t *testing.T) {
	for seed := range uint64(few(60)) {
		w := newWorld(t, 300+seed, testConfig())
		w.delay = time.Duration(w.rng.IntN(100)) * time.Millisecond
		w.oneWay[seed%2] = 0.6 * w.rng.Float64()
		w.run(30 * time.Second)
		if !w.ends[0].up || !w.ends[1].up || w.ends[0].session != w.ends[1].session {
			t.Fatalf("seed %d: no common session after 30 s: %x, %x", seed, w.ends[0].session, w.ends[1].session)
		}
		if w.ends[0].ups > 2 || w.ends[1].ups > 2 {
			t.Fatalf("seed %d: came up %d and %d times", seed, w.ends[0].ups, w.ends[1].ups)
		}
		before := w.ends[0].ups + w.ends[1].ups
		w.oneWay = [2]float64{}
		w.run(30 * time.Second)
		if w.ends[0].ups+w.ends[1].ups != before {
			t.Fatalf("seed %d: the session did not last", seed)
		}
	}
}

// TestLostSession: an end that was restarted and does not call is called by the other one well before silence ends the
// session. One that says so falsely is not believed.
func TestLostSession(t *testing.T) {
	cfg := testConfig()
	w := newWorld(t, 1, cfg)
	w.run(time.Second)
	session := w.ends[0].session
	for range 200 { // false claims
		b := wire.AppendReset(wire.Header{ID: wire.Error}.Append(nil, true), session, wire.DisConnect)
		before := len(w.wire)
		w.ends[0].lane.Datagram(w.now, addrs[1], b)
		w.flush(0)
		if len(w.wire) != before {
			t.Fatal("a claim in the clear is answered directly")
		}
		w.run(50 * time.Millisecond)
	}
	if e := w.ends[0]; e.session != session || len(e.reasons) != 0 {
		t.Fatalf("false claims have ended the session: %q", e.reasons)
	}
	if w.packets > 200 {
		t.Fatalf("200 claims in 10 seconds have caused %d datagrams", w.packets)
	}
	w.ends[1].lane, w.ends[1].up = w.lane(1, cfg), false
	w.run(4 * time.Second)
	if e := w.ends[0]; !e.up || e.session == session || !w.ends[1].up {
		t.Fatalf("the lost session was not replaced: %q", e.reasons)
	}
}

// TestRoaming: a session follows a peer whose address changes, both ways, and does not follow what was recorded.
func TestRoaming(t *testing.T) {
	w := newWorld(t, 1, testConfig())
	w.run(time.Second)
	m := newMallory(w, 0)
	w.tap = m.sees
	e := w.ends[0]
	session, sent := e.session, 0
	home := addrs[1]
	elsewhere := []netip.AddrPort{netip.MustParseAddrPort("198.51.100.7:4000"), netip.MustParseAddrPort("[2001:db8::1]:5000"), home}
	for k, at := range append(elsewhere, elsewhere...) {
		w.source[1] = at
		for range 30 {
			if w.send(1) {
				sent++
			}
			w.flush(1)
			w.run(100 * time.Millisecond)
		}
		if e.peer != at || e.session != session || e.moves != k+1 && at != home {
			t.Fatalf("the session is at %s, the peer at %s; %d moves", e.peer, at, e.moves)
		}
		for _, b := range m.seen[0] { // recorded ones from another address
			e.lane.Datagram(w.now, netip.MustParseAddrPort("203.0.113.9:9"), bytes.Clone(b))
		}
		w.flush(0)
		if e.peer != at {
			t.Fatal("the session follows a replayed datagram")
		}
	}
	w.source[1] = home
	w.run(20 * time.Second)
	if e.received != sent || !e.up || len(e.reasons) != 0 {
		t.Fatalf("received %d of %d; %q", e.received, sent, e.reasons)
	}
}

// TestFlood: calls from many addresses, with and without cookies, keep memory bounded; a link that is up does not notice,
// and a new peer that was dialled gets through.
func TestFlood(t *testing.T) {
	cfg := testConfig()
	w := newWorld(t, 1, cfg)
	w.run(time.Second)
	e := w.ends[0]
	hs := make([]byte, 33)
	hs[0] = secure.VersionXX
	sent, answers := 0, 0
	const none, wrong, good = 0, 1, 2
	flood := func(with int) {
		for i := range few(10_000) {
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 7)
			hs[1], hs[2] = byte(i), byte(i>>8)
			body := wire.ConnectBody{Hello: wire.Hello{Tag: uint64(i + 1)}, Handshake: hs}
			if with > none {
				cookie := e.lane.cookies.Make(w.now, from)
				if with == wrong {
					cookie[1+i%15] ^= 1
				}
				body.Cookie = cookie[:]
			}
			e.lane.Datagram(w.now, from, body.Append(wire.Header{ID: wire.Connect}.Append(nil, true), 0))
			if i%100 == 0 {
				out := e.lane.Flush(w.now)
				for k := range out.Datagrams {
					if out.Datagrams[k].To != addrs[1] {
						answers++
					} else {
						w.transmit(1, out.Datagrams[k].Append(nil))
					}
				}
				out.Reset()
				if w.send(1) {
					sent++
				}
				w.flush(1)
				w.run(10 * time.Millisecond)
			}
			conns, tags, rates := e.lane.Kept()
			if conns > cfg.HalfOpen+2 || tags > 4*cfg.HalfOpen+8 || rates > 4096 {
				t.Fatalf("%d connections, %d tags, %d addresses are kept", conns, tags, rates)
			}
		}
	}
	flood(none)
	flood(wrong)
	if conns, tags, rates := e.lane.Kept(); conns != 1 || tags > 2 || rates > 1 {
		t.Fatalf("without a cookie %d connections, %d tags, %d addresses are kept", conns, tags, rates)
	}
	flood(good)
	if s := e.lane.Stats(); s.Limited < uint64(few(10_000))/4 && !raceDetector || s.Cookies < uint64(few(20_000)) {
		t.Fatalf("%+v", s)
	}
	if !e.up || len(e.reasons) != 0 || e.received != sent {
		t.Fatalf("the link suffers: up %t, received %d of %d, %q", e.up, e.received, sent, e.reasons)
	}
	w.boot(1, cfg) // while the rate for strangers is used up
	for i := 0; (!w.ends[1].up || !e.up) && i < 40; i++ {
		w.run(100 * time.Millisecond)
	}
	if !w.ends[1].up {
		t.Fatal("a dialled peer does not get through after the flood")
	}
	if answers == 0 {
		t.Fatal("nothing was answered")
	}
}

// TestAddressOfAnother: nobody else's session is disturbed by a node that completes a handshake at its address, or moves
// its session there.
func TestAddressOfAnother(t *testing.T) {
	w := newWorld(t, 1, testConfig())
	w.run(time.Second)
	e := w.ends[0]
	e.lane.env.Admit = open
	session := e.session
	p := dialRaw(t, w, 0, addrs[1], malloryNode)
	if p.session != nil {
		t.Fatal("another node has a session at the address of a peer")
	}
	p = dialRaw(t, w, 0, netip.MustParseAddrPort("203.0.113.5:5"), malloryNode)
	if p.session == nil {
		t.Fatal("no session")
	}
	p.from = addrs[1]
	p.send(wire.Header{ID: wire.Jump}, nil)
	w.flush(0)
	w.run(time.Second)
	if e.lane.conns[addrs[1]].Session() != session {
		t.Fatal("a node has moved to the address of another")
	}
}

// TestAmplification sends altered datagrams of all kinds, in nobody's name and in that of a peer. No answer is longer than
// what it answers, none goes to anybody else, and nothing happens.
func TestAmplification(t *testing.T) {
	w := newWorld(t, 1, testConfig())
	m := newMallory(w, 0)
	w.tap = m.sees
	w.run(3 * time.Second)
	for range 200 {
		w.send(0)
		w.send(1)
	}
	w.run(3 * time.Second)
	w.tap = nil
	l := w.ends[0].lane
	answers := map[wire.ID]int{}
	for range few(30_000) {
		d := m.forge(0)
		from := strangerAt
		switch w.rng.IntN(3) {
		case 0:
			from = addrs[1]
		case 1:
			from = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(w.rng.IntN(256)), byte(w.rng.IntN(256))}), 9)
		}
		if b, err := wire.ParseConnect(d[min(len(d), wire.HeaderSize):]); err == nil && w.rng.IntN(2) == 0 {
			cookie := l.cookies.Make(w.now, from)
			b.Cookie = cookie[:]
			d = b.Append(wire.Header{ID: wire.Connect}.Append(nil, true), b.Size)
		}
		size := len(d)
		l.Datagram(w.now, from, d)
		out := l.Flush(w.now)
		answered := 0
		for i := range out.Datagrams {
			if out.Datagrams[i].To != from {
				t.Fatalf("an answer goes to %s, not to %s", out.Datagrams[i].To, from)
			}
			answered += out.Datagrams[i].Len()
			answers[wire.ID(out.Datagrams[i].Data[1])]++
		}
		if answered > size {
			t.Fatalf("%d bytes are answered with %d", size, answered)
		}
		if len(out.Events)+len(out.Delivered) > 0 {
			t.Fatalf("something happens: %+v", out.Events)
		}
		out.Reset()
		w.now += 100 * time.Nanosecond // so that no timer is due
	}
	if answers[wire.ConnOK] < few(100) || answers[wire.Error] < few(100) {
		t.Fatalf("too little is answered for the test to mean anything: %v", answers)
	}
}

// TestStolenTag: somebody calls with the tag of a genuine call, before that comes and at the same address. The genuine one
// is answered nevertheless.
func TestStolenTag(t *testing.T) {
	w := newWorld(t, 1, testConfig())
	l := w.ends[0].lane
	l.env.Admit = open
	cookie := l.cookies.Make(w.now, strangerAt)
	body := wire.ConnectBody{Hello: wire.Hello{Tag: 77, Datagram: 1200}, Cookie: cookie[:], Handshake: append([]byte{secure.VersionXX, 9}, make([]byte, 31)...)}
	l.Datagram(w.now, strangerAt, body.Append(wire.Header{ID: wire.Connect}.Append(nil, true), 0))
	l.Flush(w.now).Reset()
	if p := dialRawAs(t, w, 0, strangerAt, 5, 77); p.session == nil || !l.Up(strangerAt) {
		t.Fatal("the genuine call does not lead to a session")
	}
}

// TestDoubtEnds: a false claim during an outage leads to a call beside the session. When the peer is heard in the session
// again, the session stays.
func TestDoubtEnds(t *testing.T) {
	w := newWorld(t, 1, testConfig())
	w.run(time.Second)
	e := w.ends[0]
	session := e.session
	w.down = true
	e.lane.Datagram(w.now, addrs[1], wire.AppendReset(wire.Header{ID: wire.Error}.Append(nil, true), session, wire.DisConnect))
	w.flush(0)
	w.run(1500 * time.Millisecond)
	if !e.lane.conns[addrs[1]].Calling() {
		t.Fatal("the peer is not called")
	}
	w.down = false
	w.send(1)
	w.flush(1)
	w.run(5 * time.Second)
	if e.session != session || len(e.reasons) != 0 || e.lane.conns[addrs[1]].Calling() {
		t.Fatalf("the session was replaced: %q", e.reasons)
	}
}
