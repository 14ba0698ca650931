package ledger

import (
	"errors"
	"fmt"
)

// Named errors. The names after "ledger: " up to the first colon are stable and appear in receipts and API answers.
var (
	ErrMalformed       = errors.New("ErrMalformed")
	ErrUnauthorised    = errors.New("ErrUnauthorised")
	ErrInsufficient    = errors.New("ErrInsufficient")
	ErrExpired         = errors.New("ErrExpired")
	ErrNotYet          = errors.New("ErrNotYet") // expires too far in the future
	ErrDuplicate       = errors.New("ErrDuplicate")
	ErrFutureReference = errors.New("ErrFutureReference")
	ErrForeignFork     = errors.New("ErrForeignFork") // the referenced block is not an ancestor, or too old
	ErrTooLarge        = errors.New("ErrTooLarge")
	ErrFee             = errors.New("ErrFee")
	ErrOverflow        = errors.New("ErrOverflow")
	ErrVesting         = errors.New("ErrVesting")
	ErrUnknownModule   = errors.New("ErrUnknownModule")
	ErrSignature       = errors.New("ErrSignature")
	ErrBlockGas        = errors.New("ErrBlockGas")
	ErrOutOfGas        = errors.New("ErrOutOfGas")
)

// ErrDiffers says that a module answered the same question differently the second time, which a paranoid ledger asks. It is no
// fault, since other nodes may see nothing of it; the block cannot be executed here. See [Difference].
var ErrDiffers = errors.New("ErrDiffers")

// ModuleError is from [Ledger.Execute]: a module could not be asked, or says itself that it failed. It is no fault, has nothing
// to do with the caller's context, and nothing with the state, whose errors come as they are. The same block may be executed
// again.
type ModuleError struct {
	Module string
	Err    error
}

// Error implements error.
func (e *ModuleError) Error() string { return fmt.Sprintf("module %q: %v", e.Module, e.Err) }

// Unwrap returns Err.
func (e *ModuleError) Unwrap() error { return e.Err }

// Statuses of receipts that the ledger itself gives.
const (
	StatusOutOfGas    = "ErrOutOfGas"    // max_gas is less than the floor by bytes; modules give the same name
	StatusFee         = "ErrFee"         // max_fee does not pay for the floor by bytes
	StatusModuleFault = "ErrModuleFault" // the module's answer for the whole group was illegal
)
