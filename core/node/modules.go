package node

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync/atomic"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/ledger/account"
	"github.com/paloalto-chain/paloalto/core/ledger/bank"
	"github.com/paloalto-chain/paloalto/core/ledger/chains"
	"github.com/paloalto-chain/paloalto/core/ledger/contract"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// parts opens the plugins of a chain, and puts together what the ledger is made from.
type parts struct {
	n     *Node
	r     *running
	local chainspec.NodeChain

	modules []ledger.Named
	schemas map[string]plugin.Schema
	exports map[string][]string
	foreign map[string]foreign
	probes  atomic.Uint64
}

// foreign is a module that is a plugin, or asks one, and how to make another of it.
type foreign struct {
	want want
	of   opened
	make func(*host.Instance) module.Module
}

func itsModule(i *host.Instance) module.Module { return i.Module() }

// open opens an instance; its kind's rules are named to the chain's peers.
func (p *parts) open(ctx context.Context, w want) (opened, error) {
	o, err := p.n.openInstance(ctx, w, p.r.genesis, p.r.journal)
	if err != nil {
		return o, err
	}
	p.r.parts = append(p.r.parts, o)
	if w.rules != "" {
		p.r.rules = append(p.r.rules, w.name+"/"+w.rules)
	}
	return o, nil
}

func (p *parts) native(name string, m module.Module) {
	p.modules = append(p.modules, ledger.Named{Name: name, Module: m})
}

// plugged adds a module that is made from an instance. On a paranoid chain it has a second one in a process of its own.
func (p *parts) plugged(ctx context.Context, name string, w want, o opened, make func(*host.Instance) module.Module, allParams bool) error {
	f := foreign{w, o, make}
	m := ledger.Named{Name: name, Module: make(o.instance), AllParams: allParams}
	if p.local.Paranoid {
		second, _, err := p.n.solo(ctx, p.r.genesis, f, "second-"+name)
		if err != nil {
			return fmt.Errorf("second instance for paranoid = true: %w", err)
		}
		p.r.seconds = append(p.r.seconds, second)
		m.Second = make(second)
	}
	p.modules = append(p.modules, m)
	p.foreign[name] = f
	if info := o.instance.Info(); info.HasModule || w.kind == plugin.Module {
		p.schemas[name] = info.Schema
		if len(info.Exports) > 0 {
			p.exports[name] = info.Exports
		}
	}
	return nil
}

// all opens everything but the storage, in the order of the modules' execution, and returns the consensus plugin.
func (p *parts) all(ctx context.Context) (opened, error) {
	g, local := p.r.genesis, p.local
	p.native(types.ModuleAccount, account.New(ledger.TillItem, ledger.AuthorityItem))
	p.native(types.ModuleBank, bank.New())
	p.native(types.ModuleChains, chains.New(g.ID()))
	var seer opened // opened before the VM's module, which reads what it exports, but executed after it
	ow := want{}
	if g.Oracle != nil {
		ow = want{plugin.Oracle, g.Oracle.Plugin, g.Oracle.Rules, g.Oracle.Config, local.Oracle.Local, local.Oracle.HostSettings}
		var err error
		if seer, err = p.open(ctx, ow); err != nil {
			return seer, err
		}
		p.r.oracle = seer.instance
	}
	if g.VM != nil {
		w := want{plugin.VM, g.VM.Plugin, g.VM.Rules, g.VM.Config, local.VM.Local, local.VM.HostSettings}
		o, err := p.open(ctx, w)
		if err != nil {
			return o, err
		}
		asked := seer.instance != nil && seer.instance.Info().HasModule && slices.Contains(seer.instance.Info().Exports, oracle.ExportedPrefix)
		of := func(i *host.Instance) module.Module {
			return contract.New(i.VM()).Limit(contract.GasLimit(g.VM.Config)).Slots(g.TimeMs, g.SlotMs).Oracle(asked)
		}
		if err := p.plugged(ctx, types.ModuleContract, w, o, of, true); err != nil {
			return o, err
		}
	}
	if g.Oracle != nil && seer.instance.Info().HasModule {
		if err := p.plugged(ctx, moduleOracle, ow, seer, itsModule, false); err != nil {
			return seer, err
		}
	}
	for _, m := range g.Modules {
		w := want{kind: plugin.Module, name: m.Plugin, rules: m.Rules, critical: m.Config}
		for _, l := range local.Modules {
			if l.Name == m.Name {
				w.local, w.settings = l.Local, l.HostSettings
			}
		}
		o, err := p.open(ctx, w)
		if err == nil {
			err = p.plugged(ctx, m.Name, w, o, itsModule, false)
		}
		if err != nil {
			return o, err
		}
	}
	w := want{plugin.Consensus, g.Consensus.Plugin, g.Consensus.Rules, g.Consensus.Config, local.Consensus.Local, local.Consensus.HostSettings}
	o, err := p.open(ctx, w)
	if err == nil && o.instance.Info().HasModule {
		err = p.plugged(ctx, types.ModuleConsensus, w, o, itsModule, false)
	}
	return o, err
}

// moduleOracle is the name by which transactions speak to the oracle.
const moduleOracle = "oracle"

// ledger makes the ledger, and tells the chain what it has to know of it.
func (p *parts) ledger(cfg *chain.Config) (err error) {
	cfg.Calls = chain.NewCalls(p.r.name, p.n.metrics)
	cfg.Foreign = map[string]bool{}
	for name := range p.foreign {
		cfg.Foreign[name] = true
	}
	cfg.Probe = func(ctx context.Context, name string) (module.Module, func(), error) { return p.probe(ctx, name) }
	cfg.Ledger, err = ledger.New(ledger.Config{Genesis: p.r.genesis, Modules: withParams(p.r.genesis, p.modules, p.schemas),
		Consensus: types.ModuleConsensus, Exports: p.exports, Called: cfg.Calls.Called, Paranoid: p.local.Paranoid})
	return err
}

// probe opens another instance of a module; see [chain.Probe].
func (p *parts) probe(ctx context.Context, name string) (module.Module, func(), error) {
	f, ok := p.foreign[name]
	if !ok {
		return nil, nil, fmt.Errorf("module %q is no plugin", name)
	}
	i, folder, err := p.n.solo(ctx, p.r.genesis, f, fmt.Sprintf("probe-%d", p.probes.Add(1)))
	clean := func() { _ = os.RemoveAll(folder) } // what is left of it harms nobody
	if err != nil {
		clean()
		return nil, nil, err
	}
	return f.make(i), func() {
		p.n.closeSolo(ctx, p.r.name, i)
		clean()
	}, nil
}

// solo opens another instance for a chain, in a process of its own. It has no key, signs nothing and keeps to a folder of its own:
// it only computes.
func (n *Node) solo(ctx context.Context, g *chainspec.Genesis, f foreign, name string) (i *host.Instance, folder string, err error) {
	req, s, err := n.request(f.of.process, f.want, g, nil)
	if err != nil {
		return nil, "", err
	}
	req.Producer, req.DataDir = nil, req.DataDir+"-"+name
	s.gauges, s.log = nil, s.log.With("instance", name)
	i, err = f.of.process.Solo(ctx, s, req)
	return i, req.DataDir, err
}

// closeSolo ends an instance that solo opened.
func (n *Node) closeSolo(ctx context.Context, name string, i *host.Instance) {
	if err := i.Close(context.WithoutCancel(ctx)); err != nil {
		n.log.Debug("an instance of a plugin was not closed cleanly", "chain", name, "cause", err)
	}
}
