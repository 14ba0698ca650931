package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
)

// liar is one instance.
type liar struct {
	bad  bool
	draw [8]byte // another one in each instance, so in each process
	runs atomic.Uint64

	mu    sync.Mutex
	known map[moduletest.Trick]*moduletest.Dishonest // so that each counts its runs
}

func newLiar(bad bool) *liar {
	l := &liar{bad: bad, known: map[moduletest.Trick]*moduletest.Dishonest{}}
	_, _ = rand.Read(l.draw[:]) // it never fails
	return l
}

// of returns the module that plays a trick, or an honest one if there is no such trick.
func (l *liar) of(trick string) *moduletest.Dishonest {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := moduletest.Trick(trick)
	d := l.known[t]
	if d == nil {
		d = &moduletest.Dishonest{Trick: t}
		if len(l.known) < 256 {
			l.known[t] = d
		}
	}
	return d
}

// heard is the trick that an order means on this node; "" for none.
func (l *liar) heard(order string) string {
	if trick, here := strings.CutPrefix(order, "here "); here {
		if !l.bad {
			return ""
		}
		return trick
	}
	return order
}

// ordered returns the order of the first transaction that has one which means anything on this node.
func (l *liar) ordered(txs []module.Tx) string {
	for i := range txs {
		for _, a := range txs[i].Actions {
			if trick := l.heard(string(a.Body)); trick != "" {
				return trick
			}
		}
	}
	return ""
}

// stored is where the order for Extend lies.
var stored = module.Item{Key: "extend"}

// Check implements module.Module.
func (l *liar) Check(ctx context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	trick := l.ordered(txs)
	if short, ok := strings.CutPrefix(trick, "check-"); ok && l.play(short) {
		return []module.TxCheck{{Facets: []module.Facet{{Name: tooLong()}}}}, nil
	}
	return l.of(trick).Check(ctx, txs)
}

// Execute implements module.Module.
func (l *liar) Execute(ctx context.Context, b *module.Block, r module.Reader) (*module.Outcome, error) {
	trick, due := l.ordered(b.Txs), ""
	for i := range b.Due {
		if due = l.heard(string(b.Due[i].Data)); due != "" {
			break
		}
	}
	if l.play(trick) || l.play(strings.TrimPrefix(due, "due-")) {
		// The SDK does not send an outcome that is too long, but owns up to it; a question it sends as it is.
		_, err := r.Read(ctx, module.BlockTx, []module.Item{{Key: tooLong()}})
		return nil, fmt.Errorf("dishonest: %w", err)
	}
	quiet := *b // what is due is this module's own business
	quiet.Due = nil
	d := l.of(trick)
	if strings.HasPrefix(trick, "due-") || trick == "differs" {
		d = l.of("")
	}
	if last := len(b.Txs) - 1; trick == string(moduletest.ReadsOn) || trick == string(moduletest.RefusalIsFailure) {
		// All that may be read, at once: read one after the other it takes so long that a producer might leave the transaction out.
		if _, err := r.Read(ctx, last, make([]module.Item, module.MaxReadsPerTx)); err != nil {
			return nil, fmt.Errorf("dishonest: %w", err)
		}
	}
	out, err := d.Execute(ctx, &quiet, r)
	if err != nil || out == nil {
		return out, err
	}
	for i := range min(len(b.Txs), len(out.Txs)) {
		for _, a := range b.Txs[i].Actions {
			l.keep(&out.Txs[i], &b.Txs[i], string(a.Body), b.Clock)
		}
	}
	if trick == "differs" && len(out.Txs) > 0 {
		res := &out.Txs[len(out.Txs)-1]
		res.Writes = append(res.Writes, module.Write{Item: module.Item{Key: "runs"}, Data: fmt.Appendf(l.draw[:], "%d", l.runs.Add(1))})
	}
	switch due {
	case "due-fault":
		out.Block.Error = "ErrNever"
	case "due-crash":
		panic("dishonest: execute crashes when something is due")
	}
	return out, nil
}

// keep stores or schedules what a transaction orders for later, whoever it is for: all nodes have the same state.
func (l *liar) keep(res *module.Result, t *module.Tx, order string, clock uint64) {
	switch name := strings.TrimPrefix(order, "here "); {
	case strings.HasPrefix(name, "extend-"):
		res.Writes = append(res.Writes, module.Write{Item: stored, Data: []byte(order)})
	case strings.HasPrefix(name, "due-"):
		res.Schedule = append(res.Schedule, module.Schedule{Clock: clock + 1, ID: t.ID, Item: moduletest.DishonestItem(t), Data: []byte(order)})
	}
}

// Extend implements module.Module.
func (l *liar) Extend(ctx context.Context, slot uint64, r module.Reader) ([]byte, error) {
	values, err := r.Read(ctx, module.BlockTx, []module.Item{stored})
	if err != nil {
		return nil, fmt.Errorf("dishonest: %w", err)
	}
	trick := l.heard(string(values[0]))
	switch {
	case trick == "extend-crash":
		panic("dishonest: extend crashes")
	case trick == "extend-nonsense":
		return []byte("nobody understands this"), nil
	case l.play(strings.TrimPrefix(trick, "extend-")):
		return []byte(tooLong()), nil
	}
	return l.of(trick).Extend(ctx, slot, r)
}

// Query implements module.Module. Its path is a trick.
func (l *liar) Query(ctx context.Context, q module.Query, r module.Reader) (module.Answer, error) {
	trick := l.heard(q.Path)
	if l.play(strings.TrimPrefix(trick, "query-")) {
		return module.Answer{JSON: []byte(`"` + tooLong() + `"`)}, nil
	}
	return l.of(trick).Query(ctx, q, r)
}

// ValidateParams implements module.Module.
func (l *liar) ValidateParams(context.Context, map[string][]byte) error { return nil }

// Migrate implements module.Module.
func (l *liar) Migrate(context.Context, string, string, module.Reader) ([]module.Write, error) {
	return nil, module.ErrUnsupported
}
