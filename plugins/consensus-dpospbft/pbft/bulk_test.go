package pbft

import (
	"flag"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	simSeeds  = flag.Uint64("sim.seeds", 0, "seeds of all bulk simulations together; 0: as few as every change needs")
	simFirst  = flag.Uint64("sim.first", 1, "first seed")
	simSeed   = flag.Uint64("sim.seed", 0, "run only this seed, and tell what happens at the end of it")
	simConfig = flag.String("sim.config", "", "run only this configuration")
	simMutant = flag.String("sim.mutant", "", "run the bulk simulations with this mutant")
	simWorst  = flag.Bool("sim.worst", false, "let mutants be killed by conflicting finality and by standstill only")
	simLines  = flag.Int("sim.lines", 60, "lines to tell of a single seed")
)

// tally adds up what simulations have seen.
type tally struct {
	sync.Mutex
	seeds, blocks int
	taken         map[string]int
}

func (t *tally) add(s *sim) {
	t.Lock()
	defer t.Unlock()
	t.seeds++
	t.blocks += s.finalBlocks
	for k, v := range s.taken {
		if t.taken == nil {
			t.taken = map[string]int{}
		}
		t.taken[k] += v
	}
}

func (t *tally) String() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(t.taken)) {
		fmt.Fprintf(&b, "\n  %10d %s", t.taken[k], k)
	}
	return b.String()
}

// forSeeds runs f for seeds on all processors until one fails.
func forSeeds(first, count uint64, f func(seed uint64) bool) {
	var wg sync.WaitGroup
	next := make(chan uint64)
	stop := make(chan struct{})
	var once sync.Once
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := range next {
				if !f(seed) {
					once.Do(func() { close(stop) })
				}
			}
		})
	}
loop:
	for seed := first; seed < first+count; seed++ {
		select {
		case next <- seed:
		case <-stop:
			break loop
		}
	}
	close(next)
	wg.Wait()
}

// lines keeps the last lines that are told.
type lines struct {
	keep int
	told []string
}

func (l *lines) add(format string, args ...any) {
	l.told = append(l.told, fmt.Sprintf(format, args...))
	if len(l.told) > 4*l.keep {
		l.told = slices.Clone(l.told[len(l.told)-l.keep:])
	}
}

func (l *lines) String() string {
	return strings.Join(l.told[max(0, len(l.told)-l.keep):], "\n")
}

// retell runs a seed again and returns the last lines of what happens.
func retell(seed uint64, p plan) string {
	l := &lines{keep: *simLines}
	p.loud = l.add
	err := newSim(seed, p).run()
	return fmt.Sprintf("%s\n%v", l, err)
}

// processorTime returns how long processors have worked for this process.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestSim checks safety, and in a part of the seeds that finality comes back, under everything at once.
func TestSim(t *testing.T) {
	total := uint64(400)
	if raceEnabled || testing.Short() {
		total = 40 // there is nothing concurrent in a simulation
	}
	if *simSeeds > 0 {
		total = *simSeeds
	}
	var rs rules
	var cr coreRules
	if *simMutant != "" {
		mu := mutantNamed(t, *simMutant)
		rs, cr = mu.rules, mu.core
	}
	all := &tally{}
	for _, c := range configs {
		if *simConfig != "" && c.name != *simConfig {
			continue
		}
		first, count := *simFirst, uint64(c.share*float64(total)+0.999)
		switch {
		case *simSeed > 0:
			first, count = *simSeed, 1
		case *simConfig != "":
			count = total
		}
		t.Run(c.name, func(t *testing.T) {
			begin, used := time.Now(), processorTime()
			mine := &tally{}
			forSeeds(first, count, func(seed uint64) bool {
				p := c.plan(seed)
				p.rules, p.core = rs, cr
				s := newSim(seed, p)
				err := s.run()
				if s.over {
					s.count("finality conflicts, with too many twins; culprits named")
				}
				mine.add(s)
				all.add(s)
				if err != nil || *simSeed > 0 {
					story := retell(seed, p)
					if err == nil {
						t.Logf("seed %d: no invariant is broken\n%+v\n%s", seed, p, story)
						return true
					}
					again := fmt.Sprintf("go test ./plugins/consensus-dpospbft/pbft -run 'TestSim/^%s$' -sim.config=%s -sim.seed=%d", c.name, c.name, seed)
					if *simMutant != "" {
						again += " -sim.mutant='" + *simMutant + "'"
					}
					t.Errorf("seed %d: %v\nagain with: %s\n%+v\n%s", seed, err, again, p, story)
				}
				return err == nil
			})
			t.Logf("%d seeds, %d final blocks, %.1f s, %.1f ms of a processor a seed", mine.seeds, mine.blocks, time.Since(begin).Seconds(),
				float64((processorTime()-used).Microseconds())/1000/float64(max(1, mine.seeds)))
		})
	}
	t.Logf("%d seeds, %d final blocks; how often what happened:%s", all.seeds, all.blocks, all)
}
