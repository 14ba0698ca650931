package ledger

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestFees(t *testing.T) {
	alice, bob, producer := newKey("alice"), newKey("bob"), newKey("producer")
	for _, c := range []struct {
		name                   string
		perByte, perGas, floor uint64
		burn                   uint64
		want                   func(bytes, gas uint64) uint64
	}{
		{"floor", 1, 0, 5000, 0, func(uint64, uint64) uint64 { return 5000 }},
		{"by bytes", 7, 0, 100, 0, func(b, _ uint64) uint64 { return 7 * b }},
		{"by gas", 0, 3, 100, 0, func(_, g uint64) uint64 { return 3 * g }},
		{"by both", 7, 3, 100, 0, func(b, g uint64) uint64 { return 7*b + 3*g }},
		{"a third burned", 7, 3, 100, 333_333, func(b, g uint64) uint64 { return 7*b + 3*g }},
		{"all burned", 7, 3, 100, 1_000_000, func(b, g uint64) uint64 { return 7*b + 3*g }},
		{"free", 0, 0, 0, 500_000, func(uint64, uint64) uint64 { return 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKit(t, func(g *chainspec.Genesis) {
				g.Fees = chainspec.Fees{PerByte: c.perByte, PerGas: c.perGas, Floor: c.floor, BurnPPM: c.burn}
			})
			before := k.balance(alice.id())
			tx := k.signed(k.tx(alice, "bank", transfer(bob.id(), 10), transfer(bob.id(), 20)), alice)
			res := k.block(tx)
			r := res.Receipts[0]
			fee := c.want(uint64(len(tx.Envelope)), r.Gas)
			if r.Status != types.StatusOK || r.Gas != 2*types.GasTransfer || r.Fee != fee {
				t.Fatalf("%+v, want fee %d", r, fee)
			}
			if got := before - k.balance(alice.id()); got != fee+30 {
				t.Fatalf("it cost %d, want %d", got, fee+30)
			}
			burned := fee * c.burn / 1_000_000
			if res.Burned != burned || k.balance(types.BurnAccount) != burned {
				t.Fatalf("burned %d, want %d", res.Burned, burned)
			}
			if got := k.escrow(AccountModule, TillItem(k.till)); got != fee-burned {
				t.Fatalf("till %d, want %d", got, fee-burned)
			}
			if fee == burned {
				return
			}
			// The producer has nothing but its till, so somebody pays it enough to claim.
			k.block(k.signed(k.tx(alice, "bank", transfer(producer.id(), 1_000_000)), alice))
			till := k.escrow(AccountModule, TillItem(k.till))
			had := k.balance(producer.id())
			claim := k.block(k.signed(k.tx(producer, "account", types.Action{Name: "claim_fees"}), producer)).Receipts[0]
			wantStatus(t, "claim", claim, types.StatusOK)
			if got := k.balance(producer.id()); got != had+till-claim.Fee {
				t.Fatalf("after the claim %d, had %d, till %d, fee %d", got, had, till, claim.Fee)
			}
			// What others claim is their own till, which is empty.
			had = k.balance(alice.id())
			claim = k.block(k.signed(k.tx(alice, "account", types.Action{Name: "claim_fees"}), alice)).Receipts[0]
			if got := k.balance(alice.id()); got != had-claim.Fee {
				t.Fatalf("a stranger's claim: %d, had %d, fee %d", got, had, claim.Fee)
			}
		})
	}
}

// TestGasLimit: what a module may use is what max_gas and max_fee both allow. A transaction that cannot pay for its bytes never
// reaches a module; one that a module has taken as done is done.
func TestGasLimit(t *testing.T) {
	alice, bob := newKey("alice"), newKey("bob")
	k := newKit(t, nil, as("tally", moduletest.NewTally()))
	size := func(x types.Transaction) uint64 { return uint64(len(k.seal(x, alice))) }
	base := func(mod string, a ...types.Action) types.Transaction {
		x := k.tx(alice, mod, a...)
		x.MaxGas, x.MaxFee = 5000, 16_000 // two bytes each, so that the size stays
		return x
	}
	pay := func() types.Transaction { return base("bank", transfer(bob.id(), 77)) }
	n := size(pay())
	for _, c := range []struct {
		name           string
		maxGas, maxFee uint64
		status         string
		gas            uint64
	}{
		{"exact gas", 1000, 16_000, types.StatusOK, 1000},
		{"one less gas", 999, 16_000, StatusOutOfGas, n},
		{"the bytes' gas", n, 16_000, StatusOutOfGas, n},
		{"less gas than bytes", n - 1, 16_000, StatusOutOfGas, n - 1},
		{"exact fee", 5000, n*perByte + 1000*perGas, types.StatusOK, 1000},
		{"one less fee", 5000, n*perByte + 1000*perGas - 1, StatusOutOfGas, n},
		{"fee of the bytes' gas", 5000, n*perByte + n*perGas, StatusOutOfGas, n},
		{"less fee than the bytes' gas", 5000, n*perByte + n*perGas - 1, StatusFee, n},
		{"least fee", 5000, max(floor, n*perByte), StatusFee, n},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := pay()
			x.MaxGas, x.MaxFee = c.maxGas, c.maxFee
			tx := k.signed(x, alice)
			if uint64(len(tx.Envelope)) != n {
				t.Fatalf("%d bytes, want %d", len(tx.Envelope), n)
			}
			checked, err := k.l.Check(t.Context(), []*Tx{tx})
			if err != nil || (checked[0] == nil) != (c.status == types.StatusOK) {
				t.Fatalf("check: %v, %v", checked, err)
			}
			alices, bobs := k.balance(alice.id()), k.balance(bob.id())
			r := k.block(tx).Receipts[0]
			if r.Status != c.status || r.Gas != c.gas {
				t.Fatalf("status %s, gas %d; want %s, %d", r.Status, r.Gas, c.status, c.gas)
			}
			moved := uint64(0)
			if c.status == types.StatusOK {
				moved = 77
			}
			if k.balance(bob.id())-bobs != moved || alices-k.balance(alice.id()) != moved+r.Fee {
				t.Fatalf("bob got %d, alice paid %d", k.balance(bob.id())-bobs, alices-k.balance(alice.id()))
			}
		})
	}

	// The free gas of a small action is raised to that of the bytes.
	x := base("tally", moduletest.TallyAction("add", "x", 0, 0))
	if r := k.block(k.signed(x, alice)).Receipts[0]; r.Status != types.StatusOK || r.Gas != size(x) {
		t.Fatalf("%+v, want gas %d", r, size(x))
	}

	// Results of one block build on each other. The first add's fee does not do, so the module never sees it, and the second
	// starts from what was there.
	poor, rich := base("tally", moduletest.TallyAction("add", "y", 9, 0)), base("tally", moduletest.TallyAction("add", "y", 5, 0))
	poor.MaxFee = size(poor)*(perByte+perGas) - 1
	res := k.block(k.signed(poor, alice), k.signed(rich, alice))
	wantStatus(t, "poor", res.Receipts[0], StatusFee)
	wantStatus(t, "rich", res.Receipts[1], types.StatusOK)
	if got := k.escrow("tally", moduletest.TallyItem("y")); got != 5 {
		t.Fatalf("escrow %d, want 5", got)
	}
	answer, err := k.l.Module("tally").Query(t.Context(), module.Query{Path: "n/y"}, QueryReader(k.layer, "tally"))
	if err != nil || !strings.Contains(string(answer.JSON), "1") || strings.Contains(string(answer.JSON), "2") {
		t.Fatalf("count: %s, %v", answer.JSON, err)
	}
}

// TestGasFault: a module that takes more gas for a success than it was told it may is at fault, also where max_fee sets the
// limit.
func TestGasFault(t *testing.T) {
	alice := newKey("alice")
	var seen []uint64
	extra := uint64(0)
	k := newKit(t, nil, as("greedy", &scripted{execute: func(_ context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
		out := blank(b)
		for i, x := range b.Txs {
			seen = append(seen, x.MaxGas)
			out.Txs[i].Gas = x.MaxGas + extra
		}
		return out, nil
	}}))
	x := k.tx(alice, "greedy", types.Action{Name: "a"})
	x.MaxFee = 3000
	tx := k.signed(x, alice)
	want := (3000 - uint64(len(tx.Envelope))*perByte) / perGas
	r := k.block(tx).Receipts[0]
	if r.Status != types.StatusOK || r.Gas != want || seen[0] != want || r.Fee > 3000 || r.Fee < 2998 {
		t.Fatalf("%+v, limit %d, want %d", r, seen, want)
	}
	extra = 1
	x.Salt++
	y := k.tx(alice, "greedy", types.Action{Name: "b"})
	res := k.block(k.signed(x, alice), k.signed(y, alice))
	for i := range 2 {
		wantStatus(t, fmt.Sprint("transaction ", i), res.Receipts[i], StatusModuleFault)
	}
	if len(res.Faults) != 1 || res.Faults[0].Module != "greedy" {
		t.Fatalf("faults: %v", res.Faults)
	}
}

func TestBank(t *testing.T) {
	alice, bob, carol := newKey("alice"), newKey("bob"), newKey("carol")
	withMemo := func(n int) types.Action {
		return types.Action{Name: "transfer", Body: types.TransferBody{To: bob.id(), Amount: 1, Memo: make([]byte, n)}.Encode(), MaxSpend: 1}
	}
	short := transfer(bob.id(), 10)
	short.MaxSpend = 9
	long := transfer(bob.id(), 10)
	long.MaxSpend = 1000
	many := make([]types.Action, types.MaxActions)
	for i := range many {
		many[i] = transfer(types.AccountID{byte(i), 1}, 3)
	}
	for _, c := range []struct {
		name                    string
		actions                 []types.Action
		status                  string
		alice, bob, carol, burn int64 // changes besides the fee
	}{
		{"one output", []types.Action{transfer(bob.id(), 10)}, types.StatusOK, -10, 10, 0, 0},
		{"two outputs", []types.Action{transfer(bob.id(), 10), transfer(carol.id(), 7)}, types.StatusOK, -17, 10, 7, 0},
		{"one output twice", []types.Action{transfer(bob.id(), 10), transfer(bob.id(), 10)}, types.StatusOK, -20, 20, 0, 0},
		{"256 outputs", many, types.StatusOK, -768, 0, 0, 0},
		{"nothing", []types.Action{transfer(bob.id(), 0)}, types.StatusOK, 0, 0, 0, 0},
		{"to oneself", []types.Action{transfer(alice.id(), 1_000_000)}, types.StatusOK, 0, 0, 0, 0},
		{"burn", []types.Action{burn(10)}, types.StatusOK, -10, 0, 0, 10},
		{"burn and transfer", []types.Action{burn(10), transfer(carol.id(), 1), burn(2)}, types.StatusOK, -13, 0, 1, 12},
		{"longest memo", []types.Action{withMemo(types.MaxMemoBytes)}, types.StatusOK, -1, 1, 0, 0},
		{"memo too long", []types.Action{withMemo(types.MaxMemoBytes + 1)}, "ErrMalformed", 0, 0, 0, 0},
		{"max_spend too small", []types.Action{short}, "ErrSpend", 0, 0, 0, 0},
		{"max_spend too small for the second: all or nothing", []types.Action{transfer(carol.id(), 5), short}, "ErrSpend", 0, 0, 0, 0},
		{"max_spend larger than need be", []types.Action{long}, types.StatusOK, -10, 10, 0, 0},
		{"one action's spare max_spend is not another's", []types.Action{long, short}, "ErrSpend", 0, 0, 0, 0},
		{"transfer to the burn account", []types.Action{transfer(types.BurnAccount, 1)}, "ErrMalformed", 0, 0, 0, 0},
		{"unknown action", []types.Action{{Name: "mint"}}, "ErrUnknownAction", 0, 0, 0, 0},
		{"trailing bytes", []types.Action{{Name: "burn", Body: []byte{1, 0}, MaxSpend: 1}}, "ErrMalformed", 0, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKit(t, func(g *chainspec.Genesis) { g.Fees.BurnPPM = 0 })
			x := k.tx(alice, "bank", c.actions...)
			x.MaxGas, x.MaxFee = 300_000, 10_000_000
			before := []uint64{k.balance(alice.id()), k.balance(bob.id()), k.balance(carol.id()), 0}
			r := k.block(k.signed(x, alice)).Receipts[0]
			wantStatus(t, c.name, r, c.status)
			after := []uint64{k.balance(alice.id()) + r.Fee, k.balance(bob.id()), k.balance(carol.id()), k.balance(types.BurnAccount)}
			for i, want := range []int64{c.alice, c.bob, c.carol, c.burn} {
				if got := int64(after[i] - before[i]); got != want {
					t.Errorf("purse %d changes by %d, want %d", i, got, want)
				}
			}
		})
	}
	t.Run("in one block, in order", func(t *testing.T) {
		k := newKit(t, nil)
		fresh := newKey("fresh")
		k.block(k.signed(k.tx(alice, "bank", transfer(fresh.id(), 2_000_000)), alice))
		give, pass := k.signed(k.tx(alice, "bank", transfer(fresh.id(), 5)), alice), k.signed(k.tx(fresh, "bank", transfer(carol.id(), 1_000_000)), fresh)
		carols := k.balance(carol.id())
		res := k.block(give, pass)
		if got := k.balance(fresh.id()); got != 1_000_005-res.Receipts[1].Fee {
			t.Fatalf("fresh has %d", got)
		}
		if k.balance(carol.id())-carols != 1_000_000 {
			t.Fatal("carol was not paid")
		}
	})
}

// TestLargestSupply: no sum of balances, reserves and fees wraps around when all the tokens that 64 bits hold are about.
func TestLargestSupply(t *testing.T) {
	alice, bob := newKey("alice"), newKey("bob")
	k := newKit(t, func(g *chainspec.Genesis) {
		g.Supply = math.MaxUint64
		g.Allocations = []chainspec.Allocation{{Name: "alice", Account: alice.id(), Amount: math.MaxUint64}}
	}, as("tally", moduletest.NewTally()))
	const fee = 1_000_000
	x := k.tx(alice, "bank", transfer(bob.id(), math.MaxUint64-fee))
	x.MaxFee = fee + 1
	if _, err := k.l.ParseTx(k.seal(x, alice)); err == nil {
		t.Fatal("a reserve that overflows was accepted")
	}
	x = k.tx(alice, "bank", transfer(bob.id(), math.MaxUint64), transfer(bob.id(), 1))
	_, err := k.l.ParseTx(k.seal(x, alice))
	wantErr(t, "a sum of max_spend that overflows", err, ErrOverflow)
	x = k.tx(alice, "bank", transfer(bob.id(), math.MaxUint64-fee))
	x.MaxFee = fee
	r := k.block(k.signed(x, alice)).Receipts[0]
	wantStatus(t, "all but the fee", r, types.StatusOK)
	y := k.tx(bob, "tally", moduletest.TallyAction("keep", "all", math.MaxUint64-2*fee, 0))
	y.MaxFee = fee
	wantStatus(t, "all kept", k.block(k.signed(y, bob)).Receipts[0], types.StatusOK)
	k.block()
	if got := k.balance(bob.id()); got < math.MaxUint64-2*fee {
		t.Fatalf("bob has %d", got)
	}
}
