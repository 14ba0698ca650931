package conn

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var stormSeeds = flag.Uint64("storm.seeds", 0, "how many storms")

// TestStorm sends in both directions through networks that change all the time: loss up to 40 %, reordering, repetition, rates,
// small buffers, sizes that cease to pass, lanes that go dark and come again, a core that takes things now and then. Every bulk
// message arrives once, whole, and every control message in its place; windows and memory keep to their bounds.
func TestStorm(t *testing.T) {
	seeds := uint64(5)
	if testing.Short() {
		seeds = 2
	}
	if raceDetector {
		seeds = 1
	}
	for seed := range max(seeds, *stormSeeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			cfg := linkConfig()
			cfg.Largest = 9000
			cfg.Silence = 3 * time.Second
			if seed%3 == 0 {
				cfg.ReceiveQueue = 200 << 10
			}
			l := newLink(t, seed, cfg, path{delay: time.Millisecond})
			l.run(2 * time.Second)
			dark := map[int]bool{}
			weather := func() {
				worst := []float64{0, 0.05, 0.4}[l.rng.IntN(3)]
				p := path{loss: worst * l.rng.Float64(), repeat: 0.2 * l.rng.Float64(), reorder: 0.3 * l.rng.Float64(),
					late: time.Duration(l.rng.IntN(30)) * time.Millisecond, delay: time.Duration(l.rng.IntN(60)) * time.Millisecond,
					rate: []float64{0, 1e6, 20e6}[l.rng.IntN(3)], buffer: 30_000, mtu: []int{0, 1200, 1500, 9000}[l.rng.IntN(4)]}
				clear(dark)
				for range l.rng.IntN(3) {
					dark[1+l.rng.IntN(8)] = true
				}
				p.down = func(lane int) bool { return dark[lane] }
				for i := range l.paths {
					l.paths[i] = p
				}
			}
			var votes [2]uint32
			for range 40 {
				if l.rng.IntN(3) == 0 {
					weather()
				}
				l.slow = l.rng.IntN(2) == 0
				for i, e := range l.ends {
					for range l.rng.IntN(20) {
						size := 4 + l.rng.IntN(300)
						switch l.rng.IntN(8) {
						case 0:
							size = 1000 + l.rng.IntN(20_000)
						case 1:
							size = l.rng.IntN(400_000)
						}
						l.send(i, size)
					}
					if e.conns[0].Up() {
						l.vote(i, votes[i])
						votes[i]++
					}
					e.group.Release(l.now, e.held)
					e.held = 0
					l.flush(i)
				}
				l.run(time.Duration(l.rng.IntN(400)) * time.Millisecond)
				for _, e := range l.ends {
					if n := e.group.rcv.Held(); n > 50<<20 {
						t.Fatalf("%d bytes are held for messages that are not complete", n)
					}
					if n := e.group.Held(); n > cfg.ReceiveQueue+500_000 {
						t.Fatalf("%d bytes are delivered and not released", n)
					}
				}
			}
			l.slow = false
			clear(dark)
			for i := range l.paths {
				l.paths[i] = path{delay: 10 * time.Millisecond, loss: 0.02}
				e := l.ends[i]
				e.group.Release(l.now, e.held)
				e.held = 0
				l.flush(i)
			}
			l.finish(2 * time.Minute)
			l.run(20 * time.Second) // for the last confirmations
			if l.widest > MaxWindow {
				t.Fatalf("%d numbers in flight", l.widest)
			}
			for i, e := range l.ends {
				if e.conns[0].Up() && len(e.reasons) == 0 && e.next != votes[1-i] {
					t.Errorf("end %d has %d of %d control messages", i, e.next, votes[1-i])
				}
				s := e.group.Stats(l.now)
				if s.Queued != 0 || e.group.path.flying != 0 || e.group.rcv.Held() != 0 {
					t.Errorf("end %d: %d bytes wait, %d are under way, %d held, when all has arrived", i, s.Queued, e.group.path.flying, e.group.rcv.Held())
				}
				if e.full != 0 {
					t.Errorf("end %d: the queue is said to be full, %d", i, e.full)
				}
			}
		})
	}
}

// TestWindowAtItsLimitOfEveryLane: with all lanes at 127 datagrams under way and copies that come up to hundreds of
// numbers late, nothing is taken for something else.
func TestWindowAtItsLimitOfEveryLane(t *testing.T) {
	long(t)
	for seed := range uint64(3) {
		l := newLink(t, seed, linkConfig(), path{delay: 30 * time.Millisecond, repeat: 0.5, reorder: 0.5, late: 40 * time.Millisecond, rate: 300e6})
		l.run(2 * time.Second)
		full := 0
		for range 24 {
			l.send(0, 1<<20)
		}
		l.flush(0)
		for until := l.now + time.Minute; len(l.ends[1].got) < 24 && l.step(until); {
			n := 0
			for _, c := range l.ends[0].conns[1:] {
				if c.Up() && c.snd.span() == MaxWindow {
					n++
				}
			}
			full = max(full, n)
		}
		if len(l.ends[1].got) != 24 || l.widest != MaxWindow || full < 4 {
			t.Fatalf("seed %d: %d messages, at most %d numbers in flight, on %d lanes at once", seed, len(l.ends[1].got), l.widest, full)
		}
	}
}

// TestPathSizes: lanes find the largest datagram that the path lets through, and fall back when it lets less through; what
// was under way is cut anew.
func TestPathSizes(t *testing.T) {
	cfg := linkConfig()
	cfg.Largest = 16 << 10
	for i, c := range []struct{ mtu, want int }{{0, 16 << 10}, {1500, 1472}, {1460, 1452}, {9000, 8972}, {1200, 1200}} {
		if raceDetector && i > 1 {
			break
		}
		l := newLink(t, 1, cfg, path{delay: 10 * time.Millisecond, mtu: c.mtu})
		l.run(20 * time.Second)
		if got := l.ends[0].conns[1].datagram; got != c.want {
			t.Errorf("path of %d: datagrams of %d, want %d", c.mtu, got, c.want)
		}
	}
	l := newLink(t, 1, cfg, path{delay: 10 * time.Millisecond, rate: 20e6})
	l.run(10 * time.Second)
	for range 8 {
		l.send(0, 1<<20)
	}
	l.flush(0)
	l.run(100 * time.Millisecond)
	if l.longest < 16<<10 || len(l.ends[1].got) == 8 {
		t.Fatalf("datagrams of %d; %d messages", l.longest, len(l.ends[1].got))
	}
	for i := range l.paths {
		l.paths[i].mtu = 1300
	}
	l.finish(30 * time.Second)
	if got := l.ends[0].conns[1].datagram; got > 1300 {
		t.Errorf("datagrams of %d on a path of 1300", got)
	}
	l.run(60 * time.Second)
	if got := l.ends[0].conns[1].datagram; got != 1232 {
		t.Errorf("datagrams of %d on a path of 1300, a minute later", got)
	}
}

// TestLanesComeAndGo: lanes are opened when there is much under way, and closed when they are idle.
func TestLanesComeAndGo(t *testing.T) {
	long(t)
	l, _, _, _ := transfer(t, 1, path{delay: 25 * time.Millisecond, rate: 125e6, buffer: 1 << 20}, 16<<20)
	if n := l.ends[0].group.Lanes(); n < 4 {
		t.Fatalf("%d lanes under load", n)
	}
	l.ends[0].opened = 1
	l.run(15 * time.Second)
	for _, e := range l.ends {
		if n := e.group.Lanes(); n != 1 {
			t.Fatalf("%d lanes when idle", n)
		}
	}
	for range 16 {
		l.send(1, 1<<20)
	}
	l.flush(1)
	l.finish(20 * time.Second)
}

// TestFlow: the core is told that a queue is full once, and that there is room.
func TestFlow(t *testing.T) {
	cfg := linkConfig()
	cfg.SendQueue = 1 << 20
	l := newLink(t, 1, cfg, path{delay: 10 * time.Millisecond, rate: 5e6})
	l.run(2 * time.Second)
	e := l.ends[0]
	for range 9 {
		l.send(0, 100_000)
	}
	if e.flows != 1 || e.full != 1 {
		t.Fatalf("%d times full, now %d", e.flows, e.full)
	}
	l.flush(0)
	l.finish(10 * time.Second)
	l.run(time.Second)
	if e.flows != 1 || e.full != 0 {
		t.Fatalf("%d times full, now %d, after all was sent", e.flows, e.full)
	}
}
