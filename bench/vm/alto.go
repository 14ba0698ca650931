package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"time"

	vmforth "github.com/paloalto-chain/paloalto/plugins/vm-forth"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// programGas is the most that a chain can allow a run.
const programGas = 100_000_000

// alto runs programs in an instance of vm-forth in this process.
type alto struct{ v vm.VM }

// openForth opens an instance with attributes besides the defaults.
func openForth(ctx context.Context, attributes map[string]any) (vm.VM, error) {
	config, err := json.Marshal(attributes)
	if err != nil {
		return nil, err
	}
	v, err := vmforth.Plugin().Open(ctx, nil, plugin.OpenRequest{Kind: plugin.VM, Config: config})
	if err != nil {
		return nil, err
	}
	out, ok := v.(vm.VM)
	if !ok {
		return nil, fmt.Errorf("vm-forth has opened a %T, which is no VM", v)
	}
	return out, nil
}

// close frees what the instance has, such as machine code.
func (a *alto) close() error {
	if c, ok := a.v.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// newAlto opens an instance for the programs.
func newAlto(ctx context.Context, attributes map[string]any) (*alto, error) {
	all := map[string]any{"gas_limit": programGas}
	maps.Copy(all, attributes)
	v, err := openForth(ctx, all)
	if err != nil {
		return nil, err
	}
	return &alto{v}, nil
}

// forPaloalto makes a contract of a source: burn 0, pay the result, nonce 1.
func (p program) forPaloalto() (string, error) {
	text, err := p.source()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("\\ dialect: paloalto\nmacro N %d ;  macro mem 0 ;\n%s\n0 run 1\n", p.n, text), nil
}

// compile compiles a source in the dialect paloalto.
func compile(ctx context.Context, v vm.VM, name, text string, evidence bool) ([]byte, error) {
	c, err := v.Compile(ctx, vm.Source{Text: text, File: name, Evidence: evidence})
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", name, err)
	}
	return c.Code, nil
}

// load hands code to a VM and returns its hash.
func load(ctx context.Context, v vm.VM, code []byte) ([]byte, error) {
	loaded, err := v.Load(ctx, [][]byte{code})
	if err != nil {
		return nil, err
	}
	if loaded[0].Error != "" {
		return nil, fmt.Errorf("load: %s", loaded[0].Error)
	}
	return loaded[0].CodeHash[:], nil
}

func (a *alto) prepare(ctx context.Context, p program) (runner, error) {
	text, err := p.forPaloalto()
	if err != nil {
		return nil, err
	}
	code, err := compile(ctx, a.v, p.name+".fs", text, false)
	if err != nil {
		return nil, err
	}
	hash, err := load(ctx, a.v, code)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	batch := vm.Batch{Runs: []vm.Run{{Code: hash, ByHash: true, GasLimit: programGas}}}
	// That a tier first sees how long a program runs, and then compiles it, counts in no round.
	for range 2 {
		if _, err := a.v.RunBatch(ctx, batch); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) (result int64, cpu time.Duration, err error) {
		cpu, err = processorTime(func() error {
			for range p.times {
				res, err := a.v.RunBatch(ctx, batch)
				if err != nil {
					return err
				}
				if r := res[0]; r.Status != vm.OK || len(r.Stack) != 3 || r.Stack[0] != 0 || r.Stack[2] != 1 {
					return fmt.Errorf("%s: status %d, %s, results %v, want 0, the result and 1", p.name, r.Status, r.Error, r.Stack)
				}
				result = res[0].Stack[1]
			}
			return nil
		})
		return result, cpu, err
	}, nil
}

// gas returns what all runs of a program cost.
func (a *alto) gas(ctx context.Context, p program) (uint64, error) {
	text, err := p.forPaloalto()
	if err != nil {
		return 0, err
	}
	code, err := compile(ctx, a.v, p.name+".fs", text, false)
	if err != nil {
		return 0, err
	}
	res, err := a.v.RunBatch(ctx, vm.Batch{Runs: []vm.Run{{Code: code, GasLimit: programGas}}})
	if err != nil {
		return 0, err
	}
	return res[0].Gas * uint64(p.times), nil
}
