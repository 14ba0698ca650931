package state

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Layer is the state after some block: what the block changed, over the layer of the block before it. It may be used by
// several goroutines at once. Calls that ask the store are right whatever commits go on meanwhile, or fail.
type Layer struct {
	db     *DB
	root   tree
	parent *Layer // nil for the base and for layers that were dropped

	// What the block changed. The base has let go of it: the store holds it.
	changes  *diff
	leaves   []types.StateLeaf // sorted by path
	made     []ref
	replaced []ref

	// run, if there is one, is the changes of this layer and of others beneath it, down to, but not including, the layer
	// below. It keeps reads fast when many layers wait for a commit.
	run   *diff
	below *Layer

	status  status
	version uint64 // of the store, once the layer has been committed
}

type status uint8

const (
	live      status = iota // above the base
	committed               // the base
	dropped
)

// The fields parent to version are guarded by DB.mu. The maps and slices that they hold never change.

// runLayers is how many layers' changes are gathered into one run.
const runLayers = 16

// Root returns the state root. It can be asked of a layer that was dropped, too.
func (l *Layer) Root() types.Hash { return l.root.hash }

// Prove returns for each item the proof that it has its value, or that it has none. It asks no store.
func (l *Layer) Prove(ctx context.Context, items []Item) ([]types.StateProof, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	paths := make([]types.StatePath, len(items))
	for i := range items {
		if err := items[i].check(); err != nil {
			return nil, fmt.Errorf("state: prove: %w", err)
		}
		paths[i] = types.StatePathOf(items[i].Module, items[i].Place, items[i].Key)
	}
	l.db.mu.RLock()
	defer l.db.mu.RUnlock()
	if l.status == dropped {
		return nil, ErrStale
	}
	proofs := make([]types.StateProof, len(items))
	for i := range paths {
		proofs[i] = l.db.forest.prove(l.root.node, &paths[i])
	}
	return proofs, nil
}

// Derive returns the layer that has the changes over this one. Of several changes of one item, the last counts. The
// layer keeps the values, which must not be changed any more.
func (l *Layer) Derive(ctx context.Context, changes []Change) (*Layer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i := range changes {
		if err := changes[i].check(); err != nil {
			return nil, fmt.Errorf("state: derive: %w", err)
		}
	}
	c := &Layer{db: l.db, parent: l, changes: newDiff(len(changes)), leaves: changedLeaves(changes, l.db.opts.Workers)}
	for i := range changes {
		c.changes.items[changes[i].Item] = changes[i].Value
	}
	db := l.db
	db.mu.RLock() // keeps the nodes of l's tree where they are
	defer db.mu.RUnlock()
	if l.status == dropped {
		return nil, ErrStale
	}
	g := newGrower(db.forest, db.opts.Workers)
	c.root = g.apply(l.root, c.leaves, 0)
	g.finish()
	c.made, c.replaced = g.made, g.replaced
	c.gather()
	db.register(c)
	return c, nil
}

// gather makes a run if enough layers beneath have none. It is called before the layer is known to others, with DB.mu
// held.
func (l *Layer) gather() {
	singles := []*Layer{l}
	x := l.parent
	for ; x != nil && x.status == live && x.run == nil && len(singles) < runLayers; x = x.parent {
		singles = append(singles, x)
	}
	if len(singles) < runLayers {
		return
	}
	l.run, l.below = newDiff(0), x
	for _, s := range slices.Backward(singles) {
		maps.Copy(l.run.items, s.changes.items)
	}
}

// view is what lies over the store for a reader of a layer.
type view struct {
	version uint64  // of the store beneath
	diffs   []*diff // the topmost first
}

func (l *Layer) view() (view, error) {
	l.db.mu.RLock()
	defer l.db.mu.RUnlock()
	if l.status == dropped {
		return view{}, ErrStale
	}
	v := view{version: l.db.version}
	for x := l; x != nil && x.status == live; {
		if x.run != nil {
			v.diffs, x = append(v.diffs, x.run), x.below
		} else {
			v.diffs, x = append(v.diffs, x.changes), x.parent
		}
	}
	return v, nil
}

// changedLeaves returns the leaves of changes, sorted by path, of each item the last.
func changedLeaves(changes []Change, workers int) []types.StateLeaf {
	leaves := make([]types.StateLeaf, len(changes))
	hash := func(from, to int) {
		for i := from; i < to; i++ {
			c := &changes[i]
			leaves[i].Path = types.StatePathOf(c.Item.Module, c.Item.Place, c.Item.Key)
			if c.Value != nil {
				leaves[i].Value = types.StateValueHash(c.Value)
			}
		}
	}
	var wg sync.WaitGroup
	at := 0
	for ; workers > 1 && len(changes)-at >= 2*parallelMin; workers-- {
		from, to := at, at+(len(changes)-at)/workers
		wg.Go(func() { hash(from, to) })
		at = to
	}
	hash(at, len(changes))
	wg.Wait()
	return sortLeaves(leaves)
}

// sortLeaves sorts by path; of several leaves with one path it keeps the last.
func sortLeaves(leaves []types.StateLeaf) []types.StateLeaf {
	// The items of an account share the first 8 bytes of their paths, its place, so the next 8 are at hand as well.
	type entry struct {
		a, b uint64
		at   int32
	}
	order := make([]entry, len(leaves))
	for i := range leaves {
		p := &leaves[i].Path
		order[i] = entry{binary.BigEndian.Uint64(p[0:]), binary.BigEndian.Uint64(p[8:]), int32(i)}
	}
	slices.SortFunc(order, func(x, y entry) int {
		switch {
		case x.a != y.a:
			return cmp.Compare(x.a, y.a)
		case x.b != y.b:
			return cmp.Compare(x.b, y.b)
		}
		if c := leaves[x.at].Path.Compare(&leaves[y.at].Path); c != 0 {
			return c
		}
		return cmp.Compare(x.at, y.at)
	})
	out := make([]types.StateLeaf, 0, len(leaves))
	for _, e := range order {
		if n := len(out); n > 0 && out[n-1].Path == leaves[e.at].Path {
			out[n-1] = leaves[e.at]
		} else {
			out = append(out, leaves[e.at])
		}
	}
	return out
}
