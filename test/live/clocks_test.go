package live

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/internal/localnet"
)

var errNotYet = errors.New("not yet")

// TestClocks moves the clocks of nodes, by a build that lets a test do so. A skew of a fifth of a slot costs nothing; a clock that
// jumps by an hour and back, and one that stands still, cost no more than its node, which says so and recovers.
func TestClocks(t *testing.T) {
	ctx := scenario(t, 5*time.Minute+time.Duration(8**blocks)**slotTime)
	exe := binary(t, "clockseam")
	dir := t.TempDir()
	file := func(node int) string { return filepath.Join(dir, fmt.Sprint(node)) }
	n := newNetwork(t, ctx, build{spec: specification{nodes: 4, producers: 4, slot: *slotTime},
		command: func(node int, c *localnet.Command) {
			c.Exe, c.Env = exe, []string{"ALTO_CLOCK_OFFSET_FILE=" + file(node)}
		}})
	set := func(node int, text string) {
		t.Helper()
		if err := os.WriteFile(file(node)+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file(node)+".new", file(node)); err != nil { // nobody reads half of it
			t.Fatal(err)
		}
	}
	for i := range n.state.Nodes {
		set(i, "0")
	}
	n.up(n.all()...)
	even := n.finality(*blocks, n.all()...)
	n.report("clocks right", even, 0, 0, 0)

	skew := (*slotTime / 5).Milliseconds()
	set(0, fmt.Sprint(skew))
	set(1, fmt.Sprint(-skew))
	n.more(3, n.all()...)
	f := n.finality(*blocks, n.all()...)
	n.report(fmt.Sprintf("two clocks off by ±%d ms", skew), f, 0, even.at(.99)+2**slotTime/5+50*time.Millisecond, 0)
	if f.slots > uint64(f.blocks) {
		if *strict {
			t.Errorf("%d slots stayed empty though the clocks were off by a fifth of a slot only", f.slots-uint64(f.blocks))
		} else {
			t.Logf("%d slots stayed EMPTY with clocks off by a fifth of a slot (load %s)", f.slots-uint64(f.blocks), loadAverage())
		}
	}
	set(0, "0")
	set(1, "0")
	n.more(3, n.all()...)
	n.noFault(n.all()...)

	const victim = 2
	others := n.but(victim)
	recovers := func(what string, back time.Time) {
		t.Helper()
		n.more(2, n.all()...)
		n.await("the node to recover from "+what, func() error {
			if why := n.trouble(victim); why != "" {
				return errors.New(why)
			}
			return nil
		})
		n.view.await("a block by the node after "+what, func(v *view) bool { // it takes its turn again
			h := v.headers[v.high[0]]
			return h != nil && h.Producer == n.state.Nodes[victim].Key.Hash() && v.times[0][h.Height].After(back)
		})
		t.Logf("after %s: it produces again %s after the clock was right", what, short(time.Since(back)))
	}
	for _, c := range []struct{ name, text string }{{"a clock 5 s ahead", "5000"}, {"a clock 5 s behind", "-5000"}, {"a clock an hour ahead", "3600000"},
		{"a clock an hour behind", "-3600000"}, {"a frozen clock", "freeze"}} {
		set(victim, c.text)
		start := time.Now()
		n.await("the node with "+c.name+" to tell of it", func() error {
			if why := n.trouble(victim); why != "" {
				t.Logf("%s: %s after, the node says: %s", c.name, short(time.Since(start)), why)
				return nil
			}
			return errNotYet
		})
		n.report("with "+c.name, n.finality(min(*blocks, 20), others...), 0, 0, 0)
		set(victim, "0")
		recovers(c.name, time.Now())
	}

	// Whatever it was about to do, a jump must not make it sign for slots of the future: it could not sign for an hour.
	rng, _ := random(t)
	for range 10 {
		n.pause(time.Duration(rng.IntN(1500)) * time.Millisecond)
		set(victim, []string{"3600000", "-3600000", "2000", "-2000", "freeze"}[rng.IntN(5)])
		n.pause(time.Duration(100+rng.IntN(900)) * time.Millisecond)
		set(victim, "0")
	}
	recovers("ten jumps", time.Now())

	// Without a quorum of right clocks finality may stand still. It comes back.
	set(1, "3600000")
	set(victim, "3600000")
	n.await("both nodes to tell of their clocks", func() error {
		if n.trouble(1) == "" || n.trouble(victim) == "" {
			return errNotYet
		}
		return nil
	})
	high := n.highest(n.all()...)
	n.pause(4 * *slotTime)
	set(1, "0")
	set(victim, "0")
	right := time.Now()
	n.awaitFinal(high+1, n.all()...)
	figure(t, "finality after two of four clocks were an hour ahead", time.Since(right), 5*time.Second)
	recovers("two wrong clocks", right)
	n.sameChain(n.all()...)
	for _, i := range others {
		if m, err := n.metrics(i); err != nil || m.Sum("alto_chain_evidence_total") > 0 {
			t.Errorf("%s: evidence %v, %v", n.name(i), m.Sum("alto_chain_evidence_total"), err)
		}
	}
	n.stop(n.all()...)
	n.signedOnce(n.all()...)
}

// trouble is what a node says is wrong with its part of the chain, by status, or by metrics if the status says nothing.
func (n *network) trouble(node int) string {
	s, err := n.status(node)
	if err != nil {
		return ""
	}
	if why := s.Trouble + s.Stalled + s.Halted; why != "" {
		return why
	}
	if m, err := n.metrics(node); err == nil && m.Sum("alto_chain_trouble_bool") > 0 {
		return "the metric alto_chain_trouble_bool is 1"
	}
	return ""
}
