package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// questionView is a question as `oracle show` prints it.
type questionView struct {
	Chain  string `json:"chain"`
	Height uint64 `json:"height"` // of the final block after which it was so
	Clock  uint64 `json:"clock"`  // of the chain
	TickNs uint64 `json:"tick_ns"`
	oracle.View
	DueTime *time.Time `json:"due_time,omitempty"` // estimate of when due_at is
	Seats   []seatView `json:"seats,omitempty"`    // of a dispute, in order
}

// seatView is a producer that decides.
type seatView struct {
	Seat      int             `json:"seat"`
	Name      string          `json:"name,omitempty"`
	Key       types.PublicKey `json:"key"`
	Committed uint64          `json:"committed_at,omitempty"`
	Revealed  uint64          `json:"revealed_at,omitempty"`
	Value     *oracle.Value   `json:"value,omitempty"`
}

func (a *app) oracleShowCmd() *cobra.Command {
	var t target
	c := &cobra.Command{
		Use: "show ID", Short: "Show a question, its answers and its dispute",
		Long: "Shows where a question stands, what can be done and until when, its answers with their bonds, and of a dispute the windows, the producers'\n" +
			"ballots and what became of the bonds. Times are estimates: what counts is the chain's clock, which goes with its slots.",
		Example: "  alto oracle show 9c1f…\n  alto oracle show 9c1f… --node node-2\n  alto oracle show 9c1f… -o json", Args: cobra.ExactArgs(1),
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
			q, height, err := o.question(c.Context(), id)
			if err != nil {
				return err
			}
			v := questionView{Chain: o.chain, Height: height, Clock: o.ref.Clock, TickNs: o.terms.TickNs, View: q}
			if q.DueAt > 0 {
				t := o.time(q.DueAt).UTC()
				v.DueTime = &t
			}
			if q.Dispute != nil {
				v.Seats = seatsOf(q.Dispute, o.producerNames(c.Context()))
			}
			return a.print(v, func() { a.printQuestion(o, &v) })
		},
	}
	targetFlags(c, &t)
	return c
}

// producerNames returns what producers are called, by the hashes of their keys: as the genesis document has it, or as nodes of the
// local network. Names are a help for people; without them it goes on.
func (o *oracleSession) producerNames(ctx context.Context) map[types.Hash]string {
	names := map[types.Hash]string{}
	if info, err := o.Client.Chain(ctx, o.chain); err == nil {
		if g, err := chainspec.DecodeGenesis(info.Genesis); err == nil {
			for _, p := range g.Producers {
				names[p.Key.Hash()] = p.Name
			}
		}
	}
	if o.state != nil {
		for _, n := range o.state.Nodes {
			names[n.Key.Hash()] = n.Name
		}
	}
	return names
}

func seatsOf(d *oracle.DisputeView, names map[types.Hash]string) []seatView {
	out := make([]seatView, len(d.Producers))
	for i, k := range d.Producers {
		out[i] = seatView{Seat: i, Name: names[k.Hash()], Key: k}
	}
	for _, c := range d.Commits {
		if c.Seat >= 0 && c.Seat < len(out) {
			out[c.Seat].Committed = c.Clock
		}
	}
	for _, r := range d.Reveals {
		if r.Seat >= 0 && r.Seat < len(out) {
			out[r.Seat].Revealed, out[r.Seat].Value = r.Clock, &r.Value
		}
	}
	return out
}

func (a *app) printQuestion(o *oracleSession, v *questionView) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(a.out, "  %-8s "+format+"\n", append([]any{name}, args...)...)
	}
	fmt.Fprintf(a.out, "question %s\n", v.ID)
	for _, l := range quoted(v.Text) {
		fmt.Fprintf(a.out, "  | %s\n", l)
	}
	for _, s := range v.Sources {
		for i, l := range folded(oneLine(s, oracle.MaxSourceBytes)) {
			line(map[bool]string{true: "source"}[i == 0], "| %s", l)
		}
	}
	line("state", "%s%s", v.State, map[bool]string{true: ", after it was answered TOO_EARLY and opened again"}[v.Reopened && !v.State.Closed()])
	line("asker", "%s", v.Asker)
	line("asked", "%s", o.at(v.Asked))
	if v.Open > v.Asked {
		line("open", "from %s", o.at(v.Open))
	}
	line("due", "an answer by %s", o.at(v.AnswerBy))
	if v.State.Closed() {
		line("deposit", "%s", o.money(v.Deposit))
	} else {
		line("deposit", "%s; in escrow are %s", o.money(v.Deposit), o.money(v.Escrow))
	}
	for i, g := range v.Answers {
		a.printGiven(o, v, i, &g)
	}
	if v.Dispute != nil {
		a.printDispute(o, v)
	}
	if v.Result != nil {
		line("result", "%s, since %s", *v.Result, o.at(v.ClosedAt))
	} else if v.State == oracle.Expired {
		line("expired", "%s: nobody has answered", o.at(v.ClosedAt))
	}
	a.printNext(o, v)
}

func (a *app) printGiven(o *oracleSession, v *questionView, i int, g *oracle.GivenView) {
	name, bond := "answer", "bond "+o.money(g.Bond)
	if g.Counter {
		name = "counter"
	} else if g.Bond == 0 {
		bond = "free: the deposit is the bond"
	}
	who := g.Account.String()
	if g.Account == v.Asker {
		who += ", the asker"
	}
	fmt.Fprintf(a.out, "  %-8s %s by %s; %s; %s\n", name, g.Value, who, bond, o.at(g.Clock))
}

func (a *app) printDispute(o *oracleSession, v *questionView) {
	d := v.Dispute
	phase := map[oracle.State]string{oracle.Countered: "announced", oracle.Commit: "the producers commit", oracle.Reveal: "the producers reveal"}[v.State]
	if phase == "" {
		phase = "over"
	}
	fmt.Fprintf(a.out, "  dispute  %s: %d of %d equal ballots decide\n", phase, d.Quorum, len(d.Producers))
	fmt.Fprintf(a.out, "    commit   from %s\n    reveal   from %s\n    until    %s\n", o.at(d.CommitAt), o.at(d.RevealAt), o.at(d.EndsAt))
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "    SEAT\tPRODUCER\tCOMMITTED\tREVEALED\tVALUE")
	for _, s := range v.Seats {
		at := func(clock uint64) string {
			if clock == 0 {
				return "-"
			}
			return fmt.Sprintf("clock %d", clock)
		}
		value := "-"
		if s.Value != nil {
			value = s.Value.String()
		}
		fmt.Fprintf(w, "    %d\t%s\t%s\t%s\t%s\n", s.Seat, producerText(s.Name, s.Key), at(s.Committed), at(s.Revealed), value)
	}
	_ = w.Flush()
	if d.Settled != nil {
		fmt.Fprintf(a.out, "  settled  %s\n", settlementText(d.Settled, o.money))
	}
}

func producerText(name string, key types.PublicKey) string {
	if name != "" {
		return name
	}
	return oneLine(key.String(), 20)
}

// settlementText says what a dispute came to, and where the tokens went.
func settlementText(s *oracle.Settlement, money func(uint64) string) string {
	parts := []string{"decided: " + s.Winner.String()}
	if !s.Decided {
		parts[0] = "undecided, so " + s.Winner.String()
	}
	for _, x := range []struct {
		v    uint64
		text string
	}{{s.Burned, "burned"}, {s.Returned, "returned to those who had paid it"}, {s.ToWinner, "to who was right"}} {
		if x.v > 0 {
			parts = append(parts, money(x.v)+" "+x.text)
		}
	}
	if s.Rewards > 0 {
		parts = append(parts, fmt.Sprintf("%s each to %d producers", money(s.PerProducer), s.Rewarded))
	}
	if s.Kept > 0 {
		parts = append(parts, money(s.Kept)+" kept as the deposit")
	}
	if s.Reopened {
		parts = append(parts, "open again")
	}
	return strings.Join(parts, "; ")
}

// printNext says what happens by itself, and what can be done.
func (a *app) printNext(o *oracleSession, v *questionView) {
	next := func(format string, args ...any) { fmt.Fprintf(a.out, "  next     "+format+"\n", args...) }
	switch v.State {
	case oracle.Open:
		switch {
		case v.Open > v.Clock:
			next("it opens at %s; then the asker alone may answer until %s", o.at(v.Open), o.at(v.AskerUntil))
		case v.AskerUntil > v.Clock:
			next("the asker may answer for free, and nobody else, until %s: `alto oracle answer %s VALUE --from NAME`", o.at(v.AskerUntil), v.ID)
		default:
			next("anybody may answer with a bond of %s: `alto oracle answer %s VALUE --from NAME`", o.money(v.Deposit), v.ID)
		}
		next("without an answer it expires at %s", o.at(v.DueAt))
	case oracle.Answered:
		if slices.ContainsFunc(v.Answers[len(v.Answers)-1:], func(g oracle.GivenView) bool { return g.Value == oracle.TooEarly }) {
			next("it opens again at %s, unless somebody contradicts before: `alto oracle counter %s VALUE --from NAME`", o.at(v.DueAt), v.ID)
			return
		}
		next("the answer is final at %s, unless somebody contradicts it before: `alto oracle counter %s VALUE --from NAME`", o.at(v.DueAt), v.ID)
	case oracle.Countered, oracle.Commit:
		next("the producers' operators see to their nodes: `alto oracle ballot %s VALUE --node NAME`", v.ID)
	case oracle.Reveal:
		next("it is over at %s, or when all have revealed", o.at(v.DueAt))
	}
}
