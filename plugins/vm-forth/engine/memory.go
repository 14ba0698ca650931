package engine

import (
	"encoding/binary"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// touch makes the data space reach up to end at least, and returns what it costs.
func (m *Machine) touch(end int) (gas int64) {
	if m.data == nil {
		m.data = make([]byte, m.lim.DataBytes)
	}
	if end > m.touched {
		gas = int64((end+bytecode.GasDataBytes-1)/bytecode.GasDataBytes - (m.touched+bytecode.GasDataBytes-1)/bytecode.GasDataBytes)
		m.touched = end
	}
	return gas
}

// at returns n bytes of the data space, which it touches, and pays for.
func (m *Machine) at(address, n int64) ([]byte, vm.Status) {
	switch {
	case n == 0:
		return nil, vm.OK
	case n < 0 || address < 0 || n > m.lim.DataBytes || address > m.lim.DataBytes-n:
		return nil, bytecode.BadAddress
	case !m.pay(m.touch(int(address + n))):
		return nil, bytecode.OutOfGas
	}
	return m.data[address : address+n], vm.OK
}

// cellMemory executes the words on one cell or byte of the data space.
func (m *Machine) cellMemory(in *bytecode.Instr) vm.Status {
	if !m.st.ints(m.sp, int(in.Needs)) {
		return bytecode.TypeError
	}
	n := int64(8)
	if in.Op == bytecode.OpCFetch || in.Op == bytecode.OpCStore {
		n = 1
	}
	b, s := m.at(m.st.v[(m.sp-1)&mask], n)
	if s != vm.OK {
		return s
	}
	top, below := &m.st.v[(m.sp-1)&mask], m.st.v[(m.sp-2)&mask]
	switch in.Op {
	case bytecode.OpFetch:
		*top = int64(binary.LittleEndian.Uint64(b))
		return vm.OK
	case bytecode.OpCFetch:
		*top = int64(b[0])
		return vm.OK
	case bytecode.OpStore:
		binary.LittleEndian.PutUint64(b, uint64(below))
	case bytecode.OpCStore:
		b[0] = byte(below)
	default:
		x := int64(binary.LittleEndian.Uint64(b))
		sum := x + below
		if (sum^x)&(sum^below) < 0 {
			return bytecode.Overflow
		}
		binary.LittleEndian.PutUint64(b, uint64(sum))
	}
	m.sp -= 2
	return vm.OK
}

// copyGas is what n bytes of the data space cost that are moved.
func copyGas(n int64) int64 { return (n + bytecode.GasCopyBytes - 1) / bytecode.GasCopyBytes }

// blockMemory executes the words on many bytes of the data space. Of no bytes, the address does not matter.
func (m *Machine) blockMemory(in *bytecode.Instr) vm.Status {
	x, y, z := m.st.get(m.sp-3), m.st.get(m.sp-2), m.st.get(m.sp-1)
	switch in.Op {
	case bytecode.OpMove, bytecode.OpFill: // from to count, address count byte
		if x.k|y.k|z.k != isInt {
			return bytecode.TypeError
		}
		from, to, n := x.v, x.v, y.v
		if in.Op == bytecode.OpMove {
			to, n = y.v, z.v
		}
		for _, address := range [2]int64{from, to} {
			if _, s := m.at(address, n); s != vm.OK {
				return s
			}
		}
		if !m.pay(copyGas(n)) {
			return bytecode.OutOfGas
		}
		if n > 0 && in.Op == bytecode.OpMove {
			copy(m.data[to:to+n], m.data[from:from+n])
		} else if n > 0 {
			b := m.data[to : to+n]
			for i := range b {
				b[i] = byte(z.v)
			}
		}
		m.sp -= 3
	case bytecode.OpMemToB: // address count -- bytes
		if y.k|z.k != isInt {
			return bytecode.TypeError
		}
		if z.v > bytecode.MaxBytes {
			return bytecode.OutOfSpace
		}
		b, s := m.at(y.v, z.v)
		if s != vm.OK {
			return s
		}
		if !m.pay(copyGas(z.v)) {
			return bytecode.OutOfGas
		}
		if !m.put(m.sp-2, b) {
			return bytecode.OutOfSpace
		}
		m.sp--
	default: // bytes address --
		if y.k != isBytes || z.k != isInt {
			return bytecode.TypeError
		}
		from := m.bytesAt(y.v)
		b, s := m.at(z.v, int64(len(from)))
		if s != vm.OK {
			return s
		}
		if !m.pay(copyGas(int64(len(from)))) {
			return bytecode.OutOfGas
		}
		copy(b, from)
		m.sp -= 2
	}
	return vm.OK
}
