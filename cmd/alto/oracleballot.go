package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/internal/localnet"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// balloting is what the four uses of oracle ballot have in common.
type balloting struct {
	sending
	data, reason, out, carry string
	list, sign               bool
}

func (a *app) oracleBallotCmd() *cobra.Command {
	var o balloting
	c := &cobra.Command{
		Use: "ballot ID VALUE --node NAME", Short: "Give a node's operator's own answer to a disputed question",
		Long: "Tells a node what its operator holds to be true. The node's producer commits to that in a block of its own when the commit window is open, and\n" +
			"reveals it when that is due; nothing has to be done again. It wins over the sources in the node's configuration, may be given before the question\n" +
			"is disputed, and may be changed until the node has committed. It needs the token in the node's folder.\n\n" +
			"  --list  shows what the nodes believe, where it comes from, and why one has no answer\n" +
			"  --sign  prints the ballot that is due now, signed, for a node whose producer has no blocks of its own any more\n" +
			"  --carry sends such a ballot, which is a file or digits, as a transaction; anybody may.",
		Example: "  alto oracle ballot 9c1f… YES --node node-2 --reason \"the gauge in Blindern\"\n  alto oracle ballot --list\n  alto oracle ballot --carry ballot.hex --from community",
		Args:    cobra.MaximumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			uses := 0
			for _, on := range []bool{o.list, o.sign, o.carry != ""} {
				if on {
					uses++
				}
			}
			want := 2
			switch {
			case uses > 1:
				return coded(exitUsage, errors.New("--list, --sign and --carry are three things to do; choose one"))
			case o.list, o.carry != "":
				want = 0
			case o.sign:
				want = 1
			}
			if len(args) != want {
				return coded(exitUsage, fmt.Errorf("%d arguments; it is written: alto oracle ballot ID VALUE --node NAME, alto oracle ballot --list, alto oracle ballot ID --sign --node NAME, or alto oracle ballot --carry FILE --from NAME", len(args)))
			}
			if o.carry != "" {
				return a.carryBallot(c, &o)
			}
			if o.api != "" {
				return coded(exitUsage, errors.New("--api does not reach a node's administration: name the node with --node, or its data folder with --data"))
			}
			ctx, cancel := context.WithTimeout(c.Context(), o.timeout)
			defer cancel()
			if o.list {
				return a.listBallots(ctx, &o)
			}
			id, err := questionArg(args[0])
			if err != nil {
				return err
			}
			if o.sign {
				return a.signBallot(ctx, &o, id)
			}
			v, err := valueArg(args[1])
			if err != nil {
				return err
			}
			if len(o.reason) > oracle.MaxReasonBytes {
				return coded(exitUsage, fmt.Errorf("--reason has %d bytes, at most %d are allowed", len(o.reason), oracle.MaxReasonBytes))
			}
			return a.giveBallot(ctx, &o, id, v)
		},
	}
	sendFlags(c, &o.sending)
	f := c.Flags()
	f.StringVar(&o.data, "data", "", "the data folder of a node that `alto up` has not started, instead of --node")
	f.StringVar(&o.reason, "reason", "", "why, for the node's own records")
	f.BoolVar(&o.list, "list", false, "show what nodes believe")
	f.BoolVar(&o.sign, "sign", false, "print the ballot that is due now, signed")
	f.StringVar(&o.out, "out", "", "with --sign: the file to write it to, as digits")
	f.StringVar(&o.carry, "carry", "", "send this ballot, a file or hexadecimal digits, as a transaction")
	return c
}

// folder is where a node keeps its data.
type folder struct{ name, dir string }

// folders returns the nodes that a command is about: the one that is named, or all of the local network.
func (a *app) folders(o *balloting) ([]folder, error) {
	if o.data != "" {
		if o.node != "" {
			return nil, coded(exitUsage, errors.New("--data and --node are two ways to name a node; use one"))
		}
		dir, err := filepath.Abs(o.data)
		return []folder{{o.data, dir}}, coded(exitUsage, err)
	}
	s, dir, err := a.state()
	if err != nil {
		return nil, err
	}
	if !localnet.Running(dir) {
		return nil, coded(exitUnhealthy, fmt.Errorf("network %s: %w; `alto up` starts it", s.Name, localnet.ErrNotRunning))
	}
	if o.node != "" {
		if err := knownNode(s, o.node); err != nil {
			return nil, err
		}
		return []folder{{o.node, localnet.NodeDir(dir, o.node)}}, nil
	}
	var out []folder
	for _, n := range s.Nodes {
		out = append(out, folder{n.Name, localnet.NodeDir(dir, n.Name)})
	}
	return out, nil
}

// administer reaches a node's administration, and its chains by the same way. The caller closes it.
func administer(ctx context.Context, f folder, chain string) (*session, error) {
	token, err := api.ReadToken(localnet.AdminToken(f.dir))
	if err != nil {
		return nil, coded(exitUnhealthy, fmt.Errorf("node %s: %w; a node makes it when it starts", f.name, err))
	}
	c, err := client.New(localnet.AdminAddress(f.dir), client.Options{Token: token, Attempts: 2})
	if err != nil {
		return nil, err
	}
	s := &session{Client: c, node: f.name, chain: chain}
	if err := s.chooseChain(ctx); err != nil {
		c.Close()
		if connect.CodeOf(err) == connect.CodeUnavailable {
			err = coded(exitUnhealthy, fmt.Errorf("node %s does not answer: %w; `alto node restart %s` starts it again", f.name, err, f.name))
		}
		return nil, err
	}
	return s, nil
}

// one is the node that a command is about.
func (a *app) one(ctx context.Context, o *balloting) (*oracleSession, error) {
	list, err := a.folders(o)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		var names []string
		for _, f := range list {
			names = append(names, f.name)
		}
		return nil, coded(exitUsage, fmt.Errorf("whose ballot? Say --node NAME; there are %s", strings.Join(names, ", ")))
	}
	s, err := administer(ctx, list[0], o.chain)
	if err != nil {
		return nil, err
	}
	at, err := oracleAt(ctx, s)
	if err != nil {
		s.Close()
	}
	return at, err
}

// ballotHint says what to do about a node's refusal.
func ballotHint(err error, o *oracleSession, b *balloting, id types.Hash) error {
	which := "--node " + o.node
	if b.data != "" {
		which = "--data " + b.data
	}
	switch {
	case errors.Is(err, api.ErrCommitted):
		err = fmt.Errorf("%w; a ballot that is on the chain, or on its way there, cannot be changed", err)
	case errors.Is(err, api.ErrNoBelief):
		err = fmt.Errorf("%w; `alto oracle ballot %s VALUE %s` gives it one, and `alto oracle ballot --list %s` shows what has gone wrong", err, id, which, which)
	case errors.Is(err, api.ErrNothingDue):
		err = fmt.Errorf("%w; `alto oracle show %s` tells when ballots are due", err, id)
	case errors.Is(err, api.ErrUnsupported):
		err = coded(exitFailed, fmt.Errorf("node %s: %w", o.node, err))
	}
	return oracleHint(err, "", o.chain)
}

// ballotView is what oracle ballot prints.
type ballotView struct {
	Node     string       `json:"node"`
	Chain    string       `json:"chain"`
	Question types.Hash   `json:"question"`
	State    oracle.State `json:"state"` // of the question
	Value    oracle.Value `json:"value"`
	Reason   string       `json:"reason,omitempty"`
	Seat     *int         `json:"seat,omitempty"` // among those who decide, if it is disputed
}

func (a *app) giveBallot(ctx context.Context, o *balloting, id types.Hash, v oracle.Value) error {
	at, err := a.one(ctx, o)
	if err != nil {
		return err
	}
	defer at.Close()
	q, _, err := at.question(ctx, id)
	if err != nil {
		return err
	}
	out := ballotView{Node: at.node, Chain: at.chain, Question: id, State: q.State, Value: v, Reason: o.reason}
	note, err := at.mayVote(ctx, &q, &out)
	if err != nil {
		return err
	}
	if err := at.OracleBallot(ctx, at.chain, id, v, o.reason); err != nil {
		return ballotHint(err, at, o, id)
	}
	a.progress("%s", note)
	return a.print(out, func() {
		fmt.Fprintf(a.out, "node %s holds %s to be true of question %s\n  | %s\n", out.Node, out.Value, id, oneLine(q.Text, 100))
	})
}

// believedView is an observation as oracle ballot --list prints it.
type believedView struct {
	Node string `json:"node"`
	api.Observation
}

func (a *app) listBallots(ctx context.Context, o *balloting) error {
	list, err := a.folders(o)
	if err != nil {
		return err
	}
	var out []believedView
	var problem error
	for _, f := range list {
		s, err := administer(ctx, f, o.chain)
		if err == nil {
			var seen []api.Observation
			seen, err = s.OracleObservations(ctx, s.chain)
			for _, x := range seen {
				out = append(out, believedView{f.name, x})
			}
			err = oracleHint(err, "", s.chain)
			s.Close()
		}
		if err != nil && len(list) == 1 {
			return err
		}
		if err != nil {
			a.progress("%v", err)
			problem = told(exitUnhealthy, err)
		}
	}
	err = printList(a, out, []string{"NODE", "QUESTION", "STATE", "VALUE", "SOURCE", "TRIES", "SINCE", "REASON"}, func(v believedView) []any {
		value := "-"
		if v.Value != nil {
			value = v.Value.String()
		}
		since := "-"
		if !v.At.IsZero() {
			since = roughly(time.Since(v.At)) + " ago"
		}
		return []any{v.Node, v.Question, v.State, value, dashed(v.Source), v.Attempts, since, dashed(oneLine(v.Reason, 100))}
	})
	return errors.Join(err, problem)
}

func dashed(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// signedView is what oracle ballot --sign prints.
type signedView struct {
	Node     string       `json:"node"`
	Question types.Hash   `json:"question"`
	Phase    oracle.State `json:"phase"`
	Producer string       `json:"producer"`
	Ballot   string       `json:"ballot"` // hexadecimal
	File     string       `json:"file,omitempty"`
}

func (a *app) signBallot(ctx context.Context, o *balloting, id types.Hash) error {
	at, err := a.one(ctx, o)
	if err != nil {
		return err
	}
	defer at.Close()
	if _, _, err := at.question(ctx, id); err != nil {
		return err
	}
	b, err := at.OracleSignBallot(ctx, at.chain, id)
	if err != nil {
		return ballotHint(err, at, o, id)
	}
	c, err := oracle.DecodeCarried(b)
	if err != nil {
		return fmt.Errorf("the ballot of node %s: %w", at.node, err)
	}
	v := signedView{Node: at.node, Question: c.Ballot.Question, Phase: c.Ballot.Phase, Producer: c.Key.String(), Ballot: hex.EncodeToString(b), File: o.out}
	if o.out != "" {
		if err := os.WriteFile(o.out, []byte(v.Ballot+"\n"), 0o600); err != nil {
			return coded(exitConfig, err)
		}
	}
	a.progress("anybody can bring it to the chain: `alto oracle ballot --carry %s --from NAME`", orText(o.out, "DIGITS"))
	return a.print(v, func() {
		if o.out == "" {
			fmt.Fprintln(a.out, v.Ballot)
		}
	})
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// maxCarried is more than a ballot has in hexadecimal digits.
const maxCarried = 64 << 10

// readSome reads a file that should be small.
func readSome(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it is only read
	return io.ReadAll(io.LimitReader(f, maxCarried))
}

// carriedBallot reads a ballot from a file or from digits.
func carriedBallot(text string) (oracle.Carried, []byte, error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		b, rerr := readSome(text)
		if rerr != nil {
			return oracle.Carried{}, nil, coded(exitConfig, fmt.Errorf("--carry %s: neither a ballot's digits nor a file: %w", oneLine(text, 40), rerr))
		}
		if raw, err = hex.DecodeString(strings.TrimSpace(string(b))); err != nil {
			raw = b
		}
	}
	c, err := oracle.DecodeCarried(raw)
	if err != nil {
		return c, nil, coded(exitConfig, fmt.Errorf("--carry %s: %w; `alto oracle ballot ID --sign --node NAME` makes one", oneLine(text, 40), err))
	}
	return c, raw, nil
}

func (a *app) carryBallot(c *cobra.Command, o *balloting) error {
	b, raw, err := carriedBallot(o.carry)
	if err != nil {
		return err
	}
	id := types.Hash(b.Ballot.Question)
	at, tx, err := a.sendOracle(c, &o.sending, func(at *oracleSession, _ types.AccountID) (types.Action, error) {
		if err := b.Verify(at.ref.Chain); err != nil {
			return types.Action{}, coded(exitConfig, fmt.Errorf("--carry: it is no ballot for chain %s: %w", at.chain, err))
		}
		if _, _, err := at.question(c.Context(), id); err != nil {
			return types.Action{}, err
		}
		return client.CarryBallot(raw), nil
	})
	return a.sentOracle(at, tx, err, func() { a.progress("the ballot of %s on question %s is on the chain: %s", b.Key, id, b.Ballot.Phase) })
}

// mayVote refuses a ballot that cannot count. Of one that can, it tells what becomes of it.
func (o *oracleSession) mayVote(ctx context.Context, q *oracle.View, out *ballotView) (note string, err error) {
	st, err := o.Status(ctx)
	if err != nil {
		return "", err
	}
	if q.State.Closed() {
		return "", notNow(oracle.ErrFinal, "question %s is over since %s: %s", q.ID.Short(), o.at(q.ClosedAt), resultOf(q))
	}
	if !q.State.Disputed() || q.Dispute == nil {
		for _, c := range st.Chains {
			if (c.Name == o.chain || c.ID.String() == o.chain) && !c.Producer {
				return fmt.Sprintf("node %s has no seat on chain %s now: its answer counts only if it has one when an answer to the question is contradicted", o.node, o.chain), nil
			}
		}
		return fmt.Sprintf("the question is %s: the node keeps the answer for the case that somebody contradicts", q.State), nil
	}
	d := q.Dispute
	for i, k := range d.Producers {
		if k.Hash() == st.ID {
			out.Seat = &i
		}
	}
	if out.Seat == nil {
		return "", notNow(oracle.ErrNotInSnapshot, "node %s is not among the %d producers who decide question %s, since it had no seat when the answer was contradicted; `alto oracle show %s` lists them",
			o.node, len(d.Producers), q.ID.Short(), q.ID)
	}
	i := len(q.Answers) - 2 // the answer that was contradicted
	if out.Value == oracle.TooEarly && (q.Reopened || (i >= 0 && q.Answers[i].Clock >= q.AnswerBy)) {
		return "", notNow(oracle.ErrWindow, "no ballot on question %s can say TOO_EARLY: the answer was given when it was due", q.ID.Short())
	}
	committed := slices.ContainsFunc(d.Commits, func(c oracle.CommitView) bool { return c.Seat == *out.Seat })
	if q.State == oracle.Reveal && !committed {
		return "", notNow(oracle.ErrWindow, "node %s has not committed on question %s until %s, and can no more", o.node, q.ID.Short(), o.at(d.RevealAt))
	}
	return fmt.Sprintf("seat %d commits between %s and %s, and reveals until %s", *out.Seat, o.at(d.CommitAt), o.at(d.RevealAt), o.at(d.EndsAt)), nil
}
