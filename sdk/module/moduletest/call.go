package moduletest

import (
	"errors"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func callCases() []Case {
	return []Case{
		{"extension-within-limit", "an extension that is too long makes a block invalid", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			x, err := o.Extend(t.Context(), 1, o.core().Reader())
			if err != nil || len(x) > types.MaxExtensionBytes {
				t.Fatalf("extend: %d bytes, %v", len(x), err)
			}
		}},
		{"no-migration-from-unknown-rules", "a state that was left as it was would be taken for a new one", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			if _, err := o.Migrate(t.Context(), "no-such-rules", "nor-these", o.core().Reader()); !errors.Is(err, module.ErrUnsupported) {
				t.Fatalf("migrate: %v, want ErrUnsupported", err)
			}
		}},
		{"calls-after-close-fail", "a chain would go on with rules that are gone", func(t T, f Factory) {
			o := open(t, f)
			if o.Instance.Close == nil {
				t.Skipf("the module cannot be closed")
			}
			c := o.core()
			b := o.block(c, Clock, o.valid(1, 2))
			o.done()
			_, err := o.Check(t.Context(), b.Txs)
			wantClosed(t, "check", err)
			_, err = o.Execute(t.Context(), b, c.Reader())
			wantClosed(t, "execute", err)
			_, err = o.Extend(t.Context(), 1, c.Reader())
			wantClosed(t, "extend", err)
			_, err = o.Query(t.Context(), module.Query{Path: "x"}, c.Reader())
			wantClosed(t, "query", err)
			wantClosed(t, "validate parameters", o.ValidateParams(t.Context(), nil))
		}},
		{"an-unknown-instance-is-named", "the core opens an instance again when it is told that it is gone", func(t T, f Factory) {
			wantHandle(t, f, UnknownHandle, plugin.ErrUnknownInstance)
		}},
		{"another-kind-is-named", "an instance of another kind is not asked", func(t T, f Factory) {
			wantHandle(t, f, OtherKindHandle, plugin.ErrWrongKind)
		}},
	}
}

// Handles that [Instance.Dial] is asked for.
const (
	UnknownHandle   = 0xdead
	OtherKindHandle = 0xbeef
)

// wantClosed accepts an instance that is closed or, behind a connection, no longer known.
func wantClosed(t T, op string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s on a closed instance gives no error", op)
	} else if isPanic(err) {
		t.Errorf("%s on a closed instance: %v", op, err)
	}
}

func isPanic(err error) bool { return errors.Is(err, errPanic) || errors.Is(err, plugin.ErrPanicked) }

func wantHandle(t T, f Factory, handle uint64, want error) {
	t.Helper()
	o := open(t, f)
	defer o.done()
	if o.Dial == nil {
		t.Skipf("the module is in process")
	}
	if handle == OtherKindHandle && o.NoOtherKind {
		t.Skipf("the plugin has no other kind")
	}
	m := module.NewClient(o.Dial(handle), handle)
	c := o.core()
	_, err := m.Check(t.Context(), o.valid(1, 1))
	_, xerr := m.Execute(t.Context(), &module.Block{Txs: o.valid(1, 1), Clock: Clock}, c.Reader())
	_, qerr := m.Query(t.Context(), module.Query{Path: "x"}, c.Reader())
	for op, err := range map[string]error{"check": err, "execute": xerr, "query": qerr, "parameters": m.ValidateParams(t.Context(), nil)} {
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", op, err, want)
		}
	}
}
