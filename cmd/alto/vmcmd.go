package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/cmd/builtin"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/node"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

const (
	defaultVM      = "forth"
	defaultGas     = 1_000_000   // of a run, if the VM does not say what its chain allows
	defaultSession = 100_000_000 // of an input of a session
)

func (a *app) vmCmd() *cobra.Command {
	c := &cobra.Command{Use: "vm", Short: "Write, run, test and debug contracts",
		Example: "  alto vm run contract.fs --evidence secret.fs\n  alto vm repl\n  alto vm debug contract.fs --push 5"}
	c.AddCommand(a.vmRunCmd(), a.vmCompileCmd(), a.vmDisasmCmd(), a.vmTraceCmd(), a.vmDebugCmd(), a.vmReplCmd(), a.vmTestCmd(), a.vmCostCmd(),
		a.vmVerifyCmd())
	return c
}

// vmOptions say which VM a command uses, and under which limits.
type vmOptions struct {
	name, spec, chain, dialect string
	vars                       []string
	gas                        uint64
	env                        []string
	timeout                    time.Duration
}

func (o *vmOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.name, "vm", defaultVM, "the VM plugin")
	f.StringVar(&o.dialect, "dialect", "", "the language's dialect (default: what the source's first line says, or else the VM's)")
	f.StringVar(&o.spec, "spec", "", "take the VM, its settings and limits from a chain of this spec")
	f.StringVar(&o.chain, "chain", "", "which chain of the spec")
	f.StringArrayVar(&o.vars, "var", nil, "set a variable of the spec, NAME=VALUE; may be repeated")
}

// limited adds the flag of commands that do not wait for a person.
func (o *vmOptions) limited(c *cobra.Command) {
	c.Flags().DurationVar(&o.timeout, "timeout", time.Minute, "how long to wait for the VM")
}

// runs adds the flags of commands that run something.
func (o *vmOptions) runs(c *cobra.Command, gas string) {
	c.Flags().StringArrayVar(&o.env, "env", nil, "set a value of the environment, NAME=VALUE, a number, or bytes as 0x…; may be repeated")
	c.Flags().Uint64Var(&o.gas, "gas", 0, gas)
}

// openVM is a VM that a command has opened, and what it says about itself.
type openVM struct {
	vm.VM
	info *vm.Info
}

// limit returns a limit of the VM.
func (m *openVM) limit(name string) (int64, bool) {
	for _, l := range m.info.Limits {
		if l.Name == name {
			return l.Value, true
		}
	}
	return 0, false
}

// runGas is the gas limit of a run: what the flag says, or what a chain allows.
func (m *openVM) runGas(o *vmOptions) uint64 {
	if o.gas > 0 {
		return o.gas
	}
	if n, ok := m.limit("gas_limit"); ok && n > 0 {
		return uint64(n)
	}
	return defaultGas
}

// with opens the VM that the flags name, as a node would but for no chain, and ends it afterwards.
func (o *vmOptions) with(ctx context.Context, a *app, f func(context.Context, *openVM) error) (err error) {
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	name, cat, critical := o.name, catalog{known: builtin.Describe()}, json.RawMessage(nil)
	switch {
	case o.spec != "":
		b, known, err := o.block(a)
		if err != nil {
			return err
		}
		name, cat, critical = b.Plugin, known, b.Config
	case o.chain != "" || len(o.vars) > 0:
		return coded(exitUsage, errors.New("--chain and --var belong to a spec; name it with --spec FILE"))
	}
	src, err := cat.Find(plugin.VM, name)
	if err != nil {
		return coded(exitConfig, err)
	}
	h, err := host.New(host.Options{})
	if err != nil {
		return coded(exitPlugin, err)
	}
	defer func() { err = errors.Join(err, h.Close(context.WithoutCancel(ctx))) }()
	v, err := openSource(ctx, h, src, critical)
	if err != nil {
		return err
	}
	info, err := v.Info(ctx)
	if err != nil {
		return err
	}
	return f(ctx, &openVM{v, info})
}

// block finds the VM's block in the spec that the flags name.
func (o *vmOptions) block(a *app) (chainspec.Block, catalog, error) {
	l, err := a.load(o.spec, o.vars)
	if err != nil {
		return chainspec.Block{}, catalog{}, err
	}
	name := o.chain
	if name == "" {
		if len(l.spec.Chains) != 1 {
			return chainspec.Block{}, catalog{}, coded(exitUsage, fmt.Errorf("%s has %d chains; choose one with --chain NAME", o.spec, len(l.spec.Chains)))
		}
		name = l.spec.Chains[0].Name
	}
	c := l.spec.Chain(name)
	if c == nil {
		var names []string
		for i := range l.spec.Chains {
			names = append(names, l.spec.Chains[i].Name)
		}
		return chainspec.Block{}, catalog{}, coded(exitConfig, fmt.Errorf("%s has no chain %q%s", o.spec, name, didYouMean(name, names)))
	}
	if c.VM == nil {
		return chainspec.Block{}, catalog{}, coded(exitConfig, fmt.Errorf("the chain %q of %s has no VM; add a block vm %q {}", name, o.spec, defaultVM))
	}
	external, err := l.sources()
	if err != nil {
		return chainspec.Block{}, catalog{}, err
	}
	return *c.VM, catalog{known: builtin.Describe(), external: external}, nil
}

// openSource starts a VM plugin and opens an instance, with the settings of a chain or with defaults.
func openSource(ctx context.Context, h *host.Host, src node.Source, settings json.RawMessage) (vm.VM, error) {
	spec := src.Spec
	spec.Kinds = []plugin.Kind{plugin.VM}
	p, err := h.Start(ctx, spec)
	if err != nil {
		return nil, coded(exitPlugin, err)
	}
	info, _ := p.Info().Find(plugin.VM)
	cfg := settings
	if cfg == nil {
		if cfg, err = chainspec.MergeConfig(info.Schema, defaultsOf(info.Schema), nil); err != nil {
			return nil, coded(exitPlugin, err)
		}
	}
	rules := ""
	if len(info.Rules) > 0 {
		rules = info.Rules[0]
	}
	i, err := p.Open(ctx, plugin.OpenRequest{Kind: plugin.VM, ChainID: make([]byte, 32), ChainName: "none", Config: cfg, Rules: rules}, nil)
	if err != nil {
		return nil, coded(exitPlugin, err)
	}
	return i.VM(), nil
}

// defaultsOf are the defaults of a schema's consensus-critical attributes.
func defaultsOf(s plugin.Schema) json.RawMessage {
	out := map[string]json.RawMessage{}
	for _, at := range s.Attributes {
		if at.ConsensusCritical && at.Default != "" {
			out[at.Name] = json.RawMessage(at.Default)
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil
	}
	return b
}
