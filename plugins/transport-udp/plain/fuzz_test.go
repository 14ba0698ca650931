package plain

import (
	"net/netip"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

func join(ds ...[]byte) (out []byte) {
	for _, d := range ds {
		out = append(append(out, byte(len(d))), d...)
	}
	return out
}

// FuzzHub: whatever comes from three addresses, nothing panics, memory stays bounded, every datagram that is sent is well
// formed, and the answers to strangers do not grow without end.
func FuzzHub(f *testing.F) {
	f.Add(join([]byte{0, 1, 0, 0, 0, 0x67, 0xe8}, []byte{0, 0, 1, 0, 1}, []byte{0, 1, 8, 1, 1, 'f'}, []byte{0, 1, 3, 1, 2, 'x'}, []byte{0, 0, 5, 1, 3}))
	f.Add(join([]byte{1, 0, 2, 1, 1}, []byte{1, 0, 10, 0, 1}, []byte{1, 1, 7, 1, 2, 2}))
	f.Add(join([]byte{2, 1, 0, 0, 0, 0, 0, 1}, []byte{2, 0, 10, 0, 0}, []byte{0, 1, 3, 1, 200, 'x'}, []byte{0, 1, 3, 1, 201, 'x'}, []byte{0, 1, 3, 1, 202, 'x'}))
	f.Fuzz(func(t *testing.T, in []byte) {
		cfg := HubConfig{Conn: Defaults(), Strangers: 2}
		cfg.Conn.Measure, cfg.Conn.DeferOver = len(in)%2 == 0, len(in)%3 == 0
		h := NewHub(cfg)
		addrs := []netip.AddrPort{ends["A"], ends["B"], ends["C"]}
		now := Time(0)
		h.Dial(now, ends["B"])
		for len(in) > 0 {
			n := min(int(in[0]), len(in)-1)
			d := in[1 : 1+n]
			if in = in[1+n:]; n == 0 {
				continue
			}
			h.Datagram(now, addrs[int(d[0])%3], d[1:])
			for _, c := range h.Conns() {
				c.Send(now, wire.Data, d)
				if len(c.rcv.early) >= MaxWindow || c.snd.span > MaxWindow {
					t.Fatalf("%d early, %d in flight", len(c.rcv.early), c.snd.span)
				}
				if d[0]&8 != 0 {
					c.Accept(now)
				}
				c.Hold(d[0]&16 != 0)
			}
			for _, d := range h.Output().Datagrams {
				if _, _, err := wire.Parse(d.Data); err != nil {
					t.Fatalf("sends %x: %v", d.Data, err)
				}
			}
			if n := len(h.Output().Datagrams); n > 3*MaxWindow+8 {
				t.Fatalf("one datagram makes %d", n)
			}
			h.Reset()
			if len(h.Conns()) > 8 || len(h.by) > 16 || len(h.alias) > 8 {
				t.Fatalf("%d connections, %d addresses", len(h.Conns()), len(h.by))
			}
			if now += time.Duration(d[0]) * time.Millisecond; h.Wake() <= now {
				h.Tick(now)
			}
		}
		h.Close(now)
		if len(h.Conns()) != 0 || h.Wake() != never {
			t.Fatal("something is left after Close")
		}
	})
}

// FuzzIntake: whatever messages come, no name leaves a folder and no file is larger than allowed.
func FuzzIntake(f *testing.F) {
	f.Add(join([]byte{8, 'a'}, []byte{3, 'x', 'y'}, []byte{5}))
	f.Add(join([]byte{8, '.', '.'}, []byte{3}))
	f.Fuzz(func(t *testing.T, in []byte) {
		i := Intake{Limit: 100}
		for len(in) > 0 {
			n := min(int(in[0]), len(in)-1)
			d := in[1 : 1+n]
			if in = in[1+n:]; n == 0 {
				continue
			}
			p, err := i.Message(wire.ID(d[0]), d[1:])
			if err != nil {
				_ = CodeOf(err)
				return
			}
			if p.Size > 100 || p.Kind != Nothing && CheckName(p.Name) != nil {
				t.Fatalf("%+v", p)
			}
		}
	})
}

func TestCheckName(t *testing.T) {
	for _, ok := range []string{"a", "params.txt", "two words", "ÄÖ", "a..b", "x-1_2"} {
		if err := CheckName(ok); err != nil {
			t.Error(err)
		}
	}
	long := string(make([]byte, MaxName+1))
	for _, bad := range []string{"", ".", "..", ".hidden", "../x", "/etc/passwd", `..\x`, `C:x`, "a/b", "a\x00b", "a\nb", " a", "a ", "a\u202eb", "\xff", "a\u2028b", long, "\u200b"} {
		if CheckName(bad) == nil {
			t.Errorf("the name %q is allowed", bad)
		}
	}
}

// TestHubAnswersStrangers: what belongs to no connection is answered within bounds, and errors are never answered with errors.
func TestHubAnswersStrangers(t *testing.T) {
	h := NewHub(HubConfig{Conn: Defaults(), Strangers: 1, Replies: 5})
	for i := range 100 {
		h.Datagram(0, ends["C"], wire.Header{ID: wire.Jump, Seq: uint8(i)}.Append(nil, false))
		h.Datagram(0, ends["C"], []byte{1, byte(wire.Error), 0, 0, 2})
		h.Datagram(0, ends["C"], wire.Header{ID: wire.DataOK}.Append(nil, false))
	}
	if n := len(h.Output().Datagrams); n != 5 {
		t.Fatalf("%d answers, want 5", n)
	}
	h.Reset()
	h.Datagram(2*time.Second, ends["C"], wire.Header{ID: wire.Jump}.Append(nil, false))
	if n := len(h.Output().Datagrams); n != 1 {
		t.Fatalf("%d answers two seconds later, want 1", n)
	}
}

// TestOtherPort: a peer that sends from another port than it listens on is answered where it listens.
func TestOtherPort(t *testing.T) {
	h := NewHub(HubConfig{Conn: Defaults(), Strangers: 1})
	from, at := netip.MustParseAddrPort("192.0.2.9:5000"), netip.MustParseAddrPort("192.0.2.9:26600")
	h.Datagram(0, from, []byte{1, byte(wire.Connect), 0, 0, 0x67, 0xe8})
	if d := h.Output().Datagrams; len(d) != 1 || d[0].To != at || d[0].Data[1] != byte(wire.ConnOK) {
		t.Fatalf("%+v", d)
	}
	h.Reset()
	h.Datagram(0, from, []byte{0, byte(wire.Confirm), 0, 1})
	h.Datagram(0, from, []byte{1, byte(wire.Data), 1, 1, 'x'})
	if e := h.Output().Events; len(e) != 2 || e[0].Kind != Up || e[0].Addr != at || string(e[1].Body) != "x" {
		t.Fatalf("%+v", e)
	}
}

// TestCountsFromZero: a peer that gives its first message the number of its CONNECT is understood.
func TestCountsFromZero(t *testing.T) {
	h := NewHub(HubConfig{Conn: Defaults(), Strangers: 1})
	a := ends["A"]
	h.Datagram(0, a, []byte{1, byte(wire.Connect), 0, 0, 0x67, 0xe8})
	h.Datagram(0, a, []byte{0, byte(wire.Confirm), 0, 1})
	for i := range 300 {
		h.Datagram(0, a, []byte{1, byte(wire.Data), 1, byte(i), byte(i), byte(i >> 8)})
	}
	n := 0
	for _, e := range h.Output().Events {
		if e.Kind == Received {
			if int(e.Body[0])|int(e.Body[1])<<8 != n {
				t.Fatalf("message %x in place of %d", e.Body, n)
			}
			n++
		}
	}
	if n != 300 {
		t.Fatalf("%d of 300 messages", n)
	}
}

// TestConfirmedOnce: a confirmation that comes again confirms nothing, and the wrong kind of one does not either.
func TestConfirmedOnce(t *testing.T) {
	cfg := Defaults()
	cfg.Measure = true
	h := NewHub(HubConfig{Conn: cfg, Strangers: 1})
	a := ends["A"]
	h.Dial(0, a)
	h.Datagram(0, a, []byte{0, byte(wire.ConnOK), 1, 1})
	for range 2 {
		h.Conn(a).Send(0, wire.Data, nil)
	}
	h.Reset()
	for _, id := range []wire.ID{wire.FileNameOK, wire.DataOK, wire.DataOK, wire.Confirm} {
		h.Datagram(time.Millisecond, a, wire.Header{ID: id, Seq: 2}.Append(nil, false))
	}
	e := h.Output().Events
	if len(e) != 1 || e[0].Kind != Confirmed || e[0].Sent != 1 || e[0].Trip != time.Millisecond || e[0].Order != 2 {
		t.Fatalf("%+v", e)
	}
}
