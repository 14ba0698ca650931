//go:build linux

package mended

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/core/host"
)

// One of four nodes has a build of the plugin that does not survive a certain transaction, in a block of somebody else. It halts that
// chain, names the transaction, and keeps another chain; the three go on. With a good build it catches up and has the same state.
func TestTransactionThatKills(t *testing.T) {
	g, other := genesisOf(t, "main", 4, true), genesisOf(t, "other", 4, false)
	nodes := newNodes(t, 4, g, other)
	bad := nodes[0]
	bad.build = mortal
	for _, x := range nodes {
		x.mustStart()
	}
	first := bad.call(g, "note", nil)
	bad.final(g, first)
	id := nodes[1].call(g, "die", nil)
	await(t, "the halt", func() bool { return bad.halted(g) != "" })
	why := bad.halted(g)
	for _, want := range []string{`module "moody"`, "block ", id.String(), "I cannot go on", "alto plugin lock", "start the node again"} {
		if !strings.Contains(why, want) {
			t.Errorf("%q is not in: %s", want, why)
		}
	}
	height := nodes[1].final(g, id)
	await(t, "further blocks of the three", func() bool { return nodes[2].chain(g).FinalHeight() > height+5 })
	before := bad.chain(other).FinalHeight()
	await(t, "further blocks of the other chain", func() bool { return bad.chain(other).FinalHeight() > before+5 })
	if other := bad.halted(other); other != "" {
		t.Errorf("the other chain has halted: %s", other)
	}

	bad.stop()
	bad.build = good
	bad.mustStart()
	last := nodes[1].call(g, "note", nil)
	same(t, g.Name, bad.final(g, last), nodes, func(x *testNode) *chain.Chain { return x.chain(g) })
	for _, x := range nodes {
		if why := x.halted(g); why != "" {
			t.Errorf("node %d has halted: %s", x.i, why)
		}
	}
}

// same compares the state of all nodes after the block before a final one: that one's header tells it.
func same(t testing.TB, name string, height uint64, nodes []*testNode, of func(*testNode) *chain.Chain) {
	t.Helper()
	ids := map[string]bool{}
	for _, x := range nodes {
		await(t, "the height at every node", func() bool { return of(x).FinalHeight() >= height+1 })
		b, err := of(x).Block(context.Background(), height+1)
		if err != nil {
			t.Fatal(err)
		}
		ids[b.Header.StateRoot.String()] = true
	}
	if len(ids) != 1 {
		t.Errorf("chain %s: %d states at height %d", name, len(ids), height)
	}
}

// Scheduled work cannot be left out of a block. A node whose plugin dies of it halts and says so, at its own start too, which does
// not keep its other chains from starting; and goes on with a build that survives it.
func TestScheduledWorkThatKills(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	g, other := genesisOf(t, "main", 1, true), genesisOf(t, "other", 1, false)
	x := newNodes(t, 1, g, other)[0]
	x.build = mortal
	x.mustStart()
	id := x.call(g, "later", []byte("die"))
	await(t, "the halt", func() bool { return x.halted(g) != "" })
	if why := x.halted(g); !strings.Contains(why, "scheduled work that is due, entry ") || !strings.Contains(why, "I cannot go on") {
		t.Errorf("it says: %s", why)
	}
	x.stop()

	x.mustStart()
	await(t, "the halt after a start with the same build", func() bool {
		for _, c := range x.node.Status().Chains {
			if c.Chain == g.ID() && (c.Halted != "" || c.Failed != "") {
				return true
			}
		}
		return false
	})
	before := x.chain(other).FinalHeight()
	await(t, "further blocks of the other chain", func() bool { return x.chain(other).FinalHeight() > before+3 })
	x.stop()

	x.build = good
	x.mustStart()
	height := x.final(g, id)
	await(t, "blocks behind it", func() bool { return x.chain(g).FinalHeight() > height+10 })
	x.final(g, x.call(g, "note", nil))
	if why := x.halted(g); why != "" {
		t.Errorf("it has halted: %s", why)
	}
}

// A producer's own block leaves out what its plugin does not survive: a chain whose only producer has the bad build goes on.
func TestProducerLeavesOut(t *testing.T) {
	g := genesisOf(t, "main", 1, true)
	x := newNodes(t, 1, g)[0]
	x.build = mortal
	x.mustStart()
	bad := x.call(g, "die", nil)
	for range 3 {
		x.final(g, x.call(g, "note", nil))
	}
	if why := x.halted(g); why != "" {
		t.Fatalf("it has halted: %s", why)
	}
	await(t, "the end of the transaction that kills", func() bool {
		info, err := x.chain(g).Tx(t.Context(), bad)
		if err == nil && info.Stage > chain.TxWaiting {
			t.Fatal("it is in a block")
		}
		return err == nil && info.Stage == chain.TxUnknown
	})
}

// A paranoid node asks two processes, and halts if they differ. A node that is not paranoid finds out from the others, or never.
func TestParanoid(t *testing.T) {
	g := genesisOf(t, "main", 1, true)
	x := newNodes(t, 1, g)[0]
	x.build, x.paranoid = random, true
	x.mustStart()
	id := x.call(g, "note", nil)
	await(t, "the halt", func() bool { return x.halted(g) != "" })
	why := x.halted(g)
	for _, want := range []string{`module "moody"`, "does not compute the same each time", "alto plugin lock", id.String(), "first 1 writes", "then 1 writes"} {
		if !strings.Contains(why, want) {
			t.Errorf("%q is not in: %s", want, why)
		}
	}
}

// A paranoid node with a good build goes on, and asks twice.
func TestParanoidGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	g := genesisOf(t, "main", 1, true)
	x := newNodes(t, 1, g)[0]
	x.paranoid = true
	x.mustStart()
	x.final(g, x.call(g, "note", nil))
	if why := x.halted(g); why != "" {
		t.Fatal(why)
	}
	processes := 0
	for _, s := range x.node.Status().Plugins {
		if s.Name == "moody" && s.PID != 0 {
			processes++
		}
	}
	if processes != 2 {
		t.Errorf("%d processes of the plugin", processes)
	}
	if n := x.counter("alto_chain_module_calls_total", "moody"); n == 0 {
		t.Error("calls of the module are not counted")
	}
}

// A build that does not survive what is final already keeps its chain from starting, and that chain alone. A node that has no other
// chain does not start, and says why.
func TestWorseBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	g, other := genesisOf(t, "main", 1, true), genesisOf(t, "other", 1, false)
	x := newNodes(t, 1, g, other)[0]
	x.mustStart()
	x.final(g, x.call(g, "note", nil))
	id := x.call(g, "die", nil)
	height := x.final(g, id)
	await(t, "blocks behind it", func() bool { return x.chain(g).FinalHeight() > height+2 })
	x.stop()
	x.build = mortal
	x.mustStart()
	failed := ""
	for _, c := range x.node.Status().Chains {
		if c.Chain == g.ID() {
			failed = c.Failed
		}
	}
	if !strings.Contains(failed, id.String()) || !strings.Contains(failed, "I cannot go on") {
		t.Errorf("the status says of the chain: %q", failed)
	}
	before := x.chain(other).FinalHeight()
	await(t, "further blocks of the other chain", func() bool { return x.chain(other).FinalHeight() > before+3 })
	x.stop()

	x.chains = x.chains[:1]
	if err := x.start(); !errors.Is(err, host.ErrFailed) || !strings.Contains(err.Error(), id.String()) {
		t.Errorf("a node without another chain: %v", err)
	}
	x.build, x.chains = good, append(x.chains, other)
	x.mustStart()
	x.final(g, id)
}
