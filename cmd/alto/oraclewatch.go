package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (a *app) oracleWatchCmd() *cobra.Command {
	var t target
	var timeout time.Duration
	c := &cobra.Command{
		Use: "watch [ID]", Short: "Follow what happens to a question, or to all",
		Long: "Shows what the oracle tells in final blocks, as it happens: answers, contradictions, ballots, decisions. With an ID it is about that question, and\n" +
			"ends when the question is over; exit code 5 if --timeout passes before. Without one it goes on until Ctrl-C or --timeout. With -o json or jsonl\n" +
			"each event is a line of JSON.",
		Example: "  alto oracle watch\n  alto oracle watch 9c1f… --timeout 10m\n  alto oracle watch -o jsonl --chain root", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var id *types.Hash
			if len(args) > 0 {
				x, err := questionArg(args[0])
				if err != nil {
					return err
				}
				id = &x
			}
			if timeout < 0 {
				return coded(exitUsage, fmt.Errorf("--timeout %s: it cannot be negative", timeout))
			}
			ctx := c.Context()
			if timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, timeout)
				defer cancel()
			}
			o, err := a.openOracle(ctx, t)
			if err != nil {
				return err
			}
			defer o.Close()
			if id == nil {
				a.progress("watching the questions of chain %s from block %d on; Ctrl-C ends it", o.chain, o.ref.Height+1)
				err := a.watchOracle(ctx, o, nil, o.ref.Height+1)
				if ctx.Err() != nil || (timeout > 0 && timedOut(err)) { // which is how it is meant to end
					return nil
				}
				return err
			}
			q, height, err := o.question(ctx, *id)
			if err != nil {
				return err
			}
			if q.State.Closed() {
				a.progress("question %s is over since %s: %s", *id, o.at(q.ClosedAt), resultOf(&q))
				return nil
			}
			a.progress("question %s is %s; %s", *id, q.State, dueText(o, &q))
			err = a.watchOracle(ctx, o, id, height+1)
			if err != nil && c.Context().Err() == nil && timedOut(err) {
				err = coded(exitTimeout, fmt.Errorf("question %s is not over after %s; `alto oracle show %s` tells how it stands", id.Short(), timeout, *id))
			}
			return err
		},
	}
	targetFlags(c, &t)
	c.Flags().DurationVar(&timeout, "timeout", 0, "end after so long (default: no limit)")
	return c
}

// dueText says what is next for a question that is not over.
func dueText(o *oracleSession, q *oracle.View) string {
	what := map[oracle.State]string{oracle.Open: "it expires", oracle.Answered: "its answer is final", oracle.Countered: "the producers commit",
		oracle.Commit: "the producers reveal", oracle.Reveal: "it is over"}[q.State]
	if q.State == oracle.Open && q.Open > o.ref.Clock {
		return "it opens at " + o.at(q.Open)
	}
	return what + " at " + o.at(q.DueAt)
}

// watchOracle prints events from a height on: all, or those of a question until it is over.
func (a *app) watchOracle(ctx context.Context, o *oracleSession, id *types.Hash, from uint64) error {
	names := o.producerNames(ctx)
	if a.output == "json" {
		defer func(was string) { a.output = was }(a.output)
		a.output = "jsonl" // a line each, so that a program can read them one by one
	}
	for e, err := range o.WatchOracle(ctx, o.chain, from) {
		if err != nil {
			return err
		}
		if id != nil && e.Question != *id {
			continue
		}
		if err := a.print(e, func() { a.printEvent(o, &e, names, id == nil) }); err != nil {
			return err
		}
		if id != nil && (e.Name == oracle.EventFinal || e.Name == oracle.EventExpired) {
			return nil
		}
	}
	return nil
}

func (a *app) printEvent(o *oracleSession, e *client.OracleEvent, names map[types.Hash]string, which bool) {
	about := ""
	if which {
		about = e.Question.Short() + "  "
	}
	at := time.UnixMilli(int64(o.ref.Params.SlotTimeMs(e.Slot)))
	fmt.Fprintf(a.out, "%s  block %-7d %s%-10s %s\n", at.Format(time.TimeOnly), e.Height, about, e.Name, eventText(o, e, names))
}

// eventText is an event's data for people; as it came if it is of a kind that is not known.
func eventText(o *oracleSession, e *client.OracleEvent, names map[types.Hash]string) string {
	who := func(producer types.Hash) string {
		if n := names[producer]; n != "" {
			return n
		}
		return "producer " + producer.Short()
	}
	show := func(v any, text func() string) string {
		if json.Unmarshal(e.Data, v) != nil {
			return oneLine(string(e.Data), 200)
		}
		return text()
	}
	switch e.Name {
	case oracle.EventAsked:
		var d oracle.AskedEvent
		return show(&d, func() string {
			return fmt.Sprintf("by %s, deposit %s: %s", d.Asker, o.money(d.Deposit), oneLine(d.Text, 80))
		})
	case oracle.EventAnswered:
		var d oracle.AnsweredEvent
		return show(&d, func() string {
			return fmt.Sprintf("%s by %s, bond %s; final at clock %d unless contradicted", d.Value, d.Account, o.money(d.Bond), d.FinalAt)
		})
	case oracle.EventCountered:
		var d oracle.CounteredEvent
		return show(&d, func() string {
			return fmt.Sprintf("%s by %s, bond %s; %d producers commit from clock %d, reveal from clock %d, until clock %d", d.Value, d.Account, o.money(d.Bond),
				d.Seats, d.CommitAt, d.RevealAt, d.EndsAt)
		})
	case oracle.EventCommitted, oracle.EventRevealed:
		var d oracle.BallotEvent
		return show(&d, func() string {
			text := fmt.Sprintf("seat %d, %s", d.Seat, who(d.Producer))
			if d.Value != nil {
				text += ": " + d.Value.String()
			}
			return text
		})
	case oracle.EventBallotRefused:
		var d oracle.RefusedEvent
		return show(&d, func() string { return fmt.Sprintf("%s: %s: %s", who(d.Producer), d.Error, oneLine(d.Detail, 120)) })
	case oracle.EventDecided:
		var d oracle.DecidedEvent
		return show(&d, func() string { return ballotsText(d.Votes, d.Seats) + "; " + settlementText(&d.Settled, o.money) })
	case oracle.EventFinal, oracle.EventExpired, oracle.EventReopened:
		var d oracle.ClosedEvent
		return show(&d, func() string {
			text := fmt.Sprintf("%s returned, %s burned", o.money(d.Returned), o.money(d.Burned))
			if d.Value != nil {
				text = d.Value.String() + "; " + text
			}
			return text
		})
	}
	return oneLine(string(e.Data), 200)
}

// ballotsText counts ballots: "YES 3, NO 1 of 4".
func ballotsText(votes map[string]int, seats int) string {
	var parts []string
	for v, n := range votes {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", oneLine(v, 12), n))
		}
	}
	sort.Strings(parts)
	if len(parts) == 0 {
		return fmt.Sprintf("no ballots of %d", seats)
	}
	return fmt.Sprintf("%s of %d", strings.Join(parts, ", "), seats)
}

// momentView is something that happened, as `oracle history` prints it.
type momentView struct {
	oracle.HistoryEntry
	Time time.Time `json:"time"` // estimated
}

func (a *app) oracleHistoryCmd() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "history ID", Short: "Show everything that happened to a question",
		Long: "Shows the time line of a question, the oldest first: when it was asked, each answer and contradiction, each producer's ballot, the decision and\n" +
			"the end. Times are estimates from the chain's clock.",
		Example: "  alto oracle history 9c1f…\n  alto oracle history 9c1f… --chain root --node node-2\n  alto oracle history 9c1f… -o json", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := questionArg(args[0])
			if err != nil {
				return err
			}
			o, err := a.openOracle(c.Context(), t)
			if err != nil {
				return err
			}
			defer o.Close()
			if _, _, err := o.question(c.Context(), id); err != nil {
				return err
			}
			list, err := o.QuestionHistory(c.Context(), o.chain, id)
			if err != nil {
				return oracleHint(err, "", o.chain)
			}
			names := o.producerNames(c.Context())
			moments := make([]momentView, len(list))
			for i, h := range list {
				moments[i] = momentView{h, o.time(h.Clock).UTC()}
			}
			return printList(a, moments, []string{"CLOCK", "WHEN", "EVENT", "WHO", "WHAT"}, func(m momentView) []any {
				return []any{m.Clock, o.in(m.Clock), m.Event, historyWho(&m.HistoryEntry, names), historyWhat(&m.HistoryEntry, o.money)}
			})
		},
	}
	targetFlags(c, &t)
	return c
}

func historyWho(h *oracle.HistoryEntry, names map[types.Hash]string) string {
	switch {
	case h.Account != nil:
		return h.Account.String()
	case h.Producer != nil:
		return producerText(names[h.Producer.Hash()], *h.Producer)
	}
	return "-"
}

func historyWhat(h *oracle.HistoryEntry, money func(uint64) string) string {
	var parts []string
	switch {
	case h.Settled != nil:
		return settlementText(h.Settled, money)
	case h.Value != nil:
		parts = append(parts, h.Value.String())
	case h.Commit != nil:
		parts = append(parts, h.Commit.Short())
	}
	switch {
	case h.Event == oracle.EventAsked:
		parts = append(parts, "deposit "+money(h.Amount))
	case h.Amount > 0:
		parts = append(parts, "bond "+money(h.Amount))
	}
	return dashed(strings.Join(parts, ", "))
}
