package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// programs are those of bench/vm, with sizes for which a run takes some milliseconds.
var programs = []struct {
	name string
	n    int64
}{{"fib", 24}, {"sieve", 10}, {"loop", 1_000_000}, {"bubble", 1}, {"sha256", 200}}

// program compiles one of bench/vm's programs.
func program(tb testing.TB, m *Machine, name string, n int64) []byte {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "bench", "vm", "programs", name+".fs"))
	if err != nil {
		tb.Skip(err)
	}
	return compiled(tb, m, fmt.Sprintf("macro N %d ;  macro mem 0 ;\n%s\n0 run 1\n", n, text), false)
}

// threadTime is the processor time of this thread, in nanoseconds.
func threadTime(tb testing.TB) int64 {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(1, &u); err != nil { // RUSAGE_THREAD
		tb.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkPrograms measures the processor time that a unit of gas takes.
func BenchmarkPrograms(b *testing.B) {
	m := machine(b, func(l *bytecode.Limits) { l.GasLimit = 100_000_000 })
	out := make([]int64, ResultCount)
	for _, p := range programs {
		r := vm.Run{Code: program(b, m, p.name, p.n), GasLimit: 100_000_000}
		for name, k := range map[string]*bytecode.Program{"kept": kept(b, m, r.Code), "plain": nil} {
			b.Run(p.name+"/"+name, func(b *testing.B) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				gas, least := uint64(0), int64(1<<62)
				for b.Loop() {
					from := threadTime(b)
					res := m.Run(&r, k, nil, out)
					if res.Status != vm.OK {
						b.Fatal(res)
					}
					gas, least = res.Gas, min(least, threadTime(b)-from)
				}
				b.ReportMetric(float64(least)/float64(gas), "ns/gas")
			})
		}
	}
}
