// Package vm is the VM kind: contracts as pure functions. A VM holds no state and knows no chain; the core gives code,
// evidence, environment and a gas limit, in batches, and results come back. The same batch gives the same bytes in every
// process, on every platform, for ever, under the same rules version.
//
// The life of a VM. The core opens one instance a chain, and calls RunBatch with all the runs of a block at once. Calls
// may be concurrent. Compile, Disassemble and Trace are for people: nothing that a chain computes rests on them.
package vm

import (
	"context"
	"errors"
)

// Errors. That a contract fails is no error; it is a result.
var (
	ErrClosed      = errors.New("vm: closed")
	ErrTooLarge    = errors.New("vm: too large")
	ErrSyntax      = errors.New("vm: syntax error")
	ErrUnknownCode = errors.New("vm: unknown code hash")
	ErrInvalid     = errors.New("vm: invalid call")
)

// Run is one execution. Evidence runs first, then Code, on the same stack.
type Run struct {
	Code        []byte // bytecode, or the 32 bytes of its hash with ByHash
	ByHash      bool
	Evidence    []byte
	Environment map[string][]byte
	GasLimit    uint64
}

// Status is how a run ended. The numbers are part of consensus and never change.
type Status uint32

// The statuses of all VMs. A VM may define more, from 1 on; see vm-forth's documentation for its own.
const OK Status = 0

// Result is what a run came to. Status, Stack and Gas are part of consensus, the rest is for people.
type Result struct {
	Status Status
	Stack  []int64 // declared results, bottom first; nil unless Status is OK
	Gas    uint64  // a failed run costs its whole limit
	Error  string
	PC     uint64
	Word   string
}

// Batch is runs with a common environment.
type Batch struct {
	Environment map[string][]byte
	Runs        []Run
}

// Loaded says what a VM thinks of a piece of code.
type Loaded struct {
	CodeHash [32]byte
	Error    string // empty: well formed
}

// Source is what a person wrote.
type Source struct {
	Text     string
	Dialect  string // empty: the instance's default
	File     string // for diagnostics
	Evidence bool   // compile under the stricter rules of evidence
}

// Step is one step of a trace; Result is set in the last one only.
type Step struct {
	PC      uint64
	Op      string
	Gas     uint64 // left
	GasCost uint64
	Depth   int
	Stack   []string // top last
	Result  *Result
}

// VM is one instance.
type VM interface {
	// Load checks code and keeps it by hash; a VM may forget it again.
	Load(ctx context.Context, code [][]byte) ([]Loaded, error)
	// RunBatch returns one result a run, in order. Runs do not see each other.
	RunBatch(ctx context.Context, b Batch) ([]Result, error)
	// Compile fails with ErrSyntax, with file, line and column in the text.
	Compile(ctx context.Context, s Source) (code []byte, warnings []string, err error)
	Disassemble(ctx context.Context, code []byte) (string, error)
	// Trace calls step for each instruction until it returns an error, or the run ends.
	Trace(ctx context.Context, env map[string][]byte, r Run, step func(Step) error) error
}
