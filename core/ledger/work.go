package ledger

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// work is one block under way: balances and escrows that have been touched, writes so far, receipts.
type work struct {
	l       *Ledger
	view    FullView
	b       Block
	terms   *terms
	txs     []*Tx
	changes map[state.Item][]byte // all writes so far but balances and escrows; nil deletes
	order   []state.Item          // of changes, as first written
	dropped map[string]bool       // entries of the schedule that were cancelled after they had fallen due, by scheduleKey
	money   map[state.Item]*purse // balances and escrows
	receipt []types.Receipt
	extra   []types.Receipt
	reserve []uint64 // what of each transaction's reserve has not been given back or spent
	gas     uint64
	burned  uint64
	faults  []Fault
	flow    flow  // into purses
	broken  error // the first breach of conservation
}

// purse is a balance or an escrow under way.
type purse struct {
	account Account // of an escrow only Balance is used
	was     uint64  // Balance before the block
	escrow  bool
	dirty   bool
}

func newWork(l *Ledger, view FullView, b Block) *work {
	return &work{l: l, view: view, b: b, terms: l.book.first, changes: map[state.Item][]byte{}, dropped: map[string]bool{},
		money: map[state.Item]*purse{}}
}

func (w *work) set(it state.Item, v []byte) {
	if _, ok := w.changes[it]; !ok {
		w.order = append(w.order, it)
	}
	w.changes[it] = v
}

// begin loads the signers, takes the reserves, and records authorities that are revealed.
func (w *work) begin(ctx context.Context, txs []*Tx) error {
	w.txs = txs
	w.receipt = make([]types.Receipt, len(txs))
	w.reserve = make([]uint64, len(txs))
	items := make([]state.Item, 0, 2*len(txs))
	var reveal []*Tx
	for _, t := range txs {
		items = append(items, balanceItem(t.T.Account))
		if len(t.T.Authority) > 0 {
			reveal = append(reveal, t)
		}
	}
	items = append(items, balanceItem(types.BurnAccount), escrowItem(AccountModule, TillItem(w.b.Till)))
	if err := w.load(ctx, items); err != nil {
		return err
	}
	if len(reveal) > 0 {
		items = items[:0]
		for _, t := range reveal {
			items = append(items, authorityItem(t.T.Account))
		}
		values, err := w.view.Get(ctx, items)
		if err != nil {
			return err
		}
		for i, t := range reveal {
			if values[i] == nil {
				w.set(items[i], t.T.Authority)
			}
		}
	}
	for i, t := range txs {
		p := w.money[balanceItem(t.T.Account)]
		if p.account.Balance < t.Reserve {
			return fmt.Errorf("transaction %s was not authorised: balance %d, reserve %d", t.ID.Short(), p.account.Balance, t.Reserve)
		}
		w.put(p, p.account.Balance-t.Reserve)
		w.reserve[i] = t.Reserve
		w.receipt[i].ID = t.ID
	}
	return nil
}

// load makes sure that the purses of items are known, with one read for all that are not.
func (w *work) load(ctx context.Context, items []state.Item) error {
	var miss []state.Item
	asked := make(map[state.Item]bool, len(items))
	for _, it := range items {
		if w.money[it] == nil && !asked[it] {
			asked[it] = true
			miss = append(miss, it)
		}
	}
	if len(miss) == 0 {
		return nil
	}
	values, err := w.view.Get(ctx, miss)
	if err != nil {
		return err
	}
	for i, it := range miss {
		p := &purse{escrow: it.Module != spaceBalance}
		if p.escrow {
			p.account.Balance, err = decodeAmount(values[i])
		} else {
			p.account, err = decodeAccount(values[i])
		}
		if err != nil {
			return err
		}
		p.was = p.account.Balance
		w.money[it] = p
	}
	return nil
}

func (w *work) credit(it state.Item, amount uint64) {
	p := w.money[it]
	w.put(p, p.account.Balance+amount) // cannot overflow: the supply fits
}

// settle takes the fee from what is left of a transaction's reserve and gives back the rest.
func (w *work) settle(i int, status string, gas uint64) {
	t, before, held := w.txs[i], w.flow, w.reserve[i]
	fee := min(w.terms.fees.of(len(t.Envelope), gas), t.T.MaxFee)
	w.receipt[i].Status, w.receipt[i].Fee, w.receipt[i].Gas = status, fee, gas
	w.gas += gas
	w.credit(balanceItem(t.T.Account), w.reserve[i]-fee)
	w.reserve[i] = 0
	burn := satMul(fee, w.terms.fees.BurnPPM) / 1_000_000
	if burn > 0 {
		w.credit(balanceItem(types.BurnAccount), burn)
		w.burned += burn
	}
	if fee > burn {
		w.credit(escrowItem(AccountModule, TillItem(w.b.Till)), fee-burn)
	}
	if err := w.flow.balanced(before, held, "the fee of transaction", t.ID); err != nil && w.broken == nil {
		w.broken = err
	}
}

// fail settles a transaction that has no effect but its fee.
func (w *work) fail(i int, status string, gas uint64) {
	w.settle(i, status, min(max(gas, floorGas(w.txs[i])), w.txs[i].T.MaxGas))
}

// finish turns what was touched into changes.
func (w *work) finish(ctx context.Context) (*Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := w.conserved(); err != nil {
		return nil, fmt.Errorf("execute block %d: %w", w.b.Height, err)
	}
	r := &Result{Receipts: append(w.receipt, w.extra...), Gas: w.gas, Burned: w.burned, Faults: w.faults}
	r.Changes = make([]state.Change, 0, len(w.order)+len(w.money))
	for _, it := range w.order {
		r.Changes = append(r.Changes, state.Change{Item: it, Value: w.changes[it]})
	}
	for it, p := range w.money { // the order does not matter: the state sorts
		if !p.dirty {
			continue
		}
		v := p.account.encode()
		if p.escrow {
			v = encodeAmount(p.account.Balance)
		}
		r.Changes = append(r.Changes, state.Change{Item: it, Value: v})
	}
	return r, nil
}
