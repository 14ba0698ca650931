package contract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// errUnknownLock gives the answer to a query its name.
var errUnknownLock = errors.New(ErrUnknownLock)

// defaultPage is how many locks a page has unless the query says.
const defaultPage = 20

// Query answers types.PathLock and types.PathLocks.
func (m *Module) Query(ctx context.Context, q module.Query, r module.Reader) (module.Answer, error) {
	path, args, hasArgs := strings.Cut(q.Path, "?")
	if text, ok := strings.CutPrefix(path, types.PathLock); ok && !hasArgs {
		return queryLock(ctx, q.Clock, text, r)
	}
	if text, ok := strings.CutPrefix(path, types.PathLocks); ok {
		return queryLocks(ctx, q.Clock, text, args, r)
	}
	return module.Answer{}, fmt.Errorf("%w: %.80q; the module %s has %s<id> and %s<account>", module.ErrUnknownPath, q.Path, types.ModuleContract, types.PathLock,
		types.PathLocks)
}

func queryLock(ctx context.Context, clock uint64, text string, r module.Reader) (module.Answer, error) {
	id, err := types.ParseHash(text)
	if err != nil {
		return module.Answer{}, fmt.Errorf("%w: id of a lock: %w", module.ErrInvalid, err)
	}
	views, items, err := read(ctx, clock, []types.Hash{id}, r)
	if err != nil {
		return module.Answer{}, err
	}
	if len(views) == 0 {
		return module.Answer{}, fmt.Errorf("%w: %w: there is no lock %s: it was never made, or is paid out", module.ErrUnknownPath, errUnknownLock, id)
	}
	b, err := json.Marshal(views[0])
	return module.Answer{JSON: b, RestsOn: items}, err
}

// read returns those of some locks that exist, and the items of all.
func read(ctx context.Context, clock uint64, ids []types.Hash, r module.Reader) ([]types.LockView, []module.Item, error) {
	items := make([]module.Item, len(ids))
	for i, id := range ids {
		items[i] = Item(id)
	}
	values, err := r.Read(ctx, module.BlockTx, items)
	if err != nil {
		return nil, nil, err
	}
	out := []types.LockView{}
	for i, v := range values {
		if v == nil {
			continue
		}
		l, err := types.DecodeLock(v)
		if err != nil {
			return nil, nil, fmt.Errorf("lock %s: %w", ids[i], err)
		}
		out = append(out, types.LockView{ID: ids[i], Lock: *l, State: l.State(clock)})
	}
	return out, items, nil
}

func queryLocks(ctx context.Context, clock uint64, text, args string, r module.Reader) (module.Answer, error) {
	account, err := types.ParseAccountID(text)
	if err != nil {
		return module.Answer{}, fmt.Errorf("%w: account: %w", module.ErrInvalid, err)
	}
	after, limit, err := parsePage(args)
	if err != nil {
		return module.Answer{}, fmt.Errorf("%w: %s: %w", module.ErrInvalid, types.PathLocks, err)
	}
	start := accountItem(account, types.Hash{})
	if after != nil {
		start = accountItem(account, *after)
		start.Key += "\x00"
	}
	end := accountItem(account, types.Hash{})
	end.Key = end.Key[:len(prefixAccount)+len(account)] + strings.Repeat("\xff", len(types.Hash{})+1)
	values, more, err := r.Scan(ctx, module.BlockTx, start, end, limit)
	if err != nil {
		return module.Answer{}, err
	}
	ids := make([]types.Hash, len(values))
	for i, v := range values {
		copy(ids[i][:], v.Item.Key[len(prefixAccount)+len(account):])
	}
	page := types.LockPage{Locks: []types.LockView{}}
	var rests []module.Item
	if len(ids) > 0 {
		if page.Locks, rests, err = read(ctx, clock, ids, r); err != nil {
			return module.Answer{}, err
		}
		if more {
			page.Next = &ids[len(ids)-1]
		}
	}
	for _, v := range values {
		rests = append(rests, v.Item)
	}
	b, err := json.Marshal(page)
	return module.Answer{JSON: b, RestsOn: rests}, err
}

func parsePage(args string) (after *types.Hash, limit int, err error) {
	values, err := url.ParseQuery(args)
	if err != nil {
		return nil, 0, err
	}
	limit = defaultPage
	for name, vs := range values {
		switch {
		case len(vs) != 1:
			err = fmt.Errorf("%.40q is there twice", name)
		case name == "after":
			var h types.Hash
			h, err = types.ParseHash(vs[0])
			after = &h
		case name == "limit":
			if limit, err = strconv.Atoi(vs[0]); err == nil && (limit < 1 || limit > types.MaxLockPage) {
				err = fmt.Errorf("limit %d is not 1 to %d", limit, types.MaxLockPage)
			}
		default:
			err = fmt.Errorf("%.40q is unknown; there are after and limit", name)
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return after, limit, nil
}
