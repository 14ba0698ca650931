package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// group lets one module execute its transactions and what is due, and applies what it answers. If the answer is illegal, the
// transactions of the group fail and its extensions come to nothing; what is due is then executed without them, see
// salvage.
func (w *work) group(ctx context.Context, m Named, idx []int, due []dueEntry) error {
	idx = w.solvent(idx)
	idx, reads, err := w.check(ctx, m, idx)
	ext := w.b.Extensions[m.Name]
	alone := len(idx) == 0 && len(ext) == 0
	if err == nil && !(alone && len(due) == 0 && w.consensus(m.Name) == nil) {
		err = w.call(ctx, m, idx, due, ext, reads)
	}
	if !errors.Is(err, module.ErrFault) {
		return err
	}
	w.faults = append(w.faults, Fault{m.Name, err})
	for _, i := range idx {
		w.fail(i, StatusModuleFault, 0)
	}
	return w.salvage(ctx, m, due, alone)
}

// consensus returns what the module of the consensus plugin sees of the block, nil for other modules. The module of the
// parameters sees the same of a block that closes an epoch, which is when they change.
func (w *work) consensus(name string) *module.ConsensusInfo {
	info := w.b.Consensus
	if name == w.l.consensus || name == params.Module && info != nil && info.Closes {
		return info
	}
	return nil
}

// solvent fails the transactions whose own limits do not pay for their bytes, and returns the others. No module sees them:
// what a module takes as done must not come to nothing afterwards.
func (w *work) solvent(idx []int) []int {
	keep := idx[:0:0]
	for _, i := range idx {
		if status, _ := w.terms.fees.short(w.txs[i]); status != "" {
			w.fail(i, status, 0)
		} else {
			keep = append(keep, i)
		}
	}
	return keep
}

// check asks the module which items the transactions read, fails those that it refuses, and returns the others. After a fault
// it returns all.
func (w *work) check(ctx context.Context, m Named, idx []int) (keep []int, reads []module.Item, err error) {
	if len(idx) == 0 {
		return nil, nil, nil
	}
	txs := make([]*Tx, len(idx))
	for i, j := range idx {
		txs[i] = w.txs[j]
	}
	checks, err := w.l.checks(ctx, m, w.terms.fees, txs)
	if d := (*Difference)(nil); errors.As(err, &d) {
		d.Height = w.b.Height
	}
	if err != nil {
		return idx, nil, err
	}
	for i, c := range checks {
		if c.fault != nil {
			return idx, nil, fmt.Errorf("transaction %s: %w", txs[i].ID.Short(), c.fault)
		}
	}
	for i, c := range checks {
		if c.err != "" {
			w.fail(idx[i], c.err, 0)
			continue
		}
		keep, reads = append(keep, idx[i]), append(reads, c.reads...)
	}
	return keep, reads, nil
}

// call lets the module execute, and applies its answer.
func (w *work) call(ctx context.Context, m Named, idx []int, due []dueEntry, ext [][]byte, reads []module.Item) error {
	mb := &module.Block{
		Chain: w.l.chain, Height: w.b.Height, Slot: w.b.Slot, Clock: w.b.Clock, Producer: w.b.Producer, Parent: w.b.Parent,
		Txs: w.moduleTxs(idx), Extensions: ext, Params: w.terms.params(m), Consensus: w.consensus(m.Name),
		Producers: w.b.Producers,
	}
	for i := range due {
		mb.Due, reads = append(mb.Due, due[i].Due), append(reads, due[i].Item)
	}
	r := &reader{w: w, module: m.Name}
	if err := r.declared(ctx, mb, reads); err != nil {
		return err
	}
	out, err := m.Module.Execute(ctx, mb, r)
	if err != nil {
		return r.verdict(ctx, m.Name, err)
	}
	return w.apply(ctx, m.Name, idx, out)
}

// declared adds the values of items, each once, to a block.
func (r *reader) declared(ctx context.Context, mb *module.Block, items []module.Item) error {
	seen := make(map[module.Item]bool, len(items))
	once := items[:0:0]
	for _, it := range items {
		if !seen[it] {
			seen[it] = true
			once = append(once, it)
		}
	}
	if len(once) == 0 {
		return nil
	}
	values, err := r.values(ctx, once)
	if err != nil {
		return err
	}
	for i, it := range once {
		mb.Values = append(mb.Values, module.Value{Item: it, Data: values[i]})
	}
	return nil
}

func (w *work) moduleTxs(idx []int) []module.Tx {
	out := make([]module.Tx, len(idx))
	for i, j := range idx {
		out[i] = w.terms.fees.moduleTx(w.txs[j])
	}
	return out
}

func (f fees) moduleTx(t *Tx) module.Tx {
	return module.Tx{ID: t.ID, Account: t.T.Account, Actions: t.T.Actions, MaxGas: f.gasLimit(t), Bytes: len(t.Envelope)}
}

// salvage sees to it that a fault loses nobody's scheduled work. It lets the module execute what is due alone, then the first
// half of it, then half of that, until the module answers legally. What was not executed moves behind all that is due now.
// If even the first entry alone makes the module break the rules, then that entry waits, longer each time: it is never lost,
// and it never stands in the way of the others for more than one block. tried says that what is due has just been executed
// alone.
func (w *work) salvage(ctx context.Context, m Named, due []dueEntry, tried bool) error {
	if len(due) == 0 {
		if w.consensus(m.Name) == nil || tried {
			return nil
		}
		if err := w.call(ctx, m, nil, nil, nil, nil); !errors.Is(err, module.ErrFault) {
			return err
		}
		return nil // the module finds out from the next block what it has missed
	}
	n := len(due)
	if tried {
		n /= 2
	}
	for ; n > 0; n /= 2 {
		err := w.call(ctx, m, nil, due[:n], nil, nil)
		if err == nil {
			if n < len(due) {
				w.postpone(m.Name, due[n:], 1)
				w.tell(m.Name, due[n:], due[n].strikes, 1)
			}
			return nil
		}
		if !errors.Is(err, module.ErrFault) {
			return err
		}
	}
	bad := &due[0]
	bad.strikes = min(bad.strikes+1, maxStrikes)
	delay := uint64(1) << (bad.strikes + 3)
	w.postpone(m.Name, due[:1], delay)
	w.postpone(m.Name, due[1:], 1)
	w.tell(m.Name, due, bad.strikes, delay)
	return nil
}

// maxStrikes bounds the waiting of an entry of the schedule that makes its module break the rules: 16 ticks the first time,
// twice as many each time, at most 8192.
const maxStrikes = 10

// tell makes a receipt of scheduled work that was postponed. The event names the first entry and for how many ticks it
// waits, and counts them all.
func (w *work) tell(mod string, list []dueEntry, strikes uint8, ticks uint64) {
	data := fmt.Appendf(nil, `{"id":"%x","strikes":%d,"ticks":%d,"entries":%d}`, list[0].ID, strikes, ticks, len(list))
	w.extra = append(w.extra, types.Receipt{Status: StatusModuleFault, Events: []types.Event{{Module: mod, Name: "postponed", Data: data}}})
}

// postpone puts entries back into the schedule, ticks from now, unless they were cancelled meanwhile.
func (w *work) postpone(mod string, list []dueEntry, ticks uint64) {
	for i := range list {
		d := &list[i]
		from := scheduleKey(d.clock, d.ID, mod)
		if w.dropped[from] {
			continue
		}
		to := movedKey(satAdd(w.b.Clock, ticks), d, mod)
		w.set(scheduleItem(to), d.value)
		w.set(movedItem(from), []byte(to))
	}
}

// findMoved finds out which of the entries that a module cancels have been postponed.
func (g *group) findMoved(ctx context.Context, out *module.Outcome) error {
	var keys []string
	var items []state.Item
	add := func(r *module.Result) {
		for i := range r.Schedule {
			if s := &r.Schedule[i]; s.Cancel && s.Clock <= g.w.b.Clock {
				k := scheduleKey(s.Clock, s.ID, g.mod)
				keys, items = append(keys, k), append(items, movedItem(k))
			}
		}
	}
	add(&out.Block)
	for i := range out.Txs {
		add(&out.Txs[i])
	}
	if len(keys) == 0 {
		return nil
	}
	values, err := g.w.view.Get(ctx, items)
	if err != nil {
		return err
	}
	g.moved = make(map[string]string, len(keys))
	for i, k := range keys {
		if v, ok := g.w.changes[items[i]]; ok { // it has just fallen due
			values[i] = v
		}
		g.moved[k] = string(values[i])
	}
	return nil
}

// cancel takes an entry out of the schedule, wherever it is.
func (g *group) cancel(s module.Schedule) {
	k := scheduleKey(s.Clock, s.ID, g.mod)
	g.w.set(scheduleItem(k), nil)
	if s.Clock > g.w.b.Clock {
		return
	}
	g.w.dropped[k] = true
	if to := g.moved[k]; to != "" {
		g.w.set(scheduleItem(to), nil)
		g.w.set(movedItem(k), nil)
	}
}
