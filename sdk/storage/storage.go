// Package storage is the storage kind: ordered byte keys in versions.
//
// The life of a store. The core opens one instance a chain and asks for its Status. It reads with Get and Scan, which
// may run concurrently with each other and with one Apply, and always see one whole version. It writes with Apply, one
// batch a committed block, never two at a time. A batch takes effect whole or not at all, also over a crash. An Apply
// whose answer was lost is sent again with the same from and to: a store that has the version `to` already answers as it
// did before. What was applied but is not yet durable may vanish in a crash; the core keeps it until it is, and applies
// it again. Versions start at 0, an empty store.
//
// An Apply that failed with [ErrNoSpace] has not taken effect and never will in part; a store may finish it by itself
// once there is room, so the core asks for the Status or sends it again. A volatile store, one that keeps nothing over
// its process, says so by leaving Durable at 0 for ever, even when asked to sync.
//
// A call whose context has ended before it starts does nothing and returns the context's error. A store keeps no slice
// that it is given and changes none that it has returned.
//
// [NewClient] is a Store at the other end of a gRPC connection, [RegisterServer] serves open instances, and the package
// storagetest is the suite that every store passes. [CheckKeys], [CheckScan] and [Batch.Check] are the checks of a call's
// form that all stores share.
package storage

import (
	"context"
	"errors"
)

// Limits that every store accepts up to.
const (
	MaxKeyBytes   = 1 << 10   // a key has 1 to so many bytes
	MaxValueBytes = 8 << 20   // a value has 0 to so many bytes
	MaxPage       = 10_000    // items a page of a scan
	MaxBatchBytes = 256 << 20 // keys and values of a batch, and ItemBytes for each item
	ItemBytes     = 16        // what an item counts besides its key and value
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

// Batch moves the store from one version to another. Keys are unique in Puts and Deletes together, and in any order;
// sorted ones are checked, and usually written, faster. A nil value is stored as an empty one.
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
	// Scan returns up to limit (1 to MaxPage) items with start <= key < end; an empty end means to the last key. It may
	// return fewer than limit, but at least one, with More set, to keep a page within a message (plugin.MaxMessage).
	// More is set exactly if there are further items below end.
	Scan(ctx context.Context, start, end []byte, limit int) (Page, error)
	// Apply is described at the package. It fails with ErrWrongVersion unless From is the current version, or To is; in
	// the latter case it changes nothing, but makes the version durable if Sync says so. Deleting a key that is not there
	// is no error.
	Apply(ctx context.Context, b Batch) (Status, error)
	// Status returns where the store stands; with sync, everything applied is made durable first.
	Status(ctx context.Context, sync bool) (Status, error)
}
