package moduletest

import (
	"github.com/paloalto-chain/paloalto/sdk/module"
)

func scheduleCases() []Case {
	return []Case{
		{"scheduled-work-is-done", "what is due must not fail: nobody is there to be told", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			o.succeed(c, Clock, o.valid(1, 30))
			for range 500 {
				q := c.Queue()
				if len(q) == 0 {
					break
				}
				o.run(c, q[0], nil)
			}
			if n := len(c.Queue()); n > 0 {
				t.Logf("%d entries in the queue after 500 rounds, the next at clock %d", n, c.Queue()[0])
			}
		}},
		{"late-work-is-done", "a chain that stood still goes on at a later clock", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			o.succeed(c, Clock, o.valid(1, 31))
			for range 100 {
				q := c.Queue()
				if len(q) == 0 {
					break
				}
				o.run(c, max(q[0], c.Clock)+1_000_000_000, nil)
			}
		}},
		{"much-is-due-at-once", "at most so many entries fall due in a block, and the rest carry over", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			o.succeed(c, Clock, o.valid(1, 400))
			q := c.Queue()
			if len(q) <= module.MaxDuePerBlock {
				t.Skipf("400 valid transactions schedule %d entries", len(q))
			}
			clock := q[len(q)-1]
			for i := range 20 {
				if o.run(c, clock+uint64(i), nil).Due == 0 {
					break
				}
			}
		}},
		{"work-and-transactions-in-one-block", "scheduled work takes effect before the transactions", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			o.succeed(c, Clock, o.valid(1, 32))
			q := c.Queue()
			if len(q) == 0 {
				t.Skipf("valid transactions schedule nothing")
			}
			o.run(c, q[0], o.valid(1, 5)) // the same again: whether they succeed depends on the module
			o.run(c, q[len(q)-1], o.valid(2, 5))
		}},
		{"stray-work-does-nothing", "an entry may outlive its reason", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			b := o.block(c, Clock, nil)
			for i := range 8 {
				d := module.Due{ID: [32]byte{byte(i), 0xee}, Item: module.Item{Key: "stray"}}
				if i%2 == 1 {
					d.Data = make([]byte, 16*i)
				}
				b.Due = append(b.Due, d)
				b.Values = append(b.Values, module.Value{Item: d.Item})
			}
			out := o.execute(b, c.Reader())
			if n := len(out.Block.Transfers) + len(out.Block.Writes); n > 0 {
				t.Fatalf("stray entries make %d transfers and writes", n)
			}
		}},
	}
}
