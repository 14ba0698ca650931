package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Block is what Execute has to know of a block besides its transactions.
type Block struct {
	Height, Slot, Clock uint64
	Producer            types.Hash
	Till                types.AccountID // account whose till gets the fees
	Parent              types.BlockID
	Extensions          map[string][][]byte // by module
	Epoch               uint64
	Producers           []types.PublicKey     // of the epoch, in the order of the set; for the modules, nobody changes it
	Consensus           *module.ConsensusInfo // for Config.Consensus, which executes every block that has it
}

// Fault is a module's illegal answer, for the log: the module, and what it did.
type Fault struct {
	Module string
	Err    error
}

// Result is the effect of a block. Receipts[i] belongs to the block's transaction i; after them comes one receipt with a zero
// id for each module whose scheduled work told something, and for each whose scheduled work was postponed.
type Result struct {
	Changes  []state.Change
	Receipts []types.Receipt
	Gas      uint64
	Burned   uint64
	Faults   []Fault
}

// FullView is a state that can be read and scanned. [*state.Layer] is one.
type FullView interface {
	View
	Scan(ctx context.Context, module string, start, end state.ScanPos, limit int) ([]state.Entry, bool, error)
}

// Execute computes a block whose transactions Authorise has accepted on the same view. It fails only if the state cannot be
// read, which is then the error, or a module cannot be asked, which is a [ModuleError], or one contradicts itself, which is
// [ErrDiffers], or the ledger finds itself in the wrong, which is [ErrConservation]; then nothing is known of the block.
//
// A module is asked once a block: to execute. What it says of the form of a transaction is known from [Ledger.Check]; of those
// that were never admitted here it is asked before, of all together.
func (l *Ledger) Execute(ctx context.Context, view FullView, b Block, txs []*Tx) (*Result, error) {
	w := newWork(l, view, b)
	var err error
	if w.terms, err = l.book.at(ctx, view); err != nil {
		return nil, fmt.Errorf("execute block %d: %w", b.Height, err)
	}
	if err := w.begin(ctx, txs); err != nil {
		return nil, fmt.Errorf("execute block %d: %w", b.Height, err)
	}
	due, err := w.takeDue(ctx)
	if err != nil {
		return nil, fmt.Errorf("execute block %d: %w", b.Height, err)
	}
	groups := make([][]int, len(l.modules))
	for i, t := range txs {
		g := l.group(t.T.Module)
		groups[g] = append(groups[g], i)
	}
	for g, m := range l.modules {
		if len(groups[g]) == 0 && len(due[m.Name]) == 0 && len(b.Extensions[m.Name]) == 0 && w.consensus(m.Name) == nil {
			continue
		}
		if err := w.group(ctx, m, groups[g], due[m.Name]); err != nil {
			return nil, fmt.Errorf("execute block %d: %w", b.Height, inModule(m.Name, err))
		}
	}
	if err := l.book.follow(ctx, view, w.terms, w.changes); err != nil {
		return nil, fmt.Errorf("execute block %d: %w", b.Height, err)
	}
	return w.finish(ctx)
}

// inModule says of which module an error is, if it does not itself.
func inModule(name string, err error) error {
	var e *ModuleError
	if errors.As(err, &e) || errors.Is(err, ErrDiffers) {
		return err
	}
	return fmt.Errorf("module %q: %w", name, err)
}

// Check finds out what would make each transaction fail whatever the state is: whether its limits pay for its bytes, and
// what its module says of its form. The price list is that of [Ledger.Fees]. errs[i] is nil if txs[i] is well formed. What the
// modules say is kept with the transactions, so that a block that has them need not ask again.
func (l *Ledger) Check(ctx context.Context, txs []*Tx) (errs []error, err error) {
	errs = make([]error, len(txs))
	fees := l.book.current()
	for g, m := range l.modules {
		var list []*Tx
		var at []int
		for i, t := range txs {
			if l.group(t.T.Module) != g {
				continue
			}
			if _, errs[i] = fees.short(t); errs[i] == nil {
				list, at = append(list, t), append(at, i)
			}
		}
		if len(list) == 0 {
			continue
		}
		checks, err := l.checks(ctx, m, fees, list)
		if err != nil {
			return nil, err
		}
		for j, c := range checks {
			switch {
			case c.fault != nil:
				errs[at[j]] = fmt.Errorf("%w: module %s cannot be asked about it: %w", ErrMalformed, m.Name, c.fault)
			case c.err != "":
				errs[at[j]] = fmt.Errorf("%w: module %s refuses it: %s", ErrMalformed, m.Name, c.err)
			}
		}
	}
	return errs, nil
}
