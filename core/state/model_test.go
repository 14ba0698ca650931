package state

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/storage/storagetest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// model is what a state should be, done in the plainest way.
type model map[Item][]byte

func (m model) with(changes []Change) model {
	n := maps.Clone(m)
	for _, c := range changes {
		if c.Value == nil {
			delete(n, c.Item)
		} else {
			n[c.Item] = c.Value
		}
	}
	return n
}

func (m model) root() types.Hash {
	var leaves []types.StateLeaf
	for it, v := range m {
		leaves = append(leaves, types.StateLeaf{Path: types.StatePathOf(it.Module, it.Place, it.Key), Value: types.StateValueHash(v)})
	}
	return naiveRoot(leaves, 0)
}

// naiveRoot follows the definition in sdk/types bit by bit.
func naiveRoot(leaves []types.StateLeaf, bit int) types.Hash {
	switch len(leaves) {
	case 0:
		return types.Hash{}
	case 1:
		return types.StateLeafHash(&leaves[0].Path, leaves[0].Value)
	}
	ones := 0
	for i := range leaves {
		ones += leaves[i].Path.Bit(bit)
	}
	if ones == 0 || ones == len(leaves) {
		return naiveRoot(leaves, bit+1)
	}
	var half [2][]types.StateLeaf
	for _, l := range leaves {
		half[l.Path.Bit(bit)] = append(half[l.Path.Bit(bit)], l)
	}
	a, b := naiveRoot(half[0], bit+1), naiveRoot(half[1], bit+1)
	return types.StateBranchHash(bit, &a, &b)
}

func (m model) scan(module string, start, end ScanPos, limit int) (out []Entry, more bool) {
	for it, v := range m {
		if it.Module == module && start.Compare(it.pos()) <= 0 && it.pos().Compare(end) < 0 {
			out = append(out, Entry{it, v})
		}
	}
	slices.SortFunc(out, func(a, b Entry) int { return a.Item.pos().Compare(b.Item.pos()) })
	if len(out) > limit {
		return out[:limit], true
	}
	return out, false
}

// world makes random items and changes out of a small set, so that they meet.
type world struct {
	*rand.Rand
	items int
}

func newWorld(seed uint64, items int) *world {
	return &world{rand.New(rand.NewPCG(seed, 1)), items}
}

func (w *world) item() Item {
	n := w.IntN(w.items)
	it := Item{Module: []string{"", "bank", "bank.x", "ledger.account"}[n%4], Key: fmt.Sprintf("k%d", n/3)}
	switch n % 5 {
	case 0: // an account has several items in one place
		it.Place = types.Place{byte(n / 16), 7}
	case 1, 2:
		it.Place = types.Place{byte(n), byte(n >> 8), byte(n * 31)}
	}
	switch n % 50 {
	case 3:
		it.Key = ""
	case 4:
		it.Key += "\x00"
	}
	return it
}

func (w *world) changes(n int) []Change {
	out := make([]Change, n)
	for i := range out {
		out[i].Item = w.item()
		switch w.IntN(8) {
		case 0, 1:
		case 2:
			out[i].Value = []byte{}
		default:
			out[i].Value = fmt.Appendf(nil, "v%d", w.IntN(1000))
		}
	}
	return out
}

func (w *world) pos() ScanPos {
	switch it := w.item(); w.IntN(4) {
	case 0:
		return ScanPos{}
	case 1:
		return ScanPos{Place: types.Place{255, 255, 255, 255, 255, 255, 255, 255}, Key: string(bytes.Repeat([]byte{255}, 600))}
	default:
		return it.pos()
	}
}

// check compares a layer with its model: the root, some items with their proofs, some ranges.
func (w *world) check(t *testing.T, l *Layer, m model) {
	t.Helper()
	ctx := context.Background()
	if l.Root() != m.root() {
		t.Fatalf("root is %s, want %s of %d items", l.Root(), m.root(), len(m))
	}
	items := make([]Item, w.IntN(40))
	for i := range items {
		items[i] = w.item()
	}
	values, err := l.Get(ctx, items)
	if err != nil {
		t.Fatal(err)
	}
	proofs, err := l.Prove(ctx, items)
	if err != nil {
		t.Fatal(err)
	}
	for i, it := range items {
		if want := m[it]; !bytes.Equal(values[i], want) || (values[i] == nil) != (want == nil) {
			t.Fatalf("%v is %q, want %q", it, values[i], want)
		}
		if err := proofs[i].Verify(l.Root(), it.Module, it.Place, it.Key, values[i]); err != nil {
			t.Fatalf("%v: %v", it, err)
		}
	}
	for range 3 {
		module, start, end, limit := w.item().Module, w.pos(), w.pos(), 1+w.IntN(60)
		got, more, err := l.Scan(ctx, module, start, end, limit)
		if err != nil {
			t.Fatal(err)
		}
		want, wantMore := m.scan(module, start, end, limit)
		if more != wantMore || !slices.EqualFunc(got, want, func(a, b Entry) bool { return a.Item == b.Item && bytes.Equal(a.Value, b.Value) && a.Value != nil }) {
			t.Fatalf("scan of %q from %v to %v, %d: %d entries, more %v; want %d, %v", module, start, end, limit, len(got), more, len(want), wantMore)
		}
	}
}

// diskStore is a store that can crash and lose what it was not told to sync.
type diskStore struct {
	mu       sync.Mutex
	mem      *storagetest.Memory
	history  []storage.Batch
	durable  uint64
	volatile bool
	page     int // most items a page of a scan, 0: as many as asked for

	before, after error // what the next Apply fails with, before or after it took effect
	applies       int
}

func newDisk() *diskStore { return &diskStore{mem: storagetest.NewMemory()} }

func (s *diskStore) Get(ctx context.Context, keys [][]byte) ([][]byte, uint64, error) {
	return s.memory().Get(ctx, keys)
}

func (s *diskStore) Scan(ctx context.Context, start, end []byte, limit int) (storage.Page, error) {
	if s.page > 0 {
		limit = min(limit, s.page)
	}
	return s.memory().Scan(ctx, start, end, limit)
}

func (s *diskStore) memory() *storagetest.Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mem
}

func (s *diskStore) Apply(ctx context.Context, b storage.Batch) (storage.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applies++
	before, after := s.before, s.after
	s.before, s.after = nil, nil
	if before != nil {
		return storage.Status{}, before
	}
	st, err := s.mem.Apply(ctx, b)
	if err != nil {
		return st, err
	}
	if n := len(s.history); n == 0 || s.history[n-1].To != b.To {
		s.history = append(s.history, b)
	}
	if b.Sync && !s.volatile {
		s.durable = b.To
	}
	st.Durable = s.durable
	return st, after
}

func (s *diskStore) Status(ctx context.Context, sync bool) (storage.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.mem.Status(ctx, sync)
	if sync && !s.volatile {
		s.durable = st.Version
	}
	st.Durable = s.durable
	return st, err
}

// crash goes back by up to n versions, but not before what is durable.
func (s *diskStore) crash(t *testing.T, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; n > 0 && len(s.history) > 0 && s.history[len(s.history)-1].To > s.durable; n-- {
		s.history = s.history[:len(s.history)-1]
	}
	s.mem = storagetest.NewMemory()
	for _, b := range s.history {
		if _, err := s.mem.Apply(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
}

// all returns what the store holds under a prefix.
func (s *diskStore) all(t *testing.T, prefix string) []storage.KV {
	t.Helper()
	end := []byte(prefix)
	end[len(end)-1]++
	p, err := s.mem.Scan(context.Background(), []byte(prefix), end, storage.MaxPage)
	if err != nil || p.More {
		t.Fatal(err, p.More)
	}
	return p.Items
}

// put changes the store behind the state's back.
func (s *diskStore) put(t *testing.T, puts []storage.KV, deletes ...[]byte) *diskStore {
	t.Helper()
	c := newDisk()
	items := map[string][]byte{}
	for _, kv := range s.all(t, "s") {
		items[string(kv.Key)] = kv.Value
	}
	for _, kv := range puts {
		items[string(kv.Key)] = kv.Value
	}
	for _, k := range deletes {
		delete(items, string(k))
	}
	st, _ := s.Status(context.Background(), false)
	b := storage.Batch{To: st.Version}
	for k, v := range items {
		b.Puts = append(b.Puts, storage.KV{Key: []byte(k), Value: v})
	}
	if _, err := c.Apply(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t testing.TB, s storage.Store, opts Options) *DB {
	t.Helper()
	db, err := Open(context.Background(), s, opts)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func derive(t testing.TB, l *Layer, changes []Change) *Layer {
	t.Helper()
	c, err := l.Derive(context.Background(), changes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func commit(t testing.TB, db *DB, l *Layer, version uint64) {
	t.Helper()
	if err := db.Commit(context.Background(), l, version, nil, nil); err != nil {
		t.Fatal(err)
	}
}
