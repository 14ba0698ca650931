package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// compiledView is what alto vm compile prints.
type compiledView struct {
	File     string   `json:"file"`
	Bytes    int      `json:"bytes"`
	Hash     string   `json:"hash"` // by which a chain knows the code
	Code     string   `json:"code"`
	Out      string   `json:"out,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// mapView is a source map in a file.
type mapView struct {
	File    string         `json:"file"`
	Hash    string         `json:"hash"`
	Entries []mapEntryView `json:"entries"`
}

type mapEntryView struct {
	PC     uint32 `json:"pc"`
	Line   uint32 `json:"line"`
	Column uint32 `json:"column"`
	Word   string `json:"word,omitempty"`
}

func (a *app) vmCompileCmd() *cobra.Command {
	var o vmOptions
	var out, mapFile string
	var evidence bool
	c := &cobra.Command{
		Use: "compile SOURCE", Short: "Compile a contract to bytecode",
		Long: "Compiles a source and writes the bytecode: to --out, as hexadecimal digits if its name ends in .hex and as it is otherwise, or as\n" +
			"hexadecimal digits to standard output. Size, hash and warnings go to standard error. --map writes where each instruction comes from.",
		Example: "  alto vm compile contract.fs --out contract.bin\n  alto vm compile contract.fs --out contract.hex --map contract.map.json\n  alto vm compile secret.fs --evidence -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.with(c.Context(), a, func(ctx context.Context, m *openVM) error {
				p, err := a.program(ctx, m, args[0], o.dialect, evidence)
				if err != nil {
					return err
				}
				if p.isCode {
					return coded(exitUsage, fmt.Errorf("%s is bytecode already; `alto vm disasm %s` shows it", args[0], args[0]))
				}
				l, err := loadOne(ctx, m, p.code)
				if err != nil {
					return err
				}
				v := compiledView{File: p.path, Bytes: len(p.code), Hash: hex.EncodeToString(l.CodeHash[:]), Code: hex.EncodeToString(p.code), Out: out,
					Warnings: p.warnings}
				if out != "" {
					if err := os.WriteFile(out, codeFile(out, p.code), 0o644); err != nil {
						return coded(exitConfig, err)
					}
				}
				if mapFile != "" {
					if err := writeMap(mapFile, p, v.Hash); err != nil {
						return coded(exitConfig, err)
					}
				}
				return a.print(v, func() {
					a.warn(v.Warnings)
					if out == "" {
						fmt.Fprintln(a.out, v.Code)
					}
					a.progress("%s: %d bytes, hash %s", p.path, v.Bytes, v.Hash)
				})
			})
		},
	}
	o.flags(c)
	o.limited(c)
	c.Flags().StringVar(&out, "out", "", "file to write to; its name ends in .bin or .hex (default: hexadecimal digits to standard output)")
	c.Flags().StringVar(&mapFile, "map", "", "file to write the source map to, as JSON")
	c.Flags().BoolVar(&evidence, "evidence", false, "compile under the stricter rules of evidence")
	return c
}

// codeFile is bytecode as a file of that name has it.
func codeFile(name string, code []byte) []byte {
	if strings.EqualFold(filepath.Ext(name), ".hex") {
		return []byte(hex.EncodeToString(code) + "\n")
	}
	return code
}

func writeMap(file string, p *vmProgram, hash string) error {
	v := mapView{File: p.path, Hash: hash, Entries: []mapEntryView{}}
	for _, e := range p.at {
		v.Entries = append(v.Entries, mapEntryView(e))
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

func loadOne(ctx context.Context, m vm.VM, code []byte) (*vm.Loaded, error) {
	l, err := m.Load(ctx, [][]byte{code})
	if err != nil {
		return nil, err
	}
	if len(l) != 1 {
		return nil, fmt.Errorf("the vm gave %d answers for one piece of code", len(l))
	}
	return &l[0], nil
}

func (a *app) vmDisasmCmd() *cobra.Command {
	var o vmOptions
	var evidence bool
	c := &cobra.Command{
		Use: "disasm FILE", Short: "Show bytecode as instructions",
		Long: "Writes the instructions of bytecode, or of what a source compiles to, in the dialect asm: each with its place in the code behind it.\n" +
			"`alto vm compile` makes the same bytes of it.",
		Example: "  alto vm disasm contract.bin\n  alto vm disasm contract.fs\n  alto vm disasm contract.hex > contract.asm",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.with(c.Context(), a, func(ctx context.Context, m *openVM) error {
				p, err := a.program(ctx, m, args[0], o.dialect, evidence)
				if err != nil {
					return err
				}
				text, err := m.Disassemble(ctx, p.code)
				if errors.Is(err, vm.ErrInvalid) || errors.Is(err, vm.ErrTooLarge) {
					return coded(exitConfig, fmt.Errorf("%s: %w", args[0], err))
				}
				if err != nil {
					return err
				}
				v := struct {
					File string `json:"file"`
					Text string `json:"text"`
				}{args[0], text}
				return a.print(v, func() { fmt.Fprint(a.out, text) })
			})
		},
	}
	o.flags(c)
	o.limited(c)
	c.Flags().BoolVar(&evidence, "evidence", false, "compile under the stricter rules of evidence")
	return c
}

// verifiedView is what alto vm verify prints.
type verifiedView struct {
	File        string   `json:"file"`
	Bytes       int      `json:"bytes"`
	Hash        string   `json:"hash"`
	Error       string   `json:"error,omitempty"`
	Verified    bool     `json:"verified"`
	MaxStack    uint32   `json:"max_stack,omitempty"`
	EnvReads    []string `json:"env_reads"`
	GasBound    uint64   `json:"gas_bound,omitempty"`
	GasLimit    uint64   `json:"gas_limit"`
	Results     []string `json:"results"`
	VM          string   `json:"vm"`
	GasVersion  uint32   `json:"gas_version"`
	GasSchedule string   `json:"gas_schedule"` // hash
	Warnings    []string `json:"warnings,omitempty"`
}

func (a *app) vmVerifyCmd() *cobra.Command {
	var o vmOptions
	c := &cobra.Command{
		Use: "verify FILE", Short: "Say what is known about a contract before it runs",
		Long: "Checks bytecode, or what a source compiles to, as a chain does when it loads it: whether the effect of each word on the stack is known,\n" +
			"how high the stack may get, what of the chain it reads, whether there is a limit to its gas whatever the evidence, what its results mean,\n" +
			"and its hash. Exit code 2 if a chain would refuse it.",
		Example: "  alto vm verify contract.fs\n  alto vm verify contract.bin -o json\n  alto vm verify contract.fs --spec my.hcl --chain root",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.with(c.Context(), a, func(ctx context.Context, m *openVM) error {
				p, err := a.program(ctx, m, args[0], o.dialect, false)
				if err != nil {
					return err
				}
				l, err := loadOne(ctx, m, p.code)
				if err != nil {
					return err
				}
				v := verifiedView{File: p.path, Bytes: len(p.code), Hash: hex.EncodeToString(l.CodeHash[:]), Error: l.Error, Verified: l.Verified,
					MaxStack: l.MaxStack, EnvReads: l.EnvReads, GasBound: l.GasBound, GasLimit: m.runGas(&o), Results: conventionNames(l.Convention),
					VM: o.name + " " + m.info.Version, GasVersion: m.info.GasVersion, GasSchedule: hex.EncodeToString(m.info.GasTableHash[:]), Warnings: p.warnings}
				if v.EnvReads == nil {
					v.EnvReads = []string{}
				}
				if err := a.print(v, func() { a.printVerified(v) }); err != nil {
					return err
				}
				if v.Error != "" {
					return told(exitDifferent, errors.New(v.Error))
				}
				return nil
			})
		},
	}
	o.flags(c)
	o.limited(c)
	return c
}

func (a *app) printVerified(v verifiedView) {
	a.warn(v.Warnings)
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("code", "%d bytes, hash %s", v.Bytes, v.Hash)
	if v.Error != "" {
		row("refused", "%s", printable(v.Error))
	} else {
		if v.Verified {
			row("verified", "yes: the effect of each word is known, and at most %d values are on the stack", v.MaxStack)
		} else {
			row("verified", "no: the effect of some word depends on values; the stack is checked while it runs")
		}
		reads := "nothing"
		if len(v.EnvReads) > 0 {
			reads = strings.Join(v.EnvReads, " ")
		}
		row("reads", "%s", reads)
		if v.GasBound > 0 {
			row("gas", "at most %d, whatever the evidence pushes; the limit is %d", v.GasBound, v.GasLimit)
		} else {
			row("gas", "no bound is known, because of loops or of work that depends on values; the limit is %d", v.GasLimit)
		}
		row("results", "%s", strings.Join(v.Results, " "))
	}
	row("vm", "%s, gas schedule %d, hash %s", v.VM, v.GasVersion, v.GasSchedule)
	_ = w.Flush()
}
