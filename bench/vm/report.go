package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// report is everything that a run found; its JSON is what -json writes.
type report struct {
	When     time.Time
	Machine  string
	Rounds   int
	Engines  map[string]string // column to what it is, or why it is missing
	Programs []row             `json:",omitempty"`
	Means    []mean            `json:",omitempty"`
	Locks    []lockResult      `json:",omitempty"`
	Boundary []boundaryResult  `json:",omitempty"`
	Burners  []burnResult      `json:",omitempty"`
	Worst    []worstResult     `json:",omitempty"`
}

// mean is a geometric mean of ratios beside what it should be.
type mean struct {
	Name     string
	Value    float64 // of the best of each engine
	Lowest   float64 // of a single round
	Highest  float64
	Programs int
	AtMost   float64 `json:",omitempty"`
	AtLeast  float64 `json:",omitempty"`
	Reached  bool
}

// means compares the engines.
func means(rows []row, rounds int) []mean {
	var out []mean
	for _, m := range []struct {
		a, b            string
		atMost, atLeast float64
	}{{columnInterp, columnGforth, 2.2, 0}, {columnEVM, columnInterp, 0, 5}, {columnHot, columnGforth, 0.35, 0}} {
		x := mean{Name: m.a + " ÷ " + m.b, AtMost: m.atMost, AtLeast: m.atLeast}
		if x.Value, x.Programs = ratio(rows, m.a, m.b, -1); x.Programs == 0 {
			continue
		}
		for i := range rounds {
			v, _ := ratio(rows, m.a, m.b, i)
			x.Highest = max(x.Highest, v)
			if x.Lowest == 0 || v < x.Lowest {
				x.Lowest = v
			}
		}
		x.Reached = (m.atMost == 0 || x.Value <= m.atMost) && x.Value >= m.atLeast
		out = append(out, x)
	}
	return out
}

func (m mean) String() string {
	goal := fmt.Sprintf("≤ %.2f", m.AtMost)
	if m.AtLeast > 0 {
		goal = fmt.Sprintf("≥ %.2f", m.AtLeast)
	}
	return fmt.Sprintf("%s %6.2f over %d programs (%.2f to %.2f in single rounds); goal %s: %s", pad(m.Name, 26), m.Value, m.Programs, m.Lowest, m.Highest,
		goal, reached(m.Reached))
}

func reached(ok bool) string {
	if ok {
		return "reached"
	}
	return "MISSED"
}

// head says what is measured and how.
func (r *report) head(w io.Writer, cs []contender) {
	fmt.Fprintf(w, "%s; %s; best of %d\n", r.When.Format(time.DateTime), r.Machine, r.Rounds)
	for _, c := range cs {
		fmt.Fprintf(w, "%-12s %s\n", c.name, r.Engines[c.name])
	}
	fmt.Fprintf(w, "\nprocessor time in ms, user and system, of all threads; in brackets as a multiple of %s\n", columnGforth)
	fmt.Fprintf(w, "%-14s", "")
	for _, c := range cs {
		fmt.Fprintf(w, "%18s", c.name)
	}
	fmt.Fprintf(w, "%14s  %s\n", "gas", "ns a gas")
}

// line prints a row as soon as it is measured.
func (r row) line(w io.Writer, cs []contender) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", pad(r.Program, 14))
	for _, c := range cs {
		took, ok := r.Took[c.name]
		base := r.Took[columnGforth]
		text := "–"
		switch {
		case ok && base > 0:
			text = fmt.Sprintf("%.1f (%.2f)", took, took/base)
		case ok:
			text = fmt.Sprintf("%.1f", took)
		}
		fmt.Fprint(&b, left(text, 18))
	}
	perGas := "–"
	if t, ok := r.Took[columnInterp]; ok && r.Gas > 0 {
		perGas = fmt.Sprintf("%.2f", t*1e6/float64(r.Gas))
	}
	fmt.Fprintf(&b, "%14d  %s", r.Gas, perGas)
	fmt.Fprintln(w, b.String())
}

// pad and left fill with spaces, to the right and to the left, counting characters and not bytes.
func pad(s string, n int) string  { return s + spaces(n-len([]rune(s))) }
func left(s string, n int) string { return spaces(n-len([]rune(s))) + s }

func spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }

func (r *report) means(w io.Writer) {
	fmt.Fprintln(w, "\ngeometric means")
	for _, m := range r.Means {
		fmt.Fprintln(w, m)
	}
}

func (r *report) locks(w io.Writer) {
	const goal = 150
	fmt.Fprintf(w, "\nhash lock in this process, batches of %d on one processor, processor time a run\n", batchRuns)
	for i, l := range r.Locks {
		note := ""
		if i == 0 {
			note = fmt.Sprintf("; goal ≤ %d ns: %s", goal, reached(l.Nanoseconds <= goal))
		}
		fmt.Fprintf(w, "%s %7.1f ns; %d bytes; allocations: %.3f a run, and %.0f a batch%s\n", pad(l.Name, 38), l.Nanoseconds, l.Bytes, l.Allocations, l.BatchAllocs, note)
	}
}

func (r *report) boundary(w io.Writer) {
	const goal = 200_000
	fmt.Fprintf(w, "\nhash locks through RunBatch, the plugin a caged process whose Go uses one processor, one batch of %d after the other\n", batchRuns)
	for _, b := range r.Boundary {
		fmt.Fprintf(w, "%s %9.0f a second; goal ≥ %d: %s; processor time a run: plugin %.0f ns, host %.0f ns, so %.0f a second if both shared one processor\n",
			pad(b.Name, 22), b.PerSecond, goal, reached(b.PerSecond >= goal), b.Plugin, b.Host, 1e9/(b.Plugin+b.Host))
	}
}

func (r *report) burners(w io.Writer) {
	fmt.Fprintf(w, "\ncontracts that burn %d gas, in this process: processor time, and what a unit costs; a unit stands for about 1.2 ns\n", worstGas)
	for _, b := range r.Burners {
		fmt.Fprintf(w, "%s %8.3f ms; %5.2f ns a gas; ended with status %d after %d\n", pad(b.Name, 26), b.Milliseconds, b.perGas(), b.Status, b.Used)
	}
}

func (r *report) worst(w io.Writer) {
	fmt.Fprintln(w, "\nthe worst batches over the boundary, the plugin on all processors")
	for _, x := range r.Worst {
		what := fmt.Sprintf("done in %.2f s", x.Seconds)
		if x.Refused != "" {
			what = fmt.Sprintf("refused after %.2f s: %s", x.Seconds, x.Refused)
		}
		fmt.Fprintf(w, "%d times %s: %s\n", x.Runs, x.Name, what)
	}
}
