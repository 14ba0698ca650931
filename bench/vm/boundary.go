package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	vmforth "github.com/paloalto-chain/paloalto/plugins/vm-forth"

	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/sdk"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// The plugin is served by this very binary, as alto does it: `vm plugin serve NAME`, caged by `vm plugin exec-shim`.
const (
	onAllCores = "vm-forth"
	onOneCore  = "vm-forth-1" // the same with GOMAXPROCS=1
)

// servePlugin serves the plugin, or runs the shim that cages it, if the arguments ask for that.
func servePlugin(args []string) bool {
	if len(args) < 3 || args[1] != "plugin" {
		return false
	}
	switch args[2] {
	case "exec-shim":
		host.RunShim(args[3:])
		return true
	case "serve":
		if len(args) == 4 && args[3] == onOneCore {
			runtime.GOMAXPROCS(1)
		}
		sdk.Serve(vmforth.Plugin())
		return true
	}
	return false
}

// remote is an instance in a plugin's process.
type remote struct {
	host *host.Host
	vm.VM
}

// startPlugin starts the plugin's process and opens an instance with the default configuration.
func startPlugin(ctx context.Context, name string) (_ *remote, err error) {
	h, err := host.New(host.Options{})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close(context.WithoutCancel(ctx)))
		}
	}()
	// A call may take as long as in a node; one that takes longer is not tried again.
	p, err := h.Start(ctx, host.Spec{Name: name, Builtin: true, Kinds: []plugin.Kind{plugin.VM}, MaxCrashes: 1})
	if err != nil {
		return nil, err
	}
	i, err := p.Open(ctx, plugin.OpenRequest{Kind: plugin.VM, ChainName: "bench", Config: json.RawMessage("{}")}, nil)
	if err != nil {
		return nil, err
	}
	return &remote{h, i.VM()}, nil
}

func (r *remote) close(ctx context.Context) error { return r.host.Close(context.WithoutCancel(ctx)) }

// cpu is the processor time of the plugin so far, its shim's included; 0 where that can't be told.
func (r *remote) cpu() time.Duration {
	total := time.Duration(0)
	for _, s := range r.host.Status() {
		total += treeTime(s.PID)
	}
	return total
}

// treeTime is the processor time of a process and of its descendants that live.
func treeTime(pid int) time.Duration {
	const tick = time.Second / 100 // in /proc, on every Linux there is
	dir := fmt.Sprintf("/proc/%d", pid)
	b, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	total := time.Duration(0)
	for _, n := range []int{11, 12} {
		if n < len(f) {
			ticks, _ := strconv.Atoi(f[n])
			total += time.Duration(ticks) * tick
		}
	}
	tasks, _ := os.ReadDir(dir + "/task")
	for _, t := range tasks {
		children, _ := os.ReadFile(dir + "/task/" + t.Name() + "/children")
		for _, c := range strings.Fields(string(children)) {
			if child, err := strconv.Atoi(c); err == nil {
				total += treeTime(child)
			}
		}
	}
	return total
}

// boundaryResult is what hash locks take over the boundary, in batches of batchRuns.
type boundaryResult struct {
	Name      string
	PerSecond float64 // of elapsed time
	Plugin    float64 // ns of the plugin's processor time a run; 0: unknown
	Host      float64 // ns of the host's
}

// measureBoundary sends batches to a plugin whose Go uses one processor, one batch after the other.
func measureBoundary(ctx context.Context, o options) (_ []boundaryResult, err error) {
	r, err := startPlugin(ctx, onOneCore)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	runs, err := hashLocks(ctx, r, batchRuns, true)
	if err != nil {
		return nil, err
	}
	known, err := byHash(ctx, r, runs)
	if err != nil {
		return nil, err
	}
	var out []boundaryResult
	for _, c := range []struct {
		name string
		runs []vm.Run
	}{{"loaded once, by hash", known}, {"with code", runs}} {
		best := boundaryResult{Name: c.name}
		for range o.rounds {
			b, err := sendBatches(ctx, r, c.runs, o.lockTime)
			if err != nil {
				return nil, fmt.Errorf("hash locks over the boundary, %s: %w", c.name, err)
			}
			if b.PerSecond > best.PerSecond {
				b.Name = c.name
				best = b
			}
		}
		out = append(out, best)
	}
	return out, nil
}

func sendBatches(ctx context.Context, r *remote, runs []vm.Run, least time.Duration) (boundaryResult, error) {
	n, plugin := 0, r.cpu()
	var elapsed time.Duration
	cpu, err := processorTime(func() error {
		for start := time.Now(); elapsed < least; elapsed = time.Since(start) {
			res, err := r.RunBatch(ctx, vm.Batch{Runs: runs})
			if err != nil {
				return err
			}
			if err := opened(res); err != nil {
				return err
			}
			n += len(runs)
		}
		return nil
	})
	if err != nil {
		return boundaryResult{}, err
	}
	return boundaryResult{PerSecond: float64(n) / elapsed.Seconds(), Plugin: float64((r.cpu() - plugin).Nanoseconds()) / float64(n),
		Host: float64(cpu.Nanoseconds()) / float64(n)}, nil
}
