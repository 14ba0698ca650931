package contract_test

import (
	"encoding/json"
	"io"
	"syscall"
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger/contract"
	vmforth "github.com/paloalto-chain/paloalto/plugins/vm-forth"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
	"github.com/paloalto-chain/paloalto/sdk/vm/vmtest"
)

// forth opens the VM that chains have.
func forth(t testing.TB) vm.VM {
	t.Helper()
	i, err := vmforth.Plugin().Open(t.Context(), nil, plugin.OpenRequest{Kind: plugin.VM})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.(io.Closer).Close(); err != nil {
			t.Error(err)
		}
	})
	return i.(vm.VM)
}

// compile makes bytecode of a source.
func compile(t testing.TB, v vm.VM, text string, evidence bool) []byte {
	t.Helper()
	c, err := v.Compile(t.Context(), vm.Source{Text: text, Evidence: evidence})
	if err != nil {
		t.Fatal(err)
	}
	return c.Code
}

// cpu is the time on processors that this process has used, in nanoseconds, with that of its garbage collector.
func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkRuns is what the shortest contract costs besides what the VM counts: what GasContractRun and GasContractClaim have to cover.
// The VM counts about 1.2 ns for a unit of gas.
func BenchmarkRuns(b *testing.B) {
	here := forth(b)
	conn, stop, err := vmtest.Serve(here)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			b.Error(err)
		}
	}()
	const txs, actions = 40, 256
	pays, fails := compile(b, here, "0 1 2", false), compile(b, here, "fail", false)
	total := compile(b, here, "0 0 balance 1", false)
	for _, where := range []struct {
		name string
		v    vm.VM
	}{{"process", here}, {"boundary", vm.NewClient(conn, vmtest.Handle)}} {
		for _, what := range []struct {
			name string
			code []byte
		}{{"run", pays}, {"fail", fails}, {"claim", total}} {
			b.Run(what.name+"/"+where.name, func(b *testing.B) {
				m := contract.New(where.v).Limit(1_000_000)
				blk := &module.Block{Height: 1, Slot: 1, Clock: 100}
				for i := range txs {
					t := module.Tx{Account: bob, MaxGas: actions * 10_000}
					t.ID[0] = byte(i)
					for j := range actions {
						a := types.Action{Name: "run", Body: types.RunBody{Code: what.code}.Encode()}
						if what.name == "claim" {
							id := types.LockIDOf(t.ID, j)
							a = types.Action{Name: "claim", Body: types.ClaimBody{Lock: id, Code: what.code}.Encode()}
							l := types.Lock{Payer: alice, Participants: [2]types.AccountID{bob, carol}, Code: sum(what.code), Amount: 7, Made: 1, Deadline: 200}
							blk.Values = append(blk.Values, module.Value{Item: contract.Item(id), Data: l.Encode()})
						}
						t.Actions = append(t.Actions, a)
					}
					blk.Txs = append(blk.Txs, t)
				}
				var out *module.Outcome
				began := cpu()
				for b.Loop() {
					var err error
					if out, err = m.Execute(b.Context(), blk, nil); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(cpu()-began)/float64(b.N)/txs/actions, "cpu-ns/action")
				for _, r := range out.Txs {
					if (r.Error == "") != (what.name != "fail") || len(r.Events) > 0 && !json.Valid(r.Events[0].Data) {
						b.Fatalf("%.300v", r)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/txs/actions, "ns/action")
			})
		}
	}
}
