package pbft

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/internal/simnet"
)

// calm is a network without trouble.
func calmPlan(n int, slots, delayMs uint64) plan {
	return plan{n: n, slots: slots, slotMs: 500, turn: 1, link: simnet.Link{MinDelay: 1, MaxDelay: delayMs}}
}

// TestCalm is a network without trouble: a block a slot, all final at once, over several epochs.
func TestCalm(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 7, 21} {
		for _, epoch := range []uint64{0, 10} {
			t.Run(fmt.Sprintf("%d producers, epochs of %d", n, epoch), func(t *testing.T) {
				p := calmPlan(n, 60, 50)
				p.epoch = epoch
				s := newSim(1, p)
				if err := s.run(); err != nil {
					t.Fatal(err)
				}
				slices.Sort(s.latency)
				if s.finalBlocks < 58 || s.latency[len(s.latency)-1] > 250 {
					t.Fatalf("%d blocks are final, the last after %d ms", s.finalBlocks, s.latency[len(s.latency)-1])
				}
				if e := s.nodes[0].m.set.Epoch; epoch > 0 && e < 5 {
					t.Fatalf("60 slots end in epoch %d", e)
				}
			})
		}
	}
}

// TestReplay shows that a seed is all that a run depends on (I12).
func TestReplay(t *testing.T) {
	for seed := uint64(1); seed <= 10; seed++ {
		c := configNamed([]string{"n4-twin", "n4-real", "n7-twins"}[seed%3])
		a, b := newSim(seed, c.plan(seed)), newSim(seed, c.plan(seed))
		if ea, eb := a.run(), b.run(); ea != nil || eb != nil || a.w.Trace() != b.w.Trace() {
			t.Errorf("seed %d: %v, %v; the traces are equal: %t", seed, ea, eb, a.w.Trace() == b.w.Trace())
		}
	}
}

// TestSilentSeats has a third of the seats dead: blocks are final all the same (P7 in numbers: a dead leader costs its slots, no more).
func TestSilentSeats(t *testing.T) {
	for _, c := range []struct{ n, mute int }{{4, 1}, {7, 2}, {21, 6}} {
		t.Run(fmt.Sprintf("%d of %d", c.mute, c.n), func(t *testing.T) {
			p := calmPlan(c.n, 42, 100)
			p.mute = c.mute
			s := newSim(1, p)
			if err := s.run(); err != nil {
				t.Fatal(err)
			}
			if want := 42*(c.n-c.mute)/c.n - 4; s.finalBlocks < want {
				t.Errorf("%d blocks are final, want %d", s.finalBlocks, want)
			}
		})
	}
	p := calmPlan(4, 40, 100)
	p.mute = 2
	s := newSim(1, p)
	if err := s.run(); err != nil || s.finalBlocks != 0 {
		t.Errorf("with two of four dead: %d final blocks, %v", s.finalBlocks, err)
	}
}

// TestBackoff has constant delays above a slot, which would livelock without the back-off (P8 in numbers: turns of several slots help).
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
			p := calmPlan(4, 300, c.delay)
			p.turn, p.rules, p.link.MinDelay = c.turn, c.rules, c.delay
			s := newSim(1, p)
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
	s := newSim(1, calmPlan(1, 2500, 5))
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
	height := n.final.h.Height
	s.crash(n, 1)
	s.start(n)
	if s.err != nil || n.m.final.h.Height < height || n.m.lastProduced < 2400 {
		t.Errorf("started again at height %d after %d: %v", n.m.final.h.Height, height, s.err)
	}
}

// pitfalls are the transcripts for P1 to P16 of the design. A transcript is kept where its rule is, and played by the tests there.
var pitfalls = [17][]string{
	1:  {"testdata/transcripts/p01-votes-name-their-source.txt"},
	2:  {"testdata/transcripts/p02-one-signature-a-height.txt"},
	3:  {"testdata/transcripts/p03-same-height-is-no-offence.txt"},
	4:  {"testdata/transcripts/p04-later-votes-hide-no-fork.txt", "testdata/transcripts/c3-no-forkslot.txt"},
	5:  {"testdata/transcripts/p05-one-set-at-a-time.txt"},
	6:  {"testdata/transcripts/p06-certified-before-longest.txt"},
	7:  {"testdata/transcripts/p07-a-dead-leader-costs-its-turn.txt"},
	8:  {"testdata/transcripts/p08-delays-near-a-slot.txt"},
	9:  {"testdata/transcripts/p09-votes-survive-a-restart.txt"},
	10: {"../../../chainspec/testdata/transcripts/p10-three-producers-tolerate-none.txt"},
	11: {"testdata/transcripts/p11-no-hidden-lock.txt"},
	12: {"testdata/transcripts/p12-old-keys-make-no-history.txt", "../staking/testdata/transcripts/p12-trust-ends-before-the-stake-is-free.txt"},
	13: {"testdata/transcripts/p13-time-is-the-slot.txt"},
	14: {"testdata/transcripts/p14-proofs-are-the-producers.txt"},
	15: {"../staking/testdata/transcripts/p15-votes-are-whole-numbers.txt"},
	16: {"testdata/transcripts/p16-a-vote-needs-what-it-rests-on.txt"},
}

// TestPitfalls: each pitfall has a transcript that says what it is about and what must come of it, and is played; and no transcript
// of a pitfall is missing in the table.
func TestPitfalls(t *testing.T) {
	listed := map[string]bool{}
	for p, files := range pitfalls[1:] {
		if len(files) == 0 {
			t.Errorf("P%d has no transcript", p+1)
		}
		for _, file := range files {
			listed[file] = true
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Errorf("P%d: %v", p+1, err)
				continue
			}
			title, _, _ := strings.Cut(string(raw), "\n")
			if !regexp.MustCompile(fmt.Sprintf(`^# .*\bP%d\b`, p+1)).MatchString(title) {
				t.Errorf("%s does not begin with what it says of P%d", file, p+1)
			}
			if !regexp.MustCompile(`(?m)^[^#\n].*=> *\S`).Match(raw) {
				t.Errorf("%s expects nothing", file)
			}
		}
	}
	for _, dir := range []string{".", "../staking", "../../../chainspec"} {
		if src, err := os.ReadFile(filepath.Join(dir, "transcript_test.go")); err != nil || !strings.Contains(string(src), `filepath.Glob("testdata/transcripts/*.txt")`) {
			t.Errorf("nothing plays the transcripts in %s: %v", dir, err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "testdata/transcripts/p[0-9]*.txt"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: %d transcripts, %v", dir, len(files), err)
		}
		for _, file := range files {
			if !listed[filepath.ToSlash(file)] {
				t.Errorf("%s is not in the table", file)
			}
		}
	}
}
