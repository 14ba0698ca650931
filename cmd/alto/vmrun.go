package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// vmView is what a run came to.
type vmView struct {
	Status     uint32   `json:"status"`
	OK         bool     `json:"ok"`
	Stack      []int64  `json:"stack,omitempty"`
	Results    []string `json:"results,omitempty"` // what each integer of Stack is
	Gas        uint64   `json:"gas"`
	GasUsed    uint64   `json:"gas_used,omitempty"` // until it failed
	Space      uint64   `json:"space"`
	Error      string   `json:"error,omitempty"`
	PC         uint64   `json:"pc,omitempty"`
	Evidence   bool     `json:"evidence,omitempty"` // PC counts in the evidence
	Word       string   `json:"word,omitempty"`     // the instruction that failed
	File       string   `json:"file,omitempty"`
	Line       uint32   `json:"line,omitempty"`
	Column     uint32   `json:"column,omitempty"`
	Definition string   `json:"definition,omitempty"` // the definition that it stands in
	Source     string   `json:"source,omitempty"`     // the line
	Top        []string `json:"top,omitempty"`        // of the stack, then
	Warnings   []string `json:"warnings,omitempty"`
}

// sessionDialect is the one in which people write programs that are no contracts too.
const sessionDialect = "forth2012"

// conventionNames are what the results of a run are called.
func conventionNames(c vm.Convention) []string {
	if c == vm.DelayNonceAmount {
		return []string{"delay", "nonce", "amount"}
	}
	return []string{"burn", "pay", "nonce"}
}

// view describes a result.
func (p *prepared) view(r *vm.Result) vmView {
	v := vmView{Status: uint32(r.Status), OK: r.Status == vm.OK, Stack: r.Stack, Gas: r.Gas, Space: r.Space, Error: r.Error, Warnings: p.warnings()}
	if v.OK {
		if names := conventionNames(r.Convention); len(names) == len(r.Stack) {
			v.Results = names
		}
		return v
	}
	v.GasUsed, v.PC, v.Word, v.Evidence, v.Top = r.GasUsed, r.PC, r.Word, r.Evidence, r.Top
	src := p.program(r.Evidence)
	if _, e, ok := src.place(r.PC); ok && r.Word != "" {
		v.File, v.Line, v.Column, v.Definition = src.path, e.Line, e.Column, e.Word
		v.Source, _ = src.line(int(e.Line))
	}
	return v
}

func (a *app) vmRunCmd() *cobra.Command {
	var o vmInput
	var session bool
	c := &cobra.Command{
		Use: "run SOURCE...", Short: "Compile and run a contract, without a chain",
		Long: "Compiles a contract, and the evidence that runs before it, and runs both in the VM's own process as a chain would. SOURCE may be\n" +
			"bytecode too: a .bin or .hex file. Prints the results, bottom of the stack first, and the gas; of a run that fails the status, the\n" +
			"place in the source, and the top of the stack. Several sources, or one with --session, are evaluated in order in one session, as the\n" +
			"REPL would, and what they print is printed. Exit code 2 if the contract, or a test, fails.",
		Example: "  alto vm run contract.fs --evidence secret.fs --env height=10\n  alto vm run contract.fs --push 5 --push-text \"the secret\" -o json\n  alto vm run --dialect forth2012 tester.fs core.fr",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 1 || session {
				if o.evidence != "" || len(o.pushes) > 0 {
					return coded(exitUsage, errors.New("a session has no evidence; --evidence and --push belong to one contract"))
				}
				return a.runSession(c.Context(), &o.vmOptions, args)
			}
			return o.with(c.Context(), a, func(ctx context.Context, m *openVM) error {
				p, err := o.prepare(ctx, a, m, args[0])
				if err != nil && o.dialect == sessionDialect {
					return fmt.Errorf("%w\na program that is no contract, but prints something, is run with --session", err)
				}
				if err != nil {
					return err
				}
				r, err := runOne(ctx, m, p.run)
				if err != nil {
					return err
				}
				v := p.view(r)
				if err := a.print(v, func() { a.printRun(p, r, v) }); err != nil {
					return err
				}
				if !v.OK {
					return told(exitDifferent, errors.New(r.Error))
				}
				return nil
			})
		},
	}
	o.flags(c)
	o.limited(c)
	c.Flags().BoolVar(&session, "session", false, "evaluate the source as the REPL would, instead of running it as a contract")
	return c
}

func runOne(ctx context.Context, m vm.VM, r vm.Run) (*vm.Result, error) {
	res, err := m.RunBatch(ctx, vm.Batch{Runs: []vm.Run{r}, Diagnostics: true})
	if err != nil {
		return nil, err
	}
	if len(res) != 1 {
		return nil, fmt.Errorf("the vm gave %d results for one run", len(res))
	}
	return &res[0], nil
}

func (a *app) warn(list []string) {
	for _, w := range list {
		a.progress("warning: %s", printable(strings.Replace(w, ": warning: ", ": ", 1)))
	}
}

func (a *app) printRun(p *prepared, r *vm.Result, v vmView) {
	a.warn(v.Warnings)
	if v.OK {
		fmt.Fprintf(a.out, "%s\ngas %d\n", integers(v.Stack), v.Gas)
		return
	}
	fmt.Fprint(a.out, failure(p, r))
	fmt.Fprintf(a.out, "gas %d", v.Gas)
	if r.GasUsed > 0 {
		fmt.Fprintf(a.out, ", %d until it failed", r.GasUsed)
	}
	fmt.Fprintln(a.out)
}

func integers(list []int64) string {
	var cells []string
	for _, n := range list {
		cells = append(cells, strconv.FormatInt(n, 10))
	}
	return strings.Join(cells, " ")
}

// failure describes a run that failed, for people.
func failure(p *prepared, r *vm.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "failed with status %d: %s\n", r.Status, printable(r.Error))
	if r.Word == "" { // before anything ran
		return b.String()
	}
	src := p.program(r.Evidence)
	where := ""
	if r.Evidence {
		where = " of the evidence"
	}
	if text, e, ok := src.place(r.PC); ok {
		if text != "" {
			fmt.Fprintf(&b, "at %s\n", text)
		}
		if x := src.excerpt(int(e.Line), int(e.Column)); x != "" {
			b.WriteString(x + "\n")
		}
	}
	fmt.Fprintf(&b, "pc %d%s: %s\n", r.PC, where, printable(r.Word))
	if len(r.Top) > 0 {
		fmt.Fprintf(&b, "stack, top last: %s\n", stackText(r.Top, len(r.Top)))
	}
	return b.String()
}

// stackText writes the upper values of a stack, top last, long ones cut.
func stackText(stack []string, n int) string {
	var out []string
	if len(stack) > n {
		out = append(out, fmt.Sprintf("(%d more)", len(stack)-n))
		stack = stack[len(stack)-n:]
	}
	for _, v := range stack {
		out = append(out, shortValue(v))
	}
	return strings.Join(out, " ")
}

// shortOp cuts an instruction for a column of a table.
func shortOp(op string) string {
	const most = 24
	r := []rune(printable(op))
	if len(r) <= most {
		return string(r)
	}
	return string(r[:most-1]) + "…"
}

// shortValue cuts a value for a line of text.
func shortValue(v string) string {
	const most = 72
	v = printable(v)
	if len(v) <= most {
		return v
	}
	return fmt.Sprintf("%s… (%d bytes)", v[:24], (len(v)-3)/2)
}
