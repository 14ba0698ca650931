package live

import (
	"testing"
	"time"
)

// TestDead measures finality while one producer of four is dead, and two of seven.
func TestDead(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes int
		dead  []int
	}{{"one of four", 4, []int{3}}, {"two of seven", 7, []int{2, 5}}} {
		t.Run(c.name, func(t *testing.T) {
			ctx := scenario(t, 2*time.Minute+time.Duration(6**blocks)**slotTime)
			n := newNetwork(t, ctx, build{spec: specification{nodes: c.nodes, producers: c.nodes, slot: *slotTime}})
			n.up(n.all()...)
			living := n.but(c.dead...)
			killed := time.Now()
			n.kill(c.dead...)
			from := n.highest(living...)
			n.more(1, living...)
			t.Logf("final again %s after the kill", short(time.Since(killed)))
			f := n.finality(*blocks, living...)
			n.report(c.name+" dead", f, 0, 0, 1500*time.Millisecond)
			for _, i := range c.dead {
				if f.producers[n.state.Nodes[i].Key.Hash()] > 0 {
					t.Errorf("%s produces though it is dead", n.name(i))
				}
			}
			if len(f.producers) != len(living) {
				t.Errorf("%d producers made blocks after block %d, not %d", len(f.producers), from, len(living))
			}
			n.start(c.dead...)
			n.more(3, n.all()...)
			n.sameChain(n.all()...)
			n.noFault(n.all()...)
		})
	}
}
