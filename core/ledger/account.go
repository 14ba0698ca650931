package ledger

import (
	"fmt"
	"math/bits"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Namespaces of the ledger itself in the state. The names of modules have no dot.
const (
	spaceBalance  = "ledger.balance"
	spaceEscrow   = "ledger.escrow." // + module
	spaceSchedule = "ledger.schedule"
	spaceMoved    = "ledger.moved" // where postponed entries of the schedule lie, by where they were
	spaceAccount  = AccountModule
)

// AccountModule is the name of the native module that keeps authorities.
const AccountModule = "account"

// Vesting locks a part of a balance: of Total, floor(Total × elapsed ÷ Duration) is free, in steps, nothing before Cliff.
// All times are ticks of the chain's clock.
type Vesting struct {
	Total, Start, Cliff, Duration, Step uint64
}

// Locked returns what is not yet vested at clock.
func (v Vesting) Locked(clock uint64) uint64 {
	if clock < v.Start || clock-v.Start < v.Cliff {
		return v.Total
	}
	elapsed := clock - v.Start
	if elapsed >= v.Duration {
		return 0
	}
	if v.Step > 0 {
		elapsed -= elapsed % v.Step
	}
	hi, lo := bits.Mul64(v.Total, elapsed)
	q, _ := bits.Div64(hi, lo, v.Duration) // elapsed < Duration, so the quotient fits
	return v.Total - q
}

// Account is a balance and what of it is locked.
type Account struct {
	Balance uint64
	Vesting []Vesting
}

const maxVestings = 16

// Locked returns what may not move at clock; it may exceed the balance, never less than fees have taken.
func (a *Account) Locked(clock uint64) uint64 {
	var sum uint64
	for _, v := range a.Vesting {
		sum = satAdd(sum, v.Locked(clock))
	}
	return sum
}

// Free returns what may be spent at clock.
func (a *Account) Free(clock uint64) uint64 {
	if locked := a.Locked(clock); locked < a.Balance {
		return a.Balance - locked
	}
	return 0
}

func (a *Account) encode() []byte {
	if a.Balance == 0 && len(a.Vesting) == 0 {
		return nil
	}
	e := types.NewEncoder(12)
	e.Uint(a.Balance)
	e.Uint(uint64(len(a.Vesting)))
	for _, v := range a.Vesting {
		e.Uint(v.Total)
		e.Uint(v.Start)
		e.Uint(v.Cliff)
		e.Uint(v.Duration)
		e.Uint(v.Step)
	}
	return e.Bytes()
}

func decodeAccount(b []byte) (Account, error) {
	if b == nil {
		return Account{}, nil
	}
	d := types.NewDecoder(b)
	a := Account{Balance: d.Uint()}
	for range d.Count(maxVestings, 5) {
		a.Vesting = append(a.Vesting, Vesting{d.Uint(), d.Uint(), d.Uint(), d.Uint(), d.Uint()})
	}
	if err := d.Finish(); err != nil {
		return Account{}, fmt.Errorf("account in the state: %w", err)
	}
	return a, nil
}

func balanceItem(id types.AccountID) state.Item {
	return state.Item{Module: spaceBalance, Place: id.Place(), Key: string(id[:])}
}

func authorityItem(id types.AccountID) state.Item {
	return state.Item{Module: spaceAccount, Place: id.Place(), Key: string(id[:])}
}

// AuthorityItem is where the account module keeps an authority.
func AuthorityItem(id types.AccountID) module.Item {
	return module.Item{Place: id.Place(), Key: string(id[:])}
}

func escrowItem(mod string, it module.Item) state.Item {
	return state.Item{Module: spaceEscrow + mod, Place: it.Place, Key: it.Key}
}

// TillItem is where the fees of a producer lie, as an escrow of the account module.
func TillItem(owner types.AccountID) module.Item {
	return module.Item{Place: owner.Place(), Key: "till" + string(owner[:])}
}

func encodeAmount(v uint64) []byte {
	if v == 0 {
		return nil
	}
	e := types.NewEncoder(9)
	e.Uint(v)
	return e.Bytes()
}

func decodeAmount(b []byte) (uint64, error) {
	if b == nil {
		return 0, nil
	}
	d := types.NewDecoder(b)
	v := d.Uint()
	if err := d.Finish(); err != nil {
		return 0, fmt.Errorf("amount in the state: %w", err)
	}
	return v, nil
}
