package hot

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

var edges = []int64{0, 1, -1, 2, 3, -7, 63, 64, 65, -64, 1 << 31, 1<<31 - 1, -1 << 31, 1<<32 - 1, 1 << 32, 3037000500, 1 << 62, -1 << 62, math.MaxInt64, math.MinInt64,
	math.MaxInt64 - 1, math.MinInt64 + 1}

// show leaves a value as two numbers that are not negative, and a third.
func show(e *bytecode.Emitter) {
	e.Op(bytecode.OpDup)
	e.Integer(2)
	e.Op(bytecode.OpRShift)
	e.Op(bytecode.OpSwap)
	e.Integer(3)
	e.Op(bytecode.OpAnd)
	e.Integer(0)
	e.Op(bytecode.OpReturn)
}

// TestOperands runs all instructions on numbers with those at the edges, once as values that are not known, and once with
// the last one in the code.
func TestOperands(t *testing.T) {
	l := bytecode.DefaultLimits()
	tier := newTier(t, &l, Default())
	plain, fast := machines(t, &l)
	type run struct {
		code, evidence []byte
		entry          int
	}
	b := newBuilder(&l)
	acc := &packed{t: tier, entries: map[*bytecode.Program]int{}}
	fast.Accelerate(acc)
	var runs []run
	var programs []*bytecode.Program
	add := func(body func(*bytecode.Emitter), takes int, values [][]int64) {
		e := &bytecode.Emitter{}
		body(e)
		show(e)
		code := bytecode.Parts{Main: e.Code}.Encode()
		p := &bytecode.Program{}
		if err := p.Load(code, &l, false); err != nil {
			t.Fatal(err)
		}
		if _, err := b.add(p, kindsOf("nnnn"[:takes])); err != nil {
			return // it fails always, such as a division by 0
		}
		acc.entries[p] = len(b.exports) - 1
		programs = append(programs, p)
		for _, v := range values {
			ev := &bytecode.Emitter{}
			for _, n := range v {
				ev.Integer(n)
			}
			runs = append(runs, run{code, bytecode.Parts{Main: ev.Code}.Encode(), len(programs) - 1})
		}
	}
	ops := 0
	for op, d := range bytecode.Opcodes {
		types, host := hostWords[bytecode.Opcode(op)]
		if types == "" {
			types = moves[bytecode.Opcode(op)]
		}
		takes, leaves := int(d.Takes), int(d.Leaves)
		if len(types) == 0 || types[:takes] != "nnnn"[:takes] || takes == 0 || leaves == 0 || types[len(types)-1] != 'n' {
			continue
		}
		ops++
		for n := range leaves {
			pickOne := func(e *bytecode.Emitter) {
				e.Op(bytecode.Opcode(op))
				if leaves == 2 {
					e.Op([]bytecode.Opcode{bytecode.OpDrop, bytecode.OpNip}[n])
				}
			}
			var values [][]int64
			for i, x := range edges {
				if takes == 1 {
					values = append(values, []int64{x})
					continue
				}
				for j, y := range edges {
					v := []int64{x, y, edges[(i+j)%len(edges)], edges[(i*5+j*3)%len(edges)]}[:takes]
					if host && (i+j)%5 != 0 {
						continue
					}
					values = append(values, v)
				}
			}
			add(pickOne, takes, values)
			if takes < 2 || host {
				continue
			}
			for _, y := range edges { // the last one known, and the last but one
				var some [][]int64
				for i := range edges {
					some = append(some, []int64{edges[i], edges[(i*3+1)%len(edges)], edges[(i*7+2)%len(edges)]}[:takes-1])
				}
				add(func(e *bytecode.Emitter) { e.Integer(y); pickOne(e) }, takes-1, some)
				add(func(e *bytecode.Emitter) { e.Integer(y); e.Op(bytecode.OpSwap); pickOne(e) }, takes-1, some)
				if takes == 2 {
					add(func(e *bytecode.Emitter) { e.Integer(y); e.Op(bytecode.OpDup); pickOne(e) }, 0, [][]int64{{}})
				}
			}
		}
	}
	var err error
	if acc.m, err = tier.compile(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	defer acc.m.retire()
	completed := 0
	for _, x := range runs {
		r := vm.Run{Code: x.code, Evidence: x.evidence, GasLimit: 10_000}
		want := plain.Run(&r, nil, nil, make([]int64, engine.ResultCount))
		acc.done = false
		got := fast.Run(&r, programs[x.entry], nil, make([]int64, engine.ResultCount))
		if !reflect.DeepEqual(got, want) {
			text, err := bytecode.Disassemble(x.code, &l)
			t.Fatalf("hot tier (%t) %+v, interpreter %+v\nevidence %x\n%s%v", acc.done, got, want, x.evidence, text, err)
		}
		if acc.done {
			completed++
		} else if want.Status == vm.OK {
			text, err := bytecode.Disassemble(x.code, &l)
			t.Fatalf("left to the interpreter for no reason: evidence %x\n%s%v", x.evidence, text, err)
		}
	}
	t.Logf("%d instructions, %d programs, %d runs, %d completed by the hot tier", ops, len(programs), len(runs), completed)
	if ops < 45 || completed < len(runs)/2 {
		t.Errorf("too little of it is tested")
	}
}

// TestComparedJumps has jumps by comparisons of what wazero knows more of than it should use: 0, and the result of an and.
func TestComparedJumps(t *testing.T) {
	l := bytecode.DefaultLimits()
	tier := newTier(t, &l, eager())
	plain, fast := machines(t, &l)
	fast.Accelerate(tier)
	operands := []string{"0", "0 0 lshift", "x 15 and", "15 x and", "x y and", "x y or", "0 x and", "x", "7"}
	runs := 0
	for _, op := range []string{"<", ">", "<=", ">=", "u<", "=", "<>", "=="} {
		for _, left := range operands {
			for _, right := range operands {
				for _, jump := range []string{"if 1 else 2 then", "0= if 1 else 2 then", "dup if drop 1 else drop 2 then"} {
					p := compiled(t, fmt.Sprintf(": x 8 @ ; : y 16 @ ; 8 ! 16 ! %s %s %s %s 0 1", left, right, op, jump), &l)
					for _, e := range [][]byte{evidenceOf(3, 5), evidenceOf(8, 16), evidenceOf(-1, -16), evidenceOf(0, 0)} {
						agree(t, plain, fast, p, vm.Run{Evidence: e, GasLimit: 10_000})
						runs++
					}
				}
			}
		}
	}
	for _, test := range []string{"0<", "0>", "0=", "0<>"} {
		for _, x := range operands {
			p := compiled(t, fmt.Sprintf(": x 8 @ ; : y 16 @ ; 8 ! 16 ! %s %s if 1 else 2 then 0 1", x, test), &l)
			for _, e := range [][]byte{evidenceOf(3, 5), evidenceOf(8, 16), evidenceOf(-1, -16), evidenceOf(0, 0)} {
				agree(t, plain, fast, p, vm.Run{Evidence: e, GasLimit: 10_000})
				runs++
			}
		}
	}
	if n := tier.Stats().Completed.Load(); n != int64(runs) {
		t.Errorf("%d of %d runs were completed by the hot tier", n, runs)
	}
}

func machines(t testing.TB, l *bytecode.Limits) (plain, fast *engine.Machine) {
	t.Helper()
	plain, err := engine.New(l)
	if err != nil {
		t.Fatal(err)
	}
	if fast, err = engine.New(l); err != nil {
		t.Fatal(err)
	}
	return plain, fast
}
