package prophecy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// run is one block under way. The core shows the state at the start of the block; what the block has changed so far is in
// known.
type run struct {
	terms oracle.Terms
	b     *module.Block
	r     module.Reader
	given map[module.Item][]byte      // what the core brought with the block
	known map[[32]byte]*oracle.Record // nil: no such question. What it points at is never changed, but replaced.
	left  int                         // bytes that the outcome may still have, besides one failure for each transaction
}

// Execute implements module.Module.
func (o *Oracle) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	if err := o.open(ctx, "execute"); err != nil {
		return nil, err
	}
	x := &run{
		terms: o.terms, b: b, r: r, given: make(map[module.Item][]byte, len(b.Values)), known: map[[32]byte]*oracle.Record{},
		left: module.MaxOutcomeBytes - module.MaxBlockResultBytes - failedBytes*len(b.Txs),
	}
	for _, v := range b.Values {
		x.given[v.Item] = v.Data
	}
	out := &module.Outcome{Txs: make([]module.Result, len(b.Txs))}
	if err := x.due(ctx, &out.Block); err != nil {
		return nil, fmt.Errorf("%s: execute block %d: %w", pluginName, b.Height, err)
	}
	for i := range b.Txs {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%s: execute block %d: %w", pluginName, b.Height, err)
		}
		res, err := x.transaction(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("%s: execute block %d: %w", pluginName, b.Height, err)
		}
		out.Txs[i] = res
	}
	return out, nil
}

// load makes records known; tx says who pays for reading those that the core did not bring.
func (x *run) load(ctx context.Context, tx int, ids ...[32]byte) error {
	var miss [][32]byte
	var items []module.Item
	for _, id := range ids {
		if _, ok := x.known[id]; ok {
			continue
		}
		it := oracle.Item(id)
		data, ok := x.given[it]
		if !ok {
			if !slices.Contains(miss, id) {
				miss, items = append(miss, id), append(items, it)
			}
			continue
		}
		if err := x.learn(id, data); err != nil {
			return err
		}
	}
	if len(items) == 0 {
		return nil
	}
	values, err := x.r.Read(ctx, tx, items)
	if err != nil {
		return err
	}
	if len(values) != len(items) {
		return fmt.Errorf("read: %d values for %d items", len(values), len(items))
	}
	for i, id := range miss {
		if err := x.learn(id, values[i]); err != nil {
			return err
		}
	}
	return nil
}

func (x *run) learn(id [32]byte, data []byte) error {
	if data == nil {
		x.known[id] = nil
		return nil
	}
	r, err := oracle.DecodeRecord(data)
	if err == nil && r.ID != id {
		err = fmt.Errorf("question %x under the item of %x", r.ID, id)
	}
	if err != nil {
		return fmt.Errorf("the state is not what this module wrote: %w", err)
	}
	x.known[id] = r
	return nil
}

// due does the scheduled work. An entry that is out of date, or of a question that there is not, does nothing.
func (x *run) due(ctx context.Context, res *module.Result) error {
	if len(x.b.Due) == 0 {
		return nil
	}
	ids := make([][32]byte, 0, len(x.b.Due))
	for i := range x.b.Due {
		ids = append(ids, x.b.Due[i].ID)
	}
	if err := x.load(ctx, module.BlockTx, ids...); err != nil {
		return err
	}
	e := x.effect()
	for _, id := range ids {
		if q := e.get(id); q != nil {
			if at, ok := x.terms.Due(q); ok && at <= x.b.Clock {
				e.settle(*q)
			}
		}
	}
	*res = e.commit()
	return nil
}

// transaction executes one, whole or not at all.
func (x *run) transaction(ctx context.Context, i int) (module.Result, error) {
	t := &x.b.Txs[i]
	gas := min(gasOf(t), t.MaxGas)
	failed := func(err error) (module.Result, error) {
		var f *failure
		if !errors.As(err, &f) {
			return module.Result{}, err
		}
		return module.Result{Error: string(f.name), Detail: f.detail, Gas: gas}, nil
	}
	orders, err := parse(t)
	if err != nil {
		return failed(err)
	}
	ids := make([][32]byte, len(orders))
	for j := range orders {
		ids[j] = orders[j].question(x.b.Chain, t, j)
	}
	if err := x.load(ctx, i, ids...); errors.Is(err, module.ErrReadLimit) {
		return failed(fail("ErrReadLimit", "more reads than one transaction may make"))
	} else if err != nil {
		return module.Result{}, err
	}
	e := x.effect()
	for j := range orders {
		if err := e.apply(t, j, &orders[j], ids[j]); err != nil {
			return failed(err)
		}
	}
	e.res.Gas = gas
	n := e.size()
	if n > module.MaxResultBytes || n > x.left {
		return failed(fail(ErrBlockFull, "a result of %d bytes", n))
	}
	x.left -= n
	return e.commit(), nil
}

// effect collects what one transaction, or the scheduled work, does.
type effect struct {
	x       *run
	res     module.Result
	changed map[[32]byte]*oracle.Record
	order   [][32]byte // of changed, as first changed
}

func (x *run) effect() *effect { return &effect{x: x, changed: map[[32]byte]*oracle.Record{}} }

func (e *effect) get(id [32]byte) *oracle.Record {
	if q, ok := e.changed[id]; ok {
		return q
	}
	return e.x.known[id]
}

func (e *effect) put(q oracle.Record) {
	if _, ok := e.changed[q.ID]; !ok {
		e.order = append(e.order, q.ID)
	}
	e.changed[q.ID] = &q
}

func (e *effect) size() int {
	n := e.res.Size()
	for _, id := range e.order {
		n += module.RecordBytes + len(oracle.Item(id).Key) + len(e.changed[id].Encode())
	}
	return n
}

// commit makes the effect known to what follows in the block and returns it as a result.
func (e *effect) commit() module.Result {
	for _, id := range e.order {
		q := e.changed[id]
		e.x.known[id] = q
		e.res.Writes = append(e.res.Writes, module.Write{Item: oracle.Item(id), Data: q.Encode()})
	}
	return e.res
}

// take moves tokens of the signer into a question's escrow.
func (e *effect) take(t *module.Tx, action int, id [32]byte, amount uint64) {
	if amount == 0 {
		return
	}
	from, it := t.Account, oracle.Item(id)
	e.res.Transfers = append(e.res.Transfers, module.Transfer{From: module.Party{Account: &from}, To: module.Party{Escrow: &it}, Amount: amount, Action: action})
}

// give moves tokens out of a question's escrow.
func (e *effect) give(id [32]byte, to types.AccountID, amount uint64) {
	if amount == 0 {
		return
	}
	it := oracle.Item(id)
	e.res.Transfers = append(e.res.Transfers, module.Transfer{From: module.Party{Escrow: &it}, To: module.Party{Account: &to}, Amount: amount})
}

// schedule enters a question at the clock at which it closes as it stands, or as soon as there is a block after this one.
func (e *effect) schedule(q *oracle.Record) {
	now := e.x.b.Clock
	if at, ok := e.x.terms.Due(q); ok && now < math.MaxUint64 { // nothing can be later than the end of time
		e.res.Schedule = append(e.res.Schedule, module.Schedule{Clock: max(at, now+1), ID: q.ID, Item: oracle.Item(q.ID)})
	}
}

func (e *effect) unschedule(q *oracle.Record) {
	if at, ok := e.x.terms.Due(q); ok {
		e.res.Schedule = append(e.res.Schedule, module.Schedule{Clock: at, ID: q.ID, Item: oracle.Item(q.ID), Cancel: true})
	}
}

func (e *effect) tell(name string, id [32]byte, data any, accounts ...types.AccountID) {
	b, err := json.Marshal(data)
	if err != nil { // not with these types
		b = []byte(`{}`)
	}
	e.res.Events = append(e.res.Events, module.Event{Name: name, Data: b, Accounts: accounts, Item: id[:]})
}
