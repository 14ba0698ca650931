package ledger

import (
	"bytes"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// FuzzParseTx: whatever is sent, what is accepted has bounds that the rest of the ledger relies on.
func FuzzParseTx(f *testing.F) {
	k := newKit(f, nil)
	alice := newKey("alice")
	f.Add(k.seal(k.tx(alice, "bank", transfer(alice.id(), 1), burn(2)), alice))
	f.Add(k.seal(k.tx(alice, "account", setPermission(types.Permission{Name: "x", Parent: "owner", Threshold: 1, Keys: []types.KeyWeight{alice.weight(1)}})), alice, newKey("bob")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		tx, err := k.l.ParseTx(b)
		if err != nil {
			return
		}
		if len(tx.T.Actions) == 0 || len(tx.Sigs) == 0 || tx.Reserve < tx.Spend || tx.Reserve-tx.Spend != tx.T.MaxFee || tx.T.MaxGas > k.l.MaxBlockGas() {
			t.Fatalf("%+v", tx)
		}
		limit := k.l.book.current().gasLimit(tx)
		if limit > tx.T.MaxGas || k.l.book.current().of(len(b), limit) > tx.T.MaxFee {
			t.Fatalf("gas limit %d, max_gas %d, max_fee %d", limit, tx.T.MaxGas, tx.T.MaxFee)
		}
		errs, err := k.l.Authorise(t.Context(), k.layer, k.clock, []*Tx{tx})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.l.Check(t.Context(), []*Tx{tx}); err != nil {
			t.Fatal(err)
		}
		if errs[0] == nil {
			if _, err := k.l.Execute(t.Context(), k.layer, k.header(k.clock+1), []*Tx{tx}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzState: items of the state are read without a panic, and what is read is written back as it was.
func FuzzState(f *testing.F) {
	k := newKit(f, nil)
	a := Account{Balance: 7, Vesting: []Vesting{{9, 1, 2, 3, 1}, {Total: ^uint64(0), Duration: 1}}}
	f.Add("", a.encode(), uint64(2))
	f.Add("", encodeAmount(300), uint64(2))
	f.Add(scheduleKey(9, [32]byte{1}, "m"), encodeScheduled(module.Item{Key: "k"}, []byte("data")), uint64(2))
	f.Add(movedKey(9, &dueEntry{clock: 3, strikes: 200}, "m"), encodeScheduled(module.Item{}, nil), uint64(2))
	f.Fuzz(func(t *testing.T, key string, b []byte, clock uint64) {
		if a, err := decodeAccount(b); err == nil && len(b) > 0 {
			if got := a.encode(); !bytes.Equal(got, b) && got != nil {
				t.Fatalf("account %x is written as %x", b, got)
			}
			if a.Free(clock) > a.Balance {
				t.Fatalf("%+v has %d free", a, a.Free(clock))
			}
		}
		if v, err := decodeAmount(b); err == nil && v > 0 && !bytes.Equal(encodeAmount(v), b) {
			t.Fatalf("amount %x", b)
		}
		d, mod, moved, err := decodeScheduled(key, b)
		if err != nil {
			return
		}
		if !bytes.Equal(encodeScheduled(d.Item, d.Data), b) || strings.Contains(mod, "\x00") || d.strikes > maxStrikes {
			t.Fatalf("entry %x of module %q", b, mod)
		}
		if !moved && scheduleKey(d.clock, d.ID, mod) != key {
			t.Fatalf("key %x", key)
		}
		w := newWork(k.l, k.layer, Block{Clock: clock})
		w.postpone("bank", []dueEntry{d}, 5)
	})
}
