package lang

import (
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// whitePaper is the paper's section 4.1.1, verbatim.
const whitePaper = `: hashlock
swap
hash
== ;
macro Commitment a9d7e8023f80ac8928334 ;

Commitment hashlock call if 0 100 else 0 50 end 1
`

func limits() *bytecode.Limits {
	l := bytecode.DefaultLimits()
	return &l
}

func compiled(t testing.TB, s vm.Source) *vm.Compiled {
	t.Helper()
	out, err := Compile(s, limits())
	if err != nil {
		t.Fatalf("compile %q: %v", s.Text, err)
	}
	return out
}

// evaluate runs code and evidence, and returns the whole stack, or the name of the status.
func evaluate(t testing.TB, m *engine.Machine, code, evidence []byte, env map[string][]byte) (stack, text string) {
	t.Helper()
	code = append(append([]byte{}, code...), byte(bytecode.OpReturn)) // whose step shows the stack at the end
	var last vm.Step
	r := vm.Run{Code: code, Evidence: evidence, GasLimit: 100_000}
	if err := m.Trace(t.Context(), &r, nil, env, func(s vm.Step) error {
		last = s
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if last.Op == "return" {
		return strings.Join(last.Stack, " "), ""
	}
	return bytecode.StatusName(last.Result.Status), last.Result.Error
}

func machine(t testing.TB) *engine.Machine {
	t.Helper()
	m, err := engine.New(limits())
	if err != nil {
		t.Fatal(err)
	}
	return m
}
