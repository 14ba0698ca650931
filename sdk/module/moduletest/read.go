package moduletest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

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
		{"queries-are-answered", "the API passes on what a module answers", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			o.succeed(c, Clock, o.valid(QuerySeed, 5))
			before := c.State()
			for _, p := range f.Paths {
				var last string
				for range 2 {
					a, err := o.Query(t.Context(), module.Query{Path: p, Clock: Clock, Height: c.Height}, c.Reader())
					if err != nil {
						t.Fatalf("query %q: %v", p, err)
					}
					if !json.Valid(a.JSON) || len(a.JSON) > module.MaxAnswerBytes || len(a.RestsOn) > module.MaxRestsOn {
						t.Fatalf("query %q: %.200q, which rests on %d items", p, a.JSON, len(a.RestsOn))
					}
					if last != "" && last != string(a.JSON) {
						t.Fatalf("query %q: %.200q, and then %.200q", p, last, a.JSON)
					}
					last = string(a.JSON)
				}
			}
			if c.State() != before {
				t.Fatalf("a query changes the state")
			}
		}},
		{"unknown-paths-are-named", "the API answers 'not found'", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			for _, p := range []string{"", "no/such/path", "\x00", strings.Repeat("x", 4096), "/", "?"} {
				if _, err := o.Query(t.Context(), module.Query{Path: p}, o.core().Reader()); !errors.Is(err, module.ErrUnknownPath) {
					t.Fatalf("query %.20q: %v, want ErrUnknownPath", p, err)
				}
			}
		}},
		{"hostile-queries-do-no-harm", "anybody can ask anything", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			for _, p := range f.Paths {
				for _, q := range []string{p + "/", p + "?", p + "?a=b&&=%zz;", p[:len(p)/2], p + p, strings.ToUpper(p), p + "?limit=-1", p + "\x00", p + "\xff"} {
					a, err := o.Query(t.Context(), module.Query{Path: q, Argument: []byte{0xff, 0}, Clock: ^uint64(0), Height: ^uint64(0)}, c.Reader())
					if errors.Is(err, errPanic) || isPanic(err) {
						t.Fatalf("query %q: %v", q, err)
					}
					if err == nil && !json.Valid(a.JSON) {
						t.Fatalf("query %q: %.200q is not JSON", q, a.JSON)
					}
				}
			}
		}},
	}
}
