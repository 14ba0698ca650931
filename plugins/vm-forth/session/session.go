package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/lang"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

const (
	defaultGas    = 100_000_000 // of an input, if the session does not say
	mostOutput    = 1 << 20     // bytes that one input may print
	mostContracts = 256
)

// Session is a session. It is used by one goroutine at a time.
type Session struct {
	lim       *bytecode.Limits
	verbs     map[string]verb
	dialect   string
	gas       int64 // of each input
	env       map[string][]byte
	core      core
	machine   *engine.Machine // for whole contracts
	contracts map[string]*contract
	evidence  []byte // for the next run
	hasProof  bool   // evidence was given
	runGas    int64  // of the last run of a contract

	nest    *nesting
	pending *text // what waits for its end
	block   *block
	test    *test

	// Of the input that is being evaluated.
	out            strings.Builder
	left           int64 // gas
	cost           int64 // of the input before
	passed, failed int
	bye            bool
}

// text is source, and where it stands.
type text struct {
	file string
	line int // of its first line
	s    string
}

// New returns a session. It fails with vm.ErrInvalid if the dialect is unknown, or has no sessions.
func New(l *bytecode.Limits, v vm.Session) (*Session, error) {
	if err := v.Check(); err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	s := &Session{lim: l, verbs: verbs(), dialect: v.Dialect, gas: defaultGas, env: map[string][]byte{}}
	if v.GasLimit > 0 {
		s.gas = int64(min(v.GasLimit, 1<<62))
	}
	maps.Copy(s.env, v.Environment)
	if s.dialect == "" {
		s.dialect = l.Dialect
	}
	return s, s.reset()
}

// Dialect is the language of the session.
func (s *Session) Dialect() string { return s.dialect }

// reset makes the session new but for its environment.
func (s *Session) reset() error {
	m, err := engine.New(s.lim)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	s.machine, s.contracts, s.evidence, s.hasProof, s.runGas = m, map[string]*contract{}, nil, false, 0
	s.nest, s.pending, s.block, s.test = newNesting(s.dialect), nil, nil, nil
	s.core, err = newCore(s)
	return err
}

// Eval evaluates an input. It fails only if the context ends, or something of the host's does; what is wrong with the input is
// in the output, and then the stack is empty.
func (s *Session) Eval(ctx context.Context, in vm.Input) (vm.Output, error) {
	if err := in.Check(); err != nil {
		return vm.Output{}, fmt.Errorf("session: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return vm.Output{}, fmt.Errorf("session: %w", err)
	}
	s.out.Reset()
	s.left, s.passed, s.failed, s.bye = s.gas, 0, 0, false
	err := s.eval(ctx, in)
	var host hostError
	if errors.As(err, &host) {
		return vm.Output{}, fmt.Errorf("session: %w", host.err)
	}
	out := vm.Output{Text: s.out.String(), Passed: s.passed, Failed: s.failed, Bye: s.bye}
	if err != nil {
		out.Error = s.errorText(err)
		s.core.clear()
		s.nest.forget()
		s.nest.keep(s.core.names())
		s.pending, s.block, s.test, s.evidence, s.hasProof = nil, nil, nil, nil, false
	}
	out.Stack = s.core.stack()
	out.Open = s.pending != nil || s.block != nil || s.test != nil || s.core.open()
	out.Gas = uint64(max(s.gas-s.left, 0))
	s.cost = s.gas - s.left
	return out, nil
}

// hostError is one that is no fault of the input.
type hostError struct{ err error }

func (h hostError) Error() string { return h.err.Error() }
func (h hostError) Unwrap() error { return h.err }

// errorText is what people read of an error.
func (s *Session) errorText(err error) string {
	return strings.Replace(err.Error(), ": "+vm.ErrSyntax.Error(), "", 1)
}

func (s *Session) eval(ctx context.Context, in vm.Input) error {
	t := text{file: in.File, line: int(max(in.Line, 1)), s: in.Text}
	if name, source, ok := contractInput(t.s); ok && s.block == nil && s.pending == nil {
		return s.addContract(ctx, name, text{t.file, t.line, source})
	}
	if err := s.sameDialect(t); err != nil {
		return err
	}
	if s.block != nil {
		rest, err := s.inBlock(ctx, t)
		if err != nil || rest == nil {
			return err
		}
		t = *rest
	}
	if s.dialect == lang.Forth2012 {
		return s.lines(ctx, t)
	}
	if p := s.pending; p != nil {
		s.pending = nil
		gap := max(t.line-p.line-strings.Count(p.s, "\n"), 1)
		if strings.HasSuffix(p.s, "\n") {
			gap--
		}
		if len(p.s)+gap+len(t.s) > vm.MaxSourceBytes || gap > vm.MaxSourceBytes {
			return s.fail(*p, p.line, 1, "what is open here has grown to more than %d bytes", vm.MaxSourceBytes)
		}
		t = text{p.file, p.line, p.s + strings.Repeat("\n", gap) + t.s}
	}
	return s.evaluate(ctx, t)
}

// sameDialect refuses a file that says that it is in another dialect.
func (s *Session) sameDialect(t text) error {
	if t.line != 1 || s.pending != nil || s.block != nil {
		return nil
	}
	h, err := lang.ParseHeader(vm.Source{Text: t.s, File: t.file}, s.lim)
	if err != nil {
		return err
	}
	named := h.Dialect
	if d, err := lang.ParseHeader(vm.Source{Text: t.s, File: t.file, Dialect: s.dialect}, s.lim); err == nil {
		named = d.Dialect
	}
	if named != s.dialect {
		return s.fail(t, 1, 1, "the text is in the dialect %s, the session in %s", named, s.dialect)
	}
	return nil
}

// evaluate evaluates a text of the dialects that are compiled: what stands between words of the session is compiled and run
// at once.
func (s *Session) evaluate(ctx context.Context, t text) error {
	sc := newScanner(t.s, t.line, s.dialect == lang.Chalang)
	if s.dialect == lang.Chalang && t.line == 1 {
		sc.header()
	}
	from := mark{sc.at, sc.line, sc.column(sc.at)}
	for {
		w, ok := sc.next()
		if !ok {
			break
		}
		if err := ctx.Err(); err != nil {
			return hostError{err}
		}
		f := s.sessionWord(w)
		if f == nil {
			s.nest.word(w, t.s)
			continue
		}
		if err := s.flush(ctx, t, from, w.start); err != nil {
			return err
		}
		if err := f(ctx, &reader{s: s, text: t, sc: sc, word: w}); err != nil {
			return err
		}
		if s.bye || s.pending != nil {
			return nil
		}
		if s.block != nil {
			rest, err := s.inBlock(ctx, text{t.file, sc.line, t.s[sc.at:]})
			if err != nil || rest == nil {
				return err
			}
			return s.evaluate(ctx, *rest)
		}
		from = mark{sc.at, sc.line, sc.column(sc.at)}
	}
	if !s.nest.top() || sc.open {
		s.nest.forget()
		s.wait(t, from)
		return nil
	}
	err := s.flush(ctx, t, from, len(t.s))
	if errors.Is(err, lang.ErrIncomplete) {
		s.wait(t, from)
		return nil
	}
	return err
}

// mark is a place in a text.
type mark struct{ at, line, col int }

// wait keeps a text from a place on, until more comes.
func (s *Session) wait(t text, from mark) {
	s.pending = &text{t.file, from.line, strings.Repeat(" ", from.col-1) + t.s[from.at:]}
}

// flush compiles and runs a part of a text. Spaces before it keep its columns.
func (s *Session) flush(ctx context.Context, t text, from mark, to int) error {
	part := t.s[from.at:to]
	if strings.TrimSpace(part) == "" {
		return nil
	}
	return s.core.run(ctx, text{t.file, from.line, strings.Repeat(" ", from.col-1) + part}, t)
}

// sessionWord returns what a word of the session does, if it counts here.
func (s *Session) sessionWord(w word) verb {
	if !s.nest.top() || s.nest.names[w.text] {
		return nil
	}
	if w.str && w.text != `."` {
		return nil
	}
	return s.verbs[w.text]
}

// print adds to what the input prints.
func (s *Session) print(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if s.out.Len()+len(text) > mostOutput {
		return fmt.Errorf("the input prints more than %d bytes", mostOutput)
	}
	s.out.WriteString(text)
	return nil
}

// fail makes an error at a place of a text, with the line.
func (s *Session) fail(t text, line, col int, format string, args ...any) error {
	return lang.Excerpt(lang.SyntaxError(vm.Source{File: t.file}, line, col, format, args...), t.s, t.line)
}

// placeOf is how an error of the compiler begins.
var placeOf = regexp.MustCompile(`^.*?:([0-9]{1,9}):([0-9]{1,9}): `)

// shown shows in an error of the compiler, which has seen a part of a text, the line of the whole.
func (s *Session) shown(err error, t text) error {
	message, _, _ := strings.Cut(s.errorText(err), "\n")
	m := placeOf.FindStringSubmatch(message)
	if m == nil {
		return err
	}
	line, _ := strconv.Atoi(m[1])
	col, _ := strconv.Atoi(m[2])
	return s.fail(t, line, col, "%s", message[len(m[0]):])
}

// display cuts a value for a line of text.
func display(v string) string {
	const most = 160
	if len(v) <= most {
		return v
	}
	n := 64
	for n > 0 && !utf8.RuneStart(v[n]) {
		n--
	}
	return fmt.Sprintf("%s…\" (%d bytes)", v[:n], (len(v)-3)/2)
}

func displayAll(list []string) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = display(v)
	}
	return strings.Join(out, " ")
}

// Interact holds a session for vm.VM: it evaluates what next returns, until next fails. io.EOF from next is no error.
func Interact(ctx context.Context, l *bytecode.Limits, v vm.Session, next func(vm.Output) (vm.Input, error)) error {
	s, err := New(l, v)
	if err != nil {
		return err
	}
	var out vm.Output
	for {
		in, err := next(out)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if out, err = s.Eval(ctx, in); err != nil {
			return err
		}
	}
}
