package engine

import (
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// cold executes an instruction that the loop does not execute itself, from the machine's state and on it. If it fails, the
// stacks are as before.
func (m *Machine) cold(in *bytecode.Instr) vm.Status {
	if in.Op == bytecode.OpEnd || in.Op == bytecode.OpExit {
		return m.exit(in)
	}
	switch {
	case m.sp-floor < int(in.Needs):
		return bytecode.StackUnderflow
	case m.sp+int(in.Grows) > m.high:
		return bytecode.StackOverflow
	}
	switch in.Op {
	case bytecode.OpCallHash, bytecode.OpExecute, bytecode.OpCatch:
		return m.call(in)
	case bytecode.OpThrow:
		x := m.st.get(m.sp - 1)
		if x.k != isInt {
			return bytecode.TypeError
		}
		if m.thrown = x.v; x.v != 0 {
			return bytecode.Thrown
		}
		m.sp--
		return vm.OK
	case bytecode.OpFail:
		return bytecode.Fail
	case bytecode.OpReturn:
		m.pc, m.op, m.ended, m.loose = in.PC, in.Op, true, true
		return vm.OK
	case bytecode.OpHost:
		return m.hostWord(in)
	case bytecode.OpGas:
		m.st.setInt(m.sp, m.gas)
		m.sp++
		return vm.OK
	case bytecode.OpRoll:
		return m.roll()
	case bytecode.OpSlot, bytecode.OpSetSlot:
		return m.slot(in)
	case bytecode.OpFetch, bytecode.OpCFetch, bytecode.OpStore, bytecode.OpCStore, bytecode.OpAddStore:
		return m.cellMemory(in)
	case bytecode.OpMove, bytecode.OpFill, bytecode.OpMemToB, bytecode.OpBToMem:
		return m.blockMemory(in)
	case bytecode.OpMulDiv, bytecode.OpMulDivMod, bytecode.OpMStar, bytecode.OpUMStar, bytecode.OpUMDivMod, bytecode.OpSMDivRem, bytecode.OpFMDivMod,
		bytecode.OpDAdd, bytecode.OpDSub, bytecode.OpDNegate, bytecode.OpDLess, bytecode.OpDULess:
		return m.double(in)
	case bytecode.OpHash, bytecode.OpBlake2b, bytecode.OpKeccak, bytecode.OpVerifySig, bytecode.OpMerkleProof:
		return m.crypto(in)
	case bytecode.OpEnv:
		return m.environment(in)
	}
	return m.bytesWord(in)
}

// pay takes gas. It reports false if there is not enough.
func (m *Machine) pay(gas int64) bool {
	m.gas -= gas
	return m.gas >= 0
}

// exit leaves a word, or the main body.
func (m *Machine) exit(in *bytecode.Instr) vm.Status {
	f := m.rs.get(m.rp - 1)
	switch f.k {
	case isFrame:
		m.ip = int(f.v)
	case isFar:
		m.which, m.ip = int(f.v&1), int(f.v>>1)
	case isCatch:
		if m.sp >= m.high {
			return bytecode.StackOverflow
		}
		m.uncatch(catchFrame(f.v))
		m.st.setInt(m.sp, 0)
		m.sp++
		return vm.OK
	case isHalt:
		m.ended = true
	default:
		if in.Op == bytecode.OpEnd && m.ip == len(m.ins[m.which]) && m.live == nil { // the main body's end is the last of all
			m.pc, m.op, m.ended = in.PC, in.Op, true
			return vm.OK
		}
		m.text = "the word leaves something on the return stack"
		return bytecode.StackUnderflow
	}
	m.rp--
	return vm.OK
}

// call executes call by hash, execute and catch.
func (m *Machine) call(in *bytecode.Instr) vm.Status {
	x := m.st.get(m.sp - 1)
	to, where := int32(0), m.which
	if in.Op == bytecode.OpCallHash {
		if x.k != isBytes {
			return bytecode.TypeError
		}
		if !m.pay(int64(len(m.programs[evidence].Hashes)+len(m.programs[code].Hashes)) / bytecode.GasWordsPerProbe) {
			return bytecode.OutOfGas
		}
		h, ok := m.bytesAt(x.v), false
		where = code
		if to, ok = m.programs[code].Find(h); !ok {
			where = evidence
			if to, ok = m.programs[evidence].Find(h); !ok {
				return bytecode.UnknownWord
			}
		}
	} else {
		if x.k != isInt {
			return bytecode.TypeError
		}
		starts := m.programs[m.which].Starts
		if uint64(x.v) >= uint64(len(starts)) {
			return bytecode.UnknownWord
		}
		to = starts[x.v]
	}
	if m.rp >= m.rhigh {
		return bytecode.StackOverflow
	}
	m.sp--
	switch {
	case in.Op == bytecode.OpCatch:
		m.rs.set(m.rp, cell{int64(newCatchFrame(m)), isCatch})
		m.catch = m.rp
	case where == m.which:
		m.rs.set(m.rp, cell{int64(m.ip), isFrame})
	default:
		m.rs.set(m.rp, cell{int64(m.ip)<<1 | int64(m.which), isFar})
	}
	m.rp++
	m.which, m.ip = where, int(to)
	return vm.OK
}

func (m *Machine) roll() vm.Status {
	x := m.st.get(m.sp - 1)
	if x.k != isInt {
		return bytecode.TypeError
	}
	if uint64(x.v) >= uint64(m.sp-1-floor) {
		return bytecode.StackUnderflow
	}
	if !m.pay(x.v / bytecode.GasDepth) {
		return bytecode.OutOfGas
	}
	at, last := m.sp-2-int(x.v), m.sp-2
	up := m.st.get(at)
	copy(m.st.v[at:last], m.st.v[at+1:last+1])
	copy(m.st.k[at:last], m.st.k[at+1:last+1])
	m.st.set(last, up)
	m.sp--
	return vm.OK
}

// slot executes slot@ and slot! where the loop did not: before the slots are made, or beyond those that were written.
func (m *Machine) slot(in *bytecode.Instr) vm.Status {
	if in.Op == bytecode.OpSlot {
		x := cell{}
		if int(in.Arg) < len(m.slots) {
			x = m.slots[in.Arg]
		}
		m.st.set(m.sp, x)
		m.sp++
		return vm.OK
	}
	m.setSlot(int(in.Arg), m.st.get(m.sp-1))
	m.sp--
	return vm.OK
}

func (m *Machine) setSlot(n int, x cell) {
	if m.slots == nil {
		m.slots = make([]cell, m.lim.Variables)
	}
	m.slots[n] = x
	m.slotted = max(m.slotted, n+1)
}
