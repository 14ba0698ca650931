package lane

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/secure"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// raw is a peer that has a genuine session and does with it what it likes.
type raw struct {
	t       testing.TB
	w       *world
	end     int
	from    netip.AddrPort
	tag     uint64
	session *secure.Session // nil if it was refused
}

// dialRaw calls an end from an address as a node. The answers that go to the address are taken from the end's output.
func dialRaw(t testing.TB, w *world, end int, from netip.AddrPort, node int) *raw {
	t.Helper()
	return dialRawAs(t, w, end, from, node, w.rng.Uint64())
}

// dialRawAs is dialRaw with a tag.
func dialRawAs(t testing.TB, w *world, end int, from netip.AddrPort, node int, tag uint64) *raw {
	t.Helper()
	p := &raw{t: t, w: w, end: end, from: from}
	id := identity(t, w.random, node)
	var seed [secure.SeedSize]byte
	_, _ = w.random.Read(seed[:])
	l := w.ends[end].lane
	cookie := l.cookies.Make(w.now, from)
	body := wire.ConnectBody{Port: 1, Hello: wire.Hello{Tag: tag, Datagram: 1200}, Cookie: cookie[:]}
	call, err := secure.NewCall(id, seed, body.Params(nil))
	if err != nil {
		t.Fatal(err)
	}
	body.Handshake = call.First()
	got := p.give(body.Append(wire.Header{ID: wire.Connect}.Append(nil, true), 0))
	var third []byte
	for _, b := range got {
		if wire.ID(b[1]) != wire.ConnOK {
			continue
		}
		ok, err := wire.ParseConnOK(b[wire.HeaderSize:])
		if err != nil {
			t.Fatal(err)
		}
		var r secure.Result
		if third, r, err = call.Finish(ok.Handshake, secure.DefaultRotation()); err != nil {
			t.Fatal(err)
		}
		hello, _, err := wire.ParseHello(r.Extra)
		if err != nil {
			t.Fatal(err)
		}
		p.tag, p.session = body.Tag^hello.Tag, r.Session
	}
	if third == nil {
		t.Fatal("the call is not answered")
	}
	for _, b := range p.give(wire.AppendThird(wire.Header{ID: wire.Confirm}.Append(nil, true), p.tag, third)) {
		if h, inner := p.open(b); h.ID == wire.Error && len(inner) > 0 {
			p.session = nil
			return p
		}
	}
	return p
}

// give hands a datagram to the end and returns what it sends to this peer.
func (p *raw) give(b []byte) (out [][]byte) {
	l := p.w.ends[p.end].lane
	l.Datagram(p.w.now, p.from, b)
	return p.take()
}

// take returns what the end sends to this peer; events and messages for the others take their course.
func (p *raw) take() (out [][]byte) {
	o := p.w.ends[p.end].lane.Flush(p.w.now)
	for i := range o.Datagrams {
		if d := &o.Datagrams[i]; d.To == p.from {
			out = append(out, d.Append(nil))
		} else {
			p.w.transmit(1-p.end, d.Append(nil))
		}
	}
	o.Reset()
	return out
}

func (p *raw) seal(h wire.Header, inner []byte) []byte {
	b := binary.BigEndian.AppendUint64(h.Append(nil, true), p.tag)
	b = append(append(b, make([]byte, wire.CounterSize)...), inner...)
	b, err := p.session.Seal(p.w.now, b, wire.Clear)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

func (p *raw) send(h wire.Header, inner []byte) [][]byte { return p.give(p.seal(h, inner)) }

// open opens what the end has sent.
func (p *raw) open(b []byte) (wire.Header, []byte) {
	h, _, err := wire.Parse(b)
	if err != nil {
		p.t.Fatal(err)
	}
	if len(b) < wire.Overhead || binary.BigEndian.Uint64(b[wire.HeaderSize:]) != p.tag {
		return wire.Header{}, nil
	}
	inner, _, err := p.session.Open(b, wire.Clear)
	if err != nil {
		p.t.Fatalf("%s: %v", h.ID, err)
	}
	return h, inner
}

// strangerAt is where a raw peer calls from.
var strangerAt = netip.MustParseAddrPort("203.0.113.5:5")

// TestPeerConfirmsNothing: a peer that only keeps its session alive is given up; nothing of it is kept.
func TestPeerConfirmsNothing(t *testing.T) {
	for _, confirm := range []bool{false, true} {
		w := newWorld(t, 1, testConfig())
		w.run(time.Second)
		l := w.ends[0].lane
		l.env.Admit = open
		p := dialRaw(t, w, 0, strangerAt, malloryNode)
		w.queueFor(0, strangerAt, 100)
		p.take()
		ended := time.Duration(0)
		for range 600 {
			w.run(100 * time.Millisecond)
			if !l.Up(strangerAt) {
				ended = w.now
				break
			}
			if confirm { // what was never sent
				for _, id := range []wire.ID{wire.Confirm, wire.DataOK, wire.FileNameOK, wire.StartOK} {
					p.send(wire.Header{ID: id, Seq: 200}, wire.Confirmation{Window: 127, Expected: 1 << 31, Bits: make([]byte, 16)}.Append(nil))
					p.send(wire.Header{ID: id, Seq: 77}, wire.Confirmation{Window: 255, Expected: 0xffffff00, Bits: []byte{255}}.Append(nil))
				}
			}
			p.send(wire.Header{ID: wire.Jump}, nil)
		}
		if ended == 0 {
			t.Fatalf("confirming what was not sent: %t: the session never ends", confirm)
		}
		w.run(20 * time.Second)
		if conns, _, _ := l.Kept(); conns != 1 {
			t.Fatalf("%d connections are kept", conns)
		}
		if !w.ends[0].up || len(w.ends[0].reasons) != 0 {
			t.Fatalf("the other link suffers: %q", w.ends[0].reasons)
		}
	}
}
