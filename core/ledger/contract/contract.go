// Package contract is the native module in which a chain's VM runs contracts. contract.run gives bytecode and evidence, and
// the receipt tells what it came to. contract.lock puts an amount aside that a contract, of which only the hash is known,
// is to share out between two accounts; contract.claim shows the contract and evidence, and has it shared out;
// contract.settle pays a claim that had to wait, and contract.refund gives back what nobody has claimed. All runs of a
// block go to the VM in one batch. A run may read what the chain's oracle has found, if its action names the questions.
package contract

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/paloalto-chain/paloalto/core/ledger/native"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// Names of errors that this module gives, besides "ErrContract.N" for a run that failed with the VM's status N.
const (
	ErrOverflow       = "ErrOverflow"       // the amounts of a transaction sum to more than 64 bits hold
	ErrDeadline       = "ErrDeadline"       // the deadline of a new lock is not after now, or too far ahead
	ErrUnknownLock    = "ErrUnknownLock"    // never made, or paid out
	ErrNotParticipant = "ErrNotParticipant" // only the two participants of a lock can claim it
	ErrCodeHash       = "ErrCodeHash"       // the code of a claim is not the one that was locked for
	ErrTooLate        = "ErrTooLate"        // a claim at or after the deadline, or when an earlier one is due
	ErrTooEarly       = "ErrTooEarly"       // a refund before the deadline, a settlement before it is due
	ErrBadResult      = "ErrBadResult"      // the contract did not share out the amount
	ErrNonce          = "ErrNonce"          // a claim whose nonce is not above that of the accepted one
	ErrDelay          = "ErrDelay"          // the delay of a first claim ends after the deadline
	ErrClosing        = "ErrClosing"        // a refund of a lock that a claim was accepted for
	ErrNotClosing     = "ErrNotClosing"     // a settlement of a lock that no claim was accepted for
)

// yearMs is how far ahead, in milliseconds, a deadline can lie.
const yearMs = 365 * 24 * 3600 * 1000

// Module implements module.Module over a VM.
type Module struct {
	native.Base
	vm      vm.VM
	most    uint64 // gas of one run
	timeMs  uint64 // Unix time of slot 0
	slotMs  uint64
	maxWait uint64 // of a deadline, in ticks
	oracle  bool   // the chain has one whose questions can be read
}

// New returns the module for a VM. A run that fails costs all the gas that it was given, so without [Module.Limit] it costs
// its whole share of max_gas, also where the VM's rules would have stopped it earlier.
func New(v vm.VM) *Module {
	m := &Module{Base: native.Base{Name: types.ModuleContract}, vm: v, most: ^uint64(0)}
	return m.Slots(0, 500)
}

// Limit sets the most gas that one run is given; 0 stands for no limit. It is part of the chain's rules: give what
// [GasLimit] finds in the genesis document.
func (m *Module) Limit(gas uint64) *Module {
	if gas == 0 {
		gas = ^uint64(0)
	}
	m.most = gas
	return m
}

// Slots sets when slot 0 began, in Unix milliseconds, and how long a slot is, at least a millisecond. Contracts read the
// time of a block's slot, and a deadline can lie a year of ticks ahead. Both are part of the chain's rules: give what the
// genesis document says. Without it slots have 500 ms and began in 1970.
func (m *Module) Slots(timeMs, slotMs uint64) *Module {
	m.timeMs, m.slotMs = timeMs, max(slotMs, 1)
	m.maxWait = max(yearMs/m.slotMs, 1)
	return m
}

// Oracle sets whether the chain has a module "oracle" that lets others read its questions. Without it all are unknown. It is part of
// the chain's rules: say what the genesis document does.
func (m *Module) Oracle(on bool) *Module {
	m.oracle = on
	return m
}

// GasLimit returns the number under the key "gas_limit" in a VM's consensus-critical configuration: by convention the most
// gas that the VM lets one run have. It is 0 if there is none.
func GasLimit(config []byte) uint64 {
	var c struct {
		GasLimit json.Number `json:"gas_limit"`
	}
	if json.Unmarshal(config, &c) != nil {
		return 0
	}
	n, err := strconv.ParseUint(c.GasLimit.String(), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Item is where a lock lies in the state, and its amount in escrow.
func Item(lock types.Hash) module.Item {
	it := module.Item{Key: prefixLock + string(lock[:])}
	copy(it.Place[:], lock[:])
	return it
}

// Prefixes of keys.
const (
	prefixLock    = "l" // and the lock's id: types.Lock
	prefixAccount = "a" // and an account and a lock's id: the account has a part in the lock
)

// accountItem is the entry of a lock among those of an account.
func accountItem(a types.AccountID, lock types.Hash) module.Item {
	return module.Item{Place: a.Place(), Key: prefixAccount + string(a[:]) + string(lock[:])}
}

// accountsOf are those whose lists a lock is in: the participants, and the payer if it is neither.
func accountsOf(l *types.Lock) []types.AccountID {
	out := l.Participants[:]
	if l.Index(l.Payer) < 0 {
		out = append(out[:2:2], l.Payer)
	}
	return out
}

// Check implements module.Module. The facet "spend" is all that is locked.
func (m *Module) Check(_ context.Context, txs []module.Tx) ([]module.TxCheck, error) {
	out := make([]module.TxCheck, len(txs))
	for i := range txs {
		p, name, err := m.decode(&txs[i])
		if err != nil {
			out[i].Error = name
			continue
		}
		if _, ok := m.limit(&txs[i], p); !ok {
			out[i].Error = module.ErrOutOfGas
			continue
		}
		c := &out[i]
		c.Reads = p.reads
		if p.spend > 0 {
			c.Facets = []module.Facet{{Name: "spend", Amount: p.spend}}
		}
		if p.runs == 0 {
			c.Gas = p.gas
		}
	}
	return out, nil
}
