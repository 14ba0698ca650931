package engine

import (
	"encoding/binary"
	"strconv"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func decimal(v int64) string { return strconv.FormatInt(v, 10) }

// bytesWord executes the words on byte strings, and comparisons of them.
func (m *Machine) bytesWord(in *bytecode.Instr) vm.Status {
	st, sp := m.st, m.sp
	switch in.Op {
	case bytecode.OpBytes:
		at, n := slice(in.Arg)
		if !m.pay(bytecode.Blocks(n)) {
			return bytecode.OutOfGas
		}
		if !m.put(sp, m.programs[m.which].Code[at:at+n]) {
			return bytecode.OutOfSpace
		}
		m.sp++
	case bytecode.OpSame, bytecode.OpEqual, bytecode.OpNotEqual:
		x, y := st.get(sp-2), st.get(sp-1)
		equal := x == y
		if x.k == isBytes && y.k == isBytes { // it costs the same whether or not they are one piece of memory
			p, q := m.bytesAt(x.v), m.bytesAt(y.v)
			if len(p) == len(q) {
				if !m.pay(bytecode.Blocks(len(p))) {
					return bytecode.OutOfGas
				}
				equal = string(p) == string(q)
			}
		}
		answer := flag(equal == (in.Op != bytecode.OpNotEqual))
		if in.Op == bytecode.OpSame {
			answer = -answer
		}
		st.setInt(sp-2, answer)
		m.sp--
	case bytecode.OpLen:
		x := st.get(sp - 1)
		if x.k != isBytes {
			return bytecode.TypeError
		}
		_, n := slice(x.v)
		st.setInt(sp-1, int64(n))
	case bytecode.OpSlice: // bytes from count -- bytes
		b, from, n := st.get(sp-3), st.get(sp-2), st.get(sp-1)
		if b.k != isBytes || from.k|n.k != isInt {
			return bytecode.TypeError
		}
		at, have := slice(b.v)
		if from.v < 0 || n.v < 0 || from.v > int64(have) || n.v > int64(have)-from.v {
			m.text = "a slice outside of the bytes"
			return bytecode.BadAddress
		}
		if !m.pay(bytecode.Blocks(int(n.v))) {
			return bytecode.OutOfGas
		}
		// Bytes do not change, so a slice may share them.
		st.set(sp-3, cell{(int64(at)+from.v)<<16 | n.v, isBytes})
		m.sp -= 2
	case bytecode.OpCat:
		x, y := st.get(sp-2), st.get(sp-1)
		if x.k != isBytes || y.k != isBytes {
			return bytecode.TypeError
		}
		p, q := m.bytesAt(x.v), m.bytesAt(y.v)
		n := len(p) + len(q)
		if !m.pay(bytecode.Blocks(n)) {
			return bytecode.OutOfGas
		}
		if n > bytecode.MaxBytes || len(m.arena)+n > int(m.lim.ArenaBytes) {
			return bytecode.OutOfSpace
		}
		at := int64(len(m.arena))
		m.arena = append(append(m.arena, p...), q...)
		st.set(sp-2, cell{at<<16 | int64(n), isBytes})
		m.sp--
	case bytecode.OpToB:
		x := st.get(sp - 1)
		if x.k != isInt {
			return bytecode.TypeError
		}
		binary.BigEndian.PutUint64(m.sum[:8], uint64(x.v))
		if !m.put(sp-1, m.sum[:8]) {
			return bytecode.OutOfSpace
		}
	case bytecode.OpFromB:
		x := st.get(sp - 1)
		if x.k != isBytes {
			return bytecode.TypeError
		}
		b := m.bytesAt(x.v)
		if len(b) > 8 {
			m.text = "more than 8 bytes"
			return bytecode.Overflow
		}
		v := uint64(0)
		for _, c := range b {
			v = v<<8 | uint64(c)
		}
		st.setInt(sp-1, int64(v))
	default:
		panic(Fault{"the instruction " + strconv.Itoa(int(in.Op)) + " is unknown to the machine"})
	}
	return vm.OK
}
