package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// soon is how many ticks before a window opens an action for it may be sent: it is in a later block than the newest.
const soon = 1

// lastFree is how many ticks before the end of the asker's own window an answer may come too late to be free.
const lastFree = 32

func (a *app) oracleAnswerCmd() *cobra.Command {
	var o sending
	c := &cobra.Command{
		Use: "answer ID VALUE --from NAME", Short: "Answer a question",
		Long: "Answers a question with YES, NO, INVALID (it cannot be answered) or TOO_EARLY (not yet). The asker answers for free in its own window; anyone\n" +
			"else, and the asker later, with a bond as large as the deposit. The answer is final if nobody contradicts it in time, and the bond comes back.\n" +
			"If somebody does, the producers decide, and who was wrong loses the bond.",
		Example: "  alto oracle answer 9c1f… YES --from community\n  alto oracle answer 9c1f… NO --from consultants\n  alto oracle answer 9c1f… TOO_EARLY --from community -o json", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := questionArg(args[0])
			if err != nil {
				return err
			}
			value, err := valueArg(args[1])
			if err != nil {
				return err
			}
			at, tx, err := a.sendOracle(c, &o, func(at *oracleSession, self types.AccountID) (types.Action, error) {
				q, _, err := at.question(c.Context(), id)
				if err == nil {
					err = at.mayAnswer(&q, self, value)
				}
				if err != nil {
					return types.Action{}, err
				}
				text, free := at.bondOfAnswer(&q, self)
				a.progress("%s", text)
				spend := q.Deposit // no more than that, also where it should be free
				if err = at.afford(c.Context(), self, o.from, "bond", spend); err != nil && free {
					spend, err = 0, nil
				}
				return client.AnswerQuestion(id, value, spend), err
			})
			return a.sentOracle(at, tx, err, func() {
				a.progress("it is final in about %s, unless somebody contradicts it before", at.lasts(at.terms.Challenge))
			})
		},
	}
	sendFlags(c, &o)
	return c
}

// bondOfAnswer says what an answer costs now, and whether that is nothing. The last free ticks may be over before it is in a block.
func (o *oracleSession) bondOfAnswer(q *oracle.View, self types.AccountID) (text string, free bool) {
	switch {
	case q.Asker != self || q.AskerUntil <= o.ref.Clock:
		return fmt.Sprintf("the bond is %s", o.money(q.Deposit)), false
	case q.AskerUntil-o.ref.Clock <= lastFree:
		return fmt.Sprintf("the answer is free if it is in a block before clock %d, %s: the deposit of %s is its bond then; later a bond as large is paid",
			q.AskerUntil, o.in(q.AskerUntil), o.money(q.Deposit)), true
	}
	return fmt.Sprintf("the answer is free: the deposit of %s is its bond", o.money(q.Deposit)), true
}

// notNow is a refusal for what the chain would refuse, too, but for a fee.
func notNow(name oracle.RuleError, format string, args ...any) error {
	return coded(exitFailed, fmt.Errorf("%w: %w", name, fmt.Errorf(format, args...)))
}

// mayAnswer refuses an answer that cannot be given now, and tells when it can.
func (o *oracleSession) mayAnswer(q *oracle.View, self types.AccountID, v oracle.Value) error {
	clock := o.ref.Clock
	switch {
	case q.State.Closed():
		return notNow(oracle.ErrFinal, "question %s is over since %s: %s", q.ID.Short(), o.at(q.ClosedAt), resultOf(q))
	case q.State == oracle.Answered:
		g := q.Answers[len(q.Answers)-1]
		return notNow(oracle.ErrAnswered, "question %s has the answer %s, which is final %s; `alto oracle counter %s VALUE --from NAME` contradicts it until then",
			q.ID.Short(), g.Value, o.in(q.DueAt), q.ID)
	case q.State.Disputed():
		return notNow(oracle.ErrAnswered, "question %s is disputed, and the producers decide until %s; `alto oracle show %s` tells how it stands", q.ID.Short(), o.at(disputeEnd(q)), q.ID)
	case q.DueAt <= clock:
		return notNow(oracle.ErrWindow, "nobody has answered question %s in time, and it is about to expire; ask again", q.ID.Short())
	case q.Open > clock+soon:
		return notNow(oracle.ErrWindow, "question %s opens %s: %s", q.ID.Short(), o.in(q.Open), o.at(q.Open))
	case q.Asker != self && q.AskerUntil > clock+soon:
		return notNow(oracle.ErrWindow, "only the asker may answer question %s for another %s; from %s on anybody may, with a bond of %s",
			q.ID.Short(), roughly(o.until(q.AskerUntil)), o.at(q.AskerUntil), o.money(q.Deposit))
	case v == oracle.TooEarly && q.Reopened:
		return notNow(oracle.ErrWindow, "question %s was answered TOO_EARLY once, and that is as often as it can be", q.ID.Short())
	case v == oracle.TooEarly && q.AnswerBy <= clock:
		return notNow(oracle.ErrWindow, "TOO_EARLY is no answer to question %s any more: it was to be answered by %s", q.ID.Short(), o.at(q.AnswerBy))
	}
	return nil
}

// disputeEnd is the clock by which a dispute under way is over.
func disputeEnd(q *oracle.View) uint64 {
	if q.Dispute != nil {
		return q.Dispute.EndsAt
	}
	return q.DueAt
}

// resultOf says in a word how a question ended.
func resultOf(q *oracle.View) string {
	if q.Result != nil {
		return q.Result.String()
	}
	return q.State.String()
}

func (a *app) oracleCounterCmd() *cobra.Command {
	var o sending
	c := &cobra.Command{
		Use: "counter ID VALUE --from NAME", Short: "Contradict an answer, so that the producers decide",
		Long: "Contradicts the answer that stands with another value and a bond as large as the deposit. That is possible once, until the answer is final. From\n" +
			"then on the chain's producers decide: each commits to a value, then reveals it, in blocks of its own, and what more than two thirds of them say is the\n" +
			"result. Who was wrong loses the bond, a part of it to who was right; without such a majority the result is INVALID, and both lose a part.",
		Example: "  alto oracle counter 9c1f… NO --from consultants\n  alto oracle counter 9c1f… INVALID --from consultants --chain root\n  alto oracle counter 9c1f… NO --from consultants -o json",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := questionArg(args[0])
			if err != nil {
				return err
			}
			value, err := valueArg(args[1])
			if err != nil {
				return err
			}
			at, tx, err := a.sendOracle(c, &o, func(at *oracleSession, self types.AccountID) (types.Action, error) {
				q, _, err := at.question(c.Context(), id)
				if err == nil {
					err = at.mayCounter(&q, value)
				}
				if err != nil {
					return types.Action{}, err
				}
				a.progress("the bond is %s", at.money(q.Deposit))
				return client.CounterAnswer(id, value, q.Deposit), at.afford(c.Context(), self, o.from, "bond", q.Deposit)
			})
			return a.sentOracle(at, tx, err, func() {
				a.progress("the producers decide now; `alto oracle watch %s` follows that, `alto oracle ballot %s VALUE --node NAME` is for their operators", id, id)
			})
		},
	}
	sendFlags(c, &o)
	return c
}

// mayCounter refuses a contradiction that is not possible now.
func (o *oracleSession) mayCounter(q *oracle.View, v oracle.Value) error {
	clock := o.ref.Clock
	switch {
	case q.State.Closed():
		return notNow(oracle.ErrFinal, "question %s is over since %s: %s", q.ID.Short(), o.at(q.ClosedAt), resultOf(q))
	case q.State == oracle.Open:
		return notNow(oracle.ErrWindow, "question %s has no answer that could be contradicted; `alto oracle answer %s VALUE --from NAME` gives one", q.ID.Short(), q.ID)
	case q.State.Disputed():
		return notNow(oracle.ErrCountered, "the answer to question %s is contradicted already, and the producers decide until %s; `alto oracle show %s` tells how it stands",
			q.ID.Short(), o.at(disputeEnd(q)), q.ID)
	case q.DueAt <= clock:
		return notNow(oracle.ErrWindow, "the answer to question %s could be contradicted until %s", q.ID.Short(), o.at(q.DueAt))
	}
	g := q.Answers[len(q.Answers)-1]
	switch {
	case g.Value == v:
		return notNow(oracle.ErrSameAnswer, "the answer to question %s is %s: to contradict it, name another value", q.ID.Short(), v)
	case v == oracle.TooEarly && q.Reopened:
		return notNow(oracle.ErrWindow, "question %s was answered TOO_EARLY once, and that is as often as it can be", q.ID.Short())
	case v == oracle.TooEarly && q.AnswerBy <= g.Clock:
		return notNow(oracle.ErrWindow, "TOO_EARLY does not contradict the answer to question %s: it was given when it was due, at %s", q.ID.Short(), o.at(g.Clock))
	}
	return nil
}

func (a *app) oracleCloseCmd() *cobra.Command {
	var o sending
	c := &cobra.Command{
		Use: "close ID --from NAME", Short: "Do at once what is due with a question",
		Long: "Makes final, or expire, what has come due. That happens by itself, so this is of use only when the chain has much to do; it costs the sender a fee\n" +
			"and brings it nothing.",
		Example: "  alto oracle close 9c1f… --from community\n  alto oracle close 9c1f… --from community --chain root\n  alto oracle show 9c1f…    when it closes by itself", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := questionArg(args[0])
			if err != nil {
				return err
			}
			at, tx, err := a.sendOracle(c, &o, func(at *oracleSession, _ types.AccountID) (types.Action, error) {
				q, _, err := at.question(c.Context(), id)
				switch {
				case err != nil:
				case q.State.Closed():
					err = notNow(oracle.ErrFinal, "question %s is over since %s: %s", id.Short(), at.at(q.ClosedAt), resultOf(&q))
				case q.DueAt > at.ref.Clock+soon:
					err = notNow(oracle.ErrWindow, "nothing is due with question %s, which is %s, for another %s; then, at %s, it happens by itself",
						id.Short(), q.State, roughly(at.until(q.DueAt)), at.at(q.DueAt))
				}
				return client.CloseQuestion(id), err
			})
			return a.sentOracle(at, tx, err, nil)
		},
	}
	sendFlags(c, &o)
	return c
}
