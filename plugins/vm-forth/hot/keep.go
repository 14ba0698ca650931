package hot

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// Forget drops what is known of a program, and its modules. A caller says so when it does not keep a program any more.
func (t *Tier) Forget(p *bytecode.Program) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.programs[p]; s != nil {
		delete(t.programs, p)
		s.never.Store(true)
		t.drop(s)
	}
}

// drop takes away a program's modules. The caller holds t.mu.
func (t *Tier) drop(s *state) {
	list := s.modules.Swap(nil)
	if list == nil {
		return
	}
	for _, m := range *list {
		if i := slices.Index(t.modules, m); i >= 0 {
			t.modules = slices.Delete(t.modules, i, i+1)
			t.bytes -= m.size
		}
		m.retire()
	}
}

// find returns what is known of a program. make says to begin with it.
func (t *Tier) find(p *bytecode.Program, make bool) *state {
	t.mu.RLock()
	s := t.programs[p]
	t.mu.RUnlock()
	if s != nil || !make {
		return s
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	if s := t.programs[p]; s != nil {
		return s
	}
	if len(t.programs) >= maxPrograms { // those that are not compiled begin anew
		for q, s := range t.programs {
			if s.modules.Load() == nil {
				delete(t.programs, q)
			}
		}
	}
	s = &state{}
	t.programs[p] = s
	return s
}

// Ran implements engine.Accelerator.
func (t *Tier) Ran(p *bytecode.Program, gas int64) {
	if s := t.find(p, true); s != nil {
		s.gas.Add(gas)
		s.runs.Add(1)
	}
}

// due says whether a program has earned a module.
func (t *Tier) due(s *state, p *bytecode.Program) bool {
	gas, runs := s.gas.Load(), s.runs.Load()
	return gas >= max(t.opts.ColdGas+t.opts.CodeGas*int64(len(p.Code)), s.need.Load()) && gas >= runs*t.opts.RunGas
}

// Prepare compiles a program for a shape of what the evidence leaves, a letter for each value, n for an integer, b for bytes, bottom first.
// Errors wrap ErrUnsuitable or ErrClosed. It need not be called: programs that run long are compiled by themselves.
func (t *Tier) Prepare(p *bytecode.Program, shape string) error {
	if !t.enter() {
		return fmt.Errorf("prepare: %w", ErrClosed)
	}
	defer t.busy.Done()
	s := t.find(p, true)
	if s == nil {
		return fmt.Errorf("prepare: %w", ErrClosed)
	}
	return t.prepare(s, p, shape, math.MaxInt64)
}

// errLater says that compiling takes more than was spent on a program so far.
var errLater = errors.New("not yet")

// prepare compiles a program and keeps the module, if that takes at most some gas.
func (t *Tier) prepare(s *state, p *bytecode.Program, shape string, most int64) error {
	if !s.preparing.CompareAndSwap(false, true) {
		return nil // somebody else does
	}
	defer s.preparing.Store(false)
	if list := s.modules.Load(); list != nil {
		if len(*list) >= maxShapes {
			return unsuitable("its evidence has more than %d shapes", maxShapes)
		}
		for _, m := range *list {
			if m.shapes == shape {
				return nil
			}
		}
	}
	m, err := t.translate(context.Background(), p, shape, func(cost int64) error {
		s.need.Store(cost * t.opts.CompileGas)
		switch {
		case cost > maxCost:
			return unsuitable("compiling would take too long")
		case s.need.Load() > most:
			return errLater
		}
		return nil
	})
	if errors.Is(err, errLater) {
		return err
	}
	s.gas.Store(0)
	s.runs.Store(0)
	s.need.Store(0)
	if err != nil {
		t.stats.Unsuitable.Add(1)
		if s.modules.Load() == nil {
			s.never.Store(true)
		}
		return err
	}
	t.stats.Compiled.Add(1)
	m.owner = s
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.programs[p] != s {
		m.retire()
		return nil
	}
	var list []*Module
	if old := s.modules.Load(); old != nil {
		list = slices.Clone(*old)
	}
	list = append(list, m)
	s.modules.Store(&list)
	t.modules = append(t.modules, m)
	t.bytes += m.size
	m.used.Store(t.clock.Add(1))
	for len(t.modules) > max(t.opts.Modules, 1) || t.bytes > t.opts.Bytes && len(t.modules) > 1 {
		oldest := 0
		for i, m := range t.modules {
			if m.used.Load() < t.modules[oldest].used.Load() {
				oldest = i
			}
		}
		t.stats.Evicted.Add(1)
		t.remove(t.modules[oldest])
	}
	return nil
}

// remove takes away one module. The caller holds t.mu.
func (t *Tier) remove(m *Module) {
	i := slices.Index(t.modules, m)
	if i < 0 {
		return
	}
	t.modules = slices.Delete(t.modules, i, i+1)
	t.bytes -= m.size
	if old := m.owner.modules.Load(); old != nil {
		list := slices.DeleteFunc(slices.Clone(*old), func(x *Module) bool { return x == m })
		if len(list) == 0 {
			m.owner.modules.Store(nil)
		} else {
			m.owner.modules.Store(&list)
		}
	}
	m.retire()
}
