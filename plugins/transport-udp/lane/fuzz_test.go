package lane

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/conn"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// FuzzSession: whatever a connected peer sends under the right tag, nothing panics, nothing grows beyond its bound, and a
// lane can still be closed. The input is a list of datagrams: length(1) header and body without the tag.
func FuzzSession(f *testing.F) {
	join := func(ds ...[]byte) (out []byte) {
		for _, d := range ds {
			out = append(append(out, byte(len(d))), d...)
		}
		return out
	}
	message := wire.AppendMessage([]byte{1, byte(wire.Data), 1, 1, 0, 0, 0, 1, byte(wire.Messages)}, "c", []byte("hi"))
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
		for range 20 {
			w.send(0)
		}
		e.lane.Flush(w.now).Reset()
		for len(in) > 0 {
			n := min(int(in[0]), len(in)-1)
			d := in[1 : 1+n]
			in = in[1+n:]
			if len(d) >= wire.HeaderSize {
				b := append([]byte{1}, d[1:wire.HeaderSize]...)
				b = binary.BigEndian.AppendUint64(b, e.session)
				e.lane.Datagram(w.now, addrs[1], append(b, d[wire.HeaderSize:]...))
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
		e.lane.Close(w.now)
	})
}
