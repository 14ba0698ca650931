package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// blockView is a final block as commands print it.
type blockView struct {
	Height       uint64        `json:"height"`
	ID           types.BlockID `json:"id"`
	Slot         uint64        `json:"slot"`
	Clock        uint64        `json:"clock"`
	Parent       types.BlockID `json:"parent"`
	Producer     types.Hash    `json:"producer"`
	Transactions int           `json:"transactions"`
	StateRoot    types.Hash    `json:"state_root"` // after the parent
	Certified    int           `json:"certified_by,omitempty"`
	IDs          []types.TxID  `json:"ids,omitempty"`
	Statuses     []string      `json:"statuses,omitempty"`
}

func viewBlock(b *api.Block) blockView {
	v := blockView{Height: b.Header.Height, ID: b.ID, Slot: b.Header.Slot, Clock: b.Header.Clock, Parent: b.Header.Parent,
		Producer: b.Header.Producer, Transactions: b.TxCount, StateRoot: b.Header.StateRoot, IDs: b.TxIDs}
	if b.Certificate != nil {
		v.Certified = len(b.Certificate.Signatures)
	}
	for i := range b.TxIDs {
		if i < len(b.Receipts) {
			v.Statuses = append(v.Statuses, b.Receipts[i].Status)
		}
	}
	return v
}

func (a *app) blockCmd() *cobra.Command {
	c := &cobra.Command{Use: "block", Short: "Look at final blocks", Example: "  alto block show\n  alto block show 41\n  alto block list --limit 5"}
	c.AddCommand(a.blockShowCmd(), a.blockListCmd())
	return c
}

func (a *app) blockShowCmd() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "show [HEIGHT]", Short: "Show a final block", Long: "Shows a final block with its transactions; the newest one if no height is given.",
		Example: "  alto block show\n  alto block show 41\n  alto block show 41 --node node-3 -o json", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.connect(c.Context(), t)
			if err != nil {
				return err
			}
			defer s.Close()
			var height uint64
			if len(args) > 0 {
				if height, err = strconv.ParseUint(args[0], 10, 64); err != nil {
					return coded(exitUsage, fmt.Errorf("height %q is not a number", args[0]))
				}
			} else {
				ref, err := s.Reference(c.Context(), s.chain)
				if err != nil {
					return err
				}
				height = ref.Height
			}
			b, err := s.Block(c.Context(), s.chain, height, client.DetailReceipts)
			if err != nil {
				return err
			}
			v := viewBlock(b)
			return a.print(v, func() {
				fmt.Fprintf(a.out, "block %d of chain %s\n  id        %s\n  slot      %d, clock %d\n  parent    %s\n  producer  %s\n  state     %s (after the parent)\n",
					v.Height, s.chain, v.ID, v.Slot, v.Clock, v.Parent, v.Producer.Short(), v.StateRoot)
				if v.Certified > 0 {
					fmt.Fprintf(a.out, "  certified by %d producers\n", v.Certified)
				}
				fmt.Fprintf(a.out, "  transactions %d\n", v.Transactions)
				for i, id := range v.IDs {
					fmt.Fprintf(a.out, "    %s %s\n", id, v.Statuses[i])
				}
			})
		},
	}
	targetFlags(c, &t)
	return c
}

func (a *app) blockListCmd() *cobra.Command {
	var t target
	var limit int
	var from uint64
	c := &cobra.Command{
		Use: "list", Short: "List final blocks", Long: "Lists final blocks in ascending order: the newest, or those from a height on.",
		Example: "  alto block list\n  alto block list --from 1 --limit 50\n  alto block list -o jsonl", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 1 || limit > 100 {
				return coded(exitUsage, fmt.Errorf("--limit %d: must be 1 to 100", limit))
			}
			s, err := a.connect(c.Context(), t)
			if err != nil {
				return err
			}
			defer s.Close()
			if !c.Flags().Changed("from") {
				ref, err := s.Reference(c.Context(), s.chain)
				if err != nil {
					return err
				}
				from = ref.Height - min(ref.Height, uint64(limit-1))
			}
			blocks, _, err := s.Blocks(c.Context(), s.chain, from, limit, client.DetailHeader)
			if err != nil {
				return err
			}
			list := make([]blockView, 0, len(blocks))
			for _, b := range blocks {
				list = append(list, viewBlock(b))
			}
			return printList(a, list, []string{"HEIGHT", "SLOT", "ID", "PRODUCER", "TXS"}, func(b blockView) []any {
				return []any{b.Height, b.Slot, b.ID.Short(), b.Producer.Short(), b.Transactions}
			})
		},
	}
	targetFlags(c, &t)
	c.Flags().IntVar(&limit, "limit", 20, "how many, 1 to 100")
	c.Flags().Uint64Var(&from, "from", 0, "height to begin at (default: so that the newest block is the last)")
	return c
}
