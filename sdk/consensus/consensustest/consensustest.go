// Package consensustest is the conformance suite of the consensus kind: named cases that every engine passes, in process and
// behind a gRPC connection.
//
// An engine's own test calls [Run] with a [Factory]; [Remote] turns one factory into another whose engines are reached through
// gRPC over a unix socket. A case knows nothing of an engine's messages: it plays the core, carries messages from engine to
// engine, signs, checks and builds, and looks at what an engine asks for. Time is virtual, and moves from slot to slot.
//
// [Broken] lists, for each case, a way to break an engine that only this case notices: [RunBroken] shows for an engine that the
// suite can fail.
package consensustest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
)

// T is what a case needs of a *testing.T. A runner outside of go test can implement it: Fatalf must not return.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

// Factory opens engines.
type Factory struct {
	// Open opens an engine of a new instance. The function that it returns closes it, and ends a run that is under way. It
	// may be called several times, for the nodes of one chain.
	Open func() (e consensus.Engine, closeEngine func() error, err error)
	// SlotMs is the length of a slot in milliseconds.
	SlotMs uint64
}

// Case is one property of an engine.
type Case struct {
	Name string
	Why  string // what goes wrong on a chain whose engine does not have it
	Run  func(t T, f Factory)
}

// Cases returns all cases.
func Cases() []Case {
	var out []Case
	out = append(out, lifeCases()...)
	out = append(out, buildCases()...)
	out = append(out, checkCases()...)
	out = append(out, signCases()...)
	out = append(out, finalCases()...)
	out = append(out, restartCases()...)
	out = append(out, clusterCases()...)
	out = append(out, epochCases()...)
	out = append(out, handOverCases()...)
	return out
}

// Run runs all cases as subtests.
func Run(t *testing.T, f Factory) {
	t.Helper()
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, f) })
	}
}

// Breakage is a way to break an engine that one case notices, and no other.
type Breakage struct {
	Case string
	What string
	Wrap func(Factory) Factory
}

// RunBroken runs all cases over each broken form of an engine, and fails unless exactly the case fails that is there for it. With
// -short it runs that case alone.
func RunBroken(t *testing.T, f Factory) {
	t.Helper()
	cases := Cases()
	have := map[string]bool{}
	for _, b := range Broken() {
		have[b.Case] = true
		t.Run(b.Case, func(t *testing.T) {
			t.Parallel()
			broken := b.Wrap(f)
			failed := make([]string, len(cases))
			var wg sync.WaitGroup
			next := make(chan int)
			for range 4 { // they mostly wait
				wg.Go(func() {
					for i := range next {
						failed[i] = verdict(t.Context(), cases[i], broken)
					}
				})
			}
			tried := func(c Case) bool { return c.Name == b.Case || !testing.Short() }
			for i, c := range cases {
				if tried(c) {
					next <- i
				}
			}
			close(next)
			wg.Wait()
			for i, c := range cases {
				if !tried(c) {
					continue
				}
				// A machine with much to do may make a case fail, or not notice, for once.
				for range 2 {
					if (c.Name == b.Case) != (failed[i] != "") {
						failed[i] = verdict(t.Context(), c, broken)
					}
				}
				switch {
				case c.Name == b.Case && failed[i] == "":
					t.Errorf("%s: the case does not notice it", b.What)
				case c.Name != b.Case && failed[i] != "":
					t.Errorf("%s: case %s fails as well: %s", b.What, c.Name, failed[i])
				}
			}
		})
	}
	for _, c := range cases {
		if !have[c.Name] {
			t.Errorf("case %s has no broken engine", c.Name)
		}
	}
}

// recorder is a T that notes the first failure.
type recorder struct {
	ctx context.Context
	mu  sync.Mutex
	why string
}

func (r *recorder) Helper()                  {}
func (r *recorder) Logf(string, ...any)      {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.why == "" {
		r.why = fmt.Sprintf(format, args...)
	}
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// verdict runs a case and returns why it fails, or nothing.
func verdict(ctx context.Context, c Case, f Factory) string {
	r := &recorder{ctx: ctx}
	done := make(chan struct{})
	go func() { // Fatalf ends the goroutine
		defer close(done)
		c.Run(r, f)
	}()
	<-done
	return r.why
}
