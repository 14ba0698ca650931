package udpio

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// mover sends a batch to itself and reads it.
type mover interface {
	move(b *testing.B, batch []Datagram)
}

func (s *Socket) move(b *testing.B, batch []Datagram) {
	if refused, err := s.Write(batch); refused > 0 || err != nil {
		b.Fatal(refused, err)
	}
	for n := 0; n < len(batch); {
		packets, err := s.Read()
		if err != nil {
			b.Fatal(err)
		}
		for i := range packets {
			if !packets[i].From.IsValid() {
				b.Fatal("no address")
			}
		}
		n += len(packets)
	}
}

// xnet is what the transport did before: batches of 32 through golang.org/x/net.
type xnet struct {
	conn    *ipv4.PacketConn
	in, out []ipv4.Message
	addrs   map[netip.AddrPort]*net.UDPAddr
}

func newXnet(conn *net.UDPConn, largest int) *xnet {
	x := &xnet{conn: ipv4.NewPacketConn(conn), in: make([]ipv4.Message, 32), out: make([]ipv4.Message, 32), addrs: map[netip.AddrPort]*net.UDPAddr{}}
	for i := range x.in {
		x.in[i].Buffers = [][]byte{make([]byte, largest+1)}
		x.out[i].Buffers = make([][]byte, 0, 2)
	}
	return x
}

func (x *xnet) move(b *testing.B, batch []Datagram) {
	want := len(batch)
	for len(batch) > 0 {
		n := min(len(batch), len(x.out))
		for i := range n {
			d, m := &batch[i], &x.out[i]
			if m.Addr = x.addrs[d.To]; x.addrs[d.To] == nil {
				x.addrs[d.To] = net.UDPAddrFromAddrPort(d.To)
				m.Addr = x.addrs[d.To]
			}
			m.Buffers = append(m.Buffers[:0], d.Head, d.Body)
		}
		for rest := x.out[:n]; len(rest) > 0; {
			k, err := x.conn.WriteBatch(rest, 0)
			if err != nil {
				b.Fatal(err)
			}
			rest = rest[k:]
		}
		batch = batch[n:]
	}
	for got := 0; got < want; {
		n, err := x.conn.ReadBatch(x.in, 0)
		if err != nil {
			b.Fatal(err)
		}
		for i := range n {
			a := x.in[i].Addr.(*net.UDPAddr).AddrPort()
			if a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port()); !a.IsValid() {
				b.Fatal("no address")
			}
		}
		got += n
	}
}

// BenchmarkSocket sends datagrams over loopback and reads them, in the ways of this package and in that which the
// transport had before (xnet). Reading follows writing on one goroutine, so that what is measured is the cost of moving
// datagrams, in which no waiting is hidden.
func BenchmarkSocket(b *testing.B) {
	for _, size := range []int{200, 1200, 16 << 10} {
		for _, count := range []int{1, 100} {
			for _, way := range []string{"xnet", "plain", "batches", "all"} {
				b.Run(fmt.Sprintf("%dB/batch%d/%s", size, count, way), func(b *testing.B) {
					conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
					if err != nil {
						b.Fatal(err)
					}
					_ = conn.SetReadBuffer(4 << 20)
					var m mover
					switch way {
					case "xnet":
						m = newXnet(conn, 16<<10)
					case "plain":
						m = New(conn, Config{Largest: 16 << 10, Without: Features{Batches: true}})
					case "batches":
						m = New(conn, Config{Largest: 16 << 10, Without: Features{GRO: true, GSO: true}})
					default:
						m = New(conn, Config{Largest: 16 << 10})
					}
					defer func() { _ = conn.Close() }()
					batch := make([]Datagram, count)
					for i := range batch {
						batch[i] = Datagram{To: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Head: make([]byte, 24), Body: make([]byte, size-24)}
						batch[i].To = unmap(batch[i].To)
					}
					b.SetBytes(int64(size))
					b.ReportAllocs()
					b.ResetTimer()
					from := cpu()
					for n := 0; n < b.N; n += count { // an operation is a datagram
						m.move(b, batch[:min(count, b.N-n)])
					}
					b.ReportMetric(float64((cpu()-from).Nanoseconds())/float64(b.N), "cpu-ns/op")
				})
			}
		}
	}
}

// cpu returns how long the process has used a processor, in its own code and in the kernel.
func cpu() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
