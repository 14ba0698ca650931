package vmtest

import (
	"context"
	"errors"
	"io"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func callCases() []Case {
	return []Case{
		{"cancelled", "a node that stops does not wait for a block's contracts", func(t T, f Factory) {
			o := open(t, f)
			runs := make([]vm.Run, 100)
			for i := range runs {
				runs[i] = vm.Run{Code: o.code(f.Loops), GasLimit: plenty}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := o.RunBatch(ctx, vm.Batch{Runs: runs}); !errors.Is(err, context.Canceled) {
				t.Fatalf("with a context that has ended: %v, want context.Canceled", err)
			}
		}},
		{"closed", "calls may come while a chain is being closed", func(t T, f Factory) {
			o := open(t, f)
			code := o.code(f.Pays)
			o.done()
			_, err := o.RunBatch(t.Context(), vm.Batch{Runs: []vm.Run{{Code: code, GasLimit: plenty}}})
			wantClosed(t, "run", err)
			_, err = o.Load(t.Context(), [][]byte{code})
			wantClosed(t, "load", err)
			_, err = o.Compile(t.Context(), vm.Source{Text: f.Pays})
			wantClosed(t, "compile", err)
			_, err = o.Info(t.Context())
			wantClosed(t, "info", err)
			err = o.Interact(t.Context(), vm.Session{}, func(vm.Output) (vm.Input, error) { return vm.Input{}, io.EOF })
			wantClosed(t, "interact", err)
		}},
	}
}

// wantClosed accepts an instance that is closed or, in a process of its own, no longer known.
func wantClosed(t T, op string, err error) {
	t.Helper()
	if !errors.Is(err, vm.ErrClosed) && !errors.Is(err, plugin.ErrUnknownInstance) {
		t.Fatalf("%s on a closed VM: %v, want ErrClosed or ErrUnknownInstance", op, err)
	}
}
