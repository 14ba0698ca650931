package nodes

import (
	"testing"

	"github.com/paloalto-chain/paloalto/core/chain"
)

func TestPartitions(t *testing.T) {
	t.Parallel()
	g := genesisOf(t, "main", slotMs, 0, 1, 2, 3)
	w := newNetwork(t, 4, options{}, g)
	w.start(w.all()...)
	w.together(g, 2, w.all()...)

	t.Run("1 and 3", func(t *testing.T) {
		w.cut([]int{1}, []int{0, 2, 3}, true)
		behind := w.nodes[1].chain(g)
		h := w.nodes[0].more(g, 10)
		if behind.FinalHeight() >= h {
			t.Error("a node without a quorum has finality")
		}
		w.cut([]int{1}, []int{0, 2, 3}, false)
		w.together(g, 3, w.all()...)
		w.same(g, w.all()...)
	})

	t.Run("2 and 2", func(t *testing.T) {
		a, b := []int{0, 1}, []int{2, 3}
		w.cut(a, b, true)
		// Heads go on, which is how time is told here, while nothing becomes final any more.
		c := w.nodes[0].chain(g)
		before := awaitHead(t, c, 5)
		after := awaitHead(t, c, before.Head-before.Final+5)
		if after.Final > before.Final {
			t.Errorf("half of the nodes have made blocks final: %d, then %d", before.Final, after.Final)
		}
		w.cut(a, b, false)
		w.together(g, 4, w.all()...)
		w.same(g, w.all()...)
	})

	for _, x := range w.nodes {
		if v := x.metric("alto_chain_guard_refusals_total") + x.metric("alto_chain_evidence_total"); v > 0 {
			t.Errorf("node %d: %v refusals of the guard or proofs of double signing", x.i, v)
		}
	}
}

// awaitHead waits until the head is so many blocks above what is final.
func awaitHead(t *testing.T, c *chain.Chain, above uint64) chain.Status {
	t.Helper()
	ctx := deadline(t)
	for {
		if s := c.Status(); s.Head >= s.Final+above {
			return s
		}
		if ctx.Err() != nil {
			t.Fatalf("no blocks: %+v", c.Status())
		}
		pause(t, slotMs*1_000_000/4)
	}
}
