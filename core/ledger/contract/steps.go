package contract

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/core/ledger/native"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// step is one action, decoded.
type step struct {
	name           string
	code, evidence []byte         // of run and claim
	questions      [][32]byte     // of run and claim: of the oracle
	lock           types.Hash     // that the action makes, or is about
	body           types.LockBody // of lock
	run            int            // index into the batch; -1 if there is none
}

// reads tells whether the step needs the state of its lock.
func (s *step) reads() bool {
	return s.name == types.ActionClaim || s.name == types.ActionSettle || s.name == types.ActionRefund
}

// plan is a transaction, decoded.
type plan struct {
	steps []step
	gas   uint64 // besides what the VM counts
	runs  uint64
	spend uint64
	reads []module.Item
}

// reads lists the locks and the questions that steps rest on, each once.
func (m *Module) reads(steps []step) (out []module.Item) {
	var seen map[[32]byte]bool
	for i := range steps {
		s := &steps[i]
		if s.reads() {
			out = append(out, Item(s.lock))
		}
		if !m.oracle {
			continue
		}
		for _, q := range s.questions {
			if seen[q] {
				continue
			}
			if seen == nil {
				seen = map[[32]byte]bool{}
			}
			seen[q] = true
			out = append(out, questionItem(q))
		}
	}
	return out
}

// decode reads a transaction. name is that of what is wrong with it.
func (m *Module) decode(t *module.Tx) (p plan, name string, err error) {
	if len(t.Actions) == 0 {
		return p, native.ErrMalformed, fmt.Errorf("no actions")
	}
	p.steps = make([]step, 0, len(t.Actions))
	for i, a := range t.Actions {
		s := step{name: a.Name, run: -1}
		switch a.Name {
		case types.ActionRun:
			var b types.RunBody
			b, err = types.DecodeRunBody(a.Body)
			s.code, s.evidence, s.questions = b.Code, b.Evidence, b.Questions
			p.gas, p.runs = p.gas+types.GasContractRun, p.runs+1
		case types.ActionLock:
			s.body, err = types.DecodeLockBody(a.Body)
			s.lock = types.LockIDOf(t.ID, i)
			p.gas += types.GasContractLock
			if err == nil && s.body.Amount > a.MaxSpend {
				return p, native.ErrSpend, fmt.Errorf("amount %d is above the action's max_spend %d", s.body.Amount, a.MaxSpend)
			}
			if p.spend += s.body.Amount; p.spend < s.body.Amount {
				return p, ErrOverflow, fmt.Errorf("the amounts sum to more than 64 bits hold")
			}
		case types.ActionClaim:
			var b types.ClaimBody
			b, err = types.DecodeClaimBody(a.Body)
			s.lock, s.code, s.evidence, s.questions = b.Lock, b.Code, b.Evidence, b.Questions
			p.gas, p.runs = p.gas+types.GasContractClaim, p.runs+1
		case types.ActionSettle, types.ActionRefund:
			var b types.LockRefBody
			b, err = types.DecodeLockRefBody(a.Body)
			s.lock = b.Lock
			p.gas += types.GasContractPay
		default:
			return p, native.ErrUnknownAction, fmt.Errorf("contract has no action %q; it has run, lock, claim, settle and refund", a.Name)
		}
		if err != nil {
			return p, native.ErrMalformed, err
		}
		p.gas += types.GasContractQuestion * uint64(len(s.questions))
		p.steps = append(p.steps, s)
	}
	if p.reads = m.reads(p.steps); len(p.reads) > module.MaxReadsPerTx {
		return p, native.ErrTooLarge, fmt.Errorf("it rests on %d locks and questions, at most %d", len(p.reads), module.MaxReadsPerTx)
	}
	return p, "", nil
}

// limit returns the gas that each run of a transaction gets: equal shares of what the actions themselves leave of its
// max_gas. ok is false if that does not suffice.
func (m *Module) limit(t *module.Tx, p plan) (gas uint64, ok bool) {
	switch {
	case p.gas > t.MaxGas:
		return 0, false
	case p.runs == 0:
		return 0, true
	}
	gas = (t.MaxGas - p.gas) / p.runs
	return min(gas, m.most), gas > 0
}
