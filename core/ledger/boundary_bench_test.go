package ledger

import (
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// BenchmarkBoundary executes a block of 1,000 transactions for one module behind a gRPC connection over a unix socket: as
// admitted, where the module has been asked about each before, and as new, where it has not. In process is for comparison.
func BenchmarkBoundary(b *testing.B) {
	const accounts, n = 100, 1_000
	for _, c := range []struct {
		name          string
		remote, fresh bool
	}{{"remote/admitted", true, false}, {"remote/new", true, true}, {"in-process/admitted", false, false}, {"in-process/new", false, true}} {
		b.Run(c.name, func(b *testing.B) {
			f := moduletest.TallyFactory()
			if c.remote {
				f = moduletest.Remote(f)
			}
			in, err := f.Open()
			if err != nil {
				b.Fatal(err)
			}
			defer in.Close()
			keys := make([]key, accounts)
			k := newKit(b, func(g *chainspec.Genesis) {
				g.Limits.BlockBytes, g.Limits.BlockGas = types.MaxBodyBytes, 1<<40
				for i := range keys {
					keys[i] = newKey(fmt.Sprint("bench", i))
					g.Allocations[0].Amount -= 100_000_000
					g.Allocations = append(g.Allocations, chainspec.Allocation{Name: fmt.Sprint("b", i), Account: keys[i].id(), Amount: 100_000_000})
				}
			}, Named{Name: "tally", Module: in.Module})
			sealed := make([][]byte, n)
			for i := range sealed {
				x := k.tx(keys[i%accounts], "tally", moduletest.TallyAction("add", fmt.Sprint("n", i), 1, 0))
				x.MaxGas, x.MaxFee = 2000, 10_000
				sealed[i] = k.seal(x, keys[i%accounts])
			}
			parse := func() []*Tx {
				txs := make([]*Tx, n)
				for i := range txs {
					if txs[i], err = k.l.ParseTx(sealed[i]); err != nil {
						b.Fatal(err)
					}
				}
				return txs
			}
			txs := parse()
			if errs, err := k.l.Check(b.Context(), txs); err != nil || errs[0] != nil {
				b.Fatal(errs[0], err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if c.fresh {
					b.StopTimer()
					txs = parse()
					b.StartTimer()
				}
				res, err := k.l.Execute(b.Context(), k.layer, k.header(k.clock+1), txs)
				if err != nil || res.Receipts[n-1].Status != types.StatusOK {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/tx")
		})
	}
}
