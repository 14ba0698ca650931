package engine

import (
	"math"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// Opcodes that are never in code, but in what is executed. Those from fused on stand for several instructions: what they cost
// is in Gas, how many further instructions they cover is in Grows. If all these would succeed, they do what these do, at
// once. In any other case they change nothing, and the plain instructions are executed one by one, so that status, gas and
// place of what fails are those of the plain ones. Jumps to an instruction in the midst of them find it as it was.
const (
	opTrace bytecode.Opcode = 0x90 + iota
	fused

	fLitAdd = fused + iota // Arg is added
	fLitMul                // and so on
	fLitAnd
	fLitShl
	fLitShr
	fLitCmp   // is compared; Needs has the outcomes that are true
	fLitCmpJz // jumps to PC
	fDupLitCmpJz
	fCmpJz
	f2DupCmpJz
	fDupLitAdd
	fSwapLitAdd
	fOverAdd
	fIAdd
	fIFetch
	fIStore
	fICStore
	fILitAdd
	fILitAddFetch
	fILitAddStore
	fILitMul
	fLitFetch
	fLitStore
	fLitAddFetch
	fLitAddStore
	fLitAddCFetch
	fLitAddCStore
	fLitIAddCFetch
	fIncLoop
	fLitPlusLoop
	fCallLeaf // a call of a word of up to three of "literal +" and "literal and"
	fLitAddEnd
	fLitAndEnd
	fAddEnd
	fJumpEnd
	fDupLitShl
	fDupLitShr
	fDupLitShlOr
	fOverLitShrXor
	fSwapLitShrXor
	fSwapOver
	fLitOver
	fLitLit
	fusedEnd
)

// What a comparison of x and y may come to.
const (
	less uint8 = 1 << iota
	equal
	greater
)

// comparisons are the outcomes for which a word leaves true; those of one operand compare it with 0.
var (
	comparisons = map[bytecode.Opcode]uint8{bytecode.OpLess: less, bytecode.OpEqual: equal, bytecode.OpGreater: greater, bytecode.OpLessEqual: less | equal,
		bytecode.OpGreaterEqual: greater | equal, bytecode.OpNotEqual: less | greater}
	againstZero = map[bytecode.Opcode]uint8{bytecode.OpZeroEqual: equal, bytecode.OpZeroNotEqual: less | greater, bytecode.OpZeroLess: less, bytecode.OpZeroGreater: greater}
)

// Placeholders in patterns.
const (
	anyCompare bytecode.Opcode = 0xf0 + iota // Needs becomes the outcomes
	anyBranch                                // the same, == as well, which leaves another true
	anyZero
	anyAdd // + or -: Arg becomes what is added
	anyStep
)

// pattern is a sequence of instructions that a fused one stands for.
type pattern struct {
	op       bytecode.Opcode
	sequence []bytecode.Opcode
}

const (
	lit  = bytecode.OpInt
	jz   = bytecode.OpJumpZero
	add  = bytecode.OpAdd
	dup  = bytecode.OpDup
	swap = bytecode.OpSwap
	over = bytecode.OpOver
	end  = bytecode.OpEnd
)

// patterns are tried in this order.
var patterns = []pattern{
	{fDupLitCmpJz, []bytecode.Opcode{dup, lit, anyBranch, jz}},
	{fOverLitShrXor, []bytecode.Opcode{over, lit, bytecode.OpRShift, bytecode.OpXor}},
	{fSwapLitShrXor, []bytecode.Opcode{swap, lit, bytecode.OpRShift, bytecode.OpXor}},
	{fDupLitShlOr, []bytecode.Opcode{dup, lit, bytecode.OpLShift, bytecode.OpOr}},
	{fILitAddFetch, []bytecode.Opcode{bytecode.OpI, lit, anyAdd, bytecode.OpFetch}},
	{fILitAddStore, []bytecode.Opcode{bytecode.OpI, lit, anyAdd, bytecode.OpStore}},
	{fLitIAddCFetch, []bytecode.Opcode{lit, bytecode.OpI, add, bytecode.OpCFetch}},
	{fLitCmpJz, []bytecode.Opcode{lit, anyBranch, jz}},
	{f2DupCmpJz, []bytecode.Opcode{bytecode.Op2Dup, anyBranch, jz}},
	{fLitAddFetch, []bytecode.Opcode{lit, anyAdd, bytecode.OpFetch}},
	{fLitAddStore, []bytecode.Opcode{lit, anyAdd, bytecode.OpStore}},
	{fLitAddCFetch, []bytecode.Opcode{lit, anyAdd, bytecode.OpCFetch}},
	{fLitAddCStore, []bytecode.Opcode{lit, anyAdd, bytecode.OpCStore}},
	{fLitAddEnd, []bytecode.Opcode{lit, anyAdd, end}},
	{fLitAndEnd, []bytecode.Opcode{lit, bytecode.OpAnd, end}},
	{fSwapLitAdd, []bytecode.Opcode{swap, lit, anyAdd}},
	{fDupLitAdd, []bytecode.Opcode{dup, lit, anyAdd}},
	{fDupLitShl, []bytecode.Opcode{dup, lit, bytecode.OpLShift}},
	{fDupLitShr, []bytecode.Opcode{dup, lit, bytecode.OpRShift}},
	{fILitAdd, []bytecode.Opcode{bytecode.OpI, lit, anyAdd}},
	{fILitMul, []bytecode.Opcode{bytecode.OpI, lit, bytecode.OpMul}},
	{fDupLitAdd, []bytecode.Opcode{dup, anyStep}},
	{fLitCmpJz, []bytecode.Opcode{anyZero, jz}},
	{fCmpJz, []bytecode.Opcode{anyBranch, jz}},
	{fIncLoop, []bytecode.Opcode{bytecode.OpInc, bytecode.OpLoop}},
	{fLitPlusLoop, []bytecode.Opcode{lit, bytecode.OpPlusLoop}},
	{fLitAdd, []bytecode.Opcode{lit, anyAdd}},
	{fLitMul, []bytecode.Opcode{lit, bytecode.OpMul}},
	{fLitAnd, []bytecode.Opcode{lit, bytecode.OpAnd}},
	{fLitShl, []bytecode.Opcode{lit, bytecode.OpLShift}},
	{fLitShr, []bytecode.Opcode{lit, bytecode.OpRShift}},
	{fLitCmp, []bytecode.Opcode{lit, anyCompare}},
	{fLitFetch, []bytecode.Opcode{lit, bytecode.OpFetch}},
	{fLitStore, []bytecode.Opcode{lit, bytecode.OpStore}},
	{fLitOver, []bytecode.Opcode{lit, over}},
	{fLitLit, []bytecode.Opcode{lit, lit}},
	{fIAdd, []bytecode.Opcode{bytecode.OpI, add}},
	{fIFetch, []bytecode.Opcode{bytecode.OpI, bytecode.OpFetch}},
	{fIStore, []bytecode.Opcode{bytecode.OpI, bytecode.OpStore}},
	{fICStore, []bytecode.Opcode{bytecode.OpI, bytecode.OpCStore}},
	{fOverAdd, []bytecode.Opcode{over, add}},
	{fSwapOver, []bytecode.Opcode{swap, over}},
	{fAddEnd, []bytecode.Opcode{add, end}},
}

// byFirst are the patterns by the instruction with which they begin.
var byFirst = func() (out [256][]pattern) {
	for _, p := range patterns {
		for op := range out {
			if _, _, ok := matches(p.sequence[0], &bytecode.Instr{Op: bytecode.Opcode(op)}); ok {
				out[op] = append(out[op], p)
			}
		}
	}
	return out
}()

// matches says whether an instruction is what a pattern wants, and what outcomes or sign it gives it.
func matches(want bytecode.Opcode, in *bytecode.Instr) (outcomes uint8, sign int64, ok bool) {
	switch want {
	case anyCompare, anyBranch:
		outcomes, ok = comparisons[in.Op]
		if want == anyBranch && in.Op == bytecode.OpSame {
			return equal, 0, true
		}
	case anyZero:
		outcomes, ok = againstZero[in.Op]
	case anyAdd:
		switch in.Op {
		case bytecode.OpAdd:
			sign, ok = 1, true
		case bytecode.OpSub:
			sign, ok = -1, true
		}
	case anyStep:
		switch in.Op {
		case bytecode.OpInc:
			sign, ok = 1, true
		case bytecode.OpDec:
			sign, ok = -1, true
		}
	default:
		ok = want == in.Op
	}
	return outcomes, sign, ok
}

// Prepare makes what a kept program is executed as: Program.Fast. What is executed once is faster without.
func Prepare(p *bytecode.Program) {
	p.Fast = make([]bytecode.Instr, len(p.Ins))
	copy(p.Fast, p.Ins)
	for i := range p.Ins {
		prepare(p, i)
	}
}

func prepare(p *bytecode.Program, at int) {
	in := &p.Fast[at]
	switch in.Op {
	case bytecode.OpCall:
		leaf(p, in)
	case bytecode.OpJump:
		if p.Ins[in.Arg].Op == bytecode.OpEnd {
			in.Op = fJumpEnd
		}
	}
	for _, c := range byFirst[p.Ins[at].Op] {
		if f, ok := c.fuse(p.Ins[at:]); ok {
			*in = f
			return
		}
	}
}

// fuse makes the fused instruction, if the instructions are those of the pattern.
func (c *pattern) fuse(ins []bytecode.Instr) (bytecode.Instr, bool) {
	if len(ins) < len(c.sequence) {
		return bytecode.Instr{}, false
	}
	out := bytecode.Instr{Op: c.op, Grows: uint8(len(c.sequence) - 1)}
	gas, literals := 0, 0
	for i, want := range c.sequence {
		in := &ins[i]
		outcomes, sign, ok := matches(want, in)
		if !ok {
			return bytecode.Instr{}, false
		}
		gas += int(in.Gas)
		out.Needs |= outcomes
		switch {
		case want == lit && literals == 0:
			out.Arg, literals = in.Arg, 1
		case want == lit: // the second
			if in.Arg < 0 || in.Arg > math.MaxUint32 {
				return bytecode.Instr{}, false
			}
			out.PC = uint32(in.Arg)
		case want == anyAdd && sign < 0:
			if out.Arg == math.MinInt64 {
				return bytecode.Instr{}, false
			}
			out.Arg = -out.Arg
		case want == anyStep:
			out.Arg = sign
		case bytecode.Opcodes[in.Op].Operand == bytecode.JumpOperand:
			out.PC = uint32(in.Arg)
		}
	}
	out.Gas = uint8(gas)
	return out, true
}

// leaf makes a call of a word that only adds to what is on top, or takes bits of it, one instruction.
func leaf(p *bytecode.Program, in *bytecode.Instr) {
	gas, n := int(in.Gas), 0
	for i := int(in.Arg); ; i += 2 {
		gas += int(p.Ins[i].Gas)
		if p.Ins[i].Op == bytecode.OpEnd {
			break
		}
		if n == 3 || p.Ins[i].Op != lit || (p.Ins[i+1].Op != add && p.Ins[i+1].Op != bytecode.OpAnd) {
			return
		}
		gas += int(p.Ins[i+1].Gas)
		n++
	}
	in.Op, in.Needs, in.Grows, in.Gas = fCallLeaf, uint8(n), 0, uint8(gas)
}
