package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// accountView is an account as commands print it.
type accountView struct {
	Account     types.AccountID  `json:"account"`
	Chain       string           `json:"chain"`
	Token       string           `json:"token"`
	Balance     uint64           `json:"balance,string"` // smallest unit
	Locked      uint64           `json:"locked,string"`
	Free        uint64           `json:"free,string"`
	Height      uint64           `json:"height"`
	Revealed    bool             `json:"revealed"` // its authority is in the state
	Permissions []permissionView `json:"permissions,omitempty"`
	Guard       string           `json:"guard,omitempty"`
}

type permissionView struct {
	Name      string   `json:"name"`
	Parent    string   `json:"parent,omitempty"`
	Threshold uint32   `json:"threshold"`
	Keys      []string `json:"keys,omitempty"`
	Accounts  []string `json:"accounts,omitempty"`
}

func (a *app) accountCmd() *cobra.Command {
	c := &cobra.Command{Use: "account", Short: "Look at accounts",
		Example: "  alto account show community\n  alto account show alto1…\n  alto account show community -o json"}
	c.AddCommand(a.accountShowCmd())
	return c
}

func (a *app) accountShowCmd() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "show ACCOUNT", Short: "Show a balance and who may act for the account",
		Long:    "Shows an account as of the newest final block: balance, what of it is not vested yet, and the tree of permissions.",
		Example: "  alto account show community\n  alto account show alto1… --chain root\n  alto account show community -o json", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.connect(c.Context(), t)
			if err != nil {
				return err
			}
			defer s.Close()
			id, err := a.account(args[0], s.dir)
			if err != nil {
				return err
			}
			info, err := s.Chain(c.Context(), s.chain)
			if err != nil {
				return err
			}
			acc, err := s.Account(c.Context(), s.chain, id)
			if err != nil {
				return err
			}
			v := accountView{Account: id, Chain: s.chain, Token: info.Params.Token, Balance: acc.Balance, Locked: acc.Locked, Free: acc.Free,
				Height: acc.Height, Revealed: acc.Authority != nil}
			if acc.Authority != nil {
				v.Guard = acc.Authority.Guard
				for _, p := range acc.Authority.Permissions {
					v.Permissions = append(v.Permissions, viewPermission(p))
				}
			}
			return a.print(v, func() { a.printAccount(v) })
		},
	}
	targetFlags(c, &t)
	return c
}

func viewPermission(p types.Permission) permissionView {
	v := permissionView{Name: p.Name, Parent: p.Parent, Threshold: p.Threshold}
	for _, k := range p.Keys {
		v.Keys = append(v.Keys, fmt.Sprintf("%s (weight %d)", k.Key.Short(), k.Weight))
	}
	for _, x := range p.Accounts {
		v.Accounts = append(v.Accounts, fmt.Sprintf("%s@%s (weight %d)", x.Account, x.Permission, x.Weight))
	}
	return v
}

func (a *app) printAccount(v accountView) {
	fmt.Fprintf(a.out, "account %s\n  chain    %s, as of block %d\n  balance  %s %s\n", v.Account, v.Chain, v.Height, amountText(v.Balance), v.Token)
	if v.Locked > 0 {
		fmt.Fprintf(a.out, "  vesting  %s %s are not free yet\n", amountText(v.Locked), v.Token)
	}
	if !v.Revealed {
		fmt.Fprintln(a.out, "  rights   its key alone; its first transaction will reveal them")
	}
	for _, p := range v.Permissions {
		fmt.Fprintf(a.out, "  %-8s threshold %d of %s\n", p.Name, p.Threshold, strings.Join(append(p.Keys, p.Accounts...), ", "))
	}
}
