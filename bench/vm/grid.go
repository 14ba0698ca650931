package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// The columns of the table.
const (
	columnGforth = "gforth-fast"
	columnInterp = "interpreter"
	columnHot    = "hot tier"
	columnEVM    = "EVM"
	columnNative = "Go"
)

// contender is an engine with its name; it is nil if it is not there.
type contender struct {
	name   string
	engine engine
}

// row is a program with the least processor time that each engine took for it, in milliseconds.
type row struct {
	Program string
	Result  int64 // of a run, the same on all engines
	Gas     uint64
	Took    map[string]float64
	Rounds  map[string][]float64 // of which Took is the least
}

// measureGrid runs each program on each engine, rounds times, in turn. It fails if results differ.
func measureGrid(ctx context.Context, ps []program, cs []contender, rounds int, progress io.Writer) ([]row, error) {
	var rows []row
	for _, p := range ps {
		r := row{Program: p.title(), Took: map[string]float64{}, Rounds: map[string][]float64{}, Result: p.native(p.n)}
		runners := make([]runner, len(cs))
		for i, c := range cs {
			if c.engine == nil {
				continue
			}
			var err error
			if runners[i], err = c.engine.prepare(ctx, p); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
		}
		for range rounds {
			for i, run := range runners {
				if run == nil {
					continue
				}
				got, cpu, err := timed(ctx, run)
				if err != nil {
					return nil, fmt.Errorf("%s: %s: %w", cs[i].name, p.name, err)
				}
				if got != r.Result {
					return nil, fmt.Errorf("%s: %s leaves %d, the others %d", cs[i].name, p.title(), got, r.Result)
				}
				name := cs[i].name
				r.Rounds[name] = append(r.Rounds[name], ms(cpu))
				r.Took[name] = slices.Min(r.Rounds[name])
			}
		}
		for _, c := range cs {
			if a, ok := c.engine.(*alto); ok && c.name == columnInterp {
				var err error
				if r.Gas, err = a.gas(ctx, p); err != nil {
					return nil, err
				}
			}
		}
		r.line(progress, cs)
		rows = append(rows, r)
	}
	return rows, nil
}

func timed(ctx context.Context, run runner) (int64, time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	return run(ctx)
}

// ratio is the geometric mean of what one engine takes by what another takes, over the programs that both ran, and how
// many these are. The number of a round is from 0; negative, it asks for the best of all.
func ratio(rows []row, a, b string, round int) (float64, int) {
	took := func(r row, name string) float64 {
		if round < 0 {
			return r.Took[name]
		}
		if round < len(r.Rounds[name]) {
			return r.Rounds[name][round]
		}
		return 0
	}
	var xs []float64
	for _, r := range rows {
		if x, y := took(r, a), took(r, b); x > 0 && y > 0 {
			xs = append(xs, x/y)
		}
	}
	return geomean(xs), len(xs)
}
