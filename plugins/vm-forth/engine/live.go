package engine

import (
	"errors"
	"fmt"
	"sort"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// Host executes an instruction that leaves the interpreter, [bytecode.OpHost], with its number n. It takes and leaves values
// by the methods of l, and may define words and execute others. What it returns ends the execution: a [*Trap], by the catch
// around it if there is one, and any other error for good.
type Host func(l *Live, n int64) error

// Live is an interpreter over a program that grows, for interactive sessions. It is the interpreter of contracts, with the
// same gas and the same limits. What lies on the stacks, in slots and in the data space stays from one execution to the next.
// A Live is for one goroutine.
type Live struct {
	m     *Machine
	p     bytecode.Program
	host  Host
	depth int // executions, each within the one before
	spans []span
	at    []place // where in the code which word is, ascending
}

// span is where in the code a word's body is.
type span struct{ from, to uint32 }

type place struct {
	from uint32
	word int
}

// NewLive returns a session without words, and without gas. The limits are its own, not to be changed.
func NewLive(l *bytecode.Limits, host Host) (*Live, error) {
	m, err := New(l)
	if err != nil {
		return nil, err
	}
	s := &Live{m: m, host: host}
	m.live = s
	m.programs = [2]*bytecode.Program{{}, &s.p}
	m.state = state{which: code, sp: floor, rp: floor}
	return s, nil
}

// Trap is why an execution failed.
type Trap struct {
	Status vm.Status
	N      int64  // what catch would have left; 0 if it never catches this
	Text   string // says more, or is empty
	PC     uint32 // of the instruction, in the session's code
	Op     bytecode.Opcode
	Word   int // in which word it is, or -1
}

// Error implements error.
func (t *Trap) Error() string {
	s := bytecode.StatusName(t.Status)
	if t.Status == bytecode.Thrown {
		s += " " + decimal(t.N)
	}
	if t.Text != "" {
		s += ": " + t.Text
	}
	return s
}

// Throw returns the trap of throwing n, for a Host to return. Of 0 it is nil, as in Forth.
func Throw(n int64) error {
	if n == 0 {
		return nil
	}
	return &Trap{Status: bytecode.Thrown, N: n, Word: -1}
}

func trap(s vm.Status) error { return &Trap{Status: s, N: Caught(s, 0), Word: -1} }

// Define makes a new word of a body, and returns its number. The body may call all words that exist, and itself. Errors wrap
// bytecode.ErrBadCode.
func (l *Live) Define(body []byte) (xt int, err error) {
	xt = len(l.p.Starts)
	return xt, l.grow(xt, body)
}

// Redefine gives a word another body. Its callers run that from now on; an execution of the old one goes on with it. Errors
// wrap bytecode.ErrBadCode.
func (l *Live) Redefine(xt int, body []byte) error {
	if xt < 0 || xt >= len(l.p.Starts) {
		return fmt.Errorf("%w: there is no word %d", bytecode.ErrBadCode, xt)
	}
	return l.grow(xt, body)
}

func (l *Live) grow(xt int, body []byte) error {
	from, err := l.p.Grow(body, xt, l.m.lim)
	if err != nil {
		return fmt.Errorf("word %d: %w", xt, err)
	}
	l.m.ins[code] = l.p.Ins
	s := span{uint32(from), uint32(from + len(body))}
	if xt == len(l.spans) {
		l.spans = append(l.spans, s)
	} else {
		l.spans[xt] = s
	}
	l.at = append(l.at, place{s.from, xt})
	return nil
}

// Forget takes the words from xt on away. A word that calls one of them keeps on calling it.
func (l *Live) Forget(xt int) {
	l.p.Shrink(xt, l.depth == 0)
	l.m.ins[code] = l.p.Ins
	l.spans = l.spans[:len(l.p.Starts)]
	for len(l.at) > 0 && int(l.at[len(l.at)-1].from) >= len(l.p.Code) && l.at[len(l.at)-1].word >= len(l.p.Starts) {
		l.at = l.at[:len(l.at)-1]
	}
}

// Words is how many words there are.
func (l *Live) Words() int { return len(l.p.Starts) }

// Body returns the body of a word; it is not to be changed.
func (l *Live) Body(xt int) []byte { return l.p.Code[l.spans[xt].from:l.spans[xt].to] }

// Hash returns the hash by which a word can be called. It is that of the same word in a contract, if all that it calls was
// there before it and nothing of it is a Host's.
func (l *Live) Hash(xt int) [32]byte { return l.p.Hashes[xt] }

// WordAt returns the word to which a place in the code belongs, or -1.
func (l *Live) WordAt(pc uint32) int {
	n := sort.Search(len(l.at), func(i int) bool { return l.at[i].from > pc })
	if n == 0 {
		return -1
	}
	return l.at[n-1].word
}

// Execute runs a word to its end. If it fails the error is a [*Trap], or what a [Host] returned, unchanged, and the data
// stack is as it was before the instruction that failed. The return stack is always as before.
func (l *Live) Execute(xt int) error {
	m := l.m
	switch {
	case xt < 0 || xt >= len(l.p.Starts):
		return trap(bytecode.UnknownWord)
	case m.rp >= m.rhigh:
		return trap(bytecode.StackOverflow)
	}
	before := m.state
	m.rs.set(m.rp, cell{0, isHalt})
	m.rp++
	m.ip, m.which, m.catch, m.ended, m.text, m.host, m.final = int(l.p.Starts[xt]), code, 0, false, "", nil, false
	m.ins[code] = l.p.Ins
	l.depth++
	status := m.exec()
	l.depth--
	after := m.state
	m.state = before
	m.sp, m.gas = after.sp, after.gas
	if status == vm.OK {
		return nil
	}
	if after.final {
		return after.host
	}
	var t *Trap
	if errors.As(after.host, &t) {
		if t.Word < 0 {
			t.PC, t.Op, t.Word = after.pc, after.op, l.WordAt(after.pc)
		}
		return after.host
	}
	return &Trap{Status: status, N: Caught(status, after.thrown), Text: after.text, PC: after.pc, Op: after.op, Word: l.WordAt(after.pc)}
}

// hostWord executes an OpHost, from the machine's state and on it.
func (m *Machine) hostWord(in *bytecode.Instr) vm.Status {
	if m.live == nil {
		panic(Fault{"an instruction of a session in a contract"})
	}
	// The nested executions start from this state, and put it back.
	err := m.live.host(m.live, in.Arg)
	if err == nil {
		return vm.OK
	}
	m.host = err
	var t *Trap
	if !errors.As(err, &t) {
		m.final = true
		return bytecode.Fail
	}
	m.thrown, m.text = t.N, t.Text
	return t.Status
}
