package storagetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

func readCases() []Case {
	return []Case{
		{"empty-store", "a new node takes version 0 for 'apply genesis first'", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			if st := o.status(false); st != (storage.Status{}) {
				t.Fatalf("a new store says version %d, durable %d", st.Version, st.Durable)
			}
			if p := o.scan("", "", 10); len(p.Items) != 0 || p.More || p.Version != 0 {
				t.Fatalf("a new store has %d items, more %t, version %d", len(p.Items), p.More, p.Version)
			}
			o.wantValue("a", nil)
		}},
		{"get-in-the-order-asked", "the core matches values to keys by position", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "a", "1", "b", "2", "c", "3")
			vs, v := o.get("c", "x", "a", "c", "b")
			want := [][]byte{[]byte("3"), nil, []byte("1"), []byte("3"), []byte("2")}
			for i := range want {
				if !same(vs[i], want[i]) {
					t.Fatalf("value %d is %s, want %s", i, show(vs[i]), show(want[i]))
				}
			}
			if v != 1 {
				t.Fatalf("values are of version %d, want 1", v)
			}
		}},
		{"get-nothing", "asking for no key is how the version alone is read in a generic caller", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "a", "1")
			vs, v, err := o.Get(t.Context(), nil)
			if err != nil || len(vs) != 0 || v != 1 {
				t.Fatalf("get of no keys: %d values, version %d, %v", len(vs), v, err)
			}
		}},
		{"empty-value-is-a-value", "an item that is there and empty hashes otherwise than an absent one", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.must(storage.Batch{From: 0, To: 1, Puts: []storage.KV{kv("empty", ""), {Key: []byte("nil")}}})
			o.wantValue("empty", []byte{})
			o.wantValue("nil", []byte{})
			o.wantValue("absent", nil)
			o.wantScan("", "", kv("empty", ""), kv("nil", ""))
		}},
		{"keeps-no-slice", "callers reuse their buffers", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			k, v := []byte("aa"), []byte("11")
			o.must(storage.Batch{From: 0, To: 1, Puts: []storage.KV{{Key: k, Value: v}}})
			k[0], v[0] = 'x', 'x'
			o.wantValue("aa", []byte("11"))
			o.wantValue("xa", nil)
		}},
		{"gives-its-own-slices", "callers change what they have read", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "aa", "11")
			vs, _ := o.get("aa")
			vs[0][0] = 'x'
			p := o.scan("", "", 1)
			p.Items[0].Key[1], p.Items[0].Value[1] = 'x', 'x'
			o.wantScan("", "", kv("aa", "11"))
		}},
		{"reads-see-one-version", "a batch read in part is a state that never was", readsSeeOneVersion},
		{"cancelled-call-does-nothing", "a caller that gave up must be able to believe it", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "a", "1")
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := o.Apply(ctx, storage.Batch{From: 1, To: 2, Puts: []storage.KV{kv("a", "2")}}); !errors.Is(err, context.Canceled) {
				t.Fatalf("apply with a cancelled context: %v", err)
			}
			if _, _, err := o.Get(ctx, [][]byte{[]byte("a")}); !errors.Is(err, context.Canceled) {
				t.Fatalf("get with a cancelled context: %v", err)
			}
			if _, err := o.Scan(ctx, nil, nil, 1); !errors.Is(err, context.Canceled) {
				t.Fatalf("scan with a cancelled context: %v", err)
			}
			o.wantVersion(1)
			o.wantValue("a", []byte("1"))
		}},
		{"calls-after-close-fail", "a chain that goes on with a closed store would read nothing and believe it", func(t T, f Factory) {
			o := open(t, f)
			o.put(0, "a", "1")
			o.done()
			if _, _, err := o.Get(t.Context(), [][]byte{[]byte("a")}); err == nil {
				t.Errorf("get on a closed store gives no error")
			}
			if _, err := o.Scan(t.Context(), nil, nil, 1); err == nil {
				t.Errorf("scan on a closed store gives no error")
			}
			if _, err := o.Apply(t.Context(), storage.Batch{From: 1, To: 2}); err == nil {
				t.Errorf("apply on a closed store gives no error")
			}
			if _, err := o.Status(t.Context(), false); err == nil {
				t.Errorf("status of a closed store gives no error")
			}
		}},
		{"stores-are-apart", "two chains in one process must not see each other", func(t T, f Factory) {
			a, b := open(t, f), open(t, f)
			defer a.done()
			defer b.done()
			a.put(0, "k", "a")
			b.wantVersion(0)
			b.wantValue("k", nil)
		}},
	}
}

// readsSeeOneVersion lets readers run while every key is rewritten again and again: all values that one call returns
// must name the version that the call returns.
func readsSeeOneVersion(t T, f Factory) {
	o := open(t, f)
	defer o.done()
	const keys, versions, readers = 200, 60, 3
	names := make([]string, keys)
	batch := func(v uint64) storage.Batch {
		b := storage.Batch{From: v - 1, To: v}
		for i := range names {
			names[i] = fmt.Sprintf("key-%03d", i)
			b.Puts = append(b.Puts, kv(names[i], fmt.Sprint(v)))
		}
		return b
	}
	o.must(batch(1))
	ks := bytesOf(names)
	stop := make(chan struct{})
	errs := make(chan error, readers)
	var wg sync.WaitGroup
	for r := range readers {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := readOnce(t.Context(), o.Store, ks, (i+r)%2 == 0); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	for v := uint64(2); v <= versions; v++ {
		if _, err := o.Apply(t.Context(), batch(v)); err != nil {
			t.Errorf("apply to %d: %v", v, err)
			break
		}
	}
	close(stop)
	wg.Wait()
	select {
	case err := <-errs:
		t.Fatalf("%v", err)
	default:
	}
}

func readOnce(ctx context.Context, s storage.Store, keys [][]byte, get bool) error {
	var values [][]byte
	var version uint64
	if get {
		vs, v, err := s.Get(ctx, keys)
		if err != nil {
			return fmt.Errorf("get: %w", err)
		}
		values, version = vs, v
	} else {
		p, err := s.Scan(ctx, nil, nil, len(keys))
		if err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		version = p.Version
		for _, it := range p.Items {
			values = append(values, it.Value)
		}
	}
	if len(values) != len(keys) {
		return fmt.Errorf("%d values for %d keys", len(values), len(keys))
	}
	for i, v := range values {
		if string(v) != fmt.Sprint(version) {
			return fmt.Errorf("item %d is of version %s in an answer of version %d", i, v, version)
		}
	}
	return nil
}
