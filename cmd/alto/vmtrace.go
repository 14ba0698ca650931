package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// stepView is a step of a trace. The names of geth's struct logs are kept, so that their readers understand it; depth is 1
// outside of all words.
type stepView struct {
	PC       uint64   `json:"pc"`
	Op       string   `json:"op"`
	Gas      uint64   `json:"gas"`
	GasCost  uint64   `json:"gasCost"`
	Depth    int      `json:"depth"`
	Stack    []string `json:"stack"`
	Evidence bool     `json:"evidence,omitempty"`
	File     string   `json:"file,omitempty"`
	Line     uint32   `json:"line,omitempty"`
	Column   uint32   `json:"column,omitempty"`
	Word     string   `json:"word,omitempty"`
}

// endView is the last line of a trace.
type endView struct {
	Result vmView `json:"result"`
}

func (p *prepared) step(s *vm.Step) stepView {
	v := stepView{PC: s.PC, Op: s.Op, Gas: s.Gas, GasCost: s.GasCost, Depth: s.Depth + 1, Stack: s.Stack, Evidence: s.Evidence}
	if v.Stack == nil {
		v.Stack = []string{}
	}
	src := p.program(s.Evidence)
	if _, e, ok := src.place(s.PC); ok {
		v.File, v.Line, v.Column, v.Word = src.path, e.Line, e.Column, e.Word
	}
	return v
}

// errEnough ends a trace early.
var errEnough = errors.New("enough steps")

func (a *app) vmTraceCmd() *cobra.Command {
	var o vmInput
	var limit uint64
	c := &cobra.Command{
		Use: "trace SOURCE", Short: "Run a contract and show each step",
		Long: "Runs a contract as `alto vm run` does, and shows the stack before each instruction, the gas that is left and what it costs. With -o json\n" +
			"or -o jsonl each step is a line of JSON with the fields of geth's struct logs (pc, op, gas, gasCost, depth, stack) and the place in the\n" +
			"source; the last line has the result. Exit code 2 if the contract fails.",
		Example: "  alto vm trace contract.fs --push 5\n  alto vm trace contract.fs --evidence secret.fs -o jsonl\n  alto vm trace contract.bin --limit 100",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.with(c.Context(), a, func(ctx context.Context, m *openVM) error {
				p, err := o.prepare(ctx, a, m, args[0])
				if err != nil {
					return err
				}
				w := a.traceWriter(p)
				n := uint64(0)
				err = m.Trace(ctx, nil, p.run, func(s vm.Step) error {
					if s.Op != "" {
						if n++; limit > 0 && n > limit {
							return errEnough
						}
						if err := w.step(&s); err != nil {
							return err
						}
					}
					if s.Result != nil {
						return w.end(s.Result)
					}
					return nil
				})
				if errors.Is(err, errEnough) {
					a.progress("that were %d steps; there are more, see --limit", limit)
					return nil
				}
				if err == nil && w.result != nil && w.result.Status != vm.OK {
					return told(exitDifferent, errors.New(w.result.Error))
				}
				return err
			})
		},
	}
	o.flags(c)
	o.limited(c)
	c.Flags().Uint64Var(&limit, "limit", 0, "show so many steps at most (default: all)")
	return c
}

// traceWriter writes steps as they come.
type traceWriter struct {
	a      *app
	p      *prepared
	json   *json.Encoder // nil: a table
	any    bool
	last   string // place of the step before
	result *vm.Result
}

func (a *app) traceWriter(p *prepared) *traceWriter {
	w := &traceWriter{a: a, p: p}
	if a.output != "table" {
		w.json = json.NewEncoder(a.out)
		w.json.SetEscapeHTML(false)
	}
	return w
}

func (w *traceWriter) step(s *vm.Step) error {
	if w.json != nil {
		return w.json.Encode(w.p.step(s))
	}
	if !w.any {
		w.any = true
		if _, err := fmt.Fprintf(w.a.out, "%-20s %6s  %-24s %10s %7s  %s\n", "PLACE", "PC", "OP", "GAS", "COST", "STACK, TOP LAST"); err != nil {
			return err
		}
	}
	src := w.p.program(s.Evidence)
	place := ""
	if e, ok := src.at.Find(s.PC); ok {
		place = fmt.Sprintf("%d:%d", e.Line, e.Column)
		if e.Word != "" {
			place += " " + e.Word
		}
	}
	if s.Evidence {
		place = "evidence " + place
	}
	shown := place
	if shown == w.last {
		shown = ""
	}
	w.last = place
	_, err := fmt.Fprintf(w.a.out, "%-20s %6d  %-24s %10d %7d  %s\n", shown, s.PC, shortOp(s.Op), s.Gas, s.GasCost, stackText(s.Stack, 8))
	return err
}

func (w *traceWriter) end(r *vm.Result) error {
	w.result = r
	v := w.p.view(r)
	if w.json != nil {
		return w.json.Encode(endView{v})
	}
	w.a.printRun(w.p, r, v)
	return nil
}
