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

// Module is compiled code: of one program, for one shape of what its evidence leaves.
type Module struct {
	shapes   string
	byHash   bool // it calls words by hash, and serves only evidence without words
	compiled wazero.CompiledModule
	entries  []string
	sites    []site
	memory   bool
	size     int64
	owner    *state
	used     atomic.Int64
	failures atomic.Int32

	mu      sync.Mutex
	idle    []*inst
	running int
	retired bool
}

// inst is an instance of a module; one run uses it at a time.
type inst struct {
	mod   api.Module
	fns   []api.Function
	mem   []byte
	stack []uint64
	call  call
}

// call is the context of a run, for the functions that a module imports.
type call struct {
	context.Context
	seg       *engine.Segment
	sites     []site
	gas       int64 // at the start
	calls     int64
	values    [hostTakes + 1]uint64 // of an instruction
	expensive bool                  // the run was given up because it spends its time on calls
}

// serves says whether a module is for what the evidence has left.
func (m *Module) serves(s *engine.Segment) bool {
	if s.Depth() != len(m.shapes) || m.byHash && s.EvidenceWords() > 0 {
		return false
	}
	for i := range len(m.shapes) {
		if _, bytes := s.Input(i); bytes != (m.shapes[i] == 'b') {
			return false
		}
	}
	return true
}

// translate compiles a program for one shape, if affordable agrees with what that costs.
func (t *Tier) translate(ctx context.Context, p *bytecode.Program, shape string, affordable func(cost int64) error) (*Module, error) {
	b := newBuilder(&t.lim)
	hash, err := b.add(p, kindsOf(shape))
	if err != nil {
		return nil, err
	}
	if err := affordable(b.cost); err != nil {
		return nil, err
	}
	m, err := t.compile(ctx, b)
	if err != nil {
		return nil, err
	}
	m.shapes, m.byHash = shape, hash
	return m, nil
}

func kindsOf(shape string) []kind {
	out := make([]kind, len(shape))
	for i := range shape {
		out[i] = kInt
		if shape[i] == 'b' {
			out[i] = kBytes
		}
	}
	return out
}

// compile makes machine code.
func (t *Tier) compile(ctx context.Context, b *builder) (m *Module, err error) {
	defer func() {
		if r := recover(); r != nil { // a compiler that gives up must not take the plugin with it
			m, err = nil, unsuitable("the compiler failed: %v", r)
		}
	}()
	wasm := b.encode()
	compiled, err := t.rt.CompileModule(ctx, wasm)
	if err != nil {
		return nil, unsuitable("%v", err)
	}
	m = &Module{compiled: compiled, sites: b.sites, memory: b.memory}
	for _, e := range b.exports {
		m.entries = append(m.entries, e.name)
	}
	m.size = int64(len(wasm)*codeSize+len(b.sites)*siteSize) + int64(runtime.GOMAXPROCS(0))*int64(b.pages()<<16+instance)
	return m, nil
}

func (t *Tier) instantiate(ctx context.Context, m *Module) (*inst, error) {
	mod, err := t.rt.InstantiateModule(ctx, m.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return nil, fmt.Errorf("instantiate: %w", err)
	}
	i := &inst{mod: mod, stack: make([]uint64, 2+max(int(t.lim.StackDepth), results))}
	i.call = call{Context: ctx, sites: m.sites}
	for _, name := range m.entries {
		i.fns = append(i.fns, mod.ExportedFunction(name))
	}
	if m.memory {
		var ok bool
		if i.mem, ok = mod.Memory().Read(0, uint32(t.lim.DataBytes)); !ok {
			return nil, errors.Join(errors.New("instantiate: less memory than the data space has"), mod.Close(ctx))
		}
	}
	return i, nil
}

// take takes an instance that nobody uses, or makes one.
func (t *Tier) take(m *Module) *inst {
	m.mu.Lock()
	if m.retired {
		m.mu.Unlock()
		return nil
	}
	m.running++
	if n := len(m.idle); n > 0 {
		i := m.idle[n-1]
		m.idle = m.idle[:n-1]
		m.mu.Unlock()
		return i
	}
	m.mu.Unlock()
	i, err := t.instantiate(context.Background(), m)
	if err != nil {
		m.put(nil)
		return nil
	}
	return i
}

// put gives an instance back.
func (m *Module) put(i *inst) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running--
	if i != nil {
		i.call.seg = nil
		if m.retired || len(m.idle) >= runtime.GOMAXPROCS(0) {
			i.mod.Close(i.call.Context) //nolint:errcheck // an instance has nothing that could fail to close
		} else {
			m.idle = append(m.idle, i)
		}
	}
	if m.retired && m.running == 0 {
		m.close(context.Background())
	}
}

// retire frees a module, now or when its last run ends.
func (m *Module) retire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.retired {
		return
	}
	m.retired = true
	for _, i := range m.idle {
		i.mod.Close(i.call.Context) //nolint:errcheck // an instance has nothing that could fail to close
	}
	m.idle = nil
	if m.running == 0 {
		m.close(context.Background())
	}
}

func (m *Module) close(ctx context.Context) { m.compiled.Close(ctx) } //nolint:errcheck // it never fails

// run runs a segment on one of a module's entries. pays is false if the interpreter would have been faster.
func (t *Tier) run(m *Module, s *engine.Segment, entry int) (done, pays bool) {
	i := t.take(m)
	if i == nil {
		return false, true
	}
	defer m.put(i)
	touched := 0
	if m.memory {
		touched = s.UseData(i.mem)
	}
	i.call.seg, i.call.gas, i.call.calls, i.call.expensive = s, s.Gas(), 0, false
	i.stack[0], i.stack[1] = uint64(s.Gas()), uint64(touched)
	n := s.Depth()
	for k := range n {
		v, _ := s.Input(k)
		i.stack[2+k] = uint64(v)
	}
	stack := i.stack[:2+max(n, results)]
	err := i.fns[entry].CallWithStack(&i.call, stack)
	if err != nil {
		if m.memory {
			touched = int(global(i.mod, gTouched))
			defer clear(i.mem[:touched])
		}
		if global(i.mod, gDone) != 1 {
			return false, !i.call.expensive
		}
		stack[0], stack[1] = global(i.mod, gGas), global(i.mod, gTouched)
		for k := range results {
			stack[2+k] = global(i.mod, gResult+k)
		}
	} else if m.memory {
		touched = int(stack[1])
		clear(i.mem[:touched])
	}
	var out [engine.ResultCount]int64
	for k := range out {
		v := int64(stack[2+k])
		if v < 0 || v >= 1<<62 { // the engine says what is wrong with results, if anything is
			return false, true
		}
		out[k] = v
	}
	left := int64(stack[0])
	s.Finish(left, touched, out)
	return true, i.call.calls*callGas <= freeGas+i.call.gas-left
}

func global(m api.Module, n int) uint64 { return m.ExportedGlobal(globalName(n)).Get() }

// step executes an instruction for a module. What follows on the stack are the site, the gas, and, where data is set, how
// much of the data space is touched, then the values. No gas at all says that the run is to be given up.
func step(ctx context.Context, stack []uint64, data bool) {
	c := ctx.(*call) //nolint:errcheck // modules are only called with it
	site, gas := &c.sites[uint32(stack[0])], int64(stack[1])
	c.calls++
	first := 2
	touched := c.seg.Touched()
	if data {
		first, touched = 3, int(stack[2])
	}
	takes, leaves := site.takes, len(site.kinds)-site.takes-1
	copy(c.values[:takes], stack[first:])
	left, ok := gas, false
	if c.expensive = c.calls*callGas > freeGas+c.gas-gas; !c.expensive {
		touched, left, ok = c.seg.Step(site.one, site.kinds, c.values[:], touched, gas)
	}
	if !ok {
		left = giveUp
	}
	stack[0] = uint64(left)
	if data {
		stack[1] = uint64(touched)
	}
	copy(stack[first-1:], c.values[:leaves])
}

// giveUp is what is left of the gas where a run is to be given up.
const giveUp = -1
