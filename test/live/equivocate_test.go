package live

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/staking"
)

// TestEquivocate has a producer sign twice, by a build that lacks the guard. The honest nodes find it out by themselves, put the
// evidence into the chain, and the producer is out of the next epoch, which begins early.
func TestEquivocate(t *testing.T) {
	ctx := scenario(t, 4*time.Minute)
	const cheat = 4
	exe := binary(t, "noguard")
	n := newNetwork(t, ctx, build{spec: specification{nodes: 5, producers: 5, slot: 200 * time.Millisecond,
		consensus: []string{`seats = 5`, `epoch = "10m"`, `unbonding = "2h"`, `trusting = "1h"`, `silence = "1h"`}}, // an epoch that does not end by itself
		command: func(node int, c *localnet.Command) {
			if node == cheat {
				c.Exe, c.Env = exe, []string{"ALTO_EQUIVOCATE=1"}
			}
		}})
	honest := n.but(cheat)
	tr := n.traffic(honest...)
	start := time.Now()
	n.start(n.all()...)
	var found staking.Convictions
	n.await("evidence in the chain", func() error {
		n.ask(0, staking.PathEvidence, &found)
		if len(found.Evidence) == 0 {
			return errNotYet
		}
		return nil
	})
	e := found.Evidence[0]
	t.Logf("evidence %s (%s) of slot %d is in block %d, %s after the start", e.ID.Short(), e.Kind, e.Slot, e.Height, short(time.Since(start)))
	n.awaitEpoch(e.Epoch+1, honest...)
	t.Logf("the next epoch began %s after the start", short(time.Since(start)))
	told := 0
	for _, i := range honest {
		for _, line := range n.log(i) {
			if strings.Contains(line, "signed twice") {
				told++
				break
			}
		}
		p := n.producers(i)
		if n.seated(p, cheat) || len(p.Schedule) != len(honest) {
			t.Errorf("%s: the set in force has %d seats, the cheat has one: %v", n.name(i), len(p.Schedule), n.seated(p, cheat))
		}
		n.ask(i, staking.PathEvidence, &found)
		for _, e := range found.Evidence {
			if slices.ContainsFunc(p.Schedule, func(x staking.Producer) bool { return x.Account == e.Producer }) {
				t.Errorf("%s: the honest producer %s was convicted", n.name(i), e.Producer)
			}
		}
	}
	if t.Logf("%d of %d honest nodes found it themselves", told, len(honest)); told == 0 {
		t.Error("no node did")
	}
	n.view.mu.Lock()
	if h := n.view.headers[e.Height]; h == nil || h.Producer == n.state.Nodes[cheat].Key.Hash() {
		t.Error("the evidence is not in an honest producer's block")
	}
	n.view.mu.Unlock()
	f := n.finality(30, honest...)
	n.report("after the removal", f, 0, 0, 0)
	if f.producers[n.state.Nodes[cheat].Key.Hash()] > 0 {
		t.Error("the cheat still produces")
	}
	tr.awaitAll()
	n.sameChain(honest...)
	n.stop(n.all()...)
	n.signedOnce(honest...)
}
