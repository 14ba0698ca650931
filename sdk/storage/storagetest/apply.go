package storagetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

func applyCases() []Case {
	return []Case{
		{"put-replaces", "an account has one balance", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "a", "long old value", "b", "2")
			o.put(1, "a", "new")
			o.wantScan("", "", kv("a", "new"), kv("b", "2"))
		}},
		{"delete-removes", "what was deleted must not come back in a state root", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "a", "1", "b", "2", "c", "3")
			o.must(storage.Batch{From: 1, To: 2, Deletes: [][]byte{[]byte("b")}})
			o.wantValue("b", nil)
			o.wantScan("", "", kv("a", "1"), kv("c", "3"))
		}},
		{"delete-of-nothing", "a batch that is repeated after a crash deletes what is gone", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.must(storage.Batch{From: 0, To: 1, Puts: []storage.KV{kv("a", "1")}, Deletes: [][]byte{[]byte("b")}})
			o.wantScan("", "", kv("a", "1"))
		}},
		{"empty-batch", "an empty block still moves the version", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.must(storage.Batch{From: 0, To: 1})
			o.wantVersion(1)
		}},
		{"versions-may-skip", "versions are heights or slots, as the core likes", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.must(storage.Batch{From: 0, To: 7, Puts: []storage.KV{kv("a", "7")}})
			o.must(storage.Batch{From: 7, To: 1 << 60, Puts: []storage.KV{kv("a", "8")}})
			o.wantVersion(1 << 60)
			o.wantValue("a", []byte("8"))
		}},
		{"wrong-version-is-refused", "a batch on another state gives a state that no quorum has signed", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.must(storage.Batch{From: 0, To: 5, Puts: []storage.KV{kv("a", "5")}})
			for _, fromTo := range [][2]uint64{{0, 4}, {4, 6}, {6, 7}, {0, 6}} {
				b := storage.Batch{From: fromTo[0], To: fromTo[1], Puts: []storage.KV{kv("a", "wrong")}}
				if _, err := o.Apply(t.Context(), b); !errors.Is(err, storage.ErrWrongVersion) {
					t.Fatalf("apply %d to %d at version 5: %v, want ErrWrongVersion", b.From, b.To, err)
				}
			}
			o.wantVersion(5)
			o.wantValue("a", []byte("5"))
		}},
		{"apply-again-answers", "an answer may get lost", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			b := storage.Batch{From: 0, To: 1, Puts: []storage.KV{kv("a", "1")}}
			o.must(b)
			o.must(b)
			b = storage.Batch{From: 1, To: 2, Puts: []storage.KV{kv("a", "2")}}
			o.must(b)
			o.must(b)
			o.wantVersion(2)
		}},
		{"apply-again-changes-nothing", "what is there already is not written over", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "a", "1")
			// No caller does this; it shows whether the store looks at the version or just writes.
			o.must(storage.Batch{From: 0, To: 1, Puts: []storage.KV{kv("a", "other"), kv("b", "other")}})
			o.wantScan("", "", kv("a", "1"))
		}},
		{"backward-batch-is-refused", "versions only grow", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "a", "1")
			for _, b := range []storage.Batch{{From: 1, To: 1}, {From: 1, To: 0}} {
				if _, err := o.Apply(t.Context(), b); !errors.Is(err, storage.ErrInvalid) {
					t.Fatalf("apply %d to %d: %v, want ErrInvalid", b.From, b.To, err)
				}
			}
			o.wantVersion(1)
		}},
		{"key-twice-is-refused", "which of the two would win?", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			for what, b := range map[string]storage.Batch{
				"two puts":               {Puts: []storage.KV{kv("a", "1"), kv("a", "2")}},
				"two puts, not adjacent": {Puts: []storage.KV{kv("a", "1"), kv("b", "2"), kv("a", "3")}},
				"put and delete":         {Puts: []storage.KV{kv("a", "1")}, Deletes: [][]byte{[]byte("a")}},
				"two deletes":            {Deletes: [][]byte{[]byte("a"), []byte("a")}},
			} {
				b.To = 1
				if _, err := o.Apply(t.Context(), b); !errors.Is(err, storage.ErrInvalid) {
					t.Fatalf("%s of one key: %v, want ErrInvalid", what, err)
				}
			}
			o.wantVersion(0)
		}},
		{"refused-batch-leaves-nothing", "half a batch is a state that never was", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "a", "1")
			b := storage.Batch{From: 1, To: 2, Puts: []storage.KV{kv("a", "2"), kv("b", "2"), kv(strings.Repeat("k", storage.MaxKeyBytes+1), "")}}
			if _, err := o.Apply(t.Context(), b); err == nil {
				t.Fatalf("a key of %d bytes is accepted", storage.MaxKeyBytes+1)
			}
			o.wantVersion(1)
			o.wantScan("", "", kv("a", "1"))
		}},
		{"as-a-model", "many versions, puts and deletes on the same keys, against a map", asAModel},
	}
}

// asAModel applies 120 random batches and compares the store with a map after each.
func asAModel(t T, f Factory) {
	o := open(t, f)
	defer o.done()
	const versions, keys = 120, 40
	rng := rand.New(rand.NewPCG(1, 2))
	model := map[string]string{}
	for v := uint64(1); v <= versions; v++ {
		b := storage.Batch{From: v - 1, To: v}
		for i, k := range rng.Perm(keys)[:rng.IntN(12)] {
			key := fmt.Sprintf("key-%03d", k)
			if rng.IntN(3) == 0 {
				b.Deletes = append(b.Deletes, []byte(key))
				delete(model, key)
			} else {
				b.Puts = append(b.Puts, kv(key, fmt.Sprintf("%d.%d", v, i)))
				model[key] = fmt.Sprintf("%d.%d", v, i)
			}
		}
		o.must(b)
		var want []storage.KV
		for k, val := range model {
			want = append(want, kv(k, val))
		}
		slices.SortFunc(want, func(a, b storage.KV) int { return strings.Compare(string(a.Key), string(b.Key)) })
		p := o.scan("", "", keys+1)
		if diff := diffItems(p.Items, want); diff != "" || p.Version != v {
			t.Fatalf("after batch %d (version %d): %s", v, p.Version, diff)
		}
		var all []string
		for i := range keys {
			all = append(all, fmt.Sprintf("key-%03d", i))
		}
		vs, _ := o.get(all...)
		for i, k := range all {
			if val, ok := model[k]; ok != (vs[i] != nil) || val != string(vs[i]) {
				t.Fatalf("after batch %d: %s is %s, want %q (%t)", v, k, show(vs[i]), val, ok)
			}
		}
	}
}
