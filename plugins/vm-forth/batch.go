package vmforth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

const (
	// shareRuns is how many runs a goroutine takes at a time, at most.
	shareRuns = 64
	// coreRuns is how many runs make it worth to have one more core.
	coreRuns = 8
	// keepGas is what a run of code that is given in full uses at least for the hot tier to know the code again.
	keepGas = 50_000
)

// RunBatch implements vm.VM. Large batches use all cores. Its results depend on nothing but the batch and the limits: not
// on what is kept, nor on the hot tier.
func (v *VM) RunBatch(ctx context.Context, b vm.Batch) ([]vm.Result, error) {
	if err := v.ready(ctx, "run batch"); err != nil {
		return nil, err
	}
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("run batch: %w", err)
	}
	n := len(b.Runs)
	kept := make([]*bytecode.Program, n)
	for i := range b.Runs {
		p, err := v.find(&b.Runs[i])
		if err != nil {
			return nil, fmt.Errorf("run batch: run %d of %d: %w", i, n, err)
		}
		kept[i] = p
	}
	out, stacks := make([]vm.Result, n), make([]int64, n*engine.ResultCount)
	workers := min(runtime.GOMAXPROCS(0), (n+coreRuns-1)/coreRuns)
	share := int64(max(min(shareRuns, n/max(4*workers, 1)), 1))
	var next atomic.Int64
	work := func() error {
		return v.guarded(func(m *engine.Machine) error {
			m.Terse(!b.Diagnostics)
			for {
				to := int(next.Add(share))
				from := to - int(share)
				if from >= n {
					return nil
				}
				for i := from; i < min(to, n); i++ {
					if err := ctx.Err(); err != nil {
						return fmt.Errorf("after %d of %d: %w", i, n, err)
					}
					at := i * engine.ResultCount
					v.run(m, &b.Runs[i], kept[i], b.Environment, stacks[at:at+engine.ResultCount:at+engine.ResultCount], &out[i])
				}
			}
		})
	}
	others := max(workers-1, 0)
	errs := make(chan error, others)
	for range others {
		go func() { errs <- work() }()
	}
	err := work()
	for range others {
		if e := <-errs; err == nil {
			err = e
		}
	}
	if err != nil {
		return nil, fmt.Errorf("run batch: %w", err)
	}
	return out, nil
}

// find returns the program of a run by hash.
func (v *VM) find(r *vm.Run) (*bytecode.Program, error) {
	if !r.ByHash {
		return nil, nil
	}
	if p := v.kept.find([32]byte(r.Code)); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("code %x: load it first: %w", r.Code, vm.ErrUnknownCode)
}

// run executes a run. The hot tier knows programs that are kept. Chains give code in full, so with a hot tier the code of a
// run that took keepGas is kept as if it had been loaded, and looked up by its hash where a run may take that much.
func (v *VM) run(m *engine.Machine, r *vm.Run, kept *bytecode.Program, common map[string][]byte, stack []int64, out *vm.Result) {
	if v.tier == nil || kept != nil || r.GasLimit < keepGas || len(r.Code) > int(v.lim.CodeBytes) {
		*out = m.Run(r, kept, common, stack)
		return
	}
	hash := sha256.Sum256(r.Code)
	kept = v.kept.find(hash)
	*out = m.Run(r, kept, common, stack)
	used := out.Gas
	if out.Status != vm.OK {
		used = out.GasUsed
	}
	if kept == nil && used >= keepGas && out.Status != bytecode.BadCode {
		if p, err := v.load(r.Code); err == nil {
			v.kept.keep(hash, p)
		}
	}
}
