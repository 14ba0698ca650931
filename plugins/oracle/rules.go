package prophecy

import (
	"errors"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// apply does one action. id is the question that it is about.
func (e *effect) apply(t *module.Tx, action int, o *order, id [32]byte) error {
	switch q := e.get(id); {
	case o.ask != nil:
		return e.ask(t, action, o.ask, id)
	case q == nil:
		return fail(oracle.ErrUnknownQuestion, "there is no question %x", id)
	case q.State.Closed():
		return fail(oracle.ErrFinal, "question %x is %s since clock %d", id[:4], q.State, q.Closed)
	case o.answer != nil:
		return e.answer(t, action, *q, o.answer.Value)
	default:
		return e.close(*q)
	}
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

func (e *effect) answer(t *module.Tx, action int, q oracle.Record, v oracle.Value) error {
	now, terms := e.x.b.Clock, e.x.terms
	if q.State != oracle.Open {
		return fail(oracle.ErrAnswered, "question %x is %s; only a counter can contradict its answer", q.ID[:4], q.State)
	}
	switch {
	case now < q.Open:
		return fail(oracle.ErrWindow, "question %x opens at clock %d, it is %d", q.ID[:4], q.Open, now)
	case now >= terms.ExpiresAt(&q):
		return fail(oracle.ErrWindow, "question %x expired at clock %d, it is %d", q.ID[:4], terms.ExpiresAt(&q), now)
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
	at, ok := e.x.terms.Due(&q)
	if !ok || at > e.x.b.Clock {
		return fail(oracle.ErrWindow, "question %x can be closed from clock %d on, it is %d", q.ID[:4], at, e.x.b.Clock)
	}
	e.unschedule(&q)
	e.settle(q)
	return nil
}

// settle ends a question whose time has come, or opens it again.
func (e *effect) settle(q oracle.Record) {
	now := e.x.b.Clock
	g, answered := q.Current()
	switch {
	case !answered: // OPEN
		fee := min(e.x.terms.ExpiryFee, q.Deposit)
		q.State, q.Closed = oracle.Expired, now
		e.give(q.ID, q.Asker, q.Deposit-fee)
		e.give(q.ID, types.BurnAccount, fee)
		e.tell(oracle.EventExpired, q.ID, oracle.ClosedEvent{Question: q.ID, Returned: q.Deposit - fee, Burned: fee}, q.Asker)
	case g.Value == oracle.TooEarly && !q.Reopened:
		q.State, q.Reopened = oracle.Open, true
		e.give(q.ID, g.Account, g.Bond)
		e.tell(oracle.EventReopened, q.ID, oracle.ClosedEvent{Question: q.ID, Value: &g.Value, Returned: g.Bond}, q.Asker, g.Account)
		e.schedule(&q)
	default:
		q.State, q.Closed, q.Result = oracle.Final, now, g.Value
		e.give(q.ID, q.Asker, q.Deposit)
		e.give(q.ID, g.Account, g.Bond)
		e.tell(oracle.EventFinal, q.ID, oracle.ClosedEvent{Question: q.ID, Value: &g.Value, Returned: q.Deposit + g.Bond}, q.Asker, g.Account)
	}
	e.put(q)
}
