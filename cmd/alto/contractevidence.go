package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// claimView is what a transaction has claimed a lock with.
type claimView struct {
	Lock     types.Hash `json:"lock"`
	Code     string     `json:"code"`     // hexadecimal
	Evidence string     `json:"evidence"` // hexadecimal
	Asm      string     `json:"asm"`      // of the evidence
	Status   string     `json:"status,omitempty"`
}

func (a *app) contractEvidenceCmd() *cobra.Command {
	var t target
	var out string
	c := &cobra.Command{
		Use: "evidence TX", Short: "Show what a lock was claimed with",
		Long: "Shows the evidence with which a transaction has claimed a lock: everybody can read it, as in a swap, where who takes one side shows the secret\n" +
			"that opens the other. --out writes it as bytecode, for `alto contract claim --evidence`.",
		Example: "  alto contract evidence 1f3a…\n  alto contract evidence 1f3a… --chain child --out secret.hex\n  alto contract evidence 1f3a… -o json", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := types.ParseHash(args[0])
			if err != nil {
				return coded(exitUsage, err)
			}
			s, err := a.connect(c.Context(), t)
			if err != nil {
				return err
			}
			defer s.Close()
			tx, err := s.Tx(c.Context(), s.chain, id)
			if err != nil {
				return err
			}
			claim, err := claimOf(tx)
			if err != nil {
				return fmt.Errorf("transaction %s on chain %s: %w", id, s.chain, err)
			}
			v := claimView{Lock: claim.Lock, Code: hex.EncodeToString(claim.Code), Evidence: hex.EncodeToString(claim.Evidence)}
			if tx.Receipt != nil {
				v.Status = tx.Receipt.Status
			}
			if len(claim.Evidence) > 0 {
				err = chainVM(c.Context(), s, func(m *openVM) (err error) {
					v.Asm, err = m.Disassemble(c.Context(), claim.Evidence)
					return err
				})
				if err != nil {
					return err
				}
			}
			if out != "" {
				if err := os.WriteFile(out, []byte(v.Evidence+"\n"), 0o644); err != nil {
					return coded(exitConfig, err)
				}
			}
			return a.print(v, func() {
				fmt.Fprintf(a.out, "lock %s\n", v.Lock)
				if v.Asm == "" {
					fmt.Fprintln(a.out, "no evidence")
				}
				fmt.Fprint(a.out, v.Asm)
			})
		},
	}
	targetFlags(c, &t)
	c.Flags().StringVar(&out, "out", "", "write the evidence to a file, as hexadecimal digits")
	return c
}

// claimOf finds the one claim of a transaction.
func claimOf(tx api.Tx) (claim types.ClaimBody, err error) {
	if tx.Stage == api.Unknown || len(tx.Envelope) == 0 {
		return claim, errors.New("the node does not know it; another --node may")
	}
	env, err := types.DecodeEnvelope(tx.Envelope)
	if err != nil {
		return claim, err
	}
	t, err := types.DecodeTransaction(env.Raw)
	if err != nil {
		return claim, err
	}
	found := 0
	for _, action := range t.Actions {
		if t.Module == types.ModuleContract && action.Name == "claim" {
			found++
			if claim, err = types.DecodeClaimBody(action.Body); err != nil {
				return claim, err
			}
		}
	}
	if found != 1 {
		return claim, fmt.Errorf("it has %d claims of locks, not one; `alto tx show` tells what it does", found)
	}
	return claim, nil
}
