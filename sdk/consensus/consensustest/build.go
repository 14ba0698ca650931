package consensustest

import (
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func buildCases() []Case {
	return []Case{
		{"builds-once-a-slot", "two bodies for one slot are two proposals to choose from, and one signature too many", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			var last uint64
			builds := 0
			c.onReady = func(r *consensus.Ready) {
				b := r.Build
				if b == nil {
					return
				}
				builds++
				switch p := c.headers[b.Parent]; {
				case w.now < genesisMs:
					t.Errorf("a body is asked for before the genesis time")
				case b.Slot > w.slot():
					t.Errorf("a body for slot %d is asked for in slot %d", b.Slot, w.slot())
				case b.Slot <= last:
					t.Errorf("a body for slot %d is asked for after one for slot %d", b.Slot, last)
				case p == nil:
					t.Errorf("a body is asked for on block %s, which was never checked", b.Parent.Short())
				case p.Slot >= b.Slot:
					t.Errorf("a body for slot %d is asked for on a parent of slot %d", b.Slot, p.Slot)
				}
				last = b.Slot
			}
			c.start()
			w.run(10, nil)
			if builds < 5 {
				t.Errorf("a producer that is alone asks for %d bodies in 10 slots", builds)
			}
		}},
		{"tells-its-head", "the mempool prepares blocks on the head", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			c.onReady = func(r *consensus.Ready) {
				head := c.head
				if r.Head != nil && r.Build == nil {
					if c.headers[*r.Head] == nil {
						t.Errorf("the head is block %s, which was never checked", r.Head.Short())
					}
				}
				// A Ready tells where the engine stands at its end, so a head that comes with a Build may be either's.
				if b := r.Build; b != nil && b.Parent != head && (r.Head == nil || b.Parent != *r.Head) {
					t.Errorf("a body is asked for on block %s, the head is %s", b.Parent.Short(), head.Short())
				}
			}
			c.start()
			w.run(6, nil)
			if c.head == w.genesis.ID() {
				t.Errorf("after 6 slots the head is still the genesis block")
			}
		}},
		{"wakes-in-time", "a proposal that leaves late is final late", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			c.start()
			for range 6 {
				w.run(1, nil)
				if next := w.startOf(w.slot() + 1); c.wake <= w.now || c.wake > next {
					t.Errorf("in slot %d a producer who has the next slot wants to be woken %d ms after it begins", w.slot(), int64(c.wake)-int64(next))
				}
			}
		}},
		{"goes-on-without-a-body", "a module that fails costs a slot, not the chain", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			failed := 0
			c.build = func(b *consensus.Build, _ *types.Header) bool {
				if failed++; failed <= 3 {
					c.step(&consensus.Built{Slot: b.Slot, Parent: b.Parent, NowMs: w.now})
					return false
				}
				return true
			}
			c.start()
			if !w.run(30, w.finalAt(2)) {
				t.Errorf("nothing becomes final after three bodies could not be built")
			}
		}},
	}
}
