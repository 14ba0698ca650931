package hot

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
)

var (
	// ErrUnavailable is wrapped by errors of New where machine code cannot be made: for this processor, or in this sandbox.
	ErrUnavailable = errors.New("hot tier is unavailable")
	// ErrClosed is wrapped by errors of a tier that has been closed.
	ErrClosed = errors.New("hot tier is closed")
)

// Options are what a tier goes by. None of it changes a result.
type Options struct {
	// A program is translated when the interpreter has used ColdGas for it and CodeGas for each byte of its code, and compiled when
	// that is as much as compiling takes, at CompileGas for each byte of the translation: then no more time is ever spent on compiling
	// than was already spent on running. A unit of gas takes about 1.2 ns in the interpreter; compiling a short program takes about 0.3 ms.
	ColdGas, CodeGas, CompileGas int64
	// RunGas is the least gas of a run, on the average, for which entering a module pays.
	RunGas int64
	// Modules is how many compiled modules are kept, Bytes about how much memory they take.
	Modules int
	Bytes   int64
}

// Default are the options of a tier that serves a chain.
func Default() Options {
	return Options{ColdGas: 300_000, CodeGas: 1_000, CompileGas: 1_000, RunGas: 1_000, Modules: 64, Bytes: 64 << 20}
}

const (
	maxShapes   = 4      // modules of one program
	maxPrograms = 4096   // that are watched
	maxCost     = 40_000 // of a module, in bytes of plain code: some 50 ms
	maxFailures = 16     // runs in a row that a module may leave to the interpreter before it is dropped

	// againGas is used by a program whose module was dropped for its failures, before it gets another: anybody can make a
	// contract fail, and that must not take its module from all others for good.
	againGas = 10_000_000

	// A call of the engine takes as long as this much gas; a module that spends its time on calls is slower than the interpreter.
	callGas  = 60
	freeGas  = 100 * callGas // that a run may spend on calls before it is measured
	codeSize = 12            // bytes of machine code and tables for each byte of a module, about
	instance = 32 << 10      // bytes that an instance takes besides its data space, about
	siteSize = 400           // bytes that an instruction takes which the engine executes, about
)

// Tier compiles programs that run long and runs them. It implements engine.Accelerator and may be used concurrently.
type Tier struct {
	lim  bytecode.Limits
	opts Options
	rt   wazero.Runtime

	mu       sync.RWMutex
	closed   bool
	programs map[*bytecode.Program]*state
	modules  []*Module // that are kept
	bytes    int64
	clock    atomic.Int64
	busy     sync.WaitGroup // runs and translations under way

	stats Stats
}

// Stats count what a tier has done.
type Stats struct {
	Compiled   atomic.Int64 // modules
	Unsuitable atomic.Int64 // programs that have no translation
	Evicted    atomic.Int64 // modules, for want of room
	Dropped    atomic.Int64 // modules that did not pay
	Completed  atomic.Int64 // runs
	Declined   atomic.Int64 // runs that a module left to the interpreter
}

// state is what is known of a program.
type state struct {
	gas, runs atomic.Int64
	need      atomic.Int64 // gas that compiling takes
	preparing atomic.Bool
	never     atomic.Bool // it has no translation, or it does not pay
	modules   atomic.Pointer[[]*Module]
}

// New makes a tier for programs under limits. Errors wrap ErrUnavailable.
func New(l *bytecode.Limits, o Options) (t *Tier, err error) {
	defer func() {
		if r := recover(); r != nil {
			t, err = nil, fmt.Errorf("%w: %v", ErrUnavailable, r)
		}
	}()
	if !supported() {
		return nil, fmt.Errorf("%w: no compiler for %s/%s", ErrUnavailable, runtime.GOOS, runtime.GOARCH)
	}
	ctx := context.Background()
	t = &Tier{lim: *l, opts: o, programs: map[*bytecode.Program]*state{}}
	t.rt = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithDebugInfoEnabled(false).
		WithMemoryLimitPages(uint32(max((l.DataBytes+1<<16-1)>>16, 1))))
	if err := t.exportHost(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %v", ErrUnavailable, err), t.rt.Close(ctx))
	}
	if err := t.probe(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %v", ErrUnavailable, err), t.rt.Close(ctx))
	}
	return t, nil
}

// supported says whether there is a compiler at all. Whether memory may be made executable shows when one tries.
func supported() bool {
	switch runtime.GOOS {
	case "linux", "darwin", "freebsd", "windows", "netbsd":
		return runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"
	}
	return false
}

// probe compiles and runs the smallest of programs.
func (t *Tier) probe(ctx context.Context) error {
	p := &bytecode.Program{}
	if err := p.Load(bytecode.Parts{Main: []byte{byte(bytecode.OpSmall), byte(bytecode.OpSmall), byte(bytecode.OpSmall) + 1}}.Encode(), &t.lim, false); err != nil {
		return err
	}
	m, err := t.translate(ctx, p, "", func(int64) error { return nil })
	if err != nil {
		return err
	}
	defer m.close(ctx)
	i, err := t.instantiate(ctx, m)
	if err != nil {
		return err
	}
	defer i.mod.Close(ctx) //nolint:errcheck // an instance has nothing that could fail to close
	out := make([]uint64, 2+results)
	out[0] = 10
	if err := i.fns[0].CallWithStack(ctx, out); err != nil {
		return err
	}
	if out[0] != 7 || out[4] != 1 {
		return fmt.Errorf("a program of three literals gave %v", out)
	}
	return nil
}

// Close frees all machine code, when the runs that are under way have ended. Runs that come later are left to the interpreter.
func (t *Tier) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil
	}
	t.closed = true
	t.mu.Unlock()
	t.busy.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.programs, t.modules = nil, nil
	if err := t.rt.Close(context.Background()); err != nil {
		return fmt.Errorf("close the hot tier: %w", err)
	}
	return nil
}

// Stats are what the tier has done so far.
func (t *Tier) Stats() *Stats { return &t.stats }

// enter says that something begins that Close has to wait for; the caller calls t.busy.Done when it is over.
func (t *Tier) enter() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return false
	}
	t.busy.Add(1)
	return true
}

// Run implements engine.Accelerator.
func (t *Tier) Run(s *engine.Segment) bool {
	p := s.Program()
	known := t.find(p, t.opts.ColdGas == 0)
	if known == nil || known.never.Load() {
		return false
	}
	m := known.module(s)
	if m == nil && !t.due(known, p) {
		return false
	}
	if !t.enter() {
		return false
	}
	defer t.busy.Done()
	if m == nil {
		if t.prepare(known, p, shapeOf(s), known.gas.Load()) != nil {
			return false
		}
		if m = known.module(s); m == nil {
			return false
		}
	}
	m.used.Store(t.clock.Add(1))
	done, pays := t.run(m, s, 0)
	if done {
		t.stats.Completed.Add(1)
		m.failures.Store(0)
	} else {
		t.stats.Declined.Add(1)
	}
	if !pays || !done && m.failures.Add(1) >= maxFailures {
		t.mu.Lock()
		known.never.Store(!pays)
		known.need.Store(againGas)
		t.stats.Dropped.Add(1)
		t.drop(known)
		t.mu.Unlock()
	}
	return done
}

// module returns the module for what the evidence has left.
func (s *state) module(seg *engine.Segment) *Module {
	list := s.modules.Load()
	if list == nil {
		return nil
	}
	for _, m := range *list {
		if m.serves(seg) {
			return m
		}
	}
	return nil
}

func shapeOf(s *engine.Segment) string {
	out := make([]byte, s.Depth())
	for i := range out {
		out[i] = 'n'
		if _, bytes := s.Input(i); bytes {
			out[i] = 'b'
		}
	}
	return string(out)
}

// exportHost gives the modules what they import.
func (t *Tier) exportHost(ctx context.Context) error {
	b := t.rt.NewHostModuleBuilder(hostModule)
	for _, name := range imports() {
		takes, leaves, data := int(name[1]-'0'), int(name[2]-'0'), name[0] == 'm'
		f := func(ctx context.Context, _ api.Module, stack []uint64) { step(ctx, stack, data) }
		in, out := []api.ValueType{api.ValueTypeI32, api.ValueTypeI64}, []api.ValueType{api.ValueTypeI64}
		if data {
			in, out = append(in, api.ValueTypeI64), append(out, api.ValueTypeI64)
		}
		for range takes {
			in = append(in, api.ValueTypeI64)
		}
		for range leaves {
			out = append(out, api.ValueTypeI64)
		}
		b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(f), in, out).Export(name)
	}
	_, err := b.Instantiate(ctx)
	return err
}
