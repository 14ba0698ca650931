package live

import (
	"fmt"
	"testing"
	"time"
)

// TestPartition splits four nodes two and two: nothing becomes final, though heads go on, until it heals. Then one node is
// parted from three, which go on. Then the network is bad in two ways.
func TestPartition(t *testing.T) {
	ctx := scenario(t, 3*time.Minute+time.Duration(12**blocks)**slotTime)
	_, seed := random(t)
	n := newNetwork(t, ctx, build{spec: specification{nodes: 4, producers: 4, slot: *slotTime, consensus: shortEpochs("10s")}, proxied: seed})
	n.up(n.all()...)
	n.report("through the proxy", n.finality(min(*blocks, 20), n.all()...), 0, 0, 0)
	n.parted(16, []int{0, 1}, []int{2, 3})
	figure(t, "finality after a partition 2/2 healed", n.healed(n.all()...), 5*time.Second)

	n.partition([]int{0, 1, 2}, []int{3})
	before := n.highest(3)
	n.more(8, 0, 1, 2)
	if h := n.highest(3); h > before+2 {
		t.Errorf("a node that is alone made blocks final: %d, then %d", before, h)
	}
	figure(t, "finality after a partition 1/3 healed", n.healed(n.all()...), 5*time.Second)
	n.more(4, n.all()...)

	n.faults("loss=5% jitter=50ms")
	n.report("5 % loss, jitter 50 ms", n.finality(*blocks, n.all()...), 0, 0, 0)
	n.faults("none")
	figure(t, "a final block after the loss ended", n.healed(n.all()...), 5*time.Second)
	n.faults("loss=1% delay=50ms")
	n.report("100 ms round trip, 1 % loss", n.finality(*blocks, n.all()...), 0, time.Second, 0)
	n.faults("none")
	n.more(3, n.all()...)
	n.sameChain(n.all()...)
	n.noFault(n.all()...)
	forwarded, lost, cut := n.carried()
	t.Logf("the proxy forwarded %d datagrams, lost %d and cut %d", forwarded, lost, cut)
	if forwarded == 0 || lost == 0 || cut == 0 {
		t.Error("not everything passed the proxy")
	}
}

// TestPartitionShort is a short form of it that looks at no times.
func TestPartitionShort(t *testing.T) {
	if *live {
		t.Skip("TestPartition runs")
	}
	ctx := bounded(t, 2*time.Minute)
	_, seed := random(t)
	n := newNetwork(t, ctx, build{spec: specification{nodes: 4, producers: 4, slot: 100 * time.Millisecond}, proxied: seed})
	n.up(n.all()...)
	n.parted(4, []int{0, 1}, []int{2, 3})
	t.Logf("final again %s after the partition", short(n.healed(n.all()...)))
	n.sameChain(n.all()...)
	n.noFault(n.all()...)
	if forwarded, _, cut := n.carried(); forwarded == 0 || cut == 0 {
		t.Errorf("the proxy forwarded %d datagrams and cut %d", forwarded, cut)
	}
}

// parted splits the network into halves, and checks that nothing becomes final while heads grow, which is how time is told.
func (n *network) parted(blocks uint64, a, b []int) {
	n.Helper()
	n.partition(a, b)
	all := append(append([]int(nil), a...), b...)
	grown := func(above uint64) (finals []uint64) {
		for _, i := range all {
			n.await(fmt.Sprintf("the head of %s to be %d blocks above what is final", n.name(i), above), func() error {
				s, err := n.status(i)
				if err == nil && s.Head < s.Final+above {
					err = fmt.Errorf("head %d, final %d", s.Head, s.Final)
				}
				return err
			})
		}
		for _, i := range all {
			n.await("the status of "+n.name(i), func() error {
				s, err := n.status(i)
				if err == nil {
					finals = append(finals, s.Final)
				}
				return err
			})
		}
		return finals
	}
	before := grown(3) // what had its votes when the network split may still become final
	after := grown(3 + blocks)
	for k, i := range all {
		if after[k] != before[k] {
			n.Errorf("%s made blocks final in a partition without a quorum: %d, then %d", n.name(i), before[k], after[k])
		}
	}
	n.Logf("parted: final stays at %v", after)
}

// healed ends a partition and returns how long it takes until all nodes have a new final block.
func (n *network) healed(nodes ...int) time.Duration {
	n.Helper()
	high := n.highest(nodes...)
	start := time.Now()
	n.heal()
	n.awaitFinal(high+1, nodes...)
	return time.Since(start)
}
