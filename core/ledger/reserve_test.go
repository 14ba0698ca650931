package ledger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestReserve(t *testing.T) {
	vested := newKey("vested")
	const total = 1_000_003 // indivisible
	k := newKit(t, func(g *chainspec.Genesis) {
		g.Allocations[0].Amount -= total
		g.Allocations = append(g.Allocations, chainspec.Allocation{Name: "vested", Account: vested.id(), Amount: total,
			Vesting: &chainspec.Vesting{Cliff: 1000, Duration: 4000, Step: 100}})
	})
	poor := newKey("poor")
	k.block(k.signed(k.tx(newKey("alice"), "bank", transfer(poor.id(), 10_000)), newKey("alice")))
	spend := func(from key, amount, fee uint64) *Tx {
		x := k.tx(from, "bank", transfer(newKey("bob").id(), amount))
		x.MaxFee = fee
		return k.signed(x, from)
	}
	// In order: 4000 + 2000, then 3000 + 2000 is too much, 1000 + 2000 fits again, and then 1000 are left.
	errs := k.authorise(spend(poor, 4000, 2000), spend(poor, 3000, 2000), spend(poor, 1000, 2000), spend(poor, 0, 1001), spend(poor, 0, 1000))
	for i, want := range []error{nil, ErrInsufficient, nil, ErrInsufficient, nil} {
		wantErr(t, fmt.Sprintf("spend %d", i), errs[i], want)
	}
	if s := errs[1].Error(); !strings.Contains(s, "needs 5000 (spend 3000, max_fee 2000), has 4000 free") {
		t.Errorf("text: %s", s)
	}
	wantErr(t, "one who has nothing", k.authorise(spend(newKey("nobody"), 0, 1000))[0], ErrInsufficient)
	// max_spend is reserved, whatever the body says.
	x := k.tx(poor, "bank", types.Action{Name: "transfer", Body: types.TransferBody{To: poor.id(), Amount: 1}.Encode(), MaxSpend: 9_001})
	x.MaxFee = 1000
	wantErr(t, "max_spend above the balance", k.authorise(k.signed(x, poor))[0], ErrInsufficient)

	for _, c := range []struct {
		clock, free uint64
	}{
		{0, 0}, {999, 0}, {1000, 250_000}, {1001, 250_000}, {1099, 250_000}, {1100, 275_000}, {3999, 975_002}, {4000, total}, {1 << 60, total},
	} {
		k.clock = c.clock
		a, _, err := AccountOf(t.Context(), k.layer, vested.id())
		if err != nil || a.Free(c.clock) != c.free || a.Balance != total {
			t.Fatalf("clock %d: %d free of %d, want %d, %v", c.clock, a.Free(c.clock), a.Balance, c.free, err)
		}
		if c.free > 0 {
			wantErr(t, fmt.Sprintf("all that is free at clock %d", c.clock), k.authorise(spend(vested, c.free-1000, 1000))[0], nil)
		}
		err = k.authorise(spend(vested, max(c.free, 999)-999, 1000))[0]
		if want := ErrVesting; c.free < total {
			wantErr(t, fmt.Sprintf("one more at clock %d", c.clock), err, want)
		} else {
			wantErr(t, "more than there is", err, ErrInsufficient)
		}
		if c.free == 0 && !strings.Contains(err.Error(), "of which 1000003 are not vested") {
			t.Errorf("text: %v", err)
		}
		wantErr(t, "more than there is, vested or not", k.authorise(spend(vested, total, 1000))[0], ErrInsufficient)
	}
}

func TestVestingArithmetic(t *testing.T) {
	const m = ^uint64(0)
	for _, c := range []struct {
		name   string
		v      Vesting
		clock  uint64
		locked uint64
	}{
		{"before the start", Vesting{Total: 10, Start: 5, Duration: 10}, 4, 10},
		{"at the start", Vesting{Total: 10, Start: 5, Duration: 10}, 5, 10},
		{"half", Vesting{Total: 10, Start: 5, Duration: 10}, 10, 5},
		{"rounded down", Vesting{Total: 10, Duration: 3}, 1, 7},
		{"end", Vesting{Total: 10, Start: 5, Duration: 10}, 15, 0},
		{"128 bits", Vesting{Total: m, Duration: m}, m - 1, 1},
		{"128 bits, half", Vesting{Total: m, Duration: m - 1}, m / 2, m - m/2},
		{"no duration", Vesting{Total: 10}, 0, 0},
		{"cliff after the end", Vesting{Total: 10, Cliff: 20, Duration: 10}, 19, 10},
		{"step longer than the duration", Vesting{Total: 10, Duration: 10, Step: 20}, 9, 10},
	} {
		if got := c.v.Locked(c.clock); got != c.locked {
			t.Errorf("%s: %d locked, want %d", c.name, got, c.locked)
		}
	}
	a := Account{Balance: 5, Vesting: []Vesting{{Total: m, Duration: 9}, {Total: m, Duration: 9}}}
	if a.Locked(0) != m || a.Free(0) != 0 || a.Free(9) != 5 {
		t.Errorf("two schedules: %d locked, %d free", a.Locked(0), a.Free(0))
	}
}
