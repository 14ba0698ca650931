package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (a *app) oracleListCmd() *cobra.Command {
	var t target
	var state, after string
	limit := 50
	c := &cobra.Command{
		Use: "list", Short: "List the questions of a chain",
		Long: "Lists questions in the order of their ids, all of them or those in one state: OPEN, ANSWERED, COUNTERED (the dispute is announced), COMMIT and\n" +
			"REVEAL (the producers' ballots), FINAL, EXPIRED. DUE is when the state changes by itself.",
		Example: "  alto oracle list\n  alto oracle list --state ANSWERED --limit 200\n  alto oracle list --after 9c1f… -o jsonl", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f := client.QuestionFilter{}
			var err error
			if state != "" {
				if f.State, err = oracle.ParseState(strings.ToUpper(state)); err != nil {
					return coded(exitUsage, fmt.Errorf("--state: %w", err))
				}
			}
			if after != "" {
				id, err := questionArg(after)
				if err != nil {
					return fmt.Errorf("--after: %w", err)
				}
				f.After = &id
			}
			if limit < 1 {
				return coded(exitUsage, fmt.Errorf("--limit %d: it is at least 1", limit))
			}
			o, err := a.openOracle(c.Context(), t)
			if err != nil {
				return err
			}
			defer o.Close()
			var list []oracle.View
			for more := true; more && len(list) < limit; more = f.After != nil {
				f.Limit = min(limit-len(list), oracle.MaxPage)
				p, err := o.Questions(c.Context(), o.chain, f)
				if err != nil {
					return oracleHint(err, "", o.chain)
				}
				list, f.After = append(list, p.Questions...), p.Next
			}
			err = printList(a, list, []string{"QUESTION", "STATE", "ANSWER", "DUE", "DEPOSIT", "TEXT"}, func(v oracle.View) []any {
				due := "-"
				if v.DueAt > 0 {
					due = o.in(v.DueAt)
				}
				return []any{v.ID, v.State, standsAt(&v), due, amountText(v.Deposit), oneLine(v.Text, 60)}
			})
			if err == nil && f.After != nil {
				a.progress("there may be more questions; --limit %d shows more, --after %s goes on", 2*limit, *f.After)
			}
			return err
		},
	}
	targetFlags(c, &t)
	c.Flags().StringVar(&state, "state", "", "only those in this state")
	c.Flags().StringVar(&after, "after", "", "only those behind this id, to go on where a list ended")
	c.Flags().IntVar(&limit, "limit", limit, "how many")
	return c
}

// standsAt is the result of a question, or the answer that stands.
func standsAt(v *oracle.View) string {
	switch {
	case v.Result != nil:
		return v.Result.String()
	case v.State == oracle.Open || v.State == oracle.Expired || len(v.Answers) == 0:
		return "-"
	case v.State.Disputed() && len(v.Answers) > 1:
		return v.Answers[len(v.Answers)-2].Value.String() + " or " + v.Answers[len(v.Answers)-1].Value.String()
	}
	return v.Answers[len(v.Answers)-1].Value.String()
}

// oneLine cuts a text that anybody may have written so that it fits into a table.
func oneLine(s string, most int) string {
	r := []rune(visible(strings.Join(strings.Fields(s), " ")))
	if len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return string(r)
}

// visible replaces what turns the direction of writing, or is not seen, in a text that anybody may have written: it must not look like
// something that this command says itself.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}

// termsView is the terms as `oracle terms` prints them.
type termsView struct {
	Chain     string     `json:"chain"`
	Clock     uint64     `json:"clock"`
	Producers int        `json:"producers"`
	Set       types.Hash `json:"set_hash"`
	oracle.Terms
	CommitTicks uint64 `json:"commit_ticks"` // of a dispute that began now
	RevealTicks uint64 `json:"reveal_ticks"`
}

func (a *app) oracleTermsCmd() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "terms", Short: "Show on which terms questions are asked",
		Long:    "Shows what a question costs on a chain, how long its windows are, and what happens to the bonds of who was wrong.",
		Example: "  alto oracle terms\n  alto oracle terms --chain root --node node-2\n  alto oracle terms -o json", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := a.openOracle(c.Context(), t)
			if err != nil {
				return err
			}
			defer o.Close()
			info, err := o.Client.Chain(c.Context(), o.chain)
			if err != nil {
				return err
			}
			v := termsView{Chain: o.chain, Clock: o.ref.Clock, Producers: len(info.Set.Seats), Set: info.Set.Hash(), Terms: o.terms}
			v.CommitTicks, v.RevealTicks = o.terms.Windows(v.Producers)
			return a.print(v, func() { a.printTerms(o, v) })
		},
	}
	targetFlags(c, &t)
	return c
}

func (a *app) printTerms(o *oracleSession, v termsView) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(a.out, "  %-17s "+format+"\n", append([]any{name}, args...)...)
	}
	fmt.Fprintf(a.out, "questions on chain %s\n", v.Chain)
	line("clock", "%d; a tick lasts %s", v.Clock, time.Duration(v.TickNs))
	line("deposit", "%s and %s for each day until it is to be answered, %d at most", o.money(v.Base), o.money(v.PerDay), oracle.MaxDaysAhead)
	line("bond", "as much as the question's deposit, for each answer but the asker's first and for a contradiction")
	line("initiator_window", "%s in which only the asker may answer", o.lasts(v.InitiatorWindow))
	line("challenge", "%s in which an answer can be contradicted", o.lasts(v.Challenge))
	line("expiry_fee", "%s is burned of the deposit if nobody answers", o.money(v.ExpiryFee))
	line("notice", "%s between a contradiction and the ballots", o.lasts(v.Notice))
	line("commit", "%s in which the producers, now %d, commit to a ballot", o.lasts(v.CommitTicks), v.Producers)
	line("reveal", "%s in which they reveal it; %d equal ones decide", o.lasts(v.RevealTicks), quorumOf(v.Producers))
	line("burn", "%s of a bond that is lost is burned", percentText(float64(v.BurnPPM)/1e6))
}

// quorumOf is how many equal ballots of n decide.
func quorumOf(n int) int { return int(types.QuorumOf(uint64(n))) }
