package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

const oracleModule = "oracle"

func (a *app) oracleCmd() *cobra.Command {
	c := &cobra.Command{Use: "oracle", Short: "Ask questions and answer them",
		Example: "  alto oracle ask \"Did it rain in Oslo on May 1?\" --from community --answer-by 48h\n  alto oracle answer ID YES --from community\n  alto oracle show ID"}
	c.AddCommand(a.oracleAskCmd(), a.oracleAnswerCmd(), a.oracleShowCmd())
	return c
}

func (a *app) oracleAskCmd() *cobra.Command {
	var o sending
	var sources []string
	var open, by time.Duration
	var first string
	c := &cobra.Command{
		Use: "ask QUESTION --from NAME --answer-by DURATION", Short: "Ask a yes/no question",
		Long: "Asks a question that YES or NO answers, and deposits for its timetable. The deposit comes back when an answer is final.",
		Example: "  alto oracle ask \"Did it rain in Oslo on May 1?\" --from community --answer-by 48h\n  alto oracle ask \"…\" --from community --answer-by 24h --source https://example.org\n" +
			"  alto oracle ask \"…\" --from community --answer-by 24h --answer YES",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if by <= 0 {
				return coded(exitUsage, errors.New("--answer-by DURATION is missing: by when an answer is expected, from now"))
			}
			s, tx, err := a.send(c.Context(), &o, oracleModule, func(s *session, ref *client.Reference, _ types.AccountID) ([]types.Action, error) {
				terms, err := oracleTerms(c, s)
				if err != nil {
					return nil, err
				}
				tick := time.Duration(terms.TickNs)
				q := oracle.Ask{Text: args[0], Sources: sources, AnswerBy: ref.Clock + oracle.Ticks(by, tick)}
				if open > 0 {
					q.Open = ref.Clock + oracle.Ticks(open, tick)
				}
				if first != "" {
					v, err := oracle.ParseValue(strings.ToUpper(first))
					if err != nil {
						return nil, coded(exitUsage, err)
					}
					q.First = &v
				}
				deposit, err := terms.Deposit(ref.Clock, q.AnswerBy)
				if err != nil {
					return nil, coded(exitUsage, err)
				}
				a.progress("the deposit is %s %s", amountText(deposit), ref.Params.Token)
				return []types.Action{{Name: oracle.ActionAsk, Body: q.Encode(), MaxSpend: deposit}}, nil
			})
			if err != nil || tx.Receipt == nil {
				return a.sent(s, tx, err)
			}
			var ev oracle.AskedEvent
			for _, e := range tx.Receipt.Events {
				if e.Module == oracleModule && e.Name == oracle.EventAsked {
					if err := json.Unmarshal(e.Data, &ev); err != nil {
						return err
					}
				}
			}
			return a.print(struct {
				Question    types.Hash `json:"question"`
				Transaction types.TxID `json:"transaction"`
				Deposit     uint64     `json:"deposit,string"`
				AnswerBy    uint64     `json:"answer_by"`
			}{ev.Question, tx.ID, ev.Deposit, ev.AnswerBy}, func() {
				fmt.Fprintf(a.out, "question %s\n", ev.Question)
				if first == "" {
					fmt.Fprintf(a.out, "  `alto oracle answer %s YES --from %s` answers it\n", ev.Question, o.from)
				}
			})
		},
	}
	sendFlags(c, &o)
	c.Flags().StringArrayVar(&sources, "source", nil, "where the truth can be read; may be repeated")
	c.Flags().DurationVar(&open, "open", 0, "from when on it may be answered, from now (default: now)")
	c.Flags().DurationVar(&by, "answer-by", 0, "by when an answer is expected, from now")
	c.Flags().StringVar(&first, "answer", "", "answer it at once: YES, NO, INVALID or TOO_EARLY")
	return c
}

func oracleTerms(c *cobra.Command, s *session) (oracle.Terms, error) {
	var t oracle.Terms
	b, _, err := s.Query(c.Context(), s.chain, oracleModule, oracle.PathTerms, nil)
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	if err == nil {
		err = t.Validate()
	}
	return t, err
}

func oracleQuestion(c *cobra.Command, s *session, id types.Hash) (oracle.View, error) {
	var v oracle.View
	b, _, err := s.Query(c.Context(), s.chain, oracleModule, oracle.PathQuestion+id.String(), nil)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	return v, err
}

func (a *app) oracleAnswerCmd() *cobra.Command {
	var o sending
	c := &cobra.Command{
		Use: "answer ID VALUE --from NAME", Short: "Answer a question",
		Long: "Answers a question with YES, NO, INVALID or TOO_EARLY. The asker answers for free in its own window; anyone else, and the asker later, with\n" +
			"a bond as large as the deposit. The answer is final if nobody contradicts it.",
		Example: "  alto oracle answer 9c1f… YES --from community\n  alto oracle answer 9c1f… NO --from consultants\n  alto oracle show 9c1f…", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := types.ParseHash(args[0])
			if err != nil {
				return coded(exitUsage, err)
			}
			value, err := oracle.ParseValue(strings.ToUpper(args[1]))
			if err != nil {
				return coded(exitUsage, err)
			}
			s, tx, err := a.send(c.Context(), &o, oracleModule, func(s *session, ref *client.Reference, self types.AccountID) ([]types.Action, error) {
				q, err := oracleQuestion(c, s, id)
				if err != nil {
					return nil, err
				}
				bond := q.Deposit
				if q.Asker == self && ref.Clock < q.AskerUntil {
					bond = 0
				}
				return []types.Action{{Name: oracle.ActionAnswer, Body: oracle.Answer{ID: id, Value: value}.Encode(), MaxSpend: bond}}, nil
			})
			return a.sent(s, tx, err)
		},
	}
	sendFlags(c, &o)
	return c
}

func (a *app) oracleShowCmd() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "show ID", Short: "Show a question", Long: "Shows where a question stands, its answers, and when it closes by itself.",
		Example: "  alto oracle show 9c1f…\n  alto oracle show 9c1f… --node node-2\n  alto oracle show 9c1f… -o json", Args: cobra.ExactArgs(1),
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
			v, err := oracleQuestion(c, s, id)
			if err != nil {
				return err
			}
			return a.print(v, func() {
				fmt.Fprintf(a.out, "question %s\n  %s\n  state    %s\n  asker    %s\n  deposit  %s\n", v.ID, v.Text, v.State, v.Asker, amountText(v.Deposit))
				for _, g := range v.Answers {
					fmt.Fprintf(a.out, "  answer   %s by %s at clock %d\n", g.Value, g.Account, g.Clock)
				}
				if v.Result != nil {
					fmt.Fprintf(a.out, "  result   %s\n", *v.Result)
				} else if v.DueAt > 0 {
					fmt.Fprintf(a.out, "  closes   at clock %d, unless something happens before\n", v.DueAt)
				}
			})
		},
	}
	targetFlags(c, &t)
	return c
}
