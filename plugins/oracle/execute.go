package prophecy

import (
	"context"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// What scheduled work and ballots in extensions may make of a block's result, in bytes. What does not fit is put off: scheduled
// work to the next block, ballots to another block of their producer's. The rest is room for saying so.
const (
	maxBlockWork = module.MaxBlockResultBytes - 128<<10
	maxDueWork   = maxBlockWork / 2
)

// run is one block under way. The core shows the state at the start of the block; what the block has changed so far is in
// known and disputes.
type run struct {
	terms    oracle.Terms
	b        *module.Block
	r        module.Reader
	given    map[module.Item][]byte      // what the core brought with the block
	known    map[[32]byte]*oracle.Record // nil: no such question. What it points at is never changed, but replaced.
	disputes map[life]*oracle.Dispute    // the same
	left     int                         // bytes that the outcome may still have, besides one failure for each transaction
	noticed  []contradicted              // what disputes have begun
}

// Execute implements module.Module.
func (o *Oracle) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	if err := o.open(ctx, "execute"); err != nil {
		return nil, err
	}
	x := &run{
		terms: o.terms, b: b, r: r, given: make(map[module.Item][]byte, len(b.Values)), known: map[[32]byte]*oracle.Record{},
		disputes: map[life]*oracle.Dispute{},
		left:     module.MaxOutcomeBytes - module.MaxBlockResultBytes - failedBytes*len(b.Txs),
	}
	for _, v := range b.Values {
		x.given[v.Item] = v.Data
	}
	out := &module.Outcome{Txs: make([]module.Result, len(b.Txs))}
	var err error
	if out.Block, err = x.block(ctx); err != nil {
		return nil, fmt.Errorf("%s: execute block %d: %w", pluginName, b.Height, err)
	}
	for i := range b.Txs {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%s: execute block %d: %w", pluginName, b.Height, err)
		}
		if out.Txs[i], err = x.transaction(ctx, i); err != nil {
			return nil, fmt.Errorf("%s: execute block %d: %w", pluginName, b.Height, err)
		}
	}
	if o.voter != nil {
		o.voter.executed(b.Slot, b.Clock)
		if len(x.noticed) > 0 && o.voter.seated(b.Producers) {
			for _, n := range x.noticed {
				o.voter.noticed(n.question, n.life)
			}
		}
	}
	return out, nil
}

// block does the scheduled work, then counts the ballots in extensions.
func (x *run) block(ctx context.Context) (module.Result, error) {
	ballots, refused := x.extensions()
	wants := make([]want, 0, len(x.b.Due)+len(ballots))
	for i := range x.b.Due {
		wants = append(wants, want{id: x.b.Due[i].ID})
	}
	for i := range ballots {
		wants = append(wants, want{ballots: true, id: ballots[i].Question})
	}
	if err := x.load(ctx, module.BlockTx, wants); err != nil {
		return module.Result{}, err
	}
	all, used := x.effect(nil), 0
	for i := range x.b.Due {
		e := x.effect(all)
		if !e.due(x.b.Due[i].ID) {
			continue
		}
		if n := e.size(); used+n <= maxDueWork {
			used += n
			all.absorb(e)
		} else {
			all.again(x.b.Due[i].ID)
		}
	}
	producer, isKnown := x.producer()
	for i := range ballots {
		e := x.effect(all)
		err := fail(oracle.ErrNotInSnapshot, "the block's producer is not among the producers")
		if isKnown {
			err = e.ballot(&ballots[i], producer)
		}
		n := 0
		if err == nil {
			if n = e.size(); used+n > maxBlockWork {
				err = fail(ErrBlockFull, "the ballot makes %d bytes", n)
			}
		}
		if err != nil {
			all.refuse(ballots[i].Question, err)
			continue
		}
		used += n
		all.absorb(e)
	}
	for _, err := range refused {
		all.refuse([32]byte{}, err)
	}
	return all.commit(), nil
}

// extensions decodes the ballots in a block's extensions, up to oracle.MaxBallots in all of them, and says what is wrong with
// the rest.
func (x *run) extensions() (ballots []oracle.Ballot, refused []error) {
	for i, data := range x.b.Extensions {
		if i == types.MaxExtensions {
			return ballots, append(refused, fail(ErrTooManyBallots, "%d extensions", len(x.b.Extensions)))
		}
		some, err := oracle.DecodeBallots(data)
		if err != nil {
			refused = append(refused, fail(oracle.ErrMalformed, "%v", err))
			continue
		}
		if n := len(ballots) + len(some); n > oracle.MaxBallots {
			return ballots, append(refused, fail(ErrTooManyBallots, "%d ballots, at most %d are allowed", n, oracle.MaxBallots))
		}
		ballots = append(ballots, some...)
	}
	return ballots, refused
}

// producer returns the key of the block's producer, and false if it is none of the epoch's.
func (x *run) producer() (types.PublicKey, bool) {
	if len(x.b.Extensions) == 0 {
		return types.PublicKey{}, false
	}
	for _, k := range x.b.Producers {
		if k.Hash() == x.b.Producer {
			return k, true
		}
	}
	return types.PublicKey{}, false
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
	orders, err := parse(x.b.Chain, t)
	if err != nil {
		return failed(err)
	}
	wants := make([]want, len(orders))
	for j := range orders {
		wants[j] = want{id: orders[j].question(x.b.Chain, t, j), ballots: orders[j].ballot != nil}
	}
	if err := x.load(ctx, i, wants); errors.Is(err, module.ErrReadLimit) {
		return failed(fail("ErrReadLimit", "more reads than one transaction may make"))
	} else if err != nil {
		return module.Result{}, err
	}
	e := x.effect(nil)
	for j := range orders {
		if err := e.apply(t, j, &orders[j], wants[j].id); err != nil {
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
