package pbft

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// mutant is a machine, or a core, without one of its rules.
type mutant struct {
	name   string
	rules  rules
	core   coreRules
	config string // of the bulk runs; with the generator and settings of these
	script bool   // only a transcript notices: see testdata
}

// mutants are the wrong rules. Each must break an invariant within a thousand seeds.
var mutants = []mutant{
	{name: "one phase", rules: rules{onePhase: true}, config: "n4"},
	{name: "no R2", rules: rules{noR2: true}, config: "n4-twin"},
	{name: "no R3", rules: rules{noR3: true}, config: "n4-twin"},
	{name: "no R4", rules: rules{noR4: true}, config: "n4-twin"},
	{name: "no forkSlot", rules: rules{noForkSlot: true}, config: "n4-twin"},
	{name: "any src", rules: rules{anySrc: true}, config: "n4-twin"},
	{name: "any justify", rules: rules{anyJustify: true}, config: "n4-twin"},
	{name: "no back-off", rules: rules{noBackoff: true}, config: "n4"},
	{name: "votes forgotten", rules: rules{forgetVotes: true}, config: "n4"},
	{name: "next set takes over early", rules: rules{earlySet: true}, config: "n4-twin"},
	{name: "suffix kept", rules: rules{keepSuffix: true}, config: "n4-twin"},
	{name: "offenders are not shunned", rules: rules{noShun: true}, config: "n4-twin"},
	{name: "blocks are taken before their time", core: coreRules{anyTime: true}, config: "n4-twin"},
	{name: "certificates not verified", core: coreRules{anyCert: true}, config: "n4-twin"},
	{name: "PrepareQCs not verified", core: coreRules{anyQC: true}, config: "n4-twin"},
	{name: "VRF not verified", core: coreRules{anyVRF: true}, config: "n4-twin"},
	{name: "volatile bodies", core: coreRules{volatileBodies: true}, config: "n4"},
	{name: "older journal accepted", core: coreRules{anyJournal: true}, config: "n4"},
	{name: "older journal accepted, no guard", core: coreRules{anyJournal: true, noGuard: true}, config: "n4"},
	{name: "signed before it is durable", core: coreRules{lateSync: true}, config: "n4"},
}

func mutantNamed(t *testing.T, name string) *mutant {
	for i := range mutants {
		if mutants[i].name == name {
			return &mutants[i]
		}
	}
	t.Fatalf("there is no mutant %q", name)
	return nil
}

func configNamed(name string) *config {
	for i := range configs {
		if configs[i].name == name {
			return &configs[i]
		}
	}
	return nil
}

// TestMutants shows that the simulation notices when a rule is missing: with the seeds, the generator and the settings of
// TestSim an invariant must break.
func TestMutants(t *testing.T) {
	if raceEnabled {
		t.Skip("there is nothing concurrent in a simulation")
	}
	for _, mu := range mutants {
		if *simMutant != "" && mu.name != *simMutant {
			continue
		}
		t.Run(strings.ReplaceAll(mu.name, " ", "-"), func(t *testing.T) {
			begin := time.Now()
			var mutex sync.Mutex
			killed, why, after := uint64(0), "", 0
			forSeeds(1, 1000, func(seed uint64) bool {
				p := configNamed(mu.config).plan(seed)
				p.rules, p.core, p.onlyConflicts = mu.rules, mu.core, *simWorst
				err := newSim(seed, p).run()
				mutex.Lock()
				defer mutex.Unlock()
				after++
				if err != nil && (killed == 0 || seed < killed) {
					killed, why = seed, err.Error()
				}
				return err == nil
			})
			told := fmt.Sprintf("%d seeds run, %.1f s", after, time.Since(begin).Seconds())
			switch {
			case killed > 0:
				if err := newSim(killed, configNamed(mu.config).plan(killed)).run(); err != nil {
					t.Errorf("with all rules seed %d breaks too: %v", killed, err)
				}
				t.Logf("%s: killed at seed %d (%s): %.160s", mu.name, killed, told, why)
			case mu.script:
				t.Logf("%s: not noticed by any seed (%s); a transcript notices", mu.name, told)
			default:
				t.Errorf("%s: not noticed (%s)", mu.name, told)
			}
		})
	}
}
