package contract

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/ledger/native"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// block is a block under way. It is gone through twice: first every run is prepared, on what locks were when the block
// began or were made as; then, with the results of all runs, the transactions take effect in their order.
type block struct {
	m      *Module
	b      *module.Block
	stored map[module.Item][]byte
	made   map[types.Hash]*types.Lock // by the block's transactions, if they succeed
	now    map[types.Hash]*types.Lock // what transactions so far have made of locks; nil: paid out
	batch  vm.Batch
	common types.Hash // of what all runs can read
	result []vm.Result
	plans  []plan
	out    *module.Outcome

	names   map[[32]byte]string // of the questions that were looked up
	answers map[string][]byte
}

// Execute implements module.Module. Each run may use an equal share of the transaction's max_gas. A transaction fails with the
// first of its actions that does. A VM that answers what no VM may answer is no fault of this module's, which would stand in
// the chain for ever: it is an error, and the VM is asked again.
func (m *Module) Execute(ctx context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
	x := &block{
		m: m, b: b, stored: map[module.Item][]byte{}, made: map[types.Hash]*types.Lock{}, now: map[types.Hash]*types.Lock{},
		plans: make([]plan, len(b.Txs)), out: &module.Outcome{Txs: make([]module.Result, len(b.Txs))},
		batch: vm.Batch{Environment: m.Common(b)}, names: map[[32]byte]string{}, answers: map[string][]byte{},
	}
	x.common = types.CommonEnvironmentHash(x.batch.Environment)
	for _, v := range b.Values {
		x.stored[v.Item] = v.Data
	}
	for i := range b.Txs {
		if err := x.prepare(i); err != nil {
			return nil, err
		}
	}
	if err := x.runAll(ctx); err != nil {
		return nil, err
	}
	var room native.Room
	for i := range b.Txs {
		r := &x.out.Txs[i]
		var locks map[types.Hash]*types.Lock
		if r.Error == "" {
			var err error
			if locks, err = x.apply(i); err != nil {
				return nil, err
			}
		}
		if room.Fits(r) {
			for id, l := range locks {
				x.now[id] = l
			}
		}
	}
	return x.out, nil
}

// failure is why an action fails: a stable name, and a text for people. Other errors are no action's doing.
type failure struct{ name, detail string }

func (f *failure) Error() string { return f.name + ": " + f.detail }

func failed(name, format string, args ...any) error {
	return &failure{name, fmt.Sprintf(format, args...)}
}

// fail makes a result of an error that is a failure, and returns every other.
func fail(r *module.Result, err error, gas uint64) error {
	f, ok := err.(*failure)
	if !ok {
		return err
	}
	*r = module.Result{Error: f.name, Detail: f.detail, Gas: gas}
	return nil
}

// prepare decodes transaction i and puts its runs into the batch. One that fails without having to be run has no runs.
func (x *block) prepare(i int) error {
	t, r := &x.b.Txs[i], &x.out.Txs[i]
	p, name, err := x.m.decode(t)
	if err != nil {
		*r = native.Failed(name, err, 0)
		return nil
	}
	limit, ok := x.m.limit(t, p)
	if !ok {
		*r = native.Failed(module.ErrOutOfGas, nil, t.MaxGas)
		return nil
	}
	first := len(x.batch.Runs)
	for j := range p.steps {
		s := &p.steps[j]
		var env map[string][]byte
		switch s.name {
		case types.ActionRun:
			env = Alone(t.Account)
		case types.ActionLock:
			var l *types.Lock
			if l, err = x.newLock(t, s); err == nil {
				x.made[s.lock] = l
			}
		case types.ActionClaim:
			var l *types.Lock
			if l, err = x.atFirst(s.lock); err == nil {
				if err = MayClaim(x.b.Clock, t.Account, s.lock, l, s.code); err == nil {
					env = Shared(t.Account, s.lock, l)
				}
			}
		}
		if err != nil {
			x.batch.Runs = x.batch.Runs[:first]
			for _, s := range p.steps {
				if s.name == types.ActionLock {
					delete(x.made, s.lock)
				}
			}
			return fail(r, err, p.gas)
		}
		if env != nil {
			x.ask(env, s.questions)
			s.run = len(x.batch.Runs)
			x.batch.Runs = append(x.batch.Runs, vm.Run{Code: s.code, Evidence: s.evidence, GasLimit: limit, Environment: env})
		}
	}
	x.plans[i] = p
	return nil
}

// runAll has the VM run the batch.
func (x *block) runAll(ctx context.Context) (err error) {
	runs := x.batch.Runs
	if len(runs) == 0 {
		return nil
	}
	if x.result, err = x.m.vm.RunBatch(ctx, x.batch); err != nil {
		return fmt.Errorf("run %d contracts: %w", len(runs), err)
	}
	if len(x.result) != len(runs) {
		return fmt.Errorf("the vm gave %d results for %d runs", len(x.result), len(runs))
	}
	for k := range runs {
		if err := vm.CheckResult(&runs[k], &x.result[k]); err != nil {
			return fmt.Errorf("the vm's result of run %d: %w", k, err)
		}
	}
	return nil
}

// apply lets transaction i take effect, and returns what has become of the locks that it touches; or it fails.
func (x *block) apply(i int) (map[types.Hash]*types.Lock, error) {
	p, r := &x.plans[i], &x.out.Txs[i]
	e := &effect{x: x, t: &x.b.Txs[i], r: r, locks: map[types.Hash]*types.Lock{}}
	r.Gas = p.gas
	for j := range p.steps {
		if k := p.steps[j].run; k >= 0 {
			r.Gas += x.result[k].Gas
		}
	}
	for j := range p.steps {
		if err := e.step(j, &p.steps[j]); err != nil {
			return nil, fail(r, err, r.Gas)
		}
	}
	return e.locks, nil
}
