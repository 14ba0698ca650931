package chainspec

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// scope is what expressions can see.
type scope struct {
	functions map[string]function.Function
	vars      map[string]cty.Value
	locals    map[string]cty.Value
	chains    map[string]cty.Value // nil until count and for_each have been evaluated
}

// context makes the evaluation context, with more variables of the place.
func (s *scope) context(more map[string]cty.Value) *hcl.EvalContext {
	v := map[string]cty.Value{"var": cty.ObjectVal(s.vars), "local": cty.ObjectVal(s.locals)}
	if s.chains != nil {
		v["chain"] = cty.ObjectVal(s.chains)
	}
	for k, x := range more {
		v[k] = x
	}
	return &hcl.EvalContext{Variables: v, Functions: s.functions}
}

// value evaluates an expression and bounds the result. What is unknown rests on something that is already reported as wrong;
// whoever uses the value says nothing more about it.
func value(e hcl.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := e.Value(ctx)
	if diags.HasErrors() {
		return cty.DynamicVal, suggested(diags, e, ctx)
	}
	if !v.IsWhollyKnown() {
		return cty.DynamicVal, diags
	}
	if err := checkSize(v); err != nil {
		return cty.DynamicVal, append(diags, fault(e.Range(), "value too large", "%s.", err))
	}
	return v, diags
}

// suggested adds to errors about var.x, local.x and the like what was probably meant.
func suggested(diags hcl.Diagnostics, e hcl.Expression, ctx *hcl.EvalContext) hcl.Diagnostics {
	if ctx == nil {
		return diags
	}
	for _, t := range e.Variables() {
		if len(t) < 2 {
			continue
		}
		step, ok := t[1].(hcl.TraverseAttr)
		root, known := ctx.Variables[t.RootName()]
		if !ok || !known || !root.Type().IsObjectType() || root.Type().HasAttribute(step.Name) {
			continue
		}
		for _, d := range diags {
			if s := d.Subject; s != nil && s.Start.Byte >= step.SrcRange.Start.Byte && s.Start.Byte <= step.SrcRange.End.Byte {
				d.Detail += " " + didYouMean(step.Name, sortedKeys(root.Type().AttributeTypes()))
				d.Detail = sentence("%s", d.Detail)
			}
		}
	}
	return diags
}

var variableSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "type"}, {Name: "default"}, {Name: "description"}, {Name: "nullable"}},
	Blocks:     []hcl.BlockHeaderSchema{{Type: "validation"}},
}

var validationSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "condition", Required: true}, {Name: "error_message", Required: true}},
}

// variable is a variable block whose value is known.
type variable struct {
	name        string
	validations []*hcl.Block
	bad         bool
}

// evalVariables gives each variable its value: from vars, else its default.
func (s *scope) evalVariables(blocks []*hcl.Block, vars map[string]string, file string) (diags hcl.Diagnostics) {
	seen := map[string]bool{}
	var list []variable
	var names []string
	for _, b := range blocks {
		name := b.Labels[0]
		names = append(names, name)
		if !hclsyntax.ValidIdentifier(name) {
			diags = append(diags, fault(b.LabelRanges[0], "bad name of a variable", "A name is made of letters, digits, \"_\" and \"-\", and starts with a letter."))
			continue
		}
		if seen[name] {
			diags = append(diags, fault(b.LabelRanges[0], "variable declared twice", "There is another variable %q in this spec.", name))
			continue
		}
		seen[name] = true
		v, d := s.evalVariable(b, vars)
		diags = append(diags, d...)
		list = append(list, v)
	}
	for _, name := range sortedKeys(vars) {
		if !seen[name] {
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "unknown variable on the command line",
				Detail:  sentence("%s has no variable %q. %s", file, name, didYouMean(name, names)),
				Subject: &hcl.Range{Filename: file}})
		}
	}
	for _, v := range list {
		for _, b := range v.validations {
			if !v.bad {
				diags = append(diags, s.validateVariable(v.name, b)...)
			}
		}
	}
	return diags
}

func (s *scope) evalVariable(b *hcl.Block, vars map[string]string) (out variable, diags hcl.Diagnostics) {
	out.name = b.Labels[0]
	s.vars[out.name] = cty.DynamicVal
	fail := func(d ...*hcl.Diagnostic) (variable, hcl.Diagnostics) {
		out.bad = true
		return out, append(diags, d...)
	}
	c, d := b.Body.Content(variableSchema)
	if diags = append(diags, d...); d.HasErrors() {
		return fail()
	}
	for _, v := range c.Blocks {
		out.validations = append(out.validations, v)
	}
	want := cty.DynamicPseudoType
	if a := c.Attributes["type"]; a != nil {
		t, d := typeexpr.TypeConstraint(a.Expr)
		if diags = append(diags, d...); d.HasErrors() {
			return fail()
		}
		want = t
	}
	given, set := vars[out.name]
	place := b.DefRange
	var v cty.Value
	switch a := c.Attributes["default"]; {
	case set:
		var err error
		if v, err = parseVar(given, want, s.functions); err != nil {
			return fail(fault(b.LabelRanges[0], "bad value of a variable", "The value %q that was given for %q: %s.", clip(given), out.name, err))
		}
	case a != nil:
		place = a.Expr.Range()
		x, d := value(a.Expr, &hcl.EvalContext{Functions: s.functions})
		if diags = append(diags, d...); d.HasErrors() {
			return fail()
		}
		v = x
	default:
		return fail(fault(b.LabelRanges[0], "variable without a value", "Give %q a default, or a value with --var %s=….", out.name, out.name))
	}
	v, err := convert.Convert(v, want)
	if err != nil {
		return fail(fault(place, "bad value of a variable", "%q must be %s: %s.", out.name, want.FriendlyNameForConstraint(), err))
	}
	s.vars[out.name] = v
	return out, diags
}

// parseVar reads a value from the command line: as it stands if a string, number or bool is wanted, as an expression otherwise.
func parseVar(s string, want cty.Type, f map[string]function.Function) (cty.Value, error) {
	if want.IsPrimitiveType() || want == cty.DynamicPseudoType {
		if want == cty.Number && len(s) > maxLiteral {
			return cty.NilVal, fmt.Errorf("a number has at most %d characters", maxLiteral)
		}
		if err := checkSize(cty.StringVal(s)); err != nil {
			return cty.NilVal, err
		}
		v := cty.StringVal(s)
		if want == cty.DynamicPseudoType {
			return v, nil
		}
		v, err := convert.Convert(v, want)
		if err == nil {
			err = checkSize(v)
		}
		return v, err
	}
	tokens, _ := hclsyntax.LexExpression([]byte(s), "--var", hcl.InitialPos)
	if d := checkTokens(tokens); d != nil {
		return cty.NilVal, d
	}
	e, diags := hclsyntax.ParseExpression([]byte(s), "--var", hcl.InitialPos)
	if !diags.HasErrors() {
		meter(e, &budget{})
		var v cty.Value
		if v, diags = value(e, &hcl.EvalContext{Functions: f}); !diags.HasErrors() {
			return v, nil
		}
	}
	return cty.NilVal, errors.New(strings.TrimSuffix(diags[0].Summary+": "+diags[0].Detail, "."))
}

func (s *scope) validateVariable(name string, b *hcl.Block) hcl.Diagnostics {
	c, diags := b.Body.Content(validationSchema)
	if diags.HasErrors() {
		return diags
	}
	ctx := s.context(nil)
	ok, d := value(c.Attributes["condition"].Expr, ctx)
	diags = append(diags, d...)
	text, d := value(c.Attributes["error_message"].Expr, ctx)
	if diags = append(diags, d...); diags.HasErrors() {
		return diags
	}
	if !ok.IsKnown() || !text.IsKnown() {
		return diags
	}
	ok, err := convert.Convert(ok, cty.Bool)
	if err != nil || ok.IsNull() {
		return append(diags, fault(c.Attributes["condition"].Expr.Range(), "bad condition", "A condition must be true or false."))
	}
	if ok.True() {
		return diags
	}
	message := "the value is not allowed"
	if text, err := convert.Convert(text, cty.String); err == nil && !text.IsNull() {
		message = text.AsString()
	}
	return append(diags, fault(b.DefRange, "bad value of variable "+fmt.Sprintf("%q", name), "%s", message))
}

// local is a value of a locals block.
type local struct {
	attr *hcl.Attribute
	deps []string // names of locals in its expression
}

// collectLocals reads the locals blocks. It must be called before [meter], which hides variables from HCL.
func collectLocals(blocks []*hcl.Block) (map[string]*local, hcl.Diagnostics) {
	out := map[string]*local{}
	var diags hcl.Diagnostics
	for _, b := range blocks {
		attrs, d := b.Body.JustAttributes()
		diags = append(diags, d...)
		for _, name := range sortedKeys(attrs) {
			if _, ok := out[name]; ok {
				diags = append(diags, fault(attrs[name].NameRange, "local value defined twice", "There is another local value %q in this spec.", name))
				continue
			}
			l := &local{attr: attrs[name]}
			for _, t := range attrs[name].Expr.Variables() {
				if t.RootName() != "local" || len(t) < 2 {
					continue
				}
				if step, ok := t[1].(hcl.TraverseAttr); ok {
					l.deps = append(l.deps, step.Name)
				}
			}
			out[name] = l
		}
	}
	return out, diags
}

// evalLocals evaluates the locals in the order of their dependencies.
func (s *scope) evalLocals(locals map[string]*local) (diags hcl.Diagnostics) {
	const (
		running = 1
		done    = 2
	)
	state := map[string]int{}
	var eval func(name string, depth int)
	eval = func(name string, depth int) {
		l := locals[name]
		if l == nil || state[name] == done {
			return
		}
		if state[name] == running || depth > MaxChains {
			diags = append(diags, fault(l.attr.Expr.Range(), "local value depends on itself", "The local value %q needs its own value, perhaps by way of others.", name))
			s.locals[name] = cty.DynamicVal
			return
		}
		state[name] = running
		for _, d := range l.deps {
			eval(d, depth+1)
		}
		v, d := value(l.attr.Expr, s.context(nil))
		if _, cyclic := s.locals[name]; !cyclic {
			diags = append(diags, d...)
			s.locals[name] = v
		}
		state[name] = done
	}
	for _, name := range sortedKeys(locals) {
		eval(name, 0)
	}
	return diags
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
