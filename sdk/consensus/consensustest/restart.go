package consensustest

import (
	"errors"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func restartCases() []Case {
	return []Case{
		{"bad-records-are-refused", "an engine that overlooks its past may contradict it", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			for what, change := range map[string]func(s *consensus.Start){
				"a record":   func(s *consensus.Start) { s.Records = [][]byte{[]byte("\xffgarbage")} },
				"a snapshot": func(s *consensus.Start) { s.Snapshot = []byte("\xffgarbage") },
			} {
				s := c.startEvent()
				change(s)
				if _, err := c.engine.Run(w.ctx, s); !errors.Is(err, consensus.ErrBadState) {
					t.Fatalf("run with %s of garbage: %v, want ErrBadState", what, err)
				}
			}
		}},
		{"goes-on-after-a-restart", "a plugin may be killed at any time", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			c.start()
			for life := range 3 {
				if want := c.final.Height + 2; !w.run(30, w.finalAt(want)) {
					t.Fatalf("in life %d height %d is final after 30 slots, want %d", life+1, c.final.Height, want)
				}
				c.stop()
				watchFinal(t, c)
				c.start()
			}
		}},
		{"checked-once", "the bodies of blocks that were checked are in the journal", func(t T, f Factory) {
			w, c := alone(t, f)
			defer w.done()
			c.sign = func(u consensus.Unsigned) bool { return u.Purpose != types.PurposeCommit } // nothing becomes final
			done := map[types.BlockID]bool{}                                                     // what was built upon was checked before, and the record of that came no later
			c.build = func(b *consensus.Build, _ *types.Header) bool {
				done[b.Parent] = true
				return true
			}
			stopped := false
			c.check = func(k consensus.Check) (bool, bool) {
				if stopped && done[k.Header.ID()] {
					t.Errorf("after a restart a block is asked for that was checked before it")
				}
				return true, true
			}
			c.start()
			w.run(4, nil)
			c.stop()
			stopped = true
			c.start()
			w.run(3, nil)
		}},
	}
}
