package live

import (
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/internal/load"
)

// TestFinality measures how long after its slot's start a block is irreversible, with four and with seven producers, and how
// long after it the proposal leaves.
func TestFinality(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes int
	}{{"four", 4}, {"seven", 7}} {
		t.Run(c.name, func(t *testing.T) {
			ctx := scenario(t, time.Minute+time.Duration(3**blocks)**slotTime)
			n := newNetwork(t, ctx, build{spec: specification{nodes: c.nodes, producers: c.nodes, slot: *slotTime}})
			n.up(n.all()...)
			before := n.proposals()
			n.report("finality", n.finality(*blocks, n.all()...), 200*time.Millisecond, 500*time.Millisecond, 0)
			n.proposed(before)
			n.sameChain(n.all()...)
			n.noFault(n.all()...)
		})
	}
}

// TestFinalityShort is a short form of it that looks at no times.
func TestFinalityShort(t *testing.T) {
	if *live {
		t.Skip("TestFinality runs")
	}
	ctx := bounded(t, 2*time.Minute)
	n := newNetwork(t, ctx, build{spec: specification{nodes: 4, producers: 4, slot: 200 * time.Millisecond}})
	n.up(n.all()...)
	f := n.finality(12, n.all()...)
	t.Log(f)
	if len(f.producers) < 2 || f.blocks != 12 {
		t.Errorf("%d blocks by %d producers", f.blocks, len(f.producers))
	}
	n.sameChain(n.all()...)
	n.noFault(n.all()...)
}

// report prints figures with their goals; 0 is none.
func (n *network) report(name string, f figures, p50, p99, gap time.Duration) {
	n.Helper()
	n.Logf("%s: %s", name, f)
	n.Logf("%s: produced by %s", name, n.producedBy(f))
	figure(n.T, name+" p50", f.at(.5), p50)
	figure(n.T, name+" p99", f.at(.99), p99)
	figure(n.T, name+" longest gap", f.gap, gap)
}

// proposals is how long after the slot's start proposals have left, by the nodes' own count.
func (n *network) proposals() load.Histogram {
	n.Helper()
	h := load.Histogram{}
	for i := range n.state.Nodes {
		n.await("metrics of "+n.name(i), func() error {
			m, err := n.metrics(i)
			if err == nil {
				h.Add(m, "alto_chain_proposal_delay_seconds")
			}
			return err
		})
	}
	return h
}

// proposed reports on the proposals since an earlier count.
func (n *network) proposed(before load.Histogram) {
	n.Helper()
	h := n.proposals()
	h.Less(before)
	p50, count := h.At(.5)
	p99, _ := h.At(.99)
	n.Logf("%d proposals; times are ends of buckets", count)
	figure(n.T, "proposal after the slot's start p50", p50, 0)
	figure(n.T, "proposal after the slot's start p99", p99, 20*time.Millisecond)
}
