package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// The hash lock is the white paper's contract (4.1.1) with a whole commitment. batchRuns of them are a batch.
const (
	batchRuns = 1024
	lockGas   = 100_000
)

// hashLocks returns n locks that their evidence opens, each with a secret of its own, as runs of code. Without hashed they
// lack the word hash, and compare the secrets themselves.
func hashLocks(ctx context.Context, v vm.VM, n int, hashed bool) ([]vm.Run, error) {
	runs := make([]vm.Run, n)
	for i := range runs {
		secret := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
		commitment, word := secret, ""
		if hashed {
			commitment, word = sha256.Sum256(secret[:]), "hash"
		}
		code, err := compile(ctx, v, "hashlock.fs", fmt.Sprintf(": hashlock swap %s == ; x\"%x\" hashlock call if 0 100 else 0 50 end 1", word, commitment), false)
		if err != nil {
			return nil, err
		}
		evidence, err := compile(ctx, v, "secret.fs", fmt.Sprintf("x\"%x\"", secret), true)
		if err != nil {
			return nil, err
		}
		runs[i] = vm.Run{Code: code, Evidence: evidence, GasLimit: lockGas}
	}
	return runs, nil
}

// byHash loads the code of runs and returns the same runs with its hashes.
func byHash(ctx context.Context, v vm.VM, runs []vm.Run) ([]vm.Run, error) {
	out := make([]vm.Run, len(runs))
	for i, r := range runs {
		hash, err := load(ctx, v, r.Code)
		if err != nil {
			return nil, err
		}
		r.Code, r.ByHash = hash, true
		out[i] = r
	}
	return out, nil
}

// opened checks the results of locks.
func opened(results []vm.Result) error {
	for i, r := range results {
		if r.Status != vm.OK || len(r.Stack) != 3 || r.Stack[0] != 0 || r.Stack[1] != 100 || r.Stack[2] != 1 {
			return fmt.Errorf("lock %d: status %d, %s, results %v, want 0, 100 and 1", i, r.Status, r.Error, r.Stack)
		}
	}
	return nil
}

// lockResult is what a hash lock takes in this process.
type lockResult struct {
	Name        string
	Nanoseconds float64 // of processor time, a run
	Bytes       int     // of code and evidence
	Allocations float64 // that a further run in a batch makes
	BatchAllocs float64 // of a batch besides
}

// measureLocks measures hash locks in batches on one processor: a batch's own costs, shared by its runs, are within.
func measureLocks(ctx context.Context, o options) ([]lockResult, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	v, err := openForth(ctx, nil)
	if err != nil {
		return nil, err
	}
	plain, err := hashLocks(ctx, v, batchRuns, false)
	if err != nil {
		return nil, err
	}
	hashed, err := hashLocks(ctx, v, batchRuns, true)
	if err != nil {
		return nil, err
	}
	known, err := byHash(ctx, v, hashed)
	if err != nil {
		return nil, err
	}
	var out []lockResult
	for _, c := range []struct {
		name string
		runs []vm.Run
	}{{"decode, validate, run; hash excluded", plain}, {"decode, validate, run; with the hash", hashed}, {"run of loaded code; with the hash", known}} {
		r := lockResult{Name: c.name, Bytes: len(c.runs[0].Code) + len(c.runs[0].Evidence)}
		batch := func(n int) error {
			res, err := v.RunBatch(ctx, vm.Batch{Runs: c.runs[:n]})
			if err != nil {
				return err
			}
			return opened(res)
		}
		for range o.rounds {
			ns, err := perRun(batch, o.lockTime)
			if err != nil {
				return nil, fmt.Errorf("hash locks, %s: %w", c.name, err)
			}
			if r.Nanoseconds == 0 || ns < r.Nanoseconds {
				r.Nanoseconds = ns
			}
		}
		few, err := allocations(func() error { return batch(batchRuns / 16) })
		if err != nil {
			return nil, err
		}
		many, err := allocations(func() error { return batch(batchRuns) })
		if err != nil {
			return nil, err
		}
		r.Allocations = (many - few) / (batchRuns - batchRuns/16)
		r.BatchAllocs = few
		out = append(out, r)
	}
	return out, nil
}

// perRun repeats a batch for about a time and returns the nanoseconds of processor time that a run took.
func perRun(batch func(n int) error, atLeast time.Duration) (float64, error) {
	for n := 1; ; n *= 2 {
		cpu, err := processorTime(func() error {
			for range n {
				if err := batch(batchRuns); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		if cpu >= atLeast {
			return float64(cpu.Nanoseconds()) / float64(n*batchRuns), nil
		}
	}
}

// allocations returns how many a call makes, on average, when it is not the first.
func allocations(f func() error) (float64, error) {
	const calls = 100
	if err := f(); err != nil {
		return 0, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		if err := f(); err != nil {
			return 0, err
		}
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / calls, nil
}
