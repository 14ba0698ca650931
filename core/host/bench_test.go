//go:build linux

package host

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkStart measures from the start of a plugin to its description, and from the loss of one to the next answer.
func BenchmarkStart(b *testing.B) {
	for name, o := range map[string]Options{"caged": {}, "bare": {NoSandbox: true}} {
		b.Run(name, func(b *testing.B) {
			h := newHost(b, o)
			s := fileSpec(b.TempDir())
			var took []time.Duration
			for b.Loop() {
				before := time.Now()
				p := start(b, h, s)
				took = append(took, time.Since(before))
				b.StopTimer()
				require.NoError(b, p.Release(context.Background()))
				b.StartTimer()
			}
			report(b, took)
		})
		b.Run(name+" again after kill", func(b *testing.B) {
			h := newHost(b, o)
			i := open(b, start(b, h, fileSpec(b.TempDir())), "a")
			var took []time.Duration
			for b.Loop() {
				mustOrder(b, i, "pid")
				i.Progress()
				before := time.Now()
				kill9(b, only(b, h).PID)
				mustOrder(b, i, "pid")
				took = append(took, time.Since(before))
			}
			report(b, took)
		})
	}
}

// BenchmarkCall measures a small call.
func BenchmarkCall(b *testing.B) {
	for name, o := range map[string]Options{"caged": {}, "bare": {NoSandbox: true}} {
		b.Run(name, func(b *testing.B) {
			h := newHost(b, o)
			i := open(b, start(b, h, fileSpec(b.TempDir())), "a")
			var took []time.Duration
			for b.Loop() {
				before := time.Now()
				mustOrder(b, i, "pid")
				took = append(took, time.Since(before))
			}
			report(b, took)
		})
	}
}

func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-median")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99")
}
