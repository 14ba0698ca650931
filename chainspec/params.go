package chainspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"sort"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// What is wrong with a value of a parameter.
var (
	ErrParamType  = errors.New("not of the parameter's type")
	ErrParamRange = errors.New("out of the parameter's bounds")
	ErrParamStep  = errors.New("more than the parameter may change at once")
)

// FeesModule is what stands before the point in the names of the parameters that are the chain's own price list. Modules
// cannot have that name.
const FeesModule = "fees"

// Params is what of a chain can change while it lives, and who may change it.
type Params struct {
	Authority *types.AccountID `json:"authority,omitempty"` // nil: nobody
	List      []Param          `json:"list"`                // ordered by name
}

// Param declares a parameter: "MODULE.NAME", its first value, and the bounds that no change can leave. Value, Min, Max and
// Step have the form of plugin.OpenRequest.Config.
type Param struct {
	Name  string          `json:"name"`
	Type  plugin.AttrType `json:"type"`
	Value json.RawMessage `json:"value"`
	Min   json.RawMessage `json:"min,omitempty"` // of everything that is a number, like Max
	Max   json.RawMessage `json:"max,omitempty"`
	Step  json.RawMessage `json:"step,omitempty"`   // the largest change at once; none: any within the bounds
	OneOf []string        `json:"one_of,omitempty"` // of a string
}

// Split returns the module that a parameter belongs to, and its name there.
func (p *Param) Split() (module, name string) {
	module, name, _ = strings.Cut(p.Name, ".")
	return module, name
}

func (p *Param) attribute() plugin.Attribute {
	return plugin.Attribute{Name: p.Name, Type: p.Type, Min: string(p.Min), Max: string(p.Max), OneOf: p.OneOf}
}

func numeric(t plugin.AttrType) bool {
	return t == plugin.Number || t == plugin.Duration || t == plugin.Size || t == plugin.Amount
}

// Check tells whether the parameter can have a value. Its errors wrap ErrParamType or ErrParamRange.
func (p *Param) Check(value json.RawMessage) error {
	c, err := canonicalScalar(value)
	if err != nil || !bytes.Equal(c, value) || len(value) > params.MaxValueBytes {
		return fmt.Errorf("%s: %w: %s is no canonical JSON value of at most %d bytes", p.Name, ErrParamType, clip(string(value)), params.MaxValueBytes)
	}
	attr := p.attribute()
	loose := attr
	loose.OneOf = nil
	if numeric(p.Type) {
		loose.Min, loose.Max = fmt.Sprint(math.MinInt64), fmt.Sprint(uint64(math.MaxUint64))
	}
	if err := allowed(loose, value); err != nil {
		return fmt.Errorf("%s: %w: %w", p.Name, ErrParamType, err)
	}
	if err := allowed(attr, value); err != nil {
		return fmt.Errorf("%s: %w: %w", p.Name, ErrParamRange, err)
	}
	return nil
}

// CheckStep tells whether the parameter may change from one value to another at once. Both have been checked. Its errors
// wrap ErrParamStep.
func (p *Param) CheckStep(from, to json.RawMessage) error {
	if len(p.Step) == 0 || !numeric(p.Type) {
		return nil
	}
	var n [3]*big.Int
	for i, raw := range []json.RawMessage{from, to, p.Step} {
		v, err := wholeNumber(string(raw))
		if err != nil {
			return fmt.Errorf("%s: %w: %w", p.Name, ErrParamStep, err)
		}
		n[i] = v
	}
	if d := new(big.Int).Sub(n[1], n[0]); d.Abs(d).Cmp(n[2]) > 0 {
		return fmt.Errorf("%s: %w: from %s to %s it is %s, at most %s", p.Name, ErrParamStep, show(p.Type, n[0]), show(p.Type, n[1]),
			show(p.Type, d), show(p.Type, n[2]))
	}
	return nil
}

// validate checks a declaration by itself.
func (p *Param) validate() error {
	module, name := p.Split()
	if err := checkName("module of a parameter", module); err != nil {
		return err
	}
	if err := checkName("parameter", name); err != nil {
		return err
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf("parameter %q: %w", p.Name, fmt.Errorf(format, args...))
	}
	switch {
	case numeric(p.Type):
		var n [3]*big.Int
		for i, raw := range []json.RawMessage{p.Min, p.Max, p.Step} {
			if i == 2 && len(raw) == 0 {
				break
			}
			v, err := wholeNumber(string(raw))
			if err != nil {
				return bad("%s: %w", []string{"min", "max", "step"}[i], err)
			}
			n[i] = v
		}
		if n[0].Cmp(n[1]) > 0 {
			return bad("min %s is more than max %s", n[0], n[1])
		}
		if n[2] != nil && n[2].Sign() <= 0 {
			return bad("step %s: it must be more than 0", n[2])
		}
		if len(p.OneOf) > 0 {
			return bad("one_of is for strings")
		}
	case p.Type == plugin.Bool || p.Type == plugin.String:
		if len(p.Min)+len(p.Max)+len(p.Step) > 0 {
			return bad("a %s has no bounds", p.Type)
		}
		if (p.Type == plugin.String) != (len(p.OneOf) > 0) {
			return bad("a string has one_of, and nothing else has")
		}
	default:
		return bad("no parameter can be of type %q", clip(string(p.Type)))
	}
	return p.Check(p.Value)
}

// canonicalScalar returns a JSON value that is neither object nor list in the only form that is accepted.
func canonicalScalar(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' {
		return nil, errors.New("it must be a number, a string, true or false")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var out bytes.Buffer
	if err := canonicalValue(d, &out); err != nil {
		return nil, err
	}
	if d.InputOffset() != int64(len(raw)) {
		return nil, errors.New("something follows the value")
	}
	return out.Bytes(), nil
}

// encodable returns a list that can be written; what is no value becomes null, which is refused.
func (p *Params) encodable() *Params {
	if p == nil {
		return nil
	}
	out := &Params{Authority: p.Authority, List: make([]Param, 0, len(p.List))}
	for _, x := range p.List {
		for _, raw := range []*json.RawMessage{&x.Value, &x.Min, &x.Max, &x.Step} {
			if len(*raw) == 0 && raw != &x.Value {
				continue
			}
			c, err := canonicalScalar(*raw)
			if err != nil {
				c = json.RawMessage("null")
			}
			*raw = c
		}
		out.List = append(out.List, x)
	}
	return out
}

// validateParams checks the declarations against each other and against what else the document says of the same settings.
func (g *Genesis) validateParams() error {
	if g.Params == nil {
		return nil
	}
	if g.Params.Authority != nil && *g.Params.Authority == (types.AccountID{}) {
		return errors.New("params: the authority is zero")
	}
	if n := len(g.Params.List); n > params.MaxParams {
		return fmt.Errorf("%d parameters, at most %d are allowed", n, params.MaxParams)
	}
	settings := map[string]settings{FeesModule: g.Fees.settings()}
	for _, m := range g.moduleConfigs() {
		s, err := decodeSettings(m.config)
		if err != nil {
			return fmt.Errorf("module %q: config: %w", m.name, err)
		}
		settings[m.name] = s
	}
	for i := range g.Params.List {
		p := &g.Params.List[i]
		if i > 0 && g.Params.List[i-1].Name >= p.Name {
			return fmt.Errorf("parameter %q after %q: they must be ordered by name", p.Name, g.Params.List[i-1].Name)
		}
		if err := p.validate(); err != nil {
			return err
		}
		module, name := p.Split()
		have, ok := settings[module]
		if !ok {
			return fmt.Errorf("parameter %q: the chain has no module %q", p.Name, module)
		}
		if v := have[name]; !bytes.Equal(v, p.Value) {
			return fmt.Errorf("parameter %q: its value is %s, the setting of its module is %s", p.Name, p.Value, clip(string(v)))
		}
	}
	return nil
}

type moduleConfig struct {
	name   string
	config json.RawMessage
}

// moduleConfigs returns the settings of everything that can have parameters.
func (g *Genesis) moduleConfigs() []moduleConfig {
	out := []moduleConfig{{types.ModuleConsensus, g.Consensus.Config}}
	if g.Oracle != nil {
		out = append(out, moduleConfig{string(plugin.Oracle), g.Oracle.Config})
	}
	for _, m := range g.Modules {
		out = append(out, moduleConfig{m.Name, m.Config})
	}
	return out
}

func (f Fees) settings() settings {
	return settings{"per_byte": number(f.PerByte), "per_gas": number(f.PerGas), "floor": number(f.Floor), "burn_ppm": number(f.BurnPPM)}
}

func number(v uint64) json.RawMessage { return json.RawMessage(fmt.Sprint(v)) }

// Most that a fee can become by changes, in the smallest unit; a spec may begin with more.
const (
	maxPerUnit = 1 * Unit    // of a byte, of a unit of gas
	maxFloor   = 1000 * Unit // of a transaction
)

// parameters declares the price list.
func (f Fees) parameters() []Param {
	amount := func(name string, v, most uint64) Param {
		return Param{Name: FeesModule + "." + name, Type: plugin.Amount, Value: number(v), Min: number(0), Max: number(max(v, most))}
	}
	return []Param{
		{Name: FeesModule + ".burn_ppm", Type: plugin.Number, Value: number(f.BurnPPM), Min: number(0), Max: number(1_000_000)},
		amount("floor", f.Floor, maxFloor), amount("per_byte", f.PerByte, maxPerUnit), amount("per_gas", f.PerGas, maxPerUnit),
	}
}

// With returns the price list with the values of parameters, by their names without "fees.".
func (f Fees) With(values map[string][]byte) (Fees, error) {
	for name, to := range map[string]*uint64{"per_byte": &f.PerByte, "per_gas": &f.PerGas, "floor": &f.Floor, "burn_ppm": &f.BurnPPM} {
		if v, ok := values[name]; ok {
			if err := json.Unmarshal(v, to); err != nil {
				return f, fmt.Errorf("%s.%s: %w", FeesModule, name, err)
			}
		}
	}
	return f, f.validate()
}

// governed returns the parameters that a block's schema declares, by their names without a module.
func governed(ki plugin.KindInfo, values settings) (list []Param, err error) {
	for _, a := range ki.Schema.Attributes {
		if !a.Governed {
			continue
		}
		if !ki.HasModule && ki.Kind != plugin.Module {
			return nil, fmt.Errorf("%q is governed, and the plugin has no module face", a.Name)
		}
		if !a.ConsensusCritical || a.Default == "" && !a.Required {
			return nil, fmt.Errorf("%q is governed, so it must be critical to consensus, and required or with a default", a.Name)
		}
		v, ok := values[a.Name]
		if !ok {
			continue // reported as missing or wrong
		}
		p := Param{Name: "x." + a.Name, Type: a.Type, Value: v, OneOf: a.OneOf}
		if numeric(a.Type) {
			p.Min, p.Max = json.RawMessage(a.Min), json.RawMessage(a.Max)
			if a.Step != "" {
				p.Step = json.RawMessage(a.Step)
			}
			if a.Min == "" {
				p.Min = number(0)
				if a.Type == plugin.Number {
					p.Min = json.RawMessage(fmt.Sprint(math.MinInt64))
				}
			}
			if a.Max == "" {
				p.Max = number(math.MaxInt64)
				if a.Type == plugin.Amount {
					p.Max = number(math.MaxUint64)
				}
			}
		}
		if err := p.validate(); err != nil {
			return nil, err
		}
		p.Name = a.Name
		list = append(list, p)
	}
	return list, nil
}

// Parameters returns the parameters that the chain will have, ordered by name, with the bounds that the spec narrows.
func (c *Chain) Parameters() []Param {
	list := c.Fees.parameters()
	add := func(module string, b *Block) {
		if b == nil {
			return
		}
		for _, p := range b.Governed {
			p.Name = module + "." + p.Name
			list = append(list, p)
		}
	}
	add(types.ModuleConsensus, &c.Consensus)
	add(string(plugin.Oracle), c.Oracle)
	for i := range c.Modules {
		add(c.Modules[i].Name, &c.Modules[i].Block)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	if c.Params == nil {
		return list
	}
	for _, b := range c.Params.Bounds {
		for i := range list {
			if p := &list[i]; p.Name == b.Name {
				for _, x := range []struct{ to, from *json.RawMessage }{{&p.Min, &b.Min}, {&p.Max, &b.Max}, {&p.Step, &b.Step}} {
					if len(*x.from) > 0 {
						*x.to = *x.from
					}
				}
			}
		}
	}
	return list
}
