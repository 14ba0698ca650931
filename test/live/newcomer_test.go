package live

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/internal/localnet"
)

// TestNewcomer lets nodes with empty folders join a chain that is several epochs old, with a checkpoint. One gets the right one
// and syncs. The other is told a wrong one and refuses the chain, until it is told the right one.
func TestNewcomer(t *testing.T) {
	ctx := scenario(t, 4*time.Minute)
	checkpoint := ""
	n := newNetwork(t, ctx, build{spec: specification{nodes: 6, producers: 4, slot: 200 * time.Millisecond,
		consensus: append(shortEpochs("4s"), `seats = 4`)},
		command: func(node int, c *localnet.Command) {
			if node >= 4 && checkpoint != "" {
				c.Args = append(c.Args, "--checkpoint", checkpoint)
			}
		}})
	old := n.but(4, 5)
	const misled, newcomer = 4, 5
	n.up(old...)
	tr := n.traffic(old...)
	first := n.epochNow(0)
	n.awaitEpoch(first+4, old...)
	s, err := n.status(0)
	if err != nil {
		t.Fatal(err)
	}
	n.more(5, old...)

	wrong := s.FinalID
	wrong[0] ^= 1
	checkpoint = fmt.Sprintf("root=%d:%s", s.Final, wrong)
	if err := n.sup.Start(n.ctx, n.name(misled)); err != nil {
		t.Logf("with a wrong checkpoint the node does not start: %v", err)
	} else {
		n.await("the refusal", func() error {
			for _, line := range n.log(misled) {
				if strings.Contains(line, "contradicts the checkpoint") {
					t.Logf("with a wrong checkpoint: %s", line)
					return nil
				}
			}
			st, err := n.status(misled)
			if err == nil && strings.Contains(st.Halted+st.Trouble, "contradicts the checkpoint") {
				t.Logf("with a wrong checkpoint: %s%s", st.Halted, st.Trouble)
				return nil
			}
			return fmt.Errorf("it says nothing: %+v %v", st, err)
		})
		if st, err := n.status(misled); err == nil && st.Final >= s.Final {
			t.Errorf("the node took %d blocks of a chain that contradicts its checkpoint", st.Final)
		}
		n.stop(misled)
	}

	checkpoint = fmt.Sprintf("root=%d:%s", s.Final, s.FinalID)
	high := n.highest(old...)
	start := time.Now()
	n.start(newcomer)
	n.awaitFinal(high, newcomer)
	t.Logf("the newcomer has %d blocks of %d epochs %s after its start", high, n.epochNow(newcomer)+1, short(time.Since(start)))
	n.start(misled)
	n.more(5, n.all()...)
	tr.awaitAll()
	n.sameChain(n.all()...)
	n.noFault(n.all()...)
}
