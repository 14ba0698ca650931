package cometbftdb

import (
	"errors"
	"fmt"
	"os"

	dbm "github.com/cometbft/cometbft-db"
	"github.com/syndtr/goleveldb/leveldb"
	lerrors "github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/filter"
	liter "github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// levelEngine is goleveldb. It neither syncs a log that it rotates nor goes on after a failed write; see traits.
type levelEngine struct{ level *dbm.GoLevelDB }

func openLevel(database string, cache int64, create bool) (engine, error) {
	if !create {
		if err := checkLevelLogs(database); err != nil {
			return nil, err
		}
	}
	dir, name := split(database)
	level, err := dbm.NewGoLevelDBWithOpts(name, dir, &opt.Options{
		BlockCacheCapacity:     int(cache),
		Filter:                 filter.NewBloomFilter(10),
		WriteBuffer:            8 << 20,
		OpenFilesCacheCapacity: 256,
		ErrorIfMissing:         !create,
		ErrorIfExist:           create,
	})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", database, levelError(err))
	}
	return &levelEngine{level}, nil
}

// levelError tells corruption from other errors.
func levelError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, leveldb.ErrClosed):
		return fmt.Errorf("%w: %w", storage.ErrClosed, err)
	case lerrors.IsCorrupted(err) || errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: %w", storage.ErrCorrupt, err)
	}
	return classify(err)
}

func (e *levelEngine) db() dbm.DB { return e.level }

func (e *levelEngine) snapshot() (reader, error) {
	s, err := e.level.DB().GetSnapshot()
	if err != nil {
		return nil, levelError(err)
	}
	return levelReader{s}, nil
}

// sync has nothing to do, since every batch is synced.
func (e *levelEngine) sync() error           { return nil }
func (e *levelEngine) full() <-chan struct{} { return nil }
func (e *levelEngine) broken() error         { return nil }
func (e *levelEngine) abandon()              {}
func (e *levelEngine) close() error          { return levelError(e.level.Close()) }
func (e *levelEngine) traits() traits        { return traits{syncEach: true, reopenOnFail: true} }

type levelReader struct{ s *leveldb.Snapshot }

func (r levelReader) get(key []byte) ([]byte, error) {
	v, err := r.s.Get(key, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, levelError(err)
	}
	if v == nil {
		v = []byte{}
	}
	return v, nil
}

func (r levelReader) iter(start, end []byte) (iterator, error) {
	return levelIterator{r.s.NewIterator(&util.Range{Start: start, Limit: end}, nil)}, nil
}

func (r levelReader) close() error {
	r.s.Release()
	return nil
}

type levelIterator struct{ it liter.Iterator }

func (i levelIterator) next() bool    { return i.it.Next() }
func (i levelIterator) key() []byte   { return i.it.Key() }
func (i levelIterator) value() []byte { return i.it.Value() }
func (i levelIterator) close() error {
	err := i.it.Error()
	i.it.Release()
	return levelError(err)
}
