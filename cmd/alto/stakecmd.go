package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/plugins/consensus-dpospbft/staking"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (a *app) stakeCmd() *cobra.Command {
	c := &cobra.Command{Use: "stake", Short: "Stake, vote, and be a producer",
		Example: "  alto stake producers\n  alto stake add --from community --amount 5000\n  alto stake vote alice bob --from community"}
	c.AddCommand(a.stakeProducersCmd(), a.stakeShowCmd(), a.stakeEpochCmd(), a.stakeAddCmd(), a.stakeWithdrawCmd(), a.stakeVoteCmd(),
		a.stakeRegisterCmd(), a.stakeRotateCmd(), a.stakeProveCmd(),
		a.stakeStatusCmd("retire", types.ActionRetire, "Stop being a producer",
			"Retires the sender as a producer: it keeps a seat that it has until the epoch ends, and then gets none. Its stake stays staked until it is\nwithdrawn. `alto stake reactivate` undoes it."),
		a.stakeStatusCmd("reactivate", types.ActionReactivate, "Be a candidate again",
			"Makes the sender a candidate again, if it was jailed, excluded for silence, or has retired. One that was convicted never comes back."))
	return c
}

// stakeHints say what to do about an error of the elections.
var stakeHints = map[staking.Error]string{
	staking.ErrMinStake:         "`alto stake add` stakes more, or `alto stake register --stake TOKENS` both at once; `alto chain params` shows consensus.min_stake",
	staking.ErrExists:           "`alto stake rotate` changes its key, `alto stake reactivate` brings it back",
	staking.ErrKeyUsed:          "make a new key for the node: `alto keys new NAME --node`",
	staking.ErrPossession:       "the proof is for one account on one chain; `alto stake prove` makes it where the key is",
	staking.ErrNotProducer:      "`alto stake register` makes it one",
	staking.ErrTombstoned:       "a conviction is for ever; a new account can be registered with a new key",
	staking.ErrRetired:          "`alto stake producers` shows who can be voted for",
	staking.ErrActive:           "nothing needs to be done",
	staking.ErrUnknownProducer:  "`alto stake producers` shows who can be voted for",
	staking.ErrApprovals:        "vote for fewer; `alto chain params` shows consensus.approvals",
	staking.ErrNoStake:          "`alto stake add` stakes tokens, whose weight the vote then has",
	staking.ErrStake:            "amounts are in millionths of a token; `alto stake show` shows what is staked",
	staking.ErrTooManyUnbonding: "wait until the next amount is given back; `alto stake show` shows when",
	staking.ErrBadEvidence:      "it proves nothing on this chain",
	staking.ErrKnownEvidence:    "nothing needs to be done; `alto chain evidence` shows it",
	staking.ErrUnknownEpoch:     "`alto stake epoch` shows the epoch in force",
	staking.ErrExpired:          "the stake that it could burn has been given back",
}

// sentStake prints what became of a transaction to the consensus module, and says what to do about its errors.
func (a *app) sentStake(s *session, tx api.Tx, err error) error {
	if err != nil {
		name := client.Name(err)
		if tx.Receipt != nil {
			name = tx.Receipt.Status
		}
		if hint := stakeHints[staking.Error(name)]; hint != "" {
			err = fmt.Errorf("%w; %s", err, hint)
		}
		if name == "ErrUnknownModule" {
			err = fmt.Errorf("%w; this chain has no elections", err)
		}
	}
	return a.sent(s, tx, err)
}

// actionsOf are what a command sends; self is the sender.
type actionsOf func(s *session, ref *client.Reference, self types.AccountID) ([]types.Action, error)

// sendStake sends actions to the consensus module. gas covers them.
func (a *app) sendStake(c *cobra.Command, o *sending, gas uint64, actions actionsOf) error {
	if o.gas == 0 {
		o.gas = gas
	}
	s, tx, err := a.send(c.Context(), o, types.ModuleConsensus, actions)
	return a.sentStake(s, tx, err)
}

// stakeAction stakes an amount.
func stakeAction(amount uint64) types.Action {
	return types.Action{Name: types.ActionStake, Body: types.StakeBody{Amount: amount}.Encode(), MaxSpend: amount}
}

// stakeAmount reads the amount of a flag.
func stakeAmount(flag, text, token string) (uint64, error) {
	if text == "" {
		return 0, coded(exitUsage, fmt.Errorf("%s TOKENS is missing", flag))
	}
	v, err := parseAmount(text, token)
	if err == nil && v == 0 {
		err = fmt.Errorf("amount %q: it is nothing; the smallest is 0.000001", text)
	}
	if err != nil {
		return 0, coded(exitUsage, fmt.Errorf("%s: %w", flag, err))
	}
	return v, nil
}

func (a *app) stakeAddCmd() *cobra.Command {
	var o sending
	var amount string
	c := &cobra.Command{
		Use: "add --from NAME --amount TOKENS", Short: "Stake tokens",
		Long: "Stakes tokens of the sender. They are the weight of its vote and, if it is a producer, what it answers with for its conduct. A vote that\n" +
			"was cast counts with them at once.",
		Example: "  alto stake add --from community --amount 5000\n  alto stake add --from alice --amount 1000 --chain root\n  alto stake show community     what it has now", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.sendStake(c, &o, staking.GasStake, func(_ *session, ref *client.Reference, _ types.AccountID) ([]types.Action, error) {
				v, err := stakeAmount("--amount", amount, ref.Params.Token)
				return []types.Action{stakeAction(v)}, err
			})
		},
	}
	sendFlags(c, &o)
	c.Flags().StringVar(&amount, "amount", "", "how much, in tokens")
	return c
}

func (a *app) stakeWithdrawCmd() *cobra.Command {
	var o sending
	var amount string
	c := &cobra.Command{
		Use: "withdraw --from NAME --amount TOKENS", Short: "Take staked tokens out",
		Long: "Takes tokens out of the stake. They count no more, are held for the unbonding time, in which they can still be burned for an earlier offence,\n" +
			"and are then given back without further ado. A vote lapses when nothing is staked any more.",
		Example: "  alto stake withdraw --from community --amount 2000\n  alto stake withdraw --from alice --amount 0.5 --wait accepted\n  alto stake show community     when it is given back", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.sendStake(c, &o, staking.GasStake, func(_ *session, ref *client.Reference, _ types.AccountID) ([]types.Action, error) {
				v, err := stakeAmount("--amount", amount, ref.Params.Token)
				return []types.Action{{Name: types.ActionUnstake, Body: types.StakeBody{Amount: v}.Encode()}}, err
			})
		},
	}
	sendFlags(c, &o)
	c.Flags().StringVar(&amount, "amount", "", "how much, in tokens")
	return c
}

func (a *app) stakeVoteCmd() *cobra.Command {
	var o sending
	var none bool
	c := &cobra.Command{
		Use: "vote PRODUCER... --from NAME", Short: "Vote for producers",
		Long: "Votes for producers, each with the whole weight of what the sender has staked. The vote replaces the one before and stands until it is\n" +
			"replaced; it counts from the next election on. Producers are names of accounts or of a local network's nodes, names that producers have\n" +
			"registered under, or addresses (alto1…).",
		Example: "  alto stake vote node-0 node-1 --from community\n  alto stake vote alto1… north --from alice\n  alto stake vote --none --from alice    takes the vote back",
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && !none:
				return coded(exitUsage, errors.New("whom to vote for? Name producers, or say --none to take the vote back"))
			case len(args) > 0 && none:
				return coded(exitUsage, errors.New("--none and producers exclude each other"))
			case len(args) > types.MaxApprovals:
				return coded(exitUsage, fmt.Errorf("%d producers, at most %d can be voted for", len(args), types.MaxApprovals))
			}
			gas := uint64(staking.GasVote + staking.GasVoteApproval*(len(args)+1))
			return a.sendStake(c, &o, gas, func(s *session, _ *client.Reference, _ types.AccountID) ([]types.Action, error) {
				var b types.VoteBody
				names := &producerNames{a: a, s: s}
				for _, text := range args {
					id, err := names.account(c.Context(), text)
					if err != nil {
						return nil, err
					}
					b.Producers = append(b.Producers, id)
				}
				slices.SortFunc(b.Producers, func(x, y types.AccountID) int { return bytes.Compare(x[:], y[:]) })
				b.Producers = slices.Compact(b.Producers)
				return []types.Action{{Name: types.ActionVote, Body: b.Encode()}}, nil
			})
		},
	}
	sendFlags(c, &o)
	c.Flags().BoolVar(&none, "none", false, "take the vote back")
	return c
}

func (a *app) stakeRegisterCmd() *cobra.Command {
	var o sending
	var key, name, stake string
	c := &cobra.Command{
		Use: "register --from NAME --key KEY", Short: "Become a candidate for a seat",
		Long: "Registers the sender as a producer whose node signs with a key, which proves that it is the sender's. KEY is a node of the local network, the\n" +
			"name of a key that `alto keys new NAME --node` has made, a node's data folder, or what `alto stake prove` has printed on the machine where\n" +
			"the key is. A candidate must have staked min_stake; --stake does both in one transaction. It gets a seat when an election gives it one.",
		Example: "  alto stake register --from alice --key node-4 --stake 1000 --name north\n  alto stake register --from alice --key /srv/alto --name north\n  alto stake register --from alice --key altopub1…:5c01…",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			gas := uint64(staking.GasRegister)
			if stake != "" {
				gas += staking.GasStake
			}
			return a.sendStake(c, &o, gas, func(s *session, ref *client.Reference, self types.AccountID) ([]types.Action, error) {
				var list []types.Action
				if stake != "" {
					v, err := stakeAmount("--stake", stake, ref.Params.Token)
					if err != nil {
						return nil, err
					}
					list = append(list, stakeAction(v))
				}
				k, proof, err := a.possession(key, s.dir, ref.Chain, self)
				if err != nil {
					return nil, err
				}
				body := types.RegisterBody{Key: k, Proof: proof, Name: name}.Encode()
				if _, err := types.DecodeRegisterBody(body); err != nil {
					return nil, coded(exitUsage, fmt.Errorf("--name %q: at most %d visible ASCII characters: %w", name, types.MaxProducerNameBytes, err))
				}
				return append(list, types.Action{Name: types.ActionRegisterProducer, Body: body}), nil
			})
		},
	}
	sendFlags(c, &o)
	c.Flags().StringVar(&key, "key", "", "the node's key")
	c.Flags().StringVar(&name, "name", "", "a name for people")
	c.Flags().StringVar(&stake, "stake", "", "stake as much in the same transaction, in tokens")
	return c
}

func (a *app) stakeRotateCmd() *cobra.Command {
	var o sending
	var key string
	c := &cobra.Command{
		Use: "rotate --from NAME --key KEY", Short: "Change the key that a producer's node signs with",
		Long: "Changes the key of the sender's producer from the next set on. Until the epoch ends its node has to sign with the key of before. A key is never\n" +
			"used again. KEY is written as for `alto stake register`.",
		Example: "  alto stake rotate --from alice --key spare\n  alto stake rotate --from alice --key /srv/alto2\n  alto stake rotate --from node-0 --key spare    the founders' accounts are those of their nodes' keys",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.sendStake(c, &o, staking.GasRotate, func(s *session, ref *client.Reference, self types.AccountID) ([]types.Action, error) {
				k, proof, err := a.possession(key, s.dir, ref.Chain, self)
				return []types.Action{{Name: types.ActionRotateKey, Body: types.RotateBody{Key: k, Proof: proof}.Encode()}}, err
			})
		},
	}
	sendFlags(c, &o)
	c.Flags().StringVar(&key, "key", "", "the new key")
	return c
}

// stakeStatusCmd is a verb whose action has an empty body.
func (a *app) stakeStatusCmd(verb, action, short, long string) *cobra.Command {
	var o sending
	c := &cobra.Command{
		Use: verb + " --from NAME", Short: short, Long: long,
		Example: fmt.Sprintf("  alto stake %s --from alice\n  alto stake %s --from node-0    a founder of a local network\n  alto stake %s --from alice --chain root -o json", verb, verb, verb),
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.sendStake(c, &o, staking.GasStatus, func(*session, *client.Reference, types.AccountID) ([]types.Action, error) {
				return []types.Action{{Name: action}}, nil
			})
		},
	}
	sendFlags(c, &o)
	return c
}

func (a *app) stakeProveCmd() *cobra.Command {
	var t target
	var key string
	c := &cobra.Command{
		Use: "prove ACCOUNT --key KEY", Short: "Show that a key belongs to an account",
		Long: "Signs with a node's key for an account on a chain, and prints key and signature: what `alto stake register` and `alto stake rotate` take as\n" +
			"KEY on another machine, where the account's key is. It gives nobody any power over the node's key.",
		Example: "  alto stake prove alto1… --key /srv/alto --api 127.0.0.1:26657\n  alto stake prove alice --key node-4\n  alto stake prove alto1… --key spare -o json", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.connect(c.Context(), t)
			if err != nil {
				return err
			}
			defer s.Close()
			ref, err := s.Reference(c.Context(), s.chain)
			if err != nil {
				return err
			}
			id, err := a.account(args[0], s.dir)
			if err != nil {
				return err
			}
			k, proof, err := a.possession(key, s.dir, ref.Chain, id)
			if err != nil {
				return err
			}
			v := struct {
				Key     types.PublicKey `json:"key"`
				Account types.AccountID `json:"account"`
				Chain   types.ChainID   `json:"chain"`
				Proof   string          `json:"proof"`
			}{k, id, ref.Chain, fmt.Sprintf("%s:%x", k, proof)}
			return a.print(v, func() { fmt.Fprintln(a.out, v.Proof) })
		},
	}
	targetFlags(c, &t)
	c.Flags().StringVar(&key, "key", "", "the node's key")
	return c
}
