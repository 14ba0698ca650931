package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/core/signer"
	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// keyView is an account key as commands print it.
type keyView struct {
	Name      string          `json:"name"`
	Account   types.AccountID `json:"account"`
	Key       types.PublicKey `json:"key"`
	Encrypted bool            `json:"encrypted"`
	Of        string          `json:"of"` // "user", or the network that it was made for
}

func (a *app) keysCmd() *cobra.Command {
	c := &cobra.Command{Use: "keys", Short: "Make and list account keys", Example: "  alto keys new alice\n  alto keys list\n  alto keys list -o json"}
	c.AddCommand(a.keysNewCmd(), a.keysListCmd())
	return c
}

func (a *app) keysNewCmd() *cobra.Command {
	var node bool
	c := &cobra.Command{
		Use: "new NAME", Short: "Make an account key, or a node's",
		Long: "Makes a key and keeps it under ALTO_HOME/keys. Its name is accepted wherever an account is asked for. With ALTO_PASSPHRASE set the key\n" +
			"is encrypted; otherwise it lies there in plain text, readable by its owner only. With --node it is a node's key, which signs blocks and\n" +
			"votes behind a guard; its public half is what a producer block of a spec names, and its folder what `alto node run` expects as keys/.",
		Example: "  alto keys new alice\n  ALTO_PASSPHRASE=… alto keys new treasury\n  alto keys new bob -o json", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			store, err := signer.OpenKeystore(filepath.Join(a.home, "keys"), signer.KeystoreOptions{})
			if err != nil {
				return coded(exitConfig, err)
			}
			pass := os.Getenv("ALTO_PASSPHRASE")
			role := signer.RoleWallet
			if node {
				role = signer.RoleNode
			}
			k, err := store.Create(args[0], role, pass)
			if err != nil {
				return coded(exitConfig, err)
			}
			v := keyView{args[0], types.SingleKeyAuthority(k).ID(), k, pass != "", "user"}
			return a.print(v, func() {
				if node {
					fmt.Fprintf(a.out, "%s  %s\n", v.Name, v.Key)
				} else {
					fmt.Fprintf(a.out, "%s  %s\n", v.Name, v.Account)
				}
				if !v.Encrypted {
					a.progress("the key is not encrypted; set ALTO_PASSPHRASE to make encrypted ones")
				}
			})
		},
	}
	c.Flags().BoolVar(&node, "node", false, "a node's key instead of an account's")
	return c
}

func (a *app) keysListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List account keys", Long: "Lists the user's keys and those that local networks made for their genesis accounts.",
		Example: "  alto keys list\n  alto keys list --network local\n  alto keys list -o jsonl", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			folders := map[string]string{"user": filepath.Join(a.home, "keys")}
			order := []string{"user"}
			names := a.networkNames()
			if a.network != "" {
				names = []string{a.network}
			}
			for _, n := range names {
				order, folders[n] = append(order, n), localnet.KeysDir(localnet.Dir(a.home, n))
			}
			list := []keyView{}
			for _, of := range order {
				if _, err := os.Stat(folders[of]); err != nil {
					continue
				}
				store, err := signer.OpenKeystore(folders[of], signer.KeystoreOptions{})
				if err != nil {
					return coded(exitConfig, err)
				}
				entries, err := store.List()
				if err != nil {
					return coded(exitConfig, err)
				}
				for _, e := range entries {
					if e.Err != nil {
						a.progress("%s: %v", e.Name, e.Err)
						continue
					}
					if e.Role == signer.RoleWallet {
						list = append(list, keyView{e.Name, types.SingleKeyAuthority(e.Public).ID(), e.Public, e.Encrypted, of})
					}
				}
			}
			return printList(a, list, []string{"NAME", "ACCOUNT", "OF"}, func(k keyView) []any { return []any{k.Name, k.Account, k.Of} })
		},
	}
}
