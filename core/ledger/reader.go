package ledger

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// reader lets a module read its own namespace. How much, the guard around the module has seen to.
type reader struct {
	w      *work
	module string
}

// Read implements module.Reader.
func (r *reader) Read(ctx context.Context, _ int, items []module.Item) ([][]byte, error) {
	return r.values(ctx, items)
}

func (r *reader) values(ctx context.Context, items []module.Item) ([][]byte, error) {
	out := make([][]byte, len(items))
	var miss []state.Item
	var at []int
	for i, it := range items {
		si := state.Item{Module: r.module, Place: it.Place, Key: it.Key}
		if v, ok := r.w.changes[si]; ok {
			out[i] = v
			continue
		}
		miss, at = append(miss, si), append(at, i)
	}
	if len(miss) == 0 {
		return out, nil
	}
	values, err := r.w.view.Get(ctx, miss)
	if err != nil {
		return nil, err
	}
	for j, i := range at {
		out[i] = values[j]
	}
	return out, nil
}

// Scan implements module.Reader. It shows the state at the start of the block.
func (r *reader) Scan(ctx context.Context, _ int, start, end module.Item, limit int) ([]module.Value, bool, error) {
	return scan(ctx, r.w.view, r.module, start, end, limit)
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

// QueryReader reads a module's namespace for a query.
func QueryReader(view FullView, mod string) module.Reader { return &queryReader{view, mod} }

type queryReader struct {
	view FullView
	mod  string
}

func (r *queryReader) Read(ctx context.Context, _ int, items []module.Item) ([][]byte, error) {
	si := make([]state.Item, len(items))
	for i, it := range items {
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
