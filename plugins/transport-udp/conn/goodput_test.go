package conn

import (
	"fmt"
	"testing"
	"time"
)

// transfer sends 16 MiB and votes beside it, and returns bytes a second and the 50th and 99th of 100 votes' latencies.
func transfer(t *testing.T, seed uint64, p path, total int) (l *link, goodput float64, p50, p99 time.Duration) {
	l = newLink(t, seed, linkConfig(), p)
	l.fast = true
	l.run(3 * time.Second)
	if !l.ends[0].conns[1].Up() {
		t.Fatal("no connection")
	}
	start, votes := l.now, uint32(0)
	for range total >> 20 {
		l.send(0, 1<<20)
	}
	l.flush(0)
	for len(l.ends[1].got) < len(l.ends[0].sent) {
		if l.now > start+2*time.Minute {
			t.Fatalf("%d of %d messages have arrived", len(l.ends[1].got), len(l.ends[0].sent))
		}
		l.vote(0, votes)
		votes++
		l.flush(0)
		l.run(5 * time.Millisecond)
	}
	took := l.now - start
	p50, p99 = percentiles(l.ends[1].control)
	if l.widest > MaxWindow || l.ends[0].reasons != nil || l.ends[1].reasons != nil {
		t.Fatalf("%d numbers in flight, %q %q", l.widest, l.ends[0].reasons, l.ends[1].reasons)
	}
	return l, float64(total) / took.Seconds(), p50, p99
}

// TestGoodputOfCells transfers 16 MiB over paths of a gigabit a second, the start of the transfer included: loss that is not
// congestion costs little, and votes do not wait behind bulk.
func TestGoodputOfCells(t *testing.T) {
	long(t)
	for _, c := range []struct {
		delay time.Duration
		loss  float64
		least float64       // MB/s
		slack time.Duration // of the median vote
	}{
		{0, 0, 85, 10 * time.Millisecond}, {0, 0.01, 85, 10 * time.Millisecond}, {0, 0.05, 55, 10 * time.Millisecond},
		{25 * time.Millisecond, 0, 18, 10 * time.Millisecond}, {25 * time.Millisecond, 0.01, 16, 20 * time.Millisecond}, {25 * time.Millisecond, 0.05, 13, 30 * time.Millisecond},
		{100 * time.Millisecond, 0, 5, 10 * time.Millisecond}, {100 * time.Millisecond, 0.01, 4.5, 50 * time.Millisecond}, {100 * time.Millisecond, 0.05, 3, 250 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%s %g", c.delay, c.loss), func(t *testing.T) {
			l, goodput, p50, p99 := transfer(t, 1, path{loss: c.loss, repeat: 0.01, reorder: 0.02, late: 5 * time.Millisecond, delay: c.delay,
				rate: 125e6, buffer: 1 << 20}, 16<<20)
			s := l.ends[0].group.Stats(l.now)
			t.Logf("%.1f MB/s, %d lanes, rtt %s, %d datagrams, %d again, %d overflows, control %s %s", goodput/1e6, s.Lanes, s.RTT, s.Datagrams,
				s.Retransmitted, l.paths[0].dropped, p50, p99)
			if goodput < c.least*1e6 {
				t.Errorf("goodput %.1f MB/s, want %.1f", goodput/1e6, c.least)
			}
			if p50 > c.delay+c.slack {
				t.Errorf("the median vote took %s", p50)
			}
			if spare := float64(s.Retransmitted) / float64(s.Datagrams); spare > 2.2*c.loss+0.12 {
				t.Errorf("%.3f of the datagrams were sent again", spare)
			}
		})
	}
}

// TestGoodputOfBottlenecks: a link fills at least so much of a bottleneck, also one with a small buffer, and leaves it usable
// for others: the queue that it makes is short.
func TestGoodputOfBottlenecks(t *testing.T) {
	long(t)
	for _, c := range []struct {
		name   string
		p      path
		least  float64 // of the rate
		behind time.Duration
	}{
		{"100 Mbit/s, 10 ms, small buffer", path{rate: 12.5e6, buffer: 64 << 10, delay: 5 * time.Millisecond}, 0.75, 20 * time.Millisecond},
		{"100 Mbit/s, 40 ms, large buffer", path{rate: 12.5e6, buffer: 4 << 20, delay: 20 * time.Millisecond}, 0.7, 100 * time.Millisecond},
		{"100 Mbit/s, 10 ms, 5 % loss", path{rate: 12.5e6, buffer: 256 << 10, delay: 5 * time.Millisecond, loss: 0.05}, 0.75, 60 * time.Millisecond},
		{"10 Mbit/s, 20 ms, small buffer", path{rate: 1.25e6, buffer: 32 << 10, delay: 10 * time.Millisecond}, 0.75, 60 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, goodput, p50, p99 := transfer(t, 2, c.p, int(c.p.rate)>>20*4<<20+4<<20)
			s := l.ends[0].group.Stats(l.now)
			t.Logf("%.2f of the rate, %d lanes, rtt %s, %d datagrams, %d again, %d overflows, control %s %s", goodput/c.p.rate, s.Lanes, s.RTT, s.Datagrams,
				s.Retransmitted, l.paths[0].dropped, p50, p99)
			if goodput < c.least*c.p.rate {
				t.Errorf("%.2f of the rate, want %.2f", goodput/c.p.rate, c.least)
			}
			if p50 > c.p.delay+c.behind {
				t.Errorf("the median vote took %s", p50)
			}
		})
	}
}
