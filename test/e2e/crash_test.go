package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestKillPlugins kills a plugin of each kind under load. Finality goes on, on that node too, and nothing final is lost.
func TestKillPlugins(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	n := up(t, spec)
	tr := n.traffic()
	n.awaitFinal(5)
	for victim, kind := range []string{"consensus", "vm", "storage", "transport", "oracle"} {
		victim %= len(n.nodes)
		p, err := n.plugin(victim, kind)
		if err != nil {
			t.Fatal(err)
		}
		high, killed := n.highest(), time.Now()
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		n.await("a new "+kind+" process", func() error {
			now, err := n.plugin(victim, kind)
			if err == nil && (now.PID == p.PID || now.State != "ready") {
				err = fmt.Errorf("pid %d, %s", now.PID, now.State)
			}
			return err
		})
		n.awaitFinal(high + 5)
		first, gap := tr.resumed(victim, killed)
		other, otherGap := tr.resumed((victim+1)%len(n.nodes), killed)
		t.Logf("%s: its node final again %d ms after the kill (longest pause %d ms); another node %d ms (%d ms); slot 200 ms, load %s", kind,
			first.Milliseconds(), gap.Milliseconds(), other.Milliseconds(), otherGap.Milliseconds(), loadAverage())
	}
	tr.stop()
	tr.check()
	n.sameState()
	n.conserved()
}

// TestKillNode kills a node under load. It catches up after its restart, and its guard has had nothing to refuse but what it
// had signed itself.
func TestKillNode(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	n := up(t, spec)
	tr := n.traffic()
	n.awaitFinal(5)
	for round := range 3 {
		victim := round + 1
		name := n.state.Nodes[victim].Name
		killed := time.Now()
		_ = syscall.Kill(n.nodePIDs()[victim], syscall.SIGKILL)
		high := n.highest()
		n.await("the others", func() error {
			if h := n.highest(); h < high+4 {
				return fmt.Errorf("they are at %d", h)
			}
			return nil
		})
		_, gap := tr.resumed(0, killed)
		start := time.Now()
		n.alto("node", "restart", name)
		ready := time.Since(start)
		high = n.highest()
		n.awaitFinal(high + 2)
		t.Logf("%s: others' longest pause %d ms; ready %d ms after the restart, caught up after %d ms; load %s", name, gap.Milliseconds(), ready.Milliseconds(),
			time.Since(start).Milliseconds(), loadAverage())
	}
	tr.stop()
	tr.check()
	n.sameState()
	n.conserved()
	for _, x := range n.state.Nodes {
		for line := range strings.SplitSeq(readFile(t, filepath.Join(localnet.NodeDir(n.dir, x.Name), "node.log")), "\n") {
			if strings.Contains(line, "guard") || strings.Contains(line, "ErrDoubleSign") || strings.Contains(line, "conflicts with") {
				t.Errorf("%s: %s", x.Name, line)
			}
		}
	}
}

// beginAnew takes from a node all that it has of chains, as if it had just joined, and waits until it has caught up.
func (n *network) beginAnew(node int) {
	n.Helper()
	name := n.state.Nodes[node].Name
	n.alto("node", "stop", name)
	home := localnet.NodeDir(n.dir, name)
	entries, err := os.ReadDir(home)
	if err != nil {
		n.Fatal(err)
	}
	gone := 0
	for _, e := range entries {
		if e.IsDir() && e.Name() != "keys" {
			gone++
			if err := os.RemoveAll(filepath.Join(home, e.Name())); err != nil {
				n.Fatal(err)
			}
		}
	}
	if gone == 0 {
		n.Fatalf("%s had nothing of chains in %s", name, home)
	}
	n.alto("node", "restart", name)
	n.awaitFinal(n.highest())
}

// TestKillEverything kills all nodes and the supervisor at once, under load. After the restart everything final is there, and
// none of it can be had again, not even from a node that has just joined.
func TestKillEverything(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	// Slots are long, so that transactions live for longer than the restart takes; the fifth node has no seat.
	n := up(t, strings.NewReplacer("200ms", "500ms", "nodes  = 4", "nodes  = 5").Replace(spec))
	tr := n.traffic()
	n.await("final transactions", func() error {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		if len(tr.finals) < 500 {
			return fmt.Errorf("%d", len(tr.finals))
		}
		return nil
	})
	procs, nodes := n.family(), n.nodePIDs()
	for _, pid := range append(slices.Clone(nodes), procs[0].pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	n.awaitNothing(procs, nodes)
	tr.stop()
	start := time.Now()
	n.alto("up", "--detach")
	t.Logf("up again in %d ms (load %s)", time.Since(start).Milliseconds(), loadAverage())
	n.awaitFinal(n.highest() + 2)
	tr.check()

	n.beginAnew(4)
	slot := uint64(0)
	st, err := n.status(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range st.Chains {
		slot = c.Slot
	}
	var list [][]byte
	var ids []types.TxID
	for id := range tr.finals {
		if tr.expires[id] > slot && len(tr.envelopes[id]) > 0 {
			list, ids = append(list, tr.envelopes[id]), append(ids, id)
		}
	}
	if len(list) == 0 {
		t.Fatalf("none of %d final transactions is unexpired at slot %d", len(tr.finals), slot)
	}
	for i, c := range n.nodes {
		res, err := c.Submit(n.ctx(), n.chain, list...)
		if err != nil {
			t.Fatal(err)
		}
		for k, r := range res {
			if r.Name != api.ErrDuplicate.Error() && r.Name != api.ErrExpired.Error() {
				t.Fatalf("node %d takes transaction %s, which is final in block %d, again: %q %s", i, ids[k].Short(), tr.finals[ids[k]], r.Name, r.Message)
			}
		}
	}
	t.Logf("%d unexpired final transactions of %d were refused by all nodes", len(list), len(tr.finals))
	n.awaitFinal(n.highest() + 2)
	tr.check()
	n.sameState()
	n.conserved()
}
