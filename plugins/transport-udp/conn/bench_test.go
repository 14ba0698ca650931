package conn

import (
	"testing"
	"time"
)

// BenchmarkBackToBack moves messages between two ends in memory over one lane, with no network between: what the protocol
// itself costs a byte.
func BenchmarkBackToBack(b *testing.B) {
	for _, c := range []struct {
		name           string
		datagram, size int
	}{{"1452", 1452, 1 << 20}, {"16384", 16 << 10, 1 << 20}, {"small messages", 1452, 200}} {
		b.Run(c.name, func(b *testing.B) {
			cfg := Defaults()
			cfg.Datagram, cfg.Largest, cfg.MaxDatagram = c.datagram, c.datagram, c.datagram
			l := newLink(b, 1, cfg, path{delay: 50 * time.Microsecond})
			l.run(time.Second)
			x, y := l.ends[0], l.ends[1]
			from, to := x.conns[1], y.conns[1]
			payload := make([]byte, c.size)
			m := Message{Channel: "bulk", Payload: payload}
			buf := make([]byte, 0, 64<<10)
			now := l.now
			b.SetBytes(int64(c.size))
			b.ReportAllocs()
			b.ResetTimer()
			carry := func(e, to *linkEnd, lane int) {
				for i := range e.out.Datagrams {
					buf = e.out.Datagrams[i].Append(buf[:0])
					to.receive(b, now, lane, buf)
					e.out.Datagrams[i].Free()
				}
				e.out.Reset()
			}
			got := 0
			for sent := 0; got < b.N; {
				for ; sent < b.N && sent-got < 4<<20/c.size+1; sent++ {
					x.group.Send(m)
				}
				now += 50 * time.Microsecond
				from.Tick(now)
				carry(x, y, 1)
				to.Tick(now)
				for i := range y.out.Delivered {
					y.group.Release(now, y.out.Delivered[i].Size())
					got++
				}
				y.out.Delivered = y.out.Delivered[:0]
				carry(y, x, 1)
			}
		})
	}
}
