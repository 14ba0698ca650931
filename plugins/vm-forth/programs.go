package vmforth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

const (
	keptPrograms = 4096     // loaded programs that are kept
	keptBytes    = 64 << 20 // about what they take in memory
)

// programs are those that are kept, by hash of their code.
type programs struct {
	mu      sync.RWMutex
	byHash  map[[32]byte]*bytecode.Program
	order   [][32]byte // oldest first
	size    int
	dropped func(*bytecode.Program)
}

func (k *programs) init(dropped func(*bytecode.Program)) {
	k.byHash, k.dropped = map[[32]byte]*bytecode.Program{}, dropped
}

func (k *programs) find(hash [32]byte) *bytecode.Program {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.byHash[hash]
}

// keep keeps a program, and forgets the oldest while there are too many.
func (k *programs) keep(hash [32]byte, p *bytecode.Program) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byHash[hash] != nil {
		return
	}
	k.byHash[hash] = p
	k.order = append(k.order, hash)
	k.size += p.Size()
	for len(k.order) > keptPrograms || k.size > keptBytes {
		old := k.byHash[k.order[0]]
		k.size -= old.Size()
		delete(k.byHash, k.order[0])
		k.order = k.order[1:]
		k.dropped(old)
	}
}

// load makes a program of code, to be kept and shared.
func (v *VM) load(code []byte) (*bytecode.Program, error) {
	if len(code) > int(v.lim.CodeBytes) {
		return nil, fmt.Errorf("%w: %d bytes, the chain allows %d", bytecode.ErrBadCode, len(code), v.lim.CodeBytes)
	}
	p := &bytecode.Program{}
	if err := p.Load(slices.Clone(code), &v.lim, false); err != nil {
		return nil, err
	}
	p.Seal()
	engine.Prepare(p)
	return p, nil
}

// Load implements vm.VM. A code's hash is its SHA-256. Loaded code is kept until 4096 later ones, or 64 MiB of them, came.
// What is found out about it is found out here only, never when a run begins.
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
		p, err := v.load(c)
		if err != nil {
			out[i].Error = err.Error()
			continue
		}
		v.describe(&out[i], p)
		v.kept.keep(out[i].CodeHash, p)
	}
	return out, nil
}

// describe says what is found out about a program.
func (v *VM) describe(l *vm.Loaded, p *bytecode.Program) {
	l.Convention, l.EnvReads = p.Convention, p.EnvReads()
	e, ok := p.Infer(&v.lim)
	if !ok {
		return
	}
	l.Verified, l.MaxStack, l.GasBound = true, uint32(v.lim.StackDepth), p.GasBound(e, &v.lim)
	if n := e.Main.MaxStack; n >= 0 && int64(n) < v.lim.StackDepth {
		l.MaxStack = uint32(n)
	}
}
