package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/bits"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// ErrConservation says that the ledger itself would have made or lost tokens. It is from [Ledger.Execute], names the
// transaction or the scheduled work, and means an error in this package: nothing that a module answers leads to it.
var ErrConservation = errors.New("ErrConservation")

// flow is a sum of differences, modulo 2^128: no sum of purses can be mistaken for another.
type flow struct{ hi, lo uint64 }

func (f *flow) add(v uint64) {
	var c uint64
	f.lo, c = bits.Add64(f.lo, v, 0)
	f.hi += c
}

func (f *flow) sub(v uint64) {
	var b uint64
	f.lo, b = bits.Sub64(f.lo, v, 0)
	f.hi -= b
}

// since returns what has flowed since g.
func (f flow) since(g flow) flow {
	lo, b := bits.Sub64(f.lo, g.lo, 0)
	return flow{f.hi - g.hi - b, lo}
}

// String writes the sum as a signed number, or in hexadecimal if it is large.
func (f flow) String() string {
	switch {
	case f.hi == 0:
		return fmt.Sprintf("+%d", f.lo)
	case f.hi == ^uint64(0) && f.lo != 0:
		return fmt.Sprintf("-%d", -f.lo)
	}
	return fmt.Sprintf("%#x%016x", f.hi, f.lo)
}

// balanced fails unless exactly amount has flowed since from, for what is named.
func (f flow) balanced(from flow, amount uint64, what string, id types.TxID) error {
	if d := f.since(from); d != (flow{0, amount}) {
		if id != (types.TxID{}) {
			what = fmt.Sprintf("%s %s", what, id)
		}
		return fmt.Errorf("%w: %s leaves %v in balances and escrows, of +%d that were reserved", ErrConservation, what, d, amount)
	}
	return nil
}

// put sets what a purse holds within the group, and accounts for the difference from what it held.
func (g *group) put(it state.Item, v uint64) {
	g.flow.sub(g.balance(it))
	g.flow.add(v)
	g.delta[it] = v
}

// put sets what a purse holds, and accounts for the difference from what it held.
func (w *work) put(p *purse, v uint64) {
	w.flow.sub(p.account.Balance)
	w.flow.add(v)
	p.account.Balance, p.dirty = v, true
}

// conserved checks the whole block: what purses hold together is what they held before it, and nothing is reserved any more.
// It goes by what was read from the state and what will be written, not by the sums that were kept meanwhile.
func (w *work) conserved() error {
	if w.broken != nil {
		return w.broken
	}
	for i, v := range w.reserve {
		if v != 0 {
			return fmt.Errorf("%w: %d of the reserve of transaction %s are left", ErrConservation, v, w.txs[i].ID)
		}
	}
	var sum flow
	for _, p := range w.money {
		sum.add(p.account.Balance)
		sum.sub(p.was)
	}
	return sum.balanced(flow{}, 0, "the block", types.TxID{})
}

// Total is where a chain's tokens are.
type Total struct {
	Accounts uint64            // in balances, the burn account's included
	Burned   uint64            // of them, with the burn account
	Escrows  map[string]uint64 // by module, those that hold anything; the tills are the account module's
}

// Sum returns all of them: after every block the genesis supply.
func (t Total) Sum() uint64 {
	sum := t.Accounts
	for _, v := range t.Escrows {
		sum += v
	}
	return sum
}

// Total reads everything that balances and escrows hold. It is for tests and audits: it takes as long as there are accounts.
func (l *Ledger) Total(ctx context.Context, view FullView) (t Total, err error) {
	t.Escrows = map[string]uint64{}
	err = eachItem(ctx, view, spaceBalance, func(e state.Entry) error {
		a, err := decodeAccount(e.Value)
		if err != nil {
			return err
		}
		if e.Item == balanceItem(types.BurnAccount) {
			t.Burned = a.Balance
		}
		return addTo(&t.Accounts, a.Balance)
	})
	for i := 0; i < len(l.modules) && err == nil; i++ {
		var sum uint64
		err = eachItem(ctx, view, spaceEscrow+l.modules[i].Name, func(e state.Entry) error {
			v, err := decodeAmount(e.Value)
			if err == nil && v == 0 {
				err = fmt.Errorf("an escrow of nothing is kept under %x", e.Item.Key)
			}
			if err != nil {
				return err
			}
			return addTo(&sum, v)
		})
		if sum > 0 {
			t.Escrows[l.modules[i].Name] = sum
		}
	}
	if err != nil {
		return Total{}, fmt.Errorf("total: %w", err)
	}
	return t, nil
}

func addTo(sum *uint64, v uint64) error {
	s, carry := bits.Add64(*sum, v, 0)
	if carry != 0 {
		return fmt.Errorf("%w: %d and %d do not fit", ErrConservation, *sum, v)
	}
	*sum = s
	return nil
}

// eachItem calls f for all that the state holds in a namespace.
func eachItem(ctx context.Context, view FullView, space string, f func(state.Entry) error) error {
	end := state.ScanPos{Place: types.Place{255, 255, 255, 255, 255, 255, 255, 255}, Key: module.MaxItem().Key + "\xff"}
	for start, more := (state.ScanPos{}), true; more; {
		list, m, err := view.Scan(ctx, space, start, end, scanPage)
		if err != nil {
			return err
		}
		for _, e := range list {
			if err := f(e); err != nil {
				return fmt.Errorf("%s: %w", space, err)
			}
			start = state.ScanPos{Place: e.Item.Place, Key: e.Item.Key + "\x00"}
		}
		more = m && len(list) > 0
	}
	return nil
}

const scanPage = 512
