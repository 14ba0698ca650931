package host

import (
	"context"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// VM returns the instance as a VM that outlives its process. Only a Trace and a session end with the process, since what
// they have told their caller cannot be taken back. It panics if the instance is of another kind.
func (i *Instance) VM() vm.VM {
	if v, ok := localAs[vm.VM](i, plugin.VM); ok {
		return v
	}
	return machine{i}
}

type machine struct{ i *Instance }

func (m machine) Load(ctx context.Context, code [][]byte) ([]vm.Loaded, error) {
	return call(ctx, m.i, "vm.Load", vm.NewClient, func(ctx context.Context, c vm.VM) ([]vm.Loaded, error) { return c.Load(ctx, code) })
}

func (m machine) RunBatch(ctx context.Context, b vm.Batch) ([]vm.Result, error) {
	return call(ctx, m.i, "vm.RunBatch", vm.NewClient, func(ctx context.Context, c vm.VM) ([]vm.Result, error) { return c.RunBatch(ctx, b) })
}

func (m machine) Compile(ctx context.Context, s vm.Source) (*vm.Compiled, error) {
	return call(ctx, m.i, "vm.Compile", vm.NewClient, func(ctx context.Context, c vm.VM) (*vm.Compiled, error) { return c.Compile(ctx, s) })
}

func (m machine) Info(ctx context.Context) (*vm.Info, error) {
	return call(ctx, m.i, "vm.Info", vm.NewClient, func(ctx context.Context, c vm.VM) (*vm.Info, error) { return c.Info(ctx) })
}

func (m machine) Disassemble(ctx context.Context, code []byte) (string, error) {
	return call(ctx, m.i, "vm.Disassemble", vm.NewClient, func(ctx context.Context, c vm.VM) (string, error) { return c.Disassemble(ctx, code) })
}

func (m machine) Trace(ctx context.Context, env map[string][]byte, r vm.Run, step func(vm.Step) error) error {
	begun := false
	t, _, err := converse(ctx, m.i, "vm.Trace", vm.NewClient, func(ctx context.Context, c vm.VM) (struct{}, error) {
		if begun { // the caller has seen steps
			return struct{}{}, ErrPluginLost
		}
		return struct{}{}, c.Trace(ctx, env, r, func(s vm.Step) error {
			begun = true
			return step(s)
		})
	})
	if t != nil {
		t.finish(false)
	}
	return err
}

func (m machine) Interact(ctx context.Context, s vm.Session, next func(vm.Output) (vm.Input, error)) error {
	begun := false
	t, _, err := converse(ctx, m.i, "vm.Interact", vm.NewClient, func(ctx context.Context, c vm.VM) (struct{}, error) {
		if begun { // the session's state is lost
			return struct{}{}, ErrPluginLost
		}
		return struct{}{}, c.Interact(ctx, s, func(o vm.Output) (vm.Input, error) {
			begun = true
			return next(o)
		})
	})
	if t != nil {
		t.finish(false)
	}
	return err
}
