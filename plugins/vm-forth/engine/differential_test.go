package engine

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/lang"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// ran is how a run ended on the optimised interpreter.
type ran struct {
	status vm.Status
	stack  []string
	gas    int64 // left
	loose  bool
	at     string // which instruction
}

// run runs code that is kept, or that is loaded for it.
func run(m *Machine, r *vm.Run, p *bytecode.Program, common map[string][]byte) ran {
	limit := int64(min(r.GasLimit, uint64(m.lim.GasLimit)))
	out := ran{status: m.enter(r, p, common, limit)}
	out.gas, out.loose, out.at = m.gas, m.loose, fmt.Sprintf("%d at %d, %s", m.which, m.pc, bytecode.Opcodes[m.op].Name)
	for i := floor; i < m.sp; i++ {
		out.stack = append(out.stack, m.show(m.st.get(i)))
	}
	m.leave()
	return out
}

// both runs a run on both interpreters, on the optimised one as kept code as well, and describes how they differ, or
// returns "".
func both(m *Machine, r *vm.Run, common map[string][]byte) (status vm.Status, diff string) {
	cold := run(m, r, nil, common)
	p := &bytecode.Program{}
	if len(r.Code) <= int(m.lim.CodeBytes) && p.Load(r.Code, m.lim, false) == nil {
		Prepare(p)
		if warm := run(m, r, p, common); fmt.Sprint(warm) != fmt.Sprint(cold) {
			return cold.status, fmt.Sprintf("kept: %+v, otherwise: %+v", warm, cold)
		}
	}
	s, want, left, loose := naiveRun(r, common, *m.lim)
	switch {
	case cold.status != s:
		return s, fmt.Sprintf("status %s (%s), naive %s", bytecode.StatusName(cold.status), cold.at, bytecode.StatusName(s))
	case s != vm.OK:
	case !slices.Equal(cold.stack, want):
		return s, fmt.Sprintf("stack %v, naive %v", cold.stack, want)
	case cold.gas != left || cold.loose != loose:
		return s, fmt.Sprintf("gas left %d, naive %d; return %t, naive %t", cold.gas, left, cold.loose, loose)
	}
	return s, ""
}

// TestDifferential runs random programs on both interpreters. With VM_FORTH_DIFFERENTIAL=5m it goes on for that long from a
// random seed, and prints how many programs it compared.
func TestDifferential(t *testing.T) {
	m := machine(t, func(l *bytecode.Limits) {
		l.StackDepth, l.ReturnDepth, l.ArenaBytes, l.DataBytes = 64, 24, 4<<10, 4<<10 // so that they are reached
	})
	first, programs := uint64(0), uint64(6000)
	if testing.Short() {
		programs = 2000
	}
	until := time.Time{}
	if d, err := time.ParseDuration(os.Getenv("VM_FORTH_DIFFERENTIAL")); err == nil {
		until = time.Now().Add(d)
		first = uint64(until.UnixNano())
		t.Logf("seeds from %d", first)
	}
	statuses := map[vm.Status]int{}
	n := uint64(0)
	for ; n < programs || time.Now().Before(until); n++ {
		run, common := randomRun(first + n)
		s, diff := both(m, &run, common)
		if diff != "" {
			text, err := bytecode.Disassemble(run.Code, m.lim)
			t.Fatalf("seed %d: %s\n%s%v", first+n, diff, text, err)
		}
		statuses[s]++
	}
	for s := vm.OK; s <= bytecode.EnvMissing; s++ {
		if statuses[s] == 0 && s != bytecode.BadResult && !testing.Short() {
			t.Errorf("no program ended with %s; the generator misses something", bytecode.StatusName(s))
		}
	}
	for _, s := range slices.Sorted(maps.Keys(statuses)) {
		t.Logf("%-15s %d", bytecode.StatusName(s), statuses[s])
	}
	t.Logf("compared %d programs, seeds %d to %d", n, first, first+n-1)
}

// FuzzBytecode runs arbitrary bytes as evidence and code, on both interpreters.
func FuzzBytecode(f *testing.F) {
	for seed := range uint64(20) {
		run, _ := randomRun(seed)
		f.Add(run.Evidence, run.Code)
	}
	m := machine(f)
	f.Fuzz(func(t *testing.T, evidence, code []byte) {
		run := vm.Run{Evidence: evidence, Code: code, GasLimit: 20_000}
		if _, diff := both(m, &run, map[string][]byte{"height": {0, 0, 0, 0, 0, 0, 0, 9}}); diff != "" {
			t.Fatal(diff)
		}
		text, err := bytecode.Disassemble(code, m.lim)
		if err != nil {
			return
		}
		again, err := lang.Compile(vm.Source{Text: text}, m.lim)
		if err != nil || string(again.Code) != string(code) {
			t.Fatalf("%x disassembles to\n%s\nwhich assembles to %+v, %v", code, text, again, err)
		}
	})
}

// TestRandomRunsReachEverything counts which opcodes the generator's programs have, the fused ones too.
func TestRandomRunsReachEverything(t *testing.T) {
	seen, l := map[bytecode.Opcode]bool{}, bytecode.DefaultLimits()
	for seed := range uint64(2000) {
		run, _ := randomRun(seed)
		p := &bytecode.Program{}
		if p.Load(run.Code, &l, false) == nil {
			Prepare(p)
			for i := range p.Ins {
				seen[p.Ins[i].Op], seen[p.Fast[i].Op] = true, true
			}
		}
	}
	for op, d := range bytecode.Opcodes {
		if o := bytecode.Opcode(op); d.Name != "" && d.Operand != bytecode.InternalOperand && o != bytecode.OpVerifyZK && !seen[o] {
			t.Errorf("no program has %s (%d)", d.Name, op)
		}
	}
	for op := fLitAdd; op < fusedEnd; op++ {
		if !seen[op] {
			t.Errorf("no program has the fused instruction %#x", uint8(op))
		}
	}
}
