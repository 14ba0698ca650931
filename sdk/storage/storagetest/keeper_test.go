package storagetest

import (
	"context"
	"sync"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// disk is what stores of one factory leave behind when they are closed, by folder.
type disk struct {
	mu   sync.Mutex
	kept map[string]snapshot
}

type snapshot struct {
	items   []storage.KV
	version uint64
}

// keeper is a Memory that is not volatile: what was synced is there again when its folder is opened again, and nothing
// else is.
type keeper struct {
	*Memory
	disk *disk
	dir  string

	mu      sync.Mutex
	durable uint64
}

func openKeeper(d *disk, dir string) *keeper {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.kept[dir]
	return &keeper{Memory: &Memory{items: s.items, version: s.version}, disk: d, dir: dir, durable: s.version}
}

// at completes a status, and makes everything durable first if sync says so.
func (k *keeper) at(st storage.Status, sync bool) storage.Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	if sync {
		k.Memory.mu.RLock()
		s := snapshot{k.items, k.version}
		k.Memory.mu.RUnlock()
		k.disk.mu.Lock()
		k.disk.kept[k.dir] = s
		k.disk.mu.Unlock()
		k.durable = s.version
	}
	st.Durable = k.durable
	return st
}

func (k *keeper) Apply(ctx context.Context, b storage.Batch) (storage.Status, error) {
	st, err := k.Memory.Apply(ctx, b)
	if err != nil {
		return st, err
	}
	return k.at(st, b.Sync), nil
}

func (k *keeper) Status(ctx context.Context, sync bool) (storage.Status, error) {
	st, err := k.Memory.Status(ctx, sync)
	if err != nil {
		return st, err
	}
	return k.at(st, sync), nil
}

func keeperFactory() Factory {
	d := &disk{kept: map[string]snapshot{}}
	return Factory{Open: func(dir string) (storage.Store, func() error, error) {
		k := openKeeper(d, dir)
		return k, k.Close, nil
	}}
}

func TestKeeper(t *testing.T)       { Run(t, keeperFactory()) }
func TestKeeperRemote(t *testing.T) { Run(t, Remote(keeperFactory())) }
