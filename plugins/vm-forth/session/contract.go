package session

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/lang"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// contract is a whole contract that a session can run.
type contract struct {
	code []byte
	at   vm.SourceMap
	text text
}

// block is a contract that is being written: contract NAME … end-contract.
type block struct {
	name  string
	at    word
	text  text // where it begins
	lines strings.Builder
	line  int // of what is collected
}

const endContract = "end-contract"

// contractInput tells whether an input is a contract's source under a name: its first line is "contract-source NAME".
func contractInput(s string) (name, source string, ok bool) {
	rest, ok := strings.CutPrefix(s, "contract-source ")
	if !ok {
		return "", "", false
	}
	name, source, _ = strings.Cut(rest, "\n")
	return strings.TrimSpace(name), source, true
}

// openContract begins a block.
func openContract(_ context.Context, r *reader) error {
	name, err := r.name("a name")
	if err != nil {
		return err
	}
	if w, ok := r.sameLine(); ok {
		if w.text == "from" {
			return r.fail("this session reads no files; `alto vm test`, `run` and `repl` do, where contract NAME from FILE is a line of its own")
		}
		*r.sc = scanner{text: r.sc.text, chalang: r.sc.chalang, at: w.start, line: w.line, seen: w.start, col: w.col}
	}
	r.s.block = &block{name: name.text, at: r.word, text: r.text, line: r.sc.line}
	return nil
}

// inBlock takes lines up to end-contract, and returns what follows it.
func (s *Session) inBlock(ctx context.Context, t text) (*text, error) {
	b := s.block
	line := t.line
	if b.lines.Len() == 0 {
		b.line = line
	}
	rest := t.s
	for rest != "" {
		l, after, more := strings.Cut(rest, "\n")
		if f := strings.Fields(l); len(f) > 0 && f[0] == endContract {
			s.block = nil
			if err := s.addContract(ctx, b.name, text{t.file, b.line, b.lines.String()}); err != nil {
				return nil, err
			}
			at := strings.Index(l, endContract) + len(endContract)
			return &text{t.file, line, strings.Repeat(" ", at) + rest[at:]}, nil
		}
		b.lines.WriteString(l)
		if more || after != "" {
			b.lines.WriteString("\n")
		}
		if b.lines.Len() > vm.MaxSourceBytes {
			return nil, s.fail(b.text, b.at.line, b.at.col, "the contract %s has more than %d bytes", b.name, vm.MaxSourceBytes)
		}
		rest = after
		line++
	}
	if t.s != "" && !strings.HasSuffix(t.s, "\n") {
		b.lines.WriteString("\n")
	}
	return nil, nil
}

// addContract compiles a contract.
func (s *Session) addContract(_ context.Context, name string, t text) error {
	if name == "" || len(name) > 64 {
		return s.fail(t, t.line, 1, "a contract's name has 1 to 64 bytes")
	}
	if s.contracts[name] == nil && len(s.contracts) == mostContracts {
		return s.fail(t, t.line, 1, "more than %d contracts", mostContracts)
	}
	out, err := s.compile(t, false)
	if err != nil {
		return err
	}
	s.contracts[name] = &contract{code: out.Code, at: out.Map, text: t}
	return nil
}

// compile compiles a whole source. Empty lines before it make its places right.
func (s *Session) compile(t text, evidence bool) (*vm.Compiled, error) {
	src := vm.Source{Text: t.s, File: t.file, Evidence: evidence}
	if t.line > 1 {
		src.Text = strings.Repeat("\n", t.line-1) + t.s
	}
	if len(src.Text) > vm.MaxSourceBytes {
		return nil, s.fail(t, t.line, 1, "a source of more than %d bytes", vm.MaxSourceBytes)
	}
	if h, err := lang.ParseHeader(src, s.lim); err != nil {
		return nil, err
	} else if h.Dialect != s.dialect && !saysDialect(t.s) {
		src.Dialect = s.dialect
	}
	return compileSource(src, s.lim)
}

// saysDialect tells whether a source names its dialect.
func saysDialect(text string) bool {
	for line := range strings.Lines(text) {
		l := strings.TrimSpace(line)
		if l == "" {
			continue
		}
		if l[0] != '\\' {
			return false
		}
		if strings.HasPrefix(strings.TrimSpace(l[1:]), "dialect:") {
			return true
		}
	}
	return false
}

// evidence reads evidence{ … } for the next run.
func evidence(_ context.Context, r *reader) error {
	from := mark{r.sc.at, r.sc.line, r.sc.column(r.sc.at)}
	for {
		w, ok := r.sc.next()
		if !ok {
			r.s.wait(r.text, mark{r.word.start, r.word.line, r.word.col})
			return nil
		}
		if w.text != "}" || w.str {
			continue
		}
		out, err := r.s.compile(text{r.text.file, from.line, strings.Repeat(" ", from.col-1) + r.text.s[from.at:w.start]}, true)
		if err != nil {
			return r.s.shown(err, r.text)
		}
		r.s.evidence, r.s.hasProof = out.Code, true
		return nil
	}
}

// runContract runs a contract. What is on the stack, within a test what came onto it since T{, is what the evidence pushes.
func runContract(_ context.Context, r *reader) error {
	s := r.s
	name, err := r.name("the name of a contract")
	if err != nil {
		return err
	}
	c := s.contracts[name.text]
	if c == nil {
		known := slices.Sorted(maps.Keys(s.contracts))
		if len(known) == 0 {
			return s.fail(r.text, name.line, name.col, "there is no contract yet; contract %s … end-contract makes one", name.text)
		}
		return s.fail(r.text, name.line, name.col, "there is no contract %q; there are %s", name.text, strings.Join(known, ", "))
	}
	from := 0
	if s.test != nil {
		from = s.test.depth
	}
	st := s.core.stack()
	proof := s.evidence
	if values := st[min(from, len(st)):]; len(values) > 0 {
		if s.hasProof {
			return r.fail("evidence{ … } and values on the stack (%s) are two ways to give evidence; use one", displayAll(values))
		}
		if proof, err = literals(values); err != nil {
			return r.fail("%v", err)
		}
	}
	s.evidence, s.hasProof = nil, false
	limit := min(s.left, s.lim.GasLimit)
	res := s.machine.Run(&vm.Run{Code: c.code, Evidence: proof, Environment: s.env, GasLimit: uint64(limit)}, nil, nil, make([]int64, engine.ResultCount))
	if err := s.core.drop(from); err != nil {
		return err
	}
	if s.runGas = int64(res.Gas); res.Status != vm.OK {
		s.runGas = int64(res.GasUsed)
	}
	s.left -= s.runGas
	if res.Status == vm.OK {
		for _, v := range res.Stack {
			if err := s.core.push(strconv.FormatInt(v, 10)); err != nil {
				return err
			}
		}
		return nil
	}
	if s.test == nil {
		return s.failedRun(name.text, c, &res)
	}
	return s.core.push(failedValue(howFailed(&res)))
}

// howFailed names the way in which a run failed, for fails.
func howFailed(res *vm.Result) string {
	how := bytecode.StatusName(res.Status)
	if res.Status == bytecode.Thrown {
		if _, n, ok := strings.Cut(res.Error, ": "); ok {
			how += "(" + n + ")"
		} else if n := len(res.Top); n > 0 { // the stack is that before throw
			how += "(" + res.Top[n-1] + ")"
		}
	}
	return how
}

// failedRun describes a run that failed where no test expects it.
func (s *Session) failedRun(name string, c *contract, res *vm.Result) error {
	text := fmt.Sprintf("contract %s fails: %s", name, res.Error)
	if res.Word != "" {
		text += " at " + res.Word
	}
	if len(res.Top) > 0 {
		text += "; stack, top last: " + displayAll(res.Top)
	}
	if e, ok := c.at.Find(res.PC); ok && !res.Evidence {
		return s.fail(c.text, int(e.Line), int(e.Column), "%s", text)
	}
	return fmt.Errorf("%s", text)
}

// fails pushes what a run leaves that fails.
func fails(_ context.Context, r *reader) error {
	w, err := r.name("the name of a status")
	if err != nil {
		return err
	}
	name, _, thrown := strings.Cut(w.text, "(")
	var names []string
	for st := bytecode.BadCode; bytecode.StatusName(st) != "unknown"; st++ {
		names = append(names, bytecode.StatusName(st))
	}
	if !slices.Contains(names, name) || (thrown && name != bytecode.StatusName(bytecode.Thrown)) {
		return r.s.fail(r.text, w.line, w.col, "%q is no status; there are %s", w.text, strings.Join(names, " "))
	}
	return r.s.core.push(failedValue(w.text))
}

// literals makes evidence that pushes values.
func literals(values []string) ([]byte, error) {
	var e bytecode.Emitter
	for _, v := range values {
		if err := emit(&e, v); err != nil {
			return nil, err
		}
	}
	return bytecode.Parts{Main: e.Code}.Encode(), nil
}

// value is a value as it is written: an integer, or x"…".
type value struct {
	integer int64
	bytes   []byte // nil: an integer
}

func parse(v string) (value, error) {
	if h, ok := strings.CutPrefix(v, `x"`); ok {
		b, err := hex.DecodeString(strings.TrimSuffix(h, `"`))
		if err != nil {
			return value{}, fmt.Errorf("the value %s: %w", display(v), err)
		}
		return value{bytes: append([]byte{}, b...)}, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return value{}, fmt.Errorf("the value %s is neither an integer nor bytes", display(v))
	}
	return value{integer: n}, nil
}

// emit writes a literal.
func emit(e *bytecode.Emitter, v string) error {
	val, err := parse(v)
	if err != nil {
		return err
	}
	if val.bytes != nil {
		e.Bytes(val.bytes)
	} else {
		e.Integer(val.integer)
	}
	return nil
}
