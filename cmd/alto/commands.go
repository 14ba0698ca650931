package main

import "github.com/spf13/cobra"

// commands are the verbs, one file each.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.validateCmd(), a.fmtCmd(), a.genesisCmd(),
		a.upCmd(), a.downCmd(), a.devCmd(), a.statusCmd(), a.logsCmd(),
		a.chainCmd(), a.nodeCmd(), a.pluginCmd(), a.keysCmd(), a.accountCmd(), a.txCmd(), a.queryCmd(), a.blockCmd(), a.vmCmd(), a.contractCmd(), a.oracleCmd(), a.stakeCmd(), a.netCmd(),
		a.versionCmd(),
	}
}
