package vmforth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/hot"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// VM is an instance. It implements vm.VM and may be used concurrently.
type VM struct {
	lim    bytecode.Limits
	closed atomic.Bool
	pool   sync.Pool // of *engine.Machine
	kept   programs
	tier   *hot.Tier // nil without one
	fresh  func(*bytecode.Limits) (*engine.Machine, error)
}

// newVM makes an instance. A hot tier that this machine does not have costs time only, so it is no error: log says so.
func newVM(c config, log func(string)) *VM {
	v := &VM{lim: c.Limits, fresh: engine.New}
	v.kept.init(func(p *bytecode.Program) {
		if v.tier != nil {
			v.tier.Forget(p)
		}
	})
	if c.HotTier == hotWazero {
		t, err := hot.New(&v.lim, hot.Default())
		if err != nil {
			log(fmt.Sprintf("contracts run in the interpreter alone: %v", err))
		} else {
			v.tier = t
		}
	}
	return v
}

// Close implements io.Closer. Calls that are under way end as usual.
func (v *VM) Close() error {
	if v.closed.Swap(true) || v.tier == nil {
		return nil
	}
	return v.tier.Close()
}

// machine takes a machine that is not in use.
func (v *VM) machine() (*engine.Machine, error) {
	if m, ok := v.pool.Get().(*engine.Machine); ok {
		return m, nil
	}
	m, err := v.fresh(&v.lim)
	if err != nil {
		return nil, err
	}
	if v.tier != nil {
		m.Accelerate(v.tier)
	}
	return m, nil
}

// guarded calls f with a machine. A fault of the machine is an error of the call, never a contract's: the machine is then
// not used again.
func (v *VM) guarded(f func(*engine.Machine) error) (err error) {
	m, err := v.machine()
	if err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", plugin.ErrPanicked, r)
			return
		}
		v.pool.Put(m)
	}()
	return f(m)
}

// ready says whether a call may begin.
func (v *VM) ready(ctx context.Context, op string) error {
	if v.closed.Load() {
		return fmt.Errorf("%s: %w", op, vm.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// Trace implements vm.VM. A step's PC counts from the start of the evidence or of the code.
func (v *VM) Trace(ctx context.Context, env map[string][]byte, r vm.Run, step func(vm.Step) error) error {
	if err := v.ready(ctx, "trace"); err != nil {
		return err
	}
	if err := (vm.Batch{Environment: env, Runs: []vm.Run{r}}).Check(); err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	kept, err := v.find(&r)
	if err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	var stop error
	err = v.guarded(func(m *engine.Machine) error {
		m.Terse(false)
		stop = m.Trace(ctx, &r, kept, env, step)
		return nil
	})
	if err := errors.Join(err, stop); err != nil && stop == nil {
		return fmt.Errorf("trace: %w", err)
	}
	return stop
}
