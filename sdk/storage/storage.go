// Package storage is the storage kind: ordered byte keys in versions.
//
// The life of a store. The core opens one instance a chain and asks for its Status. It reads with Get and Scan, which
// may run concurrently with each other and with one Apply, and always see one whole version. It writes with Apply, one
// batch a committed block, never two at a time. A batch takes effect whole or not at all, also over a crash. An Apply
// whose answer was lost is sent again with the same from and to: a store that has the version `to` already answers as it
// did before. What was applied but is not yet durable may vanish in a crash; the core keeps it until it is, and applies
// it again. Versions start at 0, an empty store.
package storage

import (
	"context"
	"errors"
)

// Limits that every store accepts up to.
const (
	MaxKeyBytes   = 1 << 10
	MaxValueBytes = 8 << 20
	MaxPage       = 10_000
)

// Errors.
var (
	ErrWrongVersion = errors.New("storage: the batch starts from another version")
	ErrClosed       = errors.New("storage: closed")
	ErrCorrupt      = errors.New("storage: corrupt")
	ErrNoSpace      = errors.New("storage: no space left")
	ErrTooLarge     = errors.New("storage: too large")
	ErrInvalid      = errors.New("storage: invalid call")
)

// KV is a key and its value. An empty value is a value.
type KV struct{ Key, Value []byte }

// Page is a part of a scan, in ascending order of keys.
type Page struct {
	Items   []KV
	Version uint64 // that all items belong to
	More    bool   // scan on from the last key followed by a zero byte
}

// Batch moves the store from one version to another. Keys are unique in Puts and Deletes together.
type Batch struct {
	From, To uint64 // To > From
	Puts     []KV
	Deletes  [][]byte
	Sync     bool // make it durable before answering
}

// Status is where a store stands: Durable <= Version.
type Status struct{ Version, Durable uint64 }

// Store is one instance.
type Store interface {
	// Get returns the values of keys, nil where there is none, and the version that all of them belong to.
	Get(ctx context.Context, keys [][]byte) (values [][]byte, version uint64, err error)
	// Scan returns up to limit (1 to MaxPage) items with start <= key < end; a nil end means to the last key. It may
	// return fewer than limit with More set, to keep a page within a message.
	Scan(ctx context.Context, start, end []byte, limit int) (Page, error)
	// Apply is described at the package. It fails with ErrWrongVersion unless From is the current version, or To is.
	Apply(ctx context.Context, b Batch) (Status, error)
	// Status returns where the store stands; with sync, everything applied is made durable first.
	Status(ctx context.Context, sync bool) (Status, error)
}
