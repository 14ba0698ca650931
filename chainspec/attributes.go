package chainspec

import (
	"fmt"
	"math/big"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// attributes are the evaluated settings of a block. Its methods report what is wrong and return false then, or if a
// setting is absent; null counts as absent.
type attributes struct {
	values map[string]cty.Value
	names  []string // all, sorted
	places map[string]hcl.Range
	diags  hcl.Diagnostics
}

// newAttributes evaluates all attributes of a body that has no blocks. Names beyond known are errors.
func newAttributes(body hcl.Body, ctx *hcl.EvalContext, known ...string) *attributes {
	attrs, diags := body.JustAttributes()
	a := evaluated(attrs, ctx)
	a.diags = append(diags, a.diags...)
	a.only(known)
	return a
}

// evaluated evaluates attributes.
func evaluated(attrs hcl.Attributes, ctx *hcl.EvalContext) *attributes {
	a := &attributes{values: map[string]cty.Value{}, names: sortedKeys(attrs), places: map[string]hcl.Range{}}
	for _, name := range sortedKeys(attrs) {
		v, d := value(attrs[name].Expr, ctx)
		a.diags = append(a.diags, d...)
		a.places[name] = attrs[name].Expr.Range()
		a.places["name of "+name] = attrs[name].NameRange
		if v.IsKnown() && v.IsNull() {
			continue
		}
		a.values[name] = v
	}
	return a
}

func (a *attributes) only(known []string) {
	for _, name := range a.names {
		found := false
		for _, k := range known {
			found = found || k == name
		}
		if !found {
			a.diags = append(a.diags, fault(a.places["name of "+name], "unknown attribute", "There is no attribute %q here. %sAllowed: %s.",
				name, didYouMean(name, known), quotedList(known)))
			delete(a.values, name)
		}
	}
}

func (a *attributes) place(name string) hcl.Range { return a.places[name] }

func (a *attributes) fail(name, summary string, err error) {
	a.diags = append(a.diags, fault(a.places[name], summary, "%s: %s.", name, err))
}

func (a *attributes) missing(name string, block hcl.Range, what string) {
	if _, there := a.places[name]; there && len(a.diags) > 0 {
		return // it is there and wrong
	}
	a.diags = append(a.diags, fault(block, "attribute missing", "%q is required: %s.", name, what))
}

// known returns a value that is there and known.
func (a *attributes) known(name string) (cty.Value, bool) {
	v, ok := a.values[name]
	return v, ok && v.IsWhollyKnown()
}

func (a *attributes) text(name string) (string, bool) {
	v, ok := a.known(name)
	if !ok {
		return "", false
	}
	s, err := asString(v)
	if err != nil {
		a.fail(name, "wrong type", err)
		return "", false
	}
	return s, true
}

func (a *attributes) boolean(name string) (bool, bool) {
	v, ok := a.known(name)
	if !ok {
		return false, false
	}
	if v.Type() != cty.Bool {
		a.fail(name, "wrong type", fmt.Errorf("it must be true or false, not %s", describe(v)))
		return false, false
	}
	return v.True(), true
}

// integer reads a whole number between least and most.
func (a *attributes) integer(name string, least, most uint64) (uint64, bool) {
	v, ok := a.known(name)
	if !ok {
		return 0, false
	}
	n, err := asInteger(v)
	if err == nil && (!n.IsUint64() || n.Uint64() < least || n.Uint64() > most) {
		err = fmt.Errorf("it must be %d to %d, not %s", least, most, clip(n.String()))
		a.fail(name, "out of range", err)
		return 0, false
	}
	if err != nil {
		a.fail(name, "wrong type", err)
		return 0, false
	}
	return n.Uint64(), true
}

func (a *attributes) duration(name string) (time.Duration, bool) {
	v, ok := a.known(name)
	if !ok {
		return 0, false
	}
	n, err := asUnits(v, plugin.Duration, "")
	if err != nil {
		a.fail(name, "bad duration", err)
		return 0, false
	}
	return time.Duration(n.Int64()), true
}

func (a *attributes) size(name string) (uint64, bool) {
	v, ok := a.known(name)
	if !ok {
		return 0, false
	}
	n, err := asUnits(v, plugin.Size, "")
	if err != nil {
		a.fail(name, "bad size", err)
		return 0, false
	}
	return n.Uint64(), true
}

func (a *attributes) amount(name, token string) (uint64, bool) {
	v, ok := a.known(name)
	if !ok {
		return 0, false
	}
	n, err := asUnits(v, plugin.Amount, token)
	if err != nil {
		a.fail(name, "bad amount", err)
		return 0, false
	}
	return n.Uint64(), true
}

// describe names a value's type, and its value if short, for errors.
func describe(v cty.Value) string {
	switch {
	case v.IsNull():
		return "null"
	case v.Type() == cty.String:
		return fmt.Sprintf("the string %q", clip(v.AsString()))
	case v.Type() == cty.Number:
		return "the number " + clip(v.AsBigFloat().Text('g', 20))
	}
	return v.Type().FriendlyName()
}

func asString(v cty.Value) (string, error) {
	if v.IsNull() || v.Type() != cty.String {
		return "", fmt.Errorf("it must be a string, not %s", describe(v))
	}
	return v.AsString(), nil
}

// asInteger returns a whole number. A string is refused even if it looks like one.
func asInteger(v cty.Value) (*big.Int, error) {
	if v.IsNull() || v.Type() != cty.Number {
		if !v.IsNull() && v.Type() == cty.String {
			return nil, fmt.Errorf("it must be a whole number, not %s; write it without quotes", describe(v))
		}
		return nil, fmt.Errorf("it must be a whole number, not %s", describe(v))
	}
	f := v.AsBigFloat()
	if !f.IsInt() || f.MantExp(nil) > maxExponent {
		return nil, fmt.Errorf("it must be a whole number, not %s", describe(v))
	}
	n, _ := f.Int(nil)
	return n, nil
}

// asUnits returns a duration in nanoseconds, a size in bytes or an amount in the smallest unit.
func asUnits(v cty.Value, t plugin.AttrType, token string) (*big.Int, error) {
	isNumber := !v.IsNull() && v.Type() == cty.Number
	if isNumber && v.AsBigFloat().Sign() == 0 {
		return new(big.Int), nil
	}
	if isNumber && t == plugin.Amount {
		n, err := asInteger(v)
		if err != nil {
			return nil, fmt.Errorf("%w; write a part of a token like \"0.5 %s\"", err, token)
		}
		if n.Mul(n, big.NewInt(Unit)); !n.IsUint64() {
			return nil, fmt.Errorf("it must be 0 to %s, not %s tokens", FormatAmount(1<<64-1, token), clip(v.AsBigFloat().Text('f', 0)))
		}
		return n, nil
	}
	if v.IsNull() || v.Type() != cty.String {
		like := map[plugin.AttrType]string{plugin.Duration: "a duration with a unit, like \"500ms\"", plugin.Size: "a size with a unit, like \"64KiB\"",
			plugin.Amount: fmt.Sprintf("a whole number of tokens, or a string like \"0.5 %s\"", token)}[t]
		return nil, fmt.Errorf("it must be %s, not %s", like, describe(v))
	}
	switch t {
	case plugin.Duration:
		d, err := ParseDuration(v.AsString())
		return big.NewInt(int64(d)), err
	case plugin.Size:
		n, err := ParseSize(v.AsString())
		return new(big.Int).SetUint64(n), err
	}
	n, err := ParseAmount(v.AsString(), token)
	return new(big.Int).SetUint64(n), err
}

// asStrings returns a list of strings.
func asStrings(v cty.Value) ([]string, error) {
	if v.IsNull() || !v.Type().IsListType() && !v.Type().IsTupleType() && !v.Type().IsSetType() {
		return nil, fmt.Errorf("it must be a list of strings, not %s", describe(v))
	}
	out := []string{}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		s, err := asString(e)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", len(out), err)
		}
		out = append(out, s)
	}
	return out, nil
}

// asDecimal returns the text of a number, or of a string that holds one.
func asDecimal(v cty.Value) (string, error) {
	if !v.IsNull() && v.Type() == cty.Number {
		if e := v.AsBigFloat().MantExp(nil); e < 128 && e > -128 {
			if s, err := convert.Convert(v, cty.String); err == nil {
				return s.AsString(), nil
			}
		}
	}
	if !v.IsNull() && v.Type() == cty.String {
		return v.AsString(), nil
	}
	return "", fmt.Errorf("it must be a number, not %s", describe(v))
}
