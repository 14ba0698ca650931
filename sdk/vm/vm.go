// Package vm is the VM kind: contracts as pure functions. A VM holds no state and knows no chain; the core gives code,
// evidence, environment and a gas limit, in batches, and results come back. The same batch gives the same bytes in every
// process, on every platform, for ever, under the same rules version.
//
// The life of a VM. The core opens one instance a chain, and calls RunBatch with all the runs of a block at once. Calls
// may be concurrent. Compile, Disassemble, Trace, Info and Interact are for people: nothing that a chain computes rests on them.
package vm

import (
	"context"
	"errors"
	"sort"
)

// Errors. That a contract fails is no error; it is a result.
var (
	ErrClosed      = errors.New("vm: closed")
	ErrTooLarge    = errors.New("vm: too large")
	ErrSyntax      = errors.New("vm: syntax error")
	ErrUnknownCode = errors.New("vm: unknown code hash")
	ErrInvalid     = errors.New("vm: invalid call")
	ErrUnsupported = errors.New("vm: not supported")
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

// Convention says what the results of a run mean. Amounts are in the smallest units of what is shared out; whatever a
// contract does not name goes to the second participant. The numbers are part of consensus and never change.
type Convention uint32

const (
	BurnPayNonce     Convention = 0 // burn, amount of the first participant, nonce
	DelayNonceAmount Convention = 1 // delay in ticks of the chain's clock, nonce, amount of the first participant
)

// Result is what a run came to. Status, Stack, Gas and Convention are part of consensus, the rest is for people. Texts, which
// are Error, Word and Top, are there only if the batch has Diagnostics, or it is a trace's result.
type Result struct {
	Status     Status
	Stack      []int64 // declared results, bottom first; nil unless Status is OK
	Gas        uint64  // a failed run costs its whole limit
	Convention Convention

	Space    uint64   // bytes that the run used at its peak, besides its stacks
	GasUsed  uint64   // what a failed run had used when it failed
	Error    string   // empty if Status is OK
	PC       uint64   // of the instruction that failed
	Word     string   // that instruction
	Evidence bool     // PC counts in the evidence, not in the code
	Top      []string // the upper values of the stack then, top last
}

// Batch is runs with a common environment.
type Batch struct {
	Environment map[string][]byte
	Runs        []Run
	// Diagnostics asks for the texts of failed runs. Tools set it. A chain must not: a contract that fails can cost little, and
	// have much to show, so that the answer to a block of them would be too large for a message.
	Diagnostics bool
}

// Loaded says what a VM thinks of a piece of code.
type Loaded struct {
	CodeHash [32]byte
	Error    string // empty: well formed

	Verified   bool     // the effect of each word on the stack is known
	EnvReads   []string // environment words that the code may read, sorted
	MaxStack   uint32   // values on the stack at most, if Verified
	GasBound   uint64   // no run needs more, besides what its evidence costs to load and to run; 0: no such bound is known
	Convention Convention
}

// Compiled is what became of a source.
type Compiled struct {
	Code     []byte
	Warnings []string // each with its place
	Map      SourceMap
}

// MapEntry is where in a source instructions come from: the one at PC, and those behind it up to the next entry's.
type MapEntry struct {
	PC           uint32
	Line, Column uint32 // from 1; column in characters
	Word         string // the definition that the instruction belongs to; empty for what is outside of all
}

// SourceMap is ordered by PC, each of which is there once.
type SourceMap []MapEntry

// Find returns the entry of an instruction.
func (m SourceMap) Find(pc uint64) (MapEntry, bool) {
	n := sort.Search(len(m), func(i int) bool { return uint64(m[i].PC) > pc })
	if n == 0 {
		return MapEntry{}, false
	}
	return m[n-1], true
}

// Info is what a VM says about itself. It depends on the configuration alone.
type Info struct {
	Version      string
	GasVersion   uint32
	GasTableHash [32]byte
	Dialects     []string // the default first
	Limits       []Limit
	Environment  []string // environment words
}

// Limit is one of the limits of an instance.
type Limit struct {
	Name  string
	Value int64
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
	PC       uint64
	Op       string
	Gas      uint64 // left
	GasCost  uint64
	Depth    int
	Stack    []string // top last
	Evidence bool     // PC counts in the evidence, not in the code
	Result   *Result
}

// Session is an interactive session: a person, or a file of tests, talks to a VM that keeps its stack and its definitions
// from one input to the next.
type Session struct {
	Dialect     string // empty: the instance's default
	Environment map[string][]byte
	GasLimit    uint64 // of each input
}

// Input is text that a session evaluates: a line, or a whole file.
type Input struct {
	File string // for diagnostics
	Line uint32 // of the first line of Text, from 1; 0 stands for 1
	Text string
}

// Output is what an input came to.
type Output struct {
	Text   string   // what it printed
	Error  string   // with its place; empty if nothing went wrong. The stack is then empty, and what was open is forgotten
	Stack  []string // top last
	Open   bool     // a definition or a structure waits for its end
	Passed int      // tests of the form T{ … -> … }T of this input that held
	Failed int      // and that did not; why is in Text
	Gas    uint64   // used
	Bye    bool     // the session wants to end
}

// VM is one instance.
type VM interface {
	// Load checks code and keeps it by hash; a VM may forget it again.
	Load(ctx context.Context, code [][]byte) ([]Loaded, error)
	// RunBatch returns one result a run, in order. Runs do not see each other.
	RunBatch(ctx context.Context, b Batch) ([]Result, error)
	// Compile fails with ErrSyntax, with file, line and column in the text.
	Compile(ctx context.Context, s Source) (*Compiled, error)
	Disassemble(ctx context.Context, code []byte) (string, error)
	// Trace calls step for each instruction until it returns an error, or the run ends.
	Trace(ctx context.Context, env map[string][]byte, r Run, step func(Step) error) error
	Info(ctx context.Context) (*Info, error)
	// Interact holds a session. It calls next with what the input before came to, at first with the zero Output, for the next
	// one, until next fails. io.EOF is how it says that there is no more, and no error here. It fails with ErrUnsupported if the VM, or the
	// dialect, has no sessions.
	Interact(ctx context.Context, s Session, next func(Output) (Input, error)) error
}
