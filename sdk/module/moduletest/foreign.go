package moduletest

import (
	"bytes"
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func foreignCases() []Case {
	return []Case{
		{"any-number-of-producers", "a chain may have one producer, and a set may change from one epoch to the next", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			for _, n := range []int{0, 1, 2, 100} {
				c := o.core()
				for i := range n {
					h := types.Sum("moduletest/producer\x00", []byte{byte(i)})
					c.Producers = append(c.Producers, types.PublicKey{Scheme: types.SchemeEd25519, Key: h[:]})
				}
				b := o.block(c, Clock, o.valid(1, 8))
				one := o.execute(b, c.Reader()).Digest()
				if two := o.execute(o.block(c, Clock, o.valid(1, 8)), c.Reader()).Digest(); one != two {
					t.Fatalf("with %d producers: two executions differ", n)
				}
				o.succeed(c, Clock, o.valid(1, 8))
			}
		}},
		{"foreign-reads-are-exported", "a read of what is not exported costs the whole group its block", func(t T, f Factory) {
			o, c, txs := foreign(t, f, 12)
			defer o.done()
			o.values(c)
			o.succeed(c, Clock, txs)
		}},
		{"foreign-values-may-be-missing", "the other module may have nothing there, or not yet", func(t T, f Factory) {
			o, c, txs := foreign(t, f, 36)
			defer o.done()
			o.run(c, Clock, txs)
		}},
		{"foreign-garbage-does-no-harm", "what others write is theirs, and their next version's", func(t T, f Factory) {
			o, c, txs := foreign(t, f, 37)
			defer o.done()
			for i, data := range [][]byte{{}, {0}, {0xff}, bytes.Repeat([]byte{0xff}, 9), []byte("{}"), make([]byte, module.MaxValueBytes), nil} {
				for _, v := range f.Foreign.Values {
					if i == 6 && len(v.Data) > 0 { // cut short
						data = v.Data[:len(v.Data)-1]
					}
					c.SetForeign(v.Item, data)
				}
				d := c.Clone()
				o.run(d, Clock, txs)
			}
		}},
		{"a-foreign-read-that-is-refused-fails-its-transaction", "one sender could stop the module for all", func(t T, f Factory) {
			o, c, txs := foreign(t, f, 38)
			defer o.done()
			o.values(c)
			b := o.block(c, Clock, txs)
			b.Values = nil // so that what was declared has to be read
			refused := map[int]int{}
			out, err := o.Execute(t.Context(), b, &closed{c.Reader(), refused})
			if err == nil {
				err = module.CheckOutcome(b, out)
			}
			if err != nil {
				t.Fatalf("a block whose reads of other modules are refused: %v", err)
			}
			for tx, n := range refused {
				if n > module.MaxRefusals {
					t.Errorf("transaction %d goes on after %d reads were refused", tx, n)
				}
			}
		}},
	}
}

// foreign opens an instance of a module that reads what others export, with n transactions that do.
func foreign(t T, f Factory, n int) (*opened, *Core, []module.Tx) {
	t.Helper()
	if f.Foreign == nil {
		t.Skipf("the module reads nothing of others")
	}
	txs := f.Foreign.Txs(1, n)
	if len(txs) != n {
		t.Fatalf("the factory gives %d transactions that read what others export, want %d", len(txs), n)
	}
	o := open(t, f)
	return o, o.core(), txs
}

// values lets others hold what the factory says.
func (o *opened) values(c *Core) {
	for _, v := range o.f.Foreign.Values {
		c.SetForeign(v.Item, v.Data)
	}
}

// closed refuses reads of other modules.
type closed struct {
	module.Reader
	refused map[int]int
}

func (r *closed) Read(ctx context.Context, tx int, items []module.Item) ([][]byte, error) {
	for _, it := range items {
		if it.Module != "" {
			r.refused[tx]++
			return nil, fmt.Errorf("%w: for a test", module.ErrInvalid)
		}
	}
	return r.Reader.Read(ctx, tx, items)
}
