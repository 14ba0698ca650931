package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestCrashAtEveryApply ends a node before, and right after, each batch takes effect, opens the state again and goes on.
func TestCrashAtEveryApply(t *testing.T) {
	const commits = 12
	for _, every := range []int{1, 4, 64} {
		for crash := range commits {
			for _, took := range []bool{false, true} {
				name := fmt.Sprintf("pages every %d, crash at %d, taken %v", every, crash, took)
				w := newWorld(uint64(every), 900)
				s := newDisk()
				db := open(t, s, Options{PageEvery: every})
				m := model{}
				for i := range commits {
					c := w.changes(70)
					l := derive(t, db.Base(), c)
					version := uint64(i + 1)
					if i == crash {
						if s.before = errCrash; took {
							s.before, s.after = nil, errCrash
						}
						if err := db.Commit(context.Background(), l, version, nil, nil); !errors.Is(err, errCrash) {
							t.Fatalf("%s: %v", name, err)
						}
						db = open(t, s, Options{PageEvery: every})
						if want := version - 1; !took && (db.Version() != want || db.Base().Root() != m.root()) {
							t.Fatalf("%s: version %d", name, db.Version())
						}
						if took != (db.Version() == version) {
							t.Fatalf("%s: version %d", name, db.Version())
						}
						l = derive(t, db.Base(), c) // the same block again: nothing changes if it was taken
						version += 1000
					} else if i > crash {
						version += 1000
					}
					commit(t, db, l, version)
					m = m.with(c)
					if i == crash || i == commits-1 {
						db = open(t, s, Options{PageEvery: every})
						if db.Version() != version || db.Base().Root() != m.root() {
							t.Fatalf("%s: version %d after %d", name, db.Version(), version)
						}
					}
				}
			}
		}
	}
}

var errCrash = errors.New("crash")

// TestUnansweredCommit has the store finish by itself a batch that it seemed to have refused, at the worst moment.
func TestUnansweredCommit(t *testing.T) {
	ctx := context.Background()
	w := newWorld(5, 100)
	s := newDisk()
	db := open(t, s, Options{})
	c1, c2 := w.changes(20), w.changes(20)
	l1 := derive(t, db.Base(), c1)
	l2 := derive(t, l1, c2)
	s.before = storage.ErrNoSpace
	if err := db.Commit(ctx, l1, 1, []storage.KV{{Key: []byte("x"), Value: []byte("1")}}, nil); !errors.Is(err, storage.ErrNoSpace) {
		t.Fatal(err)
	}
	w.check(t, l1, model{}.with(c1))
	if _, err := s.Apply(ctx, db.attempt.batch); err != nil {
		t.Fatal(err)
	}
	w.check(t, l1, model{}.with(c1))
	w.check(t, l2, model{}.with(c1).with(c2))
	if _, err := db.Base().Get(ctx, []Item{w.item()}); !errors.Is(err, ErrStale) {
		t.Fatalf("the former base, whose values the store has lost: %v", err)
	}
	commit(t, db, l2, 2)
	values, version, err := s.Get(ctx, [][]byte{[]byte("x")})
	if err != nil || version != 2 || string(values[0]) != "1" {
		t.Fatalf("%q of version %d, %v", values, version, err)
	}
	w.check(t, open(t, s, Options{}).Base(), model{}.with(c1).with(c2))
}

func TestCallersKeysAreWrittenInOneBatch(t *testing.T) {
	ctx := context.Background()
	s := newDisk()
	db := open(t, s, Options{})
	l := derive(t, derive(t, db.Base(), []Change{{Item{Key: "a"}, []byte("1")}}), []Change{{Item{Key: "a"}, []byte("2")}})
	if err := db.Commit(ctx, l, 7, []storage.KV{{Key: []byte("h"), Value: []byte("header")}}, [][]byte{[]byte("gone")}); err != nil {
		t.Fatal(err)
	}
	if s.applies != 1 {
		t.Fatalf("%d batches", s.applies)
	}
	if err := db.Commit(ctx, db.Base(), 8, nil, [][]byte{[]byte("h")}); err != nil { // an empty block
		t.Fatal(err)
	}
	values, version, _ := s.Get(ctx, [][]byte{[]byte("h"), itemKeys([]Item{{Key: "a"}})[0]})
	if values[0] != nil || string(values[1]) != "2" || version != 8 {
		t.Fatalf("%q of version %d", values, version)
	}
}

// TestLostVersions has the store forget what was not durable while the state is open.
func TestLostVersions(t *testing.T) {
	ctx := context.Background()
	for _, volatile := range []bool{false, true} {
		t.Run(fmt.Sprint("volatile ", volatile), func(t *testing.T) {
			w := newWorld(9, 200)
			s := newDisk()
			s.volatile = volatile
			db := open(t, s, Options{})
			m := model{}
			for v := uint64(1); v <= keptMost+30; v++ {
				c := w.changes(10)
				l := derive(t, db.Base(), c)
				m = m.with(c)
				if v%3 == 0 {
					s.crash(t, 1000)
					commit(t, db, l, v)
				} else {
					commit(t, db, l, v)
					s.crash(t, 1000)
				}
				w.check(t, db.Base(), m)
			}
			if n := len(db.kept.batches); !volatile && n > keptMost+1 {
				t.Errorf("%d batches are kept", n)
			}
		})
	}
	t.Run("too much to keep", func(t *testing.T) {
		w := newWorld(9, 200)
		s := newDisk()
		s.volatile = true
		db := open(t, s, Options{KeepBytes: 10_000})
		for v := uint64(1); v <= 2*keptMost; v++ {
			commit(t, db, derive(t, db.Base(), w.changes(20)), v)
		}
		s.crash(t, 1)
		_, err := db.Base().Get(ctx, []Item{w.item()})
		err2 := db.Commit(ctx, derive(t, db.Base(), nil), db.Version()+1, nil, nil)
		if !errors.Is(err, ErrLost) || !errors.Is(err2, ErrLost) {
			t.Fatal(err, err2)
		}
	})
}

// TestPagesTakeTurns checks what the layout is for: a page is rewritten once in PageEvery commits, and only then.
func TestPagesTakeTurns(t *testing.T) {
	const every = 16
	w := newWorld(11, 9_000)
	s := newDisk()
	db := open(t, s, Options{PageEvery: every})
	commit(t, db, derive(t, db.Base(), w.changes(6_000)), 1)
	written := map[string][]uint64{}
	for v := uint64(2); v < 6*every; v++ {
		commit(t, db, derive(t, db.Base(), w.changes(200)), v)
		for _, kv := range s.history[len(s.history)-1].Puts {
			if kv.Key[0] == keySpace && kv.Key[1] == keyPage {
				written[string(kv.Key)] = append(written[string(kv.Key)], v)
			}
		}
		if n := len(db.pages.deltas); n > every+1 {
			t.Fatalf("%d deltas at version %d", n, v)
		}
	}
	if n := len(s.all(t, "sp")); n < 10 || n != len(db.pages.table) {
		t.Fatalf("%d pages, %d in the table", n, len(db.pages.table))
	}
	for key, versions := range written {
		for i := 2; i < len(versions); i++ { // the first time, it came out of a larger one
			if d := versions[i] - versions[i-1]; d < every/2 {
				t.Errorf("page %x was written at versions %v", key[2:10], versions)
				break
			}
		}
	}
	// All that goes away: pages are joined.
	var all []Change
	for _, kv := range s.all(t, "si") {
		it, err := parseItemKey(kv.Key)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Change{Item: it})
	}
	commit(t, db, derive(t, db.Base(), all), 1000)
	for v := uint64(1001); v < 1001+2*every; v++ {
		commit(t, db, db.Base(), v)
	}
	if n := len(s.all(t, "sp")); n != 1 || len(db.pages.deltas) != 0 || len(s.all(t, "sd")) != 0 {
		t.Errorf("an empty state has %d pages and %d deltas", n, len(db.pages.deltas))
	}
	if db.Base().Root() != (types.Hash{}) {
		t.Errorf("root %s", db.Base().Root())
	}
}

// TestDamageIsFound changes each byte of what the tree is read from, and takes each record away.
func TestDamageIsFound(t *testing.T) {
	ctx := context.Background()
	w := newWorld(13, 3000)
	s := newDisk()
	db := open(t, s, Options{PageEvery: 8})
	m := model{}
	for v := uint64(1); v <= 30; v++ {
		c := w.changes(60)
		if v == 1 {
			c = w.changes(2000)
		}
		m = m.with(c)
		commit(t, db, derive(t, db.Base(), c), v)
	}
	kinds := map[byte]int{}
	for _, kv := range s.all(t, "s") {
		kind := kv.Key[1]
		kinds[kind]++
		if kind == keyItem {
			continue // below
		}
		if _, err := Open(ctx, s.put(t, nil, kv.Key), Options{}); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("without key %x: %v", kv.Key, err)
		}
		for range 3 {
			bad := bytes.Clone(kv.Value)
			bad[w.IntN(len(bad))] ^= 1 << w.IntN(8)
			at := 0
			for bad[at] == kv.Value[at] {
				at++
			}
			damaged := s.put(t, []storage.KV{{Key: kv.Key, Value: bad}})
			db, err := Open(ctx, damaged, Options{})
			switch {
			case kind == keyRecord && err == nil: // the cursor and the number of commits are free
				w.check(t, db.Base(), m)
				continue
			case !errors.Is(err, ErrCorrupt):
				// What a later delta sets again does no harm.
				if err == nil && db.Base().Root() == m.root() {
					continue
				}
				t.Fatalf("key %x with byte %d changed: %v", kv.Key, at, err)
			}
			if kind == keyRecord {
				continue
			}
			db, err = Open(ctx, damaged, Options{Rebuild: true})
			if err != nil {
				t.Fatalf("rebuild: %v", err)
			}
			w.check(t, db.Base(), m)
			commit(t, db, derive(t, db.Base(), nil), db.Version()+1)
			w.check(t, open(t, damaged, Options{}).Base(), m)
		}
	}
	if kinds[keyRecord] != 1 || kinds[keyPage] < 3 || kinds[keyDelta] < 3 || kinds[keyItem] < 500 {
		t.Fatalf("the store holds too little for this test: %v", kinds)
	}
	if _, err := Open(ctx, s.put(t, []storage.KV{s.all(t, "si")[7]}, s.all(t, "si")[8].Key), Options{Rebuild: true}); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("rebuild without an item: %v", err)
	}
}
