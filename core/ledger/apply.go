package ledger

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// apply lets what a module answered for its group take effect. The module is guarded: of what is illegal only that remains
// which needs the state, namely taking from an escrow what it does not hold. That is an error that wraps module.ErrFault, and
// nothing has changed then.
func (w *work) apply(ctx context.Context, mod string, idx []int, out *module.Outcome) error {
	items := purses(mod, &out.Block, nil)
	for i := range out.Txs {
		items = purses(mod, &out.Txs[i], items)
	}
	if err := w.load(ctx, items); err != nil {
		return err
	}
	g := &group{w: w, mod: mod, delta: map[state.Item]uint64{}, refund: make([]uint64, len(idx))}
	if err := g.findMoved(ctx, out); err != nil {
		return err
	}
	if err := g.transfers(out.Block.Transfers, -1, nil); err != nil {
		return fmt.Errorf("scheduled work: %w", err)
	}
	for i := range out.Txs {
		t := w.txs[idx[i]]
		if out.Txs[i].Error != "" {
			continue
		}
		if err := g.transfers(out.Txs[i].Transfers, i, t); err != nil {
			return fmt.Errorf("transaction %s: %w", t.ID.Short(), err)
		}
	}
	g.commit(out, idx)
	return nil
}

// purses collects the balances and escrows that a result touches.
func purses(mod string, r *module.Result, items []state.Item) []state.Item {
	for i := range r.Transfers {
		for _, p := range []*module.Party{&r.Transfers[i].From, &r.Transfers[i].To} {
			if p.Account != nil {
				items = append(items, balanceItem(*p.Account))
			} else {
				items = append(items, escrowItem(mod, *p.Escrow))
			}
		}
	}
	return items
}

// group is the transfers of one module in one block, kept apart until all of them are known to be legal.
type group struct {
	w      *work
	mod    string
	delta  map[state.Item]uint64 // new balances of touched purses
	flow   flow                  // into touched purses
	refund []uint64              // what of max_spend was not spent, by transaction
	moved  map[string]string     // keys of postponed entries, by scheduleKey, of those that are cancelled
}

func (g *group) balance(it state.Item) uint64 {
	if v, ok := g.delta[it]; ok {
		return v
	}
	return g.w.money[it].account.Balance
}

func (g *group) item(p module.Party) state.Item {
	if p.Account != nil {
		return balanceItem(*p.Account)
	}
	return escrowItem(g.mod, *p.Escrow)
}

// transfers moves tokens for transaction i of the group, or for scheduled work if t is nil. That a transaction takes no more
// than its actions' max_spend, and scheduled work nothing from an account, the guard has seen to.
func (g *group) transfers(list []module.Transfer, i int, t *Tx) error {
	before := g.flow
	var left []uint64
	if t != nil {
		left = make([]uint64, len(t.T.Actions))
		for j, a := range t.T.Actions {
			left[j] = a.MaxSpend
		}
	}
	for _, tr := range list {
		if tr.From.Account != nil {
			left[tr.Action] -= tr.Amount
		} else {
			from := g.item(tr.From)
			b := g.balance(from)
			if tr.Amount == module.WholeEscrow {
				tr.Amount = b
			}
			if b < tr.Amount {
				return fmt.Errorf("%w: escrow holds %d, %d are taken", module.ErrFault, b, tr.Amount)
			}
			g.put(from, b-tr.Amount)
		}
		to := g.item(tr.To)
		g.put(to, g.balance(to)+tr.Amount)
	}
	if t == nil {
		return g.flow.balanced(before, 0, "scheduled work", types.TxID{})
	}
	for _, v := range left {
		g.refund[i] += v
	}
	// What of it is neither in purses nor given back would be lost, and what is in both would be made.
	after := g.flow
	after.add(g.refund[i])
	return after.balanced(before, t.Spend, "transaction", t.ID)
}

// commit lets the group take effect.
func (g *group) commit(out *module.Outcome, idx []int) {
	w := g.w
	burn := balanceItem(types.BurnAccount)
	for it, v := range g.delta {
		p := w.money[it]
		if it == burn {
			w.burned += v - p.account.Balance
		}
		w.put(p, v)
	}
	if ev := g.effects(&out.Block); len(ev) > 0 {
		w.extra = append(w.extra, types.Receipt{Status: types.StatusOK, Events: ev})
	}
	for i := range out.Txs {
		j, res := idx[i], &out.Txs[i]
		if res.Error != "" {
			w.fail(j, res.Error, res.Gas)
			continue
		}
		w.receipt[j].Events = g.effects(res)
		w.reserve[j] -= w.txs[j].Spend - g.refund[i]
		w.settle(j, types.StatusOK, max(res.Gas, floorGas(w.txs[j])))
	}
}

func (g *group) effects(r *module.Result) []types.Event {
	w := g.w
	for _, x := range r.Writes {
		w.set(state.Item{Module: g.mod, Place: x.Item.Place, Key: x.Item.Key}, x.Data)
	}
	for _, s := range r.Schedule {
		if s.Cancel {
			g.cancel(s)
		} else {
			w.set(scheduleItem(scheduleKey(s.Clock, s.ID, g.mod)), encodeScheduled(s.Item, s.Data))
		}
	}
	var out []types.Event
	for _, v := range r.Events {
		out = append(out, types.Event{Module: g.mod, Name: v.Name, Data: v.Data, Accounts: v.Accounts, Item: v.Item})
	}
	return out
}
