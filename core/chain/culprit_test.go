package chain

import (
	"context"
	"errors"
	"math/bits"
	"testing"
)

// TestSearch has a module that dies of one thing, or of two things together, and looks who is named.
func TestSearch(t *testing.T) {
	type block struct {
		txs, due  int
		extension bool
	}
	lost := errors.New("the state was lost")
	for name, c := range map[string]struct {
		block
		kills func(p part, due int) bool
		want  charge
		fails int // at which probe the prober fails
	}{
		"one of many":           {block{1000, 5, true}, func(p part, _ int) bool { return p.txs > 617 }, charge{tx: 617, due: -1, again: true}, 0},
		"the first":             {block{1000, 0, false}, func(p part, _ int) bool { return p.txs > 0 }, charge{tx: 0, due: -1, again: true}, 0},
		"the last":              {block{1000, 0, false}, func(p part, _ int) bool { return p.txs > 999 }, charge{tx: 999, due: -1, again: true}, 0},
		"the only one":          {block{1, 0, false}, func(p part, _ int) bool { return p.txs > 0 }, charge{tx: 0, due: -1, again: true}, 0},
		"with an extension":     {block{9, 0, true}, func(p part, _ int) bool { return p.txs > 4 && p.extension }, charge{tx: 4, due: -1, again: true}, 0},
		"the extension":         {block{9, 3, true}, func(p part, _ int) bool { return p.extension }, charge{tx: -1, due: -1, extension: true, again: true}, 0},
		"something due":         {block{9, 64, true}, func(_ part, due int) bool { return due > 40 }, charge{tx: -1, due: 40, again: true}, 0},
		"due, and nothing else": {block{0, 1, false}, func(_ part, due int) bool { return due > 0 }, charge{tx: -1, due: 0, again: true}, 0},
		"the block itself":      {block{9, 9, true}, func(part, int) bool { return true }, charge{tx: -1, due: -1, block: true, again: true}, 0},
		"an empty block":        {block{}, func(part, int) bool { return true }, charge{tx: -1, due: -1, block: true, again: true}, 0},
		"not again":             {block{9, 9, true}, func(part, int) bool { return false }, charge{tx: -1, due: -1}, 0},
		"not found out at all":  {block{9, 9, true}, func(part, int) bool { return true }, charge{tx: -1, due: -1}, 1},
		"not found out":         {block{900, 0, false}, func(p part, _ int) bool { return p.txs > 3 }, charge{tx: -1, due: -1, again: true}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			got, err := search(t.Context(), c.txs, c.extension, func(_ context.Context, p part) (bool, int, error) {
				if asked++; asked == c.fails {
					return false, 0, lost
				}
				due := c.due
				if p.due >= 0 {
					due = min(due, p.due)
				}
				if p.txs > c.txs || p.extension && !c.extension {
					t.Errorf("it asks about %+v, which the block does not have", p)
				}
				return c.kills(p, due), due, nil
			})
			if (err != nil) != (c.fails > 0) || c.fails > 0 && !errors.Is(err, lost) {
				t.Errorf("error %v", err)
			}
			if most := 4 + bits.Len(uint(c.txs)) + bits.Len(uint(c.due)); asked > most || got.probes != asked {
				t.Errorf("%d probes, %d told; at most %d are needed", asked, got.probes, most)
			}
			got.probes = 0
			if got != c.want {
				t.Errorf("found %+v, want %+v", got, c.want)
			}
		})
	}
}
