package prophecy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// world is a chain with an oracle of small terms: challenge 5, initiator window 4, deposit 100 and 10 a day (24 ticks).
type world struct {
	t *testing.T
	*moduletest.Core
	o *Oracle
	n int // transactions so far
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, Core: moduletest.NewCore(testChain, nil), o: New(testChain, small())}
	w.Producers = producerKeys(4)
	for i := range 10 {
		w.Fund(account(i), 1_000_000)
	}
	return w
}

// at executes a block at a clock and checks all that must hold after every block.
func (w *world) at(clock uint64, txs ...module.Tx) *moduletest.Effect {
	w.t.Helper()
	e, err := w.Block(w.t.Context(), w.o, clock, txs)
	if err != nil || e.Fault != nil {
		w.t.Fatalf("block at clock %d: %v, %v", clock, err, e)
	}
	if err := holds(w.Core); err != nil {
		w.t.Fatalf("after the block at clock %d: %v", clock, err)
	}
	return e
}

// one executes one action in a block of its own and checks the name of its error, "" for none.
func (w *world) one(clock uint64, from int, want oracle.RuleError, a types.Action) module.Result {
	w.t.Helper()
	w.n++
	e := w.at(clock, tx(w.n, account(from), a))
	if e.Txs[0].Error != string(want) {
		w.t.Fatalf("%s at clock %d: %q (%s), want %q", a.Name, clock, e.Txs[0].Error, e.Txs[0].Detail, want)
	}
	return e.Txs[0]
}

// ask asks a question of account 0 and returns its id.
func (w *world) ask(clock uint64, a oracle.Ask) [32]byte {
	w.t.Helper()
	w.one(clock, 0, "", ask(a, 10_000))
	return oracle.QuestionID(testChain, account(0), a.Text, tx(w.n, account(0), ask(a, 10_000)).ID, 0)
}

func (w *world) record(id [32]byte) *oracle.Record {
	w.t.Helper()
	for _, v := range w.Items() {
		if v.Item == oracle.Item(id) {
			r, err := oracle.DecodeRecord(v.Data)
			if err != nil {
				w.t.Fatal(err)
			}
			return r
		}
	}
	w.t.Fatalf("no question %x", id)
	return nil
}

func (w *world) state(id [32]byte, want oracle.State) {
	w.t.Helper()
	if got := w.record(id).State; got != want {
		w.t.Fatalf("question is %s, want %s", got, want)
	}
}

func (w *world) balances(want map[int]uint64) {
	w.t.Helper()
	for i, v := range want {
		who := account(i)
		if i < 0 {
			who = types.BurnAccount
		}
		if got := w.Balance(who); got != v {
			w.t.Fatalf("account %d has %d, want %d", i, got, v)
		}
	}
}

const burn = -1

func names(events []module.Event) string {
	var out []string
	for _, e := range events {
		out = append(out, e.Name)
	}
	return strings.Join(out, " ")
}

func TestAskerAnswersAndItBecomesFinal(t *testing.T) {
	w := newWorld(t)
	id := w.ask(10, oracle.Ask{Text: "Is it so?", AnswerBy: 35}) // 25 ticks: two days
	w.balances(map[int]uint64{0: 1_000_000 - 120})
	r := w.record(id)
	if r.Open != 10 || r.Asked != 10 || r.Deposit != 120 || r.State != oracle.Open {
		t.Fatalf("record %+v", r)
	}
	w.one(13, 1, oracle.ErrWindow, answerTo(id, oracle.Yes, 120)) // the asker's window
	w.one(13, 0, "", answerTo(id, oracle.Yes, 0))
	w.state(id, oracle.Answered)
	w.one(13, 2, oracle.ErrAnswered, answerTo(id, oracle.No, 120))
	w.one(17, 2, oracle.ErrWindow, closeOf(id))
	w.at(17)
	w.state(id, oracle.Answered)
	e := w.at(18)
	w.state(id, oracle.Final)
	if r := w.record(id); r.Result != oracle.Yes || r.Closed != 18 {
		t.Fatalf("record %+v", r)
	}
	if names(e.Block.Events) != "final" {
		t.Fatalf("events: %s", names(e.Block.Events))
	}
	w.balances(map[int]uint64{0: 1_000_000, burn: 0})
	w.one(19, 1, oracle.ErrFinal, answerTo(id, oracle.No, 120))
	w.one(19, 1, oracle.ErrFinal, closeOf(id))
	if q := w.Queue(); len(q) != 0 {
		t.Fatalf("queue %v", q)
	}
}

func TestOthersAnswerWithABond(t *testing.T) {
	w := newWorld(t)
	id := w.ask(10, oracle.Ask{Text: "Is it so?", Open: 20, AnswerBy: 34}) // one day
	w.one(19, 0, oracle.ErrWindow, answerTo(id, oracle.Yes, 110))          // not open yet
	w.one(23, 1, oracle.ErrWindow, answerTo(id, oracle.Yes, 110))
	w.one(24, 1, oracle.ErrBondTooSmall, answerTo(id, oracle.No, 109))
	w.one(24, 0, oracle.ErrBondTooSmall, answerTo(id, oracle.No, 0)) // the asker's free window is over
	w.one(24, 1, "", answerTo(id, oracle.Invalid, 5000))
	w.balances(map[int]uint64{0: 1_000_000 - 110, 1: 1_000_000 - 110})
	w.at(29)
	w.state(id, oracle.Final)
	w.balances(map[int]uint64{0: 1_000_000, 1: 1_000_000})
}

func TestTooEarlyReopensOnce(t *testing.T) {
	w := newWorld(t)
	id := w.ask(10, oracle.Ask{Text: "Is it so?", AnswerBy: 34})
	w.one(14, 1, "", answerTo(id, oracle.TooEarly, 110))
	w.balances(map[int]uint64{1: 1_000_000 - 110})
	e := w.at(19)
	if r := w.record(id); r.State != oracle.Open || !r.Reopened || len(r.Answers) != 1 || names(e.Block.Events) != "reopened" {
		t.Fatalf("%s, record %+v", names(e.Block.Events), r)
	}
	w.balances(map[int]uint64{0: 1_000_000 - 110, 1: 1_000_000})
	w.one(19, 1, oracle.ErrWindow, answerTo(id, oracle.TooEarly, 110))
	w.one(20, 2, "", answerTo(id, oracle.Yes, 110))
	w.at(25)
	w.state(id, oracle.Final)
	if r := w.record(id); r.Result != oracle.Yes || len(r.Answers) != 2 {
		t.Fatalf("record %+v", r)
	}
	w.balances(map[int]uint64{0: 1_000_000, 1: 1_000_000, 2: 1_000_000})
}

func TestTooEarlyEndsAtAnswerBy(t *testing.T) {
	for clock, want := range map[uint64]oracle.RuleError{33: "", 34: oracle.ErrWindow, 35: oracle.ErrWindow} {
		w := newWorld(t)
		id := w.ask(10, oracle.Ask{Text: "Is it so?", AnswerBy: 34})
		w.one(clock, 1, want, answerTo(id, oracle.TooEarly, 110))
	}
}

func TestNobodyAnswers(t *testing.T) {
	w := newWorld(t)
	id := w.ask(10, oracle.Ask{Text: "Is it so?", AnswerBy: 34}) // expires at 34 + 4 + 5
	w.at(42)
	w.state(id, oracle.Open)
	e := w.at(43)
	w.state(id, oracle.Expired)
	if names(e.Block.Events) != "expired" {
		t.Fatalf("events: %s", names(e.Block.Events))
	}
	var data oracle.ClosedEvent
	if err := json.Unmarshal(e.Block.Events[0].Data, &data); err != nil || data.Returned != 103 || data.Burned != 7 {
		t.Fatalf("%+v, %v", data, err)
	}
	w.balances(map[int]uint64{0: 1_000_000 - 7, burn: 7})
	w.one(44, 1, oracle.ErrFinal, answerTo(id, oracle.Yes, 110))
}

func TestTheFeeIsAtMostTheDeposit(t *testing.T) {
	w := newWorld(t)
	terms := small()
	terms.ExpiryFee = 1_000
	w.o = New(testChain, terms)
	w.ask(10, oracle.Ask{Text: "Is it so?", AnswerBy: 11})
	w.at(100)
	w.balances(map[int]uint64{0: 1_000_000 - 110, burn: 110})
}

func TestLastMomentToAnswer(t *testing.T) {
	for clock, want := range map[uint64]oracle.RuleError{42: "", 43: oracle.ErrFinal} {
		w := newWorld(t)
		id := w.ask(10, oracle.Ask{Text: "Is it so?", AnswerBy: 34})
		w.one(clock, 1, want, answerTo(id, oracle.Yes, 110))
	}
}

func TestAskIsRefused(t *testing.T) {
	year := uint64(365 * 24)
	for name, tc := range map[string]struct {
		ask   oracle.Ask
		spend uint64
		want  oracle.RuleError
	}{
		"deposit too small":        {oracle.Ask{Text: "?", AnswerBy: 34}, 109, oracle.ErrBondTooSmall},
		"deposit exact":            {oracle.Ask{Text: "?", AnswerBy: 34}, 110, ""},
		"another day":              {oracle.Ask{Text: "?", AnswerBy: 35}, 119, oracle.ErrBondTooSmall},
		"answer_by is now":         {oracle.Ask{Text: "?", AnswerBy: 10}, 1000, oracle.ErrTimetable},
		"answer_by next":           {oracle.Ask{Text: "?", AnswerBy: 11}, 1000, ""},
		"a year ahead":             {oracle.Ask{Text: "?", AnswerBy: 10 + year}, 10_000, ""},
		"more than a year":         {oracle.Ask{Text: "?", AnswerBy: 11 + year}, 10_000, oracle.ErrTimetable},
		"end of time":              {oracle.Ask{Text: "?", AnswerBy: ^uint64(0)}, 10_000, oracle.ErrTimetable},
		"first answer too soon":    {oracle.Ask{Text: "?", Open: 11, AnswerBy: 34, First: first(oracle.Yes)}, 1000, oracle.ErrWindow},
		"first answer now":         {oracle.Ask{Text: "?", Open: 10, AnswerBy: 34, First: first(oracle.Yes)}, 1000, ""},
		"opened long ago":          {oracle.Ask{Text: "?", Open: 1, AnswerBy: 34, First: first(oracle.No)}, 1000, ""},
		"answered before it opens": {oracle.Ask{Text: "?", Open: 9, AnswerBy: 10}, 1000, oracle.ErrTimetable},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.one(10, 0, tc.want, ask(tc.ask, tc.spend))
			if n := len(w.Items()); (n == 1) != (tc.want == "") {
				t.Fatalf("%d questions", n)
			}
		})
	}
}

func TestFirstAnswer(t *testing.T) {
	w := newWorld(t)
	w.n++
	e := w.at(10, tx(w.n, account(0), ask(oracle.Ask{Text: "?", AnswerBy: 34, First: first(oracle.No)}, 1000)))
	if names(e.Txs[0].Events) != "asked answered" {
		t.Fatalf("events: %s", names(e.Txs[0].Events))
	}
	if q := w.Queue(); len(q) != 1 || q[0] != 15 {
		t.Fatalf("queue %v", q)
	}
	w.at(15)
	w.balances(map[int]uint64{0: 1_000_000})
}

func TestUnknownQuestion(t *testing.T) {
	w := newWorld(t)
	w.one(10, 0, oracle.ErrUnknownQuestion, answerTo([32]byte{1}, oracle.Yes, 1000))
	w.one(10, 0, oracle.ErrUnknownQuestion, closeOf([32]byte{1}))
}

// TestOneBlock has everything that can happen to a question at one clock happen in one block, in several transactions.
func TestOneBlock(t *testing.T) {
	w := newWorld(t)
	a := oracle.Ask{Text: "Is it so?", AnswerBy: 34}
	asking := tx(1, account(0), ask(a, 200))
	id := oracle.QuestionID(testChain, account(0), a.Text, asking.ID, 0)
	e := w.at(10, asking,
		tx(2, account(1), answerTo(id, oracle.No, 110)), // the asker's window
		tx(3, account(0), answerTo(id, oracle.Yes, 0)),
		tx(4, account(0), answerTo(id, oracle.No, 0)),
		tx(5, account(1), answerTo([32]byte{9}, oracle.No, 110), ask(a, 200)),
		tx(6, account(1), ask(a, 200), answerTo(id, oracle.No, 110)), // not a part of it happens
	)
	for i, want := range []oracle.RuleError{"", oracle.ErrWindow, "", oracle.ErrAnswered, oracle.ErrUnknownQuestion, oracle.ErrAnswered} {
		if e.Txs[i].Error != string(want) {
			t.Errorf("transaction %d: %q, want %q", i, e.Txs[i].Error, want)
		}
	}
	w.balances(map[int]uint64{0: 1_000_000 - 110, 1: 1_000_000})
	if n := len(w.Items()); n != 1 {
		t.Fatalf("%d questions", n)
	}
	// Scheduled work comes first: at 15 the question is final before a transaction of the block sees it.
	e = w.at(15, tx(7, account(1), closeOf(id)))
	if e.Txs[0].Error != string(oracle.ErrFinal) {
		t.Fatal(e.Txs[0].Error)
	}
}

// TestLateWork has more questions due than one block delivers: those that carry over take no answers, and can be closed.
func TestLateWork(t *testing.T) {
	w := newWorld(t)
	var ids [][32]byte
	for i := range 70 {
		ids = append(ids, w.ask(10, oracle.Ask{Text: fmt.Sprintf("Is %d prime?", i), AnswerBy: 34}))
	}
	w.at(43)
	var late [][32]byte
	for _, id := range ids {
		if w.record(id).State == oracle.Open {
			late = append(late, id)
		}
	}
	if len(late) != 70-module.MaxDuePerBlock {
		t.Fatalf("%d questions carry over", len(late))
	}
	// In the next block the others are due, too. A block that executes before them would be this one:
	c := w.Clone()
	b := &module.Block{Chain: testChain, Clock: 43, Txs: []module.Tx{
		tx(1001, account(1), answerTo(late[0], oracle.Yes, 110)), tx(1002, account(1), closeOf(late[1])), tx(1003, account(1), closeOf(late[1])),
	}}
	out, err := w.o.Execute(t.Context(), b, c.Reader())
	if err != nil {
		t.Fatal(err)
	}
	if out.Txs[0].Error != string(oracle.ErrFinal) || out.Txs[1].Error != "" || out.Txs[2].Error != string(oracle.ErrFinal) {
		t.Fatalf("%q %q %q", out.Txs[0].Error, out.Txs[1].Error, out.Txs[2].Error)
	}
	if s := out.Txs[1].Schedule; len(s) != 1 || !s[0].Cancel || s[0].Clock != 43 {
		t.Fatalf("schedule %+v", s)
	}
	w.at(44)
	for _, id := range ids {
		w.state(id, oracle.Expired)
	}
}

// TestReopenedLate has a question reopened after the time at which it would have expired: it can be answered for as long
// after that as another after answer_by.
func TestReopenedLate(t *testing.T) {
	for clock, want := range map[uint64]oracle.RuleError{40: "", 46: "", 47: oracle.ErrFinal} { // 33 + 5, + 4 + 5
		w := newWorld(t)
		id := w.ask(10, oracle.Ask{Text: "Is it so?", AnswerBy: 34})
		w.one(33, 1, "", answerTo(id, oracle.TooEarly, 110))
		w.at(38)
		w.state(id, oracle.Open)
		if r := w.record(id); r.ReopenedAt != 38 {
			t.Fatalf("%+v", r)
		}
		w.one(clock, 1, want, answerTo(id, oracle.Yes, 110))
	}
}

// TestLongSleep has no block for so long that a question would have been reopened and have expired meanwhile: it has.
func TestLongSleep(t *testing.T) {
	w := newWorld(t)
	id := w.ask(10, oracle.Ask{Text: "Is it so?", AnswerBy: 34, First: first(oracle.TooEarly)})
	e := w.at(500, tx(99, account(1), answerTo(id, oracle.Yes, 110)))
	if names(e.Block.Events) != "reopened expired" || e.Txs[0].Error != string(oracle.ErrFinal) {
		t.Fatalf("%s, %q", names(e.Block.Events), e.Txs[0].Error)
	}
	w.state(id, oracle.Expired)
	if q := w.Queue(); len(q) != 0 {
		t.Fatalf("queue %v", q)
	}
	w.balances(map[int]uint64{0: 1_000_000 - 7, burn: 7})
}

func TestGas(t *testing.T) {
	w := newWorld(t)
	a := ask(oracle.Ask{Text: "?", AnswerBy: 34}, 1000)
	x := tx(1, account(0), a)
	if want := uint64(oracle.GasAsk + len(a.Body)); x.MaxGas != want {
		t.Fatalf("gas of an ask is %d, want %d", x.MaxGas, want)
	}
	x.MaxGas--
	e := w.at(10, x)
	if e.Txs[0].Error != string(oracle.ErrOutOfGas) {
		t.Fatal(e.Txs[0].Error)
	}
	x.MaxGas++
	if e = w.at(10, x); e.Txs[0].Error != "" || e.Txs[0].Gas != x.MaxGas {
		t.Fatalf("%+v", e.Txs[0])
	}
	x = tx(2, account(0), a)
	x.Bytes, x.MaxGas = 10_000, 9_999
	if e = w.at(10, x); e.Txs[0].Error != string(oracle.ErrOutOfGas) {
		t.Fatalf("less max_gas than bytes: %+v", e.Txs[0])
	}
}

// TestLargestTransaction has the most and largest actions that a transaction may have: its result must be legal.
func TestLargestTransaction(t *testing.T) {
	w := newWorld(t)
	var actions []types.Action
	for i := range MaxActions + 1 {
		a := oracle.Ask{Text: strings.Repeat("\u2028", oracle.MaxTextBytes/3-2) + fmt.Sprint(i), AnswerBy: 34, First: first(oracle.Invalid)}
		for range oracle.MaxSources {
			a.Sources = append(a.Sources, strings.Repeat("<", oracle.MaxSourceBytes))
		}
		actions = append(actions, ask(a, 200))
	}
	e := w.at(10, tx(1, account(0), actions...))
	if e.Txs[0].Error != string(ErrTooManyActions) {
		t.Fatal(e.Txs[0].Error)
	}
	e = w.at(10, tx(2, account(0), actions[1:]...))
	if e.Txs[0].Error != "" {
		t.Fatal(e.Txs[0].Error)
	}
	w.at(15)
	// A page of the largest questions fits an answer.
	n := 0
	for path := oracle.PathQuestions + "?limit=100"; path != ""; {
		a, err := module.Guard(w.o).Query(t.Context(), module.Query{Path: path}, w.Reader())
		if err != nil {
			t.Fatal(err)
		}
		var page oracle.Page
		if err := json.Unmarshal(a.JSON, &page); err != nil {
			t.Fatal(err)
		}
		n += len(page.Questions)
		path = ""
		if page.Next != nil {
			path = oracle.PathQuestions + "?limit=100&after=" + page.Next.String()
		}
	}
	if n != MaxActions {
		t.Fatalf("%d questions in pages", n)
	}
}

// TestOvertakenWork delivers entries of the queue before their question's time: they do nothing.
func TestOvertakenWork(t *testing.T) {
	w := newWorld(t)
	open := w.ask(10, oracle.Ask{Text: "Is it so?", AnswerBy: 34})
	answered := w.ask(10, oracle.Ask{Text: "Is it so, too?", AnswerBy: 34, First: first(oracle.Yes)})
	b := &module.Block{Chain: testChain, Clock: 14}
	for _, id := range [][32]byte{open, answered, {9}} {
		b.Due = append(b.Due, module.Due{ID: id, Item: oracle.Item(id)})
	}
	out, err := w.o.Execute(t.Context(), b, w.Reader())
	if err != nil || len(out.Block.Writes)+len(out.Block.Transfers)+len(out.Block.Schedule) > 0 {
		t.Fatalf("%+v, %v", out, err)
	}
}
