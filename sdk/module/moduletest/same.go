package moduletest

import (
	"context"
	"errors"

	"github.com/paloalto-chain/paloalto/sdk/module"
)

func sameCases() []Case {
	return []Case{
		{"same-block-twice", "nodes execute a block again after a crash, and when paranoid", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			b := o.block(c, Clock, o.valid(1, 33))
			one := fingerprints(o.execute(b, c.Reader()))
			b = o.block(c, Clock, o.valid(1, 33))
			if two := fingerprints(o.execute(b, c.Reader())); one != two {
				t.Fatalf("the second time: %s", diff(two, one))
			}
		}},
		{"same-in-two-instances", "nodes must agree", func(t T, f Factory) {
			o, p := open(t, f), open(t, f)
			defer o.done()
			defer p.done()
			c := o.core()
			one := fingerprints(o.execute(o.block(c, Clock, o.valid(1, 6)), c.Reader()))
			if two := fingerprints(p.execute(p.block(c, Clock, p.valid(1, 6)), c.Reader())); one != two {
				t.Fatalf("in a second instance: %s", diff(two, one))
			}
		}},
		{"nothing-kept-between-blocks", "a block that was executed need not become final", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			first := o.valid(1, 7)
			want := fingerprints(o.execute(o.block(c, Clock, first), c.Reader()))
			o.execute(o.block(c, Clock, append(o.valid(1, 4), o.valid(2, 20)...)), c.Reader()) // of another fork
			if got := fingerprints(o.execute(o.block(c, Clock, first), c.Reader())); got != want {
				t.Fatalf("after a block that was given up: %s", diff(got, want))
			}
		}},
		{"one-block-or-many", "the reader shows the state before the block, and results must build on each other", func(t T, f Factory) {
			if f.ByHeight {
				t.Skipf("the module's state depends on the height")
			}
			o := open(t, f)
			defer o.done()
			txs := o.valid(1, 27)
			c, d := o.core(), o.core()
			o.succeed(c, Clock, txs)
			for i := range txs {
				o.succeed(d, Clock, txs[i:i+1])
			}
			if one, many := c.State(), d.State(); one != many {
				t.Fatalf("transactions in one block: %s", diff(one, many))
			}
		}},
		{"calls-may-overlap", "transactions are admitted and queries answered while a block is executed", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			o.succeed(c, Clock, o.valid(QuerySeed, 5))
			txs := o.valid(1, 26)
			b := o.block(c, Clock, txs)
			want := fingerprints(o.execute(b, c.Reader()))
			during := func() error {
				if _, err := o.Check(t.Context(), txs); err != nil {
					return err
				}
				if _, err := o.Extend(t.Context(), 1, c.Reader()); err != nil {
					return err
				}
				for _, p := range f.Paths {
					if _, err := o.Query(t.Context(), module.Query{Path: p, Clock: Clock}, c.Reader()); err != nil {
						return err
					}
				}
				return nil
			}
			// At each read of the block a round of other calls ends before it is answered; and others run at the same time.
			h := &hooked{Reader: c.Reader(), before: func(int, int) error { return during() }}
			other := make(chan error, 1)
			go func() { other <- during() }()
			got := fingerprints(o.execute(o.block(c, Clock, txs), h))
			if err := <-other; err != nil {
				t.Fatalf("calls during a block: %v", err)
			}
			if got != want {
				t.Fatalf("with other calls during the block: %s", diff(got, want))
			}
		}},
		{"a-cancelled-call-fails-or-is-whole", "a result in part would be taken for one", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			b := o.block(c, Clock, o.valid(1, 25))
			want := fingerprints(o.execute(b, c.Reader()))
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if out, err := o.Execute(ctx, b, c.Reader()); err == nil {
				if err := module.CheckOutcome(b, out); err != nil {
					t.Fatalf("execute with a cancelled context: %v", err)
				}
				if got := fingerprints(out); got != want {
					t.Fatalf("execute with a cancelled context: %s", diff(got, want))
				}
			} else if !errors.Is(err, context.Canceled) {
				t.Fatalf("execute with a cancelled context: %v", err)
			}
			if checks, err := o.Check(ctx, b.Txs); err == nil && len(checks) != len(b.Txs) {
				t.Fatalf("check with a cancelled context: %d checks for %d transactions", len(checks), len(b.Txs))
			}
			// The context ends in the middle of a read.
			ctx, cancel = context.WithCancel(t.Context())
			defer cancel()
			reads := 0
			h := &hooked{Reader: c.Reader(), before: func(int, int) error { reads++; cancel(); return ctx.Err() }}
			if _, err := o.Execute(ctx, b, h); reads > 0 && !errors.Is(err, context.Canceled) {
				t.Fatalf("execute whose context ends in a read: %v", err)
			}
		}},
	}
}

// hooked is a Reader with something before each read. tx is whom it is charged to, n how many items it may have.
type hooked struct {
	module.Reader
	before func(tx, n int) error
	short  bool // at most one item a scan
}

func (h *hooked) Read(ctx context.Context, tx int, items []module.Item) ([][]byte, error) {
	if h.before != nil {
		if err := h.before(tx, len(items)); err != nil {
			return nil, err
		}
	}
	return h.Reader.Read(ctx, tx, items)
}

func (h *hooked) Scan(ctx context.Context, tx int, start, end module.Item, limit int) ([]module.Value, bool, error) {
	if h.before != nil {
		if err := h.before(tx, limit); err != nil {
			return nil, false, err
		}
	}
	values, more, err := h.Reader.Scan(ctx, tx, start, end, limit)
	if h.short && len(values) > 1 {
		return values[:1], true, err
	}
	return values, more, err
}
