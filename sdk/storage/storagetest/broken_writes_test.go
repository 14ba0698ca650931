package storagetest

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

func brokenApplies() map[string]breakage {
	return map[string]breakage{
		"put-replaces": onBatch(func(b *broken, batch *storage.Batch) { // the end of a long value stays
			batch.Puts = slices.Clone(batch.Puts)
			for i, kv := range batch.Puts {
				if old, _ := b.has(kv.Key); len(old) > 8 && len(old) < 100 && len(kv.Value) < len(old) {
					batch.Puts[i].Value = slices.Concat(kv.Value, old[len(kv.Value):])
				}
			}
		}),
		"delete-removes": onBatch(func(_ *broken, batch *storage.Batch) { // without a put it does nothing
			if len(batch.Puts) == 0 && len(batch.Deletes) == 1 && len(batch.Deletes[0]) == 1 && !batch.Sync {
				batch.Deletes = nil
			}
		}),
		"delete-of-nothing": func(b *broken, _ snapshot) {
			b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
				for _, k := range batch.Deletes {
					if _, ok := b.has(k); !ok && len(k) == 1 {
						return storage.Status{}, storage.ErrInvalid
					}
				}
				return b.keeper.Apply(ctx, batch)
			}
		},
		"empty-batch": func(b *broken, _ snapshot) {
			b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
				if batch.From == 0 && batch.To == 1 && len(batch.Puts)+len(batch.Deletes) == 0 {
					return storage.Status{Version: 1}, nil
				}
				return b.keeper.Apply(ctx, batch)
			}
		},
		"versions-may-skip": func(b *broken, _ snapshot) { // 32 bits must do
			b.status = func(ctx context.Context, sync bool) (storage.Status, error) {
				st, err := b.keeper.Status(ctx, sync)
				st.Version = uint64(uint32(st.Version))
				return st, err
			}
		},
		"wrong-version-is-refused": onBatch(func(b *broken, batch *storage.Batch) { // a gap is overlooked
			if v := b.at0(); batch.From > v && batch.To > batch.From {
				batch.From = v
			}
		}),
		"apply-again-answers": func(b *broken, _ snapshot) {
			b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
				if batch.From > 0 && batch.To > batch.From && batch.To == b.at0() && !batch.Sync {
					return storage.Status{}, storage.ErrWrongVersion
				}
				return b.keeper.Apply(ctx, batch)
			}
		},
		"apply-again-changes-nothing": func(b *broken, _ snapshot) {
			b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
				if batch.To > batch.From && batch.To == b.at0() {
					b.Memory.mu.Lock()
					b.version = batch.From
					b.Memory.mu.Unlock()
				}
				return b.keeper.Apply(ctx, batch)
			}
		},
		"backward-batch-is-refused": func(b *broken, _ snapshot) {
			b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
				if batch.From == batch.To && batch.To == b.at0() {
					return b.keeper.Status(ctx, false)
				}
				return b.keeper.Apply(ctx, batch)
			}
		},
		"key-twice-is-refused": onBatch(func(_ *broken, batch *storage.Batch) { // the last one wins
			if n := len(batch.Puts); n == 3 && bytes.Equal(batch.Puts[0].Key, batch.Puts[2].Key) {
				batch.Puts = batch.Puts[1:]
			}
		}),
		"refused-batch-leaves-nothing": func(b *broken, _ snapshot) {
			b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
				st, err := b.keeper.Apply(ctx, batch)
				if errors.Is(err, storage.ErrTooLarge) && len(batch.Puts) > 1 {
					good := batch
					good.Puts = batch.Puts[:1]
					if _, err := b.keeper.Apply(ctx, good); err == nil {
						b.Memory.mu.Lock()
						b.version = batch.From
						b.Memory.mu.Unlock()
					}
				}
				return st, err
			}
		},
		"as-a-model": func(b *broken, _ snapshot) { // what was deleted once is never read again
			gone := map[string]bool{}
			b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
				st, err := b.keeper.Apply(ctx, batch)
				if err == nil {
					for _, k := range batch.Deletes {
						gone[string(k)] = true
					}
				}
				return st, err
			}
			b.get = func(ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
				values, v, err := b.keeper.Get(ctx, keys)
				for i := range values {
					if gone[string(keys[i])] {
						values[i] = nil
					}
				}
				return values, v, err
			}
		},
	}
}

func brokenDurability() map[string]breakage {
	return map[string]breakage{
		"sync-makes-durable": func(b *broken, _ snapshot) { // the answer does not say so
			b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
				again := batch.To == b.at0()
				before, _ := b.keeper.Status(ctx, false)
				st, err := b.keeper.Apply(ctx, batch)
				if batch.Sync && !again {
					st.Durable = before.Durable
				}
				return st, err
			}
		},
		"status-sync-makes-durable": func(b *broken, _ snapshot) {
			b.status = func(ctx context.Context, _ bool) (storage.Status, error) { return b.keeper.Status(ctx, false) }
		},
		"apply-again-with-sync": onBatch(func(b *broken, batch *storage.Batch) {
			if batch.To == b.at0() {
				batch.Sync = false
			}
		}),
		"durable-never-falls": func(b *broken, _ snapshot) {
			b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
				st, err := b.keeper.Apply(ctx, batch)
				if !batch.Sync {
					st.Durable = 0
				}
				return st, err
			}
		},
		// The version is kept apart from the items, and at once.
		"durable-survives-close": func(b *broken, _ snapshot) {
			b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
				st, err := b.keeper.Apply(ctx, batch)
				b.keeping(func(s *snapshot) {
					if err == nil && s.version > 0 {
						s.version = st.Version
					}
				})
				return st, err
			}
		},
		"deletes-survive-close": func(b *broken, _ snapshot) {
			b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
				var back []storage.KV
				for _, k := range batch.Deletes {
					if v, ok := b.has(k); ok {
						back = append(back, storage.KV{Key: bytes.Clone(k), Value: bytes.Clone(v)})
					}
				}
				st, err := b.keeper.Apply(ctx, batch)
				b.keeping(func(s *snapshot) {
					if err == nil && batch.Sync {
						s.items = append(slices.Clone(s.items), back...)
						slices.SortFunc(s.items, func(a, b storage.KV) int { return bytes.Compare(a.Key, b.Key) })
					}
				})
				return st, err
			}
		},
		"goes-on-after-reopen": func(b *broken, before snapshot) {
			b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
				if before.version > 0 && batch.To == before.version {
					return storage.Status{}, storage.ErrWrongVersion
				}
				return b.keeper.Apply(ctx, batch)
			}
		},
		"durable-after-reopen": func(b *broken, before snapshot) {
			b.status = func(ctx context.Context, sync bool) (storage.Status, error) {
				st, err := b.keeper.Status(ctx, sync)
				if before.version > 0 && st.Durable == before.version {
					st.Durable = 0
				}
				return st, err
			}
		},
	}
}

// keeping changes what was kept of a store.
func (b *broken) keeping(change func(*snapshot)) {
	b.disk.mu.Lock()
	defer b.disk.mu.Unlock()
	s, ok := b.disk.kept[b.dir]
	if !ok {
		return
	}
	change(&s)
	b.disk.kept[b.dir] = s
}
