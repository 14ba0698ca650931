package lang

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

const (
	maxNesting   = 256      // of macros, and of control structures
	maxExpansion = 64 << 10 // bytes of text that the macros of one source may expand to
	maxName      = 64       // bytes of a name
)

// entryKind is what a name of the source stands for.
type entryKind uint8

const (
	isWord     entryKind = iota // n: number of the word
	isMacro                     // body
	isConstant                  // v, pushed as a literal
	isSlot                      // n: number of the slot
	isVariable                  // Chalang: n is the number of a slot, which @ and ! use
)

// entry is a name that the source has defined.
type entry struct {
	kind entryKind
	n    int
	v    value
	body []token
	size int // of body, as text
	at   token
	used bool
}

// control is an open control structure.
type control struct {
	word  string // if, else, begin, while, do, case, of
	token token
	at    int   // of the jump to set, or where the body starts
	exits []int // jumps behind the structure
}

// expansion is a macro that is being read.
type expansion struct {
	name   string
	tokens []token
	at     int
}

// compiler turns tokens into bodies. It never looks back at the text.
type compiler struct {
	lim      *bytecode.Limits
	dict     *dictionary
	dialect  string
	evidence bool

	file      string
	lex       *lexer
	ahead     *token // of lex
	macros    []expansion
	line, col int32 // of the last token of lex: where the source stands
	use       token // the token that is being compiled
	expanded  int
	warnings  []string

	names       map[string]*entry
	order       []string // of names
	slots       int      // that are in use
	variables   int      // in the data space
	here        int64    // the end of the data space in use
	data        []byte   // what it holds
	bodies      []*body
	hashes      [][32]byte // of bodies
	size        int        // of bodies
	addressable bool
	main        *body
	def         *body // the word that is being defined, or nil
	defName     token
	defPush     bool // Chalang's def: the hash is pushed
	control     []control
}

func newCompiler(l *bytecode.Limits, dialect string, evidence bool) *compiler {
	d := paloaltoWords()
	if dialect == Chalang {
		d = chalangWords()
	}
	return &compiler{lim: l, dict: d, dialect: dialect, evidence: evidence, names: map[string]*entry{}, main: newBody(""), line: 1, col: 1}
}

// read sets the text to compile.
func (c *compiler) read(file, text string, line int, chalang bool) {
	if chalang && line == 1 {
		text = blankHeader(text)
	}
	c.file, c.lex, c.ahead, c.macros, c.expanded = file, newLexer(file, text, line, chalang), nil, nil, 0
}

// blankHeader hides the comments at the head of a source whose dialect has no such comments.
func blankHeader(text string) string {
	at := 0
	for at < len(text) {
		end := at + len(text[at:])
		if n := strings.IndexByte(text[at:], '\n'); n >= 0 {
			end = at + n
		}
		l := strings.TrimSpace(text[at:end])
		if l != "" && l[0] != '\\' {
			break
		}
		at = min(end+1, len(text))
	}
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return ' '
	}, text[:at]) + text[at:]
}

// all compiles what there is to read.
func (c *compiler) all() error {
	for {
		t, ok, err := c.next()
		if err != nil || !ok {
			return err
		}
		if err := c.token(t); err != nil {
			return err
		}
	}
}

// finished checks that nothing is open.
func (c *compiler) finished() error {
	if c.def != nil {
		return incomplete(c.fail(c.defName, "the definition of %s has no ;", show(c.defName.text)))
	}
	if err := c.closed(); err != nil {
		return incomplete(err)
	}
	return c.fits(c.main)
}

// fits checks that jumps reach all of a body.
func (c *compiler) fits(b *body) error {
	if len(b.Code) > math.MaxUint16 {
		return fmt.Errorf("%s: a body of %d bytes, at most %d: %w", position(c.file, int(c.line), int(c.col)), len(b.Code), math.MaxUint16, vm.ErrTooLarge)
	}
	return nil
}

// next takes a token, from the innermost macro first.
func (c *compiler) next() (token, bool, error) {
	t, ok, err := c.peek()
	if err != nil || !ok {
		return t, ok, err
	}
	if n := len(c.macros); n > 0 {
		c.macros[n-1].at++
		return t, true, nil
	}
	c.ahead, c.line, c.col = nil, t.line, t.col
	return t, true, nil
}

func (c *compiler) peek() (token, bool, error) {
	for n := len(c.macros); n > 0; n = len(c.macros) {
		if m := &c.macros[n-1]; m.at < len(m.tokens) {
			return m.tokens[m.at], true, nil
		}
		c.macros = c.macros[:n-1]
	}
	if c.ahead == nil {
		t, ok, err := c.lex.next()
		if err != nil || !ok {
			return t, ok, err
		}
		c.ahead = &t
	}
	return *c.ahead, true, nil
}

// isNext takes the next token if it is a certain word.
func (c *compiler) isNext(word string) (bool, error) {
	t, ok, err := c.peek()
	if err != nil || !ok || t.str || t.text != word {
		return false, err
	}
	_, _, err = c.next()
	return true, err
}

// fail makes an error at a token, which says too where the macro was used that the token is from.
func (c *compiler) fail(t token, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if n := len(c.macros); n > 0 {
		text += fmt.Sprintf(" (in macro %s, used at %s)", c.macros[n-1].name, position(c.file, int(c.line), int(c.col)))
	}
	return syntaxError(c.file, int(t.line), int(t.col), "%s", text)
}

func (c *compiler) warn(t token, format string, args ...any) {
	if len(c.warnings) < vm.MaxWarnings {
		c.warnings = append(c.warnings, warning(c.file, int(t.line), int(t.col), fmt.Sprintf(format, args...)))
	}
}

func warning(file string, line, col int, text string) string {
	return fmt.Sprintf("%s: warning: %s", position(file, line, col), text)
}

// out is where instructions go. What is written to it is from where the source stands.
func (c *compiler) out() *body {
	b := c.main
	if c.def != nil {
		b = c.def
	}
	b.from(c.use.line, c.use.col)
	return b
}

// token compiles one token.
func (c *compiler) token(t token) error {
	c.use = token{line: c.line, col: c.col}
	o := c.out()
	if len(o.Code)+c.size > int(max(c.lim.CodeBytes, c.lim.EvidenceBytes)) {
		return fmt.Errorf("%s: the code is longer than the chain allows from here on: %w", position(c.file, int(t.line), int(t.col)), vm.ErrTooLarge)
	}
	c.unreachable(t, o)
	if c.dialect == Paloalto {
		v, warning, ok, err := literal(t)
		if err != nil {
			return c.fail(t, "%v", err)
		}
		if warning != "" {
			c.warn(t, "%s", warning)
		}
		if ok {
			return c.push(t, v)
		}
	}
	if e, ok := c.names[t.text]; ok && !t.str {
		e.used = true
		return c.named(t, e)
	}
	if f, ok := c.dict.defining[t.text]; ok {
		return f(c, t)
	}
	if c.evidence && c.def == nil && c.known(t.text) {
		return c.literalsOnly(t)
	}
	if f, ok := c.dict.structures[t.text]; ok {
		return f(c, t)
	}
	if code, ok := c.dict.builtins[t.text]; ok {
		return c.builtin(t, code)
	}
	return c.unknown(t)
}

// push compiles a literal.
func (c *compiler) push(t token, v value) error {
	if len(v.b) > bytecode.MaxBytes {
		return c.fail(t, "%d bytes, at most %d", len(v.b), bytecode.MaxBytes)
	}
	c.out().literal(v)
	return nil
}

func (c *compiler) literalsOnly(t token) error {
	return c.fail(t, "evidence only pushes literals and defines words; %s does neither", show(t.text))
}

// named compiles a name that the source has defined.
func (c *compiler) named(t token, e *entry) error {
	switch e.kind {
	case isMacro:
		return c.expand(t, e)
	case isConstant:
		return c.push(t, e.v)
	case isWord:
		if c.dialect == Chalang {
			return c.pushHash(e.n)
		}
		if c.evidence && c.def == nil {
			return c.literalsOnly(t)
		}
		if _, err := c.isNext("call"); err != nil {
			return err
		}
		c.out().call(e.n)
		return nil
	case isVariable:
		return c.chalangVariable(t, e)
	}
	if c.evidence {
		return c.literalsOnly(t)
	}
	c.out().Slot(bytecode.OpSlot, e.n)
	return nil
}

// pushHash compiles the hash of a word of this source.
func (c *compiler) pushHash(word int) error {
	c.addressable = true
	h := c.hashes[word]
	c.out().literal(value{b: h[:]})
	return nil
}

// builtin compiles a word of the language that is always the same instructions.
func (c *compiler) builtin(t token, code []byte) error {
	op := bytecode.Opcode(code[0])
	if (op == bytecode.OpExit || op == bytecode.OpRecurse) && c.def == nil {
		return c.fail(t, "%s belongs into a definition", t.text)
	}
	o := c.out()
	o.Code = append(o.Code, code...)
	c.lintWord(t, op)
	if len(code) == 1 && (op == bytecode.OpReturn || op == bytecode.OpFail || op == bytecode.OpExit) {
		o.ends = len(o.Code)
	}
	return nil
}

// known tells whether the language has a word.
func (c *compiler) known(name string) bool {
	_, a := c.dict.builtins[name]
	_, b := c.dict.structures[name]
	_, d := c.dict.defining[name]
	return a || b || d
}

// unknown explains a token that nobody knows.
func (c *compiler) unknown(t token) error {
	if hint, ok := c.dict.hint(c, t); ok {
		return c.fail(t, "%s", hint)
	}
	if c.def != nil && t.text == c.defName.text {
		return c.fail(t, "%s is not defined yet; a word calls itself with recurse", show(t.text))
	}
	if near := Nearest(t.text, c.allNames()); len(near) > 0 {
		return c.fail(t, "unknown word %s; did you mean %s?", show(t.text), strings.Join(near, ", "))
	}
	return c.fail(t, "unknown word %s", show(t.text))
}

// allNames are all names that a source may use, sorted.
func (c *compiler) allNames() []string {
	out := slices.Collect(maps.Keys(c.dict.builtins))
	for _, m := range []map[string]func(*compiler, token) error{c.dict.structures, c.dict.defining} {
		out = slices.AppendSeq(out, maps.Keys(m))
	}
	out = slices.AppendSeq(out, maps.Keys(c.names))
	slices.Sort(out)
	return out
}

// expand puts a macro's tokens before what comes next.
func (c *compiler) expand(t token, e *entry) error {
	if len(c.macros) > maxNesting {
		return c.fail(t, "macros within macros, more than %d deep", maxNesting)
	}
	for _, m := range c.macros {
		if m.name == t.text {
			return c.fail(t, "the macro %s uses itself", show(t.text))
		}
	}
	if c.expanded += e.size + 1; c.expanded > maxExpansion {
		return c.fail(t, "the macros of this source expand to more than %d bytes", maxExpansion)
	}
	c.macros = append(c.macros, expansion{name: t.text, tokens: e.body})
	return nil
}
