package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// runner runs a program in full and returns its result and the processor time that it took.
type runner func(ctx context.Context) (int64, time.Duration, error)

// engine is one of those that are measured beside each other.
type engine interface {
	prepare(ctx context.Context, p program) (runner, error)
}

// processorTime returns the processor time of this process, on all its threads, while f runs.
func processorTime(f func() error) (time.Duration, error) {
	runtime.GC() // what others have left behind is not f's
	before, err := usage()
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := usage()
	return after - before, err
}

func usage() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("getrusage: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// native runs the programs in Go.
type native struct{}

func (native) prepare(_ context.Context, p program) (runner, error) {
	return func(context.Context) (result int64, cpu time.Duration, err error) {
		cpu, err = processorTime(func() error {
			for range p.times {
				result = p.native(p.n)
			}
			return nil
		})
		return result, cpu, err
	}, nil
}

// geomean is the geometric mean; 0 of nothing.
func geomean(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	sum := 0.0
	for _, x := range xs {
		sum += math.Log(x)
	}
	return math.Exp(sum / float64(len(xs)))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// moduleVersion is the version of a module that this binary was built with.
func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "of unknown version"
}

// systemLoad says how busy the machine is before anything is measured, where it tells: on a busy one the times of all
// engines grow, and not evenly.
func systemLoad() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(b), " ")
	return ", load " + first
}
