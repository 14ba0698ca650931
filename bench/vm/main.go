// Command vm measures vm-forth beside gforth and go-ethereum's EVM, in one run: the same programs, from one Forth text for
// gforth-fast and the dialect paloalto, by hand for the EVM, and in Go for scale. It compares the results. It is a module of
// its own, so that the EVM is no dependency of the product. gforth-fast has to be installed (Debian: apt-get install gforth).
//
//	make bench-vm
//	cd bench/vm && go run .
//	cd bench/vm && go run . -only programs -rounds 2 -loop 10000000
//
// Times of programs are processor time, user and system, of all threads of the process: the least of some rounds, in which
// the engines take turns. Where gforth compiles its source, this counts; its start-up, measured with an empty program, does
// not. Other engines are measured in this process and have compiled before; what the hot tier compiles on its first runs
// counts in no round.
//
// Besides: what a hash lock, the white paper's contract, takes in this process and, in batches, over the boundary to the
// plugin's process; what contracts take that burn all their gas, and a batch of 4,096 of the worst.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The parts of a measurement.
const (
	partPrograms = "programs"
	partLock     = "lock"
	partBoundary = "boundary"
	partWorst    = "worst"
)

type options struct {
	rounds   int
	loop     int64
	lockTime time.Duration
	worst    int
	gforth   string
	only     string
	json     string
}

func (o options) has(part string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), part)
}

func main() {
	if servePlugin(os.Args) {
		return
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often each measurement is made; the best counts")
	flag.Int64Var(&o.loop, "loop", 100_000_000, "rounds of the counted loop")
	flag.DurationVar(&o.lockTime, "lock-time", time.Second/2, "how long hash locks are run in a round, at least")
	flag.IntVar(&o.worst, "worst", worstRuns, "contracts of the worst batch")
	flag.StringVar(&o.gforth, "gforth", columnGforth, "gforth-fast, a name in PATH or a path")
	flag.StringVar(&o.only, "only", "", "parts, separated by commas: programs, lock, boundary, worst; empty: all")
	flag.StringVar(&o.json, "json", "", "write the results as JSON to this file as well")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.rounds < 1 || o.loop < 1 || o.worst < 1 {
		return errors.New("-rounds, -loop and -worst are 1 or more")
	}
	r := &report{When: time.Now().UTC(), Rounds: o.rounds, Engines: map[string]string{},
		Machine: fmt.Sprintf("%s %s/%s, %d processors%s", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), systemLoad())}
	err := r.measure(ctx, o)
	if o.json != "" {
		b, jerr := json.MarshalIndent(r, "", "  ")
		if jerr == nil {
			jerr = os.WriteFile(o.json, append(b, '\n'), 0o644)
		}
		err = errors.Join(err, jerr)
	}
	return err
}

func (r *report) measure(ctx context.Context, o options) (err error) {
	w := os.Stdout
	if o.has(partPrograms) {
		cs, err := r.contenders(ctx, o)
		if err != nil {
			return err
		}
		r.head(w, cs)
		if r.Programs, err = measureGrid(ctx, programs(o.loop), cs, o.rounds, w); err != nil {
			return err
		}
		r.Means = means(r.Programs, o.rounds)
		r.means(w)
	}
	if o.has(partLock) {
		if r.Locks, err = measureLocks(ctx, o); err != nil {
			return err
		}
		r.locks(w)
	}
	if o.has(partBoundary) {
		if r.Boundary, err = measureBoundary(ctx, o); err != nil {
			return err
		}
		r.boundary(w)
	}
	if o.has(partWorst) {
		if r.Burners, err = measureBurners(ctx, o); err != nil {
			return err
		}
		r.burners(w)
		if r.Worst, err = measureWorst(ctx, o, r.Burners); err != nil {
			return err
		}
		r.worst(w)
	}
	return nil
}

// contenders opens the engines. All but the hot tier have to be there.
func (r *report) contenders(ctx context.Context, o options) ([]contender, error) {
	g, err := newGforth(ctx, o.gforth)
	if err != nil {
		return nil, err
	}
	interpreter, err := newAlto(ctx, nil)
	if err != nil {
		return nil, err
	}
	cs := []contender{{name: columnGforth, engine: g}, {name: columnInterp, engine: interpreter}}
	r.Engines[columnGforth] = g.about(ctx)
	r.Engines[columnInterp] = "vm-forth in this process, code loaded before"
	hot, err := newAlto(ctx, map[string]any{"hot_tier": "wazero"})
	if err == nil {
		cs = append(cs, contender{name: columnHot, engine: hot})
		r.Engines[columnHot] = `the same with hot_tier = "wazero"; warm`
	} else {
		cs = append(cs, contender{name: columnHot})
		r.Engines[columnHot] = "not available: " + err.Error()
	}
	cs = append(cs, contender{name: columnEVM, engine: evm{}}, contender{name: columnNative, engine: native{}})
	r.Engines[columnEVM] = "go-ethereum " + moduleVersion("github.com/ethereum/go-ethereum") + ", core/vm/runtime, code written by hand"
	r.Engines[columnNative] = "the same algorithms compiled, for scale"
	return cs, nil
}
