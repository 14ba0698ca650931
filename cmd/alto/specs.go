package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/cmd/builtin"
)

// lockedSchemas are the built-in plugins and those that the lock file beside a spec describes.
func lockedSchemas(folder string) (chainspec.Schemas, *chainspec.Lock, chainspec.Diagnostics) {
	base := builtin.Describe()
	path := filepath.Join(folder, chainspec.LockFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return base, &chainspec.Lock{}, nil
	}
	l, diags := chainspec.ReadLock(path)
	if diags.HasErrors() {
		return nil, nil, diags
	}
	return l.With(base), l, diags
}

// nodeSchemas are what a node's configuration is checked against; the supervisor puts the lock file beside it.
func nodeSchemas(home string) chainspec.Schemas {
	s, _, diags := lockedSchemas(home)
	if diags.HasErrors() {
		return builtin.Describe()
	}
	return s
}

// loaded is a spec that has been read, and what goes with it.
type loaded struct {
	spec    *chainspec.Spec
	schemas chainspec.Schemas
	lock    *chainspec.Lock
	folder  string
}

// load reads a spec and shows what is wrong with it.
func (a *app) load(path string, vars []string) (*loaded, error) {
	l, diags, err := a.read(path, vars)
	if err != nil {
		return nil, err
	}
	if len(diags) > 0 {
		err := a.showDiagnostics(diags)
		if diags.HasErrors() {
			return nil, told(exitConfig, err)
		}
	}
	return l, nil
}

// read reads a spec and shows nothing. There is a spec only if there are no errors among the diagnostics.
func (a *app) read(path string, vars []string) (*loaded, chainspec.Diagnostics, error) {
	values, err := parseVars(vars)
	if err != nil {
		return nil, nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, coded(exitConfig, err)
	}
	l := &loaded{folder: filepath.Dir(abs)}
	var diags chainspec.Diagnostics
	if l.schemas, l.lock, diags = lockedSchemas(l.folder); diags.HasErrors() {
		return l, diags, nil
	}
	l.spec, diags = chainspec.Load(path, chainspec.Options{Vars: values, Schemas: l.schemas, Version: version})
	if !diags.HasErrors() {
		l.spec.File = abs
	}
	return l, diags, nil
}

func parseVars(vars []string) (map[string]string, error) {
	out := map[string]string{}
	for _, v := range vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, coded(exitUsage, fmt.Errorf("--var %q: write NAME=VALUE", v))
		}
		out[name] = value
	}
	return out, nil
}

// showDiagnostics prints diagnostics to standard error and returns them as an error.
func (a *app) showDiagnostics(d chainspec.Diagnostics) error {
	if a.output == "table" {
		_ = d.WriteText(a.err)
	} else {
		e := json.NewEncoder(a.err)
		if a.output == "json" {
			e.SetIndent("", "  ")
			_ = e.Encode(d)
		} else {
			for _, x := range d {
				_ = e.Encode(x)
			}
		}
	}
	return d.Err()
}

// sources are the spec's external plugins with absolute paths and the digests that the lock file, or the spec, pins.
func (l *loaded) sources() ([]chainspec.PluginSource, error) {
	var out []chainspec.PluginSource
	for _, p := range l.spec.Plugins {
		if !filepath.IsAbs(p.Source) {
			p.Source = filepath.Join(l.folder, p.Source)
		}
		if p.SHA256 == "" {
			d, err := l.lock.Digest(p.Name, runtime.GOOS, runtime.GOARCH)
			if err != nil {
				return nil, coded(exitConfig, fmt.Errorf("plugin %q (%s): %w", p.Name, p.Source, err))
			}
			p.SHA256 = d
		}
		out = append(out, p)
	}
	return out, nil
}

func (a *app) validateCmd() *cobra.Command {
	var vars []string
	c := &cobra.Command{
		Use:   "validate SPEC",
		Short: "Check a spec without running anything",
		Long: "Reads a spec and reports everything that is wrong with it, with file, line and column. Plugins that are not built in are checked\n" +
			"against the schema in the lock file; no plugin is started.",
		Example: "  alto validate examples/quickstart.hcl\n  alto validate my.hcl --var shards=4\n  alto validate my.hcl -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := a.load(args[0], vars)
			if err != nil {
				return err
			}
			if _, err := l.sources(); err != nil {
				return err
			}
			if a.output != "table" {
				return a.print(l.spec, nil)
			}
			fmt.Fprintf(a.out, "%s is valid: %d chain(s), %d network(s)\n", args[0], len(l.spec.Chains), len(l.spec.Networks))
			return nil
		},
	}
	c.Flags().StringArrayVar(&vars, "var", nil, "set a variable of the spec, NAME=VALUE; may be repeated")
	return c
}

func (a *app) fmtCmd() *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use:     "fmt SPEC...",
		Short:   "Rewrite specs in the canonical format",
		Long:    "Rewrites each file in the canonical format and prints the names of those that it changed. With --check nothing is written.",
		Example: "  alto fmt my.hcl\n  alto fmt examples/*.hcl\n  alto fmt --check my.hcl     exit code 2 if it is not formatted",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			different := false
			for _, path := range args {
				src, err := os.ReadFile(path)
				if err != nil {
					return coded(exitConfig, err)
				}
				out, diags := chainspec.Format(src, path)
				if diags.HasErrors() {
					return told(exitConfig, a.showDiagnostics(diags))
				}
				if string(out) == string(src) {
					continue
				}
				different = true
				fmt.Fprintln(a.out, path)
				if check {
					continue
				}
				st, err := os.Stat(path)
				if err != nil {
					return err
				}
				if err := os.WriteFile(path, out, st.Mode().Perm()); err != nil {
					return err
				}
			}
			if check && different {
				return coded(exitDifferent, errors.New("not formatted; `alto fmt` without --check mends it"))
			}
			return nil
		},
	}
	c.Flags().BoolVar(&check, "check", false, "only say which files are not formatted")
	return c
}
