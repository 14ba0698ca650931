package storagetest

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// onGet lets a fault change what Get is asked and what it answers.
func onGet(f func(b *broken, ctx context.Context, keys [][]byte) ([][]byte, uint64, error)) breakage {
	return func(b *broken, _ snapshot) {
		b.get = func(ctx context.Context, keys [][]byte) ([][]byte, uint64, error) { return f(b, ctx, keys) }
	}
}

func brokenReads() map[string]breakage {
	return map[string]breakage{
		"empty-store": onPage(func(_, _ []byte, _ int, p *storage.Page) {
			p.Version = max(p.Version, 1)
		}),
		"get-in-the-order-asked": onGet(func(b *broken, ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
			sorted := slices.Clone(keys)
			slices.SortFunc(sorted, bytes.Compare)
			return b.keeper.Get(ctx, sorted)
		}),
		"get-nothing": onGet(func(b *broken, ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
			if len(keys) == 0 {
				return nil, 0, nil
			}
			return b.keeper.Get(ctx, keys)
		}),
		"empty-value-is-a-value": onGet(func(b *broken, ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
			values, v, err := b.keeper.Get(ctx, keys)
			for i := range values {
				if len(values[i]) == 0 {
					values[i] = nil
				}
			}
			return values, v, err
		}),
		"keeps-no-slice":       keepsSlices,
		"gives-its-own-slices": sharesSlices,
		"reads-see-one-version": func(b *broken, _ snapshot) {
			var mu sync.Mutex
			var before []byte // the last key's value, one version behind
			seen := make(chan struct{})
			once := sync.OnceFunc(func() { close(seen) })
			b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
				if len(batch.Puts) != 200 {
					return b.keeper.Apply(ctx, batch)
				}
				mu.Lock()
				before, _ = b.has(batch.Puts[199].Key)
				mu.Unlock()
				if batch.To == 30 {
					<-seen // so that it does not depend on who runs when
				}
				return b.keeper.Apply(ctx, batch)
			}
			b.get = func(ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
				values, v, err := b.keeper.Get(ctx, keys)
				mu.Lock()
				defer mu.Unlock()
				if err == nil && len(keys) == 200 && before != nil {
					values[199] = before
					once()
				}
				return values, v, err
			}
		},
		"cancelled-call-does-nothing": func(b *broken, _ snapshot) {
			b.scan = func(ctx context.Context, start, end []byte, limit int) (storage.Page, error) {
				return b.keeper.Scan(context.WithoutCancel(ctx), start, end, limit)
			}
		},
		"calls-after-close-fail": func(b *broken, _ snapshot) {
			b.status = func(ctx context.Context, sync bool) (storage.Status, error) {
				st, err := b.keeper.Status(ctx, sync)
				if err == storage.ErrClosed {
					return storage.Status{Version: b.at0()}, nil
				}
				return st, err
			}
		},
		"stores-are-apart": func(b *broken, _ snapshot) { // a key lands in every store that is open
			d := b.disk
			b.get = func(ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
				values, v, err := b.keeper.Get(ctx, keys)
				d.mu.Lock()
				defer d.mu.Unlock()
				if s, ok := d.kept["last"]; ok && err == nil && v == 0 && len(keys) == 1 && string(keys[0]) == string(s.items[0].Key) {
					values[0] = s.items[0].Value
				}
				return values, v, err
			}
			b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
				st, err := b.keeper.Apply(ctx, batch)
				d.mu.Lock()
				defer d.mu.Unlock()
				if err == nil && len(batch.Puts) == 1 {
					d.kept["last"] = snapshot{items: slices.Clone(batch.Puts)}
				}
				return st, err
			}
		},
	}
}

// keepsSlices keeps the slices of a batch of one put rather than what is in them.
func keepsSlices(b *broken, _ snapshot) {
	var mu sync.Mutex
	var name string
	var value []byte
	b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
		before := b.at0()
		st, err := b.keeper.Apply(ctx, batch)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && st.Version != before {
			value = nil
			if len(batch.Puts) == 1 && len(batch.Puts[0].Value) > 0 {
				name, value = string(batch.Puts[0].Key), batch.Puts[0].Value
			}
		}
		return st, err
	}
	b.get = func(ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
		values, v, err := b.keeper.Get(ctx, keys)
		mu.Lock()
		defer mu.Unlock()
		if err == nil && value != nil && len(keys) == 1 && string(keys[0]) == name {
			values[0] = bytes.Clone(value)
		}
		return values, v, err
	}
}

// sharesSlices gives the slice of a Get of one key to the next Scan as well.
func sharesSlices(b *broken, _ snapshot) {
	given := map[string][]byte{}
	b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
		clear(given)
		return b.keeper.Apply(ctx, batch)
	}
	b.get = func(ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
		values, v, err := b.keeper.Get(ctx, keys)
		if err == nil && len(keys) == 1 {
			given[string(keys[0])] = values[0]
		}
		return values, v, err
	}
	b.scan = func(ctx context.Context, start, end []byte, limit int) (storage.Page, error) {
		p, err := b.keeper.Scan(ctx, start, end, limit)
		if len(p.Items) > 1 {
			return p, err // no case calls this one concurrently
		}
		for i := range p.Items {
			if v := given[string(p.Items[i].Key)]; v != nil {
				p.Items[i].Value = v
			}
		}
		return p, err
	}
}

func brokenScans() map[string]breakage {
	return map[string]breakage{
		"scan-bounds": func(b *broken, _ snapshot) { // the end belongs to the range
			b.scan = func(ctx context.Context, start, end []byte, limit int) (storage.Page, error) {
				p, err := b.keeper.Scan(ctx, start, end, limit)
				_, from := b.has(start)
				value, to := b.has(end)
				if err == nil && from && to && bytes.Compare(start, end) < 0 {
					p.Items = append(p.Items, storage.KV{Key: bytes.Clone(end), Value: bytes.Clone(value)})
				}
				return p, err
			}
		},
		"scan-open-ends": onPage(func(_, end []byte, _ int, p *storage.Page) {
			if end != nil && len(end) == 0 { // nothing is below it
				*p = storage.Page{Version: p.Version}
			}
		}),
		"scan-of-nothing": func(b *broken, _ snapshot) {
			b.scan = func(ctx context.Context, start, end []byte, limit int) (storage.Page, error) {
				if len(end) > 0 && bytes.Compare(start, end) > 0 {
					return storage.Page{}, storage.ErrInvalid
				}
				return b.keeper.Scan(ctx, start, end, limit)
			}
		},
		"scan-in-byte-order": onPage(func(_, _ []byte, _ int, p *storage.Page) { // as a dictionary has it
			slices.SortStableFunc(p.Items, func(a, b storage.KV) int { return bytes.Compare(lower(a.Key), lower(b.Key)) })
		}),
		"zero-bytes-in-keys": onGet(func(b *broken, ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
			cut := slices.Clone(keys)
			for i, k := range keys {
				if n := bytes.IndexByte(k, 0); n > 0 {
					cut[i] = k[:n]
				}
			}
			return b.keeper.Get(ctx, cut)
		}),
		"scan-pages": onPage(func(_, _ []byte, limit int, p *storage.Page) {
			p.More = p.More || len(p.Items) == limit
		}),
		"scan-refuses-bad-limits": func(b *broken, _ snapshot) {
			b.scan = func(ctx context.Context, start, end []byte, limit int) (storage.Page, error) {
				return b.keeper.Scan(ctx, start, end, max(limit, 1))
			}
		},
	}
}

func lower(k []byte) []byte {
	out := bytes.Clone(k)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return out
}

func brokenLimits() map[string]breakage {
	return map[string]breakage{
		"longest-key": func(b *broken, _ snapshot) {
			b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
				for _, kv := range batch.Puts {
					if len(kv.Key) >= storage.MaxKeyBytes {
						return storage.Status{}, storage.ErrTooLarge
					}
				}
				return b.keeper.Apply(ctx, batch)
			}
		},
		"largest-value": onBatch(func(_ *broken, batch *storage.Batch) {
			if len(batch.Puts) == 1 && len(batch.Puts[0].Value) == storage.MaxValueBytes {
				kv := batch.Puts[0]
				batch.Puts = []storage.KV{{Key: kv.Key, Value: kv.Value[:len(kv.Value)-1]}}
			}
		}),
		"too-large-is-refused": onGet(func(b *broken, ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
			if len(keys) == 1 && len(keys[0]) > storage.MaxKeyBytes {
				return make([][]byte, 1), b.at0(), nil
			}
			return b.keeper.Get(ctx, keys)
		}),
		"empty-key-is-refused": onGet(func(b *broken, ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
			if len(keys) == 1 && len(keys[0]) == 0 {
				return make([][]byte, 1), b.at0(), nil
			}
			return b.keeper.Get(ctx, keys)
		}),
		"batch-above-a-message": onBatch(func(_ *broken, batch *storage.Batch) {
			if batch.Bytes() > plugin.MaxMessage && len(batch.Puts) > 1 {
				batch.Puts = batch.Puts[:len(batch.Puts)-1]
			}
		}),
		"get-above-a-message": onGet(func(b *broken, ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
			values, v, err := b.keeper.Get(ctx, keys)
			size := 0
			for i := range values {
				if size += len(values[i]); size > plugin.MaxMessage {
					values[i] = nil
				}
			}
			return values, v, err
		}),
		"page-within-a-message": func(b *broken, _ snapshot) {
			b.scan = func(ctx context.Context, start, end []byte, limit int) (storage.Page, error) {
				p, err := b.keeper.Scan(ctx, start, end, limit)
				for err == nil && p.More && len(p.Items) < limit {
					var more storage.Page
					next := append(bytes.Clone(p.Items[len(p.Items)-1].Key), 0)
					more, err = b.keeper.Scan(ctx, next, end, limit-len(p.Items))
					p.Items, p.More = append(p.Items, more.Items...), more.More
				}
				return p, err
			}
		},
		"many-small-items": onGet(func(b *broken, ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
			values, v, err := b.keeper.Get(ctx, keys)
			if len(values) > 1<<14 {
				clear(values[1<<14:])
			}
			return values, v, err
		}),
	}
}
