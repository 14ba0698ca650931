package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/cmd/builtin"
	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

func (a *app) pluginCmd() *cobra.Command {
	c := &cobra.Command{Use: "plugin", Short: "List plugins, and pin external ones",
		Example: "  alto plugin list\n  alto plugin lock my.hcl\n  alto plugin list -o json"}
	c.AddCommand(a.pluginListCmd(), a.pluginLockCmd())
	return c
}

// pluginInfoView is a plugin as alto plugin list prints it.
type pluginInfoView struct {
	Name       string             `json:"name"`
	Kind       plugin.Kind        `json:"kind"`
	Version    string             `json:"version"`
	Rules      []string           `json:"rules"`
	API        plugin.Range       `json:"api"`
	From       string             `json:"from"`
	Attributes []plugin.Attribute `json:"attributes"`
}

func (a *app) pluginListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the plugins that specs can name", Long: "Lists the built-in plugins, and those of the lock file in the current folder, with their settings as JSON on demand.",
		Example: "  alto plugin list\n  alto plugin list -o json\n  alto plugin list -o jsonl", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var list []pluginInfoView
			for _, i := range builtin.Describe() {
				for _, k := range i.Kinds {
					list = append(list, pluginInfoView{i.Name, k.Kind, i.Version, k.Rules, i.API, "built in", k.Schema.Attributes})
				}
			}
			_, lock, diags := lockedSchemas(".")
			if diags.HasErrors() {
				return told(exitConfig, a.showDiagnostics(diags))
			}
			for _, p := range lock.Plugins {
				for _, k := range p.Info.Kinds {
					list = append(list, pluginInfoView{p.Info.Name, k.Kind, p.Info.Version, k.Rules, p.Info.API, chainspec.LockFile, k.Schema.Attributes})
				}
			}
			return printList(a, list, []string{"KIND", "NAME", "VERSION", "RULES", "FROM", "SETTINGS"}, func(p pluginInfoView) []any {
				var names []string
				for _, at := range p.Attributes {
					names = append(names, at.Name)
				}
				return []any{p.Kind, p.Name, p.Version, strings.Join(p.Rules, ","), p.From, strings.Join(names, " ")}
			})
		},
	}
}

func (a *app) pluginLockCmd() *cobra.Command {
	var vars []string
	c := &cobra.Command{
		Use: "lock SPEC", Short: "Pin the external plugins of a spec",
		Long: "Starts each external plugin of the spec once, in its cage, asks what it is, and writes version, API range, settings and the SHA-256 of the file\n" +
			"to " + chainspec.LockFile + " beside the spec. Nodes refuse to run anything else.",
		Example: "  alto plugin lock my.hcl\n  alto plugin lock my.hcl --var build=debug\n  alto validate my.hcl     checks the spec against the pinned settings",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			values, err := parseVars(vars)
			if err != nil {
				return err
			}
			sources, diags := chainspec.LoadPlugins(args[0], chainspec.Options{Vars: values, Version: version})
			if diags.HasErrors() {
				return told(exitConfig, a.showDiagnostics(diags))
			}
			return a.lock(c.Context(), args[0], sources)
		},
	}
	c.Flags().StringArrayVar(&vars, "var", nil, "set a variable of the spec, NAME=VALUE; may be repeated")
	return c
}

// lock asks each plugin what it is and writes the lock file.
func (a *app) lock(ctx context.Context, spec string, sources []chainspec.PluginSource) (err error) {
	folder := filepath.Dir(spec)
	path := filepath.Join(folder, chainspec.LockFile)
	_, l, diags := lockedSchemas(folder)
	if diags.HasErrors() {
		return told(exitConfig, a.showDiagnostics(diags))
	}
	h, err := host.New(host.Options{})
	if err != nil {
		return coded(exitPlugin, err)
	}
	defer func() { err = errors.Join(err, h.Close(context.WithoutCancel(ctx))) }()
	platform := chainspec.Platform(runtime.GOOS, runtime.GOARCH)
	for _, s := range sources {
		file := s.Source
		if !filepath.IsAbs(file) {
			file = filepath.Join(folder, file)
		}
		sctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		p, err := h.Start(sctx, host.Spec{Name: s.Name, Path: file, Unpinned: true})
		cancel()
		if err != nil {
			return coded(exitPlugin, err)
		}
		info := p.Info()
		info.Name = s.Name // what the spec calls it
		entry := chainspec.LockedPlugin{Info: info, Source: s.Source, SHA256: map[string]string{platform: p.Digest()}}
		if old := l.Find(s.Name); old != nil {
			if old.Info.Version == info.Version {
				for k, v := range old.SHA256 {
					if k != platform {
						entry.SHA256[k] = v
					}
				}
			}
			*old = entry
		} else {
			l.Plugins = append(l.Plugins, entry)
		}
		a.progress("%s %s: sha256 %s (%s)", s.Name, info.Version, p.Digest(), platform)
	}
	if err := chainspec.WriteLock(path, l); err != nil {
		return coded(exitConfig, err)
	}
	fmt.Fprintln(a.out, path)
	return nil
}
