package pbft

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
)

var (
	simSeeds = flag.Uint64("sim.seeds", 0, "seeds of each simulation; 0: as few as every change needs")
	simSeed  = flag.Uint64("sim.seed", 0, "run only this seed")
)

// troublePlan draws the troubles of a seed.
func troublePlan(seed uint64, n, twins int) plan {
	r := rand.New(rand.NewPCG(seed, 0x91a))
	p := plan{n: n, twins: twins, slots: 40, slotMs: 500, turn: 1, loss: r.Float64() * 0.4, dup: 0.1, delayMs: 20 + r.Uint64N(1800), skewMs: 200,
		partitions: r.IntN(5) > 0, crashes: r.IntN(2) == 0, sync: true}
	if r.IntN(3) == 0 {
		p.turn = []uint64{2, 4, 12}[r.IntN(3)]
	}
	if r.IntN(3) == 0 {
		p.lateCheck, p.noCheck, p.noBuild = r.Float64()*0.5, r.Float64()*0.2, r.Float64()*0.3
	}
	p.garbage = r.IntN(4) == 0
	return p
}

// seeds runs f for many seeds on all processors and reports those that fail.
func seeds(t *testing.T, count uint64, f func(seed uint64) error) {
	t.Helper()
	first := uint64(1)
	if raceEnabled {
		count = (count + 9) / 10 // there is nothing concurrent in a simulation
	}
	if *simSeeds > 0 {
		count = *simSeeds
	}
	if *simSeed > 0 {
		first, count = *simSeed, 1
	}
	var wg sync.WaitGroup
	next := make(chan uint64)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := range next {
				if err := f(seed); err != nil {
					t.Errorf("seed %d: %v\nagain with: -run '%s' -sim.seed=%d", seed, err, t.Name(), seed)
				}
			}
		})
	}
	for seed := first; seed < first+count && !t.Failed(); seed++ {
		next <- seed
	}
	close(next)
	wg.Wait()
}

// TestTrouble checks safety under everything at once.
func TestTrouble(t *testing.T) {
	for _, c := range []struct {
		n, twins int
		seeds    uint64
	}{{4, 0, 80}, {4, 1, 150}, {7, 2, 20}, {1, 0, 20}} {
		t.Run(fmt.Sprintf("%d producers, %d twins", c.n, c.twins), func(t *testing.T) {
			seeds(t, c.seeds, func(seed uint64) error { return newSim(seed, troublePlan(seed, c.n, c.twins)).run() })
		})
	}
}

// TestRecovery checks that finality comes back once the troubles are over (I11).
func TestRecovery(t *testing.T) {
	for _, c := range []struct {
		n, twins int
		seeds    uint64
	}{{4, 0, 30}, {4, 1, 40}, {7, 2, 5}} {
		t.Run(fmt.Sprintf("%d producers, %d twins", c.n, c.twins), func(t *testing.T) {
			seeds(t, c.seeds, func(seed uint64) error {
				p := troublePlan(seed, c.n, c.twins)
				p.slots, p.calm = 30, max(60, 14*p.turn)
				return newSim(seed, p).run()
			})
		})
	}
}

// TestRealSignatures runs some seeds with Ed25519.
func TestRealSignatures(t *testing.T) {
	for seed := uint64(1); seed <= 3; seed++ {
		p := troublePlan(seed, 4, 1)
		p.realSigs, p.slots, p.loss, p.delayMs = true, 15, 0.1, 100
		s := newSim(seed, p)
		if err := s.run(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if s.finalBlocks == 0 {
			t.Errorf("seed %d: nothing is final", seed)
		}
	}
}

// TestReplay shows that a seed is all that a run depends on (I12).
func TestReplay(t *testing.T) {
	for seed := uint64(1); seed <= 10; seed++ {
		a, b := newSim(seed, troublePlan(seed, 4, 1)), newSim(seed, troublePlan(seed, 4, 1))
		if ea, eb := a.run(), b.run(); ea != nil || eb != nil || a.trace != b.trace || a.seq != b.seq {
			t.Errorf("seed %d: %v, %v, traces %x and %x, %d and %d events", seed, ea, eb, a.trace[:4], b.trace[:4], a.seq, b.seq)
		}
	}
}

// TestSilentSeats has a third of the seats dead: blocks are final all the same.
func TestSilentSeats(t *testing.T) {
	for _, c := range []struct{ n, mute int }{{4, 1}, {7, 2}, {21, 6}} {
		t.Run(fmt.Sprintf("%d of %d", c.mute, c.n), func(t *testing.T) {
			s := newSim(1, plan{n: c.n, mute: c.mute, slots: 42, slotMs: 500, turn: 1, delayMs: 100})
			if err := s.run(); err != nil {
				t.Fatal(err)
			}
			if want := 42*(c.n-c.mute)/c.n - 4; s.finalBlocks < want {
				t.Errorf("%d blocks are final, want %d", s.finalBlocks, want)
			}
		})
	}
	s := newSim(1, plan{n: 4, mute: 2, slots: 40, slotMs: 500, turn: 1, delayMs: 100})
	if err := s.run(); err != nil || s.finalBlocks != 0 {
		t.Errorf("with two of four dead: %d final blocks, %v", s.finalBlocks, err)
	}
}

// TestBackoff has constant delays above a slot, which would livelock without the back-off.
func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		delay, turn uint64
		rules       rules
		least, most int
	}{
		{400, 1, rules{}, 200, 300},
		{600, 1, rules{}, 10, 300},
		{900, 1, rules{}, 10, 300},
		{1400, 1, rules{}, 10, 300},
		{2200, 1, rules{}, 10, 300},
		{700, 2, rules{}, 10, 300},
		{600, 1, rules{noBackoff: true}, 0, 0},
		{900, 1, rules{noBackoff: true}, 0, 0},
	} {
		t.Run(fmt.Sprintf("delay %d, turn %d, without %t", c.delay, c.turn, c.rules.noBackoff), func(t *testing.T) {
			t.Parallel()
			s := newSim(1, plan{n: 4, slots: 300, slotMs: 500, turn: c.turn, delayMs: c.delay, constant: true, rules: c.rules})
			if err := s.run(); err != nil {
				t.Fatal(err)
			}
			if s.finalBlocks < c.least || s.finalBlocks > c.most {
				t.Errorf("%d blocks are final in 300 slots, want %d to %d", s.finalBlocks, c.least, c.most)
			}
		})
	}
}

// TestJournalStaysSmall runs long enough for snapshots of the usual size, and starts again from the last.
func TestJournalStaysSmall(t *testing.T) {
	s := newSim(1, plan{n: 1, slots: 2500, slotMs: 500, turn: 1, delayMs: 5})
	n := s.nodes[0]
	n.m.snapMin = snapMinBytes
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	snaps, bytes := 0, 0
	for _, e := range n.journal {
		if e.snap != nil {
			snaps, bytes = snaps+1, len(e.snap)
		}
		bytes += len(e.record)
	}
	if snaps < 2 || bytes > 2*snapMinBytes || s.finalBlocks < 2498 {
		t.Errorf("%d snapshots, %d bytes from the last on, %d final blocks", snaps, bytes, s.finalBlocks)
	}
	height := n.final.Height
	s.crash(n, 1)
	s.start(n)
	if s.err != nil || n.m.final.h.Height < height || n.m.lastProduced < 2400 {
		t.Errorf("started again at height %d after %d: %v", n.m.final.h.Height, height, s.err)
	}
}
