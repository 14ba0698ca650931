package prophecy

import (
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// MaxActions is the most actions that a transaction may have, so that its result fits what the core allows.
const MaxActions = 64

// Names of errors that are this plugin's own.
const (
	ErrTooManyActions oracle.RuleError = "ErrTooManyActions" // more than [MaxActions]
	ErrBlockFull      oracle.RuleError = "ErrBlockFull"      // the block's outcome would be too large; try again
	ErrTooManyBallots oracle.RuleError = "ErrTooManyBallots" // more than oracle.MaxBallots in the extensions of a block
)

// failure is why a transaction has no effect: a stable name, and a detail for people.
type failure struct {
	name   oracle.RuleError
	detail string
}

func (f *failure) Error() string { return string(f.name) + ": " + f.detail }

// maxDetail bounds details, so that the size of a failed result is bounded by failedBytes.
const (
	maxDetail   = 200
	failedBytes = module.RecordBytes + module.MaxErrorBytes + maxDetail
)

func fail(name oracle.RuleError, format string, args ...any) error {
	d := fmt.Sprintf(format, args...)
	return &failure{name, d[:min(len(d), maxDetail)]}
}

func nameOf(err error) oracle.RuleError {
	var f *failure
	if errors.As(err, &f) {
		return f.name
	}
	return oracle.ErrMalformed
}

// order is an action, decoded: one of the pointers is set.
type order struct {
	ask     *oracle.Ask
	answer  *oracle.Answer
	counter *oracle.Counter
	ballot  *oracle.Carried
	close   *oracle.Close
}

// question returns the id of the question that action i of a transaction is about.
func (o *order) question(chain types.ChainID, t *module.Tx, i int) [32]byte {
	switch {
	case o.ask != nil:
		return oracle.QuestionID(chain, t.Account, o.ask.Text, t.ID, i)
	case o.answer != nil:
		return o.answer.ID
	case o.counter != nil:
		return o.counter.ID
	case o.ballot != nil:
		return o.ballot.Ballot.Question
	}
	return o.close.ID
}

// gasOf is the gas of a transaction, whether it fails or not. It covers the floor that the core sets by its size.
func gasOf(t *module.Tx) uint64 {
	sum := uint64(0)
	for _, a := range t.Actions {
		sum += oracle.ActionGas(a) // a body's length and at most a few thousand: no overflow
	}
	return max(sum, uint64(max(t.Bytes, 0)))
}

// parse decodes a transaction's actions and finds all that can be wrong with it without a state. Signatures are verified last:
// they cost most.
func parse(chain types.ChainID, t *module.Tx) ([]order, error) {
	if n := len(t.Actions); n == 0 {
		return nil, fail(oracle.ErrMalformed, "no actions")
	} else if n > MaxActions {
		return nil, fail(ErrTooManyActions, "%d actions, at most %d are allowed", n, MaxActions)
	}
	if gas := gasOf(t); gas > t.MaxGas {
		return nil, fail(oracle.ErrOutOfGas, "the actions cost %d, max_gas is %d", gas, t.MaxGas)
	}
	orders := make([]order, len(t.Actions))
	for i, a := range t.Actions {
		if err := orders[i].decode(a); err != nil {
			var f *failure
			if errors.As(err, &f) {
				return nil, err
			}
			return nil, fail(oracle.ErrMalformed, "action %d: %v", i, err)
		}
	}
	for i := range orders {
		if c := orders[i].ballot; c != nil {
			if err := c.Verify(chain); err != nil {
				return nil, fail(oracle.ErrBadSignature, "action %d: %v", i, err)
			}
		}
	}
	return orders, nil
}

func (o *order) decode(a types.Action) (err error) {
	switch a.Name {
	case oracle.ActionAsk:
		o.ask, err = decoded(oracle.DecodeAsk(a.Body))
	case oracle.ActionAnswer:
		o.answer, err = decoded(oracle.DecodeAnswer(a.Body))
	case oracle.ActionCounter:
		o.counter, err = decoded(oracle.DecodeCounter(a.Body))
	case oracle.ActionBallot:
		o.ballot, err = decoded(oracle.DecodeCarried(a.Body))
	case oracle.ActionClose:
		o.close, err = decoded(oracle.DecodeClose(a.Body))
	default:
		return fail(oracle.ErrUnknownAction, "the oracle has no action %.40q; it has ask, answer, counter, ballot and close", a.Name)
	}
	return err
}

func decoded[T any](v T, err error) (*T, error) { return &v, err }
