package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// costView is what a run's gas went into.
type costView struct {
	File    string     `json:"file"`
	Gas     uint64     `json:"gas"` // used, all together
	Loading uint64     `json:"loading"`
	Bound   uint64     `json:"bound,omitempty"` // no run uses more, whatever the evidence pushes; 0: no bound is known
	Steps   uint64     `json:"steps"`
	Lines   []costLine `json:"lines"`
	Words   []costWord `json:"words"`
	Result  vmView     `json:"result"`
}

type costLine struct {
	Evidence bool   `json:"evidence,omitempty"`
	Line     uint32 `json:"line"`
	Gas      uint64 `json:"gas"`
	Steps    uint64 `json:"steps"`
	Source   string `json:"source"`
}

// costWord is what was spent within a definition, without what those that it calls have spent.
type costWord struct {
	Evidence bool   `json:"evidence,omitempty"`
	Word     string `json:"word"` // empty: outside of all definitions
	Gas      uint64 `json:"gas"`
	Steps    uint64 `json:"steps"`
}

func (a *app) vmCostCmd() *cobra.Command {
	var o vmInput
	c := &cobra.Command{
		Use: "cost SOURCE", Short: "Show what a contract spends its gas on",
		Long: "Runs a contract as `alto vm run` does and adds up the gas: what loading costs, what each line of the source and each definition costs, and\n" +
			"the bound that holds for every run, if there is one. Exit code 2 if the contract fails.",
		Example: "  alto vm cost contract.fs --evidence secret.fs\n  alto vm cost contract.fs --push 5 -o json\n  alto vm cost contract.bin",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return o.with(c.Context(), a, func(ctx context.Context, m *openVM) error {
				p, err := o.prepare(ctx, a, m, args[0])
				if err != nil {
					return err
				}
				l, err := loadOne(ctx, m, p.code.code)
				if err != nil {
					return err
				}
				v, r, err := costOf(ctx, m, p)
				if err != nil {
					return err
				}
				v.Bound = l.GasBound
				if err := a.print(v, func() { a.printCost(p, v, r) }); err != nil {
					return err
				}
				if r.Status != vm.OK {
					return told(exitDifferent, errors.New(r.Error))
				}
				return nil
			})
		},
	}
	o.flags(c)
	o.limited(c)
	return c
}

// costOf traces a run and adds up what it costs.
func costOf(ctx context.Context, m vm.VM, p *prepared) (*costView, *vm.Result, error) {
	type lineKey struct {
		evidence bool
		line     uint32
	}
	type wordKey struct {
		evidence bool
		word     string
	}
	v := &costView{File: p.code.path, Lines: []costLine{}, Words: []costWord{}}
	lines, words := map[lineKey]*costLine{}, map[wordKey]*costWord{}
	var result *vm.Result
	err := m.Trace(ctx, nil, p.run, func(s vm.Step) error {
		if s.Op != "" {
			if v.Steps++; v.Steps == 1 {
				v.Loading = p.run.GasLimit - min(s.Gas, p.run.GasLimit)
			}
			v.Gas += s.GasCost
			e, _ := p.program(s.Evidence).at.Find(s.PC)
			lk, wk := lineKey{s.Evidence, e.Line}, wordKey{s.Evidence, e.Word}
			l, w := lines[lk], words[wk]
			if l == nil {
				text, _ := p.program(s.Evidence).line(int(e.Line))
				l = &costLine{Evidence: s.Evidence, Line: e.Line, Source: strings.TrimSpace(text)}
				lines[lk] = l
			}
			if w == nil {
				w = &costWord{Evidence: s.Evidence, Word: e.Word}
				words[wk] = w
			}
			l.Gas, l.Steps, w.Gas, w.Steps = l.Gas+s.GasCost, l.Steps+1, w.Gas+s.GasCost, w.Steps+1
		}
		if s.Result != nil {
			result = s.Result
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for _, l := range lines {
		v.Lines = append(v.Lines, *l)
	}
	for _, w := range words {
		v.Words = append(v.Words, *w)
	}
	first := func(evidence bool) int {
		if evidence {
			return 0
		}
		return 1
	}
	slices.SortFunc(v.Lines, func(x, y costLine) int {
		return cmp.Or(cmp.Compare(first(x.Evidence), first(y.Evidence)), cmp.Compare(x.Line, y.Line))
	})
	slices.SortFunc(v.Words, func(x, y costWord) int {
		return cmp.Or(cmp.Compare(y.Gas, x.Gas), cmp.Compare(first(x.Evidence), first(y.Evidence)), cmp.Compare(x.Word, y.Word))
	})
	v.Gas += v.Loading
	v.Result = p.view(result)
	return v, result, nil
}

func (a *app) printCost(p *prepared, v *costView, r *vm.Result) {
	a.warn(v.Result.Warnings)
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', tabwriter.AlignRight)
	share := func(gas uint64) string { return fmt.Sprintf("%.1f", 100*float64(gas)/float64(max(v.Gas, 1))) }
	fmt.Fprintf(w, "LINE\tGAS\t%%\tSTEPS\t SOURCE\n\t%d\t%s\t\t loading\n", v.Loading, share(v.Loading))
	for _, l := range v.Lines {
		name := fmt.Sprint(l.Line)
		if l.Evidence {
			name = "evidence " + name
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t %s\n", name, l.Gas, share(l.Gas), l.Steps, shortSource(l.Source))
	}
	_ = w.Flush()
	if len(v.Words) > 1 {
		w = tabwriter.NewWriter(a.out, 0, 4, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(w, "\nDEFINITION\tGAS\t%\tSTEPS\t\n")
		for _, d := range v.Words {
			name := d.Word
			if name == "" {
				name = "(main)"
			}
			if d.Evidence {
				name = "evidence " + name
			}
			fmt.Fprintf(w, "%s\t%d\t%s\t%d\t\n", name, d.Gas, share(d.Gas), d.Steps)
		}
		_ = w.Flush()
	}
	fmt.Fprintf(a.out, "\ngas %d in %d steps, loading included", v.Gas, v.Steps)
	if v.Bound > 0 {
		fmt.Fprintf(a.out, "; no run uses more than %d", v.Bound)
	}
	fmt.Fprintln(a.out)
	if r.Status != vm.OK {
		fmt.Fprint(a.out, failure(p, r))
	}
}

// shortSource cuts a line of a source for a table.
func shortSource(s string) string {
	const most = 72
	r := []rune(printable(s))
	if len(r) <= most {
		return string(r)
	}
	return string(r[:most-1]) + "…"
}
