package staking

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// run is one block under way. The core shows the state at the start of the block; what the block has changed so far is in
// known.
type run struct {
	cfg   *Config
	judge func(raw []byte) (*accusation, error)
	p     Params
	ctx   context.Context
	b     *module.Block
	r     module.Reader
	given map[module.Item][]byte // what the core brought with the block
	known map[module.Item]record // nil: there is none
	left  int                    // bytes that the outcome may still have, besides one failure for each transaction

	touched map[types.AccountID]bool // producers that have changed in this block
	changed []types.AccountID        // the same, as first changed

	// Of the epoch in force; nil in a block that the core tells nothing of. They belong to the block, not to any transaction:
	// what they have come to in the end is written with the block's own result, which nothing overwrites.
	ep     *epoch
	set    *types.Set
	seats  []seat
	stored [][]byte // chunks of seats as the state has them
}

// load makes items known; tx says who pays for reading those that the core did not bring.
func (x *run) load(tx int, items ...module.Item) error {
	var miss []module.Item
	for _, it := range items {
		if _, ok := x.known[it]; ok {
			continue
		}
		data, ok := x.given[it]
		if !ok {
			if !slices.Contains(miss, it) {
				miss = append(miss, it)
			}
			continue
		}
		if err := x.learn(it, data); err != nil {
			return err
		}
	}
	for len(miss) > 0 {
		some := miss[:min(len(miss), module.MaxReadsPerTx)]
		miss = miss[len(some):]
		values, err := x.r.Read(x.ctx, tx, some)
		if err != nil {
			return err
		}
		if len(values) != len(some) {
			return fmt.Errorf("read: %d values for %d items", len(values), len(some))
		}
		for i, it := range some {
			if err := x.learn(it, values[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *run) learn(it module.Item, data []byte) error {
	r, err := decode(it, data)
	if err == nil {
		x.known[it] = r
	}
	return err
}

// effect collects what one transaction, or the block itself, does.
type effect struct {
	x       *run
	tx      int
	res     module.Result
	changed map[module.Item]record
	order   []module.Item // of changed, as first changed
	then    []func()      // what it does to the epoch in force
}

func (x *run) effect(tx int) *effect {
	return &effect{x: x, tx: tx, changed: map[module.Item]record{}}
}

func (e *effect) get(it module.Item) (record, error) {
	if r, ok := e.changed[it]; ok {
		return r, nil
	}
	if err := e.x.load(e.tx, it); err != nil {
		return nil, err
	}
	return e.x.known[it], nil
}

func (e *effect) owner(a types.AccountID) (*owner, error) {
	r, err := e.get(OwnerItem(a))
	o, _ := r.(*owner)
	return o, err
}

func (e *effect) producer(a types.AccountID) (*producer, error) {
	r, err := e.get(producerItem(a))
	p, _ := r.(*producer)
	return p, err
}

func (e *effect) put(it module.Item, r record) {
	if _, ok := e.changed[it]; !ok {
		e.order = append(e.order, it)
	}
	e.changed[it] = r
}

// writes returns what the effect changes in the state, the index of candidates included.
func (e *effect) writes() []module.Write {
	var out []module.Write
	for _, it := range e.order {
		r := e.changed[it]
		if r == nil {
			out = append(out, module.Write{Item: it})
			continue
		}
		out = append(out, module.Write{Item: it, Data: encode(r)})
		p, ok := r.(*producer)
		if !ok {
			continue
		}
		a := accountIn(it)
		was, _ := e.x.known[it].(*producer)
		before, now := was.ranked(), p.ranked()
		if before && (!now || was.Votes != p.Votes) {
			out = append(out, module.Write{Item: rankItem(was.Votes, a)})
		}
		if now && (!before || was.Votes != p.Votes) {
			out = append(out, module.Write{Item: rankItem(p.Votes, a), Data: []byte{recordFormat}})
		}
	}
	return out
}

// accountIn returns the account that a producer's item belongs to.
func accountIn(it module.Item) (a types.AccountID) {
	copy(a[:], it.Key[len(prefixMember):])
	return a
}

// size is that of the result with these writes.
func (e *effect) size(writes []module.Write) int {
	e.res.Writes = writes
	return e.res.Size()
}

// commit makes the effect known to what follows in the block and returns it as a result.
func (e *effect) commit(writes []module.Write) module.Result {
	for _, it := range e.order {
		r := e.changed[it]
		e.x.known[it] = r
		if _, ok := r.(*producer); ok {
			if a := accountIn(it); !e.x.touched[a] {
				e.x.touched[a] = true
				e.x.changed = append(e.x.changed, a)
			}
		}
	}
	for _, f := range e.then {
		f()
	}
	e.res.Writes = writes
	return e.res
}

// give moves tokens out of an account's escrow.
func (e *effect) give(from, to types.AccountID, amount uint64) {
	if amount == 0 {
		return
	}
	it := OwnerItem(from)
	e.res.Transfers = append(e.res.Transfers, module.Transfer{From: module.Party{Escrow: &it}, To: module.Party{Account: &to}, Amount: amount})
}

// tell emits an event. A block in which more happens than a receipt may tell, tells of the first.
func (e *effect) tell(name string, data any, accounts ...types.AccountID) {
	if len(e.res.Events) >= types.MaxEvents/2 {
		return
	}
	b, err := json.Marshal(data)
	if err != nil { // not with these types
		b = []byte(`{}`)
	}
	e.res.Events = append(e.res.Events, module.Event{Name: name, Data: b, Accounts: accounts})
}

// Execute implements module.Module.
func (m *Module) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	if err := m.open(ctx, "execute"); err != nil {
		return nil, err
	}
	x := &run{
		cfg: &m.cfg, judge: m.judge, ctx: ctx, b: b, r: r, given: make(map[module.Item][]byte, len(b.Values)), known: map[module.Item]record{},
		left: module.MaxOutcomeBytes - module.MaxBlockResultBytes - failedBytes*len(b.Txs), touched: map[types.AccountID]bool{},
	}
	x.p, _ = m.cfg.with(b.Params)
	for _, v := range b.Values {
		x.given[v.Item] = v.Data
	}
	out, err := x.block()
	if err != nil {
		return nil, fmt.Errorf("staking: execute block %d: %w", b.Height, err)
	}
	return out, nil
}

func (x *run) block() (*module.Outcome, error) {
	out := &module.Outcome{Txs: make([]module.Result, len(x.b.Txs))}
	e := x.effect(module.BlockTx)
	if err := x.begin(e); err != nil {
		return nil, err
	}
	out.Block = e.commit(e.writes())
	for i := range x.b.Txs {
		if err := x.ctx.Err(); err != nil {
			return nil, err
		}
		res, err := x.transaction(i)
		if err != nil {
			return nil, err
		}
		out.Txs[i] = res
	}
	writes, err := x.end()
	if err != nil {
		return nil, err
	}
	out.Block.Writes = append(out.Block.Writes, writes...)
	return out, nil
}

// transaction executes one, whole or not at all.
func (x *run) transaction(i int) (module.Result, error) {
	t := &x.b.Txs[i]
	gas := min(gasOf(t), t.MaxGas)
	failed := func(err error) (module.Result, error) {
		var f *failure
		if errors.Is(err, module.ErrReadLimit) {
			f = &failure{ErrReadLimit, "more reads than one transaction may make"}
		} else if !errors.As(err, &f) {
			return module.Result{}, err
		}
		return module.Result{Error: string(f.name), Detail: f.detail, Gas: gas}, nil
	}
	orders, err := parse(t)
	if err != nil {
		return failed(err)
	}
	e := x.effect(i)
	for j := range orders {
		if err := e.apply(t, j, &orders[j]); err != nil {
			return failed(err)
		}
	}
	e.res.Gas = gas
	writes := e.writes()
	n := e.size(writes)
	if n > module.MaxResultBytes || n > x.left {
		return failed(fail(ErrBlockFull, "a result of %d bytes", n))
	}
	x.left -= n
	return e.commit(writes), nil
}
