package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/module"
)

// checked is what a module has said of a transaction's form. It rests on the transaction and on the gas that the module was
// told, which the price list has a part in; so it holds for as long as that is the same.
type checked struct {
	ledger *Ledger
	maxGas uint64
	err    string        // the name of an error, empty if it is well formed
	reads  []module.Item // what it will read
	fault  error         // what the module said breaks a rule; wraps module.ErrFault
}

// maxKeptReads is how many bytes of declared reads are kept with a transaction that waits. Of one that declares more the
// module is asked again by every block that has it.
const maxKeptReads = 2 << 10

// checks returns what a module says of transactions. It asks only about those of which that is not known, of all at once.
// Never is a transaction taken as one that reads nothing because nobody has asked: what is declared is free, and what is
// not is charged, so that the outcome would depend on what a node happens to know.
//
// A fault that does not come of a single transaction's answer is asked about again, of each alone: a block must not turn out
// differently where transactions were asked about together that elsewhere were not. The error is none of a fault.
func (l *Ledger) checks(ctx context.Context, m Named, fees fees, txs []*Tx) ([]*checked, error) {
	out := make([]*checked, len(txs))
	var miss []module.Tx
	var at []int
	for i, t := range txs {
		if c := t.checked.Load(); c != nil && c.ledger == l && c.maxGas == fees.gasLimit(t) {
			out[i] = c
		} else {
			miss, at = append(miss, fees.moduleTx(t)), append(at, i)
		}
	}
	if len(miss) == 0 {
		return out, nil
	}
	keep := func(j int, c *module.TxCheck, fault error) {
		k := &checked{ledger: l, maxGas: miss[j].MaxGas, fault: fault}
		if fault == nil {
			k.err, k.reads, k.fault = c.Error, slices.Clone(c.Reads), l.legal(c)
		}
		out[at[j]] = k
		size := 0
		for i := range k.reads {
			size += len(k.reads[i].Key) + 64
		}
		if size <= maxKeptReads {
			txs[at[j]].checked.Store(k)
		}
	}
	checks, err := m.Module.Check(ctx, miss)
	if err == nil {
		for j := range checks {
			keep(j, &checks[j], nil)
		}
		return out, nil
	}
	if !errors.Is(err, module.ErrFault) {
		return nil, (*reader)(nil).verdict(ctx, m.Name, err)
	}
	for j := range miss {
		one, err := checks, err
		if len(miss) > 1 {
			one, err = m.Module.Check(ctx, miss[j:j+1])
		}
		if err != nil && !errors.Is(err, module.ErrFault) {
			return nil, (*reader)(nil).verdict(ctx, m.Name, err)
		}
		if err != nil {
			keep(j, nil, err)
		} else {
			keep(j, &one[0], nil)
		}
	}
	return out, nil
}

// legal finds what the guard cannot see: reads of what no other module exports.
func (l *Ledger) legal(c *module.TxCheck) error {
	for _, it := range c.Reads {
		if it.Module != "" && !l.exported(it) {
			return fmt.Errorf("%w: check: %s", module.ErrFault, notExported(it))
		}
	}
	return nil
}
