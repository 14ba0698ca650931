package chainspec

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

var chainSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "count"}, {Name: "for_each"}, {Name: "parent"}, {Name: "paranoid"}},
	Blocks: []hcl.BlockHeaderSchema{
		{Type: "consensus", LabelNames: []string{"plugin"}}, {Type: "vm", LabelNames: []string{"plugin"}},
		{Type: "storage", LabelNames: []string{"plugin"}}, {Type: "oracle", LabelNames: []string{"plugin"}},
		{Type: "transport", LabelNames: []string{"plugin"}}, {Type: "module", LabelNames: []string{"name"}},
		{Type: "limits"}, {Type: "fees"}, {Type: "params"}, {Type: "genesis"},
	},
}

// instance is one chain after count and for_each.
type instance struct {
	chain     *Chain
	block     *hcl.Block
	content   *hcl.BodyContent
	vars      map[string]cty.Value // count or each
	parentBad bool
	places    map[string]hcl.Range // of what semantic checks speak about
}

func (l *loader) chains(blocks []*hcl.Block, end hcl.Range) {
	declared := map[string]bool{}
	refs := map[string]cty.Value{}
	for _, b := range blocks {
		name := b.Labels[0]
		if err := checkName("chain", name); err != nil {
			l.report(fault(b.LabelRanges[0], "bad name of a chain", "%s.", err))
			continue
		}
		if declared[name] {
			l.report(fault(b.LabelRanges[0], "chain named twice", "There is another chain %q in this spec.", name))
			continue
		}
		declared[name] = true
		refs[name] = l.expand(b)
	}
	if len(l.instances) == 0 && len(l.diags) == 0 {
		if len(blocks) > 0 {
			l.report(fault(blocks[0].DefRange, "no chain", "The count or for_each of every chain is empty, so there is none."))
		} else {
			l.report(fault(end, "no chain", "The spec has no chain; write a chain block."))
		}
	}
	l.scope.chains = refs
	names := map[string]bool{}
	for _, in := range l.instances {
		n := in.chain.Name
		if names[n] {
			l.report(fault(in.block.LabelRanges[0], "chain named twice", "The name %q of this chain, count or for_each counted in, is that of another.", n))
		}
		names[n] = true
	}
	for _, in := range l.instances {
		l.chain(in)
		l.spec.Chains = append(l.spec.Chains, in.chain)
	}
}

// expand makes the instances of a chain block and returns what chain.NAME stands for.
func (l *loader) expand(b *hcl.Block) cty.Value {
	content, d := b.Body.Content(chainSchema)
	l.report(d...)
	ctx := l.scope.context(nil)
	count, each := content.Attributes["count"], content.Attributes["for_each"]
	add := func(suffix string, vars map[string]cty.Value) cty.Value {
		c := &Chain{Name: b.Labels[0] + suffix}
		if err := checkName("chain", c.Name); err != nil {
			l.report(fault(b.LabelRanges[0], "bad name of a chain", "%s.", err))
		}
		l.instances = append(l.instances, &instance{chain: c, block: b, content: content, vars: vars, places: map[string]hcl.Range{}})
		return cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(c.Name)})
	}
	full := func(n int, place hcl.Range) bool {
		if len(l.instances)+n > MaxChains {
			l.report(fault(place, "too many chains", "A spec has at most %d chains.", MaxChains))
			return true
		}
		return false
	}
	switch {
	case count != nil && each != nil:
		l.report(fault(each.NameRange, "count and for_each together", "A chain has one of them."))
		return cty.DynamicVal
	case count != nil:
		a := evaluated(hcl.Attributes{"count": count}, ctx)
		n, ok := a.integer("count", 0, MaxChains)
		l.report(a.diags...)
		if !ok || full(int(n), count.Expr.Range()) {
			return cty.DynamicVal
		}
		var list []cty.Value
		for i := range int(n) {
			list = append(list, add(fmt.Sprintf("-%d", i), map[string]cty.Value{
				"count": cty.ObjectVal(map[string]cty.Value{"index": cty.NumberIntVal(int64(i))})}))
		}
		return cty.TupleVal(list)
	case each != nil:
		v, d := value(each.Expr, ctx)
		l.report(d...)
		if d.HasErrors() || !v.IsWhollyKnown() {
			return cty.DynamicVal
		}
		keys, values, err := eachOf(v)
		if err != nil {
			l.report(fault(each.Expr.Range(), "bad for_each", "%s.", err))
			return cty.DynamicVal
		}
		if full(len(keys), each.Expr.Range()) {
			return cty.DynamicVal
		}
		refs := map[string]cty.Value{}
		for i, k := range keys {
			refs[k] = add("-"+k, map[string]cty.Value{
				"each": cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(k), "value": values[i]})})
		}
		return cty.ObjectVal(refs)
	}
	if full(1, b.DefRange) {
		return cty.DynamicVal
	}
	return add("", nil)
}

// eachOf returns keys and values of a for_each: a map or an object, or a list or a set of strings that differ.
func eachOf(v cty.Value) (keys []string, values []cty.Value, err error) {
	t := v.Type()
	if v.IsNull() || !v.CanIterateElements() {
		return nil, nil, fmt.Errorf("it must be a map, or a list of strings, not %s", describe(v))
	}
	if t.IsMapType() || t.IsObjectType() {
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			keys, values = append(keys, k.AsString()), append(values, e)
		}
		return keys, values, nil
	}
	if keys, err = asStrings(v); err != nil {
		return nil, nil, err
	}
	seen := map[string]bool{}
	for _, k := range keys {
		if seen[k] {
			return nil, nil, fmt.Errorf("%q is there twice", clip(k))
		}
		seen[k] = true
		values = append(values, cty.StringVal(k))
	}
	return keys, values, nil
}

// single returns the block of a type, of which a chain has at most one; nil if there is none.
func (l *loader) single(in *instance, name string) *hcl.Block {
	all := in.content.Blocks.OfType(name)
	if len(all) == 0 {
		return nil
	}
	for _, b := range all[1:] {
		l.report(fault(b.DefRange, name+" block written twice", "A chain has one."))
	}
	return all[0]
}

// chain decodes one chain.
func (l *loader) chain(in *instance) {
	c, ctx := in.chain, l.scope.context(in.vars)
	in.places["chain"] = in.block.DefRange
	l.parent(in, ctx)
	if attr := in.content.Attributes["paranoid"]; attr != nil {
		a := evaluated(hcl.Attributes{"paranoid": attr}, ctx)
		c.Paranoid, _ = a.boolean("paranoid")
		l.report(a.diags...)
	}
	g := l.startGenesis(in, ctx)
	r := blockReader{schemas: l.opts.Schemas, external: l.spec.Plugins, token: g.out.Token}
	required := func(kind plugin.Kind, extra ...string) (Block, *attributes) {
		b := l.single(in, string(kind))
		if b == nil {
			l.report(fault(in.block.DefRange, "block missing", "A chain needs a %s block, such as %s.", kind, example(kind, l.opts.Schemas)))
			return Block{}, nil
		}
		in.places[string(kind)] = b.DefRange
		out, a, _ := r.readBlock(kind, b, b.Labels[0], b.LabelRanges[0], ctx, extra...)
		l.report(a.diags...)
		a.diags = nil
		return out, a
	}
	optional := func(kind plugin.Kind) *Block {
		if l.single(in, string(kind)) == nil {
			return nil
		}
		out, _ := required(kind)
		return &out
	}
	var a *attributes
	if c.Consensus, a = required(plugin.Consensus, "producers", "epoch"); a != nil {
		l.consensus(in, a)
	}
	if c.SlotMs == 0 {
		c.SlotMs = DefaultSlotMs
	}
	c.Storage, _ = required(plugin.Storage)
	c.Transport, _ = required(plugin.Transport)
	c.VM, c.Oracle = optional(plugin.VM), optional(plugin.Oracle)
	l.modules(in, r, ctx)
	c.Limits, c.Fees = l.limits(in, ctx), l.fees(in, ctx, g.out.Token)
	c.Genesis = l.finishGenesis(g, c.SlotMs)
	c.Params = l.params(in, r, ctx)
}

func example(kind plugin.Kind, s Schemas) string {
	names := s.Names(kind)
	if len(names) == 0 {
		return fmt.Sprintf("`%s \"NAME\" {}`", kind)
	}
	return fmt.Sprintf("`%s %q {}`", kind, names[0])
}

// parent reads the reference to the parent.
func (l *loader) parent(in *instance, ctx *hcl.EvalContext) {
	attr := in.content.Attributes["parent"]
	if attr == nil {
		return
	}
	in.places["parent"] = attr.Expr.Range()
	fail := func(d ...*hcl.Diagnostic) {
		in.parentBad = true
		l.report(d...)
	}
	var v cty.Value
	var diags hcl.Diagnostics
	// In JSON "chain.root" is a reference too.
	t, no := hcl.AbsTraversalForExpr(attr.Expr)
	switch {
	case !no.HasErrors() && t.RootName() == "chain":
		if len(t) > 1 {
			if step, ok := t[1].(hcl.TraverseAttr); ok {
				if _, known := l.scope.chains[step.Name]; !known {
					names := sortedKeys(l.scope.chains)
					fail(fault(attr.Expr.Range(), "unknown parent", "There is no chain %q in this spec. %sThere is %s.", clip(step.Name), didYouMean(step.Name, names), quotedList(names)))
					return
				}
			}
		}
		v, diags = t.TraverseAbs(ctx)
	default:
		v, diags = value(attr.Expr, ctx)
	}
	if diags.HasErrors() || !v.IsWhollyKnown() {
		fail(diags...)
		return
	}
	switch typ := v.Type(); {
	case v.IsNull():
		return
	case typ == cty.String:
		in.chain.Parent = v.AsString()
	case typ.IsObjectType() && typ.HasAttribute("name") && typ.AttributeType("name") == cty.String && !v.GetAttr("name").IsNull():
		in.chain.Parent = v.GetAttr("name").AsString()
	default:
		fail(fault(attr.Expr.Range(), "bad parent", "The parent must be one chain, like chain.root; of a chain with count or for_each choose one, like chain.shard[0]."))
		return
	}
	if l.find(in.chain.Parent) == nil {
		names := []string{}
		for _, x := range l.instances[:min(len(l.instances), 20)] {
			names = append(names, x.chain.Name)
		}
		fail(fault(attr.Expr.Range(), "unknown parent", "There is no chain %q in this spec. %sThere is %s.", clip(in.chain.Parent), didYouMean(in.chain.Parent, names), quotedList(names)))
	}
}

func (l *loader) find(name string) *instance {
	for _, in := range l.instances {
		if in.chain.Name == name {
			return in
		}
	}
	return nil
}

// consensus reads what chainspec itself needs of the consensus block: slot, producers, epoch.
func (l *loader) consensus(in *instance, a *attributes) {
	c := in.chain
	var config struct {
		Slot      *json.Number `json:"slot"`
		Producers *json.Number `json:"producers"`
	}
	_ = json.Unmarshal(c.Consensus.Config, &config) // of other types they are the plugin's own affair
	place := in.places["consensus"]
	at := func(name string) hcl.Range {
		if p, ok := a.places[name]; ok {
			return p
		}
		return place
	}
	if schemaType(l.opts.Schemas, c.Consensus.Plugin, plugin.Consensus, "slot") == plugin.Duration && config.Slot != nil {
		ns, err := config.Slot.Int64()
		d := time.Duration(ns)
		if err != nil || d < time.Millisecond || d > MaxSlotMs*time.Millisecond || d%time.Millisecond != 0 {
			l.report(fault(at("slot"), "bad slot", "A slot of %s is not allowed: it must be whole milliseconds, 1ms to 1h.", formatDuration(d)))
		} else {
			c.SlotMs = uint64(d / time.Millisecond)
		}
	}
	if _, there := a.values["producers"]; there {
		in.places["producers"] = at("producers")
		n, _ := a.integer("producers", 1, types.MaxSeats)
		c.Producers = int(n)
	} else if config.Producers != nil {
		if n, err := config.Producers.Int64(); err == nil && n > 0 && n <= types.MaxSeats {
			c.Producers = int(n)
		}
	}
	if _, there := a.values["epoch"]; there && schemaType(l.opts.Schemas, c.Consensus.Plugin, plugin.Consensus, "epoch") == "" {
		if _, ok := a.duration("epoch"); ok {
			a.fail("epoch", "epochs do not exist yet", fmt.Errorf("epochs begin with an election, and this version has none: the producers of genesis stay; leave epoch out"))
		}
	}
	l.report(a.diags...)
	a.diags = nil
}

func schemaType(s Schemas, name string, kind plugin.Kind, attr string) plugin.AttrType {
	info, ok := s.Plugin(name, kind)
	if !ok {
		return ""
	}
	ki, _ := info.Find(kind)
	x, _ := ki.Schema.Find(attr)
	return x.Type
}

// modules reads the chain's own modules. The label is the name by which transactions speak to a module; the attribute
// "plugin" names the plugin, and defaults to the label.
func (l *loader) modules(in *instance, r blockReader, ctx *hcl.EvalContext) {
	seen := map[string]bool{}
	for _, b := range in.content.Blocks.OfType("module") {
		name := b.Labels[0]
		switch err := checkName("module", name); {
		case err != nil:
			l.report(fault(b.LabelRanges[0], "bad name of a module", "%s.", err))
		case reservedModule(name):
			l.report(fault(b.LabelRanges[0], "bad name of a module", "The name %q belongs to a part of every chain; choose another.", name))
		case seen[name]:
			l.report(fault(b.LabelRanges[0], "module named twice", "There is another module %q in this chain.", name))
		}
		seen[name] = true
		pluginName, place := name, b.LabelRanges[0]
		attrs, _ := b.Body.JustAttributes()
		if attr := attrs["plugin"]; attr != nil {
			a := evaluated(hcl.Attributes{"plugin": attr}, ctx)
			if s, ok := a.text("plugin"); ok {
				pluginName, place = s, attr.Expr.Range()
			}
			l.report(a.diags...)
		}
		out, a, _ := r.readBlock(plugin.Module, b, pluginName, place, ctx, "plugin")
		l.report(a.diags...)
		in.chain.Modules = append(in.chain.Modules, ModuleBlock{name, out})
	}
	if n := len(in.chain.Modules); n > MaxModules {
		l.report(fault(in.block.DefRange, "too many modules", "A chain has at most %d, not %d.", MaxModules, n))
	}
}
