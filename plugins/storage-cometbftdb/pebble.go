package cometbftdb

import (
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/bloom"
	"github.com/cockroachdb/pebble/vfs"
	dbm "github.com/cometbft/cometbft-db"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// pebbleEngine is pebble on a file system that holds writes up while the disk is full; see diskFS.
type pebbleEngine struct {
	pebble *dbm.PebbleDB
	disk   *disk
}

// openPebble opens pebble with Bloom filters, without which a get that finds nothing reads every level, and a memtable
// and thresholds with which a block's batch never waits for a flush.
func openPebble(database string, cache int64, create bool) (_ engine, err error) {
	d := newDisk()
	defer func() {
		// Pebble gives up by Logger.Fatalf, here a panic, when it cannot write its manifest.
		if r := recover(); r != nil {
			f, ok := r.(fatalError)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("open %s: %w", database, pebbleError(f))
		}
		if err != nil {
			d.release()
		}
	}()
	blocks := pebble.NewCache(cache)
	defer blocks.Unref() // the database holds it from here on
	opts := &pebble.Options{
		Cache:                       blocks,
		FS:                          diskFS{vfs.Default, d},
		Logger:                      quietLogger{},
		FormatMajorVersion:          pebble.FormatNewest,
		ErrorIfNotExists:            !create,
		ErrorIfExists:               create,
		MemTableSize:                16 << 20,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                512,
		BytesPerSync:                1 << 20,
		WALBytesPerSync:             1 << 20,
		Levels:                      make([]pebble.LevelOptions, 7),
	}
	for i := range opts.Levels {
		l := &opts.Levels[i]
		l.BlockSize = 16 << 10
		l.FilterPolicy = bloom.FilterPolicy(10)
		l.FilterType = pebble.TableFilter
		l.TargetFileSize = int64(4<<20) << min(i, 4)
	}
	dir, name := split(database)
	db, err := dbm.NewPebbleDBWithOpts(name, dir, opts)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", database, pebbleError(err))
	}
	d.opened()
	return &pebbleEngine{db, d}, nil
}

// pebbleError tells corruption from other errors.
func pebbleError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pebble.ErrClosed):
		return fmt.Errorf("%w: %w", storage.ErrClosed, err)
	case errors.Is(err, pebble.ErrCorruption) || errors.Is(err, pebble.ErrDBDoesNotExist) || errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: %w", storage.ErrCorrupt, err)
	}
	return classify(err)
}

// fatalError is how pebble's Fatalf arrives.
type fatalError struct{ error }

func (f fatalError) Unwrap() error { return f.error }

// quietLogger drops what pebble says of its work. Fatalf must not return; since the file system below shows pebble no
// failing write, it is left with broken invariants, for which ending the process is right.
type quietLogger struct{}

func (quietLogger) Infof(string, ...any) {}
func (quietLogger) Fatalf(format string, args ...any) {
	for _, a := range args {
		if err, ok := a.(error); ok {
			panic(fatalError{fmt.Errorf(format+" (%w)", append(append([]any{}, args...), err)...)})
		}
	}
	panic(fatalError{fmt.Errorf(format, args...)})
}

func (e *pebbleEngine) db() dbm.DB { return e.pebble }

func (e *pebbleEngine) snapshot() (reader, error) {
	return pebbleReader{e.pebble.DB().NewSnapshot()}, nil
}

// sync writes an empty record to the log and syncs it, and with it all that was written before.
func (e *pebbleEngine) sync() error { return pebbleError(e.pebble.DB().LogData(nil, pebble.Sync)) }

func (e *pebbleEngine) full() <-chan struct{} { return e.disk.fullChan() }
func (e *pebbleEngine) broken() error         { return e.disk.failure() }
func (e *pebbleEngine) abandon()              { e.disk.fail(storage.ErrClosed) }
func (e *pebbleEngine) traits() traits        { return traits{} }

func (e *pebbleEngine) close() error {
	e.disk.closing()
	err := e.pebble.DB().Close()
	if ferr := e.disk.failure(); ferr != nil && !errors.Is(ferr, storage.ErrClosed) {
		err = ferr
	}
	return pebbleError(err)
}

type pebbleReader struct{ s *pebble.Snapshot }

func (r pebbleReader) get(key []byte) ([]byte, error) {
	v, closer, err := r.s.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, pebbleError(err)
	}
	out := append(make([]byte, 0, len(v)), v...)
	return out, closer.Close()
}

func (r pebbleReader) iter(start, end []byte) (iterator, error) {
	it, err := r.s.NewIter(&pebble.IterOptions{LowerBound: start, UpperBound: end})
	if err != nil {
		return nil, pebbleError(err)
	}
	return &pebbleIterator{it: it}, nil
}

func (r pebbleReader) close() error { return r.s.Close() }

type pebbleIterator struct {
	it      *pebble.Iterator
	started bool
}

func (i *pebbleIterator) next() bool {
	if !i.started {
		i.started = true
		return i.it.First()
	}
	return i.it.Next()
}

func (i *pebbleIterator) key() []byte   { return i.it.Key() }
func (i *pebbleIterator) value() []byte { return i.it.Value() }
func (i *pebbleIterator) close() error  { return pebbleError(i.it.Close()) }
