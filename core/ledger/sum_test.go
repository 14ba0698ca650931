package ledger

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestFlow(t *testing.T) {
	const top = ^uint64(0)
	for _, c := range []struct {
		name     string
		add, sub []uint64
		want     string
	}{
		{"nothing", nil, nil, "+0"},
		{"in and out", []uint64{5, 7}, []uint64{12}, "+0"},
		{"one lost", []uint64{5}, []uint64{6}, "-1"},
		{"more than fits 64 bits", []uint64{top, top}, []uint64{top}, "+18446744073709551615"},
		{"what wraps around in 64 bits does not here", []uint64{top, 1}, nil, "0x10000000000000000"},
		{"all of it gone", nil, []uint64{top}, "-18446744073709551615"},
	} {
		var f flow
		for _, v := range c.add {
			f.add(v)
		}
		for _, v := range c.sub {
			f.sub(v)
		}
		if f.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, f, c.want)
		}
		if (f.balanced(flow{}, 0, "x", types.TxID{}) == nil) != (c.want == "+0") {
			t.Errorf("%s: taken for balanced, or not", c.name)
		}
	}
}

// TestSumIsChecked: an error of the ledger itself, made by giving it a transaction whose sums are wrong, is found with the
// transaction's name, and the block is not executed.
func TestSumIsChecked(t *testing.T) {
	alice, bob := newKey("alice"), newKey("bob")
	for name, spoil := range map[string]func(tx *Tx){
		"more is reserved than can be spent": func(tx *Tx) { tx.Spend += 5; tx.Reserve += 5 },
		"less is reserved than can be spent": func(tx *Tx) { tx.Spend -= 5; tx.Reserve -= 5 },
	} {
		for _, status := range []string{"", "Err"} {
			k := newKit(t, nil)
			tx := k.signed(k.tx(alice, types.ModuleBank, transfer(bob.id(), 100)), alice)
			fine := k.signed(k.tx(bob, types.ModuleBank, transfer(alice.id(), 100)), bob)
			if status != "" { // it fails, and all comes back
				tx = k.signed(k.tx(alice, types.ModuleBank, types.Action{Name: "transfer", Body: types.TransferBody{To: types.BurnAccount, Amount: 100}.Encode(), MaxSpend: 100}), alice)
			}
			spoil(tx)
			res, err := k.l.Execute(t.Context(), k.layer, k.header(k.clock+1), []*Tx{fine, tx})
			if status != "" {
				// Nothing was moved: what was taken is given back, whatever it was.
				if err != nil || res.Receipts[1].Status == types.StatusOK {
					t.Errorf("%s, failing: %v", name, err)
				}
				continue
			}
			if res != nil || !errors.Is(err, ErrConservation) || !strings.Contains(err.Error(), tx.ID.String()) || errors.Is(err, module.ErrFault) {
				t.Errorf("%s: %v", name, err)
			}
			t.Log(err)
		}
	}
	// The sum of the block is found apart from those of the transactions.
	k := newKit(t, nil)
	w := newWork(k.l, k.layer, k.header(k.clock+1))
	if err := w.begin(t.Context(), []*Tx{k.signed(k.tx(alice, types.ModuleBank, transfer(bob.id(), 100)), alice)}); err != nil {
		t.Fatal(err)
	}
	if err := w.conserved(); !errors.Is(err, ErrConservation) || !strings.Contains(err.Error(), "reserve") {
		t.Errorf("a transaction that is never settled: %v", err)
	}
	w.fail(0, "ErrX", 0)
	if err := w.conserved(); err != nil {
		t.Errorf("settled: %v", err)
	}
	w.money[balanceItem(alice.id())].account.Balance++
	if err := w.conserved(); !errors.Is(err, ErrConservation) || !strings.Contains(err.Error(), "the block") {
		t.Errorf("one made: %v", err)
	}
	w.money[balanceItem(alice.id())].account.Balance--
	w.reserve[0] = 3
	w.settle(0, types.StatusOK, 1)
	if err := w.conserved(); !errors.Is(err, ErrConservation) {
		t.Errorf("settled twice: %v", err)
	}
}

func TestTotal(t *testing.T) {
	alice := newKey("alice")
	k := newKit(t, nil, as("tally", moduletest.NewTally()))
	want := func(what string, escrows map[string]uint64, burned uint64) {
		t.Helper()
		got := must(k.l.Total(t.Context(), k.layer))
		if got.Sum() != supply || !maps.Equal(got.Escrows, escrows) || got.Burned != burned {
			t.Errorf("%s: %+v", what, got)
		}
	}
	want("genesis", map[string]uint64{}, 0)
	res := k.block(k.signed(k.tx(alice, "tally", moduletest.TallyAction("add", "n", 1_000, 0)), alice), k.signed(k.tx(alice, types.ModuleBank, burn(77)), alice))
	fees := res.Receipts[0].Fee + res.Receipts[1].Fee
	want("a block", map[string]uint64{"tally": 1_000, AccountModule: fees + 77 - res.Burned}, res.Burned)
	for name, item := range map[string]state.Item{
		"an escrow of nothing": escrowItem("tally", module.Item{Key: "x"}),
		"a broken escrow":      escrowItem("tally", module.Item{Key: "y"}),
		"a broken balance":     balanceItem(types.AccountID{1}),
	} {
		v := []byte{0}
		if strings.HasPrefix(name, "a broken") {
			v = []byte{0xff}
		}
		layer := must(k.layer.Derive(t.Context(), []state.Change{{Item: item, Value: v}}))
		if _, err := k.l.Total(t.Context(), layer); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	big := must(k.layer.Derive(context.Background(), []state.Change{{Item: balanceItem(types.AccountID{1}), Value: (&Account{Balance: ^uint64(0)}).encode()}}))
	if _, err := k.l.Total(t.Context(), big); !errors.Is(err, ErrConservation) {
		t.Errorf("a sum that does not fit: %v", err)
	}
	if _, err := k.l.Total(t.Context(), &losing{k.layer, spaceBalance}); !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
}
