package vmtest

import (
	"context"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// noVM answers without running anything.
type noVM struct{ vm.VM }

func (noVM) RunBatch(_ context.Context, b vm.Batch) ([]vm.Result, error) {
	out, stacks := make([]vm.Result, len(b.Runs)), make([]int64, 3*len(b.Runs))
	for i := range out {
		out[i] = vm.Result{Stack: stacks[3*i : 3*i+3 : 3*i+3], Gas: b.Runs[i].GasLimit, Space: 64}
	}
	return out, nil
}

// BenchmarkWire has the cost of a batch of 1,024 small runs on the way to a VM and back, both ends included.
func BenchmarkWire(b *testing.B) {
	conn, stop, err := Serve(noVM{})
	if err != nil {
		b.Fatal(err)
	}
	defer stop() //nolint:errcheck // the end of a benchmark
	v := vm.NewClient(conn, Handle)
	runs := make([]vm.Run, 1024)
	for i := range runs {
		runs[i] = vm.Run{Code: make([]byte, 32), ByHash: true, Evidence: make([]byte, 40), GasLimit: 10_000}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.RunBatch(b.Context(), vm.Batch{Runs: runs}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(runs)), "ns/run")
}
