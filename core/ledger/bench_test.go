package ledger

import (
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// BenchmarkTransfers authorises and executes a block of 10,000 transfers between 1,000 accounts whose authorities are known,
// without verifying signatures and without deriving the state.
func BenchmarkTransfers(b *testing.B) {
	const accounts, n = 1_000, 10_000
	keys := make([]key, accounts)
	k := newKit(b, func(g *chainspec.Genesis) {
		g.Limits.BlockBytes = types.MaxBodyBytes
		for i := range keys {
			keys[i] = newKey(fmt.Sprint("bench", i))
			g.Allocations[0].Amount -= 100_000_000
			g.Allocations = append(g.Allocations, chainspec.Allocation{Name: fmt.Sprint("b", i), Account: keys[i].id(), Amount: 100_000_000})
		}
	})
	txs := make([]*Tx, n)
	for i := range txs {
		x := k.tx(keys[i%accounts], "bank", transfer(keys[(i*7+1)%accounts].id(), 1))
		x.MaxGas, x.MaxFee = 2000, 10_000
		txs[i] = k.signed(x, keys[i%accounts])
	}
	b.ReportAllocs()
	for b.Loop() {
		for i, err := range k.authorise(txs...) {
			if err != nil {
				b.Fatalf("transaction %d: %v", i, err)
			}
		}
		res, err := k.l.Execute(b.Context(), k.layer, k.header(k.clock+1), txs)
		if err != nil || res.Receipts[n-1].Status != types.StatusOK {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/tx")
}
