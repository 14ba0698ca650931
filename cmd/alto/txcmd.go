package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// targetFlags adds the flags that choose node and chain.
func targetFlags(c *cobra.Command, t *target) {
	c.Flags().StringVar(&t.chain, "chain", "", "the chain, by name or id (default: the only one, or the only root)")
	c.Flags().StringVar(&t.node, "node", "", "the node to ask (default: the first that answers)")
	c.Flags().StringVar(&t.api, "api", "", "the address of a node to ask, host:port, instead of a local network's")
}

func (a *app) txCmd() *cobra.Command {
	c := &cobra.Command{Use: "tx", Short: "Send and follow transactions",
		Example: "  alto tx send --from community --to consultants --amount 1.5\n  alto tx call names claim --text alice --from community\n  alto tx wait ID"}
	c.AddCommand(a.txSendCmd(), a.txCallCmd(), a.txShowCmd(), a.txWaitCmd())
	return c
}

// waits are the values of --wait.
func parseWait(s string) (api.Stage, error) {
	switch s {
	case "accepted":
		return client.Accepted, nil
	case "included":
		return client.Included, nil
	case "final":
		return client.Final, nil
	}
	return 0, coded(exitUsage, fmt.Errorf("--wait %q: must be accepted, included or final", s))
}

// sending is what all commands that send a transaction have in common.
type sending struct {
	target
	from, wait, maxFee string
	gas                uint64
	timeout            time.Duration
}

func sendFlags(c *cobra.Command, s *sending) {
	targetFlags(c, &s.target)
	f := c.Flags()
	f.StringVar(&s.from, "from", "", "name of the account that signs and pays")
	f.StringVar(&s.wait, "wait", "final", "return when the transaction is accepted, included or final")
	f.StringVar(&s.maxFee, "max-fee", "", "the most to pay, in tokens (default: what it costs if all gas is used)")
	f.Uint64Var(&s.gas, "gas", 0, "max_gas (default: by the action)")
	f.DurationVar(&s.timeout, "timeout", time.Minute, "how long to wait")
}

// send makes, signs and submits a transaction and waits for it.
func (a *app) send(ctx context.Context, o *sending, module string, actions func(s *session, ref *client.Reference, self types.AccountID) ([]types.Action, error)) (*session, api.Tx, error) {
	level, err := parseWait(o.wait)
	if err != nil {
		return nil, api.Tx{}, err
	}
	if o.from == "" {
		return nil, api.Tx{}, coded(exitUsage, errors.New("--from NAME is missing: the account that signs and pays"))
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	s, err := a.connect(ctx, o.target)
	if err != nil {
		return nil, api.Tx{}, err
	}
	defer s.Close()
	w, err := a.wallet(o.from, s.dir)
	if err != nil {
		return s, api.Tx{}, err
	}
	ref, err := s.Reference(ctx, s.chain)
	if err != nil {
		return s, api.Tx{}, err
	}
	opts := client.BuildOptions{Gas: o.gas}
	if o.maxFee != "" {
		if opts.MaxFee, err = parseAmount(o.maxFee, ref.Params.Token); err != nil {
			return s, api.Tx{}, coded(exitUsage, fmt.Errorf("--max-fee: %w", err))
		}
	}
	list, err := actions(s, ref, w.Account())
	if err != nil {
		return s, api.Tx{}, err
	}
	env, id, err := s.Make(ctx, s.chain, w.Account(), module, list, opts, w)
	if err != nil {
		return s, api.Tx{}, err
	}
	tx, err := s.SubmitAndWait(ctx, s.chain, env, level)
	switch {
	case client.Name(err) == "ErrInsufficient":
		err = fmt.Errorf("%w; these are millionths of a token; `alto account show %s --chain %s` shows what there is", err, o.from, s.chain)
	case err != nil && timedOut(err):
		err = coded(exitTimeout, fmt.Errorf("%w; it may still become final: `alto tx wait %s`", err, id))
	}
	return s, tx, err
}

// txView is a transaction as commands print it.
type txView struct {
	ID     types.TxID  `json:"id"`
	Chain  string      `json:"chain"`
	Stage  string      `json:"stage"`
	Height uint64      `json:"height,omitempty"`
	Block  string      `json:"block,omitempty"`
	Index  int         `json:"index"`
	Status string      `json:"status,omitempty"`
	Fee    uint64      `json:"fee,string,omitempty"`
	Gas    uint64      `json:"gas,omitempty"`
	Events []eventView `json:"events,omitempty"`
	From   string      `json:"from,omitempty"`
	Module string      `json:"module,omitempty"`
	Action []string    `json:"actions,omitempty"`
}

type eventView struct {
	Module string `json:"module"`
	Name   string `json:"name"`
	Data   string `json:"data"`
}

func viewTx(chain string, t api.Tx) txView {
	v := txView{ID: t.ID, Chain: chain, Stage: t.Stage.String(), Height: t.Height, Index: t.Index}
	if t.Stage >= api.Included {
		v.Block = t.Block.String()
	}
	if r := t.Receipt; r != nil {
		v.Status, v.Fee, v.Gas = r.Status, r.Fee, r.Gas
		for _, e := range r.Events {
			v.Events = append(v.Events, eventView{e.Module, e.Name, string(e.Data)})
		}
	}
	if env, err := types.DecodeEnvelope(t.Envelope); err == nil && len(t.Envelope) > 0 {
		if x, err := types.DecodeTransaction(env.Raw); err == nil {
			v.From, v.Module = x.Account.String(), x.Module
			for _, ac := range x.Actions {
				v.Action = append(v.Action, ac.Name)
			}
		}
	}
	return v
}

func (a *app) printTx(v txView) error {
	return a.print(v, func() {
		fmt.Fprintf(a.out, "transaction %s\n", v.ID)
		fmt.Fprintf(a.out, "  chain   %s\n  stage   %s\n", v.Chain, v.Stage)
		if v.From != "" {
			fmt.Fprintf(a.out, "  from    %s\n  does    %s %v\n", v.From, v.Module, v.Action)
		}
		if v.Block != "" {
			fmt.Fprintf(a.out, "  block   %d (%s), index %d\n", v.Height, v.Block, v.Index)
		}
		if v.Status != "" {
			fmt.Fprintf(a.out, "  status  %s\n  fee     %s\n  gas     %d\n", v.Status, amountText(v.Fee), v.Gas)
		}
		for _, e := range v.Events {
			fmt.Fprintf(a.out, "  event   %s.%s %s\n", e.Module, e.Name, e.Data)
		}
	})
}

func (a *app) txSendCmd() *cobra.Command {
	var o sending
	var to []string
	var amounts []string
	var memo string
	c := &cobra.Command{
		Use:   "send --from NAME --to ACCOUNT --amount TOKENS",
		Short: "Transfer tokens",
		Long: "Makes, signs and submits a transfer and waits until it is final. With several --to and --amount, in pairs, one transaction pays them all or\n" +
			"none. Accounts are names of keys, or addresses (alto1…).",
		Example: "  alto tx send --from community --to consultants --amount 1.5\n  alto tx send --from alice --to alto1… --amount 10 --memo rent --wait accepted\n  alto tx send --from alice --to bob --amount 1 --to carol --amount 2 -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(to) == 0 || len(to) != len(amounts) {
				return coded(exitUsage, errors.New("each --to ACCOUNT needs an --amount TOKENS, at least one of both"))
			}
			s, tx, err := a.send(c.Context(), &o, types.ModuleBank, func(s *session, ref *client.Reference, _ types.AccountID) ([]types.Action, error) {
				var list []types.Action
				for i := range to {
					id, err := a.account(to[i], s.dir)
					if err != nil {
						return nil, err
					}
					v, err := parseAmount(amounts[i], ref.Params.Token)
					if err != nil {
						return nil, coded(exitUsage, err)
					}
					if v == 0 {
						return nil, coded(exitUsage, fmt.Errorf("amount %q: it moves nothing; the smallest is 0.000001", amounts[i]))
					}
					list = append(list, client.Transfer(id, v, []byte(memo)))
				}
				return list, nil
			})
			return a.sent(s, tx, err)
		},
	}
	sendFlags(c, &o)
	c.Flags().StringArrayVar(&to, "to", nil, "who gets the tokens; may be repeated, with an --amount each")
	c.Flags().StringArrayVar(&amounts, "amount", nil, "how much, in tokens")
	c.Flags().StringVar(&memo, "memo", "", "up to 256 bytes that go with it")
	return c
}

func (a *app) txCallCmd() *cobra.Command {
	var o sending
	var body bytesFlag
	var maxSpend string
	c := &cobra.Command{
		Use: "call MODULE ACTION --from NAME", Short: "Send an action to any module",
		Long: "Makes, signs and submits a transaction with one action for a module, native or from a plugin, and waits until it is final. What the body\n" +
			"of an action is, each module says. The module may take at most --max-spend from the account; it is reserved until the action is done.",
		Example: "  alto tx call names claim --text alice --from alice\n  alto tx call names claim --body 616c696365 --from alice --wait accepted\n" +
			"  alto tx call market bid --body @bid.bin --max-spend 12.5 --from alice -o json",
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			raw, err := body.read(types.MaxTxBytes)
			if err != nil {
				return err
			}
			if args[0] == "" || len(args[0]) > types.MaxNameBytes || args[1] == "" || len(args[1]) > types.MaxNameBytes {
				return coded(exitUsage, fmt.Errorf("module and action have 1 to %d characters", types.MaxNameBytes))
			}
			s, tx, err := a.send(c.Context(), &o, args[0], func(_ *session, ref *client.Reference, _ types.AccountID) ([]types.Action, error) {
				act := types.Action{Name: args[1], Body: raw}
				if maxSpend != "" {
					if act.MaxSpend, err = parseAmount(maxSpend, ref.Params.Token); err != nil {
						return nil, coded(exitUsage, fmt.Errorf("--max-spend: %w", err))
					}
				}
				return []types.Action{act}, nil
			})
			return a.sent(s, tx, err)
		},
	}
	sendFlags(c, &o)
	body.add(c, "body", "the body of the action")
	c.Flags().StringVar(&maxSpend, "max-spend", "", "the most that the module may take, in tokens (default: nothing)")
	return c
}

// sent prints what became of a transaction, also if it failed on the chain.
func (a *app) sent(s *session, tx api.Tx, err error) error {
	if s == nil || (err != nil && !errors.Is(err, client.ErrTxFailed)) {
		return err
	}
	if perr := a.printTx(viewTx(s.chain, tx)); perr != nil {
		return perr
	}
	return err
}

func (a *app) txShowCmd() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "show ID", Short: "Show what a node knows of a transaction", Long: "Shows how far a transaction has come and, once it is final, its receipt.",
		Example: "  alto tx show 1f3a…\n  alto tx show 1f3a… --node node-2\n  alto tx show 1f3a… -o json", Args: cobra.ExactArgs(1),
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
			if tx.Stage == api.Unknown {
				return fmt.Errorf("node %s does not know transaction %s on chain %s: it was never submitted, has expired, or belongs to another chain", s.node, id, s.chain)
			}
			return a.printTx(viewTx(s.chain, tx))
		},
	}
	targetFlags(c, &t)
	return c
}

func (a *app) txWaitCmd() *cobra.Command {
	var t target
	var wait string
	var timeout time.Duration
	c := &cobra.Command{
		Use: "wait ID", Short: "Wait until a transaction is final", Long: "Waits until a transaction is included or final. Exit code 5 when the time is over.",
		Example: "  alto tx wait 1f3a…\n  alto tx wait 1f3a… --wait included\n  alto tx wait 1f3a… --timeout 5s", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := types.ParseHash(args[0])
			if err != nil {
				return coded(exitUsage, err)
			}
			level, err := parseWait(wait)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			s, err := a.connect(ctx, t)
			if err != nil {
				return err
			}
			defer s.Close()
			tx, lost, err := s.WaitTx(ctx, s.chain, id, level, 0)
			if lost {
				err = fmt.Errorf("node %s does not know transaction %s", s.node, id)
			}
			return a.sent(s, tx, err)
		},
	}
	targetFlags(c, &t)
	c.Flags().StringVar(&wait, "wait", "final", "included or final")
	c.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long to wait")
	return c
}
