package moduletest

import "github.com/paloalto-chain/paloalto/sdk/module"

func spendCases() []Case {
	return []Case{
		{"spends-within-max-spend", "the signer agreed to no more, and no more was reserved", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			for _, part := range []uint64{0, 1, 2} { // nothing, half of it, all but one unit
				b := o.block(c, Clock, o.valid(1, 14))
				for i := range b.Txs {
					b.Txs[i].Actions = spendless(b.Txs[i].Actions)
					for j, a := range o.valid(1, 14)[i].Actions {
						b.Txs[i].Actions[j].MaxSpend = []uint64{0, a.MaxSpend / 2, max(a.MaxSpend, 1) - 1}[part]
					}
				}
				out, err := o.Execute(t.Context(), b, c.Reader())
				if err == nil {
					err = module.CheckOutcome(b, out)
				}
				if err != nil {
					t.Fatalf("transactions that may spend less than they want: %v", err)
				}
			}
		}},
		{"takes-what-is-there", "an escrow that is overdrawn would be tokens out of nothing", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			txs := o.valid(1, 16)
			c.FundAll(txs)
			e, err := c.Block(t.Context(), o.Module, Clock, txs)
			if err == nil {
				err = e.Fault
			}
			if err == nil {
				err = c.Conserved()
			}
			if err != nil {
				t.Fatalf("a block of valid transactions: %v", err)
			}
		}},
		{"gas-within-max-gas", "the signer pays for no more", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			for _, limit := range []uint64{0, 1, 100} {
				b := o.block(c, Clock, o.valid(1, 17))
				for i := range b.Txs {
					b.Txs[i].MaxGas = min(b.Txs[i].MaxGas, limit)
				}
				out, err := o.Execute(t.Context(), b, c.Reader())
				if err == nil {
					err = module.CheckOutcome(b, out)
				}
				if err != nil {
					t.Fatalf("transactions with max_gas %d: %v", limit, err)
				}
			}
		}},
		{"gas-within-what-check-says", "a wallet sets max_gas by it", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			c := o.core()
			txs := o.valid(1, 19)
			checks, err := o.Check(t.Context(), txs)
			if err != nil || len(checks) != len(txs) {
				t.Fatalf("%d checks, %v", len(checks), err)
			}
			out := o.execute(o.block(c, Clock, txs), c.Reader())
			for i := range txs {
				if g := checks[i].Gas; g > 0 && out.Txs[i].Gas > g {
					t.Fatalf("transaction %d uses %d gas, check said at most %d", i, out.Txs[i].Gas, g)
				}
			}
		}},
	}
}
