package engine

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// lookup finds a value of the environment: what the run has of its own is before what it has in common with others.
func (m *Machine) lookup(name []byte) ([]byte, bool) {
	if v, ok := m.env[0][string(name)]; ok {
		return v, true
	}
	v, ok := m.env[1][string(name)]
	return v, ok
}

// missing says what the environment does not have.
func (m *Machine) missing() {
	if !m.terse {
		m.text = string(m.name)
	}
}

// integer reads an integer of the environment.
func integer(b []byte) (int64, vm.Status) {
	if len(b) != 8 {
		return 0, bytecode.EnvMissing
	}
	u := binary.BigEndian.Uint64(b)
	if u>>63 != 0 {
		return 0, bytecode.Overflow
	}
	return int64(u), vm.OK
}

// environment executes an environment word.
func (m *Machine) environment(in *bytecode.Instr) vm.Status {
	e := &bytecode.Environment[in.Arg]
	if e.From == bytecode.EnvOracle {
		return m.oracle(e)
	}
	m.name = append(m.name[:0], e.Name...)
	sp := m.sp
	switch e.From {
	case bytecode.EnvIndexed:
		x := m.st.get(sp - 1)
		if x.k != isInt {
			return bytecode.TypeError
		}
		m.name = strconv.AppendInt(append(m.name, ':'), x.v, 10)
		sp--
	case bytecode.EnvNamed:
		x := m.st.get(sp - 1)
		if x.k != isBytes {
			return bytecode.TypeError
		}
		b := m.bytesAt(x.v)
		if !m.pay(bytecode.Blocks(len(b))) {
			return bytecode.OutOfGas
		}
		m.name = append(append(m.name, ':'), b...)
		sp--
	}
	v, ok := m.lookup(m.name)
	if !ok {
		m.missing()
		return bytecode.EnvMissing
	}
	if !e.IsBytes {
		n, s := integer(v)
		if s != vm.OK {
			m.text = e.Name
			return s
		}
		m.st.setInt(sp, n)
		m.sp = sp + 1
		return vm.OK
	}
	if !m.pay(bytecode.Blocks(len(v))) {
		return bytecode.OutOfGas
	}
	if !m.put(sp, v) {
		m.text = e.Name
		return bytecode.OutOfSpace
	}
	m.sp = sp + 1
	return vm.OK
}

// Answers of the word oracle. Of an answer that is not there, or not to be used, the value is 0.
const (
	oracleUsable   = 1
	oracleUnknown  = 0
	oraclePending  = -1
	oracleDisputed = -2
	oracleStale    = -3 // final for longer than the contract allows
	oracleCheap    = -4 // backed by less than the contract wants
)

// What the environment holds for an oracle question, 25 bytes: its state, the value, the clock when it became final, and the
// deposit behind it, each of these in 8 bytes, big-endian.
const (
	answerBytes    = 25
	answerFinal    = 1
	answerPending  = 2
	answerDisputed = 3
)

// oracle executes ( id max-age min-deposit -- value status ). The id is an integer or bytes; in the environment these are
// "oracle:" and decimal digits, and "oracle:" and hexadecimal digits.
func (m *Machine) oracle(e *bytecode.EnvWord) vm.Status {
	id, age, deposit := m.st.get(m.sp-3), m.st.get(m.sp-2), m.st.get(m.sp-1)
	if age.k|deposit.k != isInt {
		return bytecode.TypeError
	}
	m.name = append(append(m.name[:0], e.Name...), ':')
	if id.k == isInt {
		m.name = strconv.AppendInt(m.name, id.v, 10)
	} else {
		b := m.bytesAt(id.v)
		if !m.pay(bytecode.Blocks(len(b))) {
			return bytecode.OutOfGas
		}
		m.name = hex.AppendEncode(m.name, b)
	}
	b, ok := m.lookup(m.name)
	if !ok || len(b) != answerBytes { // so that a question that nobody looked up is not taken for one that is not answered
		m.missing()
		return bytecode.EnvMissing
	}
	value, status := int64(0), int64(oracleUnknown)
	switch b[0] {
	case answerFinal:
		var s vm.Status
		if value, status, s = m.answer(b[1:], age.v, deposit.v); s != vm.OK {
			m.text = e.Name
			return s
		}
	case answerPending:
		status = oraclePending
	case answerDisputed:
		status = oracleDisputed
	}
	m.st.setInt(m.sp-3, value)
	m.st.setInt(m.sp-2, status)
	m.sp--
	return vm.OK
}

// answer says whether a final answer can be used now.
func (m *Machine) answer(b []byte, age, deposit int64) (value, status int64, s vm.Status) {
	since, s := integer(b[8:16])
	if s != vm.OK {
		return 0, 0, s
	}
	behind, s := integer(b[16:24])
	if s != vm.OK {
		return 0, 0, s
	}
	now, ok := m.lookup([]byte("clock"))
	if !ok {
		return 0, 0, bytecode.EnvMissing
	}
	clock, s := integer(now)
	switch {
	case s != vm.OK:
		return 0, 0, s
	case clock-since > age:
		return 0, oracleStale, vm.OK
	case behind < deposit:
		return 0, oracleCheap, vm.OK
	}
	return int64(binary.BigEndian.Uint64(b[:8])), oracleUsable, vm.OK
}
