package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// reader lets a module read its own namespace, and what others export. How much, the guard around the module has seen to. It
// remembers an error of the state, which must come out of the block as it is, whatever a module at the other end of a
// connection makes of it.
type reader struct {
	w      *work
	module string

	mu   sync.Mutex
	lost error
}

// Read implements module.Reader.
func (r *reader) Read(ctx context.Context, _ int, items []module.Item) ([][]byte, error) {
	for _, it := range items {
		if it.Module != "" && !r.w.l.exported(it) {
			return nil, fmt.Errorf("%w: %s", module.ErrInvalid, notExported(it))
		}
	}
	return r.values(ctx, items)
}

func notExported(it module.Item) string {
	return fmt.Sprintf("the module %.80q exports no key like %.80q", it.Module, it.Key)
}

// values reads items of which those of other modules are exported.
func (r *reader) values(ctx context.Context, items []module.Item) ([][]byte, error) {
	out := make([][]byte, len(items))
	var miss []state.Item
	var at []int
	for i, it := range items {
		si := stateItem(r.module, it)
		if it.Module == "" { // of another module: as it was at the start of the block
			if v, ok := r.w.changes[si]; ok {
				out[i] = v
				continue
			}
		}
		miss, at = append(miss, si), append(at, i)
	}
	if len(miss) == 0 {
		return out, nil
	}
	values, err := r.w.view.Get(ctx, miss)
	if err != nil {
		return nil, r.lose(err)
	}
	for j, i := range at {
		out[i] = values[j]
	}
	return out, nil
}

// lose remembers the first error of the state.
func (r *reader) lose(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost == nil {
		r.lost = err
	}
	return err
}

// verdict sorts the error of a call that read through r, which is nil if it read nothing: what comes of the state or of the
// caller's context stays what it is, a fault and a difference too, and all else is a [ModuleError].
func (r *reader) verdict(ctx context.Context, name string, err error) error {
	if err == nil {
		return nil
	}
	if r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.lost != nil {
			return r.lost
		}
	}
	if errors.Is(err, module.ErrFault) || errors.Is(err, ErrDiffers) {
		return err
	}
	if cause := ctx.Err(); cause != nil {
		if !errors.Is(err, cause) {
			err = fmt.Errorf("%w (%v)", cause, err)
		}
		return err
	}
	return &ModuleError{name, err}
}

// Scan implements module.Reader. It shows the state at the start of the block.
func (r *reader) Scan(ctx context.Context, _ int, start, end module.Item, limit int) ([]module.Value, bool, error) {
	values, more, err := scan(ctx, r.w.view, r.module, start, end, limit)
	if err != nil {
		return nil, false, r.lose(err)
	}
	return values, more, nil
}

func scan(ctx context.Context, view FullView, mod string, start, end module.Item, limit int) ([]module.Value, bool, error) {
	entries, more, err := view.Scan(ctx, mod, state.ScanPos{Place: start.Place, Key: start.Key}, state.ScanPos{Place: end.Place, Key: end.Key}, limit)
	if err != nil {
		return nil, false, err
	}
	out := make([]module.Value, len(entries))
	for i, e := range entries {
		out[i] = module.Value{Item: module.Item{Place: e.Item.Place, Key: e.Item.Key}, Data: e.Value}
	}
	return out, more, nil
}

// QueryReader reads a module's namespace for a query or an extension. What other modules export, it does not show.
func QueryReader(view FullView, mod string) module.Reader { return &queryReader{view, mod} }

type queryReader struct {
	view FullView
	mod  string
}

func (r *queryReader) Read(ctx context.Context, _ int, items []module.Item) ([][]byte, error) {
	si := make([]state.Item, len(items))
	for i, it := range items {
		if it.Module != "" {
			return nil, fmt.Errorf("%w: an item of the module %.80q; only Execute reads what others export", module.ErrInvalid, it.Module)
		}
		si[i] = state.Item{Module: r.mod, Place: it.Place, Key: it.Key}
	}
	return r.view.Get(ctx, si)
}

func (r *queryReader) Scan(ctx context.Context, _ int, start, end module.Item, limit int) ([]module.Value, bool, error) {
	if limit < 1 || limit > module.MaxReadsPerTx {
		return nil, false, fmt.Errorf("%w: scan limit %d", module.ErrInvalid, limit)
	}
	return scan(ctx, r.view, r.mod, start, end, limit)
}

// AccountItems are where the state holds what it has of an account: its balance, and its authority.
func AccountItems(id types.AccountID) []state.Item {
	return []state.Item{balanceItem(id), authorityItem(id)}
}

// AccountOf returns an account, and its authority or nil.
func AccountOf(ctx context.Context, view View, id types.AccountID) (Account, *types.Authority, error) {
	v, err := view.Get(ctx, AccountItems(id))
	if err != nil {
		return Account{}, nil, err
	}
	a, err := decodeAccount(v[0])
	if err != nil || v[1] == nil {
		return a, nil, err
	}
	auth, err := types.DecodeAuthority(v[1])
	return a, auth, err
}
