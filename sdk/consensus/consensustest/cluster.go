package consensustest

func clusterCases() []Case {
	return []Case{
		{"four-agree", "this is what it is for", func(t T, f Factory) {
			w := newWorld(t, f, 4)
			defer w.done()
			for seat := range 4 {
				w.add(seat)
			}
			for _, c := range w.nodes {
				c.start()
			}
			agree(t, w, 6)
		}},
		{"one-of-four-is-silent", "one of four may always be down", func(t T, f Factory) {
			w := newWorld(t, f, 4)
			defer w.done()
			for _, seat := range []int{0, 1, 3} {
				w.add(seat)
			}
			for _, c := range w.nodes {
				c.start()
			}
			agree(t, w, 5)
		}},
	}
}

// agree runs until a height is final everywhere, and checks that it is the same chain.
func agree(t T, w *world, height uint64) {
	t.Helper()
	if !w.run(100, w.finalAt(height)) {
		for _, c := range w.nodes {
			t.Logf("node %d: height %d is final", c.i, c.final.Height)
		}
		t.Fatalf("after 100 slots height %d is not final everywhere", height)
	}
	first := w.nodes[0]
	for _, c := range w.nodes[1:] {
		a, b := first, c
		if a.final.Height < b.final.Height {
			a, b = b, a
		}
		h := a.final
		for h != nil && h.Height > b.final.Height {
			h = a.headers[h.Parent]
		}
		if h == nil || h.ID() != b.final.ID() {
			t.Fatalf("nodes %d and %d have different final blocks at height %d", a.i, b.i, b.final.Height)
		}
	}
}
