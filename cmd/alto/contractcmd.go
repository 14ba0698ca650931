package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/core/ledger/contract"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (a *app) contractCmd() *cobra.Command {
	c := &cobra.Command{Use: "contract", Short: "Lock tokens under a contract, and claim them",
		Example: "  alto contract lock swap.fs --with alice,bob --amount 5 --deadline +1h --from bob\n  alto contract claim LOCK swap.fs --evidence secret.fs --from alice\n  alto contract refund LOCK --from bob"}
	c.AddCommand(a.contractLockCmd(), a.contractClaimCmd(), a.contractRunCmd(),
		a.contractPayCmd("settle", client.SettleLock, "Pay out a claim that had to wait",
			"Pays out the claim that a lock was closed with, once it is due; `alto contract show` tells when. Anybody can do it; the participants get what\nthe contract has said."),
		a.contractPayCmd("refund", client.RefundLock, "Give a lock back to its payer",
			"Gives the whole amount of a lock back to the account that has paid for it, from the deadline on, if no claim was accepted. Anybody can do it."),
		a.contractShowCmd(), a.contractListCmd(), a.contractEvidenceCmd(), a.contractLibraryCmd())
	return c
}

// contractHints say what to do about an error of contracts.
var contractHints = map[string]string{
	contract.ErrDeadline:       "a deadline lies after now, and at most a year ahead",
	contract.ErrUnknownLock:    "`alto contract list ACCOUNT` shows the locks of an account, `alto contract evidence LOCK` with what one was claimed",
	contract.ErrNotParticipant: "`alto contract show` tells who can claim it",
	contract.ErrCodeHash:       "show the contract that was locked for; `alto contract show` has its hash",
	contract.ErrTooLate:        "`alto contract refund` gives a lock back after its deadline, `alto contract settle` pays out what was claimed before",
	contract.ErrTooEarly:       "`alto contract show` tells from when on",
	contract.ErrBadResult:      "the contract must share out no more than what is locked, in millionths of a token; `alto vm run` shows its results",
	contract.ErrNonce:          "only a claim with a higher nonce takes the place of one that was accepted",
	contract.ErrDelay:          "claim earlier, so that the contract's delay ends before the deadline",
	contract.ErrClosing:        "`alto contract settle` pays out the claim",
	contract.ErrNotClosing:     "`alto contract claim` claims it, `alto contract refund` gives it back after the deadline",
}

// contractHint adds what to do to an error of contracts.
func contractHint(err error, status string) error {
	if err == nil {
		return nil
	}
	name := client.Name(err)
	if status != "" {
		name = status
	}
	switch {
	case contractHints[name] != "":
		err = fmt.Errorf("%w; %s", err, contractHints[name])
	case name == "ErrContract.7":
		err = fmt.Errorf("%w; for the VM forth that is out of gas: --gas gives it more", err)
	case strings.HasPrefix(name, "ErrContract."):
		err = fmt.Errorf("%w; the contract failed: without --force it runs here first, which shows where", err)
	case name == "ErrUnknownModule":
		err = coded(exitConfig, fmt.Errorf("%w; this chain runs no contracts: its spec has no vm", err))
	}
	return err
}

// sentContract prints what became of a transaction to the module contract, and says what to do about its errors.
func (a *app) sentContract(s *session, tx api.Tx, err error) error {
	status := ""
	if tx.Receipt != nil {
		status = tx.Receipt.Status
	}
	return a.sent(s, tx, contractHint(err, status))
}

// parseDeadline reads a clock of the chain, or a time from now on as +DURATION.
func parseDeadline(text string, ref *client.Reference) (uint64, error) {
	if text == "" {
		return 0, coded(exitUsage, errors.New("--deadline is missing: until when it can be claimed, as +1h, or as a clock of the chain"))
	}
	if d, ok := strings.CutPrefix(text, "+"); ok {
		v, err := time.ParseDuration(d)
		if err != nil || v <= 0 {
			return 0, coded(exitUsage, fmt.Errorf("--deadline %q: write a duration such as +90m", text))
		}
		return ref.Clock + oracle.Ticks(v, time.Duration(ref.Params.SlotMs)*time.Millisecond), nil
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, coded(exitUsage, fmt.Errorf("--deadline %q: write a clock of the chain, which is now %d, or a duration such as +1h", text, ref.Clock))
	}
	if v <= ref.Clock {
		return 0, coded(exitUsage, fmt.Errorf("--deadline %d: the chain's clock is %d already", v, ref.Clock))
	}
	return v, nil
}

// lockedView is what `contract lock` prints.
type lockedView struct {
	Lock        types.Hash `json:"lock"`
	Chain       string     `json:"chain"`
	Transaction types.TxID `json:"transaction"`
	Stage       string     `json:"stage"`
	Code        types.Hash `json:"code_hash"`
	Amount      uint64     `json:"amount,string"`
	Deadline    uint64     `json:"deadline"`
}

func (a *app) contractLockCmd() *cobra.Command {
	var o sending
	var amount, deadline, dialect string
	var with []string
	c := &cobra.Command{
		Use: "lock CODE --with FIRST,SECOND --amount TOKENS --deadline TIME --from NAME", Short: "Put tokens aside for a contract to share out",
		Long: "Puts tokens of the sender aside that a contract is to share out between two accounts. The chain keeps only the contract's hash; CODE is a\n" +
			"source, which is compiled for the chain, or bytecode (.bin, .hex). Until the deadline either account can show the contract and have it run;\n" +
			"from then on the tokens go back to the sender. A contract counts in millionths of a token. TIME is a clock of the chain, or +DURATION.",
		Example: "  alto contract lock htlc.fs --with alice,bob --amount 5 --deadline +1h --from bob\n  alto contract lock htlc.hex --with alice,alto1… --amount 0.5 --deadline 86400 --from carol\n" +
			"  alto contract lock old.fs --dialect chalang --with alice,bob --amount 5 --deadline +30m --from bob -o json",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(with) != 2 {
				return coded(exitUsage, fmt.Errorf("--with names %d accounts: write --with FIRST,SECOND, the two between whom the contract shares out", len(with)))
			}
			v := lockedView{}
			s, tx, err := a.send(c.Context(), &o, types.ModuleContract, func(s *session, ref *client.Reference, _ types.AccountID) ([]types.Action, error) {
				var b types.LockBody
				var err error
				for i, text := range with {
					if b.Participants[i], err = a.account(text, s.dir); err != nil {
						return nil, fmt.Errorf("--with: %w", err)
					}
				}
				if b.Participants[0] == b.Participants[1] {
					return nil, coded(exitUsage, fmt.Errorf("--with: both participants are the same account, %s", b.Participants[0]))
				}
				if b.Amount, err = stakeAmount("--amount", amount, ref.Params.Token); err != nil {
					return nil, err
				}
				if b.Deadline, err = parseDeadline(deadline, ref); err != nil {
					return nil, err
				}
				if err := chainVM(c.Context(), s, func(m *openVM) error {
					_, loaded, err := a.contractOf(c.Context(), m, args[0], dialect)
					if err != nil {
						return err
					}
					b.Code = loaded.CodeHash
					if slices.Contains(loaded.EnvReads, "oracle") && !slices.Contains(ref.Params.Modules, oracle.ModuleName) {
						a.progress("warning: %s asks an oracle, and chain %s has none: every question will be unknown", args[0], s.chain)
					}
					return nil
				}); err != nil {
					return nil, err
				}
				if _, err := types.DecodeLockBody(b.Encode()); err != nil {
					return nil, coded(exitUsage, err)
				}
				v.Chain, v.Code, v.Amount, v.Deadline = s.chain, b.Code, b.Amount, b.Deadline
				return []types.Action{client.LockAmount(b)}, nil
			})
			if err != nil {
				return a.sentContract(s, tx, err)
			}
			v.Lock, v.Transaction, v.Stage = types.LockIDOf(tx.ID, 0), tx.ID, tx.Stage.String()
			return a.print(v, func() {
				fmt.Fprintf(a.out, "lock %s\n  transaction %s (%s)\n  contract    %s\n  deadline    clock %d\n", v.Lock, v.Transaction, v.Stage, v.Code, v.Deadline)
				fmt.Fprintf(a.out, "  `alto contract claim %s %s --from NAME` has it shared out\n", v.Lock, args[0])
			})
		},
	}
	sendFlags(c, &o)
	f := c.Flags()
	f.StringSliceVar(&with, "with", nil, "the first and the second participant")
	f.StringVar(&amount, "amount", "", "how much, in tokens")
	f.StringVar(&deadline, "deadline", "", "until when it can be claimed: +DURATION, or a clock of the chain")
	f.StringVar(&dialect, "dialect", "", "the source's dialect (default: what its first line says, or else the VM's)")
	return c
}

// lockArg reads the id of a lock.
func lockArg(text string) (types.Hash, error) {
	id, err := types.ParseHash(text)
	if err != nil {
		err = coded(exitUsage, fmt.Errorf("lock %q: its id has 64 hexadecimal digits; `alto contract list ACCOUNT` shows the locks of an account", text))
	}
	return id, err
}

// contractPayCmd is a verb that names a lock and nothing else.
func (a *app) contractPayCmd(verb string, action func(types.Hash) types.Action, short, long string) *cobra.Command {
	var o sending
	c := &cobra.Command{
		Use: verb + " LOCK --from NAME", Short: short, Long: long,
		Example: fmt.Sprintf("  alto contract %s 9c1f… --from alice\n  alto contract %s 9c1f… --from community --chain root\n  alto contract show 9c1f…     from when on", verb, verb),
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := lockArg(args[0])
			if err != nil {
				return err
			}
			s, tx, err := a.send(c.Context(), &o, types.ModuleContract, func(*session, *client.Reference, types.AccountID) ([]types.Action, error) {
				return []types.Action{action(id)}, nil
			})
			return a.sentContract(s, tx, err)
		},
	}
	sendFlags(c, &o)
	return c
}
