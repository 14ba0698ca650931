package vmforth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

const (
	keptPrograms = 4096     // loaded programs that are kept
	keptBytes    = 64 << 20 // about what they take in memory
	resultCount  = 3
	shareRuns    = 64 // runs that a goroutine takes at a time
)

// VM is an instance. It implements vm.VM and may be used concurrently.
type VM struct {
	lim    limits
	closed atomic.Bool
	pool   sync.Pool // of *machine

	mu    sync.RWMutex
	kept  map[[32]byte]*program
	order [][32]byte // of kept, oldest first
	size  int
}

func newVM(l limits) *VM { return &VM{lim: l, kept: map[[32]byte]*program{}} }

// Close implements io.Closer. Calls that are under way end as usual.
func (v *VM) Close() error {
	v.closed.Store(true)
	return nil
}

func (v *VM) machine() (*machine, error) {
	if m, ok := v.pool.Get().(*machine); ok {
		return m, nil
	}
	return newMachine(&v.lim)
}

// ready says whether a call may begin.
func (v *VM) ready(ctx context.Context, op string) error {
	if v.closed.Load() {
		return fmt.Errorf("%s: %w", op, vm.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// Load implements vm.VM. A code's hash is its SHA-256. Loaded code is kept until 4096 later ones, or 64 MiB of them, came.
func (v *VM) Load(ctx context.Context, code [][]byte) ([]vm.Loaded, error) {
	if err := v.ready(ctx, "load"); err != nil {
		return nil, err
	}
	if err := vm.CheckCode(code); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	out := make([]vm.Loaded, len(code))
	for i, c := range code {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("load: %w", err)
		}
		out[i].CodeHash = sha256.Sum256(c)
		if len(c) > int(v.lim.CodeBytes) {
			out[i].Error = fmt.Sprintf("%v: %d bytes, the chain allows %d", errBadCode, len(c), v.lim.CodeBytes)
			continue
		}
		p := &program{}
		if err := p.load(slices.Clone(c), &v.lim, false); err != nil {
			out[i].Error = err.Error()
			continue
		}
		p.scratch = nil
		v.keep(out[i].CodeHash, p)
	}
	return out, nil
}

func (p *program) bytes() int {
	return len(p.code) + 16*cap(p.ins) + 4*cap(p.starts) + 32*cap(p.hashes) + 256
}

func (v *VM) keep(hash [32]byte, p *program) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept[hash] != nil {
		return
	}
	v.kept[hash] = p
	v.order = append(v.order, hash)
	v.size += p.bytes()
	for len(v.order) > keptPrograms || v.size > keptBytes {
		v.size -= v.kept[v.order[0]].bytes()
		delete(v.kept, v.order[0])
		v.order = v.order[1:]
	}
}

func (v *VM) find(r *vm.Run) (*program, error) {
	if !r.ByHash {
		return nil, nil
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	if p := v.kept[[32]byte(r.Code)]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("code %x: load it first: %w", r.Code, vm.ErrUnknownCode)
}

// RunBatch implements vm.VM. Large batches use several cores.
func (v *VM) RunBatch(ctx context.Context, b vm.Batch) ([]vm.Result, error) {
	if err := v.ready(ctx, "run batch"); err != nil {
		return nil, err
	}
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("run batch: %w", err)
	}
	n := len(b.Runs)
	kept := make([]*program, n)
	for i := range b.Runs {
		p, err := v.find(&b.Runs[i])
		if err != nil {
			return nil, fmt.Errorf("run batch: run %d of %d: %w", i, n, err)
		}
		kept[i] = p
	}
	out, stacks := make([]vm.Result, n), make([]int64, n*resultCount)
	var next atomic.Int64
	work := func() error {
		m, err := v.machine()
		if err != nil {
			return err
		}
		defer v.pool.Put(m)
		for {
			to := int(next.Add(shareRuns))
			from := to - shareRuns
			if from >= n {
				return nil
			}
			for i := from; i < min(to, n); i++ {
				if err := ctx.Err(); err != nil {
					return fmt.Errorf("run batch: after %d of %d: %w", i, n, err)
				}
				at := i * resultCount
				out[i] = m.run(&b.Runs[i], kept[i], b.Environment, stacks[at:at+resultCount:at+resultCount])
			}
		}
	}
	others := min(runtime.GOMAXPROCS(0), (n+shareRuns-1)/shareRuns) - 1
	errs := make(chan error, max(others, 0))
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
		return nil, err
	}
	return out, nil
}

// Compile implements vm.VM.
func (v *VM) Compile(ctx context.Context, s vm.Source) ([]byte, []string, error) {
	if err := v.ready(ctx, "compile"); err != nil {
		return nil, nil, err
	}
	if err := s.Check(); err != nil {
		return nil, nil, fmt.Errorf("compile: %w", err)
	}
	return compile(s, &v.lim)
}

// Disassemble implements vm.VM. The text compiles in the dialect asm to the same code. It fails with vm.ErrInvalid if the
// code is malformed.
func (v *VM) Disassemble(ctx context.Context, code []byte) (string, error) {
	if err := v.ready(ctx, "disassemble"); err != nil {
		return "", err
	}
	if err := vm.CheckCode([][]byte{code}); err != nil {
		return "", fmt.Errorf("disassemble: %w", err)
	}
	return disassemble(code, &v.lim)
}
