package mempool

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestForgedEnvelopes: signatures are no part of an id. Envelopes of somebody else's transaction, with signatures that verify
// and authorise nothing, neither displace the good one nor keep it out, whatever comes first.
func TestForgedEnvelopes(t *testing.T) {
	l := newLedger(t)
	owner := newKey("owner")
	x := transaction(1, 1, slot+50, 1000)
	good := seal(l, x, owner)
	forged := make([][]byte, 12)
	for i := range forged {
		forged[i] = seal(l, x, newKey(fmt.Sprint("mallory", i)))
	}
	// build is what a builder does: of what the pool gives it takes what is authorised.
	refuse := true
	build := func(p *Pool) (found bool) {
		for _, x := range p.Take(slot, 1<<20, 1<<40, yes) {
			if bytes.Equal(x.Envelope, good) {
				found = true
			} else if refuse {
				p.Refuse([]*ledger.Tx{x})
			}
		}
		return found
	}
	within := func(t *testing.T, p *Pool, n int) {
		t.Helper()
		for range n {
			if build(p) {
				return
			}
		}
		t.Fatalf("the good envelope was not given to a builder in %d blocks", n)
	}
	add := func(p *Pool, e []byte) error {
		txs, errs := p.Parse(slot, [][]byte{e})
		if errs[0] != nil {
			return errs[0]
		}
		if err := p.Verify(txs)[0]; err != nil {
			return err
		}
		return p.Add(txs[0])
	}
	t.Run("good one first", func(t *testing.T) {
		p := New(l, Options{})
		if err := add(p, good); err != nil {
			t.Fatal(err)
		}
		for _, f := range forged {
			_ = add(p, f)
		}
		if err := add(p, good); !errors.Is(err, ErrKnown) {
			t.Fatalf("once more: %v", err)
		}
		within(t, p, 1)
	})
	t.Run("good one last", func(t *testing.T) {
		p := New(l, Options{})
		for _, f := range forged[:MaxEnvelopes-1] {
			if err := add(p, f); err != nil {
				t.Fatal(err)
			}
		}
		if err := add(p, good); err != nil {
			t.Fatal(err)
		}
		within(t, p, MaxEnvelopes)
	})
	t.Run("a flood before", func(t *testing.T) {
		p := New(l, Options{})
		for i, f := range forged {
			if err := add(p, f); (err == nil) != (i < MaxEnvelopes) || err != nil && !errors.Is(err, ErrFull) {
				t.Fatalf("forged envelope %d: %v", i, err)
			}
		}
		if err := add(p, good); !errors.Is(err, ErrFull) {
			t.Fatalf("%v", err)
		}
		build(p) // one has been tried: there is room
		if err := add(p, good); err != nil {
			t.Fatal(err)
		}
		within(t, p, MaxEnvelopes)
	})
	t.Run("a flood before, and nobody refuses", func(t *testing.T) {
		refuse = false
		defer func() { refuse = true }()
		p := New(l, Options{})
		for _, f := range forged {
			_ = add(p, f)
		}
		for range MaxEnvelopes + 1 {
			build(p)
		}
		if err := add(p, good); err != nil {
			t.Fatal(err)
		}
		within(t, p, MaxEnvelopes)
	})
	t.Run("a flood while the good one is on its way", func(t *testing.T) {
		p := New(l, Options{})
		_ = add(p, good)
		build(p)
		for i := range 40 {
			_ = add(p, forged[i%len(forged)])
			if i%4 == 0 && build(p) && i > 30 {
				return
			}
		}
		within(t, p, MaxEnvelopes) // its block was lost
	})
	t.Run("a flood after", func(t *testing.T) {
		p := New(l, Options{})
		_ = add(p, forged[0])
		_ = add(p, good)
		for i := range 40 {
			_ = add(p, forged[i%len(forged)])
			if i == 3 {
				within(t, p, MaxEnvelopes)
			}
		}
		if n, b := p.Size(); n != 1 || b > MaxEnvelopes*len(good) {
			t.Fatalf("%d transactions, %d bytes", n, b)
		}
		p.Remove([]types.TxID{types.TxIDOf(l.Chain(), x.Encode())})
		if n, b := p.Size(); n != 0 || b != 0 {
			t.Fatalf("%d transactions, %d bytes are left", n, b)
		}
	})
	t.Run("bytes count", func(t *testing.T) {
		p := New(l, Options{MaxBytes: 2*len(good) + 10})
		for i, want := range []error{nil, nil, ErrFull} {
			if err := add(p, forged[i]); !errors.Is(err, want) || want == nil && err != nil {
				t.Fatalf("envelope %d: %v", i, err)
			}
		}
	})
	t.Run("one envelope for one block", func(t *testing.T) {
		p := New(l, Options{})
		for _, e := range [][]byte{good, forged[0], forged[1]} {
			_ = add(p, e)
		}
		if got := p.Take(slot, 1<<20, 1<<40, yes); len(got) != 1 {
			t.Fatalf("%d envelopes of one transaction for one block", len(got))
		}
	})
}
