package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// version of the framework.
const version = chainspec.FrameworkVersion

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Long: "Prints the version of alto, the revision it was built from, and the range of plugin APIs it speaks.",
		Example: "  alto version\n  alto version -o json\n  alto version -o jsonl", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version   string       `json:"version"`
				Revision  string       `json:"revision,omitempty"`
				Go        string       `json:"go"`
				Platform  string       `json:"platform"`
				PluginAPI plugin.Range `json:"plugin_api"`
			}{version, revision(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, plugin.API}
			return a.print(v, func() {
				fmt.Fprintf(a.out, "alto %s", v.Version)
				if v.Revision != "" {
					fmt.Fprintf(a.out, " (%.12s)", v.Revision)
				}
				fmt.Fprintf(a.out, ", plugin API %d to %d, %s, %s\n", v.PluginAPI.Min, v.PluginAPI.Max, v.Go, v.Platform)
			})
		},
	}
}

func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
