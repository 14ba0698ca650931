package faultproxy

import (
	"bytes"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"sort"
	"testing"
	"time"
)

const ms = time.Millisecond

// run sends n datagrams of a size at an interval through a fresh line.
func run(t *testing.T, seed uint64, f Faults, n, size int, interval time.Duration) ([]Fate, *Line) {
	t.Helper()
	if err := f.Check(); err != nil {
		t.Fatal(err)
	}
	l := NewLine(seed, "a", "b")
	l.SetFaults(f)
	fates := make([]Fate, n)
	for i := range fates {
		fates[i] = l.Decide(time.Duration(i)*interval, size)
		for _, c := range fates[i].Copies[:fates[i].N] {
			if c.At < time.Duration(i)*interval {
				t.Fatalf("datagram %d is due before it came", i)
			}
		}
	}
	return fates, l
}

func TestRates(t *testing.T) {
	const n = 40_000
	for _, c := range []struct {
		name  string
		f     func(p float64) Faults
		count func(Counts) uint64
	}{
		{"loss", func(p float64) Faults { return Faults{Loss: p} }, func(c Counts) uint64 { return c.Lost }},
		{"duplicate", func(p float64) Faults { return Faults{Duplicate: p} }, func(c Counts) uint64 { return c.Duplicated }},
		{"corrupt", func(p float64) Faults { return Faults{Corrupt: p} }, func(c Counts) uint64 { return c.Corrupted }},
		{"reorder", func(p float64) Faults { return Faults{Reorder: p} }, func(c Counts) uint64 { return c.Reordered }},
	} {
		for _, p := range []float64{0, 0.001, 0.01, 0.05, 0.4, 1} {
			for seed := range uint64(3) {
				t.Run(fmt.Sprintf("%s/%v/%d", c.name, p, seed), func(t *testing.T) {
					_, l := run(t, seed, c.f(p), n, 100, ms)
					got := float64(c.count(l.Counts()))
					if tolerance := 4.5 * math.Sqrt(n*p*(1-p)); math.Abs(got-n*p) > tolerance {
						t.Errorf("%v of %d, want %v ± %v", got, n, n*p, tolerance)
					}
				})
			}
		}
	}
}

// Losses of neighbours are independent: as many pairs as chance gives.
func TestLossHasNoPattern(t *testing.T) {
	const n, p = 100_000, 0.1
	fates, _ := run(t, 7, Faults{Loss: p}, n, 100, ms)
	for lag := 1; lag <= 8; lag++ {
		both := 0.0
		for i := lag; i < n; i++ {
			if fates[i].N == 0 && fates[i-lag].N == 0 {
				both++
			}
		}
		if tolerance := 5 * math.Sqrt(n*p*p); math.Abs(both-n*p*p) > tolerance {
			t.Errorf("lag %d: %v pairs of losses, want %v ± %v", lag, both, n*p*p, tolerance)
		}
	}
}

func TestJitter(t *testing.T) {
	for _, c := range []struct {
		name        string
		f           Faults
		sigma       time.Duration
		least, most time.Duration
	}{
		{"uniform", Faults{Delay: 50 * ms, Jitter: 30 * ms}, 17_320 * time.Microsecond, 20 * ms, 80 * ms},
		{"normal", Faults{Delay: 50 * ms, Jitter: 10 * ms, Normal: true}, 10 * ms, 10 * ms, 90 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			const n = 40_000
			fates, l := run(t, 3, c.f, n, 100, ms)
			var sum, square float64
			for i, fate := range fates {
				d := fate.Copies[0].At - time.Duration(i)*ms
				if d < c.least || d > c.most {
					t.Fatalf("datagram %d is delayed by %v", i, d)
				}
				x := float64(d - c.f.Delay)
				sum += x
				square += x * x
			}
			if mean := sum / n; math.Abs(mean) > 5*float64(c.sigma)/math.Sqrt(n) {
				t.Errorf("the mean is off by %v", time.Duration(mean))
			}
			if sigma := math.Sqrt(square / n); math.Abs(sigma/float64(c.sigma)-1) > 0.02 {
				t.Errorf("standard deviation %v, want %v", time.Duration(sigma), c.sigma)
			}
			if l.Counts().Overtaking == 0 {
				t.Error("jitter above the interval reorders nothing")
			}
		})
	}
	t.Run("never below zero", func(t *testing.T) { run(t, 3, Faults{Delay: ms, Jitter: 20 * ms}, 1000, 100, ms) })
}

func TestOrderIsKept(t *testing.T) {
	for name, f := range map[string]Faults{
		"nothing":               {},
		"delay":                 {Delay: 100 * ms},
		"loss and duplicates":   {Loss: 0.2, Duplicate: 0.2, Corrupt: 0.2, Delay: ms},
		"rate":                  {Rate: 200_000, Queue: 10_000, Delay: 20 * ms},
		"jitter that keeps it":  {Delay: 20 * ms, Jitter: 20 * ms, KeepOrder: true},
		"normal that keeps it":  {Delay: 20 * ms, Jitter: 20 * ms, Normal: true, KeepOrder: true, Rate: 500_000},
		"reordering never hits": {Reorder: 0, ReorderGap: 100 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			fates, l := run(t, 5, f, 5000, 300, ms)
			last := time.Duration(0)
			for i, fate := range fates {
				for _, c := range fate.Copies[:fate.N] {
					if c.At < last {
						t.Fatalf("datagram %d is due at %v, one before it at %v", i, c.At, last)
					}
					last = c.At
				}
			}
			if l.Counts().Overtaking != 0 {
				t.Errorf("%d overtake", l.Counts().Overtaking)
			}
		})
	}
}

func TestReorderingHoldsBackAndLetsOthersPass(t *testing.T) {
	fates, l := run(t, 5, Faults{Reorder: 0.02, ReorderGap: 10 * ms}, 10_000, 300, ms)
	held := uint64(0)
	for i, fate := range fates {
		switch d := fate.Copies[0].At - time.Duration(i)*ms; d {
		case 0:
		case 10 * ms:
			held++
		default:
			t.Fatalf("datagram %d is delayed by %v", i, d)
		}
	}
	if c := l.Counts(); held == 0 || held != c.Reordered || c.Overtaking < 8*c.Reordered {
		t.Errorf("%d are held back: %+v", held, c)
	}
}

func TestSameSeedSameFate(t *testing.T) {
	all := Faults{Loss: 0.1, Duplicate: 0.1, Corrupt: 0.1, Delay: 20 * ms, Jitter: 10 * ms, Reorder: 0.1, Rate: 500_000}
	first, _ := run(t, 11, all, 5000, 400, ms)
	again, _ := run(t, 11, all, 5000, 400, ms)
	other, _ := run(t, 12, all, 5000, 400, ms)
	differ := 0
	for i := range first {
		if first[i] != again[i] {
			t.Fatalf("datagram %d has another fate", i)
		}
		if first[i].N != other[i].N {
			differ++
		}
	}
	if differ == 0 {
		t.Error("another seed changes nothing")
	}
	if a, b, c := NewLine(1, "ab", "c").key, NewLine(1, "a", "bc").key, NewLine(1, "c", "ab").key; a == b || a == c {
		t.Error("other pairs decide alike")
	}
}

// What is lost is lost whatever else happens, and whenever it comes.
func TestFaultsDoNotDisturbEachOther(t *testing.T) {
	only, _ := run(t, 11, Faults{Loss: 0.1}, 5000, 400, ms)
	more, _ := run(t, 11, Faults{Loss: 0.1, Duplicate: 0.5, Corrupt: 0.5, Jitter: ms, Reorder: 0.5, Delay: ms}, 5000, 900, 7*ms)
	worse, _ := run(t, 11, Faults{Loss: 0.2}, 5000, 400, ms)
	for i := range only {
		if (only[i].N == 0) != (more[i].N == 0) {
			t.Fatalf("datagram %d: other faults change whether it is lost", i)
		}
		if only[i].N == 0 && worse[i].N != 0 {
			t.Fatalf("datagram %d is lost at 10 %% and not at 20 %%", i)
		}
	}
}

func TestAlter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	f := Faults{Corrupt: 0.5, Duplicate: 0.3}
	l := NewLine(1, "a", "b")
	l.SetFaults(f)
	seen := map[int]int{}
	for i := range 5000 {
		b := make([]byte, rng.IntN(40))
		if i%2 == 0 {
			b = make([]byte, rng.IntN(3))
		}
		for j := range b {
			b[j] = byte(rng.Uint32())
		}
		was := bytes.Clone(b)
		fate := l.Decide(0, len(b))
		for _, c := range fate.Copies[:fate.N] {
			c.Alter(b)
			flipped := 0
			for j := range b {
				flipped += bits.OnesCount8(b[j] ^ was[j])
			}
			if c.Corrupt != (flipped > 0) || flipped > 8 {
				t.Fatalf("corrupt %v, but %d bits of %d bytes are flipped", c.Corrupt, flipped, len(b))
			}
			seen[flipped]++
			c.Alter(b)
			if !bytes.Equal(b, was) {
				t.Fatal("altering twice does not restore")
			}
		}
	}
	for i := range 9 {
		if seen[i] == 0 {
			t.Errorf("never %d bits", i)
		}
	}
}

func TestRateAndQueue(t *testing.T) {
	const rate, size = 100_000, 500 // 200 datagrams a second
	t.Run("above the rate the queue fills and drops its tail", func(t *testing.T) {
		fates, l := run(t, 1, Faults{Rate: rate, Queue: 5000}, 4000, size, ms)
		out, longest := 0, time.Duration(0)
		for i, fate := range fates {
			if fate.N > 0 {
				out++
				longest = max(longest, fate.Copies[0].At-time.Duration(i)*ms)
			}
		}
		if want := 4 * rate / size; out < want || out > want+5000/size+1 {
			t.Errorf("%d pass in 4 s and what waits, want about %d", out, want)
		}
		if longest > 51*ms || longest < 44*ms {
			t.Errorf("longest wait %v, want 5000 bytes' time", longest)
		}
		if c := l.Counts(); c.QueueFull != uint64(4000-out) {
			t.Errorf("%d dropped, counted %d", 4000-out, c.QueueFull)
		}
	})
	t.Run("below the rate nothing is dropped", func(t *testing.T) {
		fates, l := run(t, 1, Faults{Rate: rate, Queue: 1}, 1000, size, 5*ms)
		if l.Counts().QueueFull != 0 || fates[999].Copies[0].At != 999*5*ms+5*ms {
			t.Errorf("%+v, the last after %v", l.Counts(), fates[999].Copies[0].At-999*5*ms)
		}
	})
	t.Run("an empty queue takes what is larger", func(t *testing.T) {
		fates, _ := run(t, 1, Faults{Rate: rate, Queue: 1000}, 2, 65_507, time.Second)
		if fates[0].N != 1 || fates[1].N != 1 {
			t.Error("dropped")
		}
	})
	t.Run("without a rate the queue is gone", func(t *testing.T) {
		l := NewLine(1, "a", "b")
		l.SetFaults(Faults{Rate: 100})
		l.Decide(0, 60_000)
		l.SetFaults(Faults{})
		if f := l.Decide(ms, 10); f.Copies[0].At != ms {
			t.Errorf("due at %v", f.Copies[0].At)
		}
	})
}

func TestCutMTUAndTheSum(t *testing.T) {
	l := NewLine(9, "a", "b")
	l.SetFaults(Faults{Loss: 0.1, Duplicate: 0.2, MTU: 1200, Rate: 1_000_000, Queue: 20_000})
	scheduled := uint64(0)
	for i := range 20_000 {
		l.Cut(i%1000 < 100)
		f := l.Decide(time.Duration(i)*ms/2, 600+i%700)
		if i%1000 < 100 && f.N != 0 || 600+i%700 > 1200 && f.N != 0 {
			t.Fatalf("datagram %d passes", i)
		}
		scheduled += uint64(f.N)
	}
	c := l.Counts()
	if c.Partitioned != 2000 || c.Oversize == 0 || c.QueueFull == 0 {
		t.Errorf("%+v", c)
	}
	if c.Received+c.Duplicated != c.Lost+c.Oversize+c.QueueFull+c.Partitioned+scheduled {
		t.Errorf("%+v and %d scheduled do not add up", c, scheduled)
	}
}

func TestTimeDoesNotGoBack(t *testing.T) {
	l := NewLine(9, "a", "b")
	l.Decide(time.Second, 1)
	if f := l.Decide(0, 1); f.Copies[0].At != time.Second {
		t.Errorf("due at %v", f.Copies[0].At)
	}
}

func TestQueueIsInOrderAndBounded(t *testing.T) {
	q := newQueue(100 * 2048)
	l := &link{}
	rng := rand.New(rand.NewPCG(3, 4))
	var want []time.Duration
	for i := range 101 {
		at := time.Duration(rng.IntN(20))
		if ok := q.push(at, l, outlet{}, Copy{}, []byte{byte(i)}); ok != (i < 100) {
			t.Fatalf("push %d: %v", i, ok)
		} else if ok {
			want = append(want, at)
		}
	}
	sort.Slice(want, func(i, j int) bool { return want[i] < want[j] })
	got, _ := q.pop(20, never, make([]parcel, 0, 200))
	last := map[time.Duration]int{}
	for i := range got {
		if got[i].at != want[i] {
			t.Fatalf("parcel %d at %v, want %v", i, got[i].at, want[i])
		}
		b := int((*got[i].buf)[0])
		if was, ok := last[got[i].at]; ok && b < was {
			t.Fatal("parcels of one time have changed places")
		}
		last[got[i].at] = b
		q.release(&got[i])
	}
	if len(got) != 100 || q.bytes() != 0 {
		t.Errorf("%d parcels, %d bytes left", len(got), q.bytes())
	}
}

func BenchmarkDecide(b *testing.B) {
	l := NewLine(1, "a", "b")
	l.SetFaults(Faults{Loss: 0.01, Duplicate: 0.01, Corrupt: 0.01, Delay: 50 * ms, Jitter: 10 * ms, Reorder: 0.02, Rate: 1e9})
	b.ReportAllocs()
	for i := range b.N {
		l.Decide(time.Duration(i)*time.Microsecond, 1200)
	}
}
