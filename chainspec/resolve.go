package chainspec

import (
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// ResolveInput is what a genesis document needs and a spec does not say.
type ResolveInput struct {
	TimeMs uint64         // Unix milliseconds of slot 0
	Parent *types.ChainID // required if the chain has a parent; also makes a child of a chain that is spawned below one of a running network
	// Producers are used if the spec names none; as many as its "producers" says, if it does.
	Producers []Producer
	// Account makes or finds the account of an allocation that names none. It may be nil if all name one.
	Account func(allocation string) (types.AccountID, error)
	// Rules returns the version of the rules that new chains use, the newest that the plugin describes.
	Rules func(plugin string, kind plugin.Kind) (string, error)
}

// Resolve makes the genesis document of a chain. It is a function of its arguments alone.
func Resolve(c *Chain, in ResolveInput) (*Genesis, error) {
	fail := func(err error) (*Genesis, error) { return nil, fmt.Errorf("genesis of chain %q: %w", c.Name, err) }
	if c.Parent != "" && in.Parent == nil {
		return fail(fmt.Errorf("the id of its parent %q is missing; resolve the parent first", c.Parent))
	}
	g := &Genesis{
		Format: GenesisFormat, Name: c.Name, Token: c.Genesis.Token, Supply: c.Genesis.Supply, TimeMs: in.TimeMs, SlotMs: c.SlotMs,
		Limits: c.Limits, Fees: c.Fees, Producers: append([]Producer(nil), c.Genesis.Producers...),
	}
	if in.Parent != nil {
		id := *in.Parent
		g.Parent = &id
	}
	var err error
	if g.Consensus, err = resolveRules(c.Consensus, plugin.Consensus, in); err != nil {
		return fail(err)
	}
	for _, x := range []struct {
		kind plugin.Kind
		b    *Block
		to   **Rules
	}{{plugin.VM, c.VM, &g.VM}, {plugin.Oracle, c.Oracle, &g.Oracle}} {
		if x.b == nil {
			continue
		}
		r, err := resolveRules(*x.b, x.kind, in)
		if err != nil {
			return fail(err)
		}
		*x.to = &r
	}
	for _, m := range c.Modules {
		r, err := resolveRules(m.Block, plugin.Module, in)
		if err != nil {
			return fail(err)
		}
		g.Modules = append(g.Modules, ModuleRules{m.Name, r.Plugin, r.Rules, r.Config})
	}
	if len(g.Producers) == 0 {
		if c.Producers > 0 && len(in.Producers) != c.Producers {
			return fail(fmt.Errorf("the spec says %s, keys are there for %d", plural(c.Producers, "producer"), len(in.Producers)))
		}
		g.Producers = append([]Producer(nil), in.Producers...)
	}
	for _, a := range c.Genesis.Allocations {
		out := Allocation{Name: a.Name, Amount: a.Amount}
		if a.Vesting != nil {
			v := *a.Vesting
			out.Vesting = &v
		}
		if a.Account != nil {
			out.Account = *a.Account
		} else if in.Account == nil {
			return fail(fmt.Errorf("allocation %q has no account; name one in the spec", a.Name))
		} else if out.Account, err = in.Account(a.Name); err != nil {
			return fail(fmt.Errorf("account of allocation %q: %w", a.Name, err))
		}
		g.Allocations = append(g.Allocations, out)
	}
	if g.Params, err = c.resolveParams(g.Allocations); err != nil {
		return fail(err)
	}
	if err := g.Validate(); err != nil {
		return nil, err
	}
	return g, nil
}

// resolveParams declares the chain's parameters, and finds the account that may change them. A chain whose spec says nothing of
// parameters and whose plugins have none has none: its price list stays as it is.
func (c *Chain) resolveParams(allocations []Allocation) (*Params, error) {
	out := &Params{List: c.Parameters()}
	if c.Params == nil && len(out.List) == len(c.Fees.parameters()) {
		return nil, nil
	}
	if c.Params == nil {
		return out, nil
	}
	if c.Params.Account != nil {
		id := *c.Params.Account
		out.Authority = &id
	}
	for _, a := range allocations {
		if a.Name == c.Params.Allocation && out.Authority == nil {
			out.Authority = &a.Account
		}
	}
	if out.Authority == nil && c.Params.Allocation != "" {
		return nil, fmt.Errorf("authority over parameters: there is no allocation %q", c.Params.Allocation)
	}
	return out, nil
}

func resolveRules(b Block, kind plugin.Kind, in ResolveInput) (Rules, error) {
	if in.Rules == nil {
		return Rules{}, errors.New("nobody to ask for the rules versions of plugins")
	}
	v, err := in.Rules(b.Plugin, kind)
	if err != nil {
		return Rules{}, fmt.Errorf("rules version of the %s plugin %q: %w", kind, b.Plugin, err)
	}
	config, err := canonicalObject(b.Critical)
	if err != nil {
		return Rules{}, fmt.Errorf("settings of the %s plugin %q: %w", kind, b.Plugin, err)
	}
	return Rules{b.Plugin, v, config}, nil
}

// NewestRules answers [ResolveInput].Rules from what plugins say of themselves.
func NewestRules(s Schemas) func(name string, kind plugin.Kind) (string, error) {
	return func(name string, kind plugin.Kind) (string, error) {
		info, ok := s.Plugin(name, kind)
		if !ok {
			return "", fmt.Errorf("there is no %s plugin %q%s", kind, name, hint(name, s.Names(kind)))
		}
		ki, _ := info.Find(kind)
		if len(ki.Rules) == 0 {
			return "", fmt.Errorf("the %s plugin %q states no version of its rules", kind, name)
		}
		return ki.Rules[0], nil
	}
}
