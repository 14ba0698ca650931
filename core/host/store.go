package host

import (
	"context"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// Store returns the instance as a store that outlives its process. It panics if the instance is of another kind, which
// Open was told.
func (i *Instance) Store() storage.Store {
	if s, ok := localAs[storage.Store](i, plugin.Storage); ok {
		return s
	}
	return store{i}
}

type store struct{ i *Instance }

type got struct {
	values  [][]byte
	version uint64
}

func (s store) Get(ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
	g, err := call(ctx, s.i, "storage.Get", storage.NewClient, func(ctx context.Context, c storage.Store) (got, error) {
		values, version, err := c.Get(ctx, keys)
		return got{values, version}, err
	})
	return g.values, g.version, err
}

func (s store) Scan(ctx context.Context, start, end []byte, limit int) (storage.Page, error) {
	return call(ctx, s.i, "storage.Scan", storage.NewClient, func(ctx context.Context, c storage.Store) (storage.Page, error) {
		return c.Scan(ctx, start, end, limit)
	})
}

func (s store) Apply(ctx context.Context, b storage.Batch) (storage.Status, error) {
	return call(ctx, s.i, "storage.Apply", storage.NewClient, func(ctx context.Context, c storage.Store) (storage.Status, error) {
		return c.Apply(ctx, b)
	})
}

func (s store) Status(ctx context.Context, sync bool) (storage.Status, error) {
	return call(ctx, s.i, "storage.Status", storage.NewClient, func(ctx context.Context, c storage.Store) (storage.Status, error) {
		return c.Status(ctx, sync)
	})
}
