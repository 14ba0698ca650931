package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (a *app) genesisCmd() *cobra.Command {
	var vars []string
	var chain, out string
	var timeMs uint64
	c := &cobra.Command{
		Use: "genesis SPEC", Short: "Write the resolved genesis document of a chain",
		Long: "Resolves a chain of a spec that names its producers and accounts, and writes the document: canonical JSON, whose hash is the chain's id. For a\n" +
			"network that is up, `alto chain show NAME -o json` has the document. A chain without producers' keys gets them from `alto up`.",
		Example: "  alto genesis my.hcl --chain root --time-ms 1790000000000\n  alto genesis my.hcl --out root.genesis.json\n  alto genesis examples/quickstart.hcl      for a network that was up: its documents",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			l, err := a.load(args[0], vars)
			if err != nil {
				return err
			}
			name := chain
			if name == "" {
				if len(l.spec.Chains) != 1 {
					return coded(exitUsage, fmt.Errorf("%s has %d chains; choose one with --chain NAME", args[0], len(l.spec.Chains)))
				}
				name = l.spec.Chains[0].Name
			}
			doc, id, err := a.genesisOf(l, name, timeMs)
			if err != nil {
				return coded(exitConfig, err)
			}
			if out == "" {
				if a.onTerminal() { // a file has the document's bytes alone, whose hash is the id
					doc = append(doc, '\n')
				}
				_, err = a.out.Write(doc)
			} else {
				err = os.WriteFile(out, doc, 0o644)
			}
			if err == nil {
				a.progress("chain %s has id %s", name, id)
			}
			return err
		},
	}
	c.Flags().StringArrayVar(&vars, "var", nil, "set a variable of the spec, NAME=VALUE; may be repeated")
	c.Flags().StringVar(&chain, "chain", "", "which chain of the spec")
	c.Flags().StringVar(&out, "out", "", "file to write to (default: standard output)")
	c.Flags().Uint64Var(&timeMs, "time-ms", 0, "when slot 0 begins, in Unix milliseconds (default: now)")
	return c
}

// genesisOf returns the document that a network of this user has of the chain, or resolves it from the spec alone.
func (a *app) genesisOf(l *loaded, name string, timeMs uint64) ([]byte, types.ChainID, error) {
	c := l.spec.Chain(name)
	if c == nil {
		return nil, types.ChainID{}, fmt.Errorf("%s has no chain %q", l.spec.File, name)
	}
	if timeMs == 0 {
		if n, err := l.spec.Network(a.network); err == nil {
			dir := localnet.Dir(a.home, n.Name)
			if s, err := localnet.ReadState(dir); err == nil && s.Spec == l.spec.File {
				for _, have := range s.Chains {
					if have.Name == name && !have.Spawned {
						b, err := s.Document(dir, have)
						return b, have.ID, err
					}
				}
			}
		}
		timeMs = uint64(time.Now().UnixMilli())
	}
	if len(c.Genesis.Producers) == 0 {
		return nil, types.ChainID{}, fmt.Errorf("chain %q names no producers by key, so its document cannot be made from %s alone; `alto up` makes keys for a local network, or add producer blocks with keys (`alto keys new NAME --node`)",
			name, filepath.Base(l.spec.File))
	}
	in := chainspec.ResolveInput{TimeMs: timeMs, Rules: chainspec.NewestRules(l.schemas), Account: func(alloc string) (types.AccountID, error) {
		id, err := a.account(alloc, "")
		if err != nil {
			return id, fmt.Errorf("allocation %q names no account, and there is no key of that name (`alto keys new %s` makes one)", alloc, alloc)
		}
		return id, nil
	}}
	if c.Parent != "" {
		_, id, err := a.genesisOf(l, c.Parent, timeMs)
		if err != nil {
			return nil, id, err
		}
		in.Parent = &id
	}
	g, err := chainspec.Resolve(c, in)
	if err != nil {
		return nil, types.ChainID{}, err
	}
	if g == nil {
		return nil, types.ChainID{}, errors.New("no document")
	}
	return g.Encode(), g.ID(), nil
}
