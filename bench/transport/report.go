package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// report is everything that a run found; its JSON is what -json writes.
type report struct {
	When    time.Time
	Machine string
	Mode    string
	Seed    uint64
	Bytes   int64
	Time    time.Duration
	Names   []string
	Peers   map[string]string // settings by name
	Rows    []*row
	Junk    []*junkResult `json:",omitempty"`
}

// head says what is measured with which settings.
func (r *report) head(w io.Writer) {
	fmt.Fprintf(w, "%s; %s; seed %d; each at most %d MiB or %v\n", r.When.Format(time.DateTime), r.Machine, r.Seed, r.Bytes>>20, r.Time)
	for _, n := range r.Names {
		fmt.Fprintf(w, "%-12s %s\n", n, r.Peers[n])
	}
	fmt.Fprintf(w, "rates in MB/s (10^6 bytes) of message payload; cpu in ns a byte, both ends; p50 and p99 of control messages' one-way latency in ms;\n"+
		"* the proxy bounds it; path: MTU 1500 unless the cell's name says jumbo\n\n")
}

// line prints a row as soon as it is measured.
func (r *report) line(w io.Writer, row *row) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-13s %-8s", row.Cell.Name, row.Work)
	if row.Ceiling.Bytes > 0 {
		fmt.Fprintf(&b, " proxy %6.1f", row.Ceiling.Bytes/1e6)
	} else {
		fmt.Fprintf(&b, " %12s", "")
	}
	for _, n := range r.Names {
		x := row.Results[n]
		mark := " "
		if x.Bound {
			mark = "*"
		}
		fmt.Fprintf(&b, " | %s %7.2f%s cpu %5.1f", n, x.goodput()/1e6, mark, x.cpu())
		if row.Work == mixedWork && x.Control != nil {
			fmt.Fprintf(&b, " p50 %6.1f p99 %7.1f", ms(x.Control.P50), ms(x.Control.P99))
		}
	}
	for _, n := range r.Names[1:] {
		fmt.Fprintf(&b, " | ÷%s", n)
		if q, ok := row.ratio(r.Names[0], n); ok {
			fmt.Fprintf(&b, " %5.2f", q)
		} else {
			b.WriteString("     –")
		}
		if row.Work == mixedWork {
			if q, ok := row.latency(r.Names[0], n); ok {
				fmt.Fprintf(&b, " p99 %5.2f", q)
			}
		}
	}
	fmt.Fprintln(w, b.String())
	for _, n := range r.Names {
		if t := row.Results[n].trouble(); t != "" {
			fmt.Fprintf(w, "    %s: %s\n", n, t)
		}
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// ratio is the goodput of one transport as a multiple of another's.
func (r *row) ratio(a, b string) (float64, bool) {
	x, y := r.Results[a].goodput(), r.Results[b].goodput()
	return x / max(y, 1), y > 0
}

// latency is the p99 latency of one transport as a multiple of another's.
func (r *row) latency(a, b string) (float64, bool) {
	x, y := r.Results[a].Control, r.Results[b].Control
	if x == nil || y == nil || y.P99 <= 0 {
		return 0, false
	}
	return float64(x.P99) / float64(y.P99), true
}

// trouble says what was not as it should be.
func (r *result) trouble() string {
	var t []string
	add := func(n uint64, format string) {
		if n > 0 {
			t = append(t, fmt.Sprintf(format, n))
		}
	}
	if r.Error != "" {
		t = append(t, r.Error)
	}
	for i, a := range []*account{r.Bulk, r.Control} {
		if a == nil {
			continue
		}
		lane := []string{"bulk", "control"}[i]
		add(a.Altered, "%d ALTERED on "+lane)
		add(a.Late, "%d out of order on "+lane)
		add(a.Broken, "%d lost with a connection on "+lane)
		add(a.Missing-a.Broken, fmt.Sprintf("%%d of %d on %s not come in %v after the end", a.Sent, lane, patience))
		add(a.Twice, "%d twice on "+lane)
	}
	if r.Broken > 0 {
		t = append(t, fmt.Sprintf("%d connections broke (%s)", r.Broken, r.Why))
	}
	for i, l := range r.Logs {
		if i < 2 {
			t = append(t, l)
		}
	}
	return strings.Join(t, "; ")
}

// clean tells whether all that was sent came once and unaltered.
func (r *result) clean() bool {
	if r.Error != "" || r.Bulk == nil && r.Control == nil {
		return false
	}
	for _, a := range []*account{r.Bulk, r.Control} {
		if a != nil && (a.Missing > 0 || a.Altered > 0 || a.Late > 0) {
			return false
		}
	}
	return true
}

// addBest adds, if there are several ways to use a transport among the results, one more which is the best of them in each
// row, and returns its name.
func (r *report) addBest(prefix string) []string {
	var ways []string
	for _, n := range r.Names[1:] {
		if strings.HasPrefix(n, prefix) {
			ways = append(ways, n)
		}
	}
	if len(ways) < 2 {
		return nil
	}
	best := "the best of " + prefix
	for _, row := range r.Rows {
		for _, n := range ways {
			a, b := row.Results[best], row.Results[n]
			if a == nil || row.Work != mixedWork && b.goodput() > a.goodput() ||
				row.Work == mixedWork && a.Control != nil && b.Control != nil && b.Control.P99 < a.Control.P99 {
				row.Results[best] = b
			}
		}
	}
	return []string{best}
}

// summary says how the first transport does against the others, and what of its bytes was checked.
func (r *report) summary(w io.Writer) {
	if len(r.Names) == 0 || len(r.Rows) == 0 {
		return
	}
	first := r.Names[0]
	fmt.Fprintln(w)
	for _, n := range slices.Concat(r.Names[1:], r.addBest("quic")) {
		var counted, reached, bound, timed, fast int
		worst, slowest := "", ""
		low, high := 0.0, 0.0
		for _, row := range r.Rows {
			if row.Cell.Extra {
				continue
			}
			if row.Work == mixedWork {
				if q, ok := row.latency(first, n); ok {
					timed++
					if q <= 1 {
						fast++
					}
					if q > high {
						high, slowest = q, row.Cell.Name
					}
				}
				continue
			}
			q, ok := row.ratio(first, n)
			if row.Results[first].Bound || row.Results[n].Bound {
				bound++
				continue
			}
			if !ok {
				continue
			}
			counted++
			if q >= 1 {
				reached++
			}
			if worst == "" || q < low {
				low, worst = q, row.Cell.Name+" "+row.Work
			}
		}
		fmt.Fprintf(w, "%s against %s, main table: goodput at least as high in %d of %d (worst %.2f, %s; %d more are bound by the proxy)", first, n, reached, counted, low, worst, bound)
		if timed > 0 {
			fmt.Fprintf(w, "; p99 at most as high in %d of %d (worst %.2f, %s)", fast, timed, high, slowest)
		}
		fmt.Fprintln(w)
	}
	for _, n := range r.Names {
		var messages, bytes uint64
		dirty := 0
		for _, row := range r.Rows {
			x := row.Results[n]
			if !x.clean() {
				dirty++
			}
			for i, a := range []*account{x.Bulk, x.Control} {
				if a != nil {
					messages += a.Got
					bytes += a.Got * []uint64{bulkSize, controlSize}[i]
				}
			}
		}
		if dirty == 0 {
			fmt.Fprintf(w, "%s: 0 bytes lost or altered of %d messages, %.1f MB: every byte was compared\n", n, messages, float64(bytes)/1e6)
		} else {
			fmt.Fprintf(w, "%s: %d of %d measurements have lost, altered, disordered or unfinished messages or errors, see above; %d messages, %.1f MB came as sent\n", n, dirty, len(r.Rows),
				messages, float64(bytes)/1e6)
		}
	}
}
