// Package vmforth is the built-in VM plugin "forth": contracts in Forth, compiled to a compact bytecode that a switch
// interpreter runs (white paper 4.1).
//
// Values are signed 64-bit integers and immutable byte strings of up to 1024 bytes; each knows which it is. Arithmetic
// traps instead of wrapping, every instruction costs gas by a versioned schedule (opcode.go, gas.go), and stacks, byte
// strings and data space are bounded. There is no clock, no chance, no floating point and no map order: a run is a
// function of code, evidence, environment and limits. Everything that a chain computes is in load.go, machine.go, run.go,
// words.go, opcode.go, gas.go and status.go, and belongs to the rules version.
//
// Evidence runs before the code, on the same stack. Its main body may only push literals; the words that it defines can be
// called by their hash, so that a contract can name a branch without showing it. What a contract leaves is burn, the
// amount that is destroyed, pay, the amount for the first participant, and nonce, from the bottom; all three are integers
// of 0 or more. A run that fails costs its whole limit. How runs fail is numbered in status.go.
//
// The compiler (compile.go and its neighbours) takes the dialect paloalto, and asm, which is what Disassemble writes. Its
// outcome is what counts; nothing on a chain compiles.
package vmforth

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

const (
	pluginName   = "forth"
	rulesVersion = "1"
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
func (forth) Open(_ context.Context, _ plugin.Host, req plugin.OpenRequest) (any, error) {
	if req.Kind != plugin.VM {
		return nil, fmt.Errorf("open vm-forth as %s: %w", req.Kind, plugin.ErrWrongKind)
	}
	if req.Rules != "" && req.Rules != rulesVersion {
		return nil, fmt.Errorf("open vm-forth: rules version %q is unknown, this build has %q: %w", req.Rules, rulesVersion, plugin.ErrBadConfig)
	}
	l, err := parseLimits(req.Config)
	if err != nil {
		return nil, fmt.Errorf("open vm-forth: %w", err)
	}
	return newVM(l), nil
}
