package storagetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/storage"
)

func limitCases() []Case {
	return []Case{
		{"longest-key", "the core relies on the limits that are promised", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			k := strings.Repeat("k", storage.MaxKeyBytes)
			o.put(0, k, "long")
			o.wantValue(k, []byte("long"))
			p := o.scan(k, k+"\x00", 1)
			if len(p.Items) != 1 || string(p.Items[0].Key) != k {
				t.Fatalf("scan finds %d items at the longest key", len(p.Items))
			}
			if p = o.scan(k+"\x00", "", 1); len(p.Items) != 0 {
				t.Fatalf("scan finds an item after the longest key")
			}
		}},
		{"largest-value", "a block body is one value", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			big := pattern(1, storage.MaxValueBytes)
			o.must(storage.Batch{From: 0, To: 1, Puts: []storage.KV{{Key: []byte("big"), Value: big}}})
			vs, _ := o.get("big")
			if !bytes.Equal(vs[0], big) {
				t.Fatalf("a value of %d bytes comes back with %d, or changed", len(big), len(vs[0]))
			}
		}},
		{"too-large-is-refused", "a store that takes more than it promises fails on another node", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			long := strings.Repeat("k", storage.MaxKeyBytes+1)
			for what, b := range map[string]storage.Batch{
				"value":         {Puts: []storage.KV{{Key: []byte("a"), Value: make([]byte, storage.MaxValueBytes+1)}}},
				"key of delete": {Deletes: [][]byte{[]byte(long)}},
			} {
				b.To = 1
				if _, err := o.Apply(t.Context(), b); !errors.Is(err, storage.ErrTooLarge) {
					t.Fatalf("%s one byte too large: %v, want ErrTooLarge", what, err)
				}
			}
			if _, _, err := o.Get(t.Context(), [][]byte{[]byte(long)}); !errors.Is(err, storage.ErrTooLarge) {
				t.Fatalf("get of a key one byte too long: %v, want ErrTooLarge", err)
			}
			o.wantVersion(0)
		}},
		{"empty-key-is-refused", "not every database has one", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			for what, b := range map[string]storage.Batch{
				"put":    {To: 1, Puts: []storage.KV{{Key: []byte{}, Value: []byte("1")}}},
				"delete": {To: 1, Deletes: [][]byte{{}}},
			} {
				if _, err := o.Apply(t.Context(), b); !errors.Is(err, storage.ErrInvalid) {
					t.Fatalf("%s of the empty key: %v, want ErrInvalid", what, err)
				}
			}
			if _, _, err := o.Get(t.Context(), [][]byte{{}}); !errors.Is(err, storage.ErrInvalid) {
				t.Fatalf("get of the empty key: %v, want ErrInvalid", err)
			}
		}},
		{"batch-above-a-message", "a block's changes need not fit a message", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			const n = 5
			b := storage.Batch{From: 0, To: 1}
			for i := range n {
				b.Puts = append(b.Puts, storage.KV{Key: fmt.Appendf(nil, "part-%d", i), Value: pattern(i, 4<<20)})
			}
			o.must(b)
			for i := range n {
				vs, _ := o.get(fmt.Sprintf("part-%d", i))
				if !bytes.Equal(vs[0], pattern(i, 4<<20)) {
					t.Fatalf("value %d of a batch of %d bytes is wrong", i, b.Bytes())
				}
			}
		}},
		{"get-above-a-message", "what was asked for together is answered together", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			const n = 5
			var keys []string
			for i := range n {
				keys = append(keys, fmt.Sprintf("part-%d", i))
				o.must(storage.Batch{From: uint64(i), To: uint64(i + 1), Puts: []storage.KV{{Key: []byte(keys[i]), Value: pattern(i, 4<<20)}}})
			}
			vs, _ := o.get(keys...)
			for i, v := range vs {
				if !bytes.Equal(v, pattern(i, 4<<20)) {
					t.Fatalf("value %d of %d is wrong", i, n)
				}
			}
		}},
		{"page-within-a-message", "a page that is too large never arrives", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			const n = 5
			for i := range n {
				o.must(storage.Batch{From: uint64(i), To: uint64(i + 1), Puts: []storage.KV{{Key: fmt.Appendf(nil, "part-%d", i), Value: pattern(i, 4<<20)}}})
			}
			start, seen := "", 0
			for more := true; more; {
				p := o.scan(start, "", 100)
				size := 0
				for _, it := range p.Items {
					if !bytes.Equal(it.Value, pattern(seen, 4<<20)) {
						t.Fatalf("item %d is wrong", seen)
					}
					seen++
					size += len(it.Value)
					start = string(it.Key) + "\x00"
				}
				if size > plugin.MaxMessage {
					t.Fatalf("a page of %d bytes, a message has at most %d", size, plugin.MaxMessage)
				}
				if more = p.More; more && len(p.Items) == 0 {
					t.Fatalf("an empty page says that there is more")
				}
			}
			if seen != n {
				t.Fatalf("%d items of %d", seen, n)
			}
		}},
		{"many-small-items", "twenty thousand accounts change in a block", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			const n = 20_000
			b := storage.Batch{From: 0, To: 1}
			keys := make([]string, n)
			for i := range n {
				keys[i] = fmt.Sprintf("account-%08d", i)
				b.Puts = append(b.Puts, kv(keys[i], fmt.Sprint(i)))
			}
			o.must(b)
			vs, _ := o.get(keys...)
			for i, v := range vs {
				if string(v) != fmt.Sprint(i) {
					t.Fatalf("value %d of %d is %s", i, n, show(v))
				}
			}
			p := o.scan("account-", "account.", storage.MaxPage)
			if !p.More || len(p.Items) == 0 {
				t.Fatalf("a page of %d items, more %t", len(p.Items), p.More)
			}
		}},
	}
}

// pattern returns n bytes that depend on i; n is a multiple of 8.
func pattern(i, n int) []byte {
	out := make([]byte, 0, n)
	x := uint64(i)*2654435761 + 1
	for len(out) < n {
		x = x*6364136223846793005 + 1442695040888963407
		out = binary.BigEndian.AppendUint64(out, x)
	}
	return out
}
