package mempool

import (
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// What a block holds is recognised only if the very bytes wait here and their signatures have been verified.
func TestKnown(t *testing.T) {
	l := newLedger(t)
	p := New(l, Options{})
	a, b := newKey("a"), newKey("b")
	waiting := seal(l, transaction(1, 1, slot+10, 5000), a)
	forged := seal(l, transaction(1, 1, slot+10, 5000), b) // the same transaction with another signature
	unverified := seal(l, transaction(1, 2, slot+10, 5000), a)
	for _, x := range []struct {
		env    []byte
		verify bool
	}{{waiting, true}, {unverified, false}} {
		txs := parse(t, p, x.env)
		if x.verify {
			if err := p.Verify(txs)[0]; err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Add(txs[0]); err != nil {
			t.Fatal(err)
		}
	}
	got := p.Known([][]byte{waiting, forged, unverified, nil, {1, 2, 3}})
	for i, want := range []bool{true, false, false, false, false} {
		if (got[i] != nil) != want {
			t.Errorf("envelope %d is known: %v, want %v", i, got[i] != nil, want)
		}
	}
	if got[0] != nil && got[0].T.Salt != 1 {
		t.Errorf("the first is another transaction, salt %d", got[0].T.Salt)
	}
	p.Remove([]types.TxID{got[0].ID})
	if got := p.Known([][]byte{waiting}); got[0] != nil {
		t.Error("what has left the pool is still known")
	}
}
