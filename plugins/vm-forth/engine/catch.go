package engine

import (
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// catchFrame is what catch puts on the return stack: where to go on, in which program, with how many values, and the frame
// of the catch around it.
type catchFrame int64

const (
	catchIP    = 34 // bits of where, of which the lowest is the program
	catchPlace = 13 // bits of a place
)

func newCatchFrame(m *Machine) catchFrame {
	return catchFrame(m.ip<<1 | m.which | m.sp<<catchIP | m.catch<<(catchIP+catchPlace))
}

// uncatch goes on behind a catch, whose frame is the innermost.
func (m *Machine) uncatch(f catchFrame) {
	m.rp = m.catch
	m.which, m.ip = int(f&1), int(f&(1<<catchIP-1)>>1)
	m.catch = int(f >> (catchIP + catchPlace))
}

// Caught returns what catch leaves for a trap, 0 if it does not catch it. The numbers are those of Forth 2012. What is
// about the whole run, its gas, its space, its environment and fail, is never caught.
func Caught(s vm.Status, thrown int64) int64 {
	switch s {
	case bytecode.Thrown:
		return thrown
	case bytecode.StackOverflow:
		return -3
	case bytecode.StackUnderflow:
		return -4
	case bytecode.BadAddress:
		return -9
	case bytecode.DivByZero:
		return -10
	case bytecode.Overflow:
		return -11
	case bytecode.TypeError:
		return -12
	case bytecode.UnknownWord:
		return -13
	}
	return 0
}

// failed notes which instruction failed. If there is a catch for it, that is where the machine's state is then, and the
// status is OK.
//
// Catch restores how many values there are, not what they are. Those that were taken off since have gone, and are 0; a
// value that is there is the last that was put in its place.
func (m *Machine) failed(in *bytecode.Instr, s vm.Status) vm.Status {
	n := int64(0)
	if m.catch != 0 && !m.final {
		n = Caught(s, m.thrown)
	}
	if n == 0 {
		m.pc, m.op = in.PC, in.Op
		return s
	}
	f := catchFrame(m.rs.v[m.catch&mask])
	sp := int(f>>catchIP) & mask
	for i := m.sp; i < sp; i++ {
		m.st.setInt(i, 0)
	}
	m.uncatch(f)
	m.st.setInt(sp, n)
	m.sp, m.text, m.host = sp+1, "", nil
	return vm.OK
}
