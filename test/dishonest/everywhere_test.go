//go:build linux

package dishonest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// liars are the names of modules that play tricks, several at a time.
var liars = []string{"m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"}

// everywhere runs a test of a module that is the same on all nodes, on a chain of one node and on one of four; and checks in the end that
// all have the same state and that no token was made or lost.
func everywhere(t *testing.T, slotMs uint64, play func(t *testing.T, g *chainspec.Genesis, nodes []*testNode)) {
	t.Parallel()
	for _, n := range []int{1, 4} {
		t.Run(fmt.Sprintf("%d", n), func(t *testing.T) {
			t.Parallel()
			if (n > 1) == testing.Short() && !long() {
				t.Skip("one node is for -short, four are for the rest, both for -live")
			}
			g := genesisOf(t, "main", slotMs, n, append(slices.Clone(liars), calm)...)
			nodes := newNodes(t, n, g)
			for _, x := range nodes {
				x.start()
			}
			play(t, g, nodes)
			nodes[0].calmly(g)
			agree(t, g, nodes)
			for _, x := range nodes {
				if why := x.halted(g); why != "" {
					t.Errorf("node %d has halted: %s", x.i, why)
				}
				x.conserved(g, append(slices.Clone(liars), calm)...)
			}
		})
	}
}

// Whatever breaks a rule voids what the module answered for its transactions in that block, on all nodes alike, and nothing else.
func TestFaults(t *testing.T) {
	everywhere(t, slow, func(t *testing.T, g *chainspec.Genesis, nodes []*testNode) {
		var orders []string
		for _, trick := range moduletest.Faults() {
			if !strings.HasPrefix(string(trick), "check-") {
				orders = append(orders, string(trick))
			}
		}
		wave := 0
		for part := range slices.Chunk(orders, len(liars)) {
			x := nodes[wave%len(nodes)]
			wave++
			transfer := x.pay(g)
			// Beside them, in the same blocks and the same process, somebody is honest.
			status := x.lands(g, append([]string{calm}, liars...), append([]string{""}, part...))
			for k, trick := range part {
				if status[k+1] != ledger.StatusModuleFault {
					t.Errorf("%s ends with %q", trick, status[k+1])
				}
			}
			if s := x.final(g, transfer); s != types.StatusOK || status[0] != types.StatusOK {
				t.Errorf("beside %s, a transfer ends with %q, and an honest transaction with %q", part, s, status[0])
			}
		}
		// What Check says against the rules keeps a transaction out of every pool.
		for _, trick := range []moduletest.Trick{moduletest.CheckTooFew, moduletest.CheckForeign} {
			if _, err := nodes[0].try(g, liars[0], string(trick)); err == nil {
				t.Errorf("a transaction is admitted whose check is a fault: %s", trick)
			}
		}
		// These are put in order, or harm but those who send them.
		for k, status := range nodes[0].lands(g, liars, []string{string(moduletest.Unnamed), string(moduletest.Deny), ""}) {
			if want := []string{module.ErrUnnamed, "ErrDenied", types.StatusOK}[k]; status != want {
				t.Errorf("status %q, want %q", status, want)
			}
		}
		// An entry of the schedule that makes the module break the rules waits by itself, and the module goes on.
		nodes[0].lands(g, liars, []string{string(moduletest.DueFault)})
		nodes[0].more(g, 2)
		if s := nodes[0].lands(g, liars, []string{""}); s[0] != types.StatusOK {
			t.Errorf("behind scheduled work that is at fault, an honest transaction ends with %q", s[0])
		}
		for _, x := range nodes {
			x.conserved(g, append([]string{calm}, liars[0], liars[2])...) // what honest transactions have put there
			x.start()
		}
	})
}

// What a producer's plugin does not survive is in no block, and what the plugin says of it to nobody: no node halts, and the same
// modules go on.
func TestFailures(t *testing.T) {
	everywhere(t, quick, func(t *testing.T, g *chainspec.Genesis, nodes []*testNode) {
		orders := []string{string(moduletest.Hang), string(moduletest.Crash), string(moduletest.Fail), "exit", "deaf", "spin", "long", "hungry"}
		ids := make([]types.TxID, len(orders))
		for k, o := range orders {
			ids[k] = nodes[k%len(nodes)].order(g, liars[k], o)
		}
		nodes[0].calmly(g)
		for k, status := range nodes[len(nodes)-1].lands(g, liars, make([]string, len(orders))) {
			if status != types.StatusOK {
				t.Errorf("after %q, an honest transaction ends with %q", orders[k], status)
			}
		}
		for k, id := range ids {
			if info := nodes[0].info(g, id); info.Stage > chain.TxWaiting {
				t.Errorf("%s is in block %d", orders[k], info.Height)
			}
		}
		for _, o := range []string{string(moduletest.CheckFail), string(moduletest.CheckCrash), "check-exit", "check-deaf", "check-long"} {
			if _, err := nodes[0].try(g, liars[8], o); err == nil {
				t.Errorf("%s: a transaction is admitted that could not be checked", o)
			}
		}
		nodes[0].calmly(g)
	})
}

// Nothing that is no block may cost one: what a module puts into a block, and what it is asked.
func TestAsides(t *testing.T) {
	everywhere(t, quick, func(t *testing.T, g *chainspec.Genesis, nodes []*testNode) {
		orders := []string{string(moduletest.ExtendLong), string(moduletest.ExtendHang), string(moduletest.ExtendFail), "extend-crash",
			"extend-exit", "extend-deaf", "extend-long-message", "extend-nonsense"}
		for k, status := range nodes[0].lands(g, liars, orders) {
			if status != types.StatusOK {
				t.Errorf("%s ends with %q", orders[k], status)
			}
		}
		nodes[0].more(g, uint64(2*len(nodes)))
		nodes[0].calmly(g)
		for _, trick := range []string{string(moduletest.QueryLong), string(moduletest.QueryRests), string(moduletest.QueryOthers),
			string(moduletest.QueryCrash), "query-exit", "query-deaf", "query-long-message"} {
			if _, _, err := nodes[0].chain(g).Query(context.Background(), liars[9], trick, nil); err == nil {
				t.Errorf("%s is answered", trick)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if _, err := nodes[0].chain(g).Ask(ctx, chain.Question{Module: liars[9], Path: string(moduletest.QueryHang)}); err == nil {
			t.Error("a query that hangs is answered")
		}
		nodes[0].calmly(g)
	})
}

// A process that stands still is replaced.
func TestStopped(t *testing.T) {
	t.Parallel()
	g := genesisOf(t, "main", quick, 1, calm)
	x := newNodes(t, 1, g)[0]
	x.start()
	x.calmly(g)
	pid := 0
	for _, p := range x.node.Status().Plugins {
		if p.PID > 0 {
			pid = p.PID
		}
	}
	if pid == 0 {
		t.Fatalf("no process: %+v", x.node.Status().Plugins)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	x.calmly(g)
	for _, p := range x.node.Status().Plugins {
		if p.PID == pid {
			t.Errorf("process %d was not replaced", pid)
		}
	}
	x.conserved(g, calm)
}
