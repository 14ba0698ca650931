package consensustest

import (
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func checkCases() []Case {
	return []Case{
		{"own-block-is-checked", "nobody but the core itself has the body of its own block", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			built := map[types.BlockID]bool{}
			asked := 0
			c.build = func(_ *consensus.Build, h *types.Header) bool { built[h.ID()] = true; return true }
			c.check = func(k consensus.Check) (bool, bool) {
				if built[k.Header.ID()] {
					asked++
					if len(k.From) > 0 {
						t.Errorf("the check of an own block names %d peers", len(k.From))
					}
				}
				return true, true
			}
			c.start()
			w.run(5, nil)
			if asked == 0 {
				t.Errorf("own blocks are not checked")
			}
		}},
		{"final-needs-the-check", "a vote says that the body is on disk", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			c.check = func(consensus.Check) (bool, bool) { return false, false }
			c.onReady = func(r *consensus.Ready) {
				if len(r.Final) > 0 {
					t.Errorf("a block is final that was never checked")
				}
				for _, u := range r.Sign {
					if u.Purpose == types.PurposeCommit {
						t.Errorf("a commit is to be signed for a block that was never checked")
					}
				}
			}
			c.start()
			w.run(8, nil)
		}},
		{"refused-block-is-not-used", "an invalid block must not be built on", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			var refused types.BlockID
			c.check = func(k consensus.Check) (bool, bool) {
				if refused.IsZero() {
					refused = k.Header.ID()
				}
				return true, k.Header.ID() != refused
			}
			c.onReady = func(r *consensus.Ready) {
				if r.Build != nil && r.Build.Parent == refused && !refused.IsZero() {
					t.Errorf("a body is asked for on a refused block")
				}
				if r.Head != nil && *r.Head == refused {
					t.Errorf("the head is a refused block")
				}
				for _, f := range r.Final {
					if f.Block == refused {
						t.Errorf("a refused block is final")
					}
				}
			}
			c.start()
			if !w.run(30, w.finalAt(2)) {
				t.Errorf("nothing becomes final after a refused block")
			}
		}},
		{"asks-again", "a body that is nowhere now may be somewhere later", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			times := map[types.BlockID]int{}
			again := false
			c.check = func(k consensus.Check) (bool, bool) {
				id := k.Header.ID()
				times[id]++
				again = again || times[id] > 1
				return times[id] > 1, true
			}
			c.start()
			if !w.run(100, func() bool { return again }) {
				t.Errorf("a block whose check is not answered is not asked for again in 100 slots")
			}
		}},
		{"parent-is-checked-first", "a block cannot be checked before its parent is executed", func(t T, f Factory) {
			w, _ := alone(t, f)
			defer w.done()
			c := w.add(-1)
			var held []consensus.Check
			c.check = func(k consensus.Check) (bool, bool) {
				if c.headers[k.Header.Parent] == nil {
					t.Errorf("the check of a block at height %d is asked for before its parent's is answered", k.Header.Height)
				}
				held = append(held, k)
				return false, false
			}
			for _, n := range w.nodes {
				n.start()
			}
			for range 30 { // the answers come a slot late
				ripe := held
				held = nil
				w.run(1, nil)
				for _, k := range ripe {
					c.checked(k.Header, true)
				}
			}
			if c.final.Height < 3 {
				t.Errorf("a follower does not follow: it is at height %d, the producer at %d", c.final.Height, w.nodes[0].final.Height)
			}
		}},
	}
}
