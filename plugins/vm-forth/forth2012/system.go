package forth2012

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// Bounds of a session. They are no rules of a chain: nothing on a chain interprets text.
const (
	// DefaultGas is what an input may use if the session does not say; MaxGas is the most that a session may ask for.
	DefaultGas = 100_000_000
	MaxGas     = 10_000_000_000
	// MaxOutput is how many bytes an input may print.
	MaxOutput = 1 << 20
	// MaxInput is how many bytes of text an input has at most.
	MaxInput = vm.MaxSourceBytes

	maxDefinitions = 16 << 10
	reserved       = 1024 // definitions, for the words of the language when they are used first
	reservedCode   = 64 << 10
	maxCode        = 512 << 10 // bytes of all bodies together
	maxBody        = 60_000    // bytes; jumps have two
	sessionStack   = 4096
	sessionReturn  = 4096
	sessionSpace   = 256 << 10 // of the data space, for programs
	maxNesting     = 48        // sources within sources
	maxLine        = 4096      // bytes of a line
	maxControl     = 1024      // open control structures
	maxLocals      = 32        // of a definition
)

// Errors that leave the interpreter and cannot be caught by a program.
var (
	errQuit   = errors.New("quit")
	errBye    = errors.New("bye")
	errOutput = fmt.Errorf("more than %d bytes of output", MaxOutput)
)

// System is one Forth system: dictionary, stacks and data space persist from one input to the next. It is not safe for
// concurrent use.
type System struct {
	// Include finds the text of a file by its name, for INCLUDED and its like. Without it they know only the files that were
	// inputs of this session, by the last part of the name.
	Include func(name string) (string, error)

	live  *engine.Live
	gas   int64 // of each input
	space int64 // where the area of the system starts in the data space

	hosts     []host
	builtins  []*builtin
	named     map[string]*builtin
	markers   []marker
	words     []*word // all words, in the order of their definition
	lists     []*wordlist
	order     []int // wordlists, the first searched first
	current   int
	byXT      map[int64]*word // the first word with an execution token
	bodies    map[int]*body
	codeBytes int
	grown     int64        // bytes of all bodies that there have been
	ticked    map[int]bool // words whose execution token a program may have

	def    *definition
	latest *word
	locals int // that any definition has at most
	state  bool
	dp     int64

	sources []*source
	nextID  int64
	saved   []savedInput
	seen    map[string]string // texts of inputs, by the last part of their file's name
	kept    int               // bytes of seen
	files   map[string]bool   // included

	out      strings.Builder
	ctx      context.Context
	detail   string // what an exception is about
	aborted  string // the text of ABORT"
	origin   string // where the first error happened
	hold     int64
	transit  int64 // next byte of the area of transient strings
	subst    map[string]string
	substLen int

	deep   int // nesting of TRAVERSE-WORDLIST
	test   test
	passed int
	failed int
}

// New returns a system with the words of the language. The limits are those of the chain that contracts are written for;
// the session has larger ones of its own.
func New(l *bytecode.Limits, s vm.Session) (*System, error) {
	gas := int64(DefaultGas)
	if s.GasLimit > 0 {
		gas = int64(min(s.GasLimit, MaxGas))
	}
	return newSystem(l, max(l.DataBytes, sessionSpace), gas, s.Environment)
}

func newSystem(l *bytecode.Limits, space, gas int64, env map[string][]byte) (*System, error) {
	space = (space + 7) &^ 7
	own := *l
	own.StackDepth, own.ReturnDepth = max(l.StackDepth, sessionStack), max(l.ReturnDepth, sessionReturn)
	own.DataBytes, own.Definitions, own.CodeBytes = space+systemSpace, maxDefinitions+reserved, 2*maxCode+reservedCode
	own.Variables, own.GasLimit = max(l.Variables, maxLocals), MaxGas
	s := &System{gas: gas, space: space, dp: firstAddress, byXT: map[int64]*word{}, bodies: map[int]*body{}, ticked: map[int]bool{},
		seen: map[string]string{}, files: map[string]bool{}, named: map[string]*builtin{}, subst: map[string]string{}}
	live, err := engine.NewLive(&own, s.host)
	if err != nil {
		return nil, fmt.Errorf("forth2012: %w", err)
	}
	s.live = live
	live.SetEnvironment(env)
	live.SetGas(gas)
	s.addBuiltins()
	if err := s.setBase(10); err != nil {
		return nil, fmt.Errorf("forth2012: %w", err)
	}
	if err := s.setState(false); err != nil {
		return nil, fmt.Errorf("forth2012: %w", err)
	}
	return s, nil
}

// Live is what the system runs on.
func (s *System) Live() *engine.Live { return s.live }

// Eval interprets a text, of one line or of many. What is wrong with it is in the output; an error says that the context
// ended, or that the text is longer than MaxInput.
func (s *System) Eval(ctx context.Context, in vm.Input) (vm.Output, error) {
	if len(in.Text) > MaxInput {
		return vm.Output{}, fmt.Errorf("forth2012: an input of %d bytes, at most %d: %w", len(in.Text), MaxInput, vm.ErrTooLarge)
	}
	if err := ctx.Err(); err != nil {
		return vm.Output{}, err
	}
	s.ctx = ctx
	s.out.Reset()
	s.passed, s.failed = 0, 0
	s.sources, s.saved, s.origin, s.detail = s.sources[:0], s.saved[:0], "", ""
	s.live.SetGas(s.gas)
	s.live.Collect()
	s.keep(in)

	err := s.push1(in)
	if err == nil {
		err = s.interpret()
	}
	out := vm.Output{Passed: s.passed, Failed: s.failed, Gas: uint64(s.gas - min(s.gas, max(0, s.live.Gas())))}
	switch {
	case err == nil || errors.Is(err, errQuit):
	case errors.Is(err, errBye):
		out.Bye = true
	case ctx.Err() != nil:
		s.reset()
		return vm.Output{}, ctx.Err()
	default:
		out.Error = s.explain(err)
		s.reset()
	}
	if errors.Is(err, errQuit) {
		s.def = nil
		s.control(false)
	}
	s.sources = s.sources[:0]
	out.Text, out.Error = strings.ToValidUTF8(s.out.String(), "\uFFFD"), strings.ToValidUTF8(out.Error, "\uFFFD")
	out.Stack = s.live.Stack()
	out.Open = s.state || s.def != nil || s.test.open
	return out, nil
}

// push1 makes an input the source.
func (s *System) push1(in vm.Input) error {
	line := in.Line
	if line == 0 {
		line = 1
	}
	id := int64(1)
	if in.File == "" {
		id = 0
	}
	return s.pushText(id, in.File, line, in.Text)
}

// reset is what follows an exception that nobody caught.
func (s *System) reset() {
	s.live.SetDepth(0)
	s.def, s.test = nil, test{}
	s.control(false)
}

// control sets the state where that cannot fail in a way that matters.
func (s *System) control(compiling bool) {
	if s.setState(compiling) != nil {
		s.state = compiling
	}
}

// charge takes gas for what a host word does.
func (s *System) charge(n int64) error {
	left := s.live.Gas() - n
	if left < 0 {
		s.live.SetGas(0)
		return &engine.Trap{Status: bytecode.OutOfGas, Word: -1}
	}
	s.live.SetGas(left)
	return nil
}

// print writes to the session's output.
func (s *System) print(text string) error {
	if s.out.Len()+len(text) > MaxOutput {
		return errOutput
	}
	s.out.WriteString(text)
	return s.charge(1 + int64(len(text))/8)
}

// fail is the exception n about something.
func (s *System) fail(n int64, detail string) error {
	s.detail = detail
	return engine.Throw(n)
}

// host runs a host word for the program.
func (s *System) host(_ *engine.Live, n int64) error {
	if n < 0 || n >= int64(len(s.hosts)) || s.hosts[n].run == nil {
		return s.fail(throwUndefined, fmt.Sprintf("host word %d", n))
	}
	if err := s.charge(hostGas); err != nil {
		return err
	}
	return s.hosts[n].run(s)
}

// hostGas is what a host word costs besides what depends on its operands.
const hostGas = 40
