package state

import (
	"runtime"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// Options of a state. The zero value is what a node uses.
type Options struct {
	// PageEvery is in how many commits every page is rewritten once if it has changed; 64 if 0. Fewer make opening faster
	// and commits larger.
	PageEvery int
	// Workers is how many goroutines share the work on a large change; as many as processors if 0.
	Workers int
	// KeepBytes is how much that is committed but not durable may be held in memory before the store is told to sync;
	// 16 MiB if 0.
	KeepBytes int64
	// Rebuild makes Open ignore the pages and read every item instead, as a repair: it takes longer, and the next commit
	// rewrites all pages.
	Rebuild bool
}

// DB is an open state. There must be no other on the same store.
type DB struct {
	store  storage.Store
	opts   Options
	forest *forest

	// commit is held by whoever writes to the store. It guards pages and kept.
	commit sync.Mutex
	pages  *pages
	kept   kept

	// mu guards what readers see: the layers' links and which nodes are in use. Walking a tree needs it for reading,
	// releasing nodes for writing. It is never held over a call of the store.
	mu      sync.RWMutex
	version uint64
	base    *Layer
	attempt *attempt // a commit that may have taken effect in the store though it has not here

	liveMu sync.Mutex
	live   []*Layer // layers above the base, parents before their children
}

func newDB(store storage.Store, opts Options) *DB {
	if opts.PageEvery <= 0 {
		opts.PageEvery = 64
	}
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	if opts.KeepBytes <= 0 {
		opts.KeepBytes = 16 << 20
	}
	db := &DB{store: store, opts: opts, forest: newForest(), pages: &pages{table: []page{{}}}}
	db.base = &Layer{db: db, status: committed}
	return db
}

// Version returns the version of the store that the Base is: what the last commit was given, 0 for an empty state.
func (db *DB) Version() uint64 {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.version
}

// Base returns the committed state.
func (db *DB) Base() *Layer {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.base
}

// register adds a layer to those above the base. It is called with mu held for reading.
func (db *DB) register(l *Layer) {
	db.liveMu.Lock()
	db.live = append(db.live, l)
	db.liveMu.Unlock()
}

// path returns the layers above the base up to l, the lowest first; nil if l is not above the base. It is called with mu
// held.
func (db *DB) path(l *Layer) []*Layer {
	var up []*Layer
	for ; l != db.base; l = l.parent {
		if l == nil || l.status != live {
			return nil
		}
		up = append(up, l)
	}
	for i, j := 0, len(up)-1; i < j; i, j = i+1, j-1 {
		up[i], up[j] = up[j], up[i]
	}
	return up
}

// advance makes the layer of a commit that the store has taken the base.
func (db *DB) advance(a *attempt) {
	db.pages = a.pages
	db.mu.Lock()
	defer db.mu.Unlock()
	var unused []ref
	for _, l := range db.path(a.layer) {
		unused = append(unused, l.replaced...)
		if l != a.layer {
			l.status = dropped
			l.letGo()
		}
	}
	if a.layer != db.base {
		db.base.status = dropped
	}
	a.layer.status, a.layer.version = committed, a.batch.To
	a.layer.letGo()
	db.base, db.version, db.attempt = a.layer, a.batch.To, nil

	// liveMu need not be held: a layer is registered under mu.
	keep := db.live[:0:0]
	for _, l := range db.live {
		switch {
		case l.status != live: // the new base, or beneath it
		case l.parent.status == dropped:
			unused = append(unused, l.made...)
			l.status = dropped
			l.letGo()
		default:
			keep = append(keep, l)
		}
	}
	db.live = keep
	db.forest.release(unused)
}

// letGo drops what only a layer above the base needs.
func (l *Layer) letGo() {
	l.parent, l.changes, l.leaves, l.made, l.replaced, l.run, l.below = nil, nil, nil, nil, nil, nil, nil
}
