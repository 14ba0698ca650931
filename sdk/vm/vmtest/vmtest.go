// Package vmtest is the conformance suite of the VM kind: named cases that every VM passes, in process and behind a gRPC
// connection.
//
// A VM's own test calls [Run] with a [Factory]; [Remote] turns one factory into another whose VMs are reached through gRPC
// over a unix socket. [FakeFactory] is the reference: the simplest VM that passes, also used as a fake by the tests of
// others. Each case comes with a VM, in this package's tests, that only this case fails.
package vmtest

import (
	"context"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// T is what a case needs of a *testing.T. A runner outside of go test can implement it: Fatalf must not return.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
	Context() context.Context
}

// Factory opens VMs and has sources in their language, for the default dialect.
type Factory struct {
	// Open opens an instance. The function that it returns closes the instance; what else has to end, such as a server,
	// ends in t.Cleanup.
	Open func(t T) (v vm.VM, closeVM func() error, err error)

	Pays     string               // returns 0, 100, 1 and needs no evidence
	Echoes   string               // returns 0, what the evidence pushed, 1
	Evidence func(n int64) string // evidence that pushes n
	Height   string               // returns 0, the environment's height (8 bytes, big-endian), 1
	Loops    string               // never ends
	Fails    string               // fails, whatever the gas limit
	Wrong    string               // has a syntax error
	Garbage  []byte               // is no code
}

// Case is one property of a VM.
type Case struct {
	Name string
	Why  string // what goes wrong on a chain whose VM does not have it
	Run  func(t T, f Factory)
}

// Cases returns all cases.
func Cases() []Case {
	return slices.Concat(runCases(), gasCases(), codeCases(), callCases(), toolCases())
}

// Run runs all cases as subtests.
func Run(t *testing.T, f Factory) {
	t.Helper()
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, f) })
	}
}

// plenty is a gas limit that all but endless programs of a factory get by with.
const plenty = 100_000

// opened is a VM under test. Its methods fail the test on errors that the case does not expect.
type opened struct {
	vm.VM
	t     T
	f     Factory
	close func() error
}

// open opens an instance, which is closed at the end of the case unless the case does so.
func open(t T, f Factory) *opened {
	t.Helper()
	v, c, err := f.Open(t)
	if err != nil {
		t.Fatalf("open a vm: %v", err)
	}
	o := &opened{v, t, f, c}
	t.Cleanup(o.done)
	return o
}

func (o *opened) done() {
	if o.close == nil {
		return
	}
	c := o.close
	o.close = nil
	if err := c(); err != nil {
		o.t.Errorf("close: %v", err)
	}
}

// code compiles a source.
func (o *opened) code(text string) []byte {
	o.t.Helper()
	c, err := o.Compile(o.t.Context(), vm.Source{Text: text})
	if err != nil {
		o.t.Fatalf("compile %q: %v", text, err)
	}
	return c.Code
}

// evidence compiles evidence that pushes a number.
func (o *opened) evidence(n int64) []byte {
	o.t.Helper()
	c, err := o.Compile(o.t.Context(), vm.Source{Text: o.f.Evidence(n), Evidence: true})
	if err != nil {
		o.t.Fatalf("compile evidence for %d: %v", n, err)
	}
	return c.Code
}

// run runs a batch without a common environment.
func (o *opened) run(runs ...vm.Run) []vm.Result {
	o.t.Helper()
	return o.batch(vm.Batch{Runs: runs})
}

func (o *opened) batch(b vm.Batch) []vm.Result {
	o.t.Helper()
	b.Diagnostics = true
	out, err := o.RunBatch(o.t.Context(), b)
	if err != nil {
		o.t.Fatalf("run a batch of %d: %v", len(b.Runs), err)
	}
	if len(out) != len(b.Runs) {
		o.t.Fatalf("%d results for %d runs", len(out), len(b.Runs))
	}
	return out
}

// wantStack checks that a run succeeded with three results.
func (o *opened) wantStack(what string, r vm.Result, want ...int64) {
	o.t.Helper()
	if r.Status != vm.OK || !slices.Equal(r.Stack, want) {
		o.t.Fatalf("%s: status %d (%s), results %v, want %v", what, r.Status, r.Error, r.Stack, want)
	}
}

// same compares what is part of consensus.
func same(a, b vm.Result) bool {
	return a.Status == b.Status && a.Gas == b.Gas && slices.Equal(a.Stack, b.Stack)
}

// integer is how an environment holds a number.
func integer(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }
