package lang

import (
	"errors"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// assembled takes the dialect asm, which is what Disassemble writes; see [bytecode.Assemble].
func assembled(s vm.Source, l *bytecode.Limits) (*vm.Compiled, error) {
	out, err := bytecode.Assemble(s.Text, l)
	var at *bytecode.AsmError
	if errors.As(err, &at) {
		return nil, syntaxError(s.File, at.Line, 1, "%s", at.Message)
	}
	return out, err
}
