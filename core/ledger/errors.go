package ledger

import "errors"

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

// Statuses of receipts that the ledger itself gives.
const (
	StatusOutOfGas    = "ErrOutOfGas"    // max_gas is less than the floor by bytes; modules give the same name
	StatusFee         = "ErrFee"         // max_fee does not pay for the floor by bytes
	StatusModuleFault = "ErrModuleFault" // the module's answer for the whole group was illegal
)
