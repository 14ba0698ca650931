package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// testedView is what the tests of a file came to.
type testedView struct {
	File string `json:"file"`
	OK   bool   `json:"ok"`
	sessionView
}

func (a *app) vmTestCmd() *cobra.Command {
	var o vmOptions
	var verbose bool
	c := &cobra.Command{
		Use: "test FILE...", Short: "Run the tests of contracts",
		Long: "Evaluates each file in a session of its own. A file has tests of the form T{ … -> … }T, as the Forth 2012 tester has; `contract NAME from\n" +
			"FILE` brings a contract in, `evidence{ … } run NAME` runs it, and `env set NAME VALUE` sets what it reads: see the guide to contract\n" +
			"tools. Exit code 2 if a test fails, or if a file has an error.",
		Example: "  alto vm test htlc_test.fs\n  alto vm test tests/*.fs -o json\n  alto vm test --dialect forth2012 core_test.fs --verbose",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var files [][]vm.Input
			for _, f := range args {
				list, err := a.files().inputs([]string{f})
				if err != nil {
					return err
				}
				files = append(files, list)
			}
			if _, err := o.session(); err != nil {
				return err
			}
			return o.with(c.Context(), a, func(ctx context.Context, m *openVM) error {
				var all []testedView
				bad := 0
				for i, list := range files {
					v, err := testFile(ctx, m, &o, args[i], list)
					if err != nil {
						return err
					}
					if all = append(all, *v); !v.OK {
						bad++
					}
					if a.output == "table" {
						a.printTested(v, verbose)
					}
				}
				if a.output == "table" {
					a.printTests(all)
				} else if err := printList(a, all, nil, nil); err != nil {
					return err
				}
				if bad > 0 {
					return told(exitDifferent, fmt.Errorf("%d of %d files failed", bad, len(all)))
				}
				return nil
			})
		},
	}
	o.flags(c)
	o.limited(c)
	o.runs(c, "gas limit of each file, or of each part of one that is included (default: 100000000)")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "show what files print, though nothing fails")
	return c
}

func testFile(ctx context.Context, m vm.VM, o *vmOptions, path string, list []vm.Input) (*testedView, error) {
	s, err := o.begin(list)
	if err != nil {
		return nil, err
	}
	v := &testedView{File: path}
	var last vm.Output
	if err := evaluate(ctx, m, s, list, func(in vm.Input, out vm.Output) error {
		last = out
		return v.add(in, out)
	}); err != nil {
		return nil, err
	}
	v.end(last, path)
	v.OK = v.Error == "" && v.Failed == 0
	return v, nil
}

func (a *app) printTested(v *testedView, verbose bool) {
	verdict := "ok  "
	if !v.OK {
		verdict = "FAIL"
	}
	if text := strings.TrimRight(v.Text, "\n"); text != "" && (verbose || !v.OK) {
		fmt.Fprintln(a.out, text)
	}
	if v.Error != "" {
		fmt.Fprintln(a.out, v.Error)
	}
	fmt.Fprintf(a.out, "%s  %s  %d passed, %d failed\n", verdict, v.File, v.Passed, v.Failed)
}

func (a *app) printTests(all []testedView) {
	passed, failed, broken := 0, 0, 0
	for _, v := range all {
		if passed, failed = passed+v.Passed, failed+v.Failed; v.Error != "" {
			broken++
		}
	}
	if len(all) > 1 || broken > 0 {
		fmt.Fprintf(a.out, "%d files: %d tests passed, %d failed; %d files ended with an error\n", len(all), passed, failed, broken)
	}
	if passed+failed == 0 && broken == 0 {
		a.progress("there are no tests; write them as T{ 1 2 + -> 3 }T")
	}
}
