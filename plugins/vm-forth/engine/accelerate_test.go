package engine

import (
	"reflect"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// helpful is an accelerator that does a part of the work, and says that it is done, or not.
type helpful struct {
	one  *bytecode.Program
	done bool
	ran  int64
	runs int
}

func (h *helpful) Run(s *Segment) bool {
	h.runs++
	memory := make([]byte, 4<<10)
	touched := s.UseData(memory)
	v, bytes := s.Input(0)
	values := []uint64{uint64(v), 0}
	touched, gas, ok := s.Step(h.one, "b:b", values, touched, s.Gas()-1)
	memory[0] = 9
	if !ok || !bytes || s.Depth() != 1 || touched != 2 || memory[1] != 7 {
		return false
	}
	if h.done {
		s.Finish(gas, touched+10, [ResultCount]int64{0, 100, 1})
	}
	return h.done
}

func (h *helpful) Ran(_ *bytecode.Program, gas int64) { h.ran = gas }

// TestAccelerator sees that a run that an accelerator gives up leaves no trace, that one that it ends has its result, and when
// it is not asked at all.
func TestAccelerator(t *testing.T) {
	l := bytecode.DefaultLimits()
	l.DataBytes = 4 << 10
	load := func(main ...byte) *bytecode.Program {
		p := &bytecode.Program{}
		if err := p.Load(bytecode.Parts{Main: main, Data: []byte{1, 7}}.Encode(), &l, false); err != nil {
			t.Fatal(err)
		}
		p.Seal()
		return p
	}
	small := func(n int) byte { return byte(bytecode.OpSmall) + byte(n) }
	p := load(byte(bytecode.OpHash), byte(bytecode.OpLen), small(0), byte(bytecode.OpCFetch), small(1))
	one := &bytecode.Program{Ins: []bytecode.Instr{{Op: bytecode.OpHash, Needs: 1, Gas: bytecode.Opcodes[bytecode.OpHash].Gas}, {Op: bytecode.OpEnd}}}
	e := &bytecode.Emitter{}
	e.Bytes([]byte("secret"))
	r := vm.Run{Evidence: bytecode.Parts{Main: e.Code}.Encode(), GasLimit: 10_000}
	m, err := New(&l)
	if err != nil {
		t.Fatal(err)
	}
	run := func(kept *bytecode.Program) vm.Result {
		r := r
		if kept == nil {
			r.Code = p.Code
		}
		return m.Run(&r, kept, nil, make([]int64, ResultCount))
	}
	want := run(p)
	if want.Status != vm.OK || !reflect.DeepEqual(want.Stack, []int64{32, 1, 1}) {
		t.Fatalf("%+v", want)
	}
	h := &helpful{one: one}
	m.Accelerate(h)
	for range 2 {
		if got := run(p); !reflect.DeepEqual(got, want) || h.ran <= 0 {
			t.Fatalf("after an accelerator gave up: %+v, want %+v; it ran for %d gas", got, want, h.ran)
		}
	}
	h.done = true
	got := run(p)
	if got.Status != vm.OK || !reflect.DeepEqual(got.Stack, []int64{0, 100, 1}) || got.Space != uint64(len("secret")+32+12) {
		t.Errorf("an accelerator is done: %+v", got)
	}
	h.done = false
	if got := run(p); !reflect.DeepEqual(got, want) {
		t.Errorf("after an accelerator was done: %+v, want %+v", got, want)
	}
	h.runs = 0
	if got := run(nil); !reflect.DeepEqual(got, want) || h.runs != 0 {
		t.Errorf("code that is not kept: %+v, want %+v; asked %d times", got, want, h.runs)
	}
	m.Accelerate(nil)
	if got := run(p); !reflect.DeepEqual(got, want) || h.runs != 0 {
		t.Errorf("without an accelerator: %+v, want %+v", got, want)
	}
}
