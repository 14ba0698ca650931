package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/cmd/builtin"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/node"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func (a *app) vmCmd() *cobra.Command {
	c := &cobra.Command{Use: "vm", Short: "Run contracts", Example: "  alto vm run contract.fs\n  alto vm run contract.fs --evidence secret.fs\n  alto vm run contract.fs --env height=10 -o json"}
	c.AddCommand(a.vmRunCmd())
	return c
}

// vmView is what a run came to.
type vmView struct {
	Status   uint32   `json:"status"`
	OK       bool     `json:"ok"`
	Stack    []int64  `json:"stack,omitempty"`
	Gas      uint64   `json:"gas"`
	Error    string   `json:"error,omitempty"`
	PC       uint64   `json:"pc,omitempty"`
	Word     string   `json:"word,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

func (a *app) vmRunCmd() *cobra.Command {
	var name, dialect, evidence string
	var env []string
	var gas uint64
	c := &cobra.Command{
		Use: "run SOURCE", Short: "Compile and run a contract, without a chain",
		Long: "Compiles a contract, and the evidence that runs before it, and runs both in the VM's own process as a chain would. Prints the results,\n" +
			"bottom of the stack first, and the gas. Exit code 2 if the contract fails. A value of --env is a number, or bytes as 0x….",
		Example: "  alto vm run contract.fs\n  alto vm run contract.fs --evidence secret.fs\n  alto vm run contract.fs --env height=10 --gas 5000 -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			values, err := parseEnv(env)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
			defer cancel()
			return a.withVM(ctx, name, func(m vm.VM) error {
				run := vm.Run{Environment: values, GasLimit: gas}
				var v vmView
				if run.Code, v.Warnings, err = compileFile(ctx, m, args[0], dialect, false); err != nil {
					return err
				}
				if evidence != "" {
					var w []string
					if run.Evidence, w, err = compileFile(ctx, m, evidence, dialect, true); err != nil {
						return err
					}
					v.Warnings = append(v.Warnings, w...)
				}
				res, err := m.RunBatch(ctx, vm.Batch{Runs: []vm.Run{run}})
				if err != nil {
					return err
				}
				if len(res) != 1 {
					return fmt.Errorf("the vm gave %d results for one run", len(res))
				}
				r := res[0]
				v.Status, v.OK, v.Stack, v.Gas, v.Error, v.PC, v.Word = uint32(r.Status), r.Status == vm.OK, r.Stack, r.Gas, r.Error, r.PC, r.Word
				if err := a.print(v, func() { a.printRun(v) }); err != nil {
					return err
				}
				if !v.OK {
					return told(exitDifferent, errors.New(r.Error))
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&name, "vm", "forth", "the VM plugin")
	c.Flags().StringVar(&dialect, "dialect", "", "the language's dialect (default: the plugin's)")
	c.Flags().StringVar(&evidence, "evidence", "", "source that runs first, under the stricter rules of evidence")
	c.Flags().StringArrayVar(&env, "env", nil, "set a value of the environment, NAME=VALUE; may be repeated")
	c.Flags().Uint64Var(&gas, "gas", 1_000_000, "gas limit")
	return c
}

func (a *app) printRun(v vmView) {
	for _, w := range v.Warnings {
		a.progress("warning: %s", w)
	}
	if v.OK {
		var cells []string
		for _, n := range v.Stack {
			cells = append(cells, strconv.FormatInt(n, 10))
		}
		fmt.Fprintf(a.out, "%s\ngas %d\n", strings.Join(cells, " "), v.Gas)
		return
	}
	fmt.Fprintf(a.out, "failed with status %d: %s\n", v.Status, v.Error)
	if v.Word != "" {
		fmt.Fprintf(a.out, "at %d, in %q\n", v.PC, v.Word)
	}
	fmt.Fprintf(a.out, "gas %d\n", v.Gas)
}

func compileFile(ctx context.Context, m vm.VM, path, dialect string, evidence bool) ([]byte, []string, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, coded(exitConfig, err)
	}
	code, warnings, err := m.Compile(ctx, vm.Source{Text: string(src), Dialect: dialect, File: path, Evidence: evidence})
	if errors.Is(err, vm.ErrSyntax) || errors.Is(err, vm.ErrInvalid) {
		err = coded(exitConfig, err)
	}
	return code, warnings, err
}

// parseEnv reads NAME=NUMBER and NAME=0xBYTES.
func parseEnv(list []string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, e := range list {
		name, value, ok := strings.Cut(e, "=")
		if !ok || name == "" {
			return nil, coded(exitUsage, fmt.Errorf("--env %q: write NAME=VALUE", e))
		}
		if h, isHex := strings.CutPrefix(value, "0x"); isHex {
			b, err := hex.DecodeString(h)
			if err != nil {
				return nil, coded(exitUsage, fmt.Errorf("--env %q: %w", e, err))
			}
			out[name] = b
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return nil, coded(exitUsage, fmt.Errorf("--env %q: a value is a number, or bytes as 0x…", e))
		}
		out[name] = binary.BigEndian.AppendUint64(nil, uint64(n))
	}
	return out, nil
}

// withVM opens a VM plugin, as a node would but for no chain, and ends it afterwards.
func (a *app) withVM(ctx context.Context, name string, f func(vm.VM) error) (err error) {
	src, err := catalog{known: builtin.Describe()}.Find(plugin.VM, name)
	if err != nil {
		return coded(exitConfig, err)
	}
	h, err := host.New(host.Options{})
	if err != nil {
		return coded(exitPlugin, err)
	}
	defer func() { err = errors.Join(err, h.Close(context.WithoutCancel(ctx))) }()
	return a.inVM(ctx, h, src, f)
}

func (a *app) inVM(ctx context.Context, h *host.Host, src node.Source, f func(vm.VM) error) error {
	spec := src.Spec
	spec.Kinds = []plugin.Kind{plugin.VM}
	p, err := h.Start(ctx, spec)
	if err != nil {
		return coded(exitPlugin, err)
	}
	info, _ := p.Info().Find(plugin.VM)
	cfg, err := chainspec.MergeConfig(info.Schema, defaultsOf(info.Schema), nil)
	if err != nil {
		return coded(exitPlugin, err)
	}
	rules := ""
	if len(info.Rules) > 0 {
		rules = info.Rules[0]
	}
	i, err := p.Open(ctx, plugin.OpenRequest{Kind: plugin.VM, ChainID: make([]byte, 32), ChainName: "none", Config: cfg, Rules: rules}, nil)
	if err != nil {
		return coded(exitPlugin, err)
	}
	return f(i.VM())
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
