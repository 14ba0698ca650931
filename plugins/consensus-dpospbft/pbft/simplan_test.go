package pbft

import (
	"math/rand/v2"

	"github.com/paloalto-chain/paloalto/internal/simnet"
)

// config is a kind of bulk run: everything else follows from the seed.
type config struct {
	name     string
	n, twins int
	real     bool
	share    float64 // of the seeds of a bulk run
}

// configs are what bulk runs, and the mutants, are made of.
var configs = []config{
	{"n4", 4, 0, false, 0.2},
	{"n4-twin", 4, 1, false, 0.45},
	{"n7-twins", 7, 2, false, 0.15},
	{"n21-twins", 21, 6, false, 0.01},
	{"n1", 1, 0, false, 0.04},
	{"n4-real", 4, 1, true, 0.1},
	{"n4-broken", 4, 2, false, 0.05}, // more twins than the bound allows: I10
}

// plan draws the troubles of a seed.
func (c *config) plan(seed uint64) plan {
	r := rand.New(rand.NewPCG(seed, 0x91a))
	p := plan{n: c.n, twins: c.twins, slots: 40, slotMs: 500, turn: 1, realSigs: c.real, sync: true}
	if c.n > 7 {
		p.slots = 16
	} else if c.n > 4 {
		p.slots = 30
	}
	p.link = simnet.Link{Loss: r.Float64() * 0.4, Dup: 0.1, MinDelay: 1, MaxDelay: 20 + r.Uint64N(1800)}
	if r.IntN(4) == 0 {
		p.link.Loss = 0
	}
	if r.IntN(3) > 0 {
		p.skewMs = 200
	}
	p.partitions, p.crashes, p.oneway = r.IntN(5) > 0, r.IntN(2) == 0, r.IntN(6) == 0
	if r.IntN(3) == 0 {
		p.turn = []uint64{2, 4, 12}[r.IntN(3)]
	}
	if r.IntN(3) == 0 {
		p.lateCheck, p.noCheck, p.noBuild = r.Float64()*0.5, r.Float64()*0.2, r.Float64()*0.3
	}
	if r.IntN(3) > 0 {
		p.epoch, p.sets = 4+r.Uint64N(14), setMode(r.IntN(int(setModes)))
	}
	if p.epoch > 0 && r.IntN(3) == 0 && p.n <= 7 && p.turn <= 2 {
		p.maxSuffix = 2 + r.Uint64N(5)
	}
	p.stale = p.crashes && r.IntN(2) == 0
	p.clocks = r.IntN(8) == 0
	p.garbage = r.IntN(4) == 0
	p.forger = r.IntN(3) == 0
	p.mischief = r.IntN(3) > 0
	p.evidence = r.IntN(2) == 0
	if r.IntN(4) == 0 {
		p.sync = false // the engines are on their own
	}
	switch r.IntN(12) {
	case 0, 1, 2: // does it come back?
		p.calm = p.calmSlots()
	case 3: // a constant delay above a slot, and nothing else: rules without back-off livelock
		p.link = simnet.Link{MinDelay: 550 + r.Uint64N(1000)}
		p.link.MaxDelay = p.link.MinDelay
		p.partitions, p.crashes, p.stale, p.oneway, p.clocks, p.mischief, p.forger, p.turn = false, false, false, false, false, false, false, 1
		p.slow, p.calm, p.slots = true, 3*p.calmSlots(), p.slots/2
	}
	if p.twins > p.maxByz() {
		p.calm = 0 // nothing is promised
	}
	if p.calm > 0 {
		p.maxSuffix = 0 // where it is reached finality comes back too slowly; with the real bound the back-off has grown long before
	}
	if p.calm > 0 && p.twins >= p.maxByz() {
		p.clocks = false // a seat whose clock was wrong may be silent for long, and is one too many
	}
	return p
}

// calmSlots is how long I11 gives, with the widest back-off: the longest run without two honest slots one after the other,
// and three more.
func (p *plan) calmSlots() uint64 {
	f := uint64(p.maxByz())
	run := 2*f + 1
	if p.turn > 1 {
		run = f * p.turn
	}
	return 16 * (run + 3*p.turn)
}
