package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/agext/levenshtein"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/cmd/builtin"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/node"
	"github.com/paloalto-chain/paloalto/sdk"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// serveName is what a built-in plugin is called on the command line of its process, such as "vm-forth".
func serveName(kind plugin.Kind, name string) string { return string(kind) + "-" + name }

// servePlugin serves a built-in plugin, or runs the shim that cages one, if that is what the arguments ask for. It comes before
// everything else, so that a plugin's process does nothing but serve.
func servePlugin(args []string) bool {
	if len(args) < 3 || args[1] != "plugin" {
		return false
	}
	switch args[2] {
	case "exec-shim":
		host.RunShim(args[3:])
		return true
	case "serve":
		if len(args) != 4 || strings.HasPrefix(args[3], "-") {
			return false
		}
		for _, p := range builtin.Plugins() {
			for _, k := range p.Describe().Kinds {
				if serveName(k.Kind, p.Describe().Name) == args[3] {
					sdk.Serve(p)
					return true
				}
			}
		}
		fmt.Fprintf(os.Stderr, "alto: no built-in plugin is called %q; `alto plugin list` shows them\n", args[3])
		os.Exit(exitUsage)
	}
	return false
}

// catalog tells a node where its plugins come from. It implements node.Catalog.
type catalog struct {
	known    builtin.Schemas
	external []chainspec.PluginSource
	base     string // folder that relative paths of external plugins start from
	inside   bool   // built-in plugins in this process: the yardstick of what processes cost
}

func (c catalog) Find(kind plugin.Kind, name string) (node.Source, error) {
	for _, e := range c.external {
		if e.Name != name {
			continue
		}
		path := e.Source
		if !filepath.IsAbs(path) {
			path = filepath.Join(c.base, path)
		}
		return node.Source{Spec: host.Spec{Name: name, Path: path, SHA256: e.SHA256}}, nil
	}
	for _, p := range builtin.Plugins() {
		i := p.Describe()
		if _, ok := i.Find(kind); !ok || i.Name != name {
			continue
		}
		if c.inside {
			return node.Source{InProcess: p}, nil
		}
		return node.Source{Spec: host.Spec{Name: serveName(kind, name), Builtin: true}}, nil
	}
	names := c.known.Names(kind)
	return node.Source{}, fmt.Errorf("there is no %s plugin %q; built in: %s%s", kind, name, strings.Join(names, ", "), didYouMean(name, names))
}

// didYouMean suggests the nearest of some names.
func didYouMean(name string, names []string) string {
	best, limit := "", max(2, len(name)/3)
	for _, n := range names {
		if d := levenshtein.Distance(name, n, nil); d <= limit {
			best, limit = n, d-1
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}
