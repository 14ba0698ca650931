package consensustest

import (
	"bytes"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
)

// handOverCases are about nodes that are not there when one epoch gives way to the next, or were there twice.
func handOverCases() []Case {
	return []Case{
		{"late-at-the-hand-over", "one of a few may miss the end of an epoch, and must not miss all that comes after it", func(t T, f Factory) {
			w := newWorld(t, f, 5)
			defer w.done()
			w.follow(setOf(1, 3, 1, 0, 4, 2))
			for seat := range 5 {
				w.add(seat)
			}
			late := w.nodes[3]
			deaf := false
			late.hears = func(_ *core, p []byte) ([]byte, bool) { return p, !deaf }
			for _, c := range w.nodes {
				c.start()
			}
			if !w.run(30, w.finalAt(2)) {
				t.Fatalf("after 30 slots height %d is final", w.nodes[0].final.Height)
			}
			deaf = true
			if !w.run(60, func() bool { return w.nodes[0].final.Epoch == 1 && w.slot() > w.nodes[0].opened.Slot+3 }) {
				t.Fatalf("after 60 slots four of five are at height %d of epoch %d", w.nodes[0].final.Height, w.nodes[0].final.Epoch)
			}
			if late.final.Epoch != 0 || late.final.Closes() {
				t.Fatalf("a node that hears nothing is at height %d of epoch %d", late.final.Height, late.final.Epoch)
			}
			deaf = false
			if want := w.nodes[0].final.Height + 2; !w.run(60, w.finalAt(want)) {
				t.Errorf("a node that hears again is at height %d of epoch %d, the others at %d", late.final.Height, late.final.Epoch, w.nodes[0].final.Height)
			}
		}},
		{"restart-at-the-hand-over", "a node may be killed between two epochs", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			w.follow(setOf(1, 0), setOf(2, 0))
			// The closing block is final, and the core has not heard of it.
			lost := false
			c.onReady = func(r *consensus.Ready) {
				if lost {
					*r = consensus.Ready{}
				}
				for _, f := range r.Final {
					if h := c.headers[f.Block]; h != nil && h.Closes() {
						lost = true
						*r = consensus.Ready{Persist: r.Persist, Snapshot: r.Snapshot}
					}
				}
			}
			c.start()
			if !w.run(30, func() bool { return lost }) {
				t.Fatalf("in 30 slots no closing block becomes final")
			}
			c.stop()
			restart := func(what string, until func() bool) {
				known := c.final
				c.onReady = func(r *consensus.Ready) {
					for _, f := range r.Final {
						if h := c.headers[f.Block]; h == nil || h.Closes() && h.Height <= known.Height {
							t.Errorf("%s: block %s is final, which was never checked or was final before", what, f.Block.Short())
						}
					}
				}
				c.start()
				if !w.run(30, until) {
					t.Fatalf("%s: height %d of epoch %d is final after 30 slots", what, c.final.Height, c.final.Epoch)
				}
				c.stop()
			}
			restart("with a closing block to be told of", func() bool { return c.final.Closes() && c.final.Epoch == 0 })
			restart("with a final closing block", func() bool { return c.final.Epoch == 1 })
			restart("in the second epoch", func() bool { return c.final.Closes() && c.final.Epoch == 1 })
			restart("with the next closing block", func() bool { return c.final.Height > c.opened.Height+1 && c.final.Epoch == 2 })
		}},
		{"finalised-over-epochs", "a node that was away catches up by certificates, one closing block after another", func(t T, f Factory) {
			w := newWorld(t, f, 1)
			defer w.done()
			w.follow(setOf(1, 1), setOf(2, 0))
			var closing []consensus.Finalised
			p, q := w.add(0), w.add(1)
			p.onReady = func(r *consensus.Ready) {
				for _, f := range r.Final {
					if h := p.headers[f.Block]; h != nil && h.Closes() {
						closing = append(closing, consensus.Finalised{Header: h, Proof: f.Proof, Next: w.named(h)})
					}
				}
			}
			p.start()
			q.start()
			if !w.run(100, func() bool { return p.final.Epoch == 2 && p.final.Height > p.opened.Height+1 }) {
				t.Fatalf("after 100 slots height %d of epoch %d is final", p.final.Height, p.final.Epoch)
			}
			tip := consensus.Finalised{Header: p.final, Proof: p.proof}
			c := w.add(-1)
			deaf := true
			c.hears = func(_ *core, b []byte) ([]byte, bool) { return b, !deaf }
			c.start()
			for i := range append(closing, tip) {
				e := append(closing, tip)[i]
				c.finalise(e.Header, e.Proof)
				e.NowMs = w.now
				c.step(&e)
			}
			watch := watchFinal(t, c)
			*watch = tip.Header.Height
			w.run(2, nil)
			if c.head != tip.Header.ID() {
				t.Errorf("the head is %s, not the block at height %d that the core has finalised", c.head.Short(), tip.Header.Height)
			}
			deaf = false
			if !w.run(30, w.finalAt(p.final.Height+1)) {
				t.Errorf("a follower that was told of height %d is at %d, the producer at %d", tip.Header.Height, c.final.Height, p.final.Height)
			}
		}},
		{"second-instance-halts", "two nodes with one key sign against one another", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			d := w.add(-1)
			var said [][]byte // by the first instance
			d.hears = func(_ *core, p []byte) ([]byte, bool) {
				said = append(said, bytes.Clone(p))
				return p, true
			}
			c.start()
			if !w.run(30, func() bool { return c.final.Height >= 2 }) {
				t.Fatalf("after 30 slots height %d is final", c.final.Height)
			}
			old := *c // as it is on the other machine
			old.records = append([][]byte(nil), c.records...)
			said = nil
			if !w.run(30, func() bool { return c.final.Height >= 6 }) {
				t.Fatalf("after 30 slots height %d is final", c.final.Height)
			}
			c.stop()
			c.records, c.snapshot, c.final, c.proof = old.records, old.snapshot, old.final, old.proof
			halted := ""
			c.onReady = func(r *consensus.Ready) {
				if r.Halt != "" {
					halted = r.Halt
				}
				if halted != "" && len(r.Sign) > 0 {
					t.Errorf("after %q a signature is asked for", halted)
				}
			}
			c.sign = func(consensus.Unsigned) bool { return false } // the guard knows
			c.start()
			for _, p := range said {
				c.step(&consensus.Message{From: d.peer, Payload: p, NowMs: w.now})
			}
			if !w.run(10, func() bool { return halted != "" }) {
				t.Errorf("own signatures that are newer than the records come from a peer, and the engine goes on")
			}
		}},
	}
}
