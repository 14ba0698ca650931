package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (a *app) oracleCmd() *cobra.Command {
	c := &cobra.Command{Use: "oracle", Short: "Ask questions, answer them, and decide what is disputed",
		Example: "  alto oracle ask \"Did it rain in Oslo on May 1?\" --from community --answer-by 48h\n  alto oracle answer ID YES --from community\n  alto oracle show ID"}
	c.AddCommand(a.oracleAskCmd(), a.oracleAnswerCmd(), a.oracleCounterCmd(), a.oracleCloseCmd(), a.oracleShowCmd(), a.oracleListCmd(),
		a.oracleWatchCmd(), a.oracleBallotCmd(), a.oracleHistoryCmd(), a.oracleTermsCmd())
	return c
}

// oracleSession is a chain's oracle at a node that answers.
type oracleSession struct {
	*session
	ref   *client.Reference
	terms oracle.Terms
	chainClock
}

// openOracle finds a node that answers, and its chain's oracle. The caller closes it.
func (a *app) openOracle(ctx context.Context, t target) (*oracleSession, error) {
	s, err := a.connect(ctx, t)
	if err != nil {
		return nil, err
	}
	o, err := oracleAt(ctx, s)
	if err != nil {
		s.Close()
	}
	return o, err
}

func oracleAt(ctx context.Context, s *session) (*oracleSession, error) {
	terms, err := s.OracleTerms(ctx, s.chain)
	if err != nil {
		return nil, oracleHint(err, "", s.chain)
	}
	ref, err := s.Reference(ctx, s.chain)
	if err != nil {
		return nil, err
	}
	return &oracleSession{s, ref, terms, newChainClock(ref, terms)}, nil
}

// question returns how a question stands, and the height as of which.
func (o *oracleSession) question(ctx context.Context, id types.Hash) (oracle.View, uint64, error) {
	v, height, err := o.Question(ctx, o.chain, id)
	switch client.Name(err) {
	case "ErrUnknownQuestion", "ErrUnknownPath":
		err = coded(exitFailed, fmt.Errorf("chain %s has no question %s, as node %s knows it at height %d; `alto oracle list` shows those that there are",
			o.chain, id, o.node, o.ref.Height))
	}
	return v, height, err
}

// money is an amount with its unit.
func (o *oracleSession) money(v uint64) string { return amountText(v) + " " + o.ref.Params.Token }

// questionArg reads the id of a question.
func questionArg(text string) (types.Hash, error) {
	id, err := types.ParseHash(text)
	if err != nil {
		err = coded(exitUsage, fmt.Errorf("question %q: its id has 64 hexadecimal digits; `alto oracle list` shows the questions of a chain", text))
	}
	return id, err
}

// valueArg reads an answer, in capitals or not.
func valueArg(text string) (oracle.Value, error) {
	v, err := oracle.ParseValue(strings.ToUpper(strings.ReplaceAll(text, "-", "_")))
	if err != nil {
		var names []string
		for _, x := range []oracle.Value{oracle.Yes, oracle.No, oracle.Invalid, oracle.TooEarly} {
			names = append(names, x.String())
		}
		err = coded(exitUsage, fmt.Errorf("answer %q: it is YES, NO, INVALID (the question cannot be answered) or TOO_EARLY (not yet)%s", text,
			didYouMean(strings.ToUpper(text), names)))
	}
	return v, err
}

// sendOracle sends one action of the oracle. What it does is made from the chain's terms and the sender's account.
func (a *app) sendOracle(c *cobra.Command, o *sending, action func(*oracleSession, types.AccountID) (types.Action, error)) (*oracleSession, api.Tx, error) {
	var at *oracleSession
	s, tx, err := a.send(c.Context(), o, oracle.ModuleName, func(s *session, _ *client.Reference, self types.AccountID) ([]types.Action, error) {
		var err error
		if at, err = oracleAt(c.Context(), s); err != nil {
			return nil, err
		}
		act, err := action(at, self)
		return []types.Action{act}, err
	})
	chain := o.chain
	if s != nil {
		chain = s.chain
	}
	status := ""
	if tx.Receipt != nil {
		status = tx.Receipt.Status
	}
	return at, tx, oracleHint(err, status, chain)
}

// sentOracle prints what became of a transaction of the oracle, and what comes next if it has done what it was for.
func (a *app) sentOracle(o *oracleSession, tx api.Tx, err error, next func()) error {
	if o == nil {
		return err
	}
	if err = a.sent(o.session, tx, err); err == nil && tx.Receipt != nil && next != nil {
		next()
	}
	return err
}

// afford refuses what the sender cannot pay before it costs a fee.
func (o *oracleSession) afford(ctx context.Context, self types.AccountID, from, what string, amount uint64) error {
	if amount == 0 {
		return nil
	}
	acc, err := o.Account(ctx, o.chain, self)
	if err != nil {
		return err
	}
	if acc.Free < amount {
		return coded(exitFailed, fmt.Errorf("the %s is %s, and %s has %s free on chain %s; `alto account show %s` tells what is locked",
			what, o.money(amount), from, o.money(acc.Free), o.chain, from))
	}
	return nil
}

// oracleHints say what to do about an error of the oracle.
var oracleHints = map[oracle.RuleError]string{
	oracle.ErrWindow:          "it is not the time for that, or not any more: `alto oracle show ID` tells what can be done now",
	oracle.ErrBondTooSmall:    "the bond is as large as the question's deposit, which `alto oracle show ID` tells; `alto oracle terms` has the price of a new question",
	oracle.ErrSameAnswer:      "to contradict an answer, name another value than it has",
	oracle.ErrNotInSnapshot:   "only those who were producers when the answer was contradicted have a ballot; `alto oracle show ID` lists them",
	oracle.ErrDoubleCommit:    "this producer's ballot is on the chain already and cannot be changed",
	oracle.ErrRevealMismatch:  "a ballot must reveal the very value and salt that were committed to",
	oracle.ErrFinal:           "the question is over: `alto oracle show ID` has its result",
	oracle.ErrAnswered:        "it has an answer: `alto oracle counter ID VALUE --from NAME` contradicts it while that is possible",
	oracle.ErrCountered:       "the producers decide now; `alto oracle show ID` tells how it stands",
	oracle.ErrBadSignature:    "the ballot was signed for another chain, or was changed on its way; `alto oracle ballot ID --sign --node NAME` makes a new one",
	oracle.ErrUnknownQuestion: "`alto oracle list` shows the questions that there are",
	oracle.ErrTimetable:       "--answer-by lies after --open and at most 365 days ahead",
	oracle.ErrOutOfGas:        "leave --gas out, so that it covers what the action needs",
	oracle.ErrMalformed:       "the command and the chain's oracle do not have the same rules: `alto version` and `alto chain show` tell which",
	oracle.ErrUnknownAction:   "the command and the chain's oracle do not have the same rules: `alto version` and `alto chain show` tell which",
	oracle.ErrExists:          "ask again: the question gets another id",
	"ErrBlockFull":            "try again: it is for a later block",
}

// oracleHint adds what to do to an error of the oracle. status is that of a receipt, or empty.
func oracleHint(err error, status, chain string) error {
	if err == nil {
		return nil
	}
	if r := oracle.RuleError(""); status == "" && errors.As(err, &r) {
		return err // refused before it was sent, with what to do
	}
	name := client.Name(err)
	if status != "" {
		name = status
	}
	if h := oracleHints[oracle.RuleError(name)]; h != "" {
		return fmt.Errorf("%w; %s", err, h)
	}
	if name == "ErrUnknownModule" || errors.Is(err, api.ErrNoOracle) {
		return coded(exitConfig, fmt.Errorf("chain %s has no oracle: %w; a new chain gets one from a line `oracle \"prophecy\" {}` in its spec", chain, err))
	}
	return err
}
