package storagetest

import (
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/storage"
)

func scanCases() []Case {
	return []Case{
		{"scan-bounds", "ranges of neighbouring namespaces touch", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "a", "1", "b", "2", "c", "3", "d", "4")
			o.wantScan("b", "d", kv("b", "2"), kv("c", "3"))
			o.wantScan("b", "bb", kv("b", "2"))
			o.wantScan("ab", "c", kv("b", "2"))
		}},
		{"scan-open-ends", "a chain's start reads everything that there is", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "a", "1", "b", "2", "c", "3")
			o.wantScan("", "", kv("a", "1"), kv("b", "2"), kv("c", "3"))
			o.wantScan("b", "", kv("b", "2"), kv("c", "3"))
			o.wantScan("", "b", kv("a", "1"))
			p, err := o.Scan(t.Context(), []byte{}, []byte{}, 10) // empty is as good as nil
			if err != nil || len(p.Items) != 3 {
				t.Fatalf("scan from and to an empty key: %d items, %v", len(p.Items), err)
			}
		}},
		{"scan-of-nothing", "an empty range is not an error", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "a", "1", "c", "3")
			for _, r := range [][2]string{{"b", "b"}, {"c", "a"}, {"b", "c"}, {"d", ""}} {
				if p := o.scan(r[0], r[1], 10); len(p.Items) != 0 || p.More || p.Version != 1 {
					t.Fatalf("scan %q to %q: %d items, more %t, version %d", r[0], r[1], len(p.Items), p.More, p.Version)
				}
			}
		}},
		{"scan-in-byte-order", "every node has to see the same order", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "b", "", "\xff", "", "aa", "", "a", "", "\x7f", "", "\x80", "", "B", "")
			o.wantScan("", "", kv("B", ""), kv("a", ""), kv("aa", ""), kv("b", ""), kv("\x7f", ""), kv("\x80", ""), kv("\xff", ""))
		}},
		{"zero-bytes-in-keys", "keys are hashes and integers, not text", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "\x00", "1", "\x00\x00", "2", "a\x00", "3", "a\x00b", "4", "\xff\x00", "5")
			o.wantValue("a", nil)
			o.wantValue("a\x00", []byte("3"))
			o.wantScan("a\x00", "a\x01", kv("a\x00", "3"), kv("a\x00b", "4"))
			o.wantScan("", "a", kv("\x00", "1"), kv("\x00\x00", "2"))
			o.wantScan("\xff\x00", "", kv("\xff\x00", "5"))
		}},
		{"scan-pages", "a range that does not fit a page is read whole, once", scanPages},
		{"scan-refuses-bad-limits", "a limit of zero would read for ever", func(t T, f Factory) {
			o := open(t, f)
			defer o.done()
			o.put(0, "a", "1")
			for _, limit := range []int{0, -1, storage.MaxPage + 1} {
				if _, err := o.Scan(t.Context(), nil, nil, limit); !errors.Is(err, storage.ErrInvalid) {
					t.Errorf("scan with limit %d: %v, want ErrInvalid", limit, err)
				}
			}
		}},
	}
}

// scanPages reads 20 items with every limit from 1 to 21 and checks More and the seams.
func scanPages(t T, f Factory) {
	o := open(t, f)
	defer o.done()
	const n = 20
	var want []storage.KV
	b := storage.Batch{To: 1}
	for i := range n {
		want = append(want, kv(fmt.Sprintf("k%02d", i), fmt.Sprint(i)))
	}
	b.Puts = append(append(b.Puts, want...), kv("z", "outside"))
	o.must(b)
	for limit := 1; limit <= n+1; limit++ {
		var got []storage.KV
		start := "k"
		for pages := 0; ; pages++ {
			if pages > n {
				t.Fatalf("limit %d: no end after %d pages", limit, pages)
			}
			p := o.scan(start, "l", limit)
			got = append(got, p.Items...)
			if p.More != (len(got) < n) {
				t.Fatalf("limit %d: more is %t after %d of %d items", limit, p.More, len(got), n)
			}
			if !p.More {
				break
			}
			if len(p.Items) == 0 {
				t.Fatalf("limit %d: an empty page says that there is more", limit)
			}
			start = string(p.Items[len(p.Items)-1].Key) + "\x00"
		}
		if diff := diffItems(got, want); diff != "" {
			t.Fatalf("limit %d: %s", limit, diff)
		}
	}
}
