package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Module returns the instance's module face, which outlives its process. All its methods may be called again, so a block
// that was being executed when the process died is executed again in the next. It panics if the instance has no module
// face, which the description says.
//
// An error of the Reader ends the call as it is, and nobody is blamed. An answer that is against the rules (module.ErrFault) is
// one that every node gets alike, and is handed on; so are errors of Extend and Query, and module.ErrBadParams and
// module.ErrUnsupported where they belong. Any other error of Check, Execute, ValidateParams or Migrate is no answer, nor is a
// message that is longer than the protocol allows: the instance is broken, is opened anew and asked again, and it counts as a crash.
func (i *Instance) Module() module.Module {
	if m, ok := localAs[module.Module](i, plugin.Module); ok {
		return m
	}
	return rules{i}
}

type rules struct{ i *Instance }

// Guarded tells module.Guard that each attempt has a guard of its own already. Another one around them all would go on counting
// where a lost attempt left off, and refuse reads to the next that no other node refuses.
func (rules) Guarded() {}

func ask[R any](ctx context.Context, i *Instance, method string, answer func(error) bool, f func(context.Context, module.Module) (R, error)) (R, error) {
	return callBy(ctx, i, way{method: method, limit: i.p.spec.ModuleTimeout, answer: answer}, module.NewClient, f)
}

// anyOf tells whether an error is an answer that is handed on.
func anyOf(answers ...error) func(error) bool {
	return func(err error) bool {
		for _, a := range answers {
			if errors.Is(err, a) {
				return true
			}
		}
		return false
	}
}

func (m rules) Check(ctx context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	return ask(ctx, m.i, "module.Check", anyOf(module.ErrFault), func(ctx context.Context, c module.Module) ([]module.TxCheck, error) {
		return c.Check(ctx, txs)
	})
}

func (m rules) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	return ask(ctx, m.i, "module.Execute", anyOf(module.ErrFault), func(ctx context.Context, c module.Module) (*module.Outcome, error) {
		return c.Execute(ctx, b, ours(ctx, r))
	})
}

func (m rules) Extend(ctx context.Context, slot uint64, r module.Reader) ([]byte, error) {
	return ask(ctx, m.i, "module.Extend", nil, func(ctx context.Context, c module.Module) ([]byte, error) {
		return c.Extend(ctx, slot, ours(ctx, r))
	})
}

func (m rules) Query(ctx context.Context, q module.Query, r module.Reader) (module.Answer, error) {
	return ask(ctx, m.i, "module.Query", nil, func(ctx context.Context, c module.Module) (module.Answer, error) {
		return c.Query(ctx, q, ours(ctx, r))
	})
}

func (m rules) ValidateParams(ctx context.Context, params map[string][]byte) error {
	_, err := ask(ctx, m.i, "module.ValidateParams", anyOf(module.ErrBadParams), func(ctx context.Context, c module.Module) (struct{}, error) {
		return struct{}{}, c.ValidateParams(ctx, params)
	})
	return err
}

func (m rules) Migrate(ctx context.Context, from, to string, r module.Reader) ([]module.Write, error) {
	answer := anyOf(module.ErrFault, module.ErrUnsupported)
	return ask(ctx, m.i, "module.Migrate", answer, func(ctx context.Context, c module.Module) ([]module.Write, error) {
		return c.Migrate(ctx, from, to, ours(ctx, r))
	})
}

// readError marks an error as the core's own, on its way through the plugin's call.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// ourReader is the core's part of a call: it does not count as the plugin's time, and its errors are not the plugin's.
type ourReader struct {
	call  context.Context // of the attempt
	watch *stopwatch
	r     module.Reader
}

func ours(call context.Context, r module.Reader) module.Reader {
	watch, _ := call.Value(watchKey{}).(*stopwatch)
	return &ourReader{call, watch, r}
}

func (o *ourReader) mark(err error) error {
	if err == nil || o.call.Err() != nil { // the end of the call says more
		return err
	}
	return &readError{err}
}

func (o *ourReader) Read(ctx context.Context, tx int, items []module.Item) ([][]byte, error) {
	o.watch.hold()
	defer o.watch.release()
	values, err := o.r.Read(ctx, tx, items)
	if err == nil && len(values) != len(items) {
		err = fmt.Errorf("read: %d values for %d items", len(values), len(items))
	}
	return values, o.mark(err)
}

func (o *ourReader) Scan(ctx context.Context, tx int, start, end module.Item, limit int) ([]module.Value, bool, error) {
	o.watch.hold()
	defer o.watch.release()
	values, more, err := o.r.Scan(ctx, tx, start, end, limit)
	if err == nil && len(values) > limit {
		err = fmt.Errorf("scan: %d values, %d were asked for", len(values), limit)
	}
	return values, more, o.mark(err)
}
