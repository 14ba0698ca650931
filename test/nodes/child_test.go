package nodes

import (
	"errors"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/node"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// A child is started from its record by the nodes with a seat in it, at once or when they come back, and by those that were told to
// follow it; and all of them find it again after a restart.
func TestChildChain(t *testing.T) {
	t.Parallel()
	g := genesisOf(t, "main", slotMs, 0, 1, 2, 3)
	child := genesisOf(t, "child", 2*slotMs, 0, 1, 2, 3)
	parent := g.ID()
	child.Parent = &parent
	if err := child.Validate(); err != nil {
		t.Fatal(err)
	}
	w := newNetwork(t, 6, options{}, g)
	w.nodes[4].follow = []types.ChainID{child.ID()}
	w.start(0, 1, 2, 4, 5) // 3 is down
	m := &maker{t: t, g: g}
	env, id := m.make(w.nodes[0].chain(g), people[0], types.ModuleChains, types.Action{Name: "spawn", Body: types.SpawnBody{Genesis: child.Encode()}.Encode()})
	w.nodes[0].submit(g, env)
	for _, i := range []int{0, 1, 2, 4} {
		w.nodes[i].succeeds(g, id)
		w.nodes[i].appears(child)
	}
	w.together(child, 2, 0, 1, 2, 4) // three of four seats
	w.start(3)
	w.nodes[3].appears(child)
	w.together(child, 3, 0, 1, 2, 3, 4)
	mc := &maker{t: t, g: child}
	env, id = mc.transfer(w.nodes[3].chain(child), people[0], people[1], 3)
	w.nodes[3].submit(child, env)
	for _, i := range []int{0, 1, 2, 3, 4} {
		w.nodes[i].succeeds(child, id)
	}
	if _, _, err := w.nodes[5].node.Chain(child.Name); !errors.Is(err, node.ErrUnknownChain) {
		t.Errorf("a node that has nothing to do with the child runs it: %v", err)
	}
	// All at once, in order or not.
	for i, x := range w.nodes {
		if i%2 == 0 {
			x.stop()
		} else {
			x.kill(true)
		}
	}
	w.start(w.all()...)
	for _, i := range []int{0, 1, 2, 3, 4} {
		w.nodes[i].appears(child)
	}
	w.together(child, 3, 0, 1, 2, 3, 4)
	w.same(child, 0, 1, 2, 3, 4)
	w.together(g, 2, w.all()...)
	w.same(g, w.all()...)
	w.nodes[4].conserved(child)
}

// appears waits until a node runs a chain.
func (x *testNode) appears(g *chainspec.Genesis) {
	x.net.t.Helper()
	for end := time.Now().Add(patience); ; pause(x.net.t, 5*time.Millisecond) {
		if _, _, err := x.node.Chain(g.ID().String()); err == nil {
			return
		}
		if time.Now().After(end) {
			x.net.t.Fatalf("node %d does not start chain %s: %+v", x.i, g.Name, x.node.Status())
		}
	}
}
