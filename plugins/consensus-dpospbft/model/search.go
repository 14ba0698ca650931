package model

import (
	"errors"
	"fmt"
)

// ErrTooLarge tells that a search needs more states than it may keep.
var ErrTooLarge = errors.New("too many states")

// MaxStates is how many states of one tree a search keeps. With each go a key, a number and two to four places in the set of
// visited ones, so that it holds at most 700 MB, while it grows by copying.
const MaxStates = 16_000_000

// Goal is what a search looks for.
type Goal int

// The goals; see the package comment.
const (
	Conflict Goal = iota
	Accused
	Unaccounted
)

// Model says how seats behave and what is looked for.
type Model struct {
	Rules     Rules
	Byzantine int // seats, 1 to 3
	Goal      Goal
}

// Report tells what a search has covered and found.
type Report struct {
	Trees, States, Transitions int
	Largest                    int // states of the largest tree
	Depth                      int // steps of the longest shortest path to a state
	Conflicts                  int // goal Unaccounted: transitions into conflicts; all but the last of a run found expose enough seats
	Tree                       *Tree
	Run                        Run // a shortest run to the goal, nil if there is none
}

// Explore searches all trees within the bounds.
func (m Model) Explore(b Bounds) (*Report, error) {
	if m.Byzantine < 1 || m.Byzantine >= Seats {
		return nil, fmt.Errorf("search with %d byzantine seats: must be 1 to %d", m.Byzantine, Seats-1)
	}
	if b.Slots < 1 || b.Blocks < 1 || b.Slots*b.Blocks > MaxBlocks {
		return nil, fmt.Errorf("search of %d slots with %d blocks each: must be 1 to %d blocks", b.Slots, b.Blocks, MaxBlocks)
	}
	out := &Report{}
	s := &search{model: m, report: out, honest: Seats - m.Byzantine, visited: newVisited()}
	for t := range Trees(b, m.Rules) {
		if err := s.tree(t); err != nil {
			return out, err
		}
	}
	return out, nil
}

// search is the work on one tree after another.
type search struct {
	model   Model
	report  *Report
	honest  int
	tr      *Tree
	auto    *automaton
	visited *visited
	keys    []uint64 // states in the order in which they were found
	from    []uint32 // by state: the one that it was reached from
}

// local has the automaton states of the honest seats, ascending; those beyond the honest are 0 and unused.
type local [Seats - 1]uint32

func (s *search) pack(l local) uint64 {
	key := uint64(0)
	for _, x := range l[:s.honest] {
		key = key<<seatBits | uint64(x)
	}
	return key + 1
}

func (s *search) unpack(key uint64) (l local) {
	key--
	for i := s.honest - 1; i >= 0; i-- {
		l[i] = uint32(key & (1<<seatBits - 1))
		key >>= seatBits
	}
	return l
}

// moved replaces one seat's state by the next and sorts. States are numbered in the order of how many votes they have, so that
// the next has the greater number.
func (s *search) moved(l local, i int, to uint32) local {
	for ; i < s.honest-1 && l[i+1] < to; i++ {
		l[i] = l[i+1]
	}
	l[i] = to
	return l
}

// quorum returns the blocks for which so many votes of a kind exist that all Byzantine seats make them a quorum.
func (s *search) quorum(votes []Set, l local) Set {
	var once, twice, thrice Set
	for _, x := range l[:s.honest] {
		v := votes[x]
		thrice |= twice & v
		twice |= once & v
		once |= v
	}
	switch Quorum - s.model.Byzantine {
	case 0:
		return ^Set(0)
	case 1:
		return once
	case 2:
		return twice
	}
	return thrice
}

// tree searches one tree, but not beyond what could be shorter than the best run so far.
func (s *search) tree(t *Tree) error {
	auto, err := newAutomaton(t, s.model.Rules, s.model.Goal == Accused)
	if err != nil {
		return err
	}
	s.tr, s.auto = t, auto
	s.visited.reset()
	s.keys, s.from = append(s.keys[:0], s.pack(local{})), append(s.from[:0], 0)
	s.visited.add(s.keys[0])
	s.report.Trees++
	layer, depth := 1, 0 // keys up to layer are reached by depth steps
	for i := 0; i < len(s.keys); i++ {
		if i == layer {
			layer, depth = len(s.keys), depth+1
		}
		if s.report.Run != nil && depth+1 >= len(s.report.Run) {
			break
		}
		if s.expand(i) {
			break
		}
		if len(s.keys) > MaxStates {
			return fmt.Errorf("search of %s: more than %d states: %w", t, MaxStates, ErrTooLarge)
		}
	}
	s.report.States += len(s.keys)
	s.report.Largest, s.report.Depth = max(s.report.Largest, len(s.keys)), max(s.report.Depth, depth)
	return nil
}

// expand takes all steps from a state. It returns true when one reaches the goal.
func (s *search) expand(i int) bool {
	l := s.unpack(s.keys[i])
	certified := s.quorum(s.auto.prepared, l)
	for seat, state := range l[:s.honest] {
		if seat > 0 && l[seat-1] == state {
			continue // an equal seat has taken these steps
		}
		moves := s.auto.moves[state]
		for k := range moves {
			m := &moves[k]
			if m.guard&^certified != 0 {
				continue
			}
			s.report.Transitions++
			to := s.moved(l, seat, m.next)
			hit, end := s.judge(m, to)
			if hit {
				s.report.Tree, s.report.Run = s.tr, s.trace(i, s.pack(to))
				return true
			}
			if key := s.pack(to); !end && s.visited.add(key) {
				s.keys, s.from = append(s.keys, key), append(s.from, uint32(i))
			}
		}
	}
	return false
}

// judge tells whether a step reaches the goal, and whether nothing after it is of interest.
func (s *search) judge(m *move, to local) (hit, end bool) {
	if s.model.Goal == Accused {
		return m.guilty, false
	}
	if !m.commit {
		return false, false
	}
	final := s.quorum(s.auto.committed, to) & (1<<len(s.tr.blocks) - 1)
	if final&s.tr.rivals[m.block] == 0 || !final.Has(int(m.block)) {
		return false, false
	}
	if s.model.Goal == Conflict {
		return true, true
	}
	var honest []votes
	for _, x := range to[:s.honest] {
		honest = append(honest, votes{s.auto.prepared[x], s.auto.committed[x]})
	}
	s.report.Conflicts++
	return culprits(s.tr, s.model, honest) < 2*Quorum-Seats, true
}

// trace finds the steps that lead to state i and from there to a last one.
func (s *search) trace(i int, last uint64) Run {
	path := []uint64{last}
	for ; i > 0; i = int(s.from[i]) {
		path = append(path, s.keys[i])
	}
	at := make([]uint32, s.honest) // by seat, not sorted
	names := make([]int, s.honest) // by seat: its number, in the order of first steps
	named := 0
	var run Run
	for k := len(path) - 1; k >= 0; k-- {
		seat, m := s.step(at, path[k])
		at[seat] = m.next
		if names[seat] == 0 {
			named++
			names[seat] = named
		}
		run = append(run, Step{names[seat], m.commit, int(m.block)})
	}
	return run
}

// step finds a seat's move that leads to a state.
func (s *search) step(at []uint32, key uint64) (int, *move) {
	for seat := range at {
		for k := range s.auto.moves[at[seat]] {
			m := &s.auto.moves[at[seat]][k]
			var l local
			for i, x := range at {
				if i == seat {
					x = m.next
				}
				l[i] = x
				for j := i; j > 0 && l[j-1] > l[j]; j-- {
					l[j-1], l[j] = l[j], l[j-1]
				}
			}
			if s.pack(l) == key {
				return seat, m
			}
		}
	}
	panic("a state was reached by no move")
}
