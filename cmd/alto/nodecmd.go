package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/internal/localnet"
)

func (a *app) nodeCmd() *cobra.Command {
	c := &cobra.Command{Use: "node", Short: "Run, list, stop and restart nodes",
		Example: "  alto node list\n  alto node restart node-2\n  alto node run --home DIR"}
	c.AddCommand(a.nodeRunCmd(), a.nodeListCmd(), a.nodeVerbCmd("stop", "End one node of a running network", "Ends a node in order; the others go on."),
		a.nodeVerbCmd("restart", "Start one node of a running network again", "Ends a node if it runs, and starts it again with its data."))
	return c
}

func (a *app) nodeListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the nodes of a network", Long: "Lists the nodes of the network with their processes and addresses.",
		Example: "  alto node list\n  alto node list --network local\n  alto node list -o json", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, dir, err := a.state()
			if err != nil {
				return err
			}
			v := networkStatus(c.Context(), s, dir)
			return printList(a, v.Nodes, []string{"NODE", "PID", "API", "LISTEN", "PEERS", "CHAINS", "HEALTH"}, func(n nodeView) []any {
				health := "ok"
				if n.Error != "" {
					health = "does not answer"
				}
				return []any{n.Name, orDash(n.PID), n.API, n.Listen, n.Peers, len(n.Chains), health}
			})
		},
	}
}

func (a *app) nodeVerbCmd(verb, short, long string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NODE", Short: short, Long: long,
		Example: fmt.Sprintf("  alto node %s node-2\n  alto node %s node-0 --network local\n  alto node list     shows the names", verb, verb), Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, dir, err := a.state()
			if err != nil {
				return err
			}
			known := false
			for _, n := range s.Nodes {
				known = known || n.Name == args[0]
			}
			if !known {
				return coded(exitUsage, fmt.Errorf("network %s has no node %q%s; `alto node list` shows them", s.Name, args[0], didYouMean(args[0], nodeNames(s))))
			}
			ctx, cancel := context.WithTimeout(c.Context(), 2*time.Minute)
			defer cancel()
			if err := localnet.NewControl(dir).Node(ctx, args[0], verb); err != nil {
				return coded(exitUnhealthy, err)
			}
			a.progress("node %s: %s done", args[0], verb)
			return nil
		},
	}
}
