package lang

import (
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// Dialects of sources.
const (
	Asm       = "asm"
	Paloalto  = "paloalto"
	Chalang   = "chalang"
	Forth2012 = "forth2012"
)

// Dialects returns the names of all dialects. Those but forth2012 are compiled here.
func Dialects() []string { return []string{Paloalto, Chalang, Forth2012, Asm} }

// conventions are the names of result conventions, in a pragma and in the configuration.
var conventions = map[string]vm.Convention{"burn-pay-nonce": vm.BurnPayNonce, "delay-nonce-amount": vm.DelayNonceAmount}

// Header is what the comments at the head of a source settle: the dialect, and what a contract's results mean.
type Header struct {
	Dialect    string
	Convention vm.Convention
}

// ParseHeader reads the lines of comments, those that start with \, at the head of a source, for "\ dialect: NAME" and
// "\ result: NAME". What they do not say, the call says, and then the limits. Errors wrap vm.ErrSyntax.
func ParseHeader(s vm.Source, l *bytecode.Limits) (Header, error) {
	h := Header{Dialect: s.Dialect, Convention: conventions[l.Result]}
	seen := map[string]bool{}
	text := s.Text
	for line := 1; text != ""; line++ {
		first, rest, _ := strings.Cut(text, "\n")
		text = rest
		first = strings.TrimSpace(first)
		if first == "" {
			continue
		}
		comment, ok := strings.CutPrefix(first, `\`)
		if !ok {
			break
		}
		key, v, ok := strings.Cut(strings.TrimSpace(comment), ":")
		if !ok || (key != "dialect" && key != "result") {
			continue
		}
		v = strings.TrimSpace(v)
		if seen[key] {
			return h, SyntaxError(s, line, 1, `\ %s: is there twice`, key)
		}
		seen[key] = true
		if key == "dialect" {
			if h.Dialect != "" && h.Dialect != v {
				return h, SyntaxError(s, line, 1, "the source is in the dialect %s, %s was asked for", show(v), show(h.Dialect))
			}
			h.Dialect = v
			continue
		}
		c, known := conventions[v]
		if !known {
			return h, SyntaxError(s, line, 1, "unknown result %s; there are burn-pay-nonce and delay-nonce-amount", show(v))
		}
		if s.Evidence {
			return h, SyntaxError(s, line, 1, "evidence has no result; the contract says what its results are")
		}
		h.Convention = c
	}
	if h.Dialect == "" {
		h.Dialect = l.Dialect
	}
	if s.Evidence {
		h.Convention = vm.BurnPayNonce
	}
	switch h.Dialect {
	case Paloalto, Chalang, Forth2012, Asm:
		return h, nil
	}
	if near := Nearest(h.Dialect, Dialects()); len(near) > 0 {
		return h, SyntaxError(s, 1, 1, "unknown dialect %s; did you mean %s?", show(h.Dialect), near[0])
	}
	return h, SyntaxError(s, 1, 1, "unknown dialect %s; there are %s", show(h.Dialect), strings.Join(Dialects(), ", "))
}
