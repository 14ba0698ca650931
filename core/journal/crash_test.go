package journal

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
)

var (
	crashSeed  = flag.Uint64("journal.seed", 0, "run the crash tests with this seed only")
	crashSeeds = flag.Int("journal.seeds", 50, "how many seeds the crash tests run with")
)

// ledger is what a test knows of a journal over many crashes.
type ledger struct {
	t       testing.TB
	rng     *rand.Rand
	written []entry // since the beginning, as far as it can still be there; the last call may have failed
	unsure  int     // of the written, how many at the end are from a call that failed
	synced  int     // of the written, how many must be there
	dropped Position
	next    int
}

func forSeeds(t *testing.T, fn func(t testing.TB, rng *rand.Rand)) {
	run := func(seed uint64) {
		ok := t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { fn(t, newRand(seed)) })
		if !ok {
			t.Fatalf("repeat with -journal.seed=%d", seed)
		}
	}
	if *crashSeed != 0 {
		run(*crashSeed)
		return
	}
	n := *crashSeeds
	if testing.Short() {
		n /= 5
	}
	for seed := range n {
		run(uint64(seed) + 1)
	}
}

// step does something at random and returns the error of the journal, or ErrClosed after closing it.
func (l *ledger) step(j *Journal) error {
	switch k := l.rng.IntN(20); {
	case k < 11:
		recs := make([]Record, 1+l.rng.IntN(3))
		pos := j.End()
		for i := range recs {
			size := l.rng.IntN(60)
			if l.rng.IntN(4) == 0 {
				size = l.rng.IntN(3000)
			}
			data := fmt.Appendf(nil, "%d %0*d", l.next, size, l.next)
			if l.rng.IntN(3) == 0 {
				data = append(data, make([]byte, l.rng.IntN(1200))...) // zeros look like what was not written
			}
			l.next++
			recs[i] = Record{uint8(l.rng.IntN(3)), data}
			l.written = append(l.written, entry{pos, recs[i].Type, string(data)})
			pos += Position(recordHeaderSize + len(data))
		}
		first, end, err := j.Append(recs...)
		if err != nil {
			l.unsure = len(recs)
			return err
		}
		if first != l.written[len(l.written)-len(recs)].pos || end != pos {
			l.t.Fatalf("appended %d to %d, expected to %d", first, end, pos)
		}
	case k < 16:
		if err := j.Sync(); err != nil {
			return err
		}
		l.synced = len(l.written)
	case k < 17:
		return j.Roll()
	case k < 18:
		if err := j.Close(); err != nil {
			return err
		}
		return ErrClosed
	default:
		if len(l.written) == 0 {
			return nil
		}
		pos := l.written[l.rng.IntN(len(l.written))].pos
		l.dropped = max(l.dropped, pos)
		return j.DropBefore(pos)
	}
	return nil
}

// check compares the journal after a crash with what is known, and takes over what is there.
func (l *ledger) check(j *Journal) {
	l.t.Helper()
	got := contents(l.t, j)
	start := j.Start()
	if start > l.dropped {
		l.t.Fatalf("it begins at %d, only what was before %d was dropped", start, l.dropped)
	}
	i := 0
	for i < len(l.written) && l.written[i].pos < start {
		i++
	}
	for n, e := range got {
		if i+n >= len(l.written) || l.written[i+n] != e {
			l.t.Fatalf("record %d is %v, written was %v", n, e, l.written[min(i+n, len(l.written)-1)])
		}
	}
	if have := i + len(got); have < l.synced {
		l.t.Fatalf("%d records were synced, there are only %d: start %d end %d segs %d; %v", l.synced, have, start, j.End(), len(j.segs), l.written)
	}
	if j.Synced() != j.End() {
		l.t.Fatal("what is there after a start is not known to be durable")
	}
	l.written = l.written[:i+len(got)]
	l.synced, l.unsure = len(l.written), 0
}

// reopen opens the journal, perhaps with the power going away again on the way.
func (l *ledger) reopen(fs *disktest.FS) (*disktest.FS, *Journal) {
	l.t.Helper()
	for tries := 0; ; tries++ {
		doomed := tries < 4 && l.rng.IntN(3) == 0
		if doomed {
			fs.Inject(crashAt(l.rng, l.rng.IntN(6)))
		} else {
			fs.Inject(nil)
		}
		j, err := Open(testDir, testOptions(fs))
		if err == nil {
			fs.Inject(nil)
			return fs, j
		}
		if !doomed {
			l.t.Fatalf("open after a crash: %v", err)
		}
		fs = fs.Crash()
	}
}

// crashAt takes the power away at a step; a write may be done in part.
func crashAt(rng *rand.Rand, at int) func(int, disktest.Op, string) *disktest.Fault {
	short := rng.IntN(4000)
	return func(step int, _ disktest.Op, _ string) *disktest.Fault {
		if step < at {
			return nil
		}
		return &disktest.Fault{Err: disktest.ErrCrashed, Short: short}
	}
}

// The power goes away at a random step, many times in the life of one journal: what was synced is there, what is there
// was written, and the journal always opens.
func TestCrash(t *testing.T) {
	forSeeds(t, func(t testing.TB, rng *rand.Rand) {
		l := &ledger{t: t, rng: rng}
		fs := disktest.New(rng)
		for range 6 {
			var j *Journal
			fs, j = l.reopen(fs)
			l.check(j)
			fs.Inject(crashAt(rng, rng.IntN(60)))
			var err error
			for err == nil {
				err = l.step(j)
				if errors.Is(err, ErrClosed) {
					if j, err = Open(testDir, testOptions(fs)); err == nil {
						l.check(j)
					}
				}
			}
			if rng.IntN(4) == 0 {
				fs = fs.Restart() // only the process dies
			} else {
				fs = fs.Crash()
			}
		}
	})
}

// The power goes away at each single step of one life.
func TestCrashAtEveryStep(t *testing.T) {
	steps := 1
	for at := 0; at < steps; at++ {
		for round := range uint64(2) {
			rng := newRand(round)
			fs := disktest.New(newRand(uint64(at)*100 + round))
			l := &ledger{t: t, rng: rng}
			j := mustOpen(t, fs)
			if at == 0 { // how many steps there are
				for range 120 {
					if l.step(j) != nil {
						j = mustOpen(t, fs)
					}
				}
				steps = max(steps, fs.Steps())
				continue
			}
			fs.Inject(crashAt(newRand(uint64(at)), at))
			for {
				err := l.step(j)
				if errors.Is(err, ErrClosed) {
					j, err = Open(testDir, testOptions(fs))
				}
				if err != nil {
					break
				}
			}
			fs = fs.Crash()
			j, err := Open(testDir, testOptions(fs))
			if err != nil {
				t.Fatalf("step %d, round %d: %v", at, round, err)
			}
			l.check(j)
		}
	}
	if steps < 100 {
		t.Fatalf("only %d steps", steps)
	}
}

// Syncs fail now and then: the journal is dead from then on, whatever is tried, and the next process, which sees bytes
// that are not on the disk, makes durable what it hands out.
func TestFailedSync(t *testing.T) {
	forSeeds(t, func(t testing.TB, rng *rand.Rand) {
		l := &ledger{t: t, rng: rng}
		fs := disktest.New(rng)
		eio := errors.New("input/output error")
		for range 4 {
			var j *Journal
			fs, j = l.reopen(fs)
			l.check(j)
			left := rng.IntN(8)
			fs.Inject(func(_ int, op disktest.Op, _ string) *disktest.Fault {
				if op != disktest.Sync && op != disktest.SyncDir {
					return nil
				}
				if left--; left != -1 { // once only: if it were tried again it would succeed
					return nil
				}
				return &disktest.Fault{Err: eio}
			})
			var err error
			for err == nil {
				err = l.step(j)
				if errors.Is(err, ErrClosed) {
					j, err = Open(testDir, testOptions(fs))
				}
			}
			if errors.Is(err, ErrFailed) && !j.closed {
				for range 10 {
					if _, _, err := j.Append(filled(1, 1, 1)); !errors.Is(err, ErrFailed) {
						t.Fatalf("append after a failed sync: %v", err)
					}
					if err := j.Sync(); !errors.Is(err, ErrFailed) {
						t.Fatalf("sync after a failed sync: %v", err)
					}
				}
			}
			fs = fs.Restart()
			j = mustOpen(t, fs)
			l.check(j) // this is now promised
			fs = fs.Crash()
		}
	})
}

// The disk is full now and then: the call fails as a whole, may be tried again, and nothing is lost over a crash.
func TestNoSpace(t *testing.T) {
	forSeeds(t, func(t testing.TB, rng *rand.Rand) {
		l := &ledger{t: t, rng: rng}
		fs := disktest.New(rng)
		refused := 0
		for range 4 {
			var j *Journal
			fs, j = l.reopen(fs)
			l.check(j)
			full := func(_ int, op disktest.Op, _ string) *disktest.Fault {
				switch op {
				case disktest.Write, disktest.Allocate, disktest.Create, disktest.Rename:
					if rng.IntN(3) == 0 {
						return &disktest.Fault{Err: fmt.Errorf("%w: full", ErrNoSpace), Short: rng.IntN(1500)}
					}
				}
				return nil
			}
			fs.Inject(full)
			for range rng.IntN(40) {
				err := l.step(j)
				switch {
				case errors.Is(err, ErrNoSpace):
					refused++
					l.written, l.unsure = l.written[:len(l.written)-l.unsure], 0
					if got := j.End(); len(l.written) > 0 && got < l.written[len(l.written)-1].pos {
						t.Fatal("something was lost with a full disk")
					}
				case errors.Is(err, ErrClosed):
					fs.Inject(nil)
					j = mustOpen(t, fs)
					l.check(j)
					fs.Inject(full)
				case err != nil:
					t.Fatal(err)
				}
			}
			fs.Inject(nil)
			mustAppend(t, j, filled(1, 10, 1)) // there is room again
			l.written = append(l.written, entry{j.End() - 10 - recordHeaderSize, 1, string(filled(1, 10, 1).Data)})
			if rng.IntN(2) == 0 {
				mustSync(t, j)
				l.synced = len(l.written)
			}
			fs = fs.Crash()
		}
		if refused == 0 {
			t.Error("the disk was never full")
		}
	})
}
