package engine

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// shownValues is how many values of the stack a failed run shows.
const shownValues = 8

// results takes the results off the stack. Under both conventions they are three integers, 0 or more.
func (m *Machine) results(c vm.Convention, out []int64) vm.Status {
	names := "burn, pay and nonce"
	if c == vm.DelayNonceAmount {
		names = "delay, nonce and amount"
	}
	n := m.sp - floor
	switch {
	case n < len(out):
		m.text = fmt.Sprintf("%d values are left, %s are three", n, names)
		return bytecode.BadResult
	case n > len(out) && !m.loose:
		m.text = fmt.Sprintf("%d values are left, %s are three; end with return to leave some", n, names)
		return bytecode.BadResult
	}
	for i := range out {
		x := m.st.get(m.sp - len(out) + i)
		if x.k != isInt || x.v < 0 {
			m.text = names + " are integers, 0 or more"
			return bytecode.BadResult
		}
		out[i] = x.v
	}
	if c == vm.BurnPayNonce && out[0]+out[1] < 0 {
		m.text = "burn and pay together do not fit 64 bits"
		return bytecode.BadResult
	}
	return vm.OK
}

// describe fills in what people want to know about a run that failed.
func (m *Machine) describe(res *vm.Result, limit int64) {
	res.PC, res.Word, res.Evidence = uint64(m.pc), bytecode.Opcodes[m.op].Name, m.which == evidence
	res.GasUsed = uint64(limit - max(m.gas, 0))
	res.Error = bytecode.StatusName(res.Status)
	if m.text != "" {
		res.Error += ": " + m.text
	}
	for i := max(floor, m.sp-shownValues); i < m.sp; i++ {
		res.Top = append(res.Top, m.show(m.st.get(i)))
	}
}
