package pbft

import (
	"testing"
)

// TestMutants shows that the simulation notices when a rule is missing: each must end in conflicting finality, the worst that
// can happen, within a number of seeds.
func TestMutants(t *testing.T) {
	if raceEnabled {
		t.Skip("there is nothing concurrent in a simulation")
	}
	// Needs a vote on a fork and a late QC: bodies that come late, and no rescue by the core.
	forks := func(p *plan, seed uint64) {
		p.turn, p.crashes, p.sync = 1, false, false
		p.delayMs, p.loss = 300+seed*7%900, float64(seed%10)/25
		p.lateCheck, p.noCheck, p.noBuild = 0.5, 0, 0
	}
	for _, c := range []struct {
		name   string
		rules  rules
		twins  int
		within uint64
		mod    func(*plan, uint64)
	}{
		{"one phase", rules{onePhase: true}, 0, 400, nil},
		{"no R2", rules{noR2: true}, 1, 200, nil},
		{"no R4", rules{noR4: true}, 1, 200, nil},
		{"no forkSlot", rules{noForkSlot: true}, 1, 400, forks},
		{"votes forgotten", rules{forgetVotes: true}, 1, 200, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= c.within; seed++ {
				p := troublePlan(seed, 4, c.twins)
				p.rules, p.conflicts, p.garbage = c.rules, true, false
				if c.mod != nil {
					c.mod(&p, seed)
				}
				if err := newSim(seed, p).run(); err != nil {
					t.Logf("killed at seed %d: %v", seed, err)
					return
				}
			}
			t.Errorf("not noticed within %d seeds", c.within)
		})
	}
}
