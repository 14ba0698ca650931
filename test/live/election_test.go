package live

import (
	"testing"
	"time"
)

// TestElection elects a producer in place of another while transfers flow: accounts stake and vote, a fifth node is
// registered, and from the next epoch on it produces. No transfer is lost.
func TestElection(t *testing.T) {
	ctx := scenario(t, 4*time.Minute)
	n := newNetwork(t, ctx, build{spec: specification{nodes: 5, producers: 4, slot: 200 * time.Millisecond,
		consensus: append(shortEpochs("6s"), `seats = 4`)}})
	n.up(n.all()...)
	tr := n.traffic(n.all()...)
	before := n.producers(0)
	if n.seated(before, 4) || len(before.Schedule) != 4 {
		t.Fatalf("%d producers at the beginning, node-4 among them: %v", len(before.Schedule), n.seated(before, 4))
	}
	const coin = 1_000_000
	candidate, voter := n.accounts[0], n.accounts[1]
	start := time.Now()
	n.stake(0, candidate, 2000*coin)
	n.register(0, candidate, 4)
	n.stake(0, voter, 5000*coin)
	// Those in office get votes as well, all but one of them: which is then replaced.
	votes := before.Schedule[:3]
	n.vote(0, voter, candidate.Account(), votes[0].Account, votes[1].Account, votes[2].Account)
	replaced := before.Schedule[3]
	t.Logf("staked, registered and voted after %s, in epoch %d", short(time.Since(start)), n.epochNow(0))

	n.view.await("a block by the elected producer", func(v *view) bool {
		h := v.headers[v.high[0]]
		return h != nil && h.Producer == n.state.Nodes[4].Key.Hash()
	})
	epoch := n.epochNow(0)
	t.Logf("node-4 produces in epoch %d, %s after the first transaction", epoch, short(time.Since(start)))
	n.awaitEpoch(epoch+2, n.all()...)
	now := n.producers(0)
	if !n.seated(now, 4) || len(now.Schedule) != 4 {
		t.Errorf("the set in force has %d seats, node-4 has one: %v", len(now.Schedule), n.seated(now, 4))
	}
	for _, p := range now.Schedule {
		if p.Account == replaced.Account {
			t.Errorf("%s, without votes, still has a seat", p.Account)
		}
	}
	n.view.mu.Lock()
	for h, hd := range n.view.headers {
		if hd.Epoch >= epoch && hd.Producer == replaced.Key.Hash() {
			t.Errorf("block %d of epoch %d is by the producer that was replaced", h, hd.Epoch)
		}
	}
	n.view.mu.Unlock()
	tr.awaitAll()
	f := n.finality(20, n.all()...)
	n.report("after the election", f, 0, 0, 0)
	n.sameChain(n.all()...)
	n.noFault(n.all()...)
	n.stop(n.all()...)
	n.signedOnce(0, 1, 2, 3)
}
