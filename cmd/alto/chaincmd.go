package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (a *app) chainCmd() *cobra.Command {
	c := &cobra.Command{Use: "chain", Short: "List, show and spawn chains, change their parameters, prove what is final",
		Example: "  alto chain list\n  alto chain show root\n  alto chain spawn --parent root my.hcl"}
	c.AddCommand(a.chainListCmd(), a.chainShowCmd(), a.chainSpawnCmd(), a.chainParamsCmd(), a.chainEvidenceCmd(), a.chainCertificateCmd())
	return c
}

func (a *app) chainListCmd() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "list", Short: "List the chains that a node runs", Long: "Lists the chains that a node runs, roots and children.",
		Example: "  alto chain list\n  alto chain list --node node-2\n  alto chain list -o json", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.connect(c.Context(), t)
			if err != nil && s == nil {
				return err
			}
			defer s.Close()
			list, err := s.Chains(c.Context())
			if err != nil {
				return err
			}
			names := map[string]string{}
			views := make([]chainView, 0, len(list))
			for _, x := range list {
				names[x.ID.String()] = x.Name
				views = append(views, viewChain(x))
			}
			return printList(a, views, []string{"CHAIN", "ID", "PARENT", "FINAL", "PRODUCERS", "HEALTH"}, func(v chainView) []any {
				health, parent := "ok", names[v.Parent]
				if v.Halted != "" {
					health = "halted"
				}
				if v.Parent == "" {
					parent = "-"
				} else if parent == "" {
					parent = short(v.Parent)
				}
				return []any{v.Name, v.ID, parent, v.Final, v.Producers, health}
			})
		},
	}
	targetFlags(c, &t)
	return c
}

func (a *app) chainShowCmd() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "show CHAIN", Short: "Show a chain: where it stands, its rules, its genesis document",
		Long:    "Shows a chain with its producers, fees and limits. With -o json the genesis document is included.",
		Example: "  alto chain show root\n  alto chain show root --node node-2\n  alto chain show root -o json", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			t.chain = args[0]
			s, err := a.connect(c.Context(), t)
			if err != nil {
				return err
			}
			defer s.Close()
			info, err := s.Chain(c.Context(), s.chain)
			if err != nil {
				return err
			}
			g, err := chainspec.DecodeGenesis(info.Genesis)
			if err != nil {
				return err
			}
			v := struct {
				chainView
				Modules []string        `json:"modules"`
				Genesis json.RawMessage `json:"genesis"`
			}{viewChain(info.Status), info.Params.Modules, info.Genesis}
			return a.print(v, func() {
				fmt.Fprintf(a.out, "chain %s\n  id         %s\n", g.Name, g.ID())
				if g.Parent != nil {
					fmt.Fprintf(a.out, "  parent     %s\n", g.Parent)
				}
				fmt.Fprintf(a.out, "  final      block %d, slot %d (now %d, of %d ms)\n", v.Final, info.Status.FinalSlot, v.Slot, g.SlotMs)
				fmt.Fprintf(a.out, "  token      %s, supply %s, burned %s\n", g.Token, amountText(g.Supply), amountText(v.Burned))
				fmt.Fprintf(a.out, "  consensus  %s, rules %s\n", g.Consensus.Plugin, g.Consensus.Rules)
				for _, r := range []struct {
					kind string
					r    *chainspec.Rules
				}{{"vm", g.VM}, {"oracle", g.Oracle}} {
					if r.r != nil {
						fmt.Fprintf(a.out, "  %-10s %s, rules %s\n", r.kind, r.r.Plugin, r.r.Rules)
					}
				}
				fmt.Fprintf(a.out, "  modules    %v\n  fees       floor %s, per byte %s, per gas %s\n  block      %d bytes, %d gas\n", v.Modules, amountText(info.Params.Fees.Floor),
					amountText(info.Params.Fees.PerByte), amountText(info.Params.Fees.PerGas), g.Limits.BlockBytes, g.Limits.BlockGas)
				for _, p := range g.Producers {
					fmt.Fprintf(a.out, "  producer   %-10s %s\n", p.Name, p.Key)
				}
			})
		},
	}
	targetFlags(c, &t)
	return c
}

func (a *app) chainSpawnCmd() *cobra.Command {
	var o sending
	var vars []string
	var chain string
	c := &cobra.Command{
		Use: "spawn --parent CHAIN SPEC", Short: "Add a child chain to a running network",
		Long: "Resolves a chain of a spec, records its genesis document in a transaction on the parent, and waits until the child has a final block on\n" +
			"every node. The nodes start the child from the record; none is restarted. The network's first nodes get its seats.",
		Example: "  alto chain spawn --parent root my.hcl\n  alto chain spawn --parent root my.hcl --child games --from community\n  alto chain spawn --parent root my.hcl --var slot=250ms",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			l, err := a.load(args[0], vars)
			if err != nil {
				return err
			}
			return a.spawn(c.Context(), l, chain, &o)
		},
	}
	sendFlags(c, &o)
	c.Flags().StringVar(&o.chain, "parent", "", "the chain that records the child, by name or id")
	c.Flags().StringVar(&chain, "child", "", "which chain of the spec (default: the only one)")
	c.Flags().StringArrayVar(&vars, "var", nil, "set a variable of the spec, NAME=VALUE; may be repeated")
	_ = c.Flags().MarkHidden("chain")
	_ = c.Flags().MarkHidden("wait")
	return c
}

func (a *app) spawn(ctx context.Context, l *loaded, name string, o *sending) error {
	st, dir, err := a.state()
	if err != nil {
		return err
	}
	child, err := childOf(l, name)
	if err != nil {
		return coded(exitUsage, err)
	}
	for _, have := range st.Chains {
		if have.Name == child.Name {
			return coded(exitConfig, fmt.Errorf("network %s has a chain %q already (%s)", st.Name, child.Name, have.ID.Short()))
		}
	}
	if o.from == "" {
		if o.from = st.Faucet; o.from == "" {
			return coded(exitUsage, errors.New("--from NAME is missing: the account that pays for the record"))
		}
	}
	var doc []byte
	var id types.ChainID
	s, tx, err := a.send(ctx, o, types.ModuleChains, func(s *session, ref *client.Reference, _ types.AccountID) ([]types.Action, error) {
		g, err := resolveChild(l, child, st, dir, ref.Chain)
		if err != nil {
			return nil, coded(exitConfig, err)
		}
		doc, id = g.Encode(), g.ID()
		if len(doc) > types.MaxGenesisBytes {
			return nil, coded(exitConfig, fmt.Errorf("the genesis document has %d bytes, a record holds %d", len(doc), types.MaxGenesisBytes))
		}
		return []types.Action{{Name: "spawn", Body: types.SpawnBody{Genesis: doc}.Encode()}}, nil
	})
	if err != nil {
		return err
	}
	a.progress("chain %s is recorded on %s in block %d, transaction %s", child.Name, s.chain, tx.Height, tx.ID)
	rec := localnet.Chain{Name: child.Name, ID: id, Parent: s.chain, Spawned: true}
	if err := localnet.AddChain(dir, rec, doc); err != nil {
		return err
	}
	wctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	only := *st
	only.Chains = []localnet.Chain{rec}
	if err := waitFinal(wctx, &only, func(string, ...any) {}); err != nil {
		return startFailed(ctx, wctx, err)
	}
	return a.print(struct {
		Chain string        `json:"chain"`
		ID    types.ChainID `json:"id"`
		Tx    types.TxID    `json:"transaction"`
	}{child.Name, id, tx.ID}, func() { fmt.Fprintf(a.out, "chain %s runs on %d nodes: %s\n", child.Name, len(st.Nodes), id) })
}

// childOf chooses the chain of a spec that is to be spawned.
func childOf(l *loaded, name string) (*chainspec.Chain, error) {
	if name != "" {
		if c := l.spec.Chain(name); c != nil {
			return c, nil
		}
		return nil, fmt.Errorf("%s has no chain %q", l.spec.File, name)
	}
	if len(l.spec.Chains) != 1 {
		return nil, fmt.Errorf("%s has %d chains; choose one with --child NAME", l.spec.File, len(l.spec.Chains))
	}
	return l.spec.Chains[0], nil
}

// spawnDelay is how far ahead a child's slot 0 lies, so that its nodes are there when it begins.
const spawnDelay = 2 * time.Second

func resolveChild(l *loaded, c *chainspec.Chain, st *localnet.State, dir string, parent types.ChainID) (*chainspec.Genesis, error) {
	producers, err := localnet.Producers(c, st.Nodes)
	if err != nil {
		return nil, err
	}
	in := chainspec.ResolveInput{TimeMs: uint64(time.Now().Add(spawnDelay).UnixMilli()), Parent: &parent, Producers: producers,
		Account: localnet.AccountKeys(dir), Rules: chainspec.NewestRules(l.schemas)}
	return chainspec.Resolve(c, in)
}
