package model

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrRefused tells that the rules do not allow a step of a run.
var ErrRefused = errors.New("step refused")

// Step is a vote of an honest seat, numbered from 1.
type Step struct {
	Seat   int
	Commit bool
	Block  int
}

// Run is a sequence of steps.
type Run []Step

// Format writes a run as "H1P1 H2C1".
func (r Run) Format(t *Tree) string {
	var out []string
	for _, s := range r {
		out = append(out, s.format(t))
	}
	return strings.Join(out, " ")
}

func (s Step) format(t *Tree) string {
	kind := "P"
	if s.Commit {
		kind = "C"
	}
	return "H" + strconv.Itoa(s.Seat) + kind + t.Name(s.Block)
}

// ParseRun is the inverse of [Run.Format].
func ParseRun(t *Tree, text string) (Run, error) {
	var run Run
	for _, f := range strings.Fields(text) {
		s := Step{Block: -1}
		if len(f) > 3 && f[0] == 'H' && f[1] >= '1' && f[1] < '0'+Seats && (f[2] == 'P' || f[2] == 'C') {
			s = Step{int(f[1] - '0'), f[2] == 'C', t.find(f[3:])}
		}
		if s.Block < 1 {
			return nil, fmt.Errorf("run: step %q: want H, a seat, P or C, and a block of %s", f, t)
		}
		run = append(run, s)
	}
	return run, nil
}

// ParseTree is the inverse of [Tree.String].
func ParseTree(text string) (*Tree, error) {
	var blocks []Block
	names := map[string]int{"G": 0}
	for _, f := range strings.Fields(text) {
		name, refs, ok := strings.Cut(strings.TrimSuffix(f, ")"), "(")
		parent, justify, two := strings.Cut(refs, ",")
		if !two {
			justify = parent
		}
		p, known := names[parent]
		j, known2 := names[justify]
		slot, err := strconv.Atoi(strings.TrimRight(strings.TrimPrefix(name, "b"), "abcdefghijklmnop"))
		if !ok || !known || !known2 || err != nil {
			return nil, fmt.Errorf("tree: block %q: want b, slot, perhaps a letter, and (parent,justify) of blocks before: %w", f, ErrInvalid)
		}
		blocks = append(blocks, Block{slot, p, j})
		names[strings.TrimPrefix(name, "b")] = len(blocks)
	}
	return newTree(blocks...)
}

// Outcome is what a run has led to.
type Outcome struct {
	Final    Set   // blocks that are final, with the votes of all Byzantine seats
	Accused  []int // honest seats whose votes are evidence
	Culprits int   // the least number of Byzantine seats that the conflict exposes, whatever they do
}

// Replay takes the steps of a run one after another. The first that the rules refuse ends it with [ErrRefused]; that is also
// [ErrInvalid] when they do not allow the block.
func (m Model) Replay(t *Tree, run Run) (*Outcome, error) {
	if m.Byzantine < 1 || m.Byzantine >= Seats {
		return nil, fmt.Errorf("replay with %d byzantine seats: must be 1 to %d", m.Byzantine, Seats-1)
	}
	seats := make([]seat, Seats-m.Byzantine)
	guilty := make([]bool, len(seats))
	quorum := func(votes func(seat) Set, b int) bool {
		n := m.Byzantine
		for _, s := range seats {
			if votes(s).Has(b) {
				n++
			}
		}
		return b == 0 || n >= Quorum
	}
	prepared, committed := func(s seat) Set { return s.prepared }, func(s seat) Set { return s.committed }
	for _, st := range run {
		if st.Seat < 1 || st.Seat > len(seats) || st.Block < 1 || st.Block >= len(t.blocks) {
			return nil, fmt.Errorf("seat %d, block %d: there is no such honest seat or block: %w", st.Seat, st.Block, ErrRefused)
		}
		i, b := st.Seat-1, st.Block
		if !t.valid(b, m.Rules) {
			return nil, fmt.Errorf("%s: justify is no ancestor, or older than the parent's: %w, %w", st.format(t), ErrRefused, ErrInvalid)
		}
		s := seats[i]
		needs := b
		if !st.Commit {
			needs = t.blocks[b].Justify
		}
		if !quorum(prepared, needs) {
			return nil, fmt.Errorf("%s: %s is not certified: %w", st.format(t), t.Name(needs), ErrRefused)
		}
		var next seat
		var ok bool
		if st.Commit {
			next, ok = m.Rules.commit(t, s, b)
			guilty[i] = guilty[i] || ok && (s.traps.Has(b) || t.sameSlot(s.committed, b))
		} else {
			var src int
			next, src, ok = m.Rules.prepare(t, s, b)
			if ok {
				var g bool
				g, next.traps = t.guilt(s, b, src)
				guilty[i] = guilty[i] || g
			}
		}
		if !ok {
			return nil, fmt.Errorf("%s: %w", st.format(t), ErrRefused)
		}
		seats[i] = next
	}
	out := &Outcome{}
	var honest []votes
	for i, s := range seats {
		honest = append(honest, votes{s.prepared, s.committed})
		if guilty[i] {
			out.Accused = append(out.Accused, i+1)
		}
	}
	for b := 1; b < len(t.blocks); b++ {
		if quorum(committed, b) {
			out.Final |= one(b)
		}
	}
	out.Culprits = culprits(t, m, honest)
	return out, nil
}
