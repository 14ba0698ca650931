package vmforth

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// Dialects that Compile takes.
const (
	dialectAsm = "asm"
	pragma     = `\ dialect:`
	maxNesting = 256 // of macros
)

// dialectOf tells a source's dialect: the first line's pragma, or what the call says, or the default.
func dialectOf(s vm.Source, l *limits) (string, error) {
	d := s.Dialect
	first, _, _ := strings.Cut(s.Text, "\n")
	if rest, ok := strings.CutPrefix(strings.TrimSpace(first), pragma); ok {
		named := strings.TrimSpace(rest)
		if d != "" && d != named {
			return "", syntaxError(s.File, 1, 1, "the source is in the dialect %s, %s was asked for", show(named), show(d))
		}
		d = named
	}
	if d == "" {
		d = l.Dialect
	}
	switch d {
	case dialectPaloalto, dialectAsm:
		return d, nil
	case "chalang", "forth2012":
		return "", syntaxError(s.File, 1, 1, "the dialect %s is not available in this version; it has %s and %s", d, dialectPaloalto, dialectAsm)
	}
	return "", syntaxError(s.File, 1, 1, "unknown dialect %s; this version has %s and %s", show(d), dialectPaloalto, dialectAsm)
}

// compile turns a source into code. What is wrong with the source wraps vm.ErrSyntax and starts with the place; a program
// that is too long for the chain wraps vm.ErrTooLarge.
func compile(s vm.Source, l *limits) ([]byte, []string, error) {
	d, err := dialectOf(s, l)
	if err != nil {
		return nil, nil, err
	}
	var code []byte
	var warnings []string
	if d == dialectAsm {
		code, err = assemble(s, l)
	} else {
		code, warnings, err = compilePaloalto(s, l)
	}
	if err != nil {
		return nil, nil, err
	}
	longest := l.CodeBytes
	if s.Evidence {
		longest = l.EvidenceBytes
	}
	if int64(len(code)) > longest {
		return nil, nil, fmt.Errorf("%s: compiles to %d bytes, the chain allows %d: %w", position(s.File, 1, 1), len(code), longest, vm.ErrTooLarge)
	}
	if err := (&program{}).load(code, l, s.Evidence); err != nil {
		return nil, nil, syntaxError(s.File, 1, 1, "%v", err)
	}
	return code, warnings, nil
}

// source is where tokens come from: the text, or a macro's body.
type source struct {
	macro  string
	tokens []token
	at     int
}

// control is an open control structure.
type control struct {
	word  string // if, else, begin, while, do
	token token
	at    int   // of the jump to set, or where the body starts
	exits []int // jumps behind the structure
}

type compiler struct {
	file     string
	lim      *limits
	evidence bool
	dict     dictionary

	sources  []source
	words    map[string]int // colon words, by number
	macros   map[string][]token
	vars     map[string]int64
	expanded int
	warnings []string

	bodies      [][]byte
	hashes      [][32]byte // of bodies, as far as known
	addressable bool
	main        emitter
	body        *emitter // of the word that is being defined, or nil
	name        token    // of that word
	control     []control
}

func compilePaloalto(s vm.Source, l *limits) ([]byte, []string, error) {
	tokens, err := lex(s.File, s.Text)
	if err != nil {
		return nil, nil, err
	}
	c := &compiler{file: s.File, lim: l, dict: newDictionary(), evidence: s.Evidence, sources: []source{{tokens: tokens}}, words: map[string]int{},
		macros: map[string][]token{}, vars: map[string]int64{}}
	for {
		t, ok := c.next()
		if !ok {
			break
		}
		if err := c.token(t); err != nil {
			return nil, nil, err
		}
	}
	if c.body != nil {
		return nil, nil, c.fail(c.name, "the definition of %s has no ;", show(c.name.text))
	}
	if err := c.closed(); err != nil {
		return nil, nil, err
	}
	if s.Evidence && len(c.bodies) == 0 && len(c.main.code) == 0 {
		return nil, c.warnings, nil
	}
	return assembleProgram(c.bodies, c.main.code, c.addressable || (s.Evidence && len(c.bodies) > 0)), c.warnings, nil
}

// next takes a token, from the innermost macro first.
func (c *compiler) next() (token, bool) {
	t, ok := c.peek()
	if ok {
		c.sources[len(c.sources)-1].at++
	}
	return t, ok
}

func (c *compiler) peek() (token, bool) {
	for len(c.sources) > 0 {
		s := &c.sources[len(c.sources)-1]
		if s.at < len(s.tokens) {
			return s.tokens[s.at], true
		}
		if len(c.sources) == 1 {
			break
		}
		c.sources = c.sources[:len(c.sources)-1]
	}
	return token{}, false
}

// fail makes an error at a token, which says too where the macro was used that the token is from.
func (c *compiler) fail(t token, format string, args ...any) error {
	for i := len(c.sources) - 1; i > 0; i-- {
		s := c.sources[i]
		outer := c.sources[i-1]
		if s.macro != "" && outer.at > 0 {
			u := outer.tokens[outer.at-1]
			format += fmt.Sprintf(" (in macro %s, used at %s)", strings.ReplaceAll(s.macro, "%", "%%"), strings.ReplaceAll(position(c.file, u.line, u.col), "%", "%%"))
			break
		}
	}
	return syntaxError(c.file, t.line, t.col, format, args...)
}

func (c *compiler) warn(t token, text string) {
	if len(c.warnings) < vm.MaxWarnings {
		c.warnings = append(c.warnings, fmt.Sprintf("%s: warning: %s", position(c.file, t.line, t.col), text))
	}
}

// out is where instructions go.
func (c *compiler) out() *emitter {
	if c.body != nil {
		return c.body
	}
	return &c.main
}

// closed checks that no control structure is open.
func (c *compiler) closed() error {
	if n := len(c.control); n > 0 {
		open := c.control[n-1]
		return c.fail(open.token, "%s is not closed; %s is missing", open.word, closer(open.word))
	}
	return nil
}

// token compiles one token.
func (c *compiler) token(t token) error {
	if len(c.out().code) > int(max(c.lim.CodeBytes, c.lim.EvidenceBytes)) {
		return fmt.Errorf("%s: the code is longer than the chain allows from here on: %w", position(c.file, t.line, t.col), vm.ErrTooLarge)
	}
	v, b, warning, ok, err := literal(t)
	if err != nil {
		return c.fail(t, "%v", err)
	}
	if warning != "" {
		c.warn(t, warning)
	}
	switch {
	case ok && b == nil && !t.str:
		c.out().integer(v)
		return nil
	case ok:
		if len(b) > maxBytes {
			return c.fail(t, "%d bytes, at most %d", len(b), maxBytes)
		}
		c.out().bytes(b)
		return nil
	}
	if body, ok := c.macros[t.text]; ok && !t.str {
		return c.expand(t, body)
	}
	if f, ok := c.dict.defining[t.text]; ok {
		return f(c, t)
	}
	if c.evidence && c.body == nil {
		return c.fail(t, "evidence only pushes literals and defines words; %s does neither", show(t.text))
	}
	if n, ok := c.words[t.text]; ok {
		if next, ok := c.peek(); ok && next.text == "call" {
			c.next()
		}
		c.out().word(n)
		return nil
	}
	if a, ok := c.vars[t.text]; ok {
		c.out().integer(a)
		return nil
	}
	if f, ok := c.dict.structures[t.text]; ok {
		return f(c, t)
	}
	if code, ok := c.dict.builtins[t.text]; ok {
		if (t.text == "exit" || t.text == "recurse") && c.body == nil {
			return c.fail(t, "%s belongs into a definition", t.text)
		}
		o := c.out()
		o.code = append(o.code, code...)
		return nil
	}
	return c.unknown(t)
}

// unknown explains a token that nobody knows.
func (c *compiler) unknown(t token) error {
	if why, ok := c.dict.unavailable[t.text]; ok {
		return c.fail(t, "%s is not available in this version%s", t.text, why)
	}
	if c.body != nil && t.text == c.name.text {
		return c.fail(t, "%s is not defined yet; a word calls itself with recurse", show(t.text))
	}
	if near := nearest(t.text, c.names()); len(near) > 0 {
		return c.fail(t, "unknown word %s; did you mean %s?", show(t.text), strings.Join(near, ", "))
	}
	return c.fail(t, "unknown word %s", show(t.text))
}

// names are all names that a source may use, sorted.
func (c *compiler) names() []string {
	out := slices.Collect(maps.Keys(c.dict.builtins))
	for _, m := range []map[string]func(*compiler, token) error{c.dict.structures, c.dict.defining} {
		out = slices.AppendSeq(out, maps.Keys(m))
	}
	out = slices.AppendSeq(out, maps.Keys(c.words))
	out = slices.AppendSeq(out, maps.Keys(c.macros))
	out = slices.AppendSeq(out, maps.Keys(c.vars))
	slices.Sort(out)
	return out
}

// expand puts a macro's tokens before what comes next.
func (c *compiler) expand(t token, body []token) error {
	if len(c.sources) > maxNesting {
		return c.fail(t, "macros within macros, more than %d deep", maxNesting)
	}
	for _, s := range c.sources {
		if s.macro == t.text {
			return c.fail(t, "the macro %s uses itself", show(t.text))
		}
	}
	for _, b := range body {
		c.expanded += len(b.text) + len(b.data) + 1
	}
	if c.expanded++; c.expanded > maxExpansion {
		return c.fail(t, "the macros of this source expand to more than %d bytes", maxExpansion)
	}
	c.sources = append(c.sources, source{macro: t.text, tokens: body})
	return nil
}
