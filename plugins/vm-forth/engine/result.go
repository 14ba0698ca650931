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
	if n := m.sp - floor; n < len(out) || n > len(out) && !m.loose {
		if !m.terse {
			m.text = fmt.Sprintf("%d values are left, %s are three", n, names)
			if n > len(out) {
				m.text += "; end with return to leave some"
			}
		}
		return bytecode.BadResult
	}
	for i := range out {
		x := m.st.get(m.sp - len(out) + i)
		if x.k != isInt || x.v < 0 {
			if !m.terse {
				m.text = names + " are integers, 0 or more"
			}
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

// why makes the text of an error, if anybody is to read it.
func (m *Machine) why(what string, err error) string {
	if m.terse {
		return ""
	}
	return what + err.Error()
}

// describe fills in what people want to know about a run that failed.
func (m *Machine) describe(res *vm.Result, limit int64) {
	res.PC, res.Evidence = uint64(m.pc), m.which == evidence
	res.GasUsed = uint64(limit - max(m.gas, 0))
	if m.terse {
		return
	}
	res.Word = bytecode.Opcodes[m.op].Name
	res.Error = bytecode.StatusName(res.Status)
	if m.text != "" {
		res.Error += ": " + m.text
	}
	for i := max(floor, m.sp-shownValues); i < m.sp; i++ {
		res.Top = append(res.Top, m.show(m.st.get(i)))
	}
}
