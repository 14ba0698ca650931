package nodes

import (
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestTransfersBecomeFinal(t *testing.T) {
	t.Parallel()
	g := genesisOf(t, "main", slotMs, 0, 1, 2, 3)
	w := newNetwork(t, 4, options{}, g)
	w.start(w.all()...)
	m := &maker{t: t, g: g}
	var ids []types.TxID
	for i := range 200 {
		x := w.nodes[i%4]
		env, id := m.transfer(x.chain(g), people[i%4], people[(i+1)%4], 1000)
		x.submit(g, env)
		ids = append(ids, id)
	}
	for _, x := range w.nodes {
		x.succeeds(g, ids...)
		x.conserved(g)
	}
	w.together(g, 2, w.all()...)
	w.same(g, w.all()...)
	for _, x := range w.nodes {
		if b := x.chain(g).Status().Burned; b != w.nodes[0].chain(g).Status().Burned || b == 0 {
			t.Errorf("node %d has burned %d", x.i, b)
		}
	}
}

// Two chains with slots of different lengths and stores of different kinds share the nodes.
func TestTwoChains(t *testing.T) {
	t.Parallel()
	a, b := genesisOf(t, "fast", slotMs, 0, 1, 2, 3), genesisOf(t, "slow", 2*slotMs, 0, 1, 2, 3)
	w := newNetwork(t, 4, options{}, a, b)
	w.start(w.all()...)
	ma, mb := &maker{t: t, g: a}, &maker{t: t, g: b}
	ea, ia := ma.transfer(w.nodes[0].chain(a), people[0], people[1], 7)
	eb, ib := mb.transfer(w.nodes[1].chain(b), people[1], people[2], 9)
	w.nodes[0].submit(a, ea)
	w.nodes[1].submit(b, eb)
	if _, errs := w.nodes[0].chain(b).Submit(deadline(t), [][]byte{ea}); errs[0] == nil {
		t.Error("a transaction of one chain was taken by the other")
	}
	w.nodes[3].succeeds(a, ia)
	w.nodes[2].succeeds(b, ib)
	for _, g := range w.nodes[0].genesis {
		w.together(g, 3, w.all()...)
		w.same(g, w.all()...)
		w.nodes[3].conserved(g)
	}
	// The halt of one chain leaves the other alone.
	err := errFrozen
	w.nodes[2].store.of(a).fail.Store(&err)
	awaitHalt(t, w.nodes[2].chain(a))
	w.nodes[2].more(b, 3)
	if s := w.nodes[2].chain(b).Status(); s.Halted != "" {
		t.Errorf("the other chain has halted: %s", s.Halted)
	}
	w.nodes[0].more(a, 3)
}
