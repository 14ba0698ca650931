package engine

import (
	"errors"
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// TestTraceIsTheRun traces random programs: the result is that of the run, and the gas of the steps adds up to it.
func TestTraceIsTheRun(t *testing.T) {
	m := machine(t)
	for seed := range uint64(400) {
		r, common := randomRun(seed)
		want := m.Run(&r, nil, common, make([]int64, ResultCount))
		var steps, gas uint64
		var got *vm.Result
		err := m.Trace(t.Context(), &r, nil, common, func(s vm.Step) error {
			if got != nil {
				t.Fatalf("seed %d: a step behind the last", seed)
			}
			steps, gas, got = steps+1, gas+s.GasCost, s.Result
			return nil
		})
		if err != nil || got == nil || fmt.Sprint(*got) != fmt.Sprint(want) {
			t.Fatalf("seed %d: %+v, %v, want %+v", seed, got, err, want)
		}
		if before := bytecode.GasCodeByte * uint64(len(r.Code)+len(r.Evidence)); want.Status == vm.OK && (gas > want.Gas-before || steps > gas+uint64(len(r.Code))) {
			t.Errorf("seed %d: %d steps of %d gas, of %d in all", seed, steps, gas, want.Gas)
		}
	}
}

func TestTraceSteps(t *testing.T) {
	m := machine(t)
	r := vm.Run{Evidence: compiled(t, m, "7", true), Code: assembled(t, m, ".word 0\nint 1\nthrow\n.main\nint 0\ncatch\nint 2"), GasLimit: 1000}
	var got []string
	step := func(s vm.Step) error {
		got = append(got, fmt.Sprintf("%t %d %s %d %v %d", s.Evidence, s.PC, s.Op, s.Depth, s.Stack, s.GasCost))
		return nil
	}
	if err := m.Trace(t.Context(), &r, kept(t, m, r.Code), nil, step); err != nil {
		t.Fatal(err)
	}
	want := []string{"true 5 int 7 0 [] 1", "false 8 int 0 0 [7] 1", "false 9 catch 0 [7 0] 8", "false 6 int 1 1 [7] 1", "false 7 throw 1 [7 1] 1", "false 10 int 2 0 [7 1] 1"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("steps\n%v, want\n%v", got, want)
	}
	stop := errors.New("enough")
	if err := m.Trace(t.Context(), &r, nil, nil, func(vm.Step) error { return stop }); err != stop {
		t.Errorf("a trace that is stopped: %v", err)
	}
	if res := m.Run(&r, nil, nil, make([]int64, ResultCount)); res.Status != vm.OK || res.Stack[2] != 2 {
		t.Errorf("after it: %+v", res)
	}
}
