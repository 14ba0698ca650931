package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/api/apitest"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestQuestions(t *testing.T) {
	l := &locking{Chain: apitest.NewChain("root")}
	node := apitest.NewNode("north")
	node.Add(l)
	at, _ := start(t, node, api.DefaultAddress, api.Options{})
	c, ctx := dial(t, at, client.Options{}), within(t)
	id, other := types.Hash{9}, types.Hash{8}
	terms := oracle.Terms{TickNs: 1e9, Challenge: 5, InitiatorWindow: 5, Notice: 1, CommitWindow: 1, RevealWindow: 1, Turn: 1, BurnPPM: 500_000}
	view := oracle.View{ID: id, State: oracle.Open, Text: "?", Deposit: 1 << 60}

	l.reply = func(string) (any, error) { return terms, nil }
	if v, err := c.OracleTerms(ctx, "root"); err != nil || v != terms {
		t.Errorf("%+v, %v", v, err)
	}
	l.reply = func(string) (any, error) { return oracle.Terms{}, nil }
	if _, err := c.OracleTerms(ctx, "root"); err == nil {
		t.Error("terms without a tick were believed")
	}
	l.reply = func(string) (any, error) { return view, nil }
	if v, height, err := c.Question(ctx, "root", id); err != nil || height != 7 || v.ID != id || v.Deposit != view.Deposit {
		t.Errorf("%+v, %d, %v", v, height, err)
	}
	if _, _, err := c.Question(ctx, "root", other); err == nil || !strings.Contains(err.Error(), "answered about") {
		t.Errorf("another question: %v", err)
	}
	l.reply = func(string) (any, error) { return oracle.Page{Questions: []oracle.View{view}, Next: &id}, nil }
	if p, err := c.Questions(ctx, "root", client.QuestionFilter{}); err != nil || len(p.Questions) != 1 || *p.Next != id {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := c.Questions(ctx, "root", client.QuestionFilter{State: oracle.Answered, After: &other, Limit: 3}); err != nil {
		t.Error(err)
	}
	if _, err := c.Questions(ctx, "root", client.QuestionFilter{After: &id}); err == nil || !strings.Contains(err.Error(), "ends with") {
		t.Errorf("pages without an end: %v", err)
	}
	l.reply = func(string) (any, error) { return oracle.DisputePage{Next: "ab"}, nil }
	if p, err := c.Disputes(ctx, "root", "aa", 5); err != nil || p.Next != "ab" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := c.Disputes(ctx, "root", "ab", 0); err == nil || !strings.Contains(err.Error(), "the same") {
		t.Errorf("pages without an end: %v", err)
	}
	l.reply = func(string) (any, error) { return []oracle.HistoryEntry{{Clock: 3, Event: oracle.EventAsked}}, nil }
	if h, err := c.QuestionHistory(ctx, "root", id); err != nil || len(h) != 1 || h[0].Clock != 3 {
		t.Errorf("%+v, %v", h, err)
	}
	l.reply = func(string) (any, error) { return `[1]`, nil }
	if _, _, err := c.Question(ctx, "root", id); err == nil || !strings.Contains(err.Error(), "answer of the node") {
		t.Errorf("nonsense: %v", err)
	}
	l.reply = func(string) (any, error) { return nil, api.ErrUnknownModule }
	if _, err := c.OracleTerms(ctx, "root"); !errors.Is(err, api.ErrUnknownModule) {
		t.Errorf("no oracle: %v", err)
	}
	want := []string{
		"oracle terms", "oracle terms", "oracle question/" + id.String(), "oracle question/" + other.String(), "oracle questions",
		"oracle questions?after=" + other.String() + "&limit=3&state=ANSWERED", "oracle questions?after=" + id.String(), "oracle disputes?after=aa&limit=5",
		"oracle disputes?after=ab", "oracle history/" + id.String(),
	}
	if !slices.Equal(l.asked[:len(want)], want) {
		t.Errorf("asked\n%q, want\n%q", l.asked, want)
	}
}

func TestOracleActions(t *testing.T) {
	id := types.Hash{7}
	ask := client.AskQuestion(oracle.Ask{Text: "?", AnswerBy: 9}, 5)
	if q, err := oracle.DecodeAsk(ask.Body); err != nil || q.AnswerBy != 9 || ask.MaxSpend != 5 || ask.Name != oracle.ActionAsk {
		t.Errorf("%+v, %v", ask, err)
	}
	answer := client.AnswerQuestion(id, oracle.Yes, 6)
	if b, err := oracle.DecodeAnswer(answer.Body); err != nil || b.ID != id || b.Value != oracle.Yes || answer.MaxSpend != 6 || answer.Name != oracle.ActionAnswer {
		t.Errorf("%+v, %v", answer, err)
	}
	counter := client.CounterAnswer(id, oracle.Invalid, 7)
	if b, err := oracle.DecodeCounter(counter.Body); err != nil || b.ID != id || b.Value != oracle.Invalid || counter.MaxSpend != 7 || counter.Name != oracle.ActionCounter {
		t.Errorf("%+v, %v", counter, err)
	}
	if b, err := oracle.DecodeClose(client.CloseQuestion(id).Body); err != nil || b.ID != id {
		t.Errorf("%+v, %v", b, err)
	}
	if a := client.CarryBallot([]byte{1}); a.Name != oracle.ActionBallot || a.MaxSpend != 0 || len(a.Body) != 1 {
		t.Errorf("%+v", a)
	}
}

// telling is a chain whose block 2 has events: two of the oracle by a transaction, one by scheduled work, and others.
type telling struct{ *apitest.Chain }

func (c telling) Block(ctx context.Context, height uint64) (*api.Block, error) {
	b, err := c.Chain.Block(ctx, height)
	if err != nil || height != 2 {
		return b, err
	}
	event := func(module, name, data string) types.Event {
		return types.Event{Module: module, Name: name, Data: []byte(data)}
	}
	n := *b
	n.TxIDs = []types.TxID{{5}}
	n.Receipts = []types.Receipt{
		{ID: types.Hash{5}, Status: types.StatusOK, Events: []types.Event{
			event(oracle.ModuleName, oracle.EventAsked, fmt.Sprintf(`{"question":"%s","deposit":"5"}`, types.Hash{9})), event("bank", oracle.EventAsked, `{}`),
			event(oracle.ModuleName, "novel", `{"question":7}`),
		}},
		{Status: types.StatusOK, Events: []types.Event{event(oracle.ModuleName, oracle.EventFinal, fmt.Sprintf(`{"question":"%s"}`, types.Hash{8}))}},
	}
	return &n, nil
}

func TestWatchOracle(t *testing.T) {
	ch := telling{apitest.NewChain("root")}
	ch.Advance(4)
	node := apitest.NewNode("north")
	node.Add(ch)
	at, _ := start(t, node, api.DefaultAddress, api.Options{})
	c, ctx := dial(t, at, client.Options{}), within(t)
	var got []client.OracleEvent
	for e, err := range c.WatchOracle(ctx, "root", 1) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, e); len(got) == 3 {
			break
		}
	}
	if len(got) != 3 || got[0].Name != oracle.EventAsked || got[0].Question != (types.Hash{9}) || got[0].Transaction == nil || *got[0].Transaction != (types.TxID{5}) ||
		got[0].Height != 2 || string(got[0].Data) == "" {
		t.Errorf("%+v", got)
	}
	if got[1].Name != "novel" || !got[1].Question.IsZero() || string(got[1].Data) != `{"question":7}` {
		t.Errorf("an event whose question is none: %+v", got[1])
	}
	if got[2].Name != oracle.EventFinal || got[2].Question != (types.Hash{8}) || got[2].Transaction != nil {
		t.Errorf("scheduled work: %+v", got[2])
	}
	if b, err := json.Marshal(got[1]); err != nil {
		t.Errorf("%s, %v", b, err)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	for _, err := range c.WatchOracle(done, "root", 1) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a watch that is over: %v", err)
		}
	}
}

// voting is a node that takes part in disputes.
type voting struct {
	*apitest.Node
	told []string
	seen []api.Observation
	err  error
}

func (v *voting) Believe(_ context.Context, chain string, q types.Hash, x oracle.Value, reason string) error {
	v.told = append(v.told, fmt.Sprint(chain, " ", q.Short(), " ", x, " ", reason))
	return v.err
}

func (v *voting) Observations(context.Context, string) ([]api.Observation, error) {
	return v.seen, v.err
}

func (v *voting) SignBallot(_ context.Context, chain string, q types.Hash) ([]byte, error) {
	return []byte(chain + q.Short()), v.err
}

// administration serves a node's administration on a socket, and returns a client of it.
func administration(t *testing.T, admin api.Admin, token string) *client.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "alto") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	l, err := api.Listen(api.UnixPrefix + filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	s := api.NewServer(apitest.NewNode("north"), api.Options{})
	const secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	served := make(chan error, 1)
	go func() { served <- s.ServeAdmin(l, admin, secret) }()
	if token == "" {
		token = secret
	}
	c, err := client.New(api.UnixPrefix+filepath.Join(dir, "s"), client.Options{Token: token, Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(dir)
	})
	return c
}

func TestBallots(t *testing.T) {
	v := &voting{Node: apitest.NewNode("north")}
	c, ctx, id := administration(t, v, ""), within(t), types.Hash{1, 2, 3, 4}
	if err := c.OracleBallot(ctx, "root", id, oracle.TooEarly, "why"); err != nil || len(v.told) != 1 || v.told[0] != "root 01020304 TOO_EARLY why" {
		t.Errorf("%v, %q", err, v.told)
	}
	if err := c.OracleBallot(ctx, "root", id, oracle.Yes, strings.Repeat("x", oracle.MaxReasonBytes+1)); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("a long reason: %v", err)
	}
	if err := c.OracleBallot(ctx, "root", id, oracle.Value(9), ""); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("no value: %v", err)
	}
	no := oracle.No
	v.seen = []api.Observation{{Question: id, State: "believes", Value: &no, Reason: "bad \xff", Source: "operator", Attempts: 3, At: time.UnixMilli(1234)},
		{Question: types.Hash{9}, State: "failed"}}
	got, err := c.OracleObservations(ctx, "root")
	if err != nil || len(got) != 2 || *got[0].Value != oracle.No || got[0].Question != id || got[0].Attempts != 3 || !got[0].At.Equal(time.UnixMilli(1234)) ||
		got[0].Reason != "bad \uFFFD" || got[1].Value != nil || !got[1].At.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	v.seen = make([]api.Observation, api.MaxObservations+5)
	if got, err := c.OracleObservations(ctx, ""); err != nil || len(got) != api.MaxObservations {
		t.Errorf("%d observations, %v", len(got), err)
	}
	if b, err := c.OracleSignBallot(ctx, "root", id); err != nil || string(b) != "root01020304" {
		t.Errorf("%q, %v", b, err)
	}
	for _, want := range []error{api.ErrNoOracle, api.ErrNoBelief, api.ErrCommitted, api.ErrNothingDue} {
		v.err = fmt.Errorf("%w: so it is", want)
		_, serr := c.OracleSignBallot(ctx, "root", id)
		_, oerr := c.OracleObservations(ctx, "root")
		for _, err := range []error{c.OracleBallot(ctx, "root", id, no, ""), serr, oerr} {
			if !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
	}
}

func TestBallotsAreRefused(t *testing.T) {
	ctx, id := within(t), types.Hash{1}
	for what, c := range map[string]struct {
		c    *client.Client
		want error
	}{
		"without the token":                {administration(t, &voting{Node: apitest.NewNode("north")}, "wrong"), api.ErrToken},
		"of a node that decides nothing":   {administration(t, apitest.NewNode("north"), ""), api.ErrUnsupported},
		"of such a one, without the token": {administration(t, apitest.NewNode("north"), "wrong"), api.ErrToken},
	} {
		_, serr := c.c.OracleSignBallot(ctx, "root", id)
		_, oerr := c.c.OracleObservations(ctx, "root")
		for _, err := range []error{c.c.OracleBallot(ctx, "root", id, oracle.Yes, ""), serr, oerr} {
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", what, err, c.want)
			}
		}
	}
}
