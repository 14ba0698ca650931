package storagetest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

// broken is a store with some of its calls replaced. Where a fault would be seen in any case, it is limited to the keys and
// sizes that the case in question uses.
type broken struct {
	*keeper
	get    func(ctx context.Context, keys [][]byte) ([][]byte, uint64, error)
	scan   func(ctx context.Context, start, end []byte, limit int) (storage.Page, error)
	apply  func(ctx context.Context, b storage.Batch) (storage.Status, error)
	status func(ctx context.Context, sync bool) (storage.Status, error)
}

func (b *broken) Get(ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
	return b.get(ctx, keys)
}

func (b *broken) Scan(ctx context.Context, start, end []byte, limit int) (storage.Page, error) {
	return b.scan(ctx, start, end, limit)
}

func (b *broken) Apply(ctx context.Context, batch storage.Batch) (storage.Status, error) {
	return b.apply(ctx, batch)
}

func (b *broken) Status(ctx context.Context, sync bool) (storage.Status, error) {
	return b.status(ctx, sync)
}

// breakage changes a store that works. It is called at each opening; before is what was kept in its folder.
type breakage func(b *broken, before snapshot)

func breakages() map[string]breakage {
	all := map[string]breakage{}
	for _, some := range []map[string]breakage{brokenReads(), brokenScans(), brokenApplies(), brokenLimits(), brokenDurability()} {
		for name, f := range some {
			all[name] = f
		}
	}
	return all
}

func brokenFactory(f breakage) Factory {
	d := &disk{kept: map[string]snapshot{}}
	return Factory{Open: func(dir string) (storage.Store, func() error, error) {
		d.mu.Lock()
		before := d.kept[dir]
		d.mu.Unlock()
		k := openKeeper(d, dir)
		b := &broken{keeper: k, get: k.Get, scan: k.Scan, apply: k.Apply, status: k.Status}
		f(b, before)
		return b, b.Close, nil
	}}
}

// onBatch lets a fault change the batches that it wants to.
func onBatch(change func(b *broken, batch *storage.Batch)) breakage {
	return func(b *broken, _ snapshot) {
		b.apply = func(ctx context.Context, batch storage.Batch) (storage.Status, error) {
			change(b, &batch)
			return b.keeper.Apply(ctx, batch)
		}
	}
}

// onPage lets a fault change pages.
func onPage(change func(start, end []byte, limit int, p *storage.Page)) breakage {
	return func(b *broken, _ snapshot) {
		b.scan = func(ctx context.Context, start, end []byte, limit int) (storage.Page, error) {
			p, err := b.keeper.Scan(ctx, start, end, limit)
			if err == nil {
				change(start, end, limit, &p)
			}
			return p, err
		}
	}
}

// has returns a value of the store inside.
func (b *broken) has(key []byte) ([]byte, bool) {
	b.Memory.mu.RLock()
	defer b.Memory.mu.RUnlock()
	i, ok := b.find(key)
	if !ok {
		return nil, false
	}
	return b.items[i].Value, true
}

// at0 returns the version of the store inside.
func (b *broken) at0() uint64 {
	b.Memory.mu.RLock()
	defer b.Memory.mu.RUnlock()
	return b.version
}

// judge is a T that only notes that the case has failed.
type judge struct {
	*testing.T
	mu     sync.Mutex
	failed []string
}

func (j *judge) Errorf(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failed = append(j.failed, fmt.Sprintf(format, args...))
}

func (j *judge) Fatalf(format string, args ...any) {
	j.Errorf(format, args...)
	runtime.Goexit()
}

// verdict runs a case and returns why it failed.
func verdict(t *testing.T, c Case, f Factory) []string {
	j := &judge{T: t}
	done := make(chan struct{})
	go func() { // Fatalf ends the goroutine
		defer close(done)
		c.Run(j, f)
	}()
	<-done
	return j.failed
}

// large are cases that move megabytes. With the race detector they only run over the stores that they are to find.
var large = []string{"largest-value", "batch-above-a-message", "get-above-a-message", "page-within-a-message", "many-small-items"}

// TestEachCaseFindsItsBreakage runs every case over every broken store.
func TestEachCaseFindsItsBreakage(t *testing.T) {
	all := breakages()
	cases := Cases()
	for _, c := range cases {
		if all[c.Name] == nil {
			t.Errorf("%s has no broken store", c.Name)
		}
	}
	for name, f := range all {
		if !slices.ContainsFunc(cases, func(c Case) bool { return c.Name == name }) {
			t.Errorf("there is no case %s", name)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range cases {
				if raced && c.Name != name && slices.Contains(large, c.Name) {
					continue
				}
				why := verdict(t, c, brokenFactory(f))
				// A breakage that shows only when a reader and a writer meet may hide from one run on a busy machine.
				for tries := 0; c.Name == name && len(why) == 0 && tries < 20; tries++ {
					why = verdict(t, c, brokenFactory(f))
				}
				switch {
				case c.Name == name && len(why) == 0:
					t.Errorf("%s does not find its broken store", c.Name)
				case c.Name != name && len(why) != 0:
					t.Errorf("%s fails as well: %q", c.Name, why)
				}
			}
		})
	}
}

// TestVolatileStoreMustNotPromise: the durability cases hold a volatile store to its word as well.
func TestVolatileStoreMustNotPromise(t *testing.T) {
	f := keeperFactory()
	f.Volatile = true
	for _, name := range []string{"sync-makes-durable", "status-sync-makes-durable", "deletes-survive-close"} {
		i := slices.IndexFunc(Cases(), func(c Case) bool { return c.Name == name })
		if why := verdict(t, Cases()[i], f); len(why) == 0 {
			t.Errorf("%s does not find that a volatile store keeps something", name)
		}
	}
}
