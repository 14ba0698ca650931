package mempool

import (
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger"
)

func TestMatch(t *testing.T) {
	p := New(nil, Options{})
	tx := func(i byte) *ledger.Tx { return &ledger.Tx{Sum: [32]byte{i}} }
	for i := range byte(100) {
		x := tx(i)
		p.sums[x.Sum] = x
	}
	k := ShortKey{1, 2, 3}
	ids := []ShortID{k.Short([32]byte{7}), k.Short([32]byte{200}), k.Short([32]byte{99}), k.Short([32]byte{5}), k.Short([32]byte{5})}
	got := p.Match(k, ids)
	if got[0] != p.sums[[32]byte{7}] || got[1] != nil || got[2] != p.sums[[32]byte{99}] {
		t.Errorf("%v", got)
	}
	if got[3] != nil || got[4] != nil {
		t.Error("an id that is there twice names nothing")
	}
	if other := p.Match(ShortKey{9}, ids[:1]); other[0] != nil {
		t.Error("the ids of one block name something in another")
	}
}

func BenchmarkMatch(b *testing.B) {
	p := New(nil, Options{})
	for i := range 100_000 {
		x := &ledger.Tx{Sum: [32]byte{byte(i), byte(i >> 8), byte(i >> 16)}}
		p.sums[x.Sum] = x
	}
	k, ids := ShortKey{1}, make([]ShortID, 5000)
	for i := range ids {
		ids[i] = k.Short([32]byte{byte(i), byte(i >> 8)})
	}
	for b.Loop() {
		p.Match(k, ids)
	}
}
