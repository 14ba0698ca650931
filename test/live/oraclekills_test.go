package live

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
)

// TestOracleKills kills the oracle plugin of every node in every state of a question, and in the middle of an execution, and finds
// the settlement that there is without.
func TestOracleKills(t *testing.T) {
	ctx := bounded(t, 4*time.Minute)
	n := newNetwork(t, ctx, build{spec: specification{nodes: 4, producers: 4, slot: 200 * time.Millisecond, oracle: oracleLines(), chain: free()}})
	n.up(n.all()...)
	asker, answerer, counterer := newPerson("killed/asker"), newPerson("killed/answerer"), newPerson("killed/counterer")
	n.fund(1000*tokens, asker, answerer, counterer)
	n.more(1, n.all()...)
	before := n.wealth(0, asker, answerer, counterer)

	q := n.asks(0, asker, "Did it rain in Bergen?", nil)
	q.killed(oracle.Open)
	q.answers(1, answerer, oracle.Yes)
	q.killed(oracle.Answered)
	q.counters(2, counterer, oracle.No)
	q.believe(oracle.No, n.all()...)
	q.killed(oracle.Countered)
	q.killed(oracle.Commit)
	q.killed(oracle.Reveal)

	for i := range n.state.Nodes {
		v := q.reaches(i, oracle.Final)
		if v.Result == nil || *v.Result != oracle.No || v.Dispute == nil || len(v.Dispute.Reveals) != 4 {
			t.Errorf("%s: %+v", n.name(i), v)
		}
	}

	// In the middle of an execution: the plugin of one node stands still, so that what it is asked to execute is under way when it dies.
	held := n.oraclePID(3)
	n.remember()
	if err := syscall.Kill(held, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	second := n.asks(0, asker, "Did it rain in Bergen again?", nil)
	third := n.more(2, 0, 1, 2)
	if s, err := n.status(3); err != nil || s.Final >= third {
		t.Errorf("%s has executed a block without its oracle: %+v, %v", n.name(3), s, err)
	}
	if err := syscall.Kill(held, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second.reaches(3, oracle.Open)
	n.more(1, n.all()...)
	const half, fifth = (deposit + 1) / 2, deposit / 5
	n.settled(before, n.wealth(0, asker, answerer, counterer), money{
		"killed/asker":     -deposit, // of the second question, which is open
		"killed/answerer":  -deposit,
		"killed/counterer": deposit - half - fifth,
		"node-0":           fifth / 4, "node-1": fifth / 4, "node-2": fifth / 4, "node-3": fifth / 4,
		"burned": half + fifth%4,
	}, deposit)
	n.sameChain(n.all()...)
	n.noFault(n.all()...)
}

// killed waits until a question is in a state, and kills the oracle plugin of every node.
func (q *question) killed(s oracle.State) {
	q.n.Helper()
	q.reaches(0, s)
	for i := range q.n.state.Nodes {
		pid := q.n.oraclePID(i)
		q.n.remember()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			q.n.Fatal(err)
		}
	}
	if v, err := q.see(0); err == nil && v.State != s {
		q.n.Logf("the plugins died when the question was %s already, not %s", v.State, s)
	}
}

// oraclePID returns the process of a node's oracle plugin.
func (n *network) oraclePID(node int) (pid int) {
	n.Helper()
	n.await("the oracle's process of "+n.name(node), func() error {
		st, err := n.node(node)
		if err != nil {
			return err
		}
		for _, p := range st.Plugins {
			if p.Name == "oracle-prophecy" && p.PID > 0 {
				pid = p.PID
				return nil
			}
		}
		return fmt.Errorf("it has none: %+v", st.Plugins)
	})
	return pid
}
