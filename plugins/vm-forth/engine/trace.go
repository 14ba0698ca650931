package engine

import (
	"context"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
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

// watch makes the programs ready for the tracer: each instruction is one that calls before, and then executes the plain one.
func (m *Machine) watch() {
	for i, p := range m.programs {
		m.traced[i] = append(m.traced[i][:0], p.Ins...)
		for j := range m.traced[i] {
			if in := &m.traced[i][j]; in.Op != bytecode.OpEnd {
				in.Op, in.Gas = opTrace, 0
			}
		}
		m.ins[i] = m.traced[i]
	}
}

// before notes the instruction that comes next. It reports false if the trace ends here.
func (m *Machine) before() bool {
	t, p := m.trace, m.programs[m.which]
	in := &p.Ins[m.ip-1]
	if t.any {
		t.last.GasCost = t.last.Gas - uint64(m.gas)
		if t.err = t.step(t.last); t.err == nil {
			t.err = t.ctx.Err()
		}
		if t.err != nil {
			m.text = "the trace was ended"
			return false
		}
	}
	t.any = true
	t.last = vm.Step{PC: uint64(in.PC), Op: bytecode.Instruction(p, in), Gas: uint64(m.gas), GasCost: uint64(min(int64(in.Gas), m.gas)),
		Stack: make([]string, m.sp-floor), Evidence: m.which == evidence}
	for i := range t.last.Stack {
		t.last.Stack[i] = m.show(m.st.get(floor + i))
	}
	for i := floor; i < m.rp; i++ {
		if k := m.rs.k[i&mask]; k == isFrame || k == isFar || k == isCatch {
			t.last.Depth++
		}
	}
	return true
}

// Trace is Run that calls step for each instruction, until it fails or the run ends. A step shows the stack before its
// instruction. A run that fails before its first instruction has one step, with the result alone.
func (m *Machine) Trace(ctx context.Context, r *vm.Run, kept *bytecode.Program, common map[string][]byte, step func(vm.Step) error) error {
	t := &tracer{ctx: ctx, step: step}
	m.trace = t
	defer func() { m.trace = nil }()
	res := m.Run(r, kept, common, make([]int64, ResultCount))
	if t.err != nil {
		return t.err
	}
	if t.any && res.Status == vm.OK {
		left := min(uint64(m.lim.GasLimit), r.GasLimit) - res.Gas
		t.last.GasCost = t.last.Gas - left
	}
	t.last.Result = &res
	return step(t.last)
}
