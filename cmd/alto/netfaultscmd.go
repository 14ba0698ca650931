package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/internal/faultproxy"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

func (a *app) netFaultsCmd() *cobra.Command {
	c := &cobra.Command{Use: "faults", Short: "Try a network on bad links: loss, delay, partitions",
		Long: "Sets what the datagrams between the nodes of a network suffer that `alto up --faults` has started, while it runs. `alto net faults run` puts\n" +
			"the same proxy before any program that speaks UDP on this machine.",
		Example: "  alto net faults show\n  alto net faults set loss=5% delay=80ms jitter=20ms\n  alto net faults partition \"node-0 node-1 | node-2 node-3\""}
	c.AddCommand(a.netFaultsShowCmd(), a.netFaultsSetCmd(), a.netFaultsPartitionCmd(),
		a.netFaultsPlainCmd("heal", "End the partition", "Ends the partition; what was set with `alto net faults set` or by --faults stays."),
		a.netFaultsPlainCmd("reset", "End the partition and all faults", "Ends the partition and everything that the datagrams suffer, what --faults has said included."),
		a.netFaultsPlayCmd(), a.netFaultsRunCmd())
	return c
}

// faultControl finds the supervisor of a network whose links go through a fault proxy.
func (a *app) faultControl(c *cobra.Command) (*localnet.Control, *localnet.State, *localnet.Faults, error) {
	s, dir, err := a.state()
	if err != nil {
		return nil, nil, nil, err
	}
	control := localnet.NewControl(dir)
	f, err := control.Faults(c.Context())
	switch {
	case errors.Is(err, localnet.ErrNoFaults):
		return nil, nil, nil, coded(exitFailed, fmt.Errorf("network %s: %w; `alto down` and then `alto up %s --faults \"loss=1%%\"` starts it so, and --faults none with nothing wrong yet",
			s.Name, localnet.ErrNoFaults, s.Spec))
	case errors.Is(err, localnet.ErrNotRunning):
		return nil, nil, nil, coded(exitUnhealthy, fmt.Errorf("network %s: %w; `alto up SPEC --faults FAULTS` starts it", s.Name, localnet.ErrNotRunning))
	case err != nil:
		return nil, nil, nil, err
	}
	return control, s, f, nil
}

// step carries out a line of a scenario at once.
func (a *app) step(c *cobra.Command, line string) error {
	steps, err := faultproxy.ParseScenario("0s " + line)
	if err != nil {
		return coded(exitUsage, plainText(err, "scenario line 1: "))
	}
	control, s, f, err := a.faultControl(c)
	if err != nil {
		return err
	}
	if err := knownNames(f, steps); err != nil {
		return coded(exitUsage, err)
	}
	if f, err = control.Play(c.Context(), "0s "+line); err != nil {
		return coded(exitFailed, err)
	}
	a.progress("network %s, seed %d: %s", s.Name, f.Seed, strings.TrimPrefix(steps[0].String(), "0s "))
	return nil
}

// plainText takes off an error what the user has not written.
func plainText(err error, prefix string) error {
	return errors.New(strings.TrimPrefix(err.Error(), prefix))
}

// knownNames refuses steps with names that the proxy does not know.
func knownNames(f *localnet.Faults, steps []faultproxy.Step) error {
	known := map[string]bool{faultproxy.Any: true}
	for _, n := range f.Names {
		known[n] = true
	}
	for _, s := range steps {
		names := []string{}
		if s.Do == faultproxy.SetLink {
			names = append(names, s.From, s.To)
		}
		for _, g := range s.Groups {
			names = append(names, g...)
		}
		for _, n := range names {
			if !known[n] {
				return fmt.Errorf("%s: there is no node %q%s; there are %s, and * for all", strings.TrimPrefix(s.String(), "0s "), n,
					didYouMean(n, f.Names), strings.Join(f.Names, ", "))
			}
		}
	}
	return nil
}

func (a *app) netFaultsShowCmd() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show what the links suffer and what became of their datagrams",
		Long: "Shows for each direction between two nodes the faults in force and the counters since the network came up, and the seed that all\n" +
			"decisions are drawn from.",
		Example: "  alto net faults show\n  alto net faults show --network local\n  alto net faults show -o json", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, s, f, err := a.faultControl(c)
			if err != nil {
				return err
			}
			return a.printFaults("network "+s.Name, f)
		},
	}
}

func (a *app) printFaults(what string, f *localnet.Faults) error {
	if a.output == "json" {
		return a.print(f, nil)
	}
	if a.output == "table" {
		playing := ""
		if f.Playing {
			playing = ", a scenario is being played"
		}
		fmt.Fprintf(a.out, "%s, seed %d%s\n\n", what, f.Seed, playing)
	}
	return printList(a, f.Links, []string{"FROM", "TO", "SENT", "DELIVERED", "LOST", "CUT", "DROPPED", "TWICE", "ALTERED", "LATE", "WAITING", "FAULTS"}, func(l localnet.FaultLink) []any {
		faults := l.Faults
		if l.Cut {
			faults = "partition, " + faults
		}
		return []any{l.From, l.To, l.Sent, l.Delivered, l.Lost, l.Partitioned, l.QueueFull + l.Oversize + l.Overflow + l.Errors, l.Duplicated, l.Corrupted, l.Overtaking,
			l.Pending, faults}
	})
}

func (a *app) netFaultsSetCmd() *cobra.Command {
	var from, to string
	c := &cobra.Command{
		Use: "set FAULTS", Short: "Set what datagrams suffer from now on",
		Long: "Sets the faults of all links, or of those from a node, to a node, or both; the most exact rule counts. FAULTS are words: loss=1%\n" +
			"duplicate=1% corrupt=0.1% delay=50ms jitter=10ms normal keep-order reorder=2% gap=5ms rate=1M queue=64k mtu=1200, or none. A delay holds for\n" +
			"each direction by itself. rate and queue are bytes a second and bytes. normal makes the jitter normal instead of uniform, keep-order lets it\n" +
			"reorder nothing.",
		Example: "  alto net faults set loss=5% delay=80ms jitter=20ms\n  alto net faults set rate=100k --from node-0 --to node-3\n  alto net faults set none",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := faultproxy.ParseFaults(strings.Join(args, " "))
			if err != nil {
				return coded(exitUsage, err)
			}
			return a.step(c, fmt.Sprintf("link %s > %s %s", from, to, f))
		},
	}
	c.Flags().StringVar(&from, "from", faultproxy.Any, "what this node sends, or * for all")
	c.Flags().StringVar(&to, "to", faultproxy.Any, "what is sent to this node, or * for all")
	return c
}

func (a *app) netFaultsPartitionCmd() *cobra.Command {
	return &cobra.Command{
		Use: "partition GROUPS", Short: "Split the network into groups",
		Long: "Splits the network, in place of any earlier partition: two nodes reach each other only if a group holds both. Groups are names apart by\n" +
			"spaces, with a bar between groups; a node in several groups bridges them, and those in no group form one more. When it returns nothing\n" +
			"crosses any more. Quote the bar.",
		Example: "  alto net faults partition \"node-0 node-1 | node-2 node-3\"\n  alto net faults partition node-3                            cut it off from all others\n" +
			"  alto net faults partition \"node-0 node-1 node-2 | node-2 node-3\"",
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.step(c, "partition "+strings.ReplaceAll(strings.Join(args, " "), "\n", " "))
		},
	}
}

func (a *app) netFaultsPlainCmd(verb, short, long string) *cobra.Command {
	return &cobra.Command{
		Use: verb, Short: short, Long: long,
		Example: fmt.Sprintf("  alto net faults %s\n  alto net faults %s --network local\n  alto net faults show     shows what is in force", verb, verb), Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.step(c, verb) },
	}
}

func (a *app) netFaultsPlayCmd() *cobra.Command {
	return &cobra.Command{
		Use: "play FILE", Short: "Play a scenario: changes of faults at their times",
		Long: "Plays a scenario and returns after its last step. A step is a line: a time since the beginning, and link FROM > TO FAULTS, partition GROUPS,\n" +
			"heal or reset; # begins a comment. One scenario is played at a time; Ctrl-C ends it and leaves the faults as they are then. - is standard\n" +
			"input.",
		Example: "  alto net faults play storm.txt\n  alto net faults play storm.txt --network local\n  alto net faults play -", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := readScenario(a.in, args[0])
			if err != nil {
				return coded(exitConfig, err)
			}
			steps, err := faultproxy.ParseScenario(text)
			if err == nil && len(steps) == 0 {
				err = errors.New("there is no step in it; a step is a line such as: 10s partition node-0 | node-1 node-2 node-3")
			}
			if err != nil {
				return coded(exitConfig, fmt.Errorf("%s: %w", args[0], err))
			}
			control, s, f, err := a.faultControl(c)
			if err != nil {
				return err
			}
			if err := knownNames(f, steps); err != nil {
				return coded(exitConfig, fmt.Errorf("%s: %w", args[0], err))
			}
			a.progress("network %s, seed %d: a scenario of %s", s.Name, f.Seed, steps[len(steps)-1].At)
			started := time.Now()
			if f, err = control.Play(c.Context(), text); err != nil {
				if c.Context().Err() != nil {
					return fmt.Errorf("the scenario was ended after %.1f s; the faults are as they were then, `alto net faults reset` ends them: %w",
						time.Since(started).Seconds(), c.Context().Err())
				}
				return coded(exitFailed, err)
			}
			return a.printFaults("network "+s.Name, f)
		},
	}
}

// readScenario reads a file, or standard input for "-".
func readScenario(in io.Reader, path string) (string, error) {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, faultproxy.MaxScenario+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return string(b), nil
}
