package vmforth

import (
	"context"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/forth2012"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/lang"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/session"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// Compile implements vm.VM. The dialect is that which the source names, or the call, or the instance's.
func (v *VM) Compile(ctx context.Context, s vm.Source) (*vm.Compiled, error) {
	if err := v.ready(ctx, "compile"); err != nil {
		return nil, err
	}
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	h, err := lang.ParseHeader(s, &v.lim)
	if err != nil {
		return nil, err
	}
	if h.Dialect == lang.Forth2012 {
		return forth2012.Compile(s, &v.lim)
	}
	return lang.Compile(s, &v.lim)
}

// Disassemble implements vm.VM. The text compiles in the dialect asm to the same code. It fails with vm.ErrInvalid if the
// code is malformed.
func (v *VM) Disassemble(ctx context.Context, code []byte) (string, error) {
	if err := v.ready(ctx, "disassemble"); err != nil {
		return "", err
	}
	if err := vm.CheckCode([][]byte{code}); err != nil {
		return "", fmt.Errorf("disassemble: %w", err)
	}
	return bytecode.Disassemble(code, &v.lim)
}

// Info implements vm.VM.
func (v *VM) Info(ctx context.Context) (*vm.Info, error) {
	if err := v.ready(ctx, "info"); err != nil {
		return nil, err
	}
	out := &vm.Info{Version: Version, GasVersion: bytecode.GasVersion, GasTableHash: bytecode.GasTableHash(), Dialects: lang.Dialects()}
	if i := slices.Index(out.Dialects, v.lim.Dialect); i > 0 {
		out.Dialects = slices.Insert(slices.Delete(out.Dialects, i, i+1), 0, v.lim.Dialect)
	}
	for _, n := range numbers() {
		out.Limits = append(out.Limits, vm.Limit{Name: n.name, Value: *n.to(&v.lim)})
	}
	for _, e := range bytecode.Environment {
		out.Environment = append(out.Environment, e.Name)
	}
	return out, nil
}

// Interact implements vm.VM, for all dialects. The session does not see what the instance keeps. It ends when the
// instance is closed.
func (v *VM) Interact(ctx context.Context, s vm.Session, next func(vm.Output) (vm.Input, error)) (err error) {
	if err := v.ready(ctx, "interact"); err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("interact: %w: %v", plugin.ErrPanicked, r)
		}
	}()
	return session.Interact(ctx, &v.lim, s, func(o vm.Output) (vm.Input, error) {
		in, err := next(o)
		if err != nil {
			return vm.Input{}, err
		}
		return in, v.ready(ctx, "interact")
	})
}
