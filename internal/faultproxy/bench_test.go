package faultproxy

import (
	"net/netip"
	"testing"
	"time"
)

// BenchmarkForward measures the proxy's ceiling: datagrams of 1,200 bytes, few enough of them on their way that the kernel
// drops none; "without" is the same without proxy. One operation is one datagram.
func BenchmarkForward(b *testing.B) {
	for _, c := range []struct {
		name   string
		proxy  bool
		client bool // sends through a flow
		window int
		f      Faults
	}{
		{"without", false, false, 128, Faults{}},
		{"clear", true, false, 128, Faults{}},
		{"flow", true, true, 128, Faults{}},
		{"delay 1ms", true, false, 1024, Faults{Delay: ms}},
		{"delay 25ms, jitter", true, false, 1024, Faults{Delay: 25 * ms, Jitter: 5 * ms}},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, from, to := pairOf(b, Config{Faults: c.f})
			if c.client {
				from = newNode(b)
			}
			dst := to.addr
			if c.proxy {
				dst = p.Addr("b")
			}
			forward(b, from, to, dst, c.window)
			if c.proxy {
				l := p.Stats().Links[0]
				b.ReportMetric(float64(l.Received-l.Forwarded), "lost-in-proxy")
			}
		})
	}
}

func forward(b *testing.B, from, to *node, dst netip.AddrPort, window int) {
	body, buf := make([]byte, 1200), make([]byte, largest)
	tokens := make(chan struct{}, window)
	ended := make(chan int)
	_ = to.sock.SetReadDeadline(time.Time{})
	go func() {
		n := 0
		for ; n < b.N; n++ {
			_ = to.sock.SetReadDeadline(time.Now().Add(timeout))
			if _, _, err := to.sock.ReadFromUDPAddrPort(buf); err != nil {
				break
			}
			<-tokens
		}
		ended <- n
	}()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		tokens <- struct{}{}
		if _, err := from.sock.WriteToUDPAddrPort(body, dst); err != nil {
			b.Fatal(err)
		}
	}
	n := <-ended
	b.StopTimer()
	if n < b.N {
		b.Fatalf("%d of %d came", n, b.N)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "datagrams/s")
}
