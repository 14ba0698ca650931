package storagetest

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

func durabilityCases() []Case {
	return []Case{
		{"sync-makes-durable", "the core drops what is durable from its own log", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			want := func(st storage.Status, v uint64) {
				t.Helper()
				if f.Volatile {
					v = 0
				}
				if st.Durable != v {
					t.Fatalf("durable is %d, want %d", st.Durable, v)
				}
			}
			st := o.must(storage.Batch{From: 0, To: 1, Puts: []storage.KV{kv("a", "1")}, Sync: true})
			want(st, 1)
			want(o.status(false), 1)
		}},
		{"status-sync-makes-durable", "so that a batch need not wait for the disk", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "a", "1")
			o.put(1, "a", "2")
			st := o.status(true)
			if want := (storage.Status{Version: 2, Durable: 2}); !f.Volatile && st != want {
				t.Fatalf("status after a sync is %+v, want %+v", st, want)
			}
			if st.Version != 2 || (f.Volatile && st.Durable != 0) {
				t.Fatalf("status after a sync is %+v", st)
			}
		}},
		{"apply-again-with-sync", "a repeated batch may be the one that has to be durable", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			b := storage.Batch{From: 0, To: 1, Puts: []storage.KV{kv("a", "1")}}
			o.must(b)
			b.Sync = true
			if st := o.must(b); !f.Volatile && st.Durable != 1 {
				t.Fatalf("durable is %d after a repeated batch with sync", st.Durable)
			}
		}},
		{"durable-never-falls", "the core has dropped what it could have applied again", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			var last uint64
			for v := uint64(1); v <= 20; v++ {
				st := o.must(storage.Batch{From: v - 1, To: v, Puts: []storage.KV{kv("a", fmt.Sprint(v))}, Sync: v%7 == 0})
				for _, d := range []uint64{st.Durable, o.status(false).Durable} {
					if d < last {
						t.Fatalf("durable falls from %d to %d at version %d", last, d, v)
					}
					last = d
				}
			}
		}},
		{"durable-survives-close", "a restart must not lose a final block", func(t T, f Factory) {
			o := open(t, f)
			for v := uint64(1); v <= 9; v++ {
				o.must(storage.Batch{From: v - 1, To: v, Sync: v == 6,
					Puts: []storage.KV{kv(fmt.Sprintf("k%d", v), fmt.Sprint(v)), kv("last", fmt.Sprint(v))}})
			}
			durable := o.status(false).Durable
			o = o.reopen()
			defer o.done()
			v := o.status(false).Version
			if v < durable || v > 9 {
				t.Fatalf("version is %d after a restart, %d was durable and 9 applied", v, durable)
			}
			var want []storage.KV
			for i := uint64(1); i <= v; i++ {
				want = append(want, kv(fmt.Sprintf("k%d", i), fmt.Sprint(i)))
			}
			if v > 0 {
				want = append(want, kv("last", fmt.Sprint(v)))
			}
			o.wantScan("", "", want...)
		}},
		{"deletes-survive-close", "what was deleted must not come back", func(t T, f Factory) {
			o := open(t, f)
			o.put(0, "a", "1", "b", "1")
			o.must(storage.Batch{From: 1, To: 2, Deletes: [][]byte{[]byte("a")}, Sync: true})
			o = o.reopen()
			defer o.done()
			if f.Volatile {
				o.wantVersion(0)
				return
			}
			o.wantScan("", "", kv("b", "1"))
		}},
		{"goes-on-after-reopen", "the version is kept in the batch that made it", func(t T, f Factory) {
			o := open(t, f)
			b := storage.Batch{From: 0, To: 3, Puts: []storage.KV{kv("a", "3")}, Sync: true}
			o.must(b)
			for v := uint64(3); v < 6; v++ {
				o = o.reopen()
				if got := o.status(false).Version; got != v {
					if f.Volatile && got == 0 {
						break
					}
					t.Fatalf("version is %d after a restart, want %d", got, v)
				}
				o.must(b)
				b = storage.Batch{From: v, To: v + 1, Puts: []storage.KV{kv("a", fmt.Sprint(v+1))}, Sync: true}
				o.must(b)
				o.wantValue("a", fmt.Append(nil, v+1))
			}
			o.done()
		}},
		{"durable-after-reopen", "the core applies again what is not durable, and nothing else", func(t T, f Factory) {
			o := open(t, f)
			o.must(storage.Batch{From: 0, To: 1, Puts: []storage.KV{kv("a", "1")}, Sync: true})
			before := o.status(false).Durable
			o = o.reopen()
			defer o.done()
			if st := o.status(false); st.Durable < before {
				t.Fatalf("durable is %d after a restart and was %d before", st.Durable, before)
			}
		}},
	}
}
