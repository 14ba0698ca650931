package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestTree compares trees with the definition, on paths that share many bits.
func TestTree(t *testing.T) {
	for seed := range uint64(18) {
		r := rand.New(rand.NewPCG(seed, 2))
		path := func() (p types.StatePath) {
			for range r.IntN(5) {
				bit := []int{0, 1, 2, 63, 64, 65, 200, 317, 318, 319}[r.IntN(10)]
				if seed%3 == 0 {
					bit = r.IntN(types.StatePathBits)
				}
				p[bit/8] |= 128 >> (bit % 8)
			}
			return p
		}
		f := newForest()
		var n tree
		now := map[types.StatePath]types.Hash{}
		for range 30 {
			changes := make([]types.StateLeaf, r.IntN(40))
			for i := range changes {
				changes[i].Path = path()
				if r.IntN(3) > 0 {
					changes[i].Value = types.Hash{byte(1 + r.IntN(3))}
				}
				if now[changes[i].Path] = changes[i].Value; changes[i].Value == (types.Hash{}) {
					delete(now, changes[i].Path)
				}
			}
			g := newGrower(f, 1)
			n = g.apply(n, sortLeaves(changes), 0)
			g.finish()
			f.release(g.replaced)
			var want []types.StateLeaf
			for p, v := range now {
				want = append(want, types.StateLeaf{Path: p, Value: v})
			}
			if n.hash != naiveRoot(want, 0) {
				t.Fatalf("seed %d: root of %d leaves differs", seed, len(want))
			}
			if f.leaves.used() != len(want) || f.branches.used() != max(len(want)-1, 0) {
				t.Fatalf("seed %d: %d leaves and %d branches in use, for %d items", seed, f.leaves.used(), f.branches.used(), len(want))
			}
			slices.SortFunc(want, func(a, b types.StateLeaf) int { return a.Path.Compare(&b.Path) })
			from, to := path(), path()
			var part []types.StateLeaf
			for _, l := range want {
				if l.Path.Compare(&from) >= 0 && l.Path.Compare(&to) < 0 {
					part = append(part, l)
				}
			}
			if got := f.collect(nil, n.node, &from, &to); !slices.Equal(got, part) {
				t.Fatalf("seed %d: %d leaves of a range, want %d", seed, len(got), len(part))
			}
			if got := f.collect(nil, n.node, &types.StatePath{}, nil); !slices.Equal(got, want) {
				t.Fatalf("seed %d: %d leaves in order, want %d", seed, len(got), len(want))
			}
		}
	}
}

// TestRandomOperations drives a state with forks, commits, crashes and reopenings, and compares all that it says with
// the model.
func TestRandomOperations(t *testing.T) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(seed, []int{20, 300, 1800}[seed%3])
			s := newDisk()
			s.page = []int{0, 3}[seed%2]
			opts := Options{PageEvery: []int{1, 3, 8, 64}[seed%4], Workers: 1 + int(seed%3)}
			db := open(t, s, opts)
			type state struct {
				l *Layer
				m model
			}
			all := []state{{db.Base(), model{}}}
			for range 60 {
				x := all[w.IntN(len(all))]
				size := w.IntN(20)
				if w.IntN(10) == 0 {
					size = w.IntN(2 * w.items)
				}
				switch w.IntN(8) {
				case 0, 1: // commit, sometimes with an answer that is lost
					version := db.Version() + 1 + uint64(w.IntN(3))
					if w.IntN(4) == 0 {
						s.after = errors.New("the answer was lost")
						if err := db.Commit(context.Background(), x.l, version, nil, nil); err == nil {
							t.Fatal("no error")
						}
						w.check(t, x.l, x.m) // reads go on meanwhile
					}
					if err := db.Commit(context.Background(), x.l, version, nil, nil); err != nil {
						t.Fatal(err)
					}
					commit(t, db, x.l, version)
					if db.Version() != version || db.Base() != x.l {
						t.Fatalf("version %d after a commit of %d", db.Version(), version)
					}
					all = slices.DeleteFunc(all, func(y state) bool { return y.l.status == dropped })
					if len(all) == 0 {
						t.Fatal("no layer is left")
					}
				case 2: // the store loses what is not durable
					s.crash(t, w.IntN(4))
				case 3: // open it again
					if w.IntN(3) > 0 {
						continue
					}
					base := all[slices.IndexFunc(all, func(y state) bool { return y.l == db.Base() })]
					if err := db.restore(context.Background()); err != nil {
						t.Fatal(err)
					}
					opts.Rebuild = w.IntN(3) == 0
					db = open(t, s, opts)
					all = []state{{db.Base(), base.m}}
				default:
					c := w.changes(size)
					all = append(all, state{derive(t, x.l, c), x.m.with(c)})
				}
				y := all[w.IntN(len(all))]
				w.check(t, y.l, y.m)
			}
			commit(t, db, all[len(all)-1].l, db.Version()+1)
			n := len(all[len(all)-1].m)
			for _, y := range all {
				if y.l.status == live {
					n = -1 // nodes of layers above are in use, too
				}
			}
			if n >= 0 && (db.forest.leaves.used() != n || db.forest.branches.used() != max(n-1, 0)) {
				t.Fatalf("%d leaves and %d branches in use, for %d items", db.forest.leaves.used(), db.forest.branches.used(), n)
			}
		})
	}
}

// TestGoldenRoots fixes roots for good: a change of any of them splits every chain.
func TestGoldenRoots(t *testing.T) {
	place := types.Place{1, 2, 3, 4, 5, 6, 7, 8}
	many := make([]Change, 1000)
	for i := range many {
		many[i] = Change{Item{"bank", types.Place{byte(i), byte(i >> 8)}, fmt.Sprint(i)}, fmt.Appendf(nil, "value %d", i)}
	}
	for _, c := range []struct {
		name    string
		changes []Change
		root    string
	}{
		{"nothing", nil, "0000000000000000000000000000000000000000000000000000000000000000"},
		{"one item", []Change{{Item{"bank", place, "a"}, []byte("1")}}, "7e5ceeaac4eb123d5d82a90a5b362119628bc19f459c8e0fd4f09c88d7f25f19"},
		{"an empty value", []Change{{Item{"bank", place, "a"}, []byte{}}}, "134a6e8140919fae357d3a6f2462e9c408c4e2a690cdd93c9c70b64ab030a13f"},
		{"two items in one place", []Change{{Item{"bank", place, "a"}, []byte("1")}, {Item{"bank", place, "b"}, []byte("2")}}, "748c2476ec0709a40b322e1040348020cd34b118e6d83529a4f7450238deebfe"},
		{"module and key are apart", []Change{{Item{"ban", place, "ka"}, []byte("1")}, {Item{"bank", place, "a"}, []byte("1")}}, "20ddea8d1aa981957df76fa7d5a073cc714f1ffdf03c0c57644c8165c02563c5"},
		{"a thousand", many, "62efa0619611f0f53acc0e46611336bd615b140f55409b9452675fc83cf85cfb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := derive(t, open(t, newDisk(), Options{}).Base(), c.changes)
			if got := l.Root().String(); got != c.root {
				t.Errorf("root is %s, want %s", got, c.root)
			}
		})
	}
}

func TestProofs(t *testing.T) {
	w := newWorld(7, 400)
	changes := w.changes(300)
	m := model{}.with(changes)
	l := derive(t, open(t, newDisk(), Options{}).Base(), changes)
	kinds := map[bool]int{}
	for range 40 {
		it := w.item()
		proofs, err := l.Prove(context.Background(), []Item{it})
		if err != nil {
			t.Fatal(err)
		}
		kinds[m[it] != nil]++
		good := proofs[0].Encode()
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << w.IntN(8)
			p, err := types.DecodeStateProof(bad)
			if err == nil {
				err = p.Verify(l.Root(), it.Module, it.Place, it.Key, m[it])
			}
			if err == nil {
				t.Fatalf("a proof verifies with byte %d of %d changed", i, len(good))
			}
		}
		if proofs[0].Verify(l.Root(), it.Module, it.Place, it.Key, []byte("another")) == nil {
			t.Fatal("a proof verifies for another value")
		}
		if m[it] != nil && proofs[0].Verify(l.Root(), it.Module, it.Place, it.Key, nil) == nil {
			t.Fatal("a proof of presence shows absence")
		}
	}
	if kinds[true] == 0 || kinds[false] == 0 {
		t.Fatalf("not both kinds of proof were seen: %v", kinds)
	}
}

// TestDeepStall has a chain whose blocks wait long for their commit: reads go through runs.
func TestDeepStall(t *testing.T) {
	w := newWorld(3, 200)
	s := newDisk()
	db := open(t, s, Options{})
	l, m := db.Base(), model{}
	type state struct {
		l *Layer
		m model
	}
	var all []state
	for range 150 {
		c := w.changes(6)
		l, m = derive(t, l, c), m.with(c)
		all = append(all, state{l, m})
	}
	v, err := l.view()
	if err != nil || len(v.diffs) > 150/runLayers+runLayers {
		t.Fatalf("%d diffs to read through, %v", len(v.diffs), err)
	}
	for at := 0; at < len(all); at += 1 + w.IntN(20) {
		commit(t, db, all[at].l, uint64(at+1))
		for i, x := range all {
			if i < at {
				if _, err := x.l.Get(context.Background(), []Item{w.item()}); !errors.Is(err, ErrStale) {
					t.Fatalf("a layer beneath the base: %v", err)
				}
			} else if i%5 == 0 || i == at {
				w.check(t, x.l, x.m)
			}
		}
	}
}

func TestDroppedLayersSaySo(t *testing.T) {
	ctx := context.Background()
	w := newWorld(1, 50)
	db := open(t, newDisk(), Options{})
	base := db.Base()
	fork := derive(t, base, w.changes(10))
	above := derive(t, fork, w.changes(10))
	kept := derive(t, base, w.changes(10))
	root := above.Root()
	commit(t, db, kept, 1)
	for name, l := range map[string]*Layer{"fork": fork, "above a fork": above, "former base": base} {
		calls := map[string]error{"commit": db.Commit(ctx, l, 9, nil, nil)}
		_, calls["get"] = l.Get(ctx, []Item{w.item()})
		_, _, calls["scan"] = l.Scan(ctx, "bank", ScanPos{}, w.pos(), 1)
		_, _, calls["scan"] = l.Scan(ctx, "bank", ScanPos{}, ScanPos{Place: types.Place{1}}, 1)
		_, calls["derive"] = l.Derive(ctx, nil)
		_, calls["prove"] = l.Prove(ctx, nil)
		for call, err := range calls {
			if !errors.Is(err, ErrStale) {
				t.Errorf("%s of the %s: %v", call, name, err)
			}
		}
	}
	if above.Root() != root {
		t.Error("the root of a dropped layer has changed")
	}
}

func TestBadCalls(t *testing.T) {
	ctx := context.Background()
	db := open(t, newDisk(), Options{})
	l := derive(t, db.Base(), nil)
	long := Item{Key: string(make([]byte, types.MaxStateKeyBytes+1))}
	module := Item{Module: string(make([]byte, types.MaxStateModuleBytes+1))}
	calls := map[string]error{}
	_, calls["get of a long key"] = l.Get(ctx, []Item{long})
	_, calls["prove of a long module"] = l.Prove(ctx, []Item{module})
	_, calls["derive of a long key"] = l.Derive(ctx, []Change{{long, []byte{1}}})
	_, calls["derive of a large value"] = l.Derive(ctx, []Change{{Item{}, make([]byte, storage.MaxValueBytes+1)}})
	_, _, calls["scan of nothing"] = l.Scan(ctx, "", ScanPos{}, ScanPos{Key: "z"}, 0)
	calls["a key of the state's"] = db.Commit(ctx, l, 1, []storage.KV{{Key: []byte("sm")}}, nil)
	calls["a deletion in the state"] = db.Commit(ctx, l, 1, nil, [][]byte{[]byte("sm")})
	calls["a layer of another state"] = db.Commit(ctx, open(t, newDisk(), Options{}).Base(), 1, nil, nil)
	calls["version 0"] = db.Commit(ctx, l, 0, nil, nil)
	for name, err := range calls {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := db.Commit(ctx, l, 1, []storage.KV{{}}, nil); !errors.Is(err, storage.ErrInvalid) {
		t.Errorf("an empty key: %v", err)
	}
	commit(t, db, l, 1) // a batch that was refused for its form is not tried again
}

// TestConcurrentUse reads, derives and commits at the same time; it is for the race detector, and checks that what is
// read belongs to the layer that it is read from.
func TestConcurrentUse(t *testing.T) {
	ctx := context.Background()
	s := newDisk()
	s.page = 2
	db := open(t, s, Options{Workers: 3, PageEvery: 4})
	items := make([]Item, 600)
	changes := func(v int) []Change {
		c := make([]Change, len(items))
		for i := range items {
			c[i] = Change{items[i], fmt.Append(nil, v)}
		}
		return c
	}
	for i := range items {
		items[i] = Item{"bank", types.Place{byte(i * 17)}, fmt.Sprint(i)}
	}
	var mu sync.Mutex
	layers := []*Layer{derive(t, db.Base(), changes(0))}
	values := map[*Layer]string{layers[0]: "0"}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 3))
			for {
				select {
				case <-stop:
					return
				default:
				}
				mu.Lock()
				l := layers[len(layers)-1-r.IntN(min(len(layers), 5))]
				want := values[l]
				mu.Unlock()
				some := []Item{items[r.IntN(len(items))], items[r.IntN(len(items))]}
				got, err := l.Get(ctx, some)
				if err == nil && (string(got[0]) != want || string(got[1]) != want) {
					t.Errorf("read %q, want %q", got, want)
				}
				entries, _, err2 := l.Scan(ctx, "bank", ScanPos{}, ScanPos{Place: types.Place{255}}, 7)
				for _, e := range entries {
					if string(e.Value) != want {
						t.Errorf("scanned %q, want %q", e.Value, want)
					}
				}
				proofs, err3 := l.Prove(ctx, some)
				if err3 == nil && proofs[0].Verify(l.Root(), some[0].Module, some[0].Place, some[0].Key, []byte(want)) != nil {
					t.Errorf("proof of %q fails", want)
				}
				_, err4 := l.Derive(ctx, changes(-1)[:20]) // a fork
				for _, err := range []error{err, err2, err3, err4} {
					if err != nil && !errors.Is(err, ErrStale) {
						t.Error(err)
					}
				}
			}
		})
	}
	l := layers[0]
	for v := 1; v <= 40; v++ {
		n := derive(t, l, changes(v))
		mu.Lock()
		layers, values[n] = append(layers, n), fmt.Sprint(v)
		mu.Unlock()
		if v%3 > 0 {
			commit(t, db, l, uint64(v))
		}
		if v%10 == 0 {
			s.crash(t, 2)
		}
		l = n
	}
	close(stop)
	wg.Wait()
}
