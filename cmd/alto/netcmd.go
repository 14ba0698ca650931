package main

import "github.com/spf13/cobra"

func (a *app) netCmd() *cobra.Command {
	c := &cobra.Command{Use: "net", Short: "Look at the links between nodes, measure them, make them bad",
		Example: "  alto net topology\n  alto net probe node-0 node-1\n  alto net faults set loss=5% delay=80ms"}
	c.AddCommand(a.netTopologyCmd(), a.netProbeCmd(), a.netFaultsCmd(), a.netPlainCmd())
	return c
}
