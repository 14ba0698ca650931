package params

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/ledger/native"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Validator tells whether a module can live with a set of its parameters, as module.Module does. An error that wraps
// module.ErrBadParams refuses the set; any other means that the module could not be asked.
type Validator interface {
	ValidateParams(ctx context.Context, params map[string][]byte) error
}

// Config is what the module is made from.
type Config struct {
	Genesis *chainspec.Genesis
	// Validators are the modules of the chain, by name. Those that have parameters are asked about every change.
	Validators map[string]Validator
	// Epochs says that the chain has epochs that end, so that changes wait for that. It is part of the chain's rules: say whether
	// the consensus plugin has a module face, which ends epochs.
	Epochs bool
	// Descriptions tell in words what parameters are, by name. They are no part of the rules.
	Descriptions map[string]string
}

// Module implements module.Module.
type Module struct {
	native.Base
	cfg       Config
	registry  *Registry
	authority *types.AccountID
	asked     []string // modules that have parameters, in the order of the registry
	day       uint64   // ticks of the chain's clock
}

// New returns the module of a chain.
func New(cfg Config) *Module {
	m := &Module{Base: native.Base{Name: params.Module}, cfg: cfg, registry: NewRegistry(cfg.Genesis), day: 86_400_000 / max(cfg.Genesis.SlotMs, 1)}
	if cfg.Genesis.Params != nil {
		m.authority = cfg.Genesis.Params.Authority
	}
	seen := map[string]bool{}
	for _, p := range m.registry.list {
		if mod, _ := p.Split(); !seen[mod] && cfg.Validators[mod] != nil {
			seen[mod] = true
			m.asked = append(m.asked, mod)
		}
	}
	return m
}

// refusal is why a change does not come about.
type refusal struct {
	name   string
	module string
	err    error
}

func rangeOrType(err error) string {
	if errors.Is(err, chainspec.ErrParamRange) {
		return params.ErrParamRange
	}
	return params.ErrParamType
}

// decode reads an action; set is nil for a cancel. It finds all that can be wrong with it without the state.
func (m *Module) decode(account types.AccountID, a types.Action) (*params.Set, *refusal) {
	var set *params.Set
	switch a.Name {
	case params.ActionSet:
		s, err := params.DecodeSet(a.Body)
		if err != nil {
			return nil, &refusal{native.ErrMalformed, "", err}
		}
		set = &s
	case params.ActionCancel:
		if len(a.Body) > 0 {
			return nil, &refusal{native.ErrMalformed, "", fmt.Errorf("params.cancel has no body, not one of %d bytes", len(a.Body))}
		}
	default:
		return nil, &refusal{native.ErrUnknownAction, "", fmt.Errorf("params has no action %q; it has set and cancel", a.Name)}
	}
	switch {
	case m.authority == nil:
		return nil, &refusal{params.ErrNotAuthorised, "", errors.New("nobody may change parameters of this chain")}
	case *m.authority != account:
		return nil, &refusal{params.ErrNotAuthorised, "", fmt.Errorf("only %s may change parameters", m.authority)}
	}
	if set != nil {
		for _, c := range set.Changes {
			if _, _, bad := m.registry.find(c); bad != nil {
				return nil, bad
			}
		}
	}
	return set, nil
}

// errReadLimit is the name of the error of a transaction whose reads were refused.
const errReadLimit = "ErrReadLimit"

func gas(t *module.Tx) uint64 { return params.Gas * uint64(len(t.Actions)) }

// Check implements module.Module.
func (m *Module) Check(_ context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	out := make([]module.TxCheck, len(txs))
	for i := range txs {
		t := &txs[i]
		if out[i].Gas = gas(t); out[i].Gas > t.MaxGas {
			out[i] = module.TxCheck{Error: module.ErrOutOfGas}
			continue
		}
		for _, a := range t.Actions {
			if _, bad := m.decode(t.Account, a); bad != nil {
				out[i] = module.TxCheck{Error: bad.name}
				break
			}
		}
		if out[i].Error == "" {
			out[i].Reads = m.reads()
		}
	}
	return out, nil
}

// current is the module's state in the course of a block.
type current struct {
	known   bool
	values  Values
	pending *params.Pending
}

// reads are the items that the module's state consists of.
func (m *Module) reads() []module.Item {
	return append([]module.Item{PendingItem()}, m.registry.Items()...)
}

// load makes the state known, from what came with the block or by a read that is charged to tx.
func (c *current) load(ctx context.Context, m *Module, values []module.Value, r module.Reader, tx int) error {
	if c.known {
		return nil
	}
	items := m.reads()
	have := make(map[module.Item][]byte, len(values))
	for _, v := range values {
		have[v.Item] = v.Data
	}
	raw := make([][]byte, len(items))
	for i, it := range items {
		v, ok := have[it]
		if !ok {
			var err error
			if raw, err = r.Read(ctx, tx, items); err != nil {
				return err
			}
			break
		}
		raw[i] = v
	}
	var err error
	if c.values, err = m.registry.Values(raw[1:]); err == nil && raw[0] != nil {
		c.pending, err = params.DecodePending(raw[0])
	}
	c.known = err == nil
	return err
}

// Execute implements module.Module. What waits takes effect before the block's own actions, so that a change which is asked
// for in the last block of an epoch waits for the end of the next one.
func (m *Module) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	out := &module.Outcome{Txs: make([]module.Result, len(b.Txs))}
	var cur current
	if len(b.Due) > 0 || b.Consensus != nil {
		if err := cur.load(ctx, m, b.Values, r, module.BlockTx); err != nil {
			return nil, err
		}
		if m.ripe(cur.pending, b) {
			var err error
			if out.Block, err = m.carryOut(ctx, &cur, b); err != nil {
				return nil, err
			}
		}
	}
	for i := range b.Txs {
		res, err := m.transaction(ctx, &cur, b, i, r)
		if err != nil {
			return nil, err
		}
		out.Txs[i] = res
	}
	return out, nil
}

// ripe tells whether the time of a change has come.
func (m *Module) ripe(p *params.Pending, b *module.Block) bool {
	if p == nil {
		return false
	}
	if m.cfg.Epochs {
		return b.Consensus != nil && b.Consensus.Closes && b.Clock >= p.NotBefore
	}
	return p.Clock <= b.Clock
}

// dueID names the entry of the schedule that carries a change out.
func dueID(p *params.Pending) [32]byte { return types.Sum("params/due\x00", p.Encode()) }

// carryOut replaces the values in force, or drops the change if a module does not want it any more.
func (m *Module) carryOut(ctx context.Context, cur *current, b *module.Block) (module.Result, error) {
	p := cur.pending
	ev := params.ChangeEvent{Changes: m.registry.view(cur.values, p.Changes), By: p.By}
	res := module.Result{Writes: []module.Write{{Item: PendingItem()}}}
	cur.pending = nil
	values, bad, err := m.validate(ctx, cur.values, p.Changes)
	if err != nil {
		return module.Result{}, err
	}
	if bad != nil {
		ev.Module = bad.module
		res.Events = []module.Event{native.Event(params.EventRefused, ev)}
		return res, nil
	}
	for _, c := range p.Changes {
		i := m.registry.index[c.Name]
		values[i].Height = b.Height
		res.Writes = append(res.Writes, module.Write{Item: ValueItem(c.Name), Data: values[i].Encode()})
	}
	h := values.Hash()
	res.Writes = append(res.Writes, module.Write{Item: SetItem(), Data: h[:]})
	res.Events = []module.Event{native.Event(params.EventChanged, ev)}
	cur.values = values
	return res, nil
}

// validate finds out whether the values after changes are good as a whole: within their bounds and steps, and to the liking of
// every module. err says that a module could not be asked.
func (m *Module) validate(ctx context.Context, now Values, changes []params.Change) (Values, *refusal, error) {
	values, bad := m.registry.with(now, changes)
	if bad != nil {
		return nil, bad, nil
	}
	sets := m.registry.ByModule(values)
	for _, name := range m.asked {
		switch err := m.cfg.Validators[name].ValidateParams(ctx, sets[name]); {
		case errors.Is(err, module.ErrBadParams):
			return nil, &refusal{params.ErrParamRefused, name, fmt.Errorf("module %s: %w", name, err)}, nil
		case err != nil:
			return nil, nil, fmt.Errorf("validate the parameters of module %q: %w", name, err)
		}
	}
	return values, nil, nil
}

func (m *Module) transaction(ctx context.Context, cur *current, b *module.Block, i int, reader module.Reader) (module.Result, error) {
	t := &b.Txs[i]
	r := module.Result{Gas: gas(t)}
	if r.Gas > t.MaxGas {
		return native.Failed(module.ErrOutOfGas, nil, t.MaxGas), nil
	}
	sets := make([]*params.Set, len(t.Actions))
	for k, a := range t.Actions {
		var bad *refusal
		if sets[k], bad = m.decode(t.Account, a); bad != nil {
			return native.Failed(bad.name, bad.err, r.Gas), nil
		}
	}
	if err := cur.load(ctx, m, b.Values, reader, i); errors.Is(err, module.ErrReadLimit) {
		return native.Failed(errReadLimit, err, r.Gas), nil
	} else if err != nil {
		return module.Result{}, err
	}
	next := *cur
	for _, set := range sets {
		var bad *refusal
		var err error
		if set == nil {
			bad = m.cancel(&next, &r)
		} else {
			bad, err = m.schedule(ctx, &next, &r, b, t.Account, set)
		}
		if err != nil {
			return module.Result{}, err
		}
		if bad != nil {
			return native.Failed(bad.name, bad.err, r.Gas), nil
		}
	}
	*cur = next
	return r, nil
}

// schedule lets a change wait.
func (m *Module) schedule(ctx context.Context, cur *current, r *module.Result, b *module.Block, by types.AccountID, set *params.Set) (*refusal, error) {
	if cur.pending != nil {
		return &refusal{params.ErrPending, "", fmt.Errorf("the change of block %d waits; cancel it first", cur.pending.Height)}, nil
	}
	if n := set.NotBefore; n != 0 && (n <= b.Clock || n-b.Clock > params.MaxWaitDays*m.day) {
		return &refusal{params.ErrNotBefore, "", fmt.Errorf("not_before %d: the clock is at %d, at most %d days ahead are allowed", n, b.Clock, params.MaxWaitDays)}, nil
	}
	if _, bad, err := m.validate(ctx, cur.values, set.Changes); bad != nil || err != nil {
		return bad, err
	}
	p := &params.Pending{Set: *set, By: by, Height: b.Height}
	if !m.cfg.Epochs {
		if p.Clock = set.NotBefore; p.Clock == 0 {
			p.Clock = b.Clock + max(m.day, 1)
		}
		r.Schedule = append(r.Schedule, module.Schedule{Clock: p.Clock, ID: dueID(p), Item: PendingItem()})
	}
	r.Writes = append(r.Writes, module.Write{Item: PendingItem(), Data: p.Encode()})
	ev := native.Event(params.EventScheduled, params.ChangeEvent{Changes: m.registry.view(cur.values, set.Changes), By: by})
	ev.Accounts = []types.AccountID{by}
	r.Events = append(r.Events, ev)
	cur.pending = p
	return nil, nil
}

func (m *Module) cancel(cur *current, r *module.Result) *refusal {
	p := cur.pending
	if p == nil {
		return &refusal{params.ErrNotPending, "", errors.New("no change waits")}
	}
	if p.Clock != 0 {
		r.Schedule = append(r.Schedule, module.Schedule{Clock: p.Clock, ID: dueID(p), Cancel: true})
	}
	r.Writes = append(r.Writes, module.Write{Item: PendingItem()})
	r.Events = append(r.Events, native.Event(params.EventCancelled, struct{}{}))
	cur.pending = nil
	return nil
}

// Query answers "list" with a params.Registry: the values that are in force for the block after the one that is asked about.
func (m *Module) Query(ctx context.Context, q module.Query, r module.Reader) (module.Answer, error) {
	if q.Path != params.PathList {
		return m.Base.Query(ctx, q, r)
	}
	var cur current
	if err := cur.load(ctx, m, nil, r, module.BlockTx); err != nil {
		return module.Answer{}, err
	}
	v := params.Registry{Authority: m.authority, Epochs: m.cfg.Epochs, Params: m.entries(cur.values)}
	if p := cur.pending; p != nil {
		v.Pending = &params.PendingView{Changes: m.registry.view(cur.values, p.Changes), By: p.By, Height: p.Height, NotBefore: p.NotBefore, Clock: p.Clock, Note: p.Note}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return module.Answer{}, fmt.Errorf("parameters: %w", err)
	}
	return module.Answer{JSON: b, RestsOn: m.reads()}, nil
}
