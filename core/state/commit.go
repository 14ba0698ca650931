package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// attempt is a commit under way, or one whose outcome is not known.
type attempt struct {
	layer *Layer
	pages *pages // as they are once it has taken effect
	batch storage.Batch
}

// Commit writes a layer and all layers beneath it to the store, with what else the caller puts and deletes, in one batch
// that brings the store to a version above the present one. Then the layer is the Base. Keys of the caller must not begin
// with 's'; its slices must not be changed any more.
//
// An error leaves the state as it was. If the store may have taken the batch nevertheless, or may take it later, the next
// call of Commit sends that batch again before its own, whatever layer it is for. To commit what is committed already
// changes nothing.
func (db *DB) Commit(ctx context.Context, layer *Layer, version uint64, puts []storage.KV, deletes [][]byte) error {
	for _, kv := range puts {
		if len(kv.Key) > 0 && kv.Key[0] == keySpace {
			return fmt.Errorf("state: commit: the key %x is the state's own: %w", kv.Key, ErrInvalid)
		}
	}
	for _, k := range deletes {
		if len(k) > 0 && k[0] == keySpace {
			return fmt.Errorf("state: commit: the key %x is the state's own: %w", k, ErrInvalid)
		}
	}
	if layer == nil || layer.db != db {
		return fmt.Errorf("state: commit: the layer belongs to another state: %w", ErrInvalid)
	}
	db.commit.Lock()
	defer db.commit.Unlock()
	if err := db.commitLocked(ctx, layer, version, puts, deletes); err != nil {
		return fmt.Errorf("state: commit version %d: %w", version, err)
	}
	return nil
}

func (db *DB) commitLocked(ctx context.Context, layer *Layer, version uint64, puts []storage.KV, deletes [][]byte) error {
	for range maxRetries {
		if layer.version == version && version > 0 {
			return nil // it is, or was, committed
		}
		a := db.attempt // of which the store may finish what it has begun: it goes first
		if a == nil {
			var err error
			if a, err = db.prepare(layer, version, puts, deletes); err != nil {
				return err
			}
		}
		st, err := db.store.Apply(ctx, a.batch)
		switch {
		case err == nil:
			db.taken(a, st)
		case errors.Is(err, storage.ErrWrongVersion): // it has fallen back
			if err := db.settle(ctx); err != nil {
				return err
			}
		case errors.Is(err, storage.ErrInvalid), errors.Is(err, storage.ErrTooLarge):
			db.setAttempt(nil) // it never will be taken
			return err
		default:
			return err
		}
	}
	return fmt.Errorf("the store falls back again and again: %w", ErrLost)
}

func (db *DB) setAttempt(a *attempt) {
	db.mu.Lock()
	db.attempt = a
	db.mu.Unlock()
}

// prepare makes the batch and remembers it, since from now on the store may have it.
func (db *DB) prepare(layer *Layer, version uint64, puts []storage.KV, deletes [][]byte) (*attempt, error) {
	if layer.status == dropped { // with commit held, nobody changes it
		return nil, ErrStale
	}
	if version <= db.version {
		return nil, fmt.Errorf("the state is at version %d: %w", db.version, ErrInvalid)
	}
	path := db.path(layer)
	items, leaves := merge(path)
	a := &attempt{layer: layer, batch: storage.Batch{From: db.version, To: version, Sync: db.kept.wantSync(db.opts.KeepBytes)}}
	b := &a.batch
	b.Puts = make([]storage.KV, 0, len(puts)+len(items)+8)
	b.Puts = append(b.Puts, puts...)
	b.Deletes = append(b.Deletes, deletes...)
	a.pages = db.pages.next(db.forest, layer.root.node, leaves, db.opts.PageEvery, b)
	r := record{version: version, number: a.pages.number, root: layer.root.hash, cursor: a.pages.cursor}
	b.Puts = append(b.Puts, storage.KV{Key: recordKey, Value: r.encode()})
	for it, value := range items {
		k := appendItemKey(make([]byte, 0, keyOverhead+len(it.Module)+len(it.Key)), it.Module, it.pos())
		if value == nil {
			b.Deletes = append(b.Deletes, k)
		} else {
			b.Puts = append(b.Puts, storage.KV{Key: k, Value: value})
		}
	}
	slices.SortFunc(b.Puts, func(x, y storage.KV) int { return bytes.Compare(x.Key, y.Key) })
	slices.SortFunc(b.Deletes, bytes.Compare)
	db.setAttempt(a)
	return a, nil
}

// merge returns what layers, the lowest first, change together.
func merge(path []*Layer) (map[Item][]byte, []types.StateLeaf) {
	switch len(path) {
	case 0:
		return nil, nil
	case 1:
		return path[0].changes.items, path[0].leaves
	}
	items := map[Item][]byte{}
	var leaves []types.StateLeaf
	for _, l := range path {
		maps.Copy(items, l.changes.items)
		leaves = append(leaves, l.leaves...)
	}
	return items, sortLeaves(leaves)
}

// taken notes that the store has taken an attempt.
func (db *DB) taken(a *attempt, st storage.Status) {
	db.kept.add(a.batch, st, db.opts.KeepBytes)
	db.advance(a)
}

// settle finds out where the store stands. If it has taken the attempt, so does the state; if it has fallen back, it is
// brought forward. It is called with commit held.
func (db *DB) settle(ctx context.Context) error {
	st, err := db.store.Status(ctx, false)
	if err != nil {
		return err
	}
	if st.Version < db.version {
		if st, err = db.kept.replay(ctx, db.store, st.Version, db.version); err != nil {
			return err
		}
	}
	if st.Version == db.version {
		return nil
	}
	if a := db.attempt; a != nil && a.batch.To == st.Version {
		db.taken(a, st)
		return nil
	}
	return fmt.Errorf("the store is at version %d, the state at %d: somebody else writes to the store: %w", st.Version, db.version, ErrCorrupt)
}

// restore brings a store forward that a reader has found fallen back.
func (db *DB) restore(ctx context.Context) error {
	db.commit.Lock()
	defer db.commit.Unlock()
	return db.settle(ctx)
}
