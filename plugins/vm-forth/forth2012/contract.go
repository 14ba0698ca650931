package forth2012

import (
	"context"
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/lang"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// Dialect is the name of this dialect.
const Dialect = "forth2012"

// Pragmas, which stand in the comments before anything else.
const (
	dialectPragma = `\ dialect:`
	resultPragma  = `\ result:`
)

// compileGas is what the interpretation of a source may use.
const compileGas = 100_000_000

// Compile interprets a source, and makes a contract of its word main and of what that uses. The data space is, from the
// beginning, what the interpretation left in it; the stack is what the evidence leaves. What is wrong with the source
// wraps vm.ErrSyntax and starts with the place; a contract that is too long for the chain wraps vm.ErrTooLarge.
//
// Evidence has no main: it is compiled by the rules of the dialect paloalto, that is, it pushes literals.
//
// If main can reach EXECUTE or CATCH, all words keep their numbers, so that execution tokens in data and in literals stay
// what they are, and all words that were ticked are part of the contract.
func Compile(src vm.Source, l *bytecode.Limits) (*vm.Compiled, error) {
	if src.Evidence {
		return compileEvidence(src, l)
	}
	convention, err := conventionOf(src, l)
	if err != nil {
		return nil, err
	}
	s, err := newSystem(l, max(l.DataBytes, 64), compileGas, nil)
	if err != nil {
		return nil, err
	}
	out, err := s.Eval(context.Background(), vm.Input{File: src.File, Line: 1, Text: src.Text})
	if err != nil {
		return nil, err
	}
	if out.Error != "" {
		return nil, fmt.Errorf("%s: %w", out.Error, vm.ErrSyntax)
	}
	if out.Open {
		name := "a test"
		if s.def != nil {
			name = "the definition of " + show(s.def.name)
		}
		return nil, syntaxError(src.File, lines(src.Text), 1, "%s is not finished", name)
	}
	if len(out.Stack) > 0 {
		return nil, syntaxError(src.File, lines(src.Text), 1, "the source leaves %d values on the stack; only main's run with the evidence", len(out.Stack))
	}
	main := s.find("main")
	if main == nil {
		return nil, syntaxError(src.File, lines(src.Text), 1, "there is no word main; a contract is what main does")
	}
	code, sourceMap, err := s.image(main, convention, src, l)
	if err != nil {
		return nil, err
	}
	if int64(len(code)) > l.CodeBytes {
		return nil, fmt.Errorf("%s:1:1: compiles to %d bytes, the chain allows %d: %w", fileName(src.File), len(code), l.CodeBytes, vm.ErrTooLarge)
	}
	if err := (&bytecode.Program{}).Load(code, l, false); err != nil {
		return nil, syntaxError(src.File, 1, 1, "%v", err)
	}
	c := &vm.Compiled{Code: code, Map: sourceMap}
	if out.Text != "" {
		c.Warnings = []string{fmt.Sprintf("%s:1:1: warning: the source prints while it is compiled: %s", fileName(src.File), show(out.Text))}
	}
	return c, nil
}

// compileEvidence hides the pragma of this dialect from the compiler of another.
func compileEvidence(src vm.Source, l *bytecode.Limits) (*vm.Compiled, error) {
	first, rest, more := strings.Cut(src.Text, "\n")
	if strings.HasPrefix(strings.TrimSpace(first), dialectPragma) {
		src.Text = ""
		if more {
			src.Text = "\n" + rest
		}
	}
	src.Dialect = "paloalto"
	return lang.Compile(src, l)
}

// conventionOf reads the pragma for the results, and otherwise the chain's default.
func conventionOf(src vm.Source, l *bytecode.Limits) (vm.Convention, error) {
	named, line := l.Result, 1
	for i, text := range strings.Split(src.Text, "\n") {
		text = strings.TrimSpace(text)
		if text != "" && !strings.HasPrefix(text, `\`) {
			break
		}
		if rest, ok := strings.CutPrefix(text, resultPragma); ok {
			named, line = strings.TrimSpace(rest), i+1
		}
	}
	switch named {
	case "burn-pay-nonce", "":
		return vm.BurnPayNonce, nil
	case "delay-nonce-amount":
		return vm.DelayNonceAmount, nil
	}
	return 0, syntaxError(src.File, line, 1, "unknown result convention %q; there are burn-pay-nonce and delay-nonce-amount", show(named))
}

func lines(text string) int { return max(1, strings.Count(strings.TrimRight(text, "\n"), "\n")+1) }

func fileName(file string) string {
	if file == "" {
		return "source"
	}
	return file
}

func syntaxError(file string, line, col int, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s: %w", fileName(file), line, col, fmt.Sprintf(format, args...), vm.ErrSyntax)
}
