package lang

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// Compile turns a source into code. What is wrong with the source wraps vm.ErrSyntax; the first line of the text starts
// with the place, further lines show it. A program that is too long for the chain wraps vm.ErrTooLarge. Sources of the
// dialect forth2012 are refused: another package compiles them.
func Compile(s vm.Source, l *bytecode.Limits) (*vm.Compiled, error) {
	h, err := ParseHeader(s, l)
	if err != nil {
		return nil, err
	}
	var out *vm.Compiled
	switch h.Dialect {
	case Asm:
		out, err = assembled(s, l)
	case Paloalto, Chalang:
		out, err = compile(s, l, h)
	default:
		return nil, SyntaxError(s, 1, 1, "the dialect %s is not compiled here", h.Dialect)
	}
	if err != nil {
		return nil, Excerpt(err, s.Text, 1)
	}
	longest := l.CodeBytes
	if s.Evidence {
		longest = l.EvidenceBytes
	}
	if int64(len(out.Code)) > longest {
		return nil, fmt.Errorf("%s: compiles to %d bytes, the chain allows %d: %w", position(s.File, 1, 1), len(out.Code), longest, vm.ErrTooLarge)
	}
	p := &bytecode.Program{}
	if err := p.Load(out.Code, l, s.Evidence); err != nil {
		return nil, SyntaxError(s, 1, 1, "%v", err)
	}
	if h.Dialect != Asm {
		out.Warnings = append(out.Warnings, lintProgram(s, p, l, out.Map)...)
		out.Warnings = out.Warnings[:min(len(out.Warnings), vm.MaxWarnings)]
	}
	return out, nil
}

// compile compiles paloalto and chalang.
func compile(s vm.Source, l *bytecode.Limits, h Header) (*vm.Compiled, error) {
	c := newCompiler(l, h.Dialect, s.Evidence)
	c.read(s.File, s.Text, 1, h.Dialect == Chalang)
	if err := c.all(); err != nil {
		return nil, err
	}
	if err := c.finished(); err != nil {
		return nil, err
	}
	c.lint()
	if s.Evidence && len(c.bodies) == 0 && len(c.main.Code) == 0 {
		return &vm.Compiled{Warnings: c.warnings}, nil
	}
	p := bytecode.Parts{Main: c.main.Code, Data: c.data, Addressable: c.addressable || (s.Evidence && len(c.bodies) > 0), Convention: h.Convention}
	for _, b := range c.bodies {
		p.Words = append(p.Words, b.Code)
	}
	code := p.Encode()
	if len(c.main.Code) == 0 {
		c.main.from(c.line, c.col)
	}
	return &vm.Compiled{Code: code, Warnings: c.warnings, Map: mapOf(code, c.bodies, c.main)}, nil
}
