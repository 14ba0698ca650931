package cometbftdb

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	dbm "github.com/cometbft/cometbft-db"
	"golang.org/x/sys/unix"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// engine is what the three backends differ in. Batches, and opening and closing, go through cometbft-db; consistent
// reads need the snapshots of the database below it.
type engine interface {
	db() dbm.DB
	// snapshot returns a view of what is there now.
	snapshot() (reader, error)
	// sync makes everything that was written durable.
	sync() error
	// full is closed while the database is held up by a full disk; nil if it never is.
	full() <-chan struct{}
	// broken returns the error after which nothing more gets to the disk until the store is opened again.
	broken() error
	// abandon lets a write that is held up return; nothing gets to the disk any more.
	abandon()
	// close ends the database. If the disk is full, what is not durable is given up.
	close() error
	traits() traits
}

// traits are the differences that the store works around.
type traits struct {
	volatile     bool // nothing is kept
	exclusive    bool // no reads during a write: a reader is live, not a snapshot
	keepsSlices  bool // a batch keeps the slices that it is given
	syncEach     bool // every batch has to be synced
	reopenOnFail bool // after a failed write the database has to be opened again
}

// reader is a view of one version.
type reader interface {
	// get returns a copy of the value, nil if there is none.
	get(key []byte) ([]byte, error)
	// iter iterates over start <= key < end. What it points to is valid until its next step.
	iter(start, end []byte) (iterator, error)
	close() error
}

// iterator stands before its first item.
type iterator interface {
	next() bool
	key() []byte
	value() []byte
	close() error // also returns the error that ended the iteration
}

// openEngine opens the database in a folder; create says that it must not, or must, exist.
func openEngine(backend, dir string, cache int64, create bool) (engine, error) {
	switch backend {
	case pebbleBackend:
		return openPebble(dir, cache, create)
	case levelBackend:
		return openLevel(dir, cache, create)
	case memBackend:
		return &memEngine{dbm.NewMemDB()}, nil
	}
	return nil, fmt.Errorf("backend %q is unknown: %w", backend, storage.ErrInvalid)
}

// split returns dir and name as cometbft-db wants them, which appends ".db".
func split(database string) (dir, name string) {
	dir, base := filepath.Split(database)
	return dir, base[:len(base)-len(".db")]
}

// noSpace tells whether an error means that the disk, or the quota, is full.
func noSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// classify adds storage.ErrNoSpace to what means it.
func classify(err error) error {
	if err != nil && noSpace(err) && !errors.Is(err, storage.ErrNoSpace) {
		return fmt.Errorf("%w: %w", storage.ErrNoSpace, err)
	}
	return err
}

// reserveBytes is what has to stay free after a batch: the databases write more than the batch, at times of their own.
const reserveBytes = 4 << 20

// room checks that the disk has place for a batch of n bytes: its log, and the tables that it goes to.
func room(dir string, n int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil // a file system that cannot tell is tried
	}
	free := int64(min(st.Bavail, 1<<40)) * int64(st.Bsize)
	if need := 3*n + reserveBytes; free < need {
		return fmt.Errorf("%s has %d bytes left, a batch of %d bytes needs %d: %w", dir, free, n, need, storage.ErrNoSpace)
	}
	return nil
}
