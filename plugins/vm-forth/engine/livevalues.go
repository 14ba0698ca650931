package engine

import (
	"bytes"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// Value is a value of a session: an integer, or bytes.
type Value struct {
	Int     int64
	Bytes   []byte
	IsBytes bool
}

func (l *Live) value(x cell) Value {
	if x.k == isBytes {
		return Value{Bytes: bytes.Clone(l.m.bytesAt(x.v)), IsBytes: true}
	}
	return Value{Int: x.v}
}

// Gas is what is left.
func (l *Live) Gas() int64 { return l.m.gas }

// SetGas gives gas.
func (l *Live) SetGas(gas int64) { l.m.gas = gas }

// SetEnvironment sets what environment words find. The map is not copied.
func (l *Live) SetEnvironment(env map[string][]byte) { l.m.env[0] = env }

// Depth is how many values are on the data stack.
func (l *Live) Depth() int { return l.m.sp - floor }

// SetDepth takes values off the data stack, or puts zeros on it, until it has n, within 0 and its limit.
func (l *Live) SetDepth(n int) {
	to := floor + min(max(n, 0), l.m.high-floor)
	for ; l.m.sp < to; l.m.sp++ {
		l.m.st.setInt(l.m.sp, 0)
	}
	l.m.sp = to
}

// Push puts an integer on the data stack. It fails with a [*Trap] if that is full.
func (l *Live) Push(v int64) error {
	if l.m.sp >= l.m.high {
		return trap(bytecode.StackOverflow)
	}
	l.m.st.setInt(l.m.sp, v)
	l.m.sp++
	return nil
}

// PushBytes puts bytes on the data stack. It fails with a [*Trap] if that is full, or if there is no room for the bytes.
func (l *Live) PushBytes(b []byte) error {
	if l.m.sp >= l.m.high {
		return trap(bytecode.StackOverflow)
	}
	if !l.m.put(l.m.sp, b) {
		return trap(bytecode.OutOfSpace)
	}
	l.m.sp++
	return nil
}

// Pop takes an integer off the data stack. It fails with a [*Trap] if there is none on top.
func (l *Live) Pop() (int64, error) {
	if l.m.sp == floor {
		return 0, trap(bytecode.StackUnderflow)
	}
	x := l.m.st.get(l.m.sp - 1)
	if x.k != isInt {
		return 0, trap(bytecode.TypeError)
	}
	l.m.sp--
	return x.v, nil
}

// PopBytes takes bytes off the data stack. It fails with a [*Trap] if there are none on top.
func (l *Live) PopBytes() ([]byte, error) {
	if l.m.sp == floor {
		return nil, trap(bytecode.StackUnderflow)
	}
	x := l.m.st.get(l.m.sp - 1)
	if x.k != isBytes {
		return nil, trap(bytecode.TypeError)
	}
	l.m.sp--
	return bytes.Clone(l.m.bytesAt(x.v)), nil
}

// Values returns what is on the data stack, top last.
func (l *Live) Values() []Value {
	out := make([]Value, 0, l.Depth())
	for i := floor; i < l.m.sp; i++ {
		out = append(out, l.value(l.m.st.get(i)))
	}
	return out
}

// Stack returns what is on the data stack, for people, top last.
func (l *Live) Stack() []string {
	out := make([]string, 0, l.Depth())
	for i := floor; i < l.m.sp; i++ {
		out = append(out, l.m.show(l.m.st.get(i)))
	}
	return out
}

// Memory returns n bytes of the data space, to read and to write. It fails with a [*Trap] if they are outside of it.
func (l *Live) Memory(address, n int64) ([]byte, error) {
	if n < 0 || address < 0 || n > l.m.lim.DataBytes || address > l.m.lim.DataBytes-n {
		return nil, trap(bytecode.BadAddress)
	}
	l.m.touch(int(address + n))
	return l.m.data[address : address+n : address+n], nil
}

// Slot returns what a slot holds; of one that does not exist, 0.
func (l *Live) Slot(n int) Value {
	if n < 0 || n >= len(l.m.slots) {
		return Value{}
	}
	return l.value(l.m.slots[n])
}

// SetSlot sets a slot. It fails with a [*Trap] if there is no such slot, or no room for the bytes.
func (l *Live) SetSlot(n int, v Value) error {
	if n < 0 || n >= int(l.m.lim.Variables) {
		return trap(bytecode.BadAddress)
	}
	x := cell{v: v.Int}
	if v.IsBytes {
		at := int64(len(l.m.arena))
		if len(v.Bytes) > bytecode.MaxBytes || int(at)+len(v.Bytes) > int(l.m.lim.ArenaBytes) {
			return trap(bytecode.OutOfSpace)
		}
		x = cell{at<<16 | int64(len(v.Bytes)), isBytes}
		l.m.arena = append(l.m.arena, v.Bytes...)
	}
	l.m.setSlot(n, x)
	return nil
}

// Collect drops the byte strings that neither the data stack nor a slot holds any more. It does nothing during an execution.
func (l *Live) Collect() {
	if l.depth > 0 {
		return
	}
	size := 0 // two values may share bytes now, and do not afterwards
	count := func(x cell) {
		if x.k == isBytes {
			size += int(x.v & 0xffff)
		}
	}
	for i := floor; i < l.m.sp; i++ {
		count(l.m.st.get(i))
	}
	for _, x := range l.m.slots {
		count(x)
	}
	if size > int(l.m.lim.ArenaBytes) {
		return
	}
	kept := make([]byte, 0, size)
	move := func(x cell) cell {
		if x.k != isBytes {
			return x
		}
		b := l.m.bytesAt(x.v)
		at := int64(len(kept))
		kept = append(kept, b...)
		return cell{at<<16 | int64(len(b)), isBytes}
	}
	for i := floor; i < l.m.sp; i++ {
		l.m.st.set(i, move(l.m.st.get(i)))
	}
	for i, x := range l.m.slots {
		l.m.slots[i] = move(x)
	}
	l.m.arena = append(l.m.arena[:0], kept...)
}
