package state

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// maxRetries is how often a read asks again after the store had fallen back and was brought forward.
const maxRetries = 4

// Get returns the values of items, nil where there is none. What no layer holds takes one call of the store.
// The values must not be changed.
func (l *Layer) Get(ctx context.Context, items []Item) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i := range items {
		if err := items[i].check(); err != nil {
			return nil, fmt.Errorf("state: get: %w", err)
		}
	}
	v, err := l.view()
	if err != nil {
		return nil, err
	}
	values := make([][]byte, len(items))
	var missing []Item
	var at []int
next:
	for i := range items {
		for _, d := range v.diffs {
			if value, ok := d.items[items[i]]; ok {
				values[i] = value
				continue next
			}
		}
		missing, at = append(missing, items[i]), append(at, i)
	}
	if len(missing) == 0 {
		return values, nil
	}
	keys := itemKeys(missing)
	err = l.read(ctx, v.version, func() (uint64, error) {
		got, version, err := l.db.store.Get(ctx, keys)
		if err != nil {
			return 0, err
		}
		if len(got) != len(keys) {
			return 0, fmt.Errorf("%d values for %d keys: %w", len(got), len(keys), ErrCorrupt)
		}
		for j, i := range at {
			values[i] = got[j]
		}
		return version, nil
	})
	if err != nil {
		return nil, fmt.Errorf("state: get %d items: %w", len(items), err)
	}
	return values, nil
}

// read calls ask, which reads from the store and returns the version read, until that version is one that the layer's
// state shares with the version `seen` beneath its view, except for what the view holds.
//
// A commit between the two does no harm if the layer is still there: the store then holds the state of a layer between
// what was the base and this one, which differs from the base only in items that the view has.
func (l *Layer) read(ctx context.Context, seen uint64, ask func() (uint64, error)) error {
	for range maxRetries {
		version, err := ask()
		if err != nil {
			return err
		}
		ok, err := l.fits(seen, version)
		if ok || err != nil {
			return err
		}
		if err := l.db.restore(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("the store falls back again and again: %w", ErrLost)
}

// fits tells whether what was read from a version of the store is good for the layer; if not, the store has fallen back.
func (l *Layer) fits(seen, version uint64) (bool, error) {
	if version == seen {
		return true, nil
	}
	l.db.mu.RLock()
	defer l.db.mu.RUnlock()
	switch {
	case l.status == dropped:
		return false, ErrStale
	case version < seen:
		return false, nil
	case version <= l.db.version:
		return true, nil
	}
	if a := l.db.attempt; a != nil && a.batch.To == version { // its answer is still to come, or was lost
		for x := l; x != nil; x = x.parent {
			if x == a.layer {
				return true, nil
			}
		}
		return false, ErrStale // in a moment
	}
	return false, fmt.Errorf("the store is at version %d, the state at %d: somebody else writes to the store: %w", version, l.db.version, ErrCorrupt)
}

// Scan returns up to limit (at least 1) items of a module from start up to, but not including, end, in order, and
// whether there are more. The values must not be changed.
func (l *Layer) Scan(ctx context.Context, module string, start, end ScanPos, limit int) (entries []Entry, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if limit < 1 || len(module) > types.MaxStateModuleBytes {
		return nil, false, fmt.Errorf("state: scan: limit %d, module of %d bytes: %w", limit, len(module), ErrInvalid)
	}
	if start.Compare(end) >= 0 {
		return nil, false, nil
	}
	v, err := l.view()
	if err != nil {
		return nil, false, err
	}
	s := &scanner{l: l, v: v, module: module, over: v.overlay(module, start, end), limit: min(limit, 1<<30)}
	if entries, more, err = s.run(ctx, start, end); err != nil {
		return nil, false, fmt.Errorf("state: scan module %s: %w", module, err)
	}
	return entries, more, nil
}

// scanner merges what the layers hold with pages from the store.
type scanner struct {
	l      *Layer
	v      view
	module string
	over   []Entry // ascending; nil values are deletions
	limit  int
	out    []Entry
}

func (s *scanner) run(ctx context.Context, start, end ScanPos) ([]Entry, bool, error) {
	from, to := boundKey(s.module, start), boundKey(s.module, end)
	for {
		var page storage.Page
		err := s.l.read(ctx, s.v.version, func() (version uint64, err error) {
			// One more than needed tells whether there are more; each deletion may take one away.
			page, err = s.l.db.store.Scan(ctx, from, to, min(s.limit-len(s.out)+1+len(s.over), storage.MaxPage))
			return page.Version, err
		})
		if err != nil {
			return nil, false, err
		}
		if page.More && len(page.Items) == 0 {
			return nil, false, fmt.Errorf("the store returns an empty page and says that there are more items: %w", ErrCorrupt)
		}
		for _, kv := range page.Items {
			it, err := parseItemKey(kv.Key)
			if err != nil {
				return nil, false, err
			}
			if it.Module != s.module || bytes.Compare(kv.Key, from) < 0 || bytes.Compare(kv.Key, to) >= 0 {
				return nil, false, fmt.Errorf("the store returns key %x, which was not asked for: %w", kv.Key, ErrCorrupt)
			}
			from = append(kv.Key[:len(kv.Key):len(kv.Key)], 0)
			if !s.below(it.pos()) {
				s.put(Entry{it, kv.Value})
			}
			if len(s.out) > s.limit {
				return s.out[:s.limit], true, nil
			}
		}
		if !page.More {
			break
		}
	}
	for len(s.over) > 0 && len(s.out) <= s.limit {
		s.put(s.over[0])
		s.over = s.over[1:]
	}
	if len(s.out) > s.limit {
		return s.out[:s.limit], true, nil
	}
	return s.out, false, nil
}

// below puts out what the layers hold up to and including a position, and tells whether they hold the position itself.
func (s *scanner) below(p ScanPos) bool {
	for len(s.over) > 0 {
		c := s.over[0].Item.pos().Compare(p)
		if c > 0 {
			return false
		}
		s.put(s.over[0])
		s.over = s.over[1:]
		if c == 0 {
			return true
		}
	}
	return false
}

// put takes an entry unless it is a deletion. One more than the limit shows that there are more.
func (s *scanner) put(e Entry) {
	if e.Value != nil && len(s.out) <= s.limit {
		s.out = append(s.out, e)
	}
}

// boundKey cuts a key that is longer than any item's, which changes nothing in how it compares to theirs.
func boundKey(module string, p ScanPos) []byte {
	p.Key = p.Key[:min(len(p.Key), types.MaxStateKeyBytes+1)]
	return appendItemKey(nil, module, p)
}

// overlay returns what the layers hold in a range, in order, deletions as nil values.
func (v *view) overlay(module string, start, end ScanPos) []Entry {
	var all []Entry
	for _, d := range v.diffs {
		list := d.sortedOf(module)
		from, _ := slices.BinarySearchFunc(list, start, comparePos)
		to, _ := slices.BinarySearchFunc(list, end, comparePos)
		all = append(all, list[from:to]...)
	}
	// Stable: of several entries of an item, the one of the topmost layer stays in front.
	slices.SortStableFunc(all, func(a, b Entry) int { return a.Item.pos().Compare(b.Item.pos()) })
	return slices.CompactFunc(all, func(a, b Entry) bool { return a.Item == b.Item })
}

func comparePos(e Entry, p ScanPos) int { return e.Item.pos().Compare(p) }
