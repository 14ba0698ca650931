package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// parseEnv reads NAME=NUMBER and NAME=0xBYTES.
func parseEnv(list []string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, e := range list {
		name, value, ok := strings.Cut(e, "=")
		if !ok || name == "" {
			return nil, coded(exitUsage, fmt.Errorf("--env %q: write NAME=VALUE", e))
		}
		b, err := parseEnvValue(value)
		if err != nil {
			return nil, coded(exitUsage, fmt.Errorf("--env %q: %w", e, err))
		}
		out[name] = b
	}
	return out, nil
}

// parseEnvValue reads a number, or bytes as 0x….
func parseEnvValue(text string) ([]byte, error) {
	if h, ok := strings.CutPrefix(text, "0x"); ok {
		return hex.DecodeString(h)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, errors.New("a value is a number, or bytes as 0x…")
	}
	return binary.BigEndian.AppendUint64(nil, uint64(n)), nil
}

// pushed collects what evidence pushes, in the order of the flags: numbers, bytes, texts.
type pushed struct {
	list *[]string // words of the dialect paloalto
	text bool
}

// String implements pflag.Value.
func (p *pushed) String() string { return "" }

// Type implements pflag.Value.
func (p *pushed) Type() string {
	if p.text {
		return "text"
	}
	return "value"
}

// Set implements pflag.Value.
func (p *pushed) Set(v string) error {
	if p.text {
		*p.list = append(*p.list, fmt.Sprintf(`x"%x"`, v))
		return nil
	}
	if h, ok := strings.CutPrefix(v, "0x"); ok {
		if _, err := hex.DecodeString(h); err != nil {
			return err
		}
		*p.list = append(*p.list, `x"`+h+`"`)
		return nil
	}
	if _, err := strconv.ParseInt(v, 10, 64); err != nil {
		return errors.New("a value is a number, or bytes as 0x…; --push-text takes a text")
	}
	*p.list = append(*p.list, v)
	return nil
}

// vmInput is what a contract runs with.
type vmInput struct {
	vmOptions
	evidence string
	pushes   []string
}

func (o *vmInput) flags(c *cobra.Command) {
	o.vmOptions.flags(c)
	o.runs(c, "gas limit (default: what the VM allows a run)")
	c.Flags().StringVar(&o.evidence, "evidence", "", "source or bytecode that runs first, under the stricter rules of evidence")
	c.Flags().Var(&pushed{list: &o.pushes}, "push", "evidence that pushes a number, or bytes as 0x…; may be repeated, in order")
	c.Flags().Var(&pushed{list: &o.pushes, text: true}, "push-text", "evidence that pushes the bytes of a text; may be repeated, in order")
}

// prepared is a run, and where its code and its evidence come from.
type prepared struct {
	run            vm.Run
	code, evidence *vmProgram
}

// program returns the program that a PC counts in.
func (p *prepared) program(evidence bool) *vmProgram {
	if evidence && p.evidence != nil {
		return p.evidence
	}
	return p.code
}

func (p *prepared) warnings() []string {
	if p.evidence == nil {
		return p.code.warnings
	}
	return slices.Concat(p.code.warnings, p.evidence.warnings)
}

// prepare reads and compiles what the flags and the argument name.
func (o *vmInput) prepare(ctx context.Context, a *app, m *openVM, path string) (*prepared, error) {
	env, err := parseEnv(o.env)
	if err != nil {
		return nil, err
	}
	if o.evidence != "" && len(o.pushes) > 0 {
		return nil, coded(exitUsage, errors.New("--evidence and --push are two ways to give evidence; use one"))
	}
	p := &prepared{}
	if p.code, err = a.program(ctx, m, path, o.dialect, false); err != nil {
		return nil, err
	}
	switch {
	case o.evidence != "":
		p.evidence, err = a.program(ctx, m, o.evidence, o.dialect, true)
	case len(o.pushes) > 0:
		p.evidence, err = pushes(ctx, m, o.pushes)
	}
	if err != nil {
		return nil, err
	}
	p.run = vm.Run{Code: p.code.code, Environment: env, GasLimit: m.runGas(&o.vmOptions)}
	if p.evidence != nil {
		p.run.Evidence = p.evidence.code
	}
	return p, nil
}

// pushDialect is the one whose literals --push writes.
const pushDialect = "paloalto"

func pushes(ctx context.Context, m *openVM, list []string) (*vmProgram, error) {
	if !slices.Contains(m.info.Dialects, pushDialect) {
		return nil, coded(exitUsage, fmt.Errorf("--push needs a VM with the dialect %s; write a file and name it with --evidence", pushDialect))
	}
	p := &vmProgram{path: "--push", text: strings.Join(list, "\n")}
	return p, p.compile(ctx, m, pushDialect, true)
}
