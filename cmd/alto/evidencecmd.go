package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/evidence"
	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/staking"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (a *app) chainEvidenceCmd() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "evidence", Short: "List the convictions of a chain's producers, and submit evidence",
		Long: "Lists the evidence that a chain has accepted: who signed two things that exclude each other, in which slot, and what of its stake was burned.\n" +
			"Nodes find and submit evidence themselves; nobody has to do anything.",
		Example: "  alto chain evidence\n  alto chain evidence --chain root -o json\n  alto chain evidence submit proof.hex --from community", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.connect(c.Context(), t)
			if err != nil {
				return err
			}
			defer s.Close()
			list, err := convictions(c.Context(), s)
			if err != nil {
				return err
			}
			return printList(a, list, []string{"EPOCH", "SEAT", "PRODUCER", "KIND", "SLOT", "BLOCK", "BURNED", "EVIDENCE"}, func(v staking.Conviction) []any {
				return []any{v.Epoch, v.Seat, v.Producer, v.Kind, v.Slot, v.Height, amountText(v.Slashed), v.ID.Short()}
			})
		},
	}
	targetFlags(c, &t)
	c.AddCommand(a.evidenceSubmitCmd())
	return c
}

// maxConvictions bounds a listing. A seat is convicted once an epoch.
const maxConvictions = 10_000

func convictions(ctx context.Context, s *session) (all []staking.Conviction, err error) {
	path := fmt.Sprintf("%s?limit=%d", staking.PathEvidence, staking.MaxPage)
	for next := path; len(all) < maxConvictions; {
		p, err := askStake[staking.Convictions](ctx, s, next)
		if err != nil {
			return nil, err
		}
		all = append(all, p.Evidence...)
		if p.Next == "" {
			break
		}
		next = path + "&after=" + p.Next
	}
	return all, nil
}

// maxEvidenceFile bounds what is read: a transaction in hexadecimal.
const maxEvidenceFile = 4 * types.MaxTxBytes

func (a *app) evidenceSubmitCmd() *cobra.Command {
	var o sending
	c := &cobra.Command{
		Use: "submit FILE --from NAME", Short: "Submit evidence against a producer",
		Long: "Submits evidence, which a file holds in binary or hexadecimal, as a transaction; \"-\" reads standard input. Anybody may do this, for the fee. If\n" +
			"the chain accepts it, the producer loses its seat for ever and a share of its stake, and the epoch ends early.",
		Example: "  alto chain evidence submit proof.hex --from community\n  alto chain evidence submit proof.bin --from alice --chain root\n  alto chain evidence submit - --from alice", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			raw, err := a.readEvidence(args[0])
			if err != nil {
				return err
			}
			ev, err := evidence.Decode(raw)
			if err != nil {
				return coded(exitConfig, fmt.Errorf("%s: %w", args[0], err))
			}
			a.progress("evidence %s: %s by seat %d in slot %d of epoch %d", ev.ID().Short(), ev.Kind, ev.Seat, ev.Slot, ev.Epoch)
			body := types.EvidenceBody{Evidence: raw}.Encode()
			gas := uint64(staking.GasEvidence + staking.GasEvidenceByte*len(body))
			return a.sendStake(c, &o, gas, func(*session, *client.Reference, types.AccountID) ([]types.Action, error) {
				return []types.Action{{Name: types.ActionEvidence, Body: body}}, nil
			})
		},
	}
	sendFlags(c, &o)
	return c
}

// readEvidence reads a file, or standard input, in binary or in hexadecimal.
func (a *app) readEvidence(path string) ([]byte, error) {
	in := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, coded(exitConfig, err)
		}
		defer f.Close() //nolint:errcheck // it is only read
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxEvidenceFile+1))
	if err != nil {
		return nil, coded(exitConfig, fmt.Errorf("%s: %w", path, err))
	}
	if len(raw) > maxEvidenceFile {
		return nil, coded(exitConfig, fmt.Errorf("%s: it has more than %d bytes, and is no evidence", path, maxEvidenceFile))
	}
	if text := bytes.Join(bytes.Fields(raw), nil); len(text) > 0 {
		if b, err := hex.AppendDecode(nil, text); err == nil {
			return b, nil
		}
	}
	return raw, nil
}
