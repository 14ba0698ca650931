package engine

import (
	"encoding/binary"
	"math/bits"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func flag(b bool) int64 {
	if b {
		return -1
	}
	return 0
}

// bit is 1 or 0, without a jump.
func bit(b bool) uint8 {
	var n uint8
	if b {
		n = 1
	}
	return n
}

// operands says what is wrong with the operands of an instruction, or with the room for what it leaves.
func (m *Machine) operands(in *bytecode.Instr, sp int) vm.Status {
	switch {
	case sp-floor < int(in.Needs):
		return bytecode.StackUnderflow
	case sp+int(in.Grows) > m.high:
		return bytecode.StackOverflow
	}
	return bytecode.TypeError
}

// exec executes from where the machine's state is until the main body ends, or return or a trap that is not caught.
//
// For each instruction the order of checks is: gas, too few values, no room for more, then what the instruction itself
// checks, with gas that depends on operands once these are known to be of the right type. The order is part of consensus,
// since the status is. An instruction that fails leaves the stacks as they were before it, since catch goes on from there.
//
// The loop looks as it does for speed. Here is what is simple and often executed; it calls nothing, so that its variables
// stay in registers. All the rest is in cold.go, and finds them in the machine's state. Integer operands are not counted:
// below the lowest value are guards, which are no integers, and what is the matter is found out afterwards, by operands.
// Instructions from fused on stand for several, see fuse.go. If anything is in their way, the plain ones are executed.
func (m *Machine) exec() vm.Status {
	for {
		if s := m.loop(); s != goOn {
			return s
		}
	}
}

// goOn is what loop returns when what it holds has changed: the program, or how much of the data space is touched.
const goOn vm.Status = 1 << 31

func (m *Machine) loop() vm.Status {
	var (
		st, rs      = m.st, m.rs
		high, rhigh = m.high, m.rhigh
		which       = m.which
		ins         = m.ins[which]
		ip, sp, rp  = m.ip, m.sp, m.rp
		gas         = m.gas
		data        = m.data[:m.touched]
		in          *bytecode.Instr
		status      vm.Status
		c, d        int
		x, y, z     int64
	)
next:
	in = &ins[ip]
	ip++
again:
	if gas -= int64(in.Gas); gas < 0 {
		goto outOfGas
	}
	switch in.Op {
	case bytecode.OpInt:
		if sp >= high {
			goto operands
		}
		st.v[sp&mask], st.k[sp&mask] = in.Arg, isInt
		sp++
		goto next
	case bytecode.OpJump:
		ip = int(in.Arg)
		goto next
	case bytecode.OpJumpZero:
		a := (sp - 1) & mask
		if st.k[a] != isInt {
			goto operands
		}
		sp--
		if st.v[a] == 0 {
			ip = int(in.Arg)
		}
		goto next
	case bytecode.OpCall, bytecode.OpRecurse:
		if rp >= rhigh {
			goto returnFull
		}
		rs.v[rp&mask], rs.k[rp&mask] = int64(ip), isFrame
		rp++
		ip = int(in.Arg)
		goto next
	case bytecode.OpExit, bytecode.OpEnd:
		if d = (rp - 1) & mask; rs.k[d] == isFrame {
			rp--
			ip = int(rs.v[d])
			goto next
		}
	case bytecode.OpDo, bytecode.OpQDo:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		x, y = st.v[b], st.v[a]
		if in.Op == bytecode.OpQDo && x == y {
			sp -= 2
			ip = int(in.Arg)
			goto next
		}
		if rp+2 > rhigh {
			goto returnFull
		}
		sp -= 2
		rs.v[rp&mask], rs.k[rp&mask] = x, isLoop
		rs.v[(rp+1)&mask], rs.k[(rp+1)&mask] = y, isLoop
		rp += 2
		goto next
	case bytecode.OpLoop:
		if c, d = (rp-1)&mask, (rp-2)&mask; rs.k[c] != isLoop {
			goto returnEmpty
		}
		if x = rs.v[c] + 1; x == rs.v[d] {
			rp -= 2
			goto next
		}
		rs.v[c] = x
		ip = int(in.Arg)
		goto next
	case bytecode.OpPlusLoop:
		a := (sp - 1) & mask
		if st.k[a] != isInt {
			goto operands
		}
		if c, d = (rp-1)&mask, (rp-2)&mask; rs.k[c] != isLoop {
			goto returnEmpty
		}
		y = st.v[a]
		sp--
		// The loop ends when the index crosses the boundary below the limit. Index and distance wrap, as in the standard.
		x = rs.v[c] - rs.v[d]
		if (x^(x+y))&(x^y) < 0 {
			rp -= 2
			goto next
		}
		rs.v[c] += y
		ip = int(in.Arg)
		goto next
	case bytecode.OpI:
		if sp >= high {
			goto operands
		}
		if c = (rp - 1) & mask; rs.k[c] != isLoop {
			goto returnEmpty
		}
		st.v[sp&mask], st.k[sp&mask] = rs.v[c], isInt
		sp++
		goto next
	case bytecode.OpJ:
		if sp >= high {
			goto operands
		}
		if c, d = (rp-1)&mask, (rp-3)&mask; rs.k[c] != isLoop || rs.k[d] != isLoop {
			goto returnEmpty
		}
		st.v[sp&mask], st.k[sp&mask] = rs.v[d], isInt
		sp++
		goto next
	case bytecode.OpUnloop:
		if rs.k[(rp-1)&mask] != isLoop {
			goto returnEmpty
		}
		rp -= 2
		goto next

	case bytecode.OpDup:
		a := (sp - 1) & mask
		if sp < floor+1 || sp >= high {
			goto operands
		}
		st.v[sp&mask], st.k[sp&mask] = st.v[a], st.k[a]
		sp++
		goto next
	case bytecode.OpDrop:
		if sp < floor+1 {
			goto operands
		}
		sp--
		goto next
	case bytecode.OpSwap:
		a, b := (sp-1)&mask, (sp-2)&mask
		if sp < floor+2 {
			goto operands
		}
		st.v[a], st.v[b] = st.v[b], st.v[a]
		st.k[a], st.k[b] = st.k[b], st.k[a]
		goto next
	case bytecode.OpOver:
		b := (sp - 2) & mask
		if sp < floor+2 || sp >= high {
			goto operands
		}
		st.v[sp&mask], st.k[sp&mask] = st.v[b], st.k[b]
		sp++
		goto next
	case bytecode.OpRot:
		a, b := (sp-1)&mask, (sp-2)&mask
		if sp < floor+3 {
			goto operands
		}
		c = (sp - 3) & mask
		st.v[c], st.v[b], st.v[a] = st.v[b], st.v[a], st.v[c]
		st.k[c], st.k[b], st.k[a] = st.k[b], st.k[a], st.k[c]
		goto next
	case bytecode.OpMinusRot:
		a, b := (sp-1)&mask, (sp-2)&mask
		if sp < floor+3 {
			goto operands
		}
		c = (sp - 3) & mask
		st.v[c], st.v[b], st.v[a] = st.v[a], st.v[c], st.v[b]
		st.k[c], st.k[b], st.k[a] = st.k[a], st.k[c], st.k[b]
		goto next
	case bytecode.OpNip:
		a, b := (sp-1)&mask, (sp-2)&mask
		if sp < floor+2 {
			goto operands
		}
		st.v[b], st.k[b] = st.v[a], st.k[a]
		sp--
		goto next
	case bytecode.OpTuck:
		a, b := (sp-1)&mask, (sp-2)&mask
		if sp < floor+2 || sp >= high {
			goto operands
		}
		c = sp & mask
		st.v[b], st.v[a], st.v[c] = st.v[a], st.v[b], st.v[a]
		st.k[b], st.k[a], st.k[c] = st.k[a], st.k[b], st.k[a]
		sp++
		goto next
	case bytecode.OpQDup:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp >= high {
			goto operands
		}
		if x = st.v[a]; x != 0 {
			st.v[sp&mask], st.k[sp&mask] = x, isInt
			sp++
		}
		goto next
	case bytecode.Op2Dup:
		a, b := (sp-1)&mask, (sp-2)&mask
		if sp < floor+2 || sp+2 > high {
			goto operands
		}
		st.v[sp&mask], st.k[sp&mask] = st.v[b], st.k[b]
		st.v[(sp+1)&mask], st.k[(sp+1)&mask] = st.v[a], st.k[a]
		sp += 2
		goto next
	case bytecode.Op2Drop:
		if sp < floor+2 {
			goto operands
		}
		sp -= 2
		goto next
	case bytecode.Op2Swap:
		a, b := (sp-1)&mask, (sp-2)&mask
		if sp < floor+4 {
			goto operands
		}
		c, d = (sp-3)&mask, (sp-4)&mask
		st.v[d], st.v[c], st.v[b], st.v[a] = st.v[b], st.v[a], st.v[d], st.v[c]
		st.k[d], st.k[c], st.k[b], st.k[a] = st.k[b], st.k[a], st.k[d], st.k[c]
		goto next
	case bytecode.Op2Over:
		if sp < floor+4 || sp+2 > high {
			goto operands
		}
		c, d = (sp-3)&mask, (sp-4)&mask
		st.v[sp&mask], st.k[sp&mask] = st.v[d], st.k[d]
		st.v[(sp+1)&mask], st.k[(sp+1)&mask] = st.v[c], st.k[c]
		sp += 2
		goto next
	case bytecode.OpPick:
		a := (sp - 1) & mask
		if st.k[a] != isInt {
			goto operands
		}
		if x = st.v[a]; uint64(x) >= uint64(sp-1-floor) {
			status = bytecode.StackUnderflow
			goto failed
		}
		if gas -= x / bytecode.GasDepth; gas < 0 {
			goto outOfGas
		}
		c = (sp - 2 - int(x)) & mask
		st.v[a], st.k[a] = st.v[c], st.k[c]
		goto next
	case bytecode.OpDepth:
		if sp >= high {
			goto operands
		}
		st.v[sp&mask], st.k[sp&mask] = int64(sp-floor), isInt
		sp++
		goto next
	case bytecode.OpToR:
		a := (sp - 1) & mask
		if sp < floor+1 {
			goto operands
		}
		if rp >= rhigh {
			goto returnFull
		}
		sp--
		rs.v[rp&mask], rs.k[rp&mask] = st.v[a], st.k[a]
		rp++
		goto next
	case bytecode.OpFromR, bytecode.OpRFetch:
		if sp >= high {
			goto operands
		}
		if c = (rp - 1) & mask; rs.k[c] > isBytes {
			goto returnEmpty
		}
		st.v[sp&mask], st.k[sp&mask] = rs.v[c], rs.k[c]
		sp++
		if in.Op == bytecode.OpFromR {
			rp--
		}
		goto next
	case bytecode.OpSlot:
		if sp >= high {
			goto operands
		}
		if int(in.Arg) < len(m.slots) {
			s := &m.slots[in.Arg]
			st.v[sp&mask], st.k[sp&mask] = s.v, s.k
			sp++
			goto next
		}
	case bytecode.OpSetSlot:
		a := (sp - 1) & mask
		if sp < floor+1 {
			goto operands
		}
		if int(in.Arg) < m.slotted {
			m.slots[in.Arg] = cell{st.v[a], st.k[a]}
			sp--
			goto next
		}

	case bytecode.OpAdd:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		x, y = st.v[b], st.v[a]
		if z = x + y; (z^x)&(z^y) < 0 {
			goto overflow
		}
		st.v[b] = z
		sp--
		goto next
	case bytecode.OpSub:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		x, y = st.v[b], st.v[a]
		if z = x - y; (x^y)&(x^z) < 0 {
			goto overflow
		}
		st.v[b] = z
		sp--
		goto next
	case bytecode.OpMul:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		if x, z = mul128(st.v[b], st.v[a]); x != z>>63 {
			goto overflow
		}
		st.v[b] = z
		sp--
		goto next
	case bytecode.OpDiv, bytecode.OpMod:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		x, y = st.v[b], st.v[a]
		if y == 0 {
			goto divByZero
		}
		if y == -1 && x == -1<<63 {
			goto overflow
		}
		if in.Op == bytecode.OpDiv {
			st.v[b] = x / y
		} else {
			st.v[b] = x % y
		}
		sp--
		goto next
	case bytecode.OpDivMod:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		x, y = st.v[b], st.v[a]
		if y == 0 {
			goto divByZero
		}
		if y == -1 && x == -1<<63 {
			goto overflow
		}
		st.v[b], st.v[a] = x%y, x/y
		goto next
	case bytecode.OpMin:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		st.v[b] = min(st.v[b], st.v[a])
		sp--
		goto next
	case bytecode.OpMax:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		st.v[b] = max(st.v[b], st.v[a])
		sp--
		goto next
	case bytecode.OpAddWrap:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		st.v[b] += st.v[a]
		sp--
		goto next
	case bytecode.OpSubWrap:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		st.v[b] -= st.v[a]
		sp--
		goto next
	case bytecode.OpMulWrap:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		st.v[b] *= st.v[a]
		sp--
		goto next
	case bytecode.OpAnd:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		st.v[b] &= st.v[a]
		sp--
		goto next
	case bytecode.OpOr:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		st.v[b] |= st.v[a]
		sp--
		goto next
	case bytecode.OpXor:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		st.v[b] ^= st.v[a]
		sp--
		goto next
	case bytecode.OpLShift:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		st.v[b] <<= uint64(st.v[a]) // a shift by 64 or more gives 0
		sp--
		goto next
	case bytecode.OpRShift:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		st.v[b] = int64(uint64(st.v[b]) >> uint64(st.v[a]))
		sp--
		goto next
	case bytecode.OpLess, bytecode.OpGreater, bytecode.OpLessEqual, bytecode.OpGreaterEqual:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		x, y = st.v[b], st.v[a]
		switch in.Op {
		case bytecode.OpLess:
			z = flag(x < y)
		case bytecode.OpGreater:
			z = flag(x > y)
		case bytecode.OpLessEqual:
			z = flag(x <= y)
		default:
			z = flag(x >= y)
		}
		st.v[b] = z
		sp--
		goto next
	case bytecode.OpULess:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto operands
		}
		st.v[b] = flag(uint64(st.v[b]) < uint64(st.v[a]))
		sp--
		goto next
	case bytecode.OpEqual:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] == isInt {
			st.v[b] = flag(st.v[b] == st.v[a])
			sp--
			goto next
		}
	case bytecode.OpNotEqual:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] == isInt {
			st.v[b] = flag(st.v[b] != st.v[a])
			sp--
			goto next
		}
	case bytecode.OpNegate, bytecode.OpAbs:
		a := (sp - 1) & mask
		if st.k[a] != isInt {
			goto operands
		}
		if x = st.v[a]; x == -1<<63 {
			goto overflow
		}
		if in.Op == bytecode.OpNegate || x < 0 {
			st.v[a] = -x
		}
		goto next
	case bytecode.OpInc:
		a := (sp - 1) & mask
		if st.k[a] != isInt {
			goto operands
		}
		if x = st.v[a] + 1; x == -1<<63 {
			goto overflow
		}
		st.v[a] = x
		goto next
	case bytecode.OpDec:
		a := (sp - 1) & mask
		if st.k[a] != isInt {
			goto operands
		}
		if x = st.v[a]; x == -1<<63 {
			goto overflow
		}
		st.v[a] = x - 1
		goto next
	case bytecode.OpInvert:
		a := (sp - 1) & mask
		if st.k[a] != isInt {
			goto operands
		}
		st.v[a] = ^st.v[a]
		goto next
	case bytecode.OpTwoMul:
		a := (sp - 1) & mask
		if st.k[a] != isInt {
			goto operands
		}
		if x = st.v[a]; x<<1>>1 != x {
			goto overflow
		}
		st.v[a] = x << 1
		goto next
	case bytecode.OpTwoDiv:
		a := (sp - 1) & mask
		if st.k[a] != isInt {
			goto operands
		}
		st.v[a] >>= 1
		goto next
	case bytecode.OpZeroEqual:
		a := (sp - 1) & mask
		if st.k[a] != isInt {
			goto operands
		}
		st.v[a] = flag(st.v[a] == 0)
		goto next
	case bytecode.OpZeroNotEqual:
		a := (sp - 1) & mask
		if st.k[a] != isInt {
			goto operands
		}
		st.v[a] = flag(st.v[a] != 0)
		goto next
	case bytecode.OpZeroLess:
		a := (sp - 1) & mask
		if st.k[a] != isInt {
			goto operands
		}
		st.v[a] >>= 63
		goto next
	case bytecode.OpZeroGreater:
		a := (sp - 1) & mask
		if st.k[a] != isInt {
			goto operands
		}
		st.v[a] = flag(st.v[a] > 0)
		goto next

	// What is touched for the first time costs more: these only know the data below.
	case bytecode.OpFetch:
		a := (sp - 1) & mask
		if x = st.v[a]; st.k[a] == isInt && x >= 0 && x <= int64(len(data)-8) {
			st.v[a] = int64(binary.LittleEndian.Uint64(data[x:]))
			goto next
		}
	case bytecode.OpCFetch:
		a := (sp - 1) & mask
		if x = st.v[a]; st.k[a] == isInt && uint64(x) < uint64(len(data)) {
			st.v[a] = int64(data[x])
			goto next
		}
	case bytecode.OpStore:
		a, b := (sp-1)&mask, (sp-2)&mask
		if x = st.v[a]; st.k[a]|st.k[b] == isInt && x >= 0 && x <= int64(len(data)-8) {
			binary.LittleEndian.PutUint64(data[x:], uint64(st.v[b]))
			sp -= 2
			goto next
		}
	case bytecode.OpCStore:
		a, b := (sp-1)&mask, (sp-2)&mask
		if x = st.v[a]; st.k[a]|st.k[b] == isInt && uint64(x) < uint64(len(data)) {
			data[x] = byte(st.v[b])
			sp -= 2
			goto next
		}
	// The fused ones. Each first makes sure that nothing is in the way, with as much room as the plain ones need.
	case fLitAdd:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp >= high {
			goto plain
		}
		x, y = st.v[a], in.Arg
		if z = x + y; (z^x)&(z^y) < 0 {
			goto plain
		}
		st.v[a] = z
		ip++
		goto next
	case fLitMul:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp >= high {
			goto plain
		}
		if x, z = mul128(st.v[a], in.Arg); x != z>>63 {
			goto plain
		}
		st.v[a] = z
		ip++
		goto next
	case fLitAnd:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp >= high {
			goto plain
		}
		st.v[a] &= in.Arg
		ip++
		goto next
	case fLitShl:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp >= high {
			goto plain
		}
		st.v[a] <<= uint64(in.Arg)
		ip++
		goto next
	case fLitShr:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp >= high {
			goto plain
		}
		st.v[a] = int64(uint64(st.v[a]) >> uint64(in.Arg))
		ip++
		goto next
	case fLitCmp:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp >= high {
			goto plain
		}
		x, y = st.v[a], in.Arg
		st.v[a] = flag((bit(x < y)|bit(x == y)<<1|bit(x > y)<<2)&in.Needs != 0)
		ip++
		goto next
	case fLitCmpJz:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp >= high {
			goto plain
		}
		x, y = st.v[a], in.Arg
		sp--
		if (bit(x < y)|bit(x == y)<<1|bit(x > y)<<2)&in.Needs == 0 {
			ip = int(in.PC)
			goto next
		}
		ip += int(in.Grows)
		goto next
	case fDupLitCmpJz:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp+2 > high {
			goto plain
		}
		x, y = st.v[a], in.Arg
		if (bit(x < y)|bit(x == y)<<1|bit(x > y)<<2)&in.Needs == 0 {
			ip = int(in.PC)
			goto next
		}
		ip += 3
		goto next
	case fCmpJz:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt {
			goto plain
		}
		x, y = st.v[b], st.v[a]
		sp -= 2
		if (bit(x < y)|bit(x == y)<<1|bit(x > y)<<2)&in.Needs == 0 {
			ip = int(in.PC)
			goto next
		}
		ip++
		goto next
	case f2DupCmpJz:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt || sp+2 > high {
			goto plain
		}
		x, y = st.v[b], st.v[a]
		if (bit(x < y)|bit(x == y)<<1|bit(x > y)<<2)&in.Needs == 0 {
			ip = int(in.PC)
			goto next
		}
		ip += 2
		goto next
	case fDupLitAdd:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp+2 > high {
			goto plain
		}
		x, y = st.v[a], in.Arg
		if z = x + y; (z^x)&(z^y) < 0 {
			goto plain
		}
		st.v[sp&mask], st.k[sp&mask] = z, isInt
		sp++
		ip += int(in.Grows)
		goto next
	case fSwapLitAdd:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[b] != isInt || st.k[a] > isBytes || sp >= high {
			goto plain
		}
		x, y = st.v[b], in.Arg
		if z = x + y; (z^x)&(z^y) < 0 {
			goto plain
		}
		st.v[b], st.k[b] = st.v[a], st.k[a]
		st.v[a], st.k[a] = z, isInt
		ip += 2
		goto next
	case fOverAdd:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt || sp >= high {
			goto plain
		}
		x, y = st.v[a], st.v[b]
		if z = x + y; (z^x)&(z^y) < 0 {
			goto plain
		}
		st.v[a] = z
		ip++
		goto next
	case fIAdd:
		a := (sp - 1) & mask
		c = (rp - 1) & mask
		if st.k[a] != isInt || sp >= high || rs.k[c] != isLoop {
			goto plain
		}
		x, y = st.v[a], rs.v[c]
		if z = x + y; (z^x)&(z^y) < 0 {
			goto plain
		}
		st.v[a] = z
		ip++
		goto next
	case fIFetch:
		c = (rp - 1) & mask
		if x = rs.v[c]; sp >= high || rs.k[c] != isLoop || x < 0 || x > int64(len(data)-8) {
			goto plain
		}
		st.v[sp&mask], st.k[sp&mask] = int64(binary.LittleEndian.Uint64(data[x:])), isInt
		sp++
		ip++
		goto next
	case fIStore:
		a := (sp - 1) & mask
		c = (rp - 1) & mask
		if x = rs.v[c]; sp >= high || st.k[a] != isInt || rs.k[c] != isLoop || x < 0 || x > int64(len(data)-8) {
			goto plain
		}
		binary.LittleEndian.PutUint64(data[x:], uint64(st.v[a]))
		sp--
		ip++
		goto next
	case fICStore:
		a := (sp - 1) & mask
		c = (rp - 1) & mask
		if x = rs.v[c]; sp >= high || st.k[a] != isInt || rs.k[c] != isLoop || uint64(x) >= uint64(len(data)) {
			goto plain
		}
		data[x] = byte(st.v[a])
		sp--
		ip++
		goto next
	case fILitAdd:
		c = (rp - 1) & mask
		if sp+2 > high || rs.k[c] != isLoop {
			goto plain
		}
		x, y = rs.v[c], in.Arg
		if z = x + y; (z^x)&(z^y) < 0 {
			goto plain
		}
		st.v[sp&mask], st.k[sp&mask] = z, isInt
		sp++
		ip += 2
		goto next
	case fILitMul:
		c = (rp - 1) & mask
		if sp+2 > high || rs.k[c] != isLoop {
			goto plain
		}
		if x, z = mul128(rs.v[c], in.Arg); x != z>>63 {
			goto plain
		}
		st.v[sp&mask], st.k[sp&mask] = z, isInt
		sp++
		ip += 2
		goto next
	case fILitAddFetch:
		c = (rp - 1) & mask
		if sp+2 > high || rs.k[c] != isLoop {
			goto plain
		}
		x, y = rs.v[c], in.Arg
		if z = x + y; (z^x)&(z^y) < 0 || z < 0 || z > int64(len(data)-8) {
			goto plain
		}
		st.v[sp&mask], st.k[sp&mask] = int64(binary.LittleEndian.Uint64(data[z:])), isInt
		sp++
		ip += 3
		goto next
	case fILitAddStore:
		a := (sp - 1) & mask
		c = (rp - 1) & mask
		if st.k[a] != isInt || sp+2 > high || rs.k[c] != isLoop {
			goto plain
		}
		x, y = rs.v[c], in.Arg
		if z = x + y; (z^x)&(z^y) < 0 || z < 0 || z > int64(len(data)-8) {
			goto plain
		}
		binary.LittleEndian.PutUint64(data[z:], uint64(st.v[a]))
		sp--
		ip += 3
		goto next
	case fLitFetch:
		if x = in.Arg; sp >= high || x < 0 || x > int64(len(data)-8) {
			goto plain
		}
		st.v[sp&mask], st.k[sp&mask] = int64(binary.LittleEndian.Uint64(data[x:])), isInt
		sp++
		ip++
		goto next
	case fLitStore:
		a := (sp - 1) & mask
		if x = in.Arg; st.k[a] != isInt || sp >= high || x < 0 || x > int64(len(data)-8) {
			goto plain
		}
		binary.LittleEndian.PutUint64(data[x:], uint64(st.v[a]))
		sp--
		ip++
		goto next
	case fLitAddFetch:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp >= high {
			goto plain
		}
		x, y = st.v[a], in.Arg
		if z = x + y; (z^x)&(z^y) < 0 || z < 0 || z > int64(len(data)-8) {
			goto plain
		}
		st.v[a] = int64(binary.LittleEndian.Uint64(data[z:]))
		ip += 2
		goto next
	case fLitAddStore:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt || sp >= high {
			goto plain
		}
		x, y = st.v[a], in.Arg
		if z = x + y; (z^x)&(z^y) < 0 || z < 0 || z > int64(len(data)-8) {
			goto plain
		}
		binary.LittleEndian.PutUint64(data[z:], uint64(st.v[b]))
		sp -= 2
		ip += 2
		goto next
	case fLitAddCFetch:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp >= high {
			goto plain
		}
		x, y = st.v[a], in.Arg
		if z = x + y; (z^x)&(z^y) < 0 || uint64(z) >= uint64(len(data)) {
			goto plain
		}
		st.v[a] = int64(data[z])
		ip += 2
		goto next
	case fLitAddCStore:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt || sp >= high {
			goto plain
		}
		x, y = st.v[a], in.Arg
		if z = x + y; (z^x)&(z^y) < 0 || uint64(z) >= uint64(len(data)) {
			goto plain
		}
		data[z] = byte(st.v[b])
		sp -= 2
		ip += 2
		goto next
	case fLitIAddCFetch:
		c = (rp - 1) & mask
		if sp+2 > high || rs.k[c] != isLoop {
			goto plain
		}
		x, y = rs.v[c], in.Arg
		if z = x + y; (z^x)&(z^y) < 0 || uint64(z) >= uint64(len(data)) {
			goto plain
		}
		st.v[sp&mask], st.k[sp&mask] = int64(data[z]), isInt
		sp++
		ip += 3
		goto next
	case fIncLoop:
		a := (sp - 1) & mask
		c, d = (rp-1)&mask, (rp-2)&mask
		if st.k[a] != isInt || rs.k[c] != isLoop {
			goto plain
		}
		if y = st.v[a] + 1; y == -1<<63 {
			goto plain
		}
		st.v[a] = y
		if x = rs.v[c] + 1; x == rs.v[d] {
			rp -= 2
			ip++
			goto next
		}
		rs.v[c] = x
		ip = int(in.PC)
		goto next
	case fLitPlusLoop:
		c, d = (rp-1)&mask, (rp-2)&mask
		if sp >= high || rs.k[c] != isLoop {
			goto plain
		}
		y = in.Arg
		x = rs.v[c] - rs.v[d]
		if (x^(x+y))&(x^y) < 0 {
			rp -= 2
			ip++
			goto next
		}
		rs.v[c] += y
		ip = int(in.PC)
		goto next
	case fCallLeaf:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp >= high || rp >= rhigh {
			goto plain
		}
		x = st.v[a]
		c = int(in.Arg)
		for d = int(in.Needs); d > 0; d-- {
			y = m.programs[which].Ins[c].Arg
			if m.programs[which].Ins[c+1].Op == bytecode.OpAnd {
				x &= y
			} else {
				if z = x + y; (z^x)&(z^y) < 0 {
					goto plain
				}
				x = z
			}
			c += 2
		}
		st.v[a] = x
		goto next
	case fLitAddEnd:
		a := (sp - 1) & mask
		c = (rp - 1) & mask
		if st.k[a] != isInt || sp >= high || rs.k[c] != isFrame {
			goto plain
		}
		x, y = st.v[a], in.Arg
		if z = x + y; (z^x)&(z^y) < 0 {
			goto plain
		}
		st.v[a] = z
		rp--
		ip = int(rs.v[c])
		goto next
	case fLitAndEnd:
		a := (sp - 1) & mask
		c = (rp - 1) & mask
		if st.k[a] != isInt || sp >= high || rs.k[c] != isFrame {
			goto plain
		}
		st.v[a] &= in.Arg
		rp--
		ip = int(rs.v[c])
		goto next
	case fAddEnd:
		a, b := (sp-1)&mask, (sp-2)&mask
		c = (rp - 1) & mask
		if st.k[a]|st.k[b] != isInt || rs.k[c] != isFrame {
			goto plain
		}
		x, y = st.v[b], st.v[a]
		if z = x + y; (z^x)&(z^y) < 0 {
			goto plain
		}
		st.v[b] = z
		sp--
		rp--
		ip = int(rs.v[c])
		goto next
	case fJumpEnd:
		if c = (rp - 1) & mask; rs.k[c] != isFrame {
			goto plain
		}
		rp--
		ip = int(rs.v[c])
		goto next
	case fDupLitShl:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp+2 > high {
			goto plain
		}
		st.v[sp&mask], st.k[sp&mask] = st.v[a]<<uint64(in.Arg), isInt
		sp++
		ip += 2
		goto next
	case fDupLitShr:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp+2 > high {
			goto plain
		}
		st.v[sp&mask], st.k[sp&mask] = int64(uint64(st.v[a])>>uint64(in.Arg)), isInt
		sp++
		ip += 2
		goto next
	case fDupLitShlOr:
		a := (sp - 1) & mask
		if st.k[a] != isInt || sp+2 > high {
			goto plain
		}
		st.v[a] |= st.v[a] << uint64(in.Arg)
		ip += 3
		goto next
	case fOverLitShrXor:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt || sp+2 > high {
			goto plain
		}
		st.v[a] ^= int64(uint64(st.v[b]) >> uint64(in.Arg))
		ip += 3
		goto next
	case fSwapLitShrXor:
		a, b := (sp-1)&mask, (sp-2)&mask
		if st.k[a]|st.k[b] != isInt || sp >= high {
			goto plain
		}
		st.v[b] = st.v[a] ^ int64(uint64(st.v[b])>>uint64(in.Arg))
		sp--
		ip += 3
		goto next
	case fSwapOver:
		a, b := (sp-1)&mask, (sp-2)&mask
		if sp < floor+2 || sp >= high {
			goto plain
		}
		c = sp & mask
		st.v[b], st.v[a], st.v[c] = st.v[a], st.v[b], st.v[a]
		st.k[b], st.k[a], st.k[c] = st.k[a], st.k[b], st.k[a]
		sp++
		ip++
		goto next
	case fLitOver:
		a := (sp - 1) & mask
		if sp < floor+1 || sp+2 > high {
			goto plain
		}
		st.v[sp&mask], st.k[sp&mask] = in.Arg, isInt
		st.v[(sp+1)&mask], st.k[(sp+1)&mask] = st.v[a], st.k[a]
		sp += 2
		ip++
		goto next
	case fLitLit:
		if sp+2 > high {
			goto plain
		}
		st.v[sp&mask], st.k[sp&mask] = in.Arg, isInt
		st.v[(sp+1)&mask], st.k[(sp+1)&mask] = int64(in.PC), isInt
		sp += 2
		ip++
		goto next
	case opTrace:
		m.ip, m.sp, m.rp, m.gas = ip, sp, rp, gas
		if m.before() {
			goto plain
		}
		return bytecode.Fail
	}
	m.ip, m.sp, m.rp, m.gas = ip, sp, rp, gas
	if status = m.cold(in); status != vm.OK {
		gas = m.gas
		goto failed
	}
	if m.ended {
		return vm.OK
	}
	if m.which != which || m.touched != len(data) || m.live != nil {
		return goOn
	}
	ip, sp, rp, gas = m.ip, m.sp, m.rp, m.gas
	goto next

operands:
	status = m.operands(in, sp)
	goto failed
overflow:
	status = bytecode.Overflow
	goto failed
divByZero:
	status = bytecode.DivByZero
	goto failed
returnFull:
	status = bytecode.StackOverflow
	goto failed
returnEmpty:
	status = bytecode.StackUnderflow
	goto failed
outOfGas:
	if in.Op >= fused {
		goto plain
	}
	status = bytecode.OutOfGas
	goto failed
plain:
	gas += int64(in.Gas)
	in = &m.programs[which].Ins[uint32(ip)-1] // that is ip-1, but not at hand for a register
	goto again
failed:
	m.ip, m.sp, m.rp, m.gas = ip, sp, rp, gas
	if status = m.failed(in, status); status != vm.OK {
		return status
	}
	return goOn
}

// mul128 multiplies exactly; the result is in two's complement.
func mul128(x, y int64) (hi, lo int64) {
	h, l := bits.Mul64(uint64(x), uint64(y))
	hi = int64(h) - x>>63&y - y>>63&x
	return hi, int64(l)
}
