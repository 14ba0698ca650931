package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/cmd/builtin"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// chainVM opens the VM of a chain by the chain's own rules and limits, in a process of its own, and ends it afterwards.
func chainVM(ctx context.Context, s *session, f func(*openVM) error) (err error) {
	info, err := s.Chain(ctx, s.chain)
	if err != nil {
		return err
	}
	g, err := chainspec.DecodeGenesis(info.Genesis)
	if err != nil {
		return err
	}
	if g.VM == nil {
		return coded(exitConfig, fmt.Errorf("chain %s runs no contracts: its spec has no vm", s.chain))
	}
	src, err := catalog{known: builtin.Describe()}.Find(plugin.VM, g.VM.Plugin)
	if err != nil {
		return coded(exitConfig, fmt.Errorf("the VM of chain %s: %w", s.chain, err))
	}
	h, err := host.New(host.Options{})
	if err != nil {
		return coded(exitPlugin, err)
	}
	defer func() { err = errors.Join(err, h.Close(context.WithoutCancel(ctx))) }()
	spec := src.Spec
	spec.Kinds = []plugin.Kind{plugin.VM}
	p, err := h.Start(ctx, spec)
	if err != nil {
		return coded(exitPlugin, err)
	}
	kind, ok := p.Info().Find(plugin.VM)
	if !ok || !slices.Contains(kind.Rules, g.VM.Rules) {
		return coded(exitPlugin, fmt.Errorf("vm plugin %q computes by rules %v, chain %s by %q: use an alto that has them", g.VM.Plugin, kind.Rules, s.chain, g.VM.Rules))
	}
	cfg, err := chainspec.MergeConfig(kind.Schema, g.VM.Config, nil)
	if err != nil {
		return coded(exitPlugin, err)
	}
	id := g.ID()
	i, err := p.Open(ctx, plugin.OpenRequest{Kind: plugin.VM, ChainID: id[:], ChainName: g.Name, Config: cfg, Rules: g.VM.Rules, Genesis: g.Encode()}, nil)
	if err != nil {
		return coded(exitPlugin, err)
	}
	v := i.VM()
	about, err := v.Info(ctx)
	if err != nil {
		return err
	}
	return f(&openVM{v, about})
}

// contractOf compiles a source for a chain, or reads bytecode. What would never run on the chain is an error.
func (a *app) contractOf(ctx context.Context, m *openVM, path, dialect string) (*vmProgram, *vm.Loaded, error) {
	p, err := a.program(ctx, m, path, dialect, false)
	if err != nil {
		return nil, nil, err
	}
	a.warn(p.warnings)
	l, err := loadOne(ctx, m, p.code)
	if err != nil {
		return nil, nil, err
	}
	if l.Error != "" {
		return nil, nil, coded(exitConfig, fmt.Errorf("%s: the chain does not run it: %s", path, l.Error))
	}
	return p, l, nil
}

// evidenceOf is what a claim's evidence is made from: a file, or values to push.
type evidenceOf struct {
	file   string
	pushes []string
}

// program returns the evidence, compiled; nil is none.
func (e *evidenceOf) program(ctx context.Context, a *app, m *openVM, dialect string) (*vmProgram, error) {
	var p *vmProgram
	var err error
	switch {
	case e.file != "":
		p, err = a.program(ctx, m, e.file, dialect, true)
	case len(e.pushes) > 0:
		p, err = pushes(ctx, m, e.pushes)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a.warn(p.warnings)
	return p, nil
}
