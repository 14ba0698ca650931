package state

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Open reads the state that a store holds; one at version 0 is empty. It fails with ErrCorrupt if what it reads does not
// come to the root that was committed.
func Open(ctx context.Context, store storage.Store, opts Options) (*DB, error) {
	db := newDB(store, opts)
	if err := db.load(ctx); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	return db, nil
}

func (db *DB) load(ctx context.Context) error {
	st, err := db.store.Status(ctx, false)
	if err != nil {
		return err
	}
	if st.Version > st.Durable {
		// What was applied by a process before this one could not be applied again by this one.
		if st, err = db.store.Status(ctx, true); err != nil {
			return err
		}
	}
	if st.Version == 0 {
		return nil
	}
	l := &loader{db: db, version: st.Version}
	r, err := l.record(ctx)
	if err != nil {
		return err
	}
	db.pages = &pages{number: r.number, cursor: r.cursor}
	if db.opts.Rebuild {
		err = l.rebuild(ctx)
	} else if err = l.pages(ctx); err == nil {
		err = l.deltas(ctx)
	}
	if err != nil {
		return err
	}
	if hash := l.root.hash; hash != r.root {
		if db.opts.Rebuild {
			return fmt.Errorf("the items come to root %s, committed was %s: %w; wipe the node's data and let it catch up", hash, r.root, ErrCorrupt)
		}
		return fmt.Errorf("the pages come to root %s, committed was %s: %w; rebuild them from the items", hash, r.root, ErrCorrupt)
	}
	db.version = st.Version
	db.base = &Layer{db: db, root: l.root, status: committed, version: st.Version}
	return nil
}

// loader reads a state. Nobody else knows the DB yet.
type loader struct {
	db      *DB
	version uint64
	root    tree
}

func (l *loader) record(ctx context.Context) (record, error) {
	values, version, err := l.db.store.Get(ctx, [][]byte{recordKey})
	if err != nil {
		return record{}, err
	}
	if version != l.version {
		return record{}, fmt.Errorf("the store went from version %d to %d meanwhile: somebody else writes to it: %w", l.version, version, ErrCorrupt)
	}
	if len(values) != 1 || values[0] == nil {
		return record{}, fmt.Errorf("the store is at version %d, but holds no state: %w", version, ErrCorrupt)
	}
	r, err := decodeRecord(values[0])
	if err == nil && r.version != version {
		err = fmt.Errorf("the store is at version %d, its state at %d: %w", version, r.version, ErrCorrupt)
	}
	return r, err
}

// each calls fn for all that the store holds of a kind.
func (l *loader) each(ctx context.Context, kind byte, fn func(storage.KV) error) error {
	start, end := []byte{keySpace, kind}, []byte{keySpace, kind + 1}
	for {
		p, err := l.db.store.Scan(ctx, start, end, storage.MaxPage)
		if err != nil {
			return err
		}
		if p.Version != l.version {
			return fmt.Errorf("the store went from version %d to %d meanwhile: somebody else writes to it: %w", l.version, p.Version, ErrCorrupt)
		}
		for _, kv := range p.Items {
			if bytes.Compare(kv.Key, start) < 0 || bytes.Compare(kv.Key, end) >= 0 {
				return fmt.Errorf("the store returns key %x, which was not asked for: %w", kv.Key, ErrCorrupt)
			}
			if err := fn(kv); err != nil {
				return err
			}
			start = append(bytes.Clone(kv.Key), 0)
		}
		if !p.More {
			return nil
		}
		if len(p.Items) == 0 {
			return fmt.Errorf("the store returns an empty page and says that there are more items: %w", ErrCorrupt)
		}
	}
}

// pages grows the tree out of all pages.
func (l *loader) pages(ctx context.Context) error {
	var last []byte // page whose end is not known yet
	var group []types.StateLeaf
	add := func(value []byte, end *types.StatePath) (err error) {
		first := &l.db.pages.table[len(l.db.pages.table)-1].first
		if group, err = decodeLeaves(group, value, false, first, end); err != nil {
			return fmt.Errorf("page: %w", err)
		}
		if len(group) >= leafGroup || end == nil {
			l.put(group) // sorted, and beyond what is there: next to nothing is made twice
			group = group[:0]
		}
		return nil
	}
	table := &l.db.pages.table
	err := l.each(ctx, keyPage, func(kv storage.KV) error {
		first, err := parsePageKey(kv.Key)
		if err != nil {
			return err
		}
		if len(*table) == 0 && first != (types.StatePath{}) {
			return fmt.Errorf("the first page is missing: %w", ErrCorrupt)
		}
		if len(*table) > 0 {
			if err := add(last, &first); err != nil {
				return err
			}
		}
		*table, last = append(*table, page{first: first}), kv.Value
		return nil
	})
	if err != nil {
		return err
	}
	if len(*table) == 0 {
		*table = []page{{}}
		return nil
	}
	return add(last, nil)
}

// leafGroup is how many leaves are put into the tree at once.
const leafGroup = 100_000

// deltas puts what was committed since the pages into the tree.
func (l *loader) deltas(ctx context.Context) error {
	p := l.db.pages
	var group []types.StateLeaf
	err := l.each(ctx, keyDelta, func(kv storage.KV) error {
		number, part, err := parseDeltaKey(kv.Key)
		if err != nil {
			return err
		}
		if n := len(p.deltas); n > 0 && p.deltas[n-1].number == number && p.deltas[n-1].parts == part {
			p.deltas[n-1].parts++
		} else if part == 0 && number > 0 && number <= p.number {
			p.deltas = append(p.deltas, delta{number, 1})
		} else {
			return fmt.Errorf("delta %d, part %d, of %d commits: %w", number, part, p.number, ErrCorrupt)
		}
		had := len(group)
		group, err = decodeLeaves(group, kv.Value, true, &types.StatePath{}, nil)
		if err != nil {
			return fmt.Errorf("delta %d: %w", number, err)
		}
		p.mark(number, group[had:])
		if len(group) >= leafGroup {
			l.put(group)
			group = group[:0]
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.put(group)
	return nil
}

// put applies leaves in their order.
func (l *loader) put(leaves []types.StateLeaf) {
	g := newGrower(l.db.forest, l.db.opts.Workers)
	l.root = g.apply(l.root, sortLeaves(leaves), 0)
	g.finish()
	l.db.forest.release(g.replaced)
}

// rebuild reads every item. Of pages and deltas it only notes that they are there, so that they will be replaced.
func (l *loader) rebuild(ctx context.Context) error {
	p := l.db.pages
	p.all, p.table = true, []page{{since: 1}}
	err := l.each(ctx, keyPage, func(kv storage.KV) error {
		first, err := parsePageKey(kv.Key)
		if err == nil && first != (types.StatePath{}) {
			p.table = append(p.table, page{first, 1})
		}
		return err
	})
	if err != nil {
		return err
	}
	err = l.each(ctx, keyDelta, func(kv storage.KV) error {
		number, part, err := parseDeltaKey(kv.Key)
		if n := len(p.deltas); n > 0 && p.deltas[n-1].number == number {
			p.deltas[n-1].parts = part + 1
		} else {
			p.deltas = append(p.deltas, delta{number, part + 1})
		}
		return err
	})
	if err != nil {
		return err
	}
	var leaves []types.StateLeaf
	err = l.each(ctx, keyItem, func(kv storage.KV) error {
		it, err := parseItemKey(kv.Key)
		leaves = append(leaves, types.StateLeaf{Path: types.StatePathOf(it.Module, it.Place, it.Key), Value: types.StateValueHash(kv.Value)})
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(leaves, func(a, b types.StateLeaf) int { return a.Path.Compare(&b.Path) })
	l.put(leaves)
	return nil
}
