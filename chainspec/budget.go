package chainspec

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// A spec may come from a stranger, and HCL's expressions are a small programming language. These bounds keep a file from
// exhausting the stack, the memory or an afternoon; no spec that people write comes near.
const (
	maxNesting   = 64        // brackets and templates within each other
	maxOperators = 10_000    // in a file; they nest without brackets
	maxBrackets  = 20_000    // opened in a file
	maxSteps     = 20_000    // elements visited by for expressions, parts of templates, arguments of functions
	maxNodes     = 10_000    // elements of one value, all levels together
	maxBytes     = 256 << 10 // characters of one value
	maxExponent  = 4096      // of numbers, in bits
	maxLiteral   = 96        // characters of a number
	maxTemplate  = 2 << 10   // characters of a string with a template in JSON
)

// checkTokens refuses source whose parse tree would be too deep.
func checkTokens(tokens hclsyntax.Tokens) *hcl.Diagnostic {
	depth, operators, brackets := 0, 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp,
			hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			brackets++
			if depth++; depth > maxNesting {
				return fault(t.Range, "nested too deeply", "At most %d brackets and templates may be open at once.", maxNesting)
			}
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd,
			hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			depth--
		case hclsyntax.TokenNumberLit:
			if e := bytes.IndexAny(t.Bytes, "eE"); len(t.Bytes) > maxLiteral || e >= 0 && len(t.Bytes)-e > 5 {
				return fault(t.Range, "number too long", "A number has at most %d characters and an exponent of at most three digits.", maxLiteral)
			}
		case hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenPercent,
			hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenBang, hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual,
			hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq,
			hclsyntax.TokenQuestion, hclsyntax.TokenDot:
			operators++
		}
		if operators > maxOperators || brackets > maxBrackets {
			return fault(t.Range, "expression too long", "A spec has at most %d operators and %d brackets.", maxOperators, maxBrackets)
		}
	}
	return nil
}

// checkJSONTemplates does for the strings of a JSON file what checkTokens does for a native one. They are parsed only
// when they are evaluated, so loops cannot be counted there: one within another is refused.
func checkJSONTemplates(src []byte, filename string) *hcl.Diagnostic {
	whole := hcl.Range{Filename: filename, Start: hcl.InitialPos, End: hcl.InitialPos}
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	for {
		t, err := d.Token()
		if err != nil {
			return nil // the parser says it better
		}
		if n, ok := t.(json.Number); ok && len(n) > maxLiteral {
			return fault(whole, "number too long", "A number has at most %d characters; %s has more.", maxLiteral, clip(string(n)))
		}
		s, ok := t.(string)
		if !ok || !bytes.ContainsAny([]byte(s), "${%") {
			continue
		}
		if len(s) > maxTemplate {
			return fault(whole, "template too long", "A string with a template has at most %d characters: %q.", maxTemplate, clip(s))
		}
		tokens, _ := hclsyntax.LexTemplate([]byte(s), filename, hcl.InitialPos)
		if diag := checkTokens(tokens); diag != nil {
			diag.Subject = &whole
			return diag
		}
		loops := 0
		for _, t := range tokens {
			if t.Type == hclsyntax.TokenIdent && string(t.Bytes) == "for" {
				loops++
			}
		}
		if loops > 1 {
			return fault(whole, "loops in one string", "In a JSON spec a string may hold one for: %q.", clip(s))
		}
	}
}

// budget counts the work of evaluating a file.
type budget struct{ steps int }

func (b *budget) spend(n int) error {
	if b.steps += n; b.steps > maxSteps {
		return fmt.Errorf("evaluating the spec takes more than %d steps", maxSteps)
	}
	return nil
}

// checkSize refuses values that are too large to be handled.
func checkSize(v cty.Value) error {
	nodes, size := 0, 0
	return walkSize(v, 0, &nodes, &size)
}

func walkSize(v cty.Value, depth int, nodes, size *int) error {
	if *nodes++; *nodes > maxNodes || depth > maxNesting {
		return fmt.Errorf("the value has more than %d elements, or more than %d levels", maxNodes, maxNesting)
	}
	if v.IsNull() || !v.IsKnown() {
		return nil
	}
	switch t := v.Type(); {
	case t == cty.String:
		if *size += len(v.AsString()); *size > maxBytes {
			return fmt.Errorf("the value has more than %d characters", maxBytes)
		}
	case t == cty.Number:
		if e := v.AsBigFloat().MantExp(nil); e > maxExponent || e < -maxExponent {
			return fmt.Errorf("the number has an exponent of more than %d bits", maxExponent)
		}
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			if !t.IsListType() && !t.IsTupleType() && !t.IsSetType() && k.Type() == cty.String {
				*size += len(k.AsString())
			}
			if err := walkSize(e, depth+1, nodes, size); err != nil {
				return err
			}
		}
	}
	return nil
}

// metered is an expression whose evaluations are counted and whose values are bounded.
type metered struct {
	hclsyntax.Expression
	budget *budget
}

func (m metered) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if err := m.budget.spend(1); err != nil {
		return cty.DynamicVal, hcl.Diagnostics{fault(m.Range(), "too much to evaluate", "%s.", err)}
	}
	v, diags := m.Expression.Value(ctx)
	if diags.HasErrors() {
		return v, diags
	}
	if err := checkSize(v); err != nil {
		return cty.DynamicVal, append(diags, fault(m.Range(), "value too large", "%s.", err))
	}
	if err := m.budget.spend(sizeInSteps(v)); err != nil {
		return cty.DynamicVal, append(diags, fault(m.Range(), "too much to evaluate", "%s.", err))
	}
	return v, diags
}

// sizeInSteps charges for what is copied.
func sizeInSteps(v cty.Value) int {
	if v.IsNull() || !v.IsKnown() {
		return 0
	}
	if v.Type() == cty.String {
		return len(v.AsString()) / 256
	}
	if v.CanIterateElements() {
		return v.LengthInt()
	}
	return 0
}

// meter puts meters into the loops and templates below a node of a native file.
func meter(n hclsyntax.Node, b *budget) { hclsyntax.Walk(n, meterWalker{b}) }

type meterWalker struct{ budget *budget }

func (meterWalker) Enter(hclsyntax.Node) hcl.Diagnostics { return nil }

// Exit comes to what is inside first: a metered expression is no longer recognised as a loop.
func (w meterWalker) Exit(n hclsyntax.Node) hcl.Diagnostics {
	switch x := n.(type) {
	case *hclsyntax.ForExpr:
		x.ValExpr = metered{x.ValExpr, w.budget}
		x.CollExpr = metered{x.CollExpr, w.budget}
		if x.KeyExpr != nil {
			x.KeyExpr = metered{x.KeyExpr, w.budget}
		}
		if x.CondExpr != nil {
			x.CondExpr = metered{x.CondExpr, w.budget}
		}
	case *hclsyntax.TemplateExpr:
		if len(x.Parts) > 1 { // a single literal is asked for its kind
			for i := range x.Parts {
				if _, literal := x.Parts[i].(*hclsyntax.LiteralValueExpr); !literal {
					x.Parts[i] = metered{x.Parts[i], w.budget}
				}
			}
		}
	}
	return nil
}

// meterFile meters a file that needs nothing of its expressions' variables any more.
func meterFile(f *hcl.File, b *budget) {
	if body, ok := f.Body.(*hclsyntax.Body); ok {
		meter(body, b)
	}
}
