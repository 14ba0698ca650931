package signer

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
)

var (
	crashSeed  = flag.Uint64("signer.seed", 0, "run the crash tests with this seed only")
	crashSeeds = flag.Int("signer.seeds", 30, "how many seeds the crash tests run with")
)

func forSeeds(t *testing.T, fn func(t testing.TB, rng *rand.Rand)) {
	run := func(seed uint64) {
		if !t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { fn(t, newRand(seed)) }) {
			t.Fatalf("repeat with -signer.seed=%d", seed)
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

// world is what everybody else has seen of a key over all its lives.
type world struct {
	t    testing.TB
	seen map[string][]byte // purpose and ordinal → signature
	last map[string]uint64 // purpose → largest ordinal
	pos  uint64
}

// live signs what a confused engine asks for, until the signer fails.
func (w *world) live(s *Signer, rng *rand.Rand, calls int) error {
	for range calls {
		var reqs []Request
		for range 1 + rng.IntN(3) {
			p := fmt.Sprint("p", rng.IntN(3))
			o := w.last[p] + uint64(rng.IntN(4))
			reqs = append(reqs, request(p, o-min(o, 1), rng.IntN(2)))
		}
		w.pos += uint64(rng.IntN(50))
		out, err := s.SignAll(testChain, w.pos, reqs)
		if err != nil {
			return err
		}
		for i, r := range out {
			key := fmt.Sprint(reqs[i].Purpose, " ", reqs[i].Ordinal)
			before := w.seen[key]
			switch {
			case r.Err != nil:
				if !errors.Is(r.Err, ErrRefused) {
					w.t.Fatal(r.Err)
				}
			case before != nil && !bytes.Equal(before, r.Sig):
				w.t.Fatalf("a second signature for %s", key)
			case before == nil && reqs[i].Ordinal < w.last[reqs[i].Purpose]:
				w.t.Fatalf("%s was signed after %d", key, w.last[reqs[i].Purpose])
			default:
				w.seen[key] = r.Sig
				w.last[reqs[i].Purpose] = max(w.last[reqs[i].Purpose], reqs[i].Ordinal)
			}
		}
		if rng.IntN(6) == 0 { // more often than by size
			s.guard.mu.Lock()
			err := s.guard.compact()
			s.guard.mu.Unlock()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func newWorld(t testing.TB) *world {
	return &world{t: t, seen: map[string][]byte{}, last: map[string]uint64{}}
}

// Over crashes, failing syncs and full disks nobody sees two signatures for one ordinal, and the guard always opens.
func TestCrash(t *testing.T) {
	faults := []func(rng *rand.Rand, fs *disktest.FS){
		func(rng *rand.Rand, fs *disktest.FS) { // the power goes away
			at, short := rng.IntN(40), rng.IntN(200)
			fs.Inject(func(step int, _ disktest.Op, _ string) *disktest.Fault {
				if step < at {
					return nil
				}
				return &disktest.Fault{Err: disktest.ErrCrashed, Short: short}
			})
		},
		func(rng *rand.Rand, fs *disktest.FS) { // one sync fails
			left := rng.IntN(20)
			fs.Inject(func(_ int, op disktest.Op, _ string) *disktest.Fault {
				if op != disktest.Sync {
					return nil
				}
				if left--; left != -1 {
					return nil
				}
				return &disktest.Fault{Err: errors.New("input/output error")}
			})
		},
		func(rng *rand.Rand, fs *disktest.FS) { // the disk is full now and then
			fs.Inject(func(_ int, op disktest.Op, _ string) *disktest.Fault {
				if (op == disktest.Write || op == disktest.Allocate || op == disktest.Create) && rng.IntN(4) == 0 {
					return &disktest.Fault{Err: fmt.Errorf("%w: full", ErrNoSpace), Short: rng.IntN(100)}
				}
				return nil
			})
		},
	}
	forSeeds(t, func(t testing.TB, rng *rand.Rand) {
		fs := disktest.New(rng)
		s, err := Open(testSeed, guardDir, Options{FS: fs, NewValidator: true})
		check(t, err)
		w := newWorld(t)
		for range 6 {
			faults[rng.IntN(len(faults))](rng, fs)
			for range 5 {
				err := w.live(s, rng, 6)
				if err != nil && !errors.Is(err, ErrNoSpace) {
					break
				}
			}
			switch rng.IntN(3) {
			case 0:
				fs.Inject(nil)
				_ = s.Close()
				fs = fs.Restart()
			case 1:
				fs = fs.Restart() // killed
			default:
				fs = fs.Crash()
			}
			if s, err = Open(testSeed, guardDir, Options{FS: fs}); err != nil {
				t.Fatalf("open after a crash: %v", err)
			}
			for p, o := range w.last {
				if m, ok := s.guard.state.mark(testChain, p); !ok || m.ordinal < o {
					t.Fatalf("purpose %s: ordinal %d is forgotten", p, o)
				}
			}
		}
	})
}

// The power goes away at each step of making a key: afterwards there is none, or one that works.
func TestCrashWhileCreating(t *testing.T) {
	created, absent := 0, 0
	for at := range 40 {
		for seed := range uint64(4) {
			rng := newRand(seed + 1)
			fs := disktest.New(rng)
			k, err := OpenKeystore(keyDir, KeystoreOptions{FS: fs})
			check(t, err)
			fs.Inject(func(step int, _ disktest.Op, _ string) *disktest.Fault {
				if step < at {
					return nil
				}
				return &disktest.Fault{Err: disktest.ErrCrashed, Short: rng.IntN(100)}
			})
			pub, err := k.Create("north", RoleNode, "")
			done := err == nil
			fs = fs.Crash()
			k, err = OpenKeystore(keyDir, KeystoreOptions{FS: fs})
			check(t, err)
			list, err := k.List()
			check(t, err)
			switch {
			case done && (len(list) != 1 || !sameKey(list[0].Public, pub)):
				t.Fatalf("step %d, seed %d: the key is lost: %v", at, seed, list)
			case len(list) == 0:
				absent++
				if _, err := k.Create("north", RoleNode, ""); err != nil {
					t.Fatalf("step %d, seed %d: create it again: %v", at, seed, err)
				}
			default:
				created++
			}
			s, err := k.OpenSigner("north", "", Options{})
			if err != nil {
				t.Fatalf("step %d, seed %d: %v", at, seed, err)
			}
			if _, err := sign(t, s, request("a", 1, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if created == 0 || absent == 0 {
		t.Errorf("%d were there, %d were not", created, absent)
	}
}
