package prophecy

import (
	"errors"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// apply does one action. id is the question that it is about. Whatever touches a question whose time has come moves it on
// first, so that it makes no difference how much of the queue has carried over.
func (e *effect) apply(t *module.Tx, action int, o *order, id [32]byte) error {
	if o.ask != nil {
		return e.ask(t, action, o.ask, id)
	}
	q := e.get(id)
	if q == nil {
		return fail(oracle.ErrUnknownQuestion, "there is no question %x", id)
	}
	if o.close != nil {
		return e.close(*q)
	}
	if o.ballot != nil {
		return e.ballot(&o.ballot.Ballot, o.ballot.Key)
	}
	r, err := e.current(*q)
	switch {
	case err != nil:
		return err
	case o.answer != nil:
		return e.answer(t, action, r, o.answer.Value)
	}
	return e.counter(t, action, r, o.counter.Value)
}

// current moves a question on to where it stands by the clock, and fails if it is over.
func (e *effect) current(q oracle.Record) (oracle.Record, error) {
	if at, ok := e.x.terms.Due(&q); ok && at <= e.x.b.Clock {
		e.unschedule(&q)
		q = e.advance(q)
	}
	if q.State.Closed() {
		return q, fail(oracle.ErrFinal, "question %x is %s since clock %d", q.ID[:4], q.State, q.Closed)
	}
	return q, nil
}

func (e *effect) ask(t *module.Tx, action int, a *oracle.Ask, id [32]byte) error {
	now := e.x.b.Clock
	if e.get(id) != nil {
		return fail(oracle.ErrExists, "question %x was asked before", id[:4])
	}
	open := max(a.Open, now)
	if a.AnswerBy <= open {
		return fail(oracle.ErrTimetable, "answer_by %d is not after open %d", a.AnswerBy, open)
	}
	deposit, err := e.x.terms.Deposit(now, a.AnswerBy)
	if err != nil {
		var rule oracle.RuleError
		if !errors.As(err, &rule) {
			rule = oracle.ErrTimetable
		}
		return fail(rule, "%v", err)
	}
	if most := t.Actions[action].MaxSpend; most < deposit {
		return fail(oracle.ErrBondTooSmall, "the deposit is %d, max_spend is %d", deposit, most)
	}
	if a.First != nil && a.Open > now {
		return fail(oracle.ErrWindow, "a first answer before clock %d, when the question opens", a.Open)
	}
	q := oracle.Record{ID: id, Asker: t.Account, Text: a.Text, Sources: a.Sources, Asked: now, Open: open, AnswerBy: a.AnswerBy,
		Deposit: deposit, State: oracle.Open}
	e.take(t, action, id, deposit)
	e.tell(oracle.EventAsked, id, oracle.AskedEvent{Question: id, Asker: q.Asker, Text: q.Text, Open: open, AnswerBy: q.AnswerBy, Deposit: deposit}, q.Asker)
	if a.First != nil {
		e.accept(&q, t.Account, *a.First, 0)
	}
	e.schedule(&q)
	e.put(q)
	return nil
}

// answer answers a question that is where the clock says.
func (e *effect) answer(t *module.Tx, action int, q oracle.Record, v oracle.Value) error {
	now, terms := e.x.b.Clock, e.x.terms
	switch {
	case q.State != oracle.Open:
		return fail(oracle.ErrAnswered, "question %x is %s; only a counter can contradict its answer", q.ID[:4], q.State)
	case now < q.Open:
		return fail(oracle.ErrWindow, "question %x opens at clock %d, it is %d", q.ID[:4], q.Open, now)
	case v == oracle.TooEarly && now >= q.AnswerBy:
		return fail(oracle.ErrWindow, "TOO_EARLY is no answer from clock %d on, it is %d", q.AnswerBy, now)
	case v == oracle.TooEarly && q.Reopened:
		return fail(oracle.ErrWindow, "TOO_EARLY was the answer to question %x once, and can't be again", q.ID[:4])
	}
	bond := q.Deposit
	if inWindow := now < terms.AskerUntil(&q); inWindow && t.Account == q.Asker {
		bond = 0
	} else if inWindow {
		return fail(oracle.ErrWindow, "until clock %d only the asker may answer, it is %d", terms.AskerUntil(&q), now)
	}
	if most := t.Actions[action].MaxSpend; most < bond {
		return fail(oracle.ErrBondTooSmall, "the bond is %d, max_spend is %d", bond, most)
	}
	e.unschedule(&q)
	e.take(t, action, q.ID, bond)
	e.accept(&q, t.Account, v, bond)
	e.schedule(&q)
	e.put(q)
	return nil
}

// accept adds an answer to a question that is OPEN.
func (e *effect) accept(q *oracle.Record, by types.AccountID, v oracle.Value, bond uint64) {
	q.State = oracle.Answered
	q.Answers = append(slices.Clip(q.Answers), oracle.Given{Account: by, Value: v, Clock: e.x.b.Clock, Bond: bond})
	at, _ := e.x.terms.Due(q)
	e.tell(oracle.EventAnswered, q.ID, oracle.AnsweredEvent{Question: q.ID, Account: by, Value: v, Bond: bond, FinalAt: at}, by, q.Asker)
}

// close does by a transaction what a question's turn in the queue will do.
func (e *effect) close(q oracle.Record) error {
	if q.State.Closed() {
		return fail(oracle.ErrFinal, "question %x is %s since clock %d", q.ID[:4], q.State, q.Closed)
	}
	if at, ok := e.x.terms.Due(&q); !ok || at > e.x.b.Clock {
		return fail(oracle.ErrWindow, "question %x is %s until clock %d, it is %d", q.ID[:4], q.State, at, e.x.b.Clock)
	}
	e.unschedule(&q)
	e.advance(q)
	return nil
}

// due does the scheduled work of a question, and tells whether there was any: an entry that is out of date, or of a question
// that there is not, does nothing.
func (e *effect) due(id [32]byte) bool {
	q := e.get(id)
	if q == nil {
		return false
	}
	if at, ok := e.x.terms.Due(q); !ok || at > e.x.b.Clock {
		return false
	}
	e.advance(*q)
	return true
}

// advance takes a question whose time has come to the state in which it is by the clock, through as many as there are between.
// Its entry in the queue is taken out by whoever calls.
func (e *effect) advance(q oracle.Record) oracle.Record {
	for {
		at, ok := e.x.terms.Due(&q)
		if !ok {
			break
		}
		if at > e.x.b.Clock {
			e.schedule(&q)
			break
		}
		switch q.State {
		case oracle.Open:
			e.expire(&q)
		case oracle.Answered:
			e.stands(&q, at)
		case oracle.Countered:
			q.State = oracle.Commit
		case oracle.Commit:
			q.State = oracle.Reveal
		default: // REVEAL
			e.settle(&q, at)
		}
	}
	e.put(q)
	return q
}

// expire ends a question that nobody has answered.
func (e *effect) expire(q *oracle.Record) {
	fee := min(e.x.terms.ExpiryFee, q.Deposit)
	q.State, q.Closed = oracle.Expired, e.x.b.Clock
	e.give(q.ID, q.Asker, q.Deposit-fee)
	e.give(q.ID, types.BurnAccount, fee)
	e.tell(oracle.EventExpired, q.ID, oracle.ClosedEvent{Question: q.ID, Returned: q.Deposit - fee, Burned: fee}, q.Asker)
}

// stands ends a question whose answer nobody has contradicted by clock at, or opens it again.
func (e *effect) stands(q *oracle.Record, at uint64) {
	g, _ := q.Current()
	e.give(q.ID, g.Account, g.Bond)
	if g.Value == oracle.TooEarly && !q.Reopened {
		q.State, q.Reopened, q.ReopenedAt = oracle.Open, true, at
		e.tell(oracle.EventReopened, q.ID, oracle.ClosedEvent{Question: q.ID, Value: &g.Value, Returned: g.Bond}, q.Asker, g.Account)
		return
	}
	q.State, q.Closed, q.Result = oracle.Final, e.x.b.Clock, g.Value
	e.give(q.ID, q.Asker, q.Deposit)
	e.tell(oracle.EventFinal, q.ID, oracle.ClosedEvent{Question: q.ID, Value: &g.Value, Returned: q.Deposit + g.Bond}, q.Asker, g.Account)
}
