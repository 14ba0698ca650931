package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// claimView is a claim of a lock.
type claimView struct {
	Lock        types.Hash `json:"lock"`
	Transaction types.TxID `json:"transaction"`
	Height      uint64     `json:"height,omitempty"`
	Status      string     `json:"status,omitempty"` // of the transaction
	Code        string     `json:"code"`             // hexadecimal
	Evidence    string     `json:"evidence"`         // hexadecimal
	Asm         string     `json:"asm"`              // of the evidence; empty if it can't be disassembled
}

func (a *app) contractEvidenceCmd() *cobra.Command {
	var t target
	var out, lock string
	var first uint64
	c := &cobra.Command{
		Use: "evidence LOCK|TX", Short: "Show what a lock was claimed with",
		Long: "Shows the evidence with which a lock was claimed: everybody can read it, as in a swap, where who takes one side shows the secret that opens the\n" +
			"other. With a lock, looks for its newest claim in the final blocks, backwards; one that the chain has refused is public, too, and is shown if\n" +
			"none was taken. With a transaction, shows all that it claims, or what --lock names. --out writes the evidence to a new file, as bytecode, for\n" +
			"`alto contract claim --evidence`.",
		Example: "  alto contract evidence 9c1f… --chain child --out secret.hex\n  alto contract evidence 1f3a… --lock 9c1f…\n  alto contract evidence 9c1f… --since 5000 -o json", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := types.ParseHash(args[0])
			if err != nil {
				return coded(exitUsage, err)
			}
			var only *types.Hash
			if lock != "" {
				l, err := lockArg(lock)
				if err != nil {
					return err
				}
				only = &l
			}
			s, err := a.connect(c.Context(), t)
			if err != nil {
				return err
			}
			defer s.Close()
			list, err := a.claims(c.Context(), s, id, only, first)
			if err != nil {
				return err
			}
			if out != "" {
				if len(list) != 1 {
					return coded(exitUsage, fmt.Errorf("transaction %s has %d claims: --lock chooses the one for --out", id, len(list)))
				}
				if err := newFile(out, list[0].Evidence+"\n"); err != nil {
					return err
				}
			}
			a.disassemble(c.Context(), s, list)
			return a.print(list, func() {
				for _, v := range list {
					fmt.Fprintf(a.out, "lock %s\n", v.Lock)
					if v.Status != types.StatusOK && v.Status != "" {
						fmt.Fprintf(a.out, "the chain has refused this claim: %s\n", printable(v.Status))
					}
					switch {
					case v.Evidence == "":
						fmt.Fprintln(a.out, "no evidence")
					case v.Asm == "":
						fmt.Fprintf(a.out, "bytecode %s\n", v.Evidence)
					default:
						fmt.Fprint(a.out, v.Asm)
					}
				}
			})
		},
	}
	targetFlags(c, &t)
	c.Flags().StringVar(&out, "out", "", "write the evidence to a new file, as hexadecimal digits")
	c.Flags().StringVar(&lock, "lock", "", "of a transaction with several claims, that of this lock")
	c.Flags().Uint64Var(&first, "since", 0, "the height at which to stop looking for a lock's claim")
	return c
}

// newFile writes a file that must not be there yet.
func newFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return coded(exitConfig, fmt.Errorf("%s exists already; give another --out, or remove it", path))
	}
	if err != nil {
		return coded(exitConfig, err)
	}
	_, err = f.WriteString(text)
	return coded(exitConfig, errors.Join(err, f.Close()))
}

// disassemble fills in what evidence looks like, where that can be told: a claim that was refused may hold anything.
func (a *app) disassemble(ctx context.Context, s *session, list []claimView) {
	err := chainVM(ctx, s, func(m *openVM) error {
		for i := range list {
			b, err := hex.DecodeString(list[i].Evidence)
			if err != nil || len(b) == 0 {
				continue
			}
			if list[i].Asm, err = m.Disassemble(ctx, b); err != nil {
				a.progress("warning: the evidence is not what this VM knows: %s", printable(err.Error()))
			}
		}
		return nil
	})
	if err != nil {
		a.progress("warning: the evidence can't be disassembled: %s", printable(err.Error()))
	}
}

// claims finds the claims of a transaction, or the newest of a lock.
func (a *app) claims(ctx context.Context, s *session, id types.Hash, only *types.Hash, first uint64) ([]claimView, error) {
	tx, err := s.Tx(ctx, s.chain, id)
	if err != nil {
		return nil, err
	}
	if tx.Stage == api.Unknown || len(tx.Envelope) == 0 {
		v, err := a.lastClaim(ctx, s, id, first)
		return []claimView{v}, err
	}
	status := ""
	if tx.Receipt != nil {
		status = tx.Receipt.Status
	}
	list, err := claimsOf(tx.Envelope, only)
	for i := range list {
		list[i].Transaction, list[i].Height, list[i].Status = id, tx.Height, status
	}
	if err == nil && len(list) == 0 {
		err = errors.New("it claims no such lock; `alto tx show` tells what it does")
	}
	if err != nil {
		err = fmt.Errorf("transaction %s on chain %s: %w", id, s.chain, err)
	}
	return list, err
}

// claimsOf lists the claims of an envelope, of one lock only if there is one.
func claimsOf(envelope []byte, only *types.Hash) (out []claimView, err error) {
	env, err := types.DecodeEnvelope(envelope)
	if err != nil {
		return nil, err
	}
	t, err := types.DecodeTransaction(env.Raw)
	if err != nil || t.Module != types.ModuleContract {
		return nil, err
	}
	for _, action := range t.Actions {
		if action.Name != types.ActionClaim {
			continue
		}
		b, err := types.DecodeClaimBody(action.Body)
		if err != nil || only != nil && b.Lock != *only {
			continue // malformed, the chain refuses it
		}
		out = append(out, claimView{Lock: b.Lock, Code: hex.EncodeToString(b.Code), Evidence: hex.EncodeToString(b.Evidence)})
	}
	return out, nil
}

// searchBlocks is how many blocks are read at a time.
const searchBlocks = 100

// lastClaim looks for the newest claim of a lock in the final blocks, from the newest one back. The newest that was taken comes before
// every other, and after it there is none that could be.
func (a *app) lastClaim(ctx context.Context, s *session, lock types.Hash, first uint64) (claimView, error) {
	ref, err := s.Reference(ctx, s.chain)
	if err != nil {
		return claimView{}, err
	}
	var refused *claimView
	first = max(first, 1)
	for end := ref.Height; end >= first; {
		begin := max(first, end-min(end, searchBlocks-1))
		taken, other, err := claimsIn(ctx, s, lock, begin, end)
		if err != nil {
			return claimView{}, err
		}
		if taken != nil {
			return *taken, nil
		}
		if refused == nil {
			refused = other
		}
		end = begin - 1
	}
	if refused != nil {
		return *refused, nil
	}
	return claimView{}, coded(exitFailed, fmt.Errorf("%s is neither a transaction that the node knows nor a lock that was claimed in the final blocks %d to %d of chain %s; "+
		"`alto contract show` shows a lock, another --node may know more", lock, first, ref.Height, s.chain))
}

// claimsIn returns the last claim of a lock, in blocks of a range of heights, that was taken, and the last one that was not.
func claimsIn(ctx context.Context, s *session, lock types.Hash, begin, end uint64) (taken, refused *claimView, err error) {
	for at := begin; at <= end; {
		blocks, next, err := s.Blocks(ctx, s.chain, at, int(end-at+1), client.DetailBody)
		if err != nil {
			return nil, nil, err
		}
		for _, b := range blocks {
			body, err := types.DecodeBody(b.Body)
			if err != nil {
				return nil, nil, fmt.Errorf("block %d of chain %s: %w", b.Header.Height, s.chain, err)
			}
			for i, envelope := range body.Txs {
				list, err := claimsOf(envelope, &lock)
				if err != nil || len(list) == 0 || i >= len(b.TxIDs) || i >= len(b.Receipts) {
					continue
				}
				v := list[len(list)-1]
				if v.Transaction, v.Height, v.Status = b.TxIDs[i], b.Header.Height, b.Receipts[i].Status; v.Status == types.StatusOK {
					taken = &v
				} else {
					refused = &v
				}
			}
		}
		if next <= at {
			break // the node has no more
		}
		at = next
	}
	return taken, refused, nil
}
