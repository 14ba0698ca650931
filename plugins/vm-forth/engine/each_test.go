package engine

import (
	"math/rand/v2"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// TestEachInstruction runs each instruction, and each sequence that is fused, on both interpreters: with too few values and
// with values of the wrong kinds, on stacks that are full or nearly so, in a loop, in a word and outside, and with gas that
// ends on the way.
func TestEachInstruction(t *testing.T) {
	m := machine(t, func(l *bytecode.Limits) {
		l.StackDepth, l.ReturnDepth, l.ArenaBytes, l.DataBytes = 16, 16, 4<<10, 4<<10
	})
	var sequences [][]bytecode.Opcode
	for op, d := range bytecode.Opcodes {
		if d.Name != "" && d.Operand != bytecode.InternalOperand && bytecode.Opcode(op) != bytecode.OpVerifyZK {
			sequences = append(sequences, []bytecode.Opcode{bytecode.Opcode(op)})
		}
	}
	for _, p := range patterns {
		sequences = append(sequences, p.sequence)
	}
	tries := 60
	if testing.Short() {
		tries = 20
	}
	statuses, programs := map[vm.Status]int{}, 0
	for _, s := range sequences {
		for seed := range tries {
			r := rand.New(rand.NewPCG(uint64(seed), 2))
			run := eachRun(r, s, seed)
			status, diff := both(m, &run, randomEnvironment(r))
			if diff != "" {
				text, err := bytecode.Disassemble(run.Code, m.lim)
				t.Fatalf("%v, seed %d: %s\n%s%v", s, seed, diff, text, err)
			}
			statuses[status]++
			programs++
		}
	}
	t.Logf("compared %d programs; ends by status: %v", programs, statuses)
	if statuses[bytecode.BadCode] > programs/20 {
		t.Errorf("%d of %d programs are malformed", statuses[bytecode.BadCode], programs)
	}
}

// eachRun is a run in which a sequence of instructions finds stacks of all kinds.
func eachRun(r *rand.Rand, s []bytecode.Opcode, seed int) vm.Run {
	g := &generator{r: r, e: &bytecode.Emitter{}}
	// Word 0 only ends, word 1 is short, word 2 has the sequence, word 3 calls that.
	words := [][]byte{nil, {byte(bytecode.OpSmall) + 5, byte(bytecode.OpAdd)}}
	depth := []int{0, 1, 2, 3, 4, 5, 8, 12, 13, 14, 15, 16}[r.IntN(12)]
	for i := range depth {
		switch {
		case i >= depth-4 && r.IntN(6) == 0:
			g.e.Bytes(make([]byte, r.IntN(40)))
		case i >= depth-3 && r.IntN(2) == 0:
			g.e.Integer(g.int())
		default:
			g.e.Integer(g.address())
		}
	}
	fill, where := g.e.Code, r.IntN(4)
	g.e = &bytecode.Emitter{}
	begin := 0
	if where > 1 { // in a loop, of one round or two, or one that ends with the type
		g.e.Integer(int64(r.IntN(3)))
		g.e.Integer(int64(r.IntN(2)))
		g.e.Op(bytecode.OpDo)
		begin = len(g.e.Code)
	}
	for _, op := range s {
		g.operand(op, begin)
	}
	if where > 1 {
		g.e.Op([]bytecode.Opcode{bytecode.OpUnloop, bytecode.OpI}[r.IntN(2)])
	}
	if r.IntN(3) > 0 {
		words = append(words, g.e.Code)
		g.e = &bytecode.Emitter{}
		for range r.IntN(3) * 7 { // calls are deep now and then
			g.e.Integer(1)
			g.e.Op(bytecode.OpToR)
		}
		g.e.Word(2)
		words = append(words, g.e.Code)
		g.e = &bytecode.Emitter{Code: append([]byte{}, fill...)}
		switch r.IntN(3) {
		case 0:
			g.e.Word(2)
		case 1:
			g.e.Word(3)
		default:
			g.e.Integer(2)
			g.e.Op(bytecode.OpCatch)
		}
	} else {
		g.e.Code = shift(fill, g.e.Code, s)
	}
	run := vm.Run{Code: bytecode.Parts{Words: words, Main: g.e.Code, Addressable: seed%2 == 0}.Encode(), GasLimit: 150_000}
	if seed%5 == 0 {
		run.GasLimit = bytecode.GasCodeByte*uint64(len(run.Code)) + uint64(r.IntN(60))
		if seed%2 == 0 {
			run.GasLimit += 300
		}
	}
	run.Environment = randomEnvironment(r)
	return run
}

// shift puts code behind other code. Jumps count from the start of a body, so code with jumps stays where it is.
func shift(fill, body []byte, s []bytecode.Opcode) []byte {
	for _, op := range s {
		if bytecode.Opcodes[op&0xff].Operand == bytecode.JumpOperand {
			return body
		}
	}
	return append(append([]byte{}, fill...), body...)
}

// operand writes an instruction with an operand, or what stands in a pattern for one.
func (g *generator) operand(op bytecode.Opcode, begin int) {
	switch bytecode.Opcodes[op].Operand {
	case bytecode.JumpOperand:
		at := g.e.Jump(op)
		if op == bytecode.OpLoop || op == bytecode.OpPlusLoop {
			g.e.Target(at, begin)
		} else {
			g.e.Target(at, len(g.e.Code))
		}
	case bytecode.BytesOperand:
		g.e.Bytes(make([]byte, g.r.IntN(70)))
	case bytecode.WordOperand:
		g.e.Word(g.r.IntN(2))
	case bytecode.EnvOperand:
		g.e.Env(g.r.IntN(len(bytecode.Environment)))
	case bytecode.SlotOperand:
		g.e.Slot(op, g.r.IntN(3))
		g.e.Slot(bytecode.OpSlot, g.r.IntN(3))
	default:
		if op == bytecode.OpRecurse && g.r.IntN(4) > 0 {
			op = bytecode.OpExit
		}
		g.sequence([]bytecode.Opcode{op})
	}
}
