package node

import (
	"slices"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/ledger/params"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// withParams puts the module of the parameters behind the native modules that need no plugin. It asks all others about changes,
// so it comes into being last. schemas are those of modules in plugins, by the names of the modules.
func withParams(g *chainspec.Genesis, modules []ledger.Named, schemas map[string]plugin.Schema) []ledger.Named {
	cfg := params.Config{Genesis: g, Validators: map[string]params.Validator{}, Descriptions: map[string]string{}}
	at := 0
	for i, m := range modules {
		cfg.Validators[m.Name] = m.Module
		switch m.Name {
		case types.ModuleChains:
			at = i + 1
		case types.ModuleConsensus:
			cfg.Epochs = true
		}
		for _, a := range schemas[m.Name].Attributes {
			cfg.Descriptions[m.Name+"."+a.Name] = a.Description
		}
	}
	m := params.New(cfg)
	return slices.Insert(modules, at, ledger.Named{Name: m.Name, Module: m})
}
