package staking

import (
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// MaxActions is the most actions that a transaction may have, so that its result fits what the core allows.
const MaxActions = 16

// Error is a named error of a transaction.
type Error string

// Error returns the name.
func (e Error) Error() string { return string(e) }

// Names of errors.
const (
	ErrMalformed        Error = "ErrMalformed"
	ErrUnknownAction    Error = "ErrUnknownAction"
	ErrTooManyActions   Error = "ErrTooManyActions" // more than [MaxActions]
	ErrOutOfGas         Error = module.ErrOutOfGas
	ErrReadLimit        Error = "ErrReadLimit"
	ErrBlockFull        Error = "ErrBlockFull" // the block's outcome would be too large; try again
	ErrMaxSpend         Error = "ErrMaxSpend"  // max_spend does not cover the stake
	ErrExists           Error = "ErrExists"    // the account is a producer already
	ErrKeyUsed          Error = "ErrKeyUsed"   // the key is or was a producer's
	ErrPossession       Error = "ErrPossession"
	ErrMinStake         Error = "ErrMinStake" // the account's own stake is below min_stake
	ErrNotProducer      Error = "ErrNotProducer"
	ErrTombstoned       Error = "ErrTombstoned" // the producer was convicted
	ErrRetired          Error = "ErrRetired"
	ErrActive           Error = "ErrActive" // nothing to reactivate
	ErrUnknownProducer  Error = "ErrUnknownProducer"
	ErrApprovals        Error = "ErrApprovals" // more than the parameter allows
	ErrNoStake          Error = "ErrNoStake"   // a vote without stake
	ErrStake            Error = "ErrStake"     // less is staked than is taken out
	ErrOverflow         Error = "ErrOverflow"
	ErrTooManyUnbonding Error = "ErrTooManyUnbonding" // [MaxUnbonding] entries wait already
	ErrBadEvidence      Error = "ErrBadEvidence"      // it proves nothing
	ErrKnownEvidence    Error = "ErrKnownEvidence"    // the seat was convicted in that epoch, or the producer in another
	ErrUnknownEpoch     Error = "ErrUnknownEpoch"     // an epoch that has not begun
	ErrExpired          Error = "ErrExpired"          // an epoch that is further back than the unbonding time
)

// Gas of actions: what the most expensive case costs, measured against the verification of a signature, about 4,000.
const (
	GasRegister      = 20_000
	GasRotate        = 20_000
	GasStatus        = 5_000 // reactivate, retire
	GasStake         = 20_000
	GasVote          = 15_000
	GasVoteApproval  = 500
	GasEvidence      = 30_000
	GasEvidenceByte  = 5
	maxDetail        = 200
	failedBytes      = module.RecordBytes + module.MaxErrorBytes + maxDetail
	maxEvidenceBytes = 64 << 10
)

// failure is why a transaction has no effect: a stable name, and a detail for people.
type failure struct {
	name   Error
	detail string
}

func (f *failure) Error() string { return string(f.name) + ": " + f.detail }

func (f *failure) Unwrap() error { return f.name }

func fail(name Error, format string, args ...any) error {
	d := fmt.Sprintf(format, args...)
	return &failure{name, d[:min(len(d), maxDetail)]}
}

func nameOf(err error) string {
	var f *failure
	if errors.As(err, &f) {
		return string(f.name)
	}
	return string(ErrMalformed)
}

// order is an action, decoded.
type order struct {
	name     string
	register types.RegisterBody // rotate_key as well, without a name
	amount   uint64
	vote     []types.AccountID
	evidence []byte
}

// reads returns the items that it surely touches.
func (o *order) reads(from types.AccountID) []module.Item {
	switch o.name {
	case types.ActionRegisterProducer, types.ActionRotateKey:
		return []module.Item{producerItem(from), keyItem(o.register.Key.Hash()), OwnerItem(from)}
	case types.ActionReactivate, types.ActionRetire:
		return []module.Item{producerItem(from)}
	case types.ActionStake, types.ActionUnstake:
		return []module.Item{OwnerItem(from), producerItem(from)}
	case types.ActionVote:
		items := []module.Item{OwnerItem(from)}
		for _, a := range o.vote {
			items = append(items, producerItem(a))
		}
		return items
	}
	return nil
}

// gasOf is the gas of a transaction, whether it fails or not. It covers the floor that the core sets by its size.
func gasOf(t *module.Tx) uint64 {
	sum := uint64(0)
	for _, a := range t.Actions { // a body's length and a constant each: no overflow
		switch a.Name {
		case types.ActionRegisterProducer:
			sum += GasRegister
		case types.ActionRotateKey:
			sum += GasRotate
		case types.ActionReactivate, types.ActionRetire:
			sum += GasStatus
		case types.ActionStake, types.ActionUnstake:
			sum += GasStake
		case types.ActionVote:
			sum += GasVote + GasVoteApproval*uint64(len(a.Body)/32)
		case types.ActionEvidence:
			sum += GasEvidence + GasEvidenceByte*uint64(len(a.Body))
		}
	}
	return max(sum, uint64(max(t.Bytes, 0)))
}

// parse decodes a transaction's actions and finds all that can be wrong with it without a state.
func parse(t *module.Tx) ([]order, error) {
	if n := len(t.Actions); n == 0 {
		return nil, fail(ErrMalformed, "no actions")
	} else if n > MaxActions {
		return nil, fail(ErrTooManyActions, "%d actions, at most %d are allowed", n, MaxActions)
	}
	orders := make([]order, len(t.Actions))
	for i, a := range t.Actions {
		o := &orders[i]
		o.name = a.Name
		var err error
		switch a.Name {
		case types.ActionRegisterProducer:
			o.register, err = types.DecodeRegisterBody(a.Body)
		case types.ActionRotateKey:
			var b types.RotateBody
			b, err = types.DecodeRotateBody(a.Body)
			o.register = types.RegisterBody{Key: b.Key, Proof: b.Proof}
		case types.ActionReactivate, types.ActionRetire:
			if len(a.Body) > 0 {
				err = fmt.Errorf("%s has an empty body, this one has %d bytes", a.Name, len(a.Body))
			}
		case types.ActionStake, types.ActionUnstake:
			var b types.StakeBody
			b, err = types.DecodeStakeBody(a.Body)
			o.amount = b.Amount
			if err == nil && a.Name == types.ActionStake && a.MaxSpend < b.Amount {
				return nil, fail(ErrMaxSpend, "the stake is %d, max_spend is %d", b.Amount, a.MaxSpend)
			}
		case types.ActionVote:
			var b types.VoteBody
			b, err = types.DecodeVoteBody(a.Body)
			o.vote = b.Producers
		case types.ActionEvidence:
			var b types.EvidenceBody
			if b, err = types.DecodeEvidenceBody(a.Body); err == nil && len(b.Evidence) > maxEvidenceBytes {
				err = fmt.Errorf("evidence of %d bytes, at most %d are allowed", len(b.Evidence), maxEvidenceBytes)
			}
			o.evidence = b.Evidence
		default:
			return nil, fail(ErrUnknownAction, "there is no action %.40q", a.Name)
		}
		if err != nil {
			return nil, fail(ErrMalformed, "action %d: %v", i, err)
		}
	}
	if gas := gasOf(t); gas > t.MaxGas {
		return nil, fail(ErrOutOfGas, "the actions cost %d, max_gas is %d", gas, t.MaxGas)
	}
	return orders, nil
}
