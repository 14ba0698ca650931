package engine

import (
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// Accelerator runs code segments in place of the interpreter, in the hope to be faster. It can only succeed: what it
// declines, for whatever reason, the interpreter does from the start, so that there is one origin of failures. It is used
// by several machines at once.
type Accelerator interface {
	// Run runs a segment and ends it with [Segment.Finish], or returns false.
	Run(s *Segment) bool
	// Ran tells how much gas the interpreter used for the code segment of a program that is kept.
	Ran(p *bytecode.Program, gas int64)
}

// Accelerate lets a run try an accelerator first, where its program is kept and nobody watches it. nil takes it away.
func (m *Machine) Accelerate(a Accelerator) { m.fast.by = a }

// accelerated is what a machine has for its accelerator.
type accelerated struct {
	by      Accelerator
	segment Segment
}

// Segment is the code of a run that is about to start: the evidence has run. It is valid within [Accelerator.Run].
type Segment struct {
	m       *Machine
	program *bytecode.Program
	inputs  []cell
	gas     int64
}

// codeSegment runs the code, after the evidence. The machine's state says to start it.
func (m *Machine) codeSegment() vm.Status {
	f := &m.fast
	p := m.programs[code]
	if f.by == nil || m.trace != nil || m.live != nil || p == &m.own[code] {
		return m.exec()
	}
	s := &f.segment
	s.m, s.program, s.gas, s.inputs = m, p, m.gas, s.inputs[:0]
	for i := floor; i < m.sp; i++ {
		s.inputs = append(s.inputs, m.st.get(i))
	}
	start, arena, data, touched, ins := m.state, len(m.arena), m.data, m.touched, m.ins[code]
	done := f.by.Run(s)
	m.data, m.programs[code], m.ins[code] = data, p, ins
	s.program = nil
	if done {
		if len(m.data) < m.touched {
			m.data = make([]byte, m.lim.DataBytes)
		}
		return vm.OK
	}
	m.state, m.arena, m.touched = start, m.arena[:arena], touched
	for i, x := range s.inputs {
		m.st.set(floor+i, x)
	}
	status := m.exec()
	f.by.Ran(p, start.gas-max(m.gas, 0))
	return status
}

// Program is what is about to run.
func (s *Segment) Program() *bytecode.Program { return s.program }

// Gas is what is left for it.
func (s *Segment) Gas() int64 { return s.gas }

// EvidenceWords is how many words of the evidence can be called by hash.
func (s *Segment) EvidenceWords() int { return len(s.m.programs[evidence].Hashes) }

// Depth is how many values the evidence has left.
func (s *Segment) Depth() int { return len(s.inputs) }

// Input is a value that the evidence has left, counted from the bottom; bytes are given by their handle.
func (s *Segment) Input(n int) (v int64, bytes bool) {
	return s.inputs[n].v, s.inputs[n].k == isBytes
}

// UseData makes memory, which is zeroed and as long as the data space, the data space of this segment, and returns how
// much of it counts as touched. The memory is not used any more once Run has returned.
func (s *Segment) UseData(memory []byte) (touched int) {
	copy(memory, s.m.data[:s.m.touched])
	s.m.data = memory
	return s.m.touched
}

// Touched is how much of the data space counts as touched, as far as steps have done it.
func (s *Segment) Touched() int { return s.m.touched }

// Step executes the one instruction of a program that has no other, with its values as in kinds: n for an integer, b for
// bytes by their handle; what it takes, a colon, what it leaves. The values are replaced by what it leaves. The data space
// is touched as far as touched says. It reports false if the instruction fails.
func (s *Segment) Step(one *bytecode.Program, kinds string, values []uint64, touched int, gas int64) (nowTouched int, left int64, ok bool) {
	m := s.m
	n := 0
	for ; kinds[n] != ':'; n++ {
		x := cell{v: int64(values[n])}
		if kinds[n] == 'b' {
			x.k = isBytes
		}
		m.st.set(floor+n, x)
	}
	m.touched, m.programs[code], m.ins[code] = touched, one, one.Ins
	m.state = state{which: code, sp: floor + n, rp: floor, gas: gas}
	leaves := kinds[n+1:]
	if m.exec() != vm.OK || m.sp != floor+len(leaves) {
		return touched, gas, false
	}
	for i := range leaves {
		x := m.st.get(floor + i)
		if x.k > isBytes || (x.k == isBytes) != (leaves[i] == 'b') {
			return touched, gas, false
		}
		values[i] = uint64(x.v)
	}
	return m.touched, m.gas, true
}

// Finish ends the segment: what gas is left, how much of the data space is touched, and the values on top of the stack.
func (s *Segment) Finish(gas int64, touched int, results [ResultCount]int64) {
	m := s.m
	for i, v := range results {
		m.st.setInt(floor+i, v)
	}
	m.touched = touched
	m.state = state{which: code, sp: floor + len(results), rp: floor, gas: gas, ended: true, loose: true}
}
