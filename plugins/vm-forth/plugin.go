// Package vmforth is the built-in VM plugin "forth": contracts in Forth, compiled to a compact bytecode that a switch
// interpreter runs (white paper 4.1).
//
// Packages: bytecode is what a chain sees of a contract, engine runs it, hot runs it sooner by way of machine code; lang and
// forth2012 compile sources, session talks with people, library has contracts. What a chain computes is all in bytecode and
// engine, and belongs to the rules version.
//
// Evidence runs before the code, on the same stack. Its main body may only push literals; the words that it defines can be
// called by their hash, so that a contract can name a branch without showing it. A contract leaves three integers of 0 or
// more; the code says by a flag whether they are burn, pay and nonce, or delay, nonce and amount. A run that fails costs its
// whole limit. How runs fail is numbered in bytecode/status.go.
//
// The compilers take the dialects paloalto, chalang and forth2012, and asm, which is what Disassemble writes. Their outcome
// is what counts; nothing on a chain compiles.
package vmforth

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

const (
	pluginName   = "forth"
	rulesVersion = "2"
)

// Version of the plugin.
const Version = "0.1.0"

// Plugin returns the plugin: its name is "forth", its only kind vm. Instances are [*VM].
func Plugin() plugin.Plugin { return forth{} }

type forth struct{}

// Describe implements plugin.Plugin.
func (forth) Describe() plugin.Info {
	return plugin.Info{Name: pluginName, Version: Version, API: plugin.API,
		Kinds: []plugin.KindInfo{{Kind: plugin.VM, Rules: []string{rulesVersion}, Schema: schema()}}}
}

// Open implements plugin.Plugin.
func (forth) Open(_ context.Context, h plugin.Host, req plugin.OpenRequest) (any, error) {
	if req.Kind != plugin.VM {
		return nil, fmt.Errorf("open vm-forth as %s: %w", req.Kind, plugin.ErrWrongKind)
	}
	if req.Rules != "" && req.Rules != rulesVersion {
		return nil, fmt.Errorf("open vm-forth: rules version %q is unknown, this build has %q: %w", req.Rules, rulesVersion, plugin.ErrBadConfig)
	}
	c, err := parseConfig(req.Config)
	if err != nil {
		return nil, fmt.Errorf("open vm-forth: %w", err)
	}
	return newVM(c, func(text string) {
		if h != nil {
			h.Log("warn", text, map[string]string{"chain": req.ChainName})
		}
	}), nil
}
