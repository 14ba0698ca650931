package storagetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// Memory is the reference store: a sorted list under a lock. It is volatile. Its zero value is not usable; see
// [NewMemory].
type Memory struct {
	mu      sync.RWMutex
	items   []storage.KV // ascending
	version uint64
	closed  bool
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{} }

// MemoryFactory makes stores of a kind that keeps nothing.
func MemoryFactory() Factory {
	return Factory{Volatile: true, Open: func(string) (storage.Store, func() error, error) {
		m := NewMemory()
		return m, m.Close, nil
	}}
}

// Close makes all later calls fail with storage.ErrClosed.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// ready is called with the lock held.
func (m *Memory) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.closed {
		return storage.ErrClosed
	}
	return nil
}

// Get implements storage.Store.
func (m *Memory) Get(ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.ready(ctx); err != nil {
		return nil, 0, err
	}
	if err := storage.CheckKeys(keys); err != nil {
		return nil, 0, err
	}
	values := make([][]byte, len(keys))
	for i, k := range keys {
		if j, ok := m.find(k); ok {
			values[i] = append([]byte{}, m.items[j].Value...)
		}
	}
	return values, m.version, nil
}

// Scan implements storage.Store.
func (m *Memory) Scan(ctx context.Context, start, end []byte, limit int) (storage.Page, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.ready(ctx); err != nil {
		return storage.Page{}, err
	}
	if err := storage.CheckScan(start, end, limit); err != nil {
		return storage.Page{}, err
	}
	page := storage.Page{Version: m.version}
	i, _ := m.find(start)
	for size := 0; i < len(m.items) && (len(end) == 0 || bytes.Compare(m.items[i].Key, end) < 0); i++ {
		if len(page.Items) == limit || size > plugin.MaxMessage/4 {
			page.More = true
			break
		}
		it := storage.KV{Key: bytes.Clone(m.items[i].Key), Value: append([]byte{}, m.items[i].Value...)}
		page.Items = append(page.Items, it)
		size += len(it.Key) + len(it.Value)
	}
	return page, nil
}

// Apply implements storage.Store.
func (m *Memory) Apply(ctx context.Context, b storage.Batch) (storage.Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(ctx); err != nil {
		return storage.Status{}, err
	}
	if err := b.Check(); err != nil {
		return storage.Status{}, err
	}
	if b.To == m.version {
		return storage.Status{Version: m.version}, nil
	}
	if b.From != m.version {
		return storage.Status{}, fmt.Errorf("apply %d to %d at version %d: %w", b.From, b.To, m.version, storage.ErrWrongVersion)
	}
	change := make(map[string][]byte, len(b.Puts)+len(b.Deletes)) // nil: delete
	for _, kv := range b.Puts {
		change[string(kv.Key)] = append([]byte{}, kv.Value...)
	}
	for _, k := range b.Deletes {
		change[string(k)] = nil
	}
	items := slices.DeleteFunc(slices.Clone(m.items), func(kv storage.KV) bool {
		_, ok := change[string(kv.Key)]
		return ok
	})
	for k, v := range change {
		if v != nil {
			items = append(items, storage.KV{Key: []byte(k), Value: v})
		}
	}
	slices.SortFunc(items, func(a, b storage.KV) int { return bytes.Compare(a.Key, b.Key) })
	m.items, m.version = items, b.To
	return storage.Status{Version: m.version}, nil
}

// Status implements storage.Store.
func (m *Memory) Status(ctx context.Context, _ bool) (storage.Status, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return storage.Status{Version: m.version}, m.ready(ctx)
}

func (m *Memory) find(key []byte) (int, bool) {
	return sort.Find(len(m.items), func(i int) int { return bytes.Compare(key, m.items[i].Key) })
}
