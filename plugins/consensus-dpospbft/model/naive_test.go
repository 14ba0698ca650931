package model

import (
	"cmp"
	"slices"
	"testing"
)

// naive searches a tree the plain way: three honest seats told apart, the rules applied at each step, certificates counted vote
// by vote. It returns the number of states, and of those that are left when the order of the seats does not count.
func naive(t *Tree, r Rules) (states, sorted int, conflict bool) {
	type state [3]seat
	count := func(s state, b int, of func(seat) Set) int {
		n := 1 // the Byzantine seat
		for _, x := range s {
			if of(x).Has(b) {
				n++
			}
		}
		return n
	}
	certified := func(s state, b int) bool {
		return b == 0 || count(s, b, func(x seat) Set { return x.prepared }) >= 3
	}
	seen := map[state]bool{{}: true}
	classes := map[state]bool{}
	for queue := []state{{}}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		c := s
		slices.SortFunc(c[:], func(a, b seat) int {
			return cmp.Or(cmp.Compare(a.prepared, b.prepared), cmp.Compare(a.committed, b.committed), cmp.Compare(a.lock, b.lock))
		})
		classes[c] = true
		final := Set(0)
		for b := 1; b < len(t.blocks); b++ {
			if count(s, b, func(x seat) Set { return x.committed }) >= 3 {
				final |= one(b)
			}
		}
		if a, b := t.Conflict(final); a != b {
			conflict = true
		}
		visit := func(i int, to seat) {
			n := s
			n[i] = to
			if !seen[n] {
				seen[n] = true
				queue = append(queue, n)
			}
		}
		for i, x := range s {
			for b := 1; b < len(t.blocks); b++ {
				if to, _, ok := r.prepare(t, x, b); ok && certified(s, t.blocks[b].Justify) {
					visit(i, to)
				}
				if to, ok := r.commit(t, x, b); ok && certified(s, b) {
					visit(i, to)
				}
			}
		}
	}
	return len(seen), len(classes), conflict
}

// TestAgainstNaive compares the search with one without automaton, packed states and symmetry.
func TestAgainstNaive(t *testing.T) {
	for _, c := range []struct {
		bounds Bounds
		rules  Rules
	}{
		{Bounds{3, 1}, Rules{}},
		{Bounds{2, 2}, Rules{}},
		{Bounds{2, 2}, Rules{NoForkSlot: true}},
		{Bounds{2, 1}, Rules{NoR3: true}},
	} {
		all, plain := 0, 0
		for tr := range Trees(c.bounds, c.rules) {
			n, sorted, conflict := naive(tr, c.rules)
			if conflict {
				t.Errorf("%s: conflict", tr)
			}
			all, plain = all+sorted, plain+n
		}
		r, err := Model{Rules: c.rules, Byzantine: 1}.Explore(c.bounds)
		if err != nil || r.Run != nil || r.States != all {
			t.Errorf("%v %+v: %+v, %v; the plain search has %d states", c.bounds, c.rules, r, err, all)
		}
		t.Logf("%v %+v: %d states, %d with seats told apart", c.bounds, c.rules, all, plain)
	}
}

// TestTrees counts the trees; the numbers were found by hand.
func TestTrees(t *testing.T) {
	for _, c := range []struct {
		bounds Bounds
		rules  Rules
		want   int
	}{
		{Bounds{1, 1}, Rules{}, 1},
		{Bounds{1, 2}, Rules{}, 1},
		{Bounds{2, 1}, Rules{}, 3},                  // (G), (1,G), (1)
		{Bounds{2, 1}, Rules{AnyJustify: true}, 4},  // and (G,1)
		{Bounds{2, 2}, Rules{}, 9},                  // of 25 pairs
		{Bounds{3, 1}, Rules{}, 16},                 // 5 on (G), 6 on (1,G), 5 on (1)
		{Bounds{2, 2}, Rules{AnyJustify: true}, 25}, // of 81 pairs
	} {
		got := 0
		for range Trees(c.bounds, c.rules) {
			got++
		}
		if got != c.want {
			t.Errorf("%v %+v: %d trees, want %d", c.bounds, c.rules, got, c.want)
		}
	}
	for range Trees(Bounds{3, 2}, Rules{}) {
		break // the first will do
	}
}

func TestVisited(t *testing.T) {
	v := newVisited()
	for _, n := range []uint64{1000, 100_000, 1_100_000, 1000} { // the third is so large that its room is given up
		for i := range n {
			if !v.add(i*i + 1) {
				t.Fatalf("of %d: %d is there already", n, i)
			}
		}
		for i := range n {
			if v.add(i*i + 1) {
				t.Fatalf("of %d: %d is lost", n, i)
			}
		}
		if v.used != int(n) {
			t.Fatalf("%d keys, want %d", v.used, n)
		}
		v.reset()
	}
}

// TestCulprits names what Byzantine seats can and can't talk themselves out of.
func TestCulprits(t *testing.T) {
	for _, c := range []struct {
		name, tree, run string
		want            int
	}{
		{"two commits in a slot", "b1a(G) b1b(G)", "H1P1a H2P1b H1C1a H2C1b", 2},
		{"hop over the own commit", "b1(G) b2(G)", "H1P1 H2C1 H1P2 H2C2", 2},
		{"src backed by a certificate that is a hop itself", "b1(G) b2(G) b3(2,G)", "H1P1 H2C1 H1P2 H1P3 H2C3", 2},
		{"no conflict, nothing to hide", "b1(G) b2(1)", "H1P1 H2C1 H1P2 H2C2", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, err := ParseTree(c.tree)
			if err != nil {
				t.Fatal(err)
			}
			run, err := ParseRun(tr, c.run)
			if err != nil {
				t.Fatal(err)
			}
			out, err := Model{Byzantine: 2}.Replay(tr, run)
			if err != nil || out.Culprits != c.want || out.Accused != nil {
				t.Errorf("%+v, %v; want %d", out, err, c.want)
			}
		})
	}
}
