package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// app is what the commands share: where they read and write, and the flags that all of them have.
type app struct {
	in       io.Reader
	out, err io.Writer
	output   string // table, json or jsonl
	home     string
	network  string
}

// run carries out a command line and returns its exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	a := &app{in: in, out: out, err: errw}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	err := root.ExecuteContext(ctx)
	var c *codedError
	if err != nil && !(errors.As(err, &c) && c.silent) {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			fmt.Fprintln(errw, "alto: interrupted")
		} else {
			fmt.Fprintln(errw, "alto:", err)
		}
	}
	return exitCode(ctx, err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "alto",
		Short: "Spawn chains from HCL specs",
		Long: "alto spawns chains. A chain is described in HCL; alto checks the description, runs the chain on this machine with its plugins as\n" +
			"processes of their own, and speaks to it.",
		Example:       "  alto dev                            a chain of one node, with funded accounts\n  alto up examples/quickstart.hcl     a network of four nodes\n  alto tx send --from alice --to bob --amount 1.5",
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.prepare() },
	}
	f := root.PersistentFlags()
	f.StringVarP(&a.output, "output", "o", "table", "how to print data: table, json or jsonl")
	f.StringVar(&a.home, "home", "", "where networks and keys are kept (default $ALTO_HOME, or ~/.alto)")
	f.StringVar(&a.network, "network", "", "which network to speak to, by name (default: the only one that runs)")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return coded(exitUsage, fmt.Errorf("%w; see `%s --help`", err, c.CommandPath()))
	})
	root.AddCommand(a.commands()...)
	strict(root)
	return root
}

// strict makes wrong arguments usage errors, and groups without a verb show their help instead of nothing.
func strict(c *cobra.Command) {
	if args := c.Args; args != nil {
		c.Args = func(c *cobra.Command, list []string) error {
			if err := args(c, list); err != nil {
				return coded(exitUsage, fmt.Errorf("%w; it is written: %s; see `%s --help`", err, c.UseLine(), c.CommandPath()))
			}
			return nil
		}
	}
	if c.HasSubCommands() && c.RunE == nil && c.Run == nil {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, list []string) error {
			if len(list) == 0 {
				return c.Help()
			}
			var names []string
			for _, s := range c.Commands() {
				if s.IsAvailableCommand() {
					names = append(names, s.Name())
				}
			}
			return coded(exitUsage, fmt.Errorf("unknown command %q for %q%s; see `%s --help`", list[0], c.CommandPath(), didYouMean(list[0], names), c.CommandPath()))
		}
	}
	for _, s := range c.Commands() {
		strict(s)
	}
}

// prepare checks the flags that all commands have.
func (a *app) prepare() error {
	switch a.output {
	case "table", "json", "jsonl":
	default:
		return coded(exitUsage, fmt.Errorf("--output %q: must be table, json or jsonl", a.output))
	}
	if a.home == "" {
		a.home = os.Getenv("ALTO_HOME")
	}
	if a.home == "" {
		h, err := os.UserHomeDir()
		if err != nil {
			return coded(exitConfig, fmt.Errorf("no home folder is known: %w; set ALTO_HOME", err))
		}
		a.home = filepath.Join(h, ".alto")
	}
	abs, err := filepath.Abs(a.home)
	if err != nil {
		return coded(exitConfig, fmt.Errorf("home folder %q: %w", a.home, err))
	}
	a.home = abs
	return nil
}

// progress prints a line for people; data goes to standard output only.
func (a *app) progress(format string, args ...any) {
	fmt.Fprintln(a.err, strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
}
