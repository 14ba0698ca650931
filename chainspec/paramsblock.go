package chainspec

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var paramsSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "authority"}},
	Blocks:     []hcl.BlockHeaderSchema{{Type: "param", LabelNames: []string{"name"}}},
}

// params reads the params block: who may change parameters, and what narrows their bounds. nil if there is none.
func (l *loader) params(in *instance, r blockReader, ctx *hcl.EvalContext) *ParamsBlock {
	b := l.single(in, "params")
	if b == nil {
		return nil
	}
	content, d := b.Body.Content(paramsSchema)
	l.report(d...)
	out := &ParamsBlock{}
	a := evaluated(content.Attributes, ctx)
	if text, ok := a.text("authority"); ok {
		l.authority(in, a, text, out)
	}
	l.report(a.diags...)
	declared := in.chain.Parameters()
	seen := map[string]bool{}
	for _, pb := range content.Blocks {
		name := pb.Labels[0]
		if seen[name] {
			l.report(fault(pb.LabelRanges[0], "parameter named twice", "There is another block of %q.", clip(name)))
			continue
		}
		seen[name] = true
		if x := l.bounds(declared, pb, r, ctx); x != nil {
			out.Bounds = append(out.Bounds, *x)
		}
	}
	return out
}

// authority finds out who may change parameters: an address, or an allocation of the chain.
func (l *loader) authority(in *instance, a *attributes, text string, out *ParamsBlock) {
	if strings.HasPrefix(text, "alto1") {
		id, err := types.ParseAccountID(text)
		if err != nil {
			a.fail("authority", "bad account", err)
			return
		}
		out.Account = &id
		return
	}
	var names []string
	for _, x := range in.chain.Genesis.Allocations {
		if names = append(names, x.Name); x.Name == text {
			out.Allocation = text
			return
		}
	}
	if len(names) == 0 {
		return // what is wrong with the genesis block has been reported
	}
	a.fail("authority", "unknown account", fmt.Errorf("there is no allocation %q; write an address (alto1…) or one of %s", clip(text), quotedList(names)))
}

// bounds reads one param block.
func (l *loader) bounds(declared []Param, b *hcl.Block, r blockReader, ctx *hcl.EvalContext) *ParamBounds {
	name := b.Labels[0]
	var names []string
	var p *Param
	for i := range declared {
		if names = append(names, declared[i].Name); declared[i].Name == name {
			p = &declared[i]
		}
	}
	if p == nil {
		l.report(fault(b.LabelRanges[0], "unknown parameter", "The chain has no parameter %q. %sThere is %s.", clip(name), didYouMean(name, names), quotedList(names)))
		return nil
	}
	a := newAttributes(b.Body, ctx, "min", "max", "step")
	defer func() { l.report(a.diags...) }()
	out := &ParamBounds{Name: name}
	narrow := *p
	for _, x := range []struct {
		name     string
		to, have *json.RawMessage
	}{{"min", &out.Min, &narrow.Min}, {"max", &out.Max, &narrow.Max}, {"step", &out.Step, &narrow.Step}} {
		v, ok := a.known(x.name)
		if !ok {
			continue
		}
		if !numeric(p.Type) {
			a.fail(x.name, "no bounds", fmt.Errorf("%s is a %s", name, p.Type))
			continue
		}
		raw, err := r.convert(plugin.Attribute{Type: p.Type}, v)
		if err != nil {
			a.fail(x.name, "bad value", err)
			continue
		}
		if err := narrows(p, x.name, raw); err != nil {
			a.fail(x.name, "bad value", err)
			continue
		}
		*x.to, *x.have = raw, raw
	}
	if len(a.diags) > 0 {
		return nil
	}
	if err := narrow.validate(); err != nil {
		a.diags = append(a.diags, fault(b.DefRange, "bad bounds", "%s.", err))
		return nil
	}
	return out
}

// narrows refuses a bound that would widen what the module says it can bear.
func narrows(p *Param, name string, raw json.RawMessage) error {
	n, err := wholeNumber(string(raw))
	if err != nil {
		return err
	}
	bound := func(raw json.RawMessage) *big.Int { v, _ := wholeNumber(string(raw)); return v }
	switch name {
	case "min":
		if least := bound(p.Min); n.Cmp(least) < 0 {
			return fmt.Errorf("%s is less than %s, the least that %s can be", show(p.Type, n), show(p.Type, least), p.Name)
		}
	case "max":
		if most := bound(p.Max); n.Cmp(most) > 0 {
			return fmt.Errorf("%s is more than %s, the most that %s can be", show(p.Type, n), show(p.Type, most), p.Name)
		}
	default:
		if most := bound(p.Step); most != nil && n.Cmp(most) > 0 {
			return fmt.Errorf("%s is more than %s, by which %s can change at once", show(p.Type, n), show(p.Type, most), p.Name)
		}
		if n.Sign() <= 0 {
			return errors.New("it must be more than 0")
		}
	}
	return nil
}
