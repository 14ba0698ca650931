package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// askedView is what `oracle ask` prints.
type askedView struct {
	Question    types.Hash    `json:"question"`
	Chain       string        `json:"chain"`
	Transaction types.TxID    `json:"transaction"`
	Stage       string        `json:"stage"`
	Deposit     uint64        `json:"deposit,string"`
	Open        uint64        `json:"open"`
	AskerUntil  uint64        `json:"asker_until"`
	AnswerBy    uint64        `json:"answer_by"`
	AnswerTime  time.Time     `json:"answer_by_time"` // estimated
	First       *oracle.Value `json:"answer,omitempty"`
}

func (a *app) oracleAskCmd() *cobra.Command {
	var o sending
	var sources []string
	var open, by span
	var first string
	var quiet bool
	c := &cobra.Command{
		Use: "ask QUESTION --from NAME --answer-by DURATION", Short: "Ask a yes/no question",
		Long: "Asks a question that YES or NO answers, and deposits for its timetable: a base and something for each day until --answer-by. The deposit is\n" +
			"told before it is paid. It comes back when an answer is final, or less a fee if nobody answers; whoever answers for free, as the asker may at\n" +
			"first, puts it at stake. `alto oracle terms` shows the prices and windows of a chain.",
		Example: "  alto oracle ask \"Did it rain in Oslo on May 1?\" --from community --answer-by 2d\n  alto oracle ask \"…\" --from community --open 12h --answer-by 24h --source https://example.org\n" +
			"  alto oracle ask \"…\" --from community --answer-by 24h --answer YES",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if by == 0 {
				return coded(exitUsage, errors.New("--answer-by DURATION is missing: by when an answer is expected, from now, such as 48h or 7d"))
			}
			if open >= by {
				return coded(exitUsage, fmt.Errorf("--open %s is not before --answer-by %s: answers are given in between", &open, &by))
			}
			q := oracle.Ask{Text: args[0], Sources: sources}
			if first != "" {
				v, err := valueArg(first)
				if err != nil {
					return err
				}
				if open > 0 {
					return coded(exitUsage, errors.New("--answer and --open exclude each other: a first answer comes with a question that is open at once"))
				}
				q.First = &v
			}
			var out askedView
			var self types.AccountID
			at, tx, err := a.sendOracle(c, &o, func(at *oracleSession, id types.AccountID) (types.Action, error) {
				self = id
				q.AnswerBy = at.ref.Clock + oracle.Ticks(time.Duration(by), at.tick)
				if open > 0 {
					q.Open = at.ref.Clock + oracle.Ticks(time.Duration(open), at.tick)
				}
				deposit, err := at.terms.Deposit(at.ref.Clock, q.AnswerBy)
				if err != nil {
					return types.Action{}, coded(exitUsage, fmt.Errorf("--answer-by %s: it is at most %d days ahead: %w", &by, oracle.MaxDaysAhead, err))
				}
				if _, err := oracle.DecodeAsk(q.Encode()); err != nil {
					return types.Action{}, coded(exitUsage, err)
				}
				a.progress("the deposit is %s", at.money(deposit))
				if err := at.afford(c.Context(), self, o.from, "deposit", deposit); err != nil {
					return types.Action{}, err
				}
				out = askedView{Chain: at.chain, Deposit: deposit, Open: max(q.Open, at.ref.Clock), AnswerBy: q.AnswerBy, AnswerTime: at.time(q.AnswerBy).UTC(), First: q.First}
				out.AskerUntil = out.Open + at.terms.InitiatorWindow
				return client.AskQuestion(q, deposit), nil
			})
			if err != nil {
				return a.sentOracle(at, tx, err, nil)
			}
			out.Transaction, out.Stage = tx.ID, tx.Stage.String()
			out.Question = oracle.QuestionID(at.ref.Chain, self, q.Text, tx.ID, 0)
			if tx.Receipt != nil {
				for _, e := range tx.Receipt.Events {
					var ev oracle.AskedEvent
					if e.Module == oracle.ModuleName && e.Name == oracle.EventAsked && json.Unmarshal(e.Data, &ev) == nil {
						out.Question, out.Deposit, out.Open, out.AnswerBy = ev.Question, ev.Deposit, ev.Open, ev.AnswerBy
						out.AskerUntil = ev.Open + at.terms.InitiatorWindow
					}
				}
			}
			return a.print(out, func() {
				if quiet {
					fmt.Fprintln(a.out, out.Question)
					return
				}
				a.printAsked(at, out, o.from)
			})
		},
	}
	sendFlags(c, &o)
	c.Flags().StringArrayVar(&sources, "source", nil, "where the truth can be read; may be repeated, up to 4 times")
	c.Flags().Var(&open, "open", "from when on it may be answered, from now (default: now)")
	c.Flags().Var(&by, "answer-by", "by when an answer is expected, from now; units are ms, s, m, h and d")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print the question's id and nothing else")
	c.Flags().StringVar(&first, "answer", "", "answer it at once: YES, NO, INVALID or TOO_EARLY")
	return c
}

func (a *app) printAsked(at *oracleSession, v askedView, from string) {
	fmt.Fprintf(a.out, "question %s\n  transaction %s (%s)\n  deposit     %s\n", v.Question, v.Transaction, v.Stage, at.money(v.Deposit))
	if v.Open > at.ref.Clock+1 {
		fmt.Fprintf(a.out, "  open from   %s\n", at.at(v.Open))
	}
	fmt.Fprintf(a.out, "  answer by   %s\n", at.at(v.AnswerBy))
	if v.First != nil {
		fmt.Fprintf(a.out, "  answer      %s, final in about %s unless somebody contradicts it\n", *v.First, at.lasts(at.terms.Challenge))
		return
	}
	fmt.Fprintf(a.out, "  `alto oracle answer %s YES --from %s` answers it; until %s nobody else may\n", v.Question, from, at.at(v.AskerUntil))
}
