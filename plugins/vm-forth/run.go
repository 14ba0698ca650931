package vmforth

import (
	"encoding/binary"
	"math/bits"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func flag(b bool) int64 {
	if b {
		return -1
	}
	return 0
}

// exec executes the main body of one of the two programs. sp is how many values are on the stack.
//
// For each instruction the order of checks is: gas, too few values, no room for more, then what the instruction itself
// checks, with gas that depends on operands once these are known to be of the right type. The order is part of consensus,
// since the status is. What does not fit a few lines is in words.go.
func (m *machine) exec(which int, sp int, gas int64) outcome {
	var (
		st, rs = m.stack, m.rstack
		p      = m.programs[which]
		ins    = p.ins
		ip     = int(p.main)
		rp     = 0
		in     *instr
		status vm.Status
		text   string
	)
	for {
		in = &ins[ip]
		ip++
		if m.trace != nil {
			if status, text = m.trace.before(m, p, in, sp, rp, gas); status != vm.OK {
				goto failed
			}
		}
		if gas -= int64(in.gas); gas < 0 {
			status = OutOfGas
			goto failed
		}
		if sp < int(in.needs) {
			status = StackUnderflow
			goto failed
		}
		if sp+int(in.grows) > len(st) {
			status = StackOverflow
			goto failed
		}
		switch in.op {
		case opEnd:
			if ip == len(ins) { // the main body's end is the last of all
				return outcome{pc: in.pc, op: in.op, sp: sp, gas: gas}
			}
			fallthrough
		case opExit:
			if rp == 0 || rs[rp-1].k != isFrame {
				status, text = StackUnderflow, "the word leaves something on the return stack"
				goto failed
			}
			rp--
			ip, which = int(rs[rp].v>>1), int(rs[rp].v&1)
			p = m.programs[which]
			ins = p.ins
		case opInt:
			st[sp] = cell{v: in.arg}
			sp++
		case opBytes:
			n := int(in.arg & 0xffff)
			if gas -= blocks(n); gas < 0 {
				status = OutOfGas
				goto failed
			}
			if !m.put(&st[sp], p.code[in.arg>>16:int(in.arg>>16)+n]) {
				status = OutOfSpace
				goto failed
			}
			sp++
		case opJump:
			ip = int(in.arg)
		case opJumpZero:
			if st[sp-1].k != isInt {
				status = TypeError
				goto failed
			}
			sp--
			if st[sp].v == 0 {
				ip = int(in.arg)
			}
		case opCall, opRecurse:
			if rp == len(rs) {
				status = StackOverflow
				goto failed
			}
			rs[rp] = cell{int64(ip)<<1 | int64(which), isFrame}
			rp++
			ip = int(in.arg)
		case opCallHash:
			if st[sp-1].k != isBytes {
				status = TypeError
				goto failed
			}
			if gas -= int64(len(m.programs[0].hashes)+len(m.programs[1].hashes)) / 4; gas < 0 {
				status = OutOfGas
				goto failed
			}
			h := m.bytesOf(st[sp-1])
			to, where := int32(0), 1
			start, ok := m.programs[1].find(h)
			if !ok {
				start, ok = m.programs[0].find(h)
				where = 0
			}
			if to = start; !ok {
				status = UnknownWord
				goto failed
			}
			if rp == len(rs) {
				status = StackOverflow
				goto failed
			}
			sp--
			rs[rp] = cell{int64(ip)<<1 | int64(which), isFrame}
			rp++
			which = where
			p = m.programs[which]
			ins = p.ins
			ip = int(to)
		case opReturn:
			return outcome{pc: in.pc, op: in.op, sp: sp, gas: gas, loose: true}
		case opFail:
			status = Fail
			goto failed
		case opThrow:
			if st[sp-1].k != isInt {
				status = TypeError
				goto failed
			}
			sp--
			if v := st[sp].v; v != 0 {
				status, text = Thrown, decimal(v)
				goto failed
			}
		case opDo, opQDo:
			if st[sp-1].k|st[sp-2].k != isInt {
				status = TypeError
				goto failed
			}
			if in.op == opQDo && st[sp-1].v == st[sp-2].v {
				sp -= 2
				ip = int(in.arg)
				continue
			}
			if rp+2 > len(rs) {
				status = StackOverflow
				goto failed
			}
			sp -= 2
			rs[rp], rs[rp+1] = cell{st[sp].v, isLoop}, cell{st[sp+1].v, isLoop}
			rp += 2
		case opLoop, opPlusLoop:
			step := int64(1)
			if in.op == opPlusLoop {
				if st[sp-1].k != isInt {
					status = TypeError
					goto failed
				}
				sp--
				step = st[sp].v
			}
			if rp < 2 || rs[rp-1].k != isLoop {
				status = StackUnderflow
				goto failed
			}
			// The loop ends when the index crosses the boundary below the limit. Index and distance wrap, as in the standard.
			x := rs[rp-1].v - rs[rp-2].v
			if (x^(x+step))&(x^step) < 0 {
				rp -= 2
			} else {
				rs[rp-1].v += step
				ip = int(in.arg)
			}
		case opI, opJ:
			at := rp - 1
			if in.op == opJ {
				at = rp - 3
			}
			if at < 1 || rs[rp-1].k != isLoop || rs[at].k != isLoop {
				status = StackUnderflow
				goto failed
			}
			st[sp] = cell{v: rs[at].v}
			sp++
		case opUnloop:
			if rp < 2 || rs[rp-1].k != isLoop {
				status = StackUnderflow
				goto failed
			}
			rp -= 2
		case opGas:
			st[sp] = cell{v: gas}
			sp++

		case opDup:
			st[sp] = st[sp-1]
			sp++
		case opDrop:
			sp--
		case opSwap:
			st[sp-1], st[sp-2] = st[sp-2], st[sp-1]
		case opOver:
			st[sp] = st[sp-2]
			sp++
		case opRot:
			st[sp-3], st[sp-2], st[sp-1] = st[sp-2], st[sp-1], st[sp-3]
		case opMinusRot:
			st[sp-3], st[sp-2], st[sp-1] = st[sp-1], st[sp-3], st[sp-2]
		case opNip:
			st[sp-2] = st[sp-1]
			sp--
		case opTuck:
			st[sp-2], st[sp-1], st[sp] = st[sp-1], st[sp-2], st[sp-1]
			sp++
		case opQDup:
			if c := st[sp-1]; c.k != isInt {
				status = TypeError
				goto failed
			} else if c.v != 0 {
				st[sp] = c
				sp++
			}
		case op2Dup:
			st[sp], st[sp+1] = st[sp-2], st[sp-1]
			sp += 2
		case op2Drop:
			sp -= 2
		case op2Swap:
			st[sp-4], st[sp-3], st[sp-2], st[sp-1] = st[sp-2], st[sp-1], st[sp-4], st[sp-3]
		case op2Over:
			st[sp], st[sp+1] = st[sp-4], st[sp-3]
			sp += 2
		case opPick, opRoll:
			c := st[sp-1]
			if c.k != isInt {
				status = TypeError
				goto failed
			}
			if c.v < 0 || c.v >= int64(sp-1) {
				status = StackUnderflow
				goto failed
			}
			if gas -= c.v / 8; gas < 0 {
				status = OutOfGas
				goto failed
			}
			at := sp - 2 - int(c.v)
			if in.op == opPick {
				st[sp-1] = st[at]
			} else {
				x := st[at]
				copy(st[at:sp-2], st[at+1:sp-1])
				st[sp-2] = x
				sp--
			}
		case opDepth:
			st[sp] = cell{v: int64(sp)}
			sp++
		case opToR:
			if rp == len(rs) {
				status = StackOverflow
				goto failed
			}
			sp--
			rs[rp] = st[sp]
			rp++
		case opFromR, opRFetch:
			if rp == 0 || rs[rp-1].k > isBytes {
				status = StackUnderflow
				goto failed
			}
			st[sp] = rs[rp-1]
			sp++
			if in.op == opFromR {
				rp--
			}

		case opSame, opEqual, opNotEqual:
			a, b := st[sp-2], st[sp-1]
			equal := a == b
			if a.k == isBytes && b.k == isBytes { // it costs the same whether or not they are one piece of memory
				x, y := m.bytesOf(a), m.bytesOf(b)
				if len(x) == len(y) {
					if gas -= blocks(len(x)); gas < 0 {
						status = OutOfGas
						goto failed
					}
					equal = string(x) == string(y)
				}
			}
			sp--
			switch in.op {
			case opSame:
				st[sp-1] = cell{v: -flag(equal)}
			case opEqual:
				st[sp-1] = cell{v: flag(equal)}
			default:
				st[sp-1] = cell{v: flag(!equal)}
			}

		case opAdd, opSub, opMul, opDiv, opMod, opMin, opMax, opAddWrap, opSubWrap, opMulWrap, opAnd, opOr, opXor, opLShift, opRShift,
			opLess, opGreater, opLessEqual, opGreaterEqual, opULess:
			a, b := &st[sp-2], &st[sp-1]
			if a.k|b.k != isInt {
				status = TypeError
				goto failed
			}
			x, y := a.v, b.v
			switch in.op {
			case opAdd:
				s := x + y
				if (s^x)&(s^y) < 0 {
					status = Overflow
					goto failed
				}
				a.v = s
			case opSub:
				d := x - y
				if (x^y)&(x^d) < 0 {
					status = Overflow
					goto failed
				}
				a.v = d
			case opMul:
				hi, lo := mul128(x, y)
				if hi != int64(lo)>>63 {
					status = Overflow
					goto failed
				}
				a.v = int64(lo)
			case opDiv, opMod:
				if y == 0 {
					status = DivByZero
					goto failed
				}
				if x == -1<<63 && y == -1 {
					status = Overflow
					goto failed
				}
				if in.op == opDiv {
					a.v = x / y
				} else {
					a.v = x % y
				}
			case opMin:
				a.v = min(x, y)
			case opMax:
				a.v = max(x, y)
			case opAddWrap:
				a.v = x + y
			case opSubWrap:
				a.v = x - y
			case opMulWrap:
				a.v = x * y
			case opAnd:
				a.v = x & y
			case opOr:
				a.v = x | y
			case opXor:
				a.v = x ^ y
			case opLShift, opRShift:
				switch {
				case uint64(y) >= 64:
					a.v = 0
				case in.op == opLShift:
					a.v = x << uint(y)
				default:
					a.v = int64(uint64(x) >> uint(y))
				}
			case opLess:
				a.v = flag(x < y)
			case opGreater:
				a.v = flag(x > y)
			case opLessEqual:
				a.v = flag(x <= y)
			case opGreaterEqual:
				a.v = flag(x >= y)
			case opULess:
				a.v = flag(uint64(x) < uint64(y))
			}
			sp--

		case opNegate, opAbs, opInc, opDec, opInvert, opTwoMul, opTwoDiv, opZeroEqual, opZeroNotEqual, opZeroLess, opZeroGreater:
			a := &st[sp-1]
			if a.k != isInt {
				status = TypeError
				goto failed
			}
			x := a.v
			switch in.op {
			case opNegate, opAbs:
				if x == -1<<63 {
					status = Overflow
					goto failed
				}
				if in.op == opNegate || x < 0 {
					a.v = -x
				}
			case opInc:
				if x == 1<<63-1 {
					status = Overflow
					goto failed
				}
				a.v++
			case opDec:
				if x == -1<<63 {
					status = Overflow
					goto failed
				}
				a.v--
			case opInvert:
				a.v = ^x
			case opTwoMul:
				if x<<1>>1 != x {
					status = Overflow
					goto failed
				}
				a.v = x << 1
			case opTwoDiv:
				a.v = x >> 1
			case opZeroEqual:
				a.v = flag(x == 0)
			case opZeroNotEqual:
				a.v = flag(x != 0)
			case opZeroLess:
				a.v = flag(x < 0)
			case opZeroGreater:
				a.v = flag(x > 0)
			}

		case opDivMod:
			a, b := &st[sp-2], &st[sp-1]
			switch {
			case a.k|b.k != isInt:
				status = TypeError
				goto failed
			case b.v == 0:
				status = DivByZero
				goto failed
			case a.v == -1<<63 && b.v == -1:
				status = Overflow
				goto failed
			}
			a.v, b.v = a.v%b.v, a.v/b.v
		case opMulDiv, opMulDivMod:
			a, b, c := &st[sp-3], &st[sp-2], &st[sp-1]
			if a.k|b.k|c.k != isInt {
				status = TypeError
				goto failed
			}
			q, r, s := mulDiv(a.v, b.v, c.v)
			if status = s; status != vm.OK {
				goto failed
			}
			if in.op == opMulDiv {
				a.v = q
				sp -= 2
			} else {
				a.v, b.v = r, q
				sp--
			}

		case opFetch, opCFetch, opStore, opCStore, opAddStore:
			a := st[sp-1]
			store := in.op != opFetch && in.op != opCFetch
			if a.k != isInt || (store && st[sp-2].k != isInt) {
				status = TypeError
				goto failed
			}
			n := 8
			if in.op == opCFetch || in.op == opCStore {
				n = 1
			}
			b, more := m.at(a.v, n)
			if b == nil {
				status = BadAddress
				goto failed
			}
			if gas -= more; gas < 0 {
				status = OutOfGas
				goto failed
			}
			switch in.op {
			case opFetch:
				st[sp-1].v = int64(binary.LittleEndian.Uint64(b))
				continue
			case opCFetch:
				st[sp-1].v = int64(b[0])
				continue
			case opStore:
				binary.LittleEndian.PutUint64(b, uint64(st[sp-2].v))
			case opCStore:
				b[0] = byte(st[sp-2].v)
			case opAddStore:
				x, y := int64(binary.LittleEndian.Uint64(b)), st[sp-2].v
				s := x + y
				if (s^x)&(s^y) < 0 {
					status = Overflow
					goto failed
				}
				binary.LittleEndian.PutUint64(b, uint64(s))
			}
			sp -= 2

		default:
			sp, gas, status, text = m.word(in, sp, gas)
			if status != vm.OK {
				goto failed
			}
		}
	}
failed:
	return outcome{status: status, text: text, pc: in.pc, op: in.op, sp: sp, gas: gas}
}

// mul128 multiplies exactly; the result is in two's complement.
func mul128(x, y int64) (hi int64, lo uint64) {
	h, l := bits.Mul64(uint64(x), uint64(y))
	hi = int64(h)
	if x < 0 {
		hi -= y
	}
	if y < 0 {
		hi -= x
	}
	return hi, l
}

func magnitude(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}

// mulDiv divides a*b, exact, by c, symmetrically: the quotient is rounded towards 0.
func mulDiv(a, b, c int64) (quotient, remainder int64, s vm.Status) {
	if c == 0 {
		return 0, 0, DivByZero
	}
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	d := magnitude(c)
	if hi >= d {
		return 0, 0, Overflow
	}
	q, r := bits.Div64(hi, lo, d)
	negative := (a < 0) != (b < 0)
	if q > 1<<63-1 && !(q == 1<<63 && negative != (c < 0)) {
		return 0, 0, Overflow
	}
	quotient, remainder = int64(q), int64(r)
	if negative != (c < 0) {
		quotient = -quotient
	}
	if negative {
		remainder = -remainder
	}
	return quotient, remainder, vm.OK
}
