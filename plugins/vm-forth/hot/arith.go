package hot

import (
	"math"
	"math/bits"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

var plain = map[bytecode.Opcode]byte{
	bytecode.OpAddWrap: wAdd, bytecode.OpSubWrap: wSub, bytecode.OpMulWrap: wMul, bytecode.OpAnd: wAnd, bytecode.OpOr: wOr, bytecode.OpXor: wXor,
}

// fold computes what is known, in the few cases that addresses are made of.
func fold(op bytecode.Opcode, x, y int64) (int64, bool) {
	switch op {
	case bytecode.OpAdd:
		s := x + y
		return s, (s^x)&(s^y) >= 0
	case bytecode.OpSub:
		d := x - y
		return d, (x^y)&(x^d) >= 0
	case bytecode.OpMul:
		hi, lo := bits.Mul64(uint64(x), uint64(y))
		return int64(lo), x >= 0 && y >= 0 && hi == 0 && int64(lo) >= 0
	case bytecode.OpAnd:
		return x & y, true
	case bytecode.OpOr:
		return x | y, true
	}
	return 0, false
}

// binary goes through an instruction that makes one number of two.
func (w *walker) binary(in *bytecode.Instr, fuse bool) bool {
	op := in.Op
	cmp, isCmp := comparisons[op]
	one, isPlain := plain[op]
	switch op {
	case bytecode.OpAdd, bytecode.OpSub, bytecode.OpMul, bytecode.OpDiv, bytecode.OpMod, bytecode.OpDivMod, bytecode.OpMin, bytecode.OpMax,
		bytecode.OpLShift, bytecode.OpRShift:
	default:
		if !isCmp && !isPlain {
			return false
		}
	}
	if !w.is("nn") {
		return true
	}
	if isCmp {
		w.compare(2, cmp, false, fuse)
		return true
	}
	x, y := *w.top(1), *w.top(0)
	result := val{k: kInt}
	if x.known && y.known {
		if v, ok := fold(op, x.v, y.v); ok {
			result.known, result.v = true, v
		}
	}
	if w.e == nil {
		w.pop(2)
		w.push(result)
		if op == bytecode.OpDivMod {
			w.push(result)
		}
		return true
	}
	c, t := &w.e.c, w.e.temp
	done := func() {
		w.pop(2)
		w.push(result)
		w.store(0)
	}
	switch {
	case result.known:
		c.int(result.v)
		done()
		return true
	case isPlain:
		w.load(1)
		w.load(0)
		c.op(one)
		done()
		return true
	}
	switch op {
	case bytecode.OpAdd:
		w.load(1)
		w.load(0)
		c.op(wAdd)
		c.set(t)
		w.added(1, 0, t)
		c.get(t)
	case bytecode.OpSub:
		w.load(1)
		w.load(0)
		c.op(wSub)
		c.set(t)
		if y.known {
			c.get(t)
			w.load(1)
			w.failIf(pick(y.v >= 0, wGtS, wLtS))
		} else {
			w.load(1)
			w.load(0)
			c.op(wXor)
			w.load(1)
			c.get(t)
			c.op(wXor, wAnd)
			c.int(0)
			w.failIf(wLtS)
		}
		c.get(t)
	case bytecode.OpMul:
		w.multiply(x, y)
	case bytecode.OpDiv:
		w.load(1)
		w.load(0)
		c.op(wDivS) // it traps where there is no quotient
	case bytecode.OpMod, bytecode.OpDivMod:
		if !y.known || y.v == -1 { // the remainder of the least number is 0 here, and an overflow there
			w.load(0)
			c.int(-1)
			c.op(wEq)
			w.load(1)
			c.int(math.MinInt64)
			c.op(wEq, wAnd32)
			w.failIf(isSet)
		}
		w.load(1)
		w.load(0)
		c.op(wRemS)
		if op == bytecode.OpDivMod {
			w.load(1)
			w.load(0)
			c.op(wDivS)
			w.store(0)
			w.store(1)
			*w.top(0), *w.top(1) = result, result
			return true
		}
	case bytecode.OpMin, bytecode.OpMax:
		w.load(1)
		w.load(0)
		w.load(1)
		w.load(0)
		c.op(pick(op == bytecode.OpMin, wLtS, wGtS), wSelect)
	case bytecode.OpLShift, bytecode.OpRShift:
		shift := pick(op == bytecode.OpLShift, wShl, wShrU)
		if y.known {
			if uint64(y.v) >= 64 {
				c.int(0)
			} else {
				w.load(1)
				w.load(0)
				c.op(shift)
			}
			break
		}
		w.load(1)
		w.load(0)
		c.op(shift)
		c.int(0)
		w.load(0)
		c.int(64)
		c.op(wLtU, wSelect)
	}
	done()
	return true
}

func pick(first bool, a, b byte) byte {
	if first {
		return a
	}
	return b
}

// added leaves the module if a sum, in a local, of the values m and n below the top does not fit.
func (w *walker) added(m, n, sum int) {
	c := &w.e.c
	if x := w.top(m); x.known {
		m, n = n, m
	}
	if y := w.top(n); y.known {
		c.get(sum)
		w.load(m)
		w.failIf(pick(y.v >= 0, wLtS, wGtS))
	} else {
		c.get(sum)
		w.load(m)
		c.op(wXor)
		c.get(sum)
		w.load(n)
		c.op(wXor, wAnd)
		c.int(0)
		w.failIf(wLtS)
	}
}

// multiply pushes the product of two numbers. It is quick if both fit 32 bits.
func (w *walker) multiply(x, y val) {
	c, t := &w.e.c, w.e.temp
	small := func(v val) bool { return v.known && v.v == int64(int32(v.v)) }
	biased := func(n int) {
		w.load(n)
		c.int(1 << 31)
		c.op(wAdd)
	}
	switch {
	case small(x) && small(y):
		w.load(1)
		w.load(0)
		c.op(wMul)
		return
	case small(x):
		biased(0)
	case small(y):
		biased(1)
	default:
		biased(1)
		biased(0)
		c.op(wOr)
	}
	w.e.blocks++
	c.int(32)
	c.op(wShrU, wEqz, wIf, noType)
	w.load(1)
	w.load(0)
	c.op(wMul)
	c.set(t)
	c.op(wElse)
	w.load(1)
	w.load(0)
	c.call(helper(fMul))
	c.set(t)
	c.op(wEnd)
	c.get(t)
}

// unary goes through an instruction that makes one number of one.
func (w *walker) unary(in *bytecode.Instr, fuse bool) bool {
	op := in.Op
	switch op {
	case bytecode.OpNegate, bytecode.OpAbs, bytecode.OpInc, bytecode.OpDec, bytecode.OpInvert, bytecode.OpTwoMul, bytecode.OpTwoDiv,
		bytecode.OpZeroEqual, bytecode.OpZeroNotEqual, bytecode.OpZeroLess, bytecode.OpZeroGreater:
	default:
		return false
	}
	if !w.is("n") {
		return true
	}
	if cmp, ok := map[bytecode.Opcode]byte{bytecode.OpZeroEqual: wEq, bytecode.OpZeroNotEqual: wNe, bytecode.OpZeroLess: wLtS, bytecode.OpZeroGreater: wGtS}[op]; ok {
		w.compare(1, cmp, false, fuse)
		return true
	}
	if w.e == nil {
		*w.top(0) = val{k: kInt}
		return true
	}
	c, t := &w.e.c, w.e.temp
	not := func(v int64) { // the value for which there is no result
		w.load(0)
		c.int(v)
		w.failIf(wEq)
	}
	switch op {
	case bytecode.OpNegate:
		not(math.MinInt64)
		c.int(0)
		w.load(0)
		c.op(wSub)
	case bytecode.OpAbs:
		not(math.MinInt64)
		c.int(0)
		w.load(0)
		c.op(wSub)
		w.load(0)
		w.load(0)
		c.int(0)
		c.op(wLtS, wSelect)
	case bytecode.OpInc, bytecode.OpDec:
		not(map[bytecode.Opcode]int64{bytecode.OpInc: math.MaxInt64, bytecode.OpDec: math.MinInt64}[op])
		w.load(0)
		c.int(1)
		c.op(pick(op == bytecode.OpInc, wAdd, wSub))
	case bytecode.OpInvert:
		w.load(0)
		c.int(-1)
		c.op(wXor)
	case bytecode.OpTwoMul:
		w.load(0)
		c.int(1)
		c.op(wShl)
		c.tee(t)
		c.int(1)
		c.op(wShrS)
		w.load(0)
		w.failIf(wNe)
		c.get(t)
	case bytecode.OpTwoDiv:
		w.load(0)
		c.int(1)
		c.op(wShrS)
	}
	*w.top(0) = val{k: kInt}
	w.store(0)
	return true
}
