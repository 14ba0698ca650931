package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// lockView is a lock as commands print it.
type lockView struct {
	Chain string `json:"chain"`
	types.LockView
}

func (a *app) contractShowCmd() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "show LOCK", Short: "Show a lock",
		Long: "Shows a lock: who has paid how much, between whom which contract shares it out, until when it can be claimed, and a claim that waits. A lock\n" +
			"that is paid out is gone; the receipts of the transactions that paid it tell where it went.",
		Example: "  alto contract show 9c1f…\n  alto contract show 9c1f… --chain root --node node-2\n  alto contract show 9c1f… -o json", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := lockArg(args[0])
			if err != nil {
				return err
			}
			s, err := a.connect(c.Context(), t)
			if err != nil {
				return err
			}
			defer s.Close()
			l, err := s.Lock(c.Context(), s.chain, id)
			if err != nil {
				return contractHint(err, "")
			}
			ref, err := s.Reference(c.Context(), s.chain)
			if err != nil {
				return err
			}
			v := lockView{s.chain, l}
			return a.print(v, func() { a.printLock(v, ref) })
		},
	}
	targetFlags(c, &t)
	return c
}

func (a *app) printLock(v lockView, ref *client.Reference) {
	token, in := ref.Params.Token, func(clock uint64) string { return inTicks(clock, ref.Clock, ref.Params.SlotMs) }
	fmt.Fprintf(a.out, "lock %s\n  chain    %s\n  state    %s\n  amount   %s %s, paid by %s\n  first    %s\n  second   %s\n  contract %s\n", v.ID, v.Chain, v.State,
		amountText(v.Amount), token, v.Payer, v.Participants[0], v.Participants[1], v.Code)
	fmt.Fprintf(a.out, "  deadline clock %d (%s)\n", v.Deadline, in(v.Deadline))
	if x := v.Closing; x != nil {
		fmt.Fprintf(a.out, "  closing  with nonce %d: %s %s to the first, %s %s to the second\n  due      clock %d (%s)\n", x.Nonce, amountText(x.First), token,
			amountText(v.Amount-min(x.First, v.Amount)), token, x.Due, in(x.Due))
	}
	switch v.State {
	case types.LockOpen:
		fmt.Fprintf(a.out, "  `alto contract claim %s CODE` has it shared out\n", v.ID)
	case types.LockClosing:
		fmt.Fprintf(a.out, "  `alto contract settle %s` pays it out from then on; until then `alto contract claim %s CODE` can take its place, with a higher nonce\n", v.ID, v.ID)
	case types.LockExpired:
		fmt.Fprintf(a.out, "  `alto contract refund %s` gives it back\n", v.ID)
	case types.LockDue:
		fmt.Fprintf(a.out, "  `alto contract settle %s` pays it out\n", v.ID)
	}
}

func (a *app) contractListCmd() *cobra.Command {
	var t target
	var least string
	limit := 50
	c := &cobra.Command{
		Use: "list ACCOUNT", Short: "List the locks of an account",
		Long: "Lists the locks that an account has paid for, or is a participant of, and that are not paid out yet. STATE is open until the deadline, then\n" +
			"expired; closing while a claim waits, then due. The largest amounts come first: anybody can make locks of next to nothing for an account.",
		Example: "  alto contract list alice\n  alto contract list alto1… --chain root --min-amount 0.5 --limit 200\n  alto contract list alice -o json", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if limit < 1 {
				return coded(exitUsage, fmt.Errorf("--limit %d: it is at least 1", limit))
			}
			s, err := a.connect(c.Context(), t)
			if err != nil {
				return err
			}
			defer s.Close()
			id, err := a.account(args[0], s.dir)
			if err != nil {
				return err
			}
			var floor uint64
			if least != "" {
				ref, err := s.Reference(c.Context(), s.chain)
				if err != nil {
					return err
				}
				if floor, err = stakeAmount("--min-amount", least, ref.Params.Token); err != nil {
					return err
				}
			}
			list, more, err := allLocks(c.Context(), s, id, floor)
			if err != nil {
				return contractHint(err, "")
			}
			if more {
				a.progress("warning: there are more than %d locks; those behind them are not shown", mostLocks)
			}
			hidden := max(len(list)-limit, 0)
			list = list[:len(list)-hidden]
			err = printList(a, list, []string{"LOCK", "STATE", "AMOUNT", "ROLE", "DEADLINE", "DUE"}, func(v types.LockView) []any {
				due := any("-")
				if v.Closing != nil {
					due = v.Closing.Due
				}
				return []any{v.ID, v.State, amountText(v.Amount), roleIn(&v.Lock, id), v.Deadline, due}
			})
			if err == nil && hidden > 0 {
				a.progress("there are %d more locks, of no larger amounts; --limit %d shows more", hidden, 2*limit)
			}
			return err
		},
	}
	targetFlags(c, &t)
	c.Flags().IntVar(&limit, "limit", limit, "how many")
	c.Flags().StringVar(&least, "min-amount", "", "only those of at least so many tokens")
	return c
}

// mostLocks is how many locks of an account are looked through.
const mostLocks = 10_000

// allLocks returns the locks of an account that hold at least an amount, the largest first. more tells whether there are further ones
// that were not looked at.
func allLocks(ctx context.Context, s *session, account types.AccountID, least uint64) (list []types.LockView, more bool, err error) {
	var after *types.Hash
	for seen := 0; seen < mostLocks; {
		p, err := s.Locks(ctx, s.chain, account, after, types.MaxLockPage)
		if err != nil {
			return nil, false, err
		}
		for _, l := range p.Locks {
			if l.Amount >= least {
				list = append(list, l)
			}
		}
		seen += max(len(p.Locks), 1)
		if after = p.Next; after == nil {
			break
		}
	}
	slices.SortStableFunc(list, func(a, b types.LockView) int { return cmp.Compare(b.Amount, a.Amount) })
	return list, after != nil, nil
}

// roleIn says what an account is to a lock.
func roleIn(l *types.Lock, id types.AccountID) string {
	role := []string{"payer", "first", "second"}[l.Index(id)+1]
	if l.Payer == id && role != "payer" {
		role += ", payer"
	}
	return role
}
