package state

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Errors.
var (
	// ErrStale is what calls on a layer fail with that a commit has dropped: take the Base, or the layer of a block that
	// descends from it.
	ErrStale = errors.New("state: the layer was dropped by a commit")
	// ErrCorrupt means that the store does not hold what was written to it.
	ErrCorrupt = errors.New("state: corrupt")
	// ErrLost means that the store has fallen back to a version so old that it cannot be brought forward from memory: the
	// state must be opened again, and the blocks since that version committed again.
	ErrLost = errors.New("state: the store has lost what was committed")
	// ErrInvalid means that a call cannot be right whatever the state is.
	ErrInvalid = errors.New("state: invalid call")
)

// Item names a value. Module is a namespace of up to types.MaxStateModuleBytes bytes, Key has up to
// types.MaxStateKeyBytes of any value.
type Item struct {
	Module string
	Place  types.Place
	Key    string
}

// Change sets an item, or deletes it if Value is nil. An empty value is a value; none has more than
// storage.MaxValueBytes.
type Change struct {
	Item  Item
	Value []byte
}

// Entry is an item and its value.
type Entry struct {
	Item  Item
	Value []byte
}

// ScanPos is a position among the items of a module, which are in the order of place, then key.
type ScanPos struct {
	Place types.Place
	Key   string
}

// Compare orders positions.
func (p ScanPos) Compare(q ScanPos) int {
	if c := bytes.Compare(p.Place[:], q.Place[:]); c != 0 {
		return c
	}
	return strings.Compare(p.Key, q.Key)
}

func (it *Item) pos() ScanPos { return ScanPos{it.Place, it.Key} }

func (it *Item) check() error {
	if len(it.Module) > types.MaxStateModuleBytes || len(it.Key) > types.MaxStateKeyBytes {
		return fmt.Errorf("item with a module of %d bytes, at most %d, and a key of %d, at most %d: %w", len(it.Module),
			types.MaxStateModuleBytes, len(it.Key), types.MaxStateKeyBytes, ErrInvalid)
	}
	return nil
}

func (c *Change) check() error {
	if err := c.Item.check(); err != nil {
		return err
	}
	if len(c.Value) > storage.MaxValueBytes {
		return fmt.Errorf("value of %d bytes in module %s, at most %d: %w", len(c.Value), c.Item.Module, storage.MaxValueBytes, ErrInvalid)
	}
	return nil
}

// Keys in the store.
const (
	keySpace  = 's' // the first byte of all
	keyRecord = 'm'
	keyItem   = 'i'
	keyPage   = 'p'
	keyDelta  = 'd'
)

// keyOverhead is what an item's key has besides module and key.
const keyOverhead = 3 + len(types.Place{})

func appendItemKey(b []byte, module string, p ScanPos) []byte {
	b = append(b, keySpace, keyItem, byte(len(module)))
	b = append(b, module...)
	b = append(b, p.Place[:]...)
	return append(b, p.Key...)
}

// itemKeys returns the keys of items in one allocation.
func itemKeys(items []Item) [][]byte {
	n := 0
	for i := range items {
		n += keyOverhead + len(items[i].Module) + len(items[i].Key)
	}
	buf := make([]byte, 0, n)
	keys := make([][]byte, len(items))
	for i := range items {
		from := len(buf)
		buf = appendItemKey(buf, items[i].Module, items[i].pos())
		keys[i] = slices.Clip(buf[from:])
	}
	return keys
}

func parseItemKey(k []byte) (Item, error) {
	if len(k) < keyOverhead || k[0] != keySpace || k[1] != keyItem || int(k[2]) > types.MaxStateModuleBytes ||
		len(k) < keyOverhead+int(k[2]) || len(k) > keyOverhead+int(k[2])+types.MaxStateKeyBytes {
		return Item{}, fmt.Errorf("key %x is not that of an item: %w", k, ErrCorrupt)
	}
	n := 3 + int(k[2])
	it := Item{Module: string(k[3:n]), Key: string(k[n+len(types.Place{}):])}
	copy(it.Place[:], k[n:])
	return it, nil
}
