package state

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// FuzzDecodeLeaves feeds the decoder of pages and deltas: what it takes is in order and encodes to the same bytes.
func FuzzDecodeLeaves(f *testing.F) {
	leaves := []types.StateLeaf{{Path: types.StatePath{1}, Value: types.Hash{1}}, {Path: types.StatePath{2}, Value: types.Hash{2}}}
	f.Add(encodeLeaves(leaves), false)
	f.Add(encodeLeaves(leaves[:0]), false)
	f.Add(encodeLeaves([]types.StateLeaf{leaves[1], leaves[0]}), true)
	f.Add(encodeLeaves([]types.StateLeaf{{Path: types.StatePath{9}}}), true)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, b []byte, deletions bool) {
		from, to := types.StatePath{1}, types.StatePath{200}
		got, err := decodeLeaves(nil, b, deletions, &from, &to)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(encodeLeaves(got), b) {
			t.Fatal("other bytes encode the same leaves")
		}
		for i := range got {
			if p := &got[i].Path; p.Compare(&from) < 0 || p.Compare(&to) >= 0 || i > 0 && got[i-1].Path.Compare(p) >= 0 ||
				!deletions && deleted(&got[i]) {
				t.Fatalf("leaf %d is out of place", i)
			}
		}
	})
}

func FuzzDecodeRecord(f *testing.F) {
	r := record{version: 5, number: 3, root: types.Hash{1}, cursor: types.StatePath{2}}
	f.Add(r.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err == nil && !bytes.Equal(r.encode(), b) {
			t.Fatal("other bytes encode the same record")
		}
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

// FuzzOpen opens a store with a page, a delta and an item that may be anything: it fails, or comes to the right root.
func FuzzOpen(f *testing.F) {
	leaf := types.StateLeaf{Path: types.StatePathOf("m", types.Place{}, "k"), Value: types.StateValueHash([]byte("v"))}
	root := types.StateLeafHash(&leaf.Path, leaf.Value)
	first := types.StatePath{}
	page, delta := encodeLeaves([]types.StateLeaf{leaf}), encodeLeaves(nil)
	f.Add(pageKey(&first), page, deltaKey(1, 0), delta)
	f.Add(pageKey(&first), delta, deltaKey(1, 0), page)
	f.Add(pageKey(&leaf.Path), page, deltaKey(2, 0), page)
	f.Add([]byte("sp"), page, []byte("sd"), page)
	f.Fuzz(func(t *testing.T, pageKey, page, deltaKey, delta []byte) {
		s := newDisk()
		r := record{version: 1, number: 1, root: root}
		_, err := s.Apply(context.Background(), storage.Batch{To: 1, Puts: []storage.KV{{Key: recordKey, Value: r.encode()},
			{Key: pageKey, Value: page}, {Key: deltaKey, Value: delta}}})
		if err != nil {
			return
		}
		for _, rebuild := range []bool{false, true} {
			db, err := Open(context.Background(), s, Options{Rebuild: rebuild})
			if err == nil && db.Base().Root() != root {
				t.Fatal("opened with another root")
			}
			if err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
		}
	})
}
