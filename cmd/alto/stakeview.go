package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/staking"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// askStake asks the consensus module.
func askStake[T any](ctx context.Context, s *session, path string) (v T, err error) {
	b, _, err := s.Query(ctx, s.chain, types.ModuleConsensus, path, nil)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if client.Name(err) == "ErrUnknownModule" {
		err = coded(exitConfig, fmt.Errorf("chain %s has no elections: %w", s.chain, err))
	}
	return v, err
}

// producers returns the schedule, and others beside it up to a number of them: first the candidates by rank, then those whom
// nobody votes for or who cannot be elected.
func producers(ctx context.Context, s *session, standbys int) (staking.Producers, error) {
	var all staking.Producers
	after := ""
	for first := true; first || (all.Next != "" && len(all.Standbys) < standbys); first = false {
		p, err := askStake[staking.Producers](ctx, s, fmt.Sprintf("%s?limit=%d%s", staking.PathProducers, staking.MaxPage, after))
		if err != nil {
			return all, err
		}
		if first {
			all = p
		} else {
			all.Standbys, all.Next = append(all.Standbys, p.Standbys...), p.Next
		}
		after = "&after=" + all.Next
	}
	listed := map[types.AccountID]bool{}
	for _, p := range append(all.Schedule, all.Standbys...) {
		listed[p.Account] = true
	}
	path := fmt.Sprintf("%s?limit=%d", staking.PathAll, staking.MaxPage)
	for next := path; all.Next == "" && len(all.Standbys) <= standbys; {
		p, err := askStake[staking.All](ctx, s, next)
		if err != nil {
			return all, err
		}
		for _, x := range p.Producers {
			if !listed[x.Account] {
				all.Standbys = append(all.Standbys, x)
			}
		}
		if p.Next == "" {
			break
		}
		next = path + "&after=" + p.Next
	}
	if len(all.Standbys) > standbys {
		all.Standbys, all.Next = all.Standbys[:standbys], "more"
	}
	return all, nil
}

// maxNamed bounds the candidates that a name is looked up among.
const maxNamed = 1000

// producerNames finds producers by name.
type producerNames struct {
	a     *app
	s     *session
	known []staking.Producer
	asked bool
}

// account turns what a user calls a producer into its account.
func (p *producerNames) account(ctx context.Context, text string) (types.AccountID, error) {
	id, err := p.a.account(text, p.s.dir)
	if err == nil || strings.HasPrefix(text, "alto1") {
		return id, err
	}
	if !p.asked {
		all, qerr := producers(ctx, p.s, maxNamed)
		if qerr != nil {
			return id, qerr
		}
		p.known, p.asked = append(all.Schedule, all.Standbys...), true
		if qerr := nameFounders(ctx, p.s, p.known); qerr != nil {
			return id, qerr
		}
	}
	var found []types.AccountID
	for _, x := range p.known {
		if x.Name == text {
			found = append(found, x.Account)
		}
	}
	switch len(found) {
	case 0:
		return id, fmt.Errorf("%w; no producer has registered under that name either: `alto stake producers` shows who has", err)
	case 1:
		return found[0], nil
	}
	return id, coded(exitUsage, fmt.Errorf("%d producers call themselves %q; say which by address: %v", len(found), text, found))
}

// nameFounders gives the producers of the genesis set the names that the genesis document has for them.
func nameFounders(ctx context.Context, s *session, list []staking.Producer) error {
	info, err := s.Chain(ctx, s.chain)
	if err != nil {
		return err
	}
	g, err := chainspec.DecodeGenesis(info.Genesis)
	if err != nil {
		return err
	}
	names := map[types.AccountID]string{}
	for _, p := range g.Producers {
		names[types.SingleKeyAuthority(p.Key).ID()] = p.Name
	}
	for i := range list {
		if p := &list[i]; p.Name == "" {
			p.Name = names[p.Account]
		}
	}
	return nil
}

func (a *app) stakeProducersCmd() *cobra.Command {
	var t target
	limit := 50
	c := &cobra.Command{
		Use: "producers", Short: "List the producers of the epoch, and the candidates",
		Long: "Lists those who have a seat, in the order of their turns, and below them the other candidates by votes. Missed slots and turns count from the\n" +
			"beginning of the epoch; LAST is the slot of the last block. A standby gets a seat when its votes suffice; one that is jailed or excluded\n" +
			"comes back by `alto stake reactivate`, one that is tombstoned never.",
		Example: "  alto stake producers\n  alto stake producers --chain root --limit 200\n  alto stake producers -o json", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 0 {
				return coded(exitUsage, fmt.Errorf("--limit %d: it cannot be negative", limit))
			}
			s, err := a.connect(c.Context(), t)
			if err != nil {
				return err
			}
			defer s.Close()
			all, err := producers(c.Context(), s, limit)
			if err != nil {
				return err
			}
			list := append(all.Schedule, all.Standbys...)
			if err := nameFounders(c.Context(), s, list); err != nil {
				return err
			}
			err = printList(a, list, []string{"SEAT", "NAME", "ACCOUNT", "KEY", "VOTES", "STAKE", "MISSED", "LAST", "STATE"}, func(p staking.Producer) []any {
				seat, name, missed, last := any("-"), p.Name, any("-"), any("-")
				if p.Seat != nil {
					seat, missed = *p.Seat, fmt.Sprintf("%d (%d turns)", p.MissedSlots, p.MissedTurns)
				}
				if name == "" {
					name = "-"
				}
				if p.LastSlot > 0 {
					last = p.LastSlot
				}
				return []any{seat, name, p.Account, keyText(p.Key), votesText(p.Votes), amountText(p.Stake), missed, last, p.State}
			})
			if err == nil && all.Next != "" {
				a.progress("there are more candidates; --limit %d shows more", 2*max(limit, 1))
			}
			return err
		},
	}
	targetFlags(c, &t)
	c.Flags().IntVar(&limit, "limit", limit, "how many candidates without a seat")
	return c
}

// keyText is enough of a key to tell it from others.
func keyText(k types.PublicKey) string {
	s := k.String()
	return s[:min(len(s), 18)] + "…"
}

// votesText writes votes, which may be more than 64 bits hold, in tokens.
func votesText(votes string) string {
	v, ok := new(big.Int).SetString(votes, 10)
	if !ok {
		return votes
	}
	if v.IsUint64() {
		return amountText(v.Uint64())
	}
	return v.Div(v, big.NewInt(unit)).String()
}

// stakeView is an account's stake as commands print it.
type stakeView struct {
	Chain string `json:"chain"`
	staking.Account
	Producer *staking.Producer `json:"producer,omitempty"`
}

func (a *app) stakeShowCmd() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "show ACCOUNT", Short: "Show what an account has staked, and its vote",
		Long: "Shows what an account has staked, what of it has been taken out and when it is given back, whom it votes for and, if it is a producer, how it\n" +
			"stands. Names are those of `alto stake vote`.",
		Example: "  alto stake show community\n  alto stake show node-0\n  alto stake show alto1… -o json", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.connect(c.Context(), t)
			if err != nil {
				return err
			}
			defer s.Close()
			id, err := (&producerNames{a: a, s: s}).account(c.Context(), args[0])
			if err != nil {
				return err
			}
			v := stakeView{Chain: s.chain}
			if v.Account, err = askStake[staking.Account](c.Context(), s, staking.PathAccount+id.String()); err != nil {
				return err
			}
			p, err := askStake[staking.Producer](c.Context(), s, staking.PathProducer+id.String())
			if err == nil {
				v.Producer = &p
			} else if client.Name(err) != api.ErrUnknownPath.Error() {
				return err
			}
			ref, err := s.Reference(c.Context(), s.chain)
			if err != nil {
				return err
			}
			return a.print(v, func() { a.printStake(v, ref) })
		},
	}
	targetFlags(c, &t)
	return c
}

func (a *app) printStake(v stakeView, ref *client.Reference) {
	token := ref.Params.Token
	fmt.Fprintf(a.out, "account %s\n  chain     %s\n  stake     %s %s\n", v.Account.Account, v.Chain, amountText(v.Stake), token)
	for _, u := range v.Unbonding {
		fmt.Fprintf(a.out, "  unbonding %s %s, given back at clock %d (%s)\n", amountText(u.Amount), token, u.Clock, inTicks(u.Clock, ref.Clock, ref.Params.SlotMs))
	}
	for i, p := range v.Approvals {
		if i == 0 {
			fmt.Fprintf(a.out, "  vote      %s for each of\n", votesText(v.Votes))
		}
		fmt.Fprintf(a.out, "            %s\n", p)
	}
	if len(v.Approvals) == 0 {
		fmt.Fprintf(a.out, "  vote      for nobody\n")
	}
	if p := v.Producer; p != nil {
		fmt.Fprintf(a.out, "  producer  %s, votes %s, key %s\n", p.State, votesText(p.Votes), p.Key)
		if p.NextKey != "" {
			fmt.Fprintf(a.out, "  next key  %s\n", p.NextKey)
		}
		if p.Seat != nil {
			fmt.Fprintf(a.out, "  seat      %d; %d blocks made, %d slots and %d turns missed in this epoch\n", *p.Seat, p.Produced, p.MissedSlots, p.MissedTurns)
		}
	}
}

// inTicks says how far a clock or slot lies ahead.
func inTicks(at, now, slotMs uint64) string {
	if at <= now {
		return "now"
	}
	d := time.Duration(min(at-now, 1<<32)) * time.Duration(slotMs) * time.Millisecond
	return "in about " + chainspec.FormatDuration(d.Round(time.Second))
}

// epochView is the epoch as commands print it.
type epochView struct {
	Chain string `json:"chain"`
	staking.Epoch
	SetHash types.Hash `json:"set_hash"`
}

func (a *app) stakeEpochCmd() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "epoch", Short: "Show the epoch: when it ends, and who comes next",
		Long: "Shows the epoch in force, its first slot and the first in which the next election is due, and the next set while it waits for the block that\n" +
			"closes the epoch.",
		Example: "  alto stake epoch\n  alto stake epoch --chain root --node node-2\n  alto stake epoch -o json", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.connect(c.Context(), t)
			if err != nil {
				return err
			}
			defer s.Close()
			v := epochView{Chain: s.chain}
			if v.Epoch, err = askStake[staking.Epoch](c.Context(), s, staking.PathEpoch); err != nil {
				return err
			}
			set, err := askStake[staking.Set](c.Context(), s, fmt.Sprintf("%s/%d", staking.PathSet, v.Epoch.Epoch))
			if err != nil {
				return err
			}
			v.SetHash = set.Hash
			ref, err := s.Reference(c.Context(), s.chain)
			if err != nil {
				return err
			}
			return a.print(v, func() {
				fmt.Fprintf(a.out, "epoch %d of chain %s\n  began    slot %d\n  election slot %d (%s)\n  seats    %d, set %s\n  now      slot %d, block %d\n", v.Epoch.Epoch, v.Chain,
					v.StartSlot, v.EndSlot, inTicks(v.EndSlot, v.Slot, ref.Params.SlotMs), v.Seats, v.SetHash, v.Slot, v.Height)
				if v.Closing != "" {
					fmt.Fprintf(a.out, "  closing  %s; the next set is\n", v.Closing)
				}
				for i, m := range v.Next {
					fmt.Fprintf(a.out, "    %3d    %s  %s\n", i, m.Account, m.Key)
				}
			})
		},
	}
	targetFlags(c, &t)
	return c
}
