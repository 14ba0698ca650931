package cometbftdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// Keys of the database: items lie behind a prefix, so that none can be taken for the version.
const dataPrefix = 'd'

var (
	versionKey = []byte("m")
	dataEnd    = []byte{dataPrefix + 1}
	errMissing = errors.New("the version record is missing")
)

// pageBytes is where a page of a scan ends; the largest item, added once, still fits a message.
const pageBytes = 4 << 20

// Store is an open instance. It implements storage.Store and io.Closer.
type Store struct {
	folder  *folder // nil for memdb
	cfg     config
	host    plugin.Host
	traits  traits
	writing chan struct{} // holds the right to write, one place
	room    func(dir string, n int64) error

	// gate is held for reading by reads, and for writing by what must not meet any: closing, opening again, and the
	// writes of an exclusive engine.
	gate sync.RWMutex
	eng  engine // nil while the database could not be opened again

	mu      sync.Mutex // guards what follows
	current *view
	status  storage.Status
	closed  bool

	// Only touched with the right to write.
	pending *operation
	suspect bool // the database has to be opened again before the next write
}

// view is a reader and its users. It is closed with its last user.
type view struct {
	reader
	version uint64
	users   int
}

// operation is a write that may outlive the call that began it, if the disk is full.
type operation struct {
	done chan struct{}
	err  error
}

func openStore(dir string, chain []byte, cfg config, host plugin.Host) (*Store, error) {
	s := &Store{cfg: cfg, host: host, writing: make(chan struct{}, 1), room: room}
	if cfg.Backend == memBackend {
		if err := s.openEngine(); err != nil {
			return nil, err
		}
		return s, nil
	}
	f, err := openFolder(dir, chain, cfg.Backend)
	if err != nil {
		return nil, err
	}
	s.folder = f
	if err := s.openEngine(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return s, nil
}

// openEngine opens the database, creating it if it has not been created, and reads its version. What is there when a
// database is opened has been read from files that it synced while opening, so it is durable.
func (s *Store) openEngine() (err error) {
	database, create := "", true
	if s.folder != nil {
		database, create = s.folder.database(), !s.folder.label.Created
	}
	eng, err := openEngine(s.cfg.Backend, database, s.cfg.Cache, create)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, eng.close())
		}
	}()
	if create {
		if err := eng.db().SetSync(versionKey, make([]byte, 8)); err != nil {
			return fmt.Errorf("create %s: %w", database, classify(err))
		}
		if err := eng.broken(); err != nil {
			return fmt.Errorf("create %s: %w", database, err)
		}
		if s.folder != nil {
			if err := s.folder.created(); err != nil {
				return err
			}
		}
	}
	r, err := eng.snapshot()
	if err != nil {
		return fmt.Errorf("open %s: %w", database, err)
	}
	raw, err := r.get(versionKey)
	if err == nil && len(raw) != 8 {
		err = fmt.Errorf("%w: %w (%d bytes)", storage.ErrCorrupt, errMissing, len(raw))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", database, err), r.close())
	}
	version := binary.BigEndian.Uint64(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eng, s.traits = eng, eng.traits()
	s.current = &view{reader: r, version: version, users: 1}
	s.status = storage.Status{Version: version, Durable: version}
	if s.traits.volatile {
		s.status.Durable = 0
	}
	return nil
}

// acquire returns the view of the current version; release must be called.
func (s *Store) acquire(ctx context.Context) (v *view, release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	s.gate.RLock()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		err = storage.ErrClosed
	case s.current == nil:
		err = fmt.Errorf("%s could not be opened again after a failed write; the next batch tries it: %w", s.folder.dir, storage.ErrNoSpace)
	}
	if err != nil {
		s.gate.RUnlock()
		return nil, nil, err
	}
	v = s.current
	v.users++
	return v, func() {
		s.mu.Lock()
		s.drop(v)
		s.mu.Unlock()
		s.gate.RUnlock()
	}, nil
}

// drop is called with mu held.
func (s *Store) drop(v *view) {
	if v.users--; v.users == 0 {
		if err := v.close(); err != nil && s.host != nil {
			s.host.Log("warn", "close a snapshot", map[string]string{"error": err.Error()})
		}
	}
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
	if err := storage.CheckKeys(keys); err != nil {
		return nil, 0, fmt.Errorf("get: %w", err)
	}
	v, release, err := s.acquire(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("get: %w", err)
	}
	defer release()
	values := make([][]byte, len(keys))
	buf := make([]byte, 0, storage.MaxKeyBytes+1)
	for i, k := range keys {
		if i%1024 == 1023 && ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		if values[i], err = v.get(append(append(buf[:0], dataPrefix), k...)); err != nil {
			return nil, 0, fmt.Errorf("get key %x from %s: %w", k, s.where(), err)
		}
	}
	return values, v.version, nil
}

// Scan implements storage.Store.
func (s *Store) Scan(ctx context.Context, start, end []byte, limit int) (page storage.Page, err error) {
	if err := storage.CheckScan(start, end, limit); err != nil {
		return page, err
	}
	v, release, err := s.acquire(ctx)
	if err != nil {
		return page, fmt.Errorf("scan: %w", err)
	}
	defer release()
	lower, upper := prefixed(start), dataEnd
	if len(end) > 0 {
		upper = prefixed(end)
	}
	page.Version = v.version
	if string(lower) >= string(upper) {
		return page, nil
	}
	it, err := v.iter(lower, upper)
	if err != nil {
		return page, fmt.Errorf("scan %s: %w", s.where(), err)
	}
	for size := 0; it.next(); {
		if len(page.Items) == limit || size >= pageBytes {
			page.More = true
			break
		}
		kv := storage.KV{Key: append([]byte{}, it.key()[1:]...), Value: append([]byte{}, it.value()...)}
		page.Items = append(page.Items, kv)
		size += len(kv.Key) + len(kv.Value) + storage.ItemBytes
	}
	if err := it.close(); err != nil {
		return storage.Page{}, fmt.Errorf("scan %s: %w", s.where(), err)
	}
	return page, nil
}

func prefixed(k []byte) []byte { return append(append(make([]byte, 0, len(k)+1), dataPrefix), k...) }

// where names the store in errors.
func (s *Store) where() string {
	if s.folder == nil {
		return s.cfg.Backend
	}
	return s.folder.database()
}
