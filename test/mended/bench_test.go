//go:build linux

package mended

import (
	"context"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// BenchmarkProposal tells how long after the start of an own slot a proposal leaves, and how long the execution of a block takes: of
// blocks that are empty, have transfers, or have transactions for a module in a process and so are executed before.
//
//	go test ./test/mended -run xxx -bench . -benchtime 100x
func BenchmarkProposal(b *testing.B) {
	for _, c := range []struct {
		name, module string
		txs          int
	}{{"empty", "", 0}, {"bank-100", types.ModuleBank, 100}, {"module-1", "moody", 1}, {"module-100", "moody", 100}} {
		b.Run(c.name, func(b *testing.B) {
			g := genesisOf(b, "main", 1, true)
			x := newNodes(b, 1, g)[0]
			x.mustStart()
			defer x.stop()
			blocks, stop, err := x.chain(g).Subscribe()
			if err != nil {
				b.Fatal(err)
			}
			defer stop()
			<-blocks
			action := types.Action{Name: "note"}
			if c.module == types.ModuleBank {
				action = types.Action{Name: "transfer", Body: types.TransferBody{To: types.AccountID{1}, Amount: 1}.Encode(), MaxSpend: 1}
			}
			for b.Loop() {
				var envs [][]byte
				for range c.txs {
					env, _ := x.envelope(g, c.module, action)
					envs = append(envs, env)
				}
				if _, errs := x.chain(g).Submit(context.Background(), envs); len(errs) > 0 && errs[0] != nil {
					b.Fatal(errs[0])
				}
				<-blocks
			}
			sum, n := x.histogram("alto_chain_proposal_delay_seconds")
			b.ReportMetric(1000*sum/n, "ms/proposal")
			sum, n = x.histogram("alto_chain_execution_seconds")
			b.ReportMetric(1000*sum/n, "ms/execution")
		})
	}
}
