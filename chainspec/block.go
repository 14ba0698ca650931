package chainspec

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// hostAttributes are attributes of every plugin block that the host reads. A plugin cannot have its own of these names.
var hostAttributes = []string{"isolation", "mtls", "memory", "open_files", "start_timeout", "call_timeout", "ping_timeout"}

// blockReader decodes the blocks of plugins.
type blockReader struct {
	schemas  Schemas
	external []PluginSource // of the file, for the error about a plugin that is not locked
	token    string
	raw      bool // node.hcl: a bare integer is a duration in ns, a size in bytes, an amount in the smallest unit
	local    bool // node.hcl: consensus-critical attributes are refused
}

// readBlock decodes a block of a plugin against its schema. extra names attributes that the caller reads itself from
// what is returned. ok is false if the block is not usable.
func (r blockReader) readBlock(kind plugin.Kind, b *hcl.Block, name string, place hcl.Range, ctx *hcl.EvalContext, extra ...string) (out Block, a *attributes, ok bool) {
	out.Plugin = name
	attrs, diags := b.Body.JustAttributes()
	a = evaluated(attrs, ctx)
	a.diags = append(diags, a.diags...)
	bad := len(a.diags)
	info, found := r.schemas.Plugin(name, kind)
	if !found {
		a.diags = append(a.diags, r.unknownPlugin(kind, name, place))
		return out, a, false
	}
	if d := r.checkVersion(info, place); d != nil {
		a.diags = append(a.diags, d)
	}
	ki, _ := info.Find(kind)
	values, ok := r.decode(ki.Schema, a, b.DefRange, place, extra)
	out.Config, out.Critical = values.all(), values.critical(ki.Schema)
	out.Host = r.hostSettings(kind, a)
	if !r.local {
		var err error
		if out.Governed, err = governed(ki, values); err != nil {
			a.diags = append(a.diags, fault(place, "faulty plugin", "The plugin's schema is wrong about what can change: %s. Report it to the plugin's author.", err))
		}
	}
	return out, a, ok && len(a.diags) == bad
}

func (r blockReader) unknownPlugin(kind plugin.Kind, name string, place hcl.Range) *hcl.Diagnostic {
	for _, p := range r.external {
		if p.Name == name {
			return fault(place, "plugin not known yet",
				"The plugin %q comes from %q, and the lock file does not describe it as a plugin of kind %s. Run `alto plugin lock`.", name, clip(p.Source), kind)
		}
	}
	known := r.schemas.Names(kind)
	if len(known) == 0 {
		return fault(place, fmt.Sprintf("unknown %s plugin", kind), "There is no plugin %q of kind %s, nor any other of that kind. A plugin that is not built in needs a plugin block.", clip(name), kind)
	}
	return fault(place, fmt.Sprintf("unknown %s plugin", kind), "There is no plugin %q of kind %s. %sKnown: %s. A plugin that is not built in needs a plugin block.",
		clip(name), kind, didYouMean(name, known), quotedList(known))
}

// checkVersion compares a described plugin with the constraint of its plugin block.
func (r blockReader) checkVersion(info plugin.Info, place hcl.Range) *hcl.Diagnostic {
	for _, p := range r.external {
		if p.Name != info.Name || p.Version == "" {
			continue
		}
		if ok, err := CheckVersion(p.Version, info.Version); err == nil && !ok {
			return fault(place, "the plugin's version does not fit",
				"The plugin block of %q asks for version %q, the lock file has %s. Put the right binary at %q and run `alto plugin lock`.",
				p.Name, p.Version, info.Version, clip(p.Source))
		}
	}
	return nil
}

// settings are the JSON values of attributes by name.
type settings map[string]json.RawMessage

func (s settings) all() json.RawMessage {
	b, err := json.Marshal(s) // sorts the keys
	if err != nil {
		return json.RawMessage("{}") // not reachable: every value was checked to be JSON
	}
	c, err := canonicalObject(b)
	if err != nil {
		return json.RawMessage("{}")
	}
	return c
}

func (s settings) critical(schema plugin.Schema) json.RawMessage {
	some := settings{}
	for _, a := range schema.Attributes {
		if v, ok := s[a.Name]; ok && a.ConsensusCritical {
			some[a.Name] = v
		}
	}
	return some.all()
}

// decode turns attributes into settings, checked against the schema, defaults filled in.
func (r blockReader) decode(schema plugin.Schema, a *attributes, block, label hcl.Range, extra []string) (settings, bool) {
	before := len(a.diags)
	known := append(append([]string(nil), hostAttributes...), extra...)
	for _, attr := range schema.Attributes {
		if !r.local || !attr.ConsensusCritical {
			known = append(known, attr.Name)
		}
	}
	for _, name := range sortedKeys(a.values) {
		if attr, ok := schema.Find(name); ok && r.local && attr.ConsensusCritical {
			a.diags = append(a.diags, fault(a.places["name of "+name], "attribute of the chain",
				"%q is part of the chain's identity; the genesis document says what it is, not a node.", name))
			delete(a.values, name)
		}
	}
	a.only(known)
	out := settings{}
	for _, attr := range schema.Attributes {
		if r.local && attr.ConsensusCritical {
			continue
		}
		if contains(hostAttributes, attr.Name) {
			a.diags = append(a.diags, fault(label, "faulty plugin", "The plugin's schema has an attribute %q, which belongs to the host. Report it to the plugin's author.", attr.Name))
			continue
		}
		v, there := a.values[attr.Name]
		switch {
		case there && !v.IsWhollyKnown():
		case there:
			raw, err := r.convert(attr, v)
			if err == nil {
				err = allowed(attr, raw)
			}
			if err != nil {
				a.fail(attr.Name, "bad value", err)
				continue
			}
			out[attr.Name] = raw
		case attr.Default != "":
			raw := json.RawMessage(attr.Default)
			if err := allowed(attr, raw); err != nil {
				a.diags = append(a.diags, fault(label, "faulty plugin", "The plugin's schema has a bad default for %q: %s. Report it to the plugin's author.", clip(attr.Name), err))
				continue
			}
			out[attr.Name] = raw
		case attr.Required:
			a.missing(attr.Name, block, clip(attr.Description))
		}
	}
	return out, len(a.diags) == before
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// convert turns a value of a spec into the JSON that a plugin gets.
func (r blockReader) convert(attr plugin.Attribute, v cty.Value) (json.RawMessage, error) {
	var out any
	var err error
	switch attr.Type {
	case plugin.String:
		out, err = asString(v)
	case plugin.Number:
		out, err = asInteger(v)
	case plugin.Bool:
		if v.Type() != cty.Bool {
			return nil, fmt.Errorf("it must be true or false, not %s", describe(v))
		}
		out = v.True()
	case plugin.Duration, plugin.Size, plugin.Amount:
		if r.raw && v.Type() == cty.Number {
			out, err = asInteger(v)
		} else {
			out, err = asUnits(v, attr.Type, r.token)
		}
	case plugin.StringList:
		out, err = asStrings(v)
	default:
		err = fmt.Errorf("the plugin's schema has the unknown type %q; a newer alto may know it", clip(string(attr.Type)))
	}
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err = e.Encode(out)
	return json.RawMessage(strings.TrimSuffix(b.String(), "\n")), err
}

// allowed checks JSON in the form of Config against an attribute: type, choice and bounds.
func allowed(attr plugin.Attribute, raw json.RawMessage) error {
	switch attr.Type {
	case plugin.String:
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return fmt.Errorf("%s is no string", clip(string(raw)))
		}
		return oneOf(attr, s)
	case plugin.Bool:
		if s := string(raw); s != "true" && s != "false" {
			return fmt.Errorf("%s is not true or false", clip(s))
		}
		return nil
	case plugin.StringList:
		var list []string
		if err := json.Unmarshal(raw, &list); err != nil || list == nil {
			return fmt.Errorf("%s is no list of strings", clip(string(raw)))
		}
		for _, s := range list {
			if err := oneOf(attr, s); err != nil {
				return err
			}
		}
		return nil
	case plugin.Number, plugin.Duration, plugin.Size, plugin.Amount:
	default:
		return fmt.Errorf("the plugin's schema has the unknown type %q; a newer alto may know it", clip(string(attr.Type)))
	}
	n, err := wholeNumber(string(raw))
	if err != nil {
		return err
	}
	least, most := big.NewInt(0), big.NewInt(math.MaxInt64)
	switch attr.Type {
	case plugin.Number:
		least = big.NewInt(math.MinInt64)
	case plugin.Amount:
		most = new(big.Int).SetUint64(math.MaxUint64)
	}
	for _, bound := range []struct {
		text string
		to   **big.Int
	}{{attr.Min, &least}, {attr.Max, &most}} {
		if bound.text != "" {
			b, err := wholeNumber(bound.text)
			if err != nil {
				return fmt.Errorf("the plugin's schema has a bad bound: %w", err)
			}
			*bound.to = b
		}
	}
	if n.Cmp(least) < 0 || n.Cmp(most) > 0 {
		return fmt.Errorf("%s is not allowed; it must be %s to %s", show(attr.Type, n), show(attr.Type, least), show(attr.Type, most))
	}
	return oneOf(attr, n.String())
}

func oneOf(attr plugin.Attribute, s string) error {
	if len(attr.OneOf) == 0 || contains(attr.OneOf, s) {
		return nil
	}
	return fmt.Errorf("%q is not allowed. %sAllowed: %s", clip(s), didYouMean(s, attr.OneOf), quotedList(attr.OneOf))
}

// wholeNumber reads a JSON integer.
func wholeNumber(s string) (*big.Int, error) {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok || len(s) > 20 || n.String() != s {
		return nil, fmt.Errorf("%s is no whole number of at most 64 bits", clip(s))
	}
	return n, nil
}

// show writes a number of the schema the way people write it.
func show(t plugin.AttrType, n *big.Int) string {
	switch {
	case t == plugin.Duration && n.IsInt64():
		return formatDuration(time.Duration(n.Int64()))
	case t == plugin.Size && n.IsUint64():
		return formatSize(n.Uint64())
	case t == plugin.Amount && n.IsUint64():
		return strings.TrimSpace(FormatAmount(n.Uint64(), "")) + " tokens"
	}
	return clip(n.String())
}

// hostSettings reads what belongs to the host.
func (r blockReader) hostSettings(kind plugin.Kind, a *attributes) (h HostSettings) {
	if s, ok := a.text("isolation"); ok {
		attr := plugin.Attribute{OneOf: []string{IsolationShared, IsolationChain}}
		switch err := oneOf(attr, s); {
		case err != nil:
			a.fail("isolation", "bad value", err)
		case s == IsolationChain && kind == plugin.Transport:
			a.fail("isolation", "bad value", fmt.Errorf("a transport is one instance a node, for all of its chains; leave isolation out"))
		case s == IsolationChain:
			h.Isolation = s // shared is the default, and written as such
		}
	}
	h.MTLS, _ = a.boolean("mtls")
	h.OpenFiles, _ = a.integer("open_files", 16, 1<<20)
	if h.Memory, _ = a.size("memory"); h.Memory > 0 && h.Memory < 16<<20 {
		a.fail("memory", "out of range", fmt.Errorf("%s is too little for a process; it must be at least 16MiB", formatSize(h.Memory)))
	}
	for _, t := range []struct {
		name string
		to   *time.Duration
	}{{"start_timeout", &h.StartTimeout}, {"call_timeout", &h.CallTimeout}, {"ping_timeout", &h.PingTimeout}} {
		d, ok := a.duration(t.name)
		if ok && (d < time.Millisecond || d > 24*time.Hour) {
			a.fail(t.name, "out of range", fmt.Errorf("%s is not allowed; it must be 1ms to 1d", formatDuration(d)))
		}
		*t.to = d
	}
	return h
}
