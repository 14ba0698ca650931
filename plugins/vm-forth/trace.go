package vmforth

import (
	"context"
	"fmt"
	"strconv"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// tracer watches a run. It is one step behind, since the last step carries the result, and since what an instruction costs
// is known when it is done.
type tracer struct {
	ctx  context.Context
	step func(vm.Step) error
	last vm.Step
	any  bool
	err  error
}

// before notes the instruction that comes next.
func (t *tracer) before(m *machine, p *program, in *instr, sp, rp int, gas int64) (vm.Status, string) {
	if in.op == opEnd {
		return vm.OK, ""
	}
	if t.any {
		t.last.GasCost = t.last.Gas - uint64(gas)
		if t.err = t.step(t.last); t.err == nil {
			t.err = t.ctx.Err()
		}
		if t.err != nil {
			return Fail, "the trace was ended"
		}
	}
	t.any = true
	t.last = vm.Step{PC: uint64(in.pc), Op: instruction(p, in), Gas: uint64(gas), GasCost: uint64(min(int64(in.gas), gas)),
		Stack: make([]string, sp)}
	for i, c := range m.stack[:sp] {
		if c.k == isInt {
			t.last.Stack[i] = strconv.FormatInt(c.v, 10)
		} else {
			t.last.Stack[i] = fmt.Sprintf(`x"%x"`, m.bytesOf(c))
		}
	}
	for _, c := range m.rstack[:rp] {
		if c.k == isFrame {
			t.last.Depth++
		}
	}
	return vm.OK, ""
}

// Trace implements vm.VM. A step shows the stack before its instruction, whose PC counts from the start of the evidence or
// of the code. A run that fails before its first instruction has one step, with the result alone.
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
	m, err := v.machine()
	if err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	defer v.pool.Put(m)
	t := &tracer{ctx: ctx, step: step}
	m.trace = t
	defer func() { m.trace = nil }()
	res := m.run(&r, kept, env, make([]int64, resultCount))
	if t.err != nil {
		return t.err
	}
	if t.any && res.Status == vm.OK {
		left := min(uint64(v.lim.GasLimit), r.GasLimit) - res.Gas
		t.last.GasCost = t.last.Gas - left
	}
	t.last.Result = &res
	return step(t.last)
}
