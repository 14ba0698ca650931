package pbft

import (
	"flag"
	"fmt"
	"slices"
	"testing"

	"github.com/paloalto-chain/paloalto/internal/simnet"
)

var simTable = flag.Bool("sim.table", false, "measure the whole table of finality, which takes minutes; without, its first rows and only for a while")

// finalityRow is a row of the design's table, as its prototype measured it.
type finalityRow struct {
	lo, hi, turn uint64
	dead         int
	final        int // blocks of 240 slots
	p50, p99, mx uint64
}

var finalityRows = []finalityRow{
	{1, 5, 1, 0, 239, 11, 12, 13},
	{40, 150, 1, 0, 239, 322, 352, 368},
	{40, 150, 1, 1, 227, 331, 361, 385},
	{40, 150, 1, 6, 170, 415, 443, 450},
	{100, 250, 1, 0, 238, 576, 612, 635},
	{150, 400, 1, 0, 238, 912, 978, 1023},
	{300, 700, 1, 0, 140, 1716, 9155, 10207},
	{300, 700, 4, 0, 195, 1616, 3170, 3272},
	{300, 700, 12, 0, 222, 1615, 3043, 3224},
}

// TestFinalityTable measures the time from the start of a block's slot until the first node knows that it is final: 21 producers,
// two minutes of virtual time, one-way delays drawn evenly for each message, no time for building and checking, skew of 20 ms.
// While delays stay below a slot the figures must be those of the prototype: blocks within 3 %, p50 within 5 % and 20 ms, p99 and
// the maximum within 10 % and 40 ms (clocks are off by up to 20 ms here and there). With delays above a slot they hang on single
// draws: then at least three quarters of the prototype's blocks, and a p50 at most half as long again.
func TestFinalityTable(t *testing.T) {
	if raceEnabled {
		t.Skip("there is nothing concurrent in a simulation")
	}
	rows, slots := finalityRows, uint64(240)
	if !*simTable {
		rows, slots = rows[:4], 40
	}
	type result struct {
		text string
		bad  []string
	}
	results := make([]result, len(rows))
	forSeeds(0, uint64(len(rows)), func(i uint64) bool {
		r := rows[i]
		s := newSim(i+1, plan{n: 21, mute: r.dead, slots: slots, slotMs: 500, turn: r.turn, skewMs: 20, instant: true,
			link: simnet.Link{MinDelay: r.lo, MaxDelay: r.hi}})
		err := s.run()
		if err == nil && len(s.latency) == 0 {
			err = fmt.Errorf("nothing is final")
		}
		if err != nil {
			results[i].bad = append(results[i].bad, err.Error())
			return true
		}
		slices.Sort(s.latency)
		n := len(s.latency)
		p50, p99, mx := s.latency[n/2], s.latency[n*99/100], s.latency[n-1]
		results[i].text = fmt.Sprintf("| %d-%d | %d | %d | %d | %d / %d / %d | %d | %d / %d / %d |", r.lo, r.hi, r.turn, r.dead, n, p50, p99, mx, r.final, r.p50, r.p99, r.mx)
		want := float64(r.final) * float64(slots) / 240
		bad := func(what string, got, want, most float64) {
			if got > most {
				results[i].bad = append(results[i].bad, fmt.Sprintf("%s is %.0f, the prototype has %.0f", what, got, want))
			}
		}
		fewest := 0.97*want - 3
		if r.hi > 500 {
			fewest = 0.75 * want
			bad("p50", float64(p50), float64(r.p50), 1.5*float64(r.p50))
		} else {
			bad("p50", float64(p50), float64(r.p50), 1.05*float64(r.p50)+20)
			bad("p99", float64(p99), float64(r.p99), 1.1*float64(r.p99)+40)
			bad("the maximum", float64(mx), float64(r.mx), 1.1*float64(r.mx)+40)
		}
		if float64(n) < fewest {
			results[i].bad = append(results[i].bad, fmt.Sprintf("%d blocks of %d slots are final, the prototype has %.0f", n, slots, want))
		}
		return true
	})
	text := fmt.Sprintf("%d slots, 21 producers\n| delay ms | turn | dead | final | p50 / p99 / max ms | prototype: of 240 | p50 / p99 / max |\n|---|---|---|---|---|---|---|", slots)
	for i, r := range results {
		text += "\n" + r.text
		for _, b := range r.bad {
			t.Errorf("row %d (%d-%d ms, turn %d, %d dead): %s", i+1, rows[i].lo, rows[i].hi, rows[i].turn, rows[i].dead, b)
		}
	}
	t.Log(text)
}
