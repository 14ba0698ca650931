package pbft

import (
	"fmt"
	"slices"
	"testing"
)

// TestCalm is a network without trouble: a block a slot, all final at once.
func TestCalm(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 7, 21} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := newSim(1, plan{n: n, slots: 60, slotMs: 500, turn: 1, delayMs: 50})
			if err := s.run(); err != nil {
				t.Fatal(err)
			}
			slices.Sort(s.latency)
			if s.finalBlocks < 58 || s.latency[len(s.latency)-1] > 250 {
				t.Fatalf("%d blocks are final, the last after %d ms", s.finalBlocks, s.latency[len(s.latency)-1])
			}
		})
	}
}
