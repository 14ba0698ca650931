package lane

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/secure"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// FuzzSession: whatever a connected peer seals and sends, nothing panics, nothing grows beyond its bound, and a
// lane can still be closed. The input is a list of datagrams: length(1), header, and what is sealed.
func FuzzSession(f *testing.F) {
	join := func(ds ...[]byte) (out []byte) {
		for _, d := range ds {
			out = append(append(out, byte(len(d))), d...)
		}
		return out
	}
	message := wire.AppendMessage([]byte{1, byte(wire.Data), 1, 1, 0, 0, 0, 1, byte(wire.Messages), 0, 0, 0, 0}, "c", []byte("hi"))
	file := wire.File{Message: 1, Length: 5000, Channel: []byte("c")}.Append([]byte{1, byte(wire.FileName), 1, 2, 0, 0, 0, 2})
	piece := append(wire.AppendPieceHeader([]byte{1, byte(wire.Data), 1, 3, 0, 0, 0, 3}, 1, 0), "part"...)
	over := wire.AppendOver([]byte{1, byte(wire.DataOver), 1, 4, 0, 0, 0, 4}, 1)
	f.Add(join(message, file, piece, over))
	f.Add(join(wire.Confirmation{Window: 1, Expected: 9, Bits: []byte{255}}.Append([]byte{1, byte(wire.DataOK), 0, 3})))
	f.Add(join([]byte{1, byte(wire.Error), 0, 0, 2}, []byte{1, byte(wire.Jump), 0, 0}))
	f.Fuzz(func(t *testing.T, in []byte) {
		w := newWorld(t, 1, testConfig())
		w.run(time.Second)
		e := w.ends[0]
		e.lane.env.Admit = open
		p := dialRaw(t, w, 0, strangerAt, malloryNode)
		w.queueFor(0, strangerAt, 20)
		p.take()
		for len(in) > 0 && e.lane.Up(strangerAt) {
			n := min(int(in[0]), len(in)-1)
			d := in[1 : 1+n]
			in = in[1+n:]
			if len(d) >= wire.HeaderSize {
				e.lane.Datagram(w.now, strangerAt, p.seal(wire.Header{ID: wire.ID(d[1]), Confirm: d[2], Seq: d[3]}, d[wire.HeaderSize:]))
			}
			out := e.lane.Flush(w.now)
			size := 0
			for i := range out.Delivered {
				size += len(out.Delivered[i].Payload)
			}
			if size > conn.MaxMessage {
				t.Fatalf("%d bytes delivered of a datagram of %d", size, len(d))
			}
			out.Reset()
			w.now += time.Millisecond
			e.lane.Tick(w.now)
		}
		if !e.lane.Up(addrs[1]) {
			t.Fatal("the session with another peer has ended")
		}
		e.lane.Close(w.now)
	})
}

// FuzzAmplification: whatever somebody without a session sends, and from wherever, is answered with no more bytes than it
// had, and to nobody else. The input is a list of datagrams: how(1) length(2) bytes.
func FuzzAmplification(f *testing.F) {
	hello := wire.Hello{Tag: 7, Datagram: 1200}
	first := append([]byte{secure.VersionXX, 9}, make([]byte, 31)...)
	connect := wire.ConnectBody{Port: 1, Hello: hello, Cookie: make([]byte, wire.CookieSize), Handshake: first}
	datagrams := [][]byte{
		connect.Append(wire.Header{ID: wire.Connect}.Append(nil, true), 0),
		wire.ConnectBody{Port: 1, Hello: hello, Handshake: first}.Append(wire.Header{ID: wire.Connect}.Append(nil, true), 0),
		{1, byte(wire.Connect), 0, 0, 1, 2},
		{0, byte(wire.Jump), 0, 0},
		{0, byte(wire.ConnOK), 1, 0},
		wire.AppendReset(wire.Header{ID: wire.Error}.Append(nil, true), 7, wire.DisConnect),
		append(wire.Header{ID: wire.Data, Confirm: 1}.Append(nil, true), make([]byte, 40)...),
		append(wire.Header{ID: wire.Start, Confirm: 1}.Append(nil, true), make([]byte, 8)...),
		wire.AppendThird(wire.Header{ID: wire.Confirm}.Append(nil, true), 7, []byte{1, 2, 3}),
		wire.ConnOKBody{Echo: 7, Cookie: make([]byte, 16)}.Append(wire.Header{ID: wire.ConnOK, Confirm: 1}.Append(nil, true)),
	}
	for how := range byte(4) {
		var in []byte
		for _, d := range datagrams {
			in = append(binary.BigEndian.AppendUint16(append(in, how), uint16(len(d))), d...)
		}
		f.Add(append(in, in...))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		w := newWorld(t, 1, testConfig())
		w.run(time.Second)
		l := w.ends[0].lane
		session := w.ends[0].session
		for range 64 {
			if len(in) < 3 {
				break
			}
			how, n := in[0], int(binary.BigEndian.Uint16(in[1:]))
			in = in[3:]
			d := bytes.Clone(in[:min(n, len(in))])
			in = in[min(n, len(in)):]
			from := strangerAt
			if how&1 == 1 { // in the name of a peer with a session
				from = addrs[1]
			}
			if b, err := wire.ParseConnect(d[min(len(d), wire.HeaderSize):]); err == nil && how&2 == 2 { // as somebody who has its cookie
				cookie := l.cookies.Make(w.now, from)
				b.Cookie = cookie[:]
				d = b.Append(wire.Header{ID: wire.Connect}.Append(nil, true), b.Size)
			} else if len(d) >= wire.Clear && how&2 == 2 { // as somebody who has seen the session
				binary.BigEndian.PutUint64(d[wire.HeaderSize:], session)
			}
			size := len(d)
			l.Datagram(w.now, from, d)
			out := l.Flush(w.now)
			answered := 0
			for i := range out.Datagrams {
				if out.Datagrams[i].To != from {
					t.Fatalf("an answer goes to %s", out.Datagrams[i].To)
				}
				answered += out.Datagrams[i].Len()
			}
			if answered > size {
				t.Fatalf("%d bytes are answered with %d", size, answered)
			}
			if len(out.Events)+len(out.Delivered) > 0 {
				t.Fatal("something happens")
			}
			out.Reset()
		}
	})
}
