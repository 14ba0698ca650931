package engine

import (
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/lang"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

const plentyGas = 1_000_000

// machine returns a machine under the limits of a chain that says nothing, as far as change does not change them.
func machine(tb testing.TB, change ...func(*bytecode.Limits)) *Machine {
	tb.Helper()
	l := bytecode.DefaultLimits()
	for _, f := range change {
		f(&l)
	}
	m, err := New(&l)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func compiled(tb testing.TB, m *Machine, source string, evidence bool) []byte {
	tb.Helper()
	c, err := lang.Compile(vm.Source{Text: source, Dialect: "paloalto", Evidence: evidence}, m.lim)
	if err != nil {
		tb.Fatalf("compile: %v", err)
	}
	return c.Code
}

// assembled takes the dialect asm.
func assembled(tb testing.TB, m *Machine, source string) []byte {
	tb.Helper()
	c, err := lang.Compile(vm.Source{Text: source, Dialect: "asm"}, m.lim)
	if err != nil {
		tb.Fatalf("assemble: %v", err)
	}
	return c.Code
}

// kept loads code as a chain keeps it.
func kept(tb testing.TB, m *Machine, code []byte) *bytecode.Program {
	tb.Helper()
	p := &bytecode.Program{}
	if err := p.Load(code, m.lim, false); err != nil {
		tb.Fatal(err)
	}
	Prepare(p)
	return p
}
