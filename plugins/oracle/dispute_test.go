package prophecy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Clocks of the disputes of these tests: four producers, each of which has four turns of one slot in a window.
const (
	countered = 15
	commitAt  = countered + 2
	revealAt  = commitAt + 16
	endsAt    = revealAt + 16
)

// disputed asks at 10 with a deposit of 110, answers YES by account 1 at 14 and counters with NO by account 2 at 15.
func (w *world) disputed(text string) [32]byte {
	w.t.Helper()
	id := w.ask(10, oracle.Ask{Text: text, AnswerBy: 34})
	w.one(14, 1, "", answerTo(id, oracle.Yes, 110))
	w.one(countered, 2, "", counterOf(id, oracle.No, 110))
	return id
}

// votes has the producers vote, each in its own block: "YN-" is YES of the first, NO of the second, nothing of the third.
func (w *world) votes(id [32]byte, values string) {
	w.t.Helper()
	q := w.record(id)
	for _, reveal := range []bool{false, true} {
		for i, c := range values {
			v := oracle.Value(strings.IndexRune("NYIT", c))
			if c == '-' {
				continue
			}
			b, clock := commitOf(i, id, q.CommitAt, v), max(w.Clock, q.CommitAt)
			if reveal {
				b, clock = revealOf(i, id, q.CommitAt, v), max(w.Clock, q.RevealAt)
			}
			if e := w.extend(clock, i, b); len(refused(e.Block.Events)) > 0 {
				w.t.Fatalf("ballot of producer %d at clock %d: %v", i, clock, refused(e.Block.Events))
			}
		}
	}
}

func TestDisputeIsDecided(t *testing.T) {
	w := newWorld(t)
	id := w.disputed("Is it so?")
	w.balances(map[int]uint64{0: 1_000_000 - 110, 1: 1_000_000 - 110, 2: 1_000_000 - 110})
	r := w.record(id)
	if r.State != oracle.Countered || r.CommitAt != commitAt || r.RevealAt != revealAt || r.EndsAt != endsAt || r.Escrow() != 330 {
		t.Fatalf("%+v", r)
	}
	w.at(commitAt - 1)
	w.state(id, oracle.Countered)
	w.at(commitAt)
	w.state(id, oracle.Commit)
	w.votes(id, "NNN-")
	w.state(id, oracle.Reveal)
	w.at(endsAt - 1)
	w.state(id, oracle.Reveal)
	e := w.at(endsAt)
	w.state(id, oracle.Final)
	if names(e.Block.Events) != "decided final" {
		t.Fatalf("events: %s", names(e.Block.Events))
	}
	var closed oracle.ClosedEvent
	if err := json.Unmarshal(e.Block.Events[1].Data, &closed); err != nil {
		t.Fatal(err)
	}
	// The answer's bond of 110: 55 burned, 22 to producers, of which 1 is dust, 33 to the counter.
	if closed.Settled == nil || *closed.Settled != (oracle.Settlement{Decided: true, Winner: oracle.No, Burned: 56, Returned: 220, ToWinner: 33,
		Rewards: 21, PerProducer: 7, Rewarded: 3}) {
		t.Fatalf("%s", e.Block.Events[1].Data)
	}
	if r := w.record(id); r.Result != oracle.No || r.Closed != endsAt {
		t.Fatalf("%+v", r)
	}
	w.balances(map[int]uint64{0: 1_000_000, 1: 1_000_000 - 110, 2: 1_000_000 + 33, burn: 56})
	for i := range 4 {
		want := uint64(7)
		if i == 3 {
			want = 0
		}
		if got := w.Balance(producerAccount(i)); got != want {
			t.Errorf("producer %d has %d, want %d", i, got, want)
		}
	}
	if q := w.Queue(); len(q) != 0 {
		t.Fatalf("queue %v", q)
	}
	w.one(endsAt, 5, oracle.ErrFinal, counterOf(id, oracle.Invalid, 110))
	w.one(endsAt, 5, oracle.ErrFinal, answerTo(id, oracle.Invalid, 110))
	w.one(endsAt, 5, oracle.ErrFinal, carry(0, revealOf(0, id, commitAt, oracle.No)))
}

func TestNobodyVotes(t *testing.T) {
	w := newWorld(t)
	id := w.disputed("Is it so?")
	w.at(endsAt) // COUNTERED, COMMIT and REVEAL in one block
	r := w.record(id)
	if r.State != oracle.Final || r.Result != oracle.Invalid {
		t.Fatalf("%+v", r)
	}
	w.balances(map[int]uint64{0: 1_000_000, 1: 1_000_000 - 55, 2: 1_000_000 - 55, burn: 110})
	all, err := decodeAll(w.Core)
	if err != nil {
		t.Fatal(err)
	}
	if s := all.disputes[life{id, 0}].Settled; s == nil || s.Decided || s.Winner != oracle.Invalid {
		t.Fatalf("%+v", s)
	}
}

// TestNoProducers has a counter where nobody could decide.
func TestNoProducers(t *testing.T) {
	w := newWorld(t)
	w.Producers = nil
	id := w.disputed("Is it so?")
	if r := w.record(id); r.RevealAt != commitAt+3 || r.EndsAt != commitAt+9 { // as configured
		t.Fatalf("%+v", r)
	}
	w.at(endsAt)
	w.balances(map[int]uint64{0: 1_000_000, 1: 1_000_000 - 55, 2: 1_000_000 - 55, burn: 110})
}

// TestBoundaries does each thing one tick before, at and after each end of its window, with the queue as it comes, and with
// one that never delivers anything: there must be no difference.
func TestBoundaries(t *testing.T) {
	const due = 14 + 5 // of the answer
	type outcome = oracle.RuleError
	for name, tc := range map[string]struct {
		at   uint64 // first of three clocks
		want [3]outcome
		do   func(w *world, id [32]byte) types.Action
	}{
		"counter":                {due - 1, [3]outcome{"", oracle.ErrFinal, oracle.ErrFinal}, func(w *world, id [32]byte) types.Action { return counterOf(id, oracle.No, 110) }},
		"second counter, notice": {commitAt - 1, [3]outcome{oracle.ErrCountered, oracle.ErrCountered, oracle.ErrCountered}, func(w *world, id [32]byte) types.Action { return counterOf(id, oracle.Invalid, 110) }},
		"second counter, end":    {endsAt - 1, [3]outcome{oracle.ErrCountered, oracle.ErrFinal, oracle.ErrFinal}, func(w *world, id [32]byte) types.Action { return counterOf(id, oracle.Invalid, 110) }},
		"answer, end":            {endsAt - 1, [3]outcome{oracle.ErrAnswered, oracle.ErrFinal, oracle.ErrFinal}, func(w *world, id [32]byte) types.Action { return answerTo(id, oracle.Invalid, 110) }},
		"first commits":          {commitAt - 1, [3]outcome{oracle.ErrWindow, "", ""}, func(w *world, id [32]byte) types.Action { return carry(3, commitOf(3, id, commitAt, oracle.No)) }},
		"last commits":           {revealAt - 1, [3]outcome{"", oracle.ErrWindow, oracle.ErrWindow}, func(w *world, id [32]byte) types.Action { return carry(3, commitOf(3, id, commitAt, oracle.No)) }},
		"equal commits":          {revealAt - 1, [3]outcome{"", oracle.ErrWindow, oracle.ErrWindow}, func(w *world, id [32]byte) types.Action { return carry(0, commitOf(0, id, commitAt, oracle.No)) }},
		"first reveals":          {revealAt - 1, [3]outcome{oracle.ErrWindow, "", ""}, func(w *world, id [32]byte) types.Action { return carry(0, revealOf(0, id, commitAt, oracle.No)) }},
		"last reveals":           {endsAt - 1, [3]outcome{"", oracle.ErrFinal, oracle.ErrFinal}, func(w *world, id [32]byte) types.Action { return carry(0, revealOf(0, id, commitAt, oracle.No)) }},
		"reveal of no commit":    {revealAt - 1, [3]outcome{oracle.ErrWindow, oracle.ErrRevealMismatch, oracle.ErrRevealMismatch}, func(w *world, id [32]byte) types.Action { return carry(2, revealOf(2, id, commitAt, oracle.No)) }},
	} {
		for k := range uint64(3) {
			for _, lazy := range []bool{false, true} {
				for _, inExtension := range []bool{false, true} {
					w := newWorld(t)
					var id [32]byte
					if name == "counter" {
						id = w.ask(10, oracle.Ask{Text: "Is it so?", AnswerBy: 34})
						w.one(14, 1, "", answerTo(id, oracle.Yes, 110))
					} else {
						id = w.disputed("Is it so?")
						if tc.at+1 > commitAt {
							for i := range 2 {
								w.extend(commitAt, i, commitOf(i, id, commitAt, oracle.No))
							}
						}
					}
					clock := tc.at + k
					a := tc.do(w, id)
					m := extended{Module: w.o, lazy: lazy}
					if inExtension && a.Name == oracle.ActionBallot {
						c, err := oracle.DecodeCarried(a.Body)
						if err != nil {
							t.Fatal(err)
						}
						m.producer, m.data = c.Key.Hash(), [][]byte{oracle.EncodeBallots([]oracle.Ballot{c.Ballot})}
						a = idle().Actions[0]
					} else if inExtension {
						continue
					}
					e, err := w.Block(t.Context(), module.Guard(m), clock, []module.Tx{tx(99, account(3), a)})
					if err != nil || e.Fault != nil {
						t.Fatal(err, e)
					}
					if err := holds(w.Core); err != nil {
						t.Fatal(err)
					}
					got := outcome(e.Txs[0].Error)
					if inExtension {
						if got = ""; len(refused(e.Block.Events)) > 0 {
							got = refused(e.Block.Events)[0]
						}
					}
					if got != tc.want[k] {
						t.Errorf("%s at clock %d, lazy %t, in an extension %t: %q, want %q (%s)", name, clock, lazy, inExtension, got, tc.want[k], e.Txs[0].Detail)
					}
				}
			}
		}
	}
}

func TestCounterIsRefused(t *testing.T) {
	w := newWorld(t)
	id := w.ask(10, oracle.Ask{Text: "Is it so?", AnswerBy: 34})
	w.one(14, 2, oracle.ErrUnknownQuestion, counterOf([32]byte{1}, oracle.No, 110))
	w.one(14, 2, oracle.ErrWindow, counterOf(id, oracle.No, 110)) // nothing to contradict
	w.one(33, 1, "", answerTo(id, oracle.Yes, 110))
	w.one(33, 2, oracle.ErrSameAnswer, counterOf(id, oracle.Yes, 110))
	w.one(33, 2, oracle.ErrBondTooSmall, counterOf(id, oracle.No, 109))
	w.one(37, 1, "", counterOf(id, oracle.TooEarly, 10_000)) // by the answerer itself; the answer came before answer_by
	w.one(37, 2, oracle.ErrCountered, counterOf(id, oracle.No, 110))
	w.one(37, 2, oracle.ErrAnswered, answerTo(id, oracle.No, 110))
	w.balances(map[int]uint64{0: 1_000_000 - 110, 1: 1_000_000 - 220})
	late := w.ask(37, oracle.Ask{Text: "And this?", AnswerBy: 40, Open: 30})
	w.one(41, 1, "", answerTo(late, oracle.Yes, 110))
	w.one(41, 2, oracle.ErrWindow, counterOf(late, oracle.TooEarly, 110)) // the answer came after answer_by
	w.one(41, 2, "", counterOf(late, oracle.No, 110))
}

func TestBallotsAreRefused(t *testing.T) {
	w := newWorld(t)
	w.Producers = append(w.Producers, producerKey(1), producerKey(0)) // twice each: one voice each
	id := w.disputed("Is it so?")
	w.Producers = producerKeys(8)[1:] // 0 has left, 4 to 7 are new
	if d := mustDecode(t, w).disputes[life{id, 0}]; len(d.Producers) != 4 {
		t.Fatalf("%d seats", len(d.Producers))
	}
	one := func(clock uint64, want oracle.RuleError, a types.Action) {
		t.Helper()
		w.one(clock, 7, want, a)
	}
	ext := func(clock uint64, i int, want oracle.RuleError, b oracle.Ballot) {
		t.Helper()
		got := refused(w.extend(clock, i, b).Block.Events)
		if want == "" && len(got) > 0 || want != "" && !slices.Equal(got, []oracle.RuleError{want}) {
			t.Errorf("extension of producer %d at clock %d: %q, want %q", i, clock, got, want)
		}
	}
	c := commitOf(1, id, commitAt, oracle.No)
	ext(commitAt, 1, oracle.ErrUnknownQuestion, oracle.Ballot{Question: [32]byte{1}, Phase: oracle.Commit})
	ext(commitAt, 5, oracle.ErrNotInSnapshot, commitOf(5, id, commitAt, oracle.No))
	ext(commitAt, 0, oracle.ErrNotInSnapshot, commitOf(0, id, commitAt, oracle.No)) // makes no blocks any more …
	one(commitAt, oracle.ErrNotInSnapshot, carry(5, commitOf(5, id, commitAt, oracle.No)))
	one(commitAt, "", carry(0, commitOf(0, id, commitAt, oracle.No))) // … but others bring its ballot
	one(commitAt, "", carry(0, commitOf(0, id, commitAt, oracle.No)))
	one(commitAt, oracle.ErrDoubleCommit, carry(0, commitOf(0, id, commitAt, oracle.Yes)))
	ext(commitAt, 1, oracle.ErrWindow, commitOf(1, id, commitAt+1, oracle.No)) // of another dispute
	ext(commitAt, 1, oracle.ErrWindow, revealOf(1, id, commitAt, oracle.No))
	ext(commitAt, 1, "", c)
	ext(commitAt, 1, "", c)
	ext(commitAt, 1, oracle.ErrDoubleCommit, commitOf(1, id, commitAt, oracle.Yes))
	ext(commitAt, 2, "", c) // 2 copies what 1 has committed to …
	ext(commitAt, 3, "", commitOf(3, id, commitAt, oracle.TooEarly))
	b := carry(2, c)
	b.Body[len(b.Body)-3] ^= 1
	one(commitAt, oracle.ErrBadSignature, b)
	w.at(revealAt)
	ext(revealAt, 1, oracle.ErrRevealMismatch, revealOf(1, id, commitAt, oracle.Yes))
	ext(revealAt, 1, "", revealOf(1, id, commitAt, oracle.No))
	copied := revealOf(1, id, commitAt, oracle.No)
	ext(revealAt, 2, oracle.ErrRevealMismatch, copied) // … and cannot reveal it
	one(revealAt, oracle.ErrRevealMismatch, carry(2, copied))
	ext(revealAt, 1, "", revealOf(1, id, commitAt, oracle.No))
	ext(revealAt, 1, oracle.ErrDoubleCommit, revealOf(1, id, commitAt, oracle.Yes))
	ext(revealAt, 3, "", revealOf(3, id, commitAt, oracle.TooEarly)) // the answer came before answer_by
	one(revealAt, "", carry(0, revealOf(0, id, commitAt, oracle.No)))
	d := mustDecode(t, w).disputes[life{id, 0}]
	if len(d.Commits) != 4 || len(d.Reveals) != 3 {
		t.Fatalf("%d commits, %d reveals", len(d.Commits), len(d.Reveals))
	}
	w.at(endsAt) // two of four: no quorum
	if s := mustDecode(t, w).disputes[life{id, 0}].Settled; s.Decided {
		t.Fatalf("%+v", s)
	}
}

func mustDecode(t *testing.T, w *world) *everything {
	t.Helper()
	all, err := decodeAll(w.Core)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestTooEarlyIsNoVoteAnyMore has ballots for TOO_EARLY where the answer came after answer_by, and where the question was
// reopened.
func TestTooEarlyIsNoVoteAnyMore(t *testing.T) {
	w := newWorld(t)
	id := w.ask(10, oracle.Ask{Text: "Is it so?", AnswerBy: 14})
	w.one(14, 1, "", answerTo(id, oracle.Yes, 110))
	w.one(15, 2, "", counterOf(id, oracle.No, 110))
	w.extend(commitAt, 0, commitOf(0, id, commitAt, oracle.TooEarly))
	e := w.extend(revealAt, 0, revealOf(0, id, commitAt, oracle.TooEarly))
	if got := refused(e.Block.Events); !slices.Equal(got, []oracle.RuleError{oracle.ErrWindow}) {
		t.Fatal(got)
	}
}

// TestAllReveal ends a dispute with the block after the last of all reveals, and not sooner.
func TestAllReveal(t *testing.T) {
	w := newWorld(t)
	id := w.disputed("Is it so?")
	w.votes(id, "YYYY")
	w.state(id, oracle.Reveal)
	if r := w.record(id); r.EndsAt != revealAt+1 || w.Clock != revealAt {
		t.Fatalf("clock %d, %+v", w.Clock, r)
	}
	e := w.at(revealAt + 1)
	if names(e.Block.Events) != "decided final" {
		t.Fatal(names(e.Block.Events))
	}
	w.balances(map[int]uint64{0: 1_000_000, 1: 1_000_000 + 33, 2: 1_000_000 - 110, burn: 57})
	if q := w.Queue(); len(q) != 0 {
		t.Fatalf("queue %v", q)
	}
}

// TestTwoDisputes has a question disputed, found too early, and disputed again. Nothing of the first counts in the second.
func TestTwoDisputes(t *testing.T) {
	w := newWorld(t)
	id := w.disputed("Is it so?")
	w.extend(commitAt, 3, commitOf(3, id, commitAt, oracle.TooEarly))
	w.votes(id, "TTT")
	e := w.at(endsAt)
	if names(e.Block.Events) != "decided reopened" {
		t.Fatal(names(e.Block.Events))
	}
	r := w.record(id)
	if r.State != oracle.Open || !r.Reopened || r.ReopenedAt != endsAt || r.Escrow() != 110 {
		t.Fatalf("%+v", r)
	}
	// Neither YES nor NO: 220 lost, 110 burned, 44 for three, the rest burned.
	w.balances(map[int]uint64{0: 1_000_000 - 110, 1: 1_000_000 - 110, 2: 1_000_000 - 110, burn: 110 + 66 + 2})
	first := mustDecode(t, w).disputes[life{id, 0}].Encode()

	w.one(endsAt, 1, oracle.ErrWindow, answerTo(id, oracle.TooEarly, 110))
	w.one(endsAt, 1, "", answerTo(id, oracle.No, 110))
	w.one(endsAt, 2, oracle.ErrWindow, counterOf(id, oracle.TooEarly, 110))
	w.one(endsAt+1, 2, "", counterOf(id, oracle.Yes, 110))
	again := w.record(id).CommitAt
	w.at(again)
	// Old ballots, carried by anybody who has seen them.
	w.one(again, 9, oracle.ErrWindow, carry(3, commitOf(3, id, commitAt, oracle.TooEarly)))
	w.one(again, 9, oracle.ErrWindow, carry(3, revealOf(3, id, commitAt, oracle.TooEarly)))
	w.votes(id, "YYY")
	w.extend(again+16, 3, revealOf(3, id, again, oracle.TooEarly))
	w.at(again + 32)
	r = w.record(id)
	if r.State != oracle.Final || r.Result != oracle.Yes || len(r.Answers) != 4 {
		t.Fatalf("%+v", r)
	}
	all := mustDecode(t, w)
	if got := all.disputes[life{id, 0}]; string(got.Encode()) != string(first) || len(got.Reveals) != 3 || len(got.Commits) != 4 {
		t.Fatalf("the first dispute has become %+v", got)
	}
	if got := all.disputes[life{id, 1}]; len(got.Reveals) != 3 || !got.Settled.Decided || got.Settled.Winner != oracle.Yes {
		t.Fatalf("%+v", got)
	}
	w.balances(map[int]uint64{0: 1_000_000, 1: 1_000_000 - 220, 2: 1_000_000 - 110 + 33, burn: 110 + 66 + 2 + 55 + 1})

	var history []oracle.HistoryEntry
	rests := w.query(oracle.PathHistory+types.Hash(id).String(), &history)
	if len(rests) != 5 {
		t.Errorf("the history rests on %d items", len(rests))
	}
	var got []string
	for i, h := range history {
		if got = append(got, h.Event); i > 0 && h.Clock < history[i-1].Clock {
			t.Errorf("%s at clock %d after %d", h.Event, h.Clock, history[i-1].Clock)
		}
	}
	want := "asked answered countered committed committed committed committed revealed revealed revealed " +
		"answered decided countered committed committed committed revealed revealed revealed decided final"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("history\n%s\nwant\n%s", s, want)
	}
	var v oracle.View
	if rests := w.query(oracle.PathQuestion+types.Hash(id).String(), &v); len(rests) != 5 {
		t.Errorf("the question rests on %v", rests)
	}
	if v.Dispute == nil || v.Dispute.CommitAt != again || len(v.Dispute.Reveals) != 3 || v.Dispute.Quorum != 3 || v.Dispute.Settled == nil {
		t.Errorf("%+v", v.Dispute)
	}
}

// TestFreeAnswerLosesToTooEarly has no deposit left for a question that would have to be open again.
func TestFreeAnswerLosesToTooEarly(t *testing.T) {
	w := newWorld(t)
	id := w.ask(10, oracle.Ask{Text: "Is it so?", AnswerBy: 34, First: first(oracle.Yes)})
	w.one(10, 0, "", counterOf(id, oracle.TooEarly, 110)) // by the asker itself, at once
	w.votes(id, "TTTT")
	w.at(w.Clock + 1)
	r := w.record(id)
	if r.State != oracle.Final || r.Result != oracle.TooEarly || r.Reopened {
		t.Fatalf("%+v", r)
	}
	w.balances(map[int]uint64{0: 1_000_000 - 110 + 33, burn: 57})
}

// TestLateDispute has a dispute outlast the time at which its question would have expired; found too early, the question can
// still be answered.
func TestLateDispute(t *testing.T) {
	w := newWorld(t)
	id := w.ask(10, oracle.Ask{Text: "Is it so?", AnswerBy: 34})
	w.one(33, 1, "", answerTo(id, oracle.TooEarly, 110))
	w.one(37, 2, "", counterOf(id, oracle.No, 110))
	w.votes(id, "TTT-")
	end := uint64(37 + 2 + 32)
	w.at(end)
	w.state(id, oracle.Open)
	w.at(end + 8)
	w.one(end+8, 3, "", answerTo(id, oracle.Yes, 110))
	w.at(end + 8 + 5)
	w.state(id, oracle.Final)
}

// TestOneBlockOfDispute has a question asked, answered and contradicted by transactions of one block, and by one transaction.
func TestOneBlockOfDispute(t *testing.T) {
	w := newWorld(t)
	a := oracle.Ask{Text: "Is it so?", AnswerBy: 34, First: first(oracle.Yes)}
	asking := tx(1, account(0), ask(a, 200))
	id := oracle.QuestionID(testChain, account(0), a.Text, asking.ID, 0)
	// A transaction that asks cannot name its own question's id in another action: it depends on the transaction's.
	e := w.at(10, asking, tx(2, account(1), counterOf(id, oracle.Yes, 110)), tx(3, account(1), counterOf(id, oracle.No, 110)),
		tx(4, account(2), counterOf(id, oracle.Invalid, 110)), tx(5, account(2), carry(0, commitOf(0, id, 12, oracle.No))))
	for i, want := range []oracle.RuleError{"", oracle.ErrSameAnswer, "", oracle.ErrCountered, oracle.ErrWindow} {
		if e.Txs[i].Error != string(want) {
			t.Errorf("transaction %d: %q, want %q", i, e.Txs[i].Error, want)
		}
	}
	// All ballots of a phase in one transaction, one of which is wrong: none counts.
	var all []types.Action
	for i := range 4 {
		all = append(all, carry(i, commitOf(i, id, 12, oracle.No)))
	}
	w.one(12, 9, "", all[0])
	e = w.at(12, tx(20, account(9), append(slices.Clone(all), carry(0, commitOf(0, id, 12, oracle.Yes)))...))
	if e.Txs[0].Error != string(oracle.ErrDoubleCommit) {
		t.Fatal(e.Txs[0].Error)
	}
	if d := mustDecode(t, w).disputes[life{id, 0}]; len(d.Commits) != 1 {
		t.Fatalf("%d commits", len(d.Commits))
	}
	e = w.at(12, tx(21, account(9), all...))
	if e.Txs[0].Error != "" || len(e.Txs[0].Writes) != 1 || len(e.Txs[0].Events) != 3 {
		t.Fatalf("%+v", e.Txs[0])
	}
	// Reveals in an extension and in transactions of the same block.
	b := []module.Tx{tx(30, account(9), carry(1, revealOf(1, id, 12, oracle.No))), tx(31, account(9), carry(2, revealOf(2, id, 12, oracle.No)), carry(3, revealOf(3, id, 12, oracle.No)))}
	ext := [][]byte{oracle.EncodeBallots([]oracle.Ballot{revealOf(0, id, 12, oracle.No)}), oracle.EncodeBallots([]oracle.Ballot{revealOf(0, id, 12, oracle.No)})}
	eff, err := w.Block(t.Context(), module.Guard(extended{w.o, producerKey(0).Hash(), ext, false}), 28, b)
	if err != nil || eff.Fault != nil || eff.Txs[0].Error+eff.Txs[1].Error != "" || len(refused(eff.Block.Events)) > 0 {
		t.Fatal(err, eff)
	}
	if r := w.record(id); r.EndsAt != 29 {
		t.Fatalf("%+v", r)
	}
	w.at(29)
	w.state(id, oracle.Final)
}

func TestSenselessExtensions(t *testing.T) {
	w := newWorld(t)
	id := w.disputed("Is it so?")
	good := commitOf(0, id, commitAt, oracle.No)
	full := make([]oracle.Ballot, oracle.MaxBallots)
	for i := range full {
		full[i] = good
	}
	for name, tc := range map[string]struct {
		data [][]byte
		want string
	}{
		"empty":           {[][]byte{{}}, "[ErrMalformed]"},
		"garbage":         {[][]byte{{1, 2, 3}, []byte(strings.Repeat("\xff", 1000))}, "[ErrMalformed ErrMalformed]"},
		"good after bad":  {[][]byte{{0}, oracle.EncodeBallots([]oracle.Ballot{good})}, "[ErrMalformed]"},
		"as many as may":  {[][]byte{oracle.EncodeBallots(full)}, "[]"},
		"one more":        {[][]byte{oracle.EncodeBallots(full), oracle.EncodeBallots(full[:1])}, "[ErrTooManyBallots]"},
		"very many":       {slices.Repeat([][]byte{{0}}, 40), "[" + strings.Repeat("ErrMalformed ", 16) + "ErrTooManyBallots]"},
		"another's block": {nil, "[]"},
	} {
		e := w.extendRaw(commitAt, 0, tc.data...)
		if got := fmt.Sprint(refused(e.Block.Events)); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
	// A block of somebody who is no producer at all.
	e, err := w.Block(t.Context(), module.Guard(extended{w.o, types.Hash{9}, [][]byte{oracle.EncodeBallots([]oracle.Ballot{good})}, false}), commitAt, []module.Tx{idle()})
	if err != nil || fmt.Sprint(refused(e.Block.Events)) != "[ErrNotInSnapshot]" {
		t.Fatal(err, e)
	}
}

func TestQueryDisputes(t *testing.T) {
	w := newWorld(t)
	var ids [][32]byte
	for i := range 25 {
		ids = append(ids, w.ask(10, oracle.Ask{Text: fmt.Sprintf("Is %d prime?", i), AnswerBy: 34, First: first(oracle.Yes)}))
	}
	for i, id := range ids {
		w.one(10+uint64(i/13), 2, "", counterOf(id, oracle.No, 110))
	}
	for _, limit := range []int{1, 7, 20, 25, 100} {
		var seen [][32]byte
		after := ""
		for pages := 0; ; pages++ {
			var p oracle.DisputePage
			rests := w.query(fmt.Sprintf("%s?limit=%d%s", oracle.PathDisputes, limit, after), &p)
			if len(rests) != 2*len(p.Disputes) || pages > 30 {
				t.Fatalf("%d disputes rest on %d items", len(p.Disputes), len(rests))
			}
			for i, v := range p.Disputes {
				if i > 0 && v.DueAt < p.Disputes[i-1].DueAt {
					t.Errorf("commits begin at %d after %d", v.DueAt, p.Disputes[i-1].DueAt)
				}
				seen = append(seen, v.ID)
			}
			if p.Next == "" {
				break
			}
			after = "&after=" + p.Next
		}
		if len(seen) != len(ids) {
			t.Errorf("limit %d: %d disputes", limit, len(seen))
		}
	}
	// The list of questions shows nothing else.
	var p oracle.Page
	if w.query(oracle.PathQuestions+"?limit=100", &p); len(p.Questions) != 25 || p.Next != nil {
		t.Errorf("%d questions, next %v", len(p.Questions), p.Next)
	}
	if w.query(oracle.PathQuestions+"?state=COUNTERED&limit=100", &p); len(p.Questions) != 25 {
		t.Errorf("%d questions are countered", len(p.Questions))
	}
	w.at(100)
	var none oracle.DisputePage
	if w.query(oracle.PathDisputes, &none); len(none.Disputes) != 0 || none.Disputes == nil {
		t.Errorf("%d disputes in the end", len(none.Disputes))
	}
	for _, bad := range []string{"?limit=0", "?after=00", "?after=xy", "?x=1", "?limit=1&limit=2", "?%zz"} {
		if _, err := w.o.Query(t.Context(), module.Query{Path: oracle.PathDisputes + bad}, w.Reader()); err == nil {
			t.Errorf("%q is answered", bad)
		}
	}
}

// state sets items of a module by the way of a block in which nothing else happens.
type state struct {
	module.Module
	writes []module.Write
}

// Execute implements module.Module.
func (s state) Execute(_ context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
	return &module.Outcome{Txs: make([]module.Result, len(b.Txs)), Block: module.Result{Writes: s.writes}}, nil
}

// TestLargestSnapshot has disputes of as many producers as a set may have, who have all voted and all get something, end in one
// block: what does not fit its result is done in the next ones.
func TestLargestSnapshot(t *testing.T) {
	w := newWorld(t)
	terms := small()
	terms.Base = 1_000_000
	w.o = New(testChain, terms)
	w.Fund(account(0), 1<<40)
	w.Fund(account(2), 1<<40)
	w.Producers = producerKeys(types.MaxSeats)
	const n = 8
	var ids [][32]byte
	var asking, counters []module.Tx
	for i := range n {
		a := oracle.Ask{Text: fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000)), AnswerBy: 34, First: first(oracle.Yes)}
		asking = append(asking, tx(i, account(0), ask(a, 2_000_000)))
		ids = append(ids, oracle.QuestionID(testChain, account(0), a.Text, asking[i].ID, 0))
		counters = append(counters, tx(n+i, account(2), counterOf(ids[i], oracle.No, 2_000_000)))
	}
	w.at(10, asking...)
	w.at(10, counters...)
	set := state{Module: w.o}
	for i, id := range ids {
		d, err := oracle.LoadDispute(t.Context(), w.Reader(), module.BlockTx, id, 0)
		if err != nil || d == nil || len(d.Producers) != types.MaxSeats {
			t.Fatal(d, err)
		}
		for seat := range d.Producers {
			d.Commits = append(d.Commits, oracle.Committed{Seat: seat, Hash: commitOf(seat, id, d.CommitAt, oracle.No).Commit, Clock: d.CommitAt})
			if i < n-1 || seat > 0 {
				d.Reveals = append(d.Reveals, oracle.Revealed{Seat: seat, Value: oracle.No, Clock: d.RevealAt})
			}
		}
		set.writes = append(set.writes, module.Write{Item: oracle.DisputeItem(id, 0), Data: d.Encode()},
			module.Write{Item: oracle.CommitsItem(id, 0), Data: d.EncodeCommits()})
	}
	if e, err := w.Block(t.Context(), set, 10, []module.Tx{idle()}); err != nil || e.Fault != nil {
		t.Fatal(err, e)
	}
	end := w.record(ids[0]).EndsAt
	w.at(end - 1)
	left := func() (ids2 [][32]byte) {
		for _, id := range ids {
			if w.record(id).State == oracle.Reveal {
				ids2 = append(ids2, id)
			}
		}
		return ids2
	}
	if len(left()) != n {
		t.Fatalf("%d disputes are in REVEAL", len(left()))
	}
	e := w.at(end)
	late := left()
	if size := e.Block.Size(); len(late) < 2 || size > module.MaxBlockResultBytes {
		t.Fatalf("%d are left, a result of %d bytes", len(late), size)
	}
	// One that has to wait takes no ballots any more, and can be closed at once.
	w.one(end, 5, oracle.ErrFinal, carry(0, revealOf(0, late[0], 12, oracle.No)))
	w.one(end, 5, "", closeOf(late[0]))
	blocks := 1
	for clock := end + 1; len(left()) > 0; clock++ {
		if blocks++; blocks > n {
			t.Fatalf("%d are left", len(left()))
		}
		w.at(clock)
	}
	t.Logf("%d disputes of %d producers were settled in %d blocks, the first result has %d bytes", n, types.MaxSeats, blocks, e.Block.Size())
	if q := w.Queue(); len(q) != 0 {
		t.Fatalf("queue %v", q)
	}
	if got, want := w.Balance(producerAccount(0)), uint64(1_000_010/5/types.MaxSeats*(n-1)); got != want {
		t.Errorf("producer 0 has %d, want %d", got, want)
	}
}

// TestManyBallotsOfManyProducers fills an extension with ballots on as many disputes of the largest snapshot: those that do not
// fit the block's result are refused.
func TestManyBallotsOfManyProducers(t *testing.T) {
	w := newWorld(t)
	w.Producers = producerKeys(types.MaxSeats)
	const n = oracle.MaxBallots
	var asking, counters []module.Tx
	var ballots []oracle.Ballot
	sets := [4]state{{Module: w.o}, {Module: w.o}, {Module: w.o}, {Module: w.o}}
	for i := range n {
		a := oracle.Ask{Text: fmt.Sprint(i), AnswerBy: 34, First: first(oracle.Yes)}
		asking = append(asking, tx(i, account(0), ask(a, 110)))
		id := oracle.QuestionID(testChain, account(0), a.Text, asking[i].ID, 0)
		counters = append(counters, tx(n+i, account(2), counterOf(id, oracle.No, 110)))
		ballots = append(ballots, commitOf(0, id, 12, oracle.No))
		d := oracle.Dispute{ID: id, Producers: w.Producers}
		for seat := 1; seat < types.MaxSeats; seat++ {
			d.Commits = append(d.Commits, oracle.Committed{Seat: seat, Hash: types.Hash{1}, Clock: 12})
		}
		sets[i%4].writes = append(sets[i%4].writes, module.Write{Item: oracle.CommitsItem(id, 0), Data: d.EncodeCommits()})
	}
	for _, step := range []struct {
		m   module.Module
		txs []module.Tx
	}{{w.o, asking}, {w.o, counters}, {sets[0], []module.Tx{idle()}}, {sets[1], []module.Tx{idle()}}, {sets[2], []module.Tx{idle()}}, {sets[3], []module.Tx{idle()}}} {
		if e, err := w.Block(t.Context(), step.m, 10, step.txs); err != nil || e.Fault != nil {
			t.Fatal(err, e)
		}
	}
	e, err := w.Block(t.Context(), module.Guard(extended{w.o, producerKey(0).Hash(), [][]byte{oracle.EncodeBallots(ballots)}, false}), 12, []module.Tx{idle()})
	if err != nil || e.Fault != nil {
		t.Fatal(err, e)
	}
	full := 0
	for _, name := range refused(e.Block.Events) {
		if name == ErrBlockFull {
			full++
		}
	}
	if full == 0 || full > n-40 {
		t.Fatalf("%d of %d ballots are refused since the block is full", full, n)
	}
	t.Logf("%d of %d ballots do not fit, a result of %d bytes", full, n, e.Block.Size())
}
