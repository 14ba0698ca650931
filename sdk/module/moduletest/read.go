package moduletest

import (
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/module"
)

func readCases() []Case {
	return []Case{
		{"reads-are-charged-to-who-asks", "reads that nobody pays for have no bound", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			o.succeed(c, Clock, o.valid(2, 5))
			used := map[int]int{}
			h := &hooked{Reader: c.Reader(), before: func(tx, n int) error {
				used[tx] += n
				return nil
			}}
			b := o.block(c, Clock, o.valid(1, 21))
			o.execute(b, h)
			for tx, n := range used {
				switch {
				case tx == module.BlockTx:
					t.Errorf("%d reads are charged to a block without scheduled work or extensions", n)
				case tx < 0 || tx >= len(b.Txs):
					t.Errorf("%d reads are charged to transaction %d of %d", n, tx, len(b.Txs))
				case n > module.MaxReadsPerTx:
					t.Errorf("%d reads for valid transaction %d, at most %d", n, tx, module.MaxReadsPerTx)
				}
			}
		}},
		{"a-refused-read-fails-its-transaction", "one sender could stop the module for all", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			b := o.block(c, Clock, o.valid(1, 22))
			b.Values = nil // so that what was declared has to be read
			refused := map[int]int{}
			h := &hooked{Reader: c.Reader(), before: func(tx, n int) error {
				refused[tx]++
				return fmt.Errorf("%w: for a test", module.ErrReadLimit)
			}}
			out, err := o.Execute(t.Context(), b, h)
			if err == nil {
				err = module.CheckOutcome(b, out)
			}
			if err != nil {
				t.Fatalf("a block whose reads are refused: %v", err)
			}
			for tx, n := range refused {
				if n > module.MaxRefusals {
					t.Errorf("transaction %d goes on after %d reads were refused", tx, n)
				}
			}
		}},
		{"a-lost-state-ends-the-call", "an outcome that rests on what was not read differs from other nodes'", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			b := o.block(c, Clock, o.valid(1, 23))
			reads := 0
			h := &hooked{Reader: c.Reader(), before: func(int, int) error { reads++; return errLost }}
			if _, err := o.Execute(t.Context(), b, h); reads > 0 && !errors.Is(err, errLost) {
				t.Fatalf("a block whose reads fail: %v, want the reader's error", err)
			}
		}},
		{"short-pages-change-nothing", "a scan returns fewer items than asked for where they are large", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			o.succeed(c, Clock, o.valid(QuerySeed, 5))
			o.succeed(c, Clock, o.valid(2, 5))
			txs := o.valid(1, 34)
			want := fingerprints(o.execute(o.block(c, Clock, txs), c.Reader()))
			h := &hooked{Reader: c.Reader(), short: true}
			if got := fingerprints(o.execute(o.block(c, Clock, txs), h)); got != want {
				t.Fatalf("with pages of one item: %s", diff(got, want))
			}
		}},
	}
}
