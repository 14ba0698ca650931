package prophecy

import (
	"errors"
	"math"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// counter contradicts the answer to a question that is where the clock says.
func (e *effect) counter(t *module.Tx, action int, q oracle.Record, v oracle.Value) error {
	g, _ := q.Current()
	switch {
	case q.State == oracle.Open:
		return fail(oracle.ErrWindow, "question %x has no answer that could be contradicted", q.ID[:4])
	case q.State != oracle.Answered:
		return fail(oracle.ErrCountered, "question %x is %s: its answer is contradicted already, and the producers decide", q.ID[:4], q.State)
	case v == g.Value:
		return fail(oracle.ErrSameAnswer, "question %x was answered %s", q.ID[:4], v)
	case v == oracle.TooEarly && !q.MayBeTooEarly():
		return fail(oracle.ErrWindow, "TOO_EARLY cannot contradict an answer of clock %d where answer_by is %d, nor that of a question that was reopened", g.Clock, q.AnswerBy)
	}
	if most := t.Actions[action].MaxSpend; most < q.Deposit {
		return fail(oracle.ErrBondTooSmall, "the bond is %d, max_spend is %d", q.Deposit, most)
	}
	e.unschedule(&q)
	e.take(t, action, q.ID, q.Deposit)
	now := e.x.b.Clock
	producers := distinct(e.x.b.Producers)
	commit, reveal := e.x.terms.Windows(len(producers))
	q.State = oracle.Countered
	q.Answers = append(slices.Clip(q.Answers), oracle.Given{Account: t.Account, Value: v, Clock: now, Bond: q.Deposit, Counter: true})
	q.CommitAt = later(now, e.x.terms.Notice)
	q.RevealAt = later(q.CommitAt, commit)
	q.EndsAt = later(q.RevealAt, reveal)
	d := &oracle.Dispute{ID: q.ID, Life: q.Life(), Countered: now, CommitAt: q.CommitAt, RevealAt: q.RevealAt, EndsAt: q.EndsAt, Producers: producers}
	e.tell(oracle.EventCountered, q.ID, oracle.CounteredEvent{Question: q.ID, Account: t.Account, Value: v, Bond: q.Deposit, CommitAt: q.CommitAt,
		RevealAt: q.RevealAt, EndsAt: q.EndsAt, Seats: len(producers)}, t.Account, g.Account, q.Asker)
	e.schedule(&q)
	e.put(q)
	e.putDispute(d, true, false)
	e.writes = append(e.writes, module.Write{Item: oracle.DisputeIndex(q.CommitAt, q.ID), Data: []byte{1}})
	e.noticed = append(e.noticed, contradicted{oracle.Question{ID: q.ID, Text: q.Text, Sources: q.Sources}, q.Life()})
	return nil
}

// distinct returns the producers, each once and at most as many as a set may have: who has two seats has one voice.
func distinct(keys []types.PublicKey) []types.PublicKey {
	seen := make(map[types.Hash]bool, len(keys))
	out := make([]types.PublicKey, 0, min(len(keys), types.MaxSeats))
	for _, k := range keys {
		if h := k.Hash(); !seen[h] && len(out) < types.MaxSeats && k.Validate() == nil {
			seen[h] = true
			out = append(out, k)
		}
	}
	return out
}

func later(clock, ticks uint64) uint64 {
	if clock > math.MaxUint64-ticks {
		return math.MaxUint64
	}
	return clock + ticks
}

// ballot counts one of a producer, which has signed it or the block that it is in. One that says what an earlier one said is
// nothing.
func (e *effect) ballot(b *oracle.Ballot, producer types.PublicKey) error {
	p := e.get(b.Question)
	if p == nil {
		return fail(oracle.ErrUnknownQuestion, "there is no question %x", b.Question)
	}
	q, err := e.current(*p)
	if err != nil {
		return err
	}
	if !q.State.Disputed() {
		return fail(oracle.ErrWindow, "question %x is %s, and not disputed", q.ID[:4], q.State)
	}
	if q.CommitAt != b.CommitAt {
		return fail(oracle.ErrWindow, "the ballot belongs to a dispute with commits from clock %d on, not to that from %d on", b.CommitAt, q.CommitAt)
	}
	d := e.dispute(&q)
	seat := d.Seat(producer)
	if seat < 0 {
		return fail(oracle.ErrNotInSnapshot, "producer %s is not among the %d that decide", producer.Hash().Short(), len(d.Producers))
	}
	if q.State != b.Phase {
		return fail(oracle.ErrWindow, "a ballot for %s in %s, at clock %d", b.Phase, q.State, e.x.b.Clock)
	}
	if b.Phase == oracle.Commit {
		return e.commits(&q, d, seat, b)
	}
	return e.reveals(&q, d, seat, b)
}

func (e *effect) commits(q *oracle.Record, d *oracle.Dispute, seat int, b *oracle.Ballot) error {
	if c, ok := d.CommitOf(seat); ok {
		if c.Hash == b.Commit {
			return nil
		}
		return fail(oracle.ErrDoubleCommit, "seat %d has committed to something else at clock %d", seat, c.Clock)
	}
	e.putDispute(d.WithCommit(oracle.Committed{Seat: seat, Hash: b.Commit, Clock: e.x.b.Clock}), false, true)
	e.tell(oracle.EventCommitted, q.ID, oracle.BallotEvent{Question: q.ID, Producer: d.Producers[seat].Hash(), Seat: seat, Commit: &b.Commit})
	return nil
}

func (e *effect) reveals(q *oracle.Record, d *oracle.Dispute, seat int, b *oracle.Ballot) error {
	c, committed := d.CommitOf(seat)
	producer := d.Producers[seat].Hash()
	matches := committed && c.Hash == oracle.BallotCommit(e.x.b.Chain, q.ID, producer, b.Value, b.Salt)
	if r, ok := d.RevealOf(seat); ok {
		if matches && r.Value == b.Value {
			return nil
		}
		return fail(oracle.ErrDoubleCommit, "seat %d has revealed %s at clock %d", seat, r.Value, r.Clock)
	}
	switch {
	case !committed:
		return fail(oracle.ErrRevealMismatch, "seat %d has not committed to anything", seat)
	case !matches:
		return fail(oracle.ErrRevealMismatch, "seat %d has committed to something else", seat)
	case b.Value == oracle.TooEarly && !q.MayBeTooEarly():
		return fail(oracle.ErrWindow, "TOO_EARLY cannot be the answer to question %x any more", q.ID[:4])
	}
	n := d.WithReveal(oracle.Revealed{Seat: seat, Value: b.Value, Clock: e.x.b.Clock})
	e.tell(oracle.EventRevealed, q.ID, oracle.BallotEvent{Question: q.ID, Producer: producer, Seat: seat, Value: &b.Value})
	// With all reveals nothing can change any more: the dispute is over with the next block.
	if at := later(e.x.b.Clock, 1); len(n.Reveals) == len(n.Producers) && at < n.EndsAt {
		e.unschedule(q)
		n.EndsAt, q.EndsAt = at, at
		e.schedule(q)
		e.put(*q)
	}
	e.putDispute(n, true, false)
	return nil
}

// settle ends a dispute whose time was over at clock at.
func (e *effect) settle(q *oracle.Record, at uint64) {
	d := *e.dispute(q)
	s, payments := oracle.Settle(e.x.terms, q, &d)
	d.Settled, d.Over = &s, e.x.b.Clock
	answer, _ := q.Current()
	counter, _ := q.Contradiction()
	for _, p := range payments {
		e.give(q.ID, p.Account, p.Amount)
	}
	votes := map[string]int{}
	for _, r := range d.Reveals {
		votes[r.Value.String()]++
	}
	parties := []types.AccountID{q.Asker, answer.Account, counter.Account}
	e.tell(oracle.EventDecided, q.ID, oracle.DecidedEvent{Question: q.ID, Votes: votes, Seats: len(d.Producers), Settled: s}, parties...)
	e.writes = append(e.writes, module.Write{Item: oracle.DisputeIndex(q.CommitAt, q.ID)})
	e.putDispute(&d, true, false)
	q.CommitAt, q.RevealAt, q.EndsAt = 0, 0, 0
	name := oracle.EventFinal
	if s.Reopened {
		name = oracle.EventReopened
		q.State, q.Reopened, q.ReopenedAt = oracle.Open, true, at
	} else {
		q.State, q.Closed, q.Result = oracle.Final, e.x.b.Clock, s.Winner
	}
	e.tell(name, q.ID, oracle.ClosedEvent{Question: q.ID, Value: &s.Winner, Returned: s.Returned, Burned: s.Burned, Settled: &s}, parties...)
}

// refuse tells that a ballot in an extension does not count.
func (e *effect) refuse(question [32]byte, err error) {
	v := oracle.RefusedEvent{Question: question, Producer: e.x.b.Producer, Error: nameOf(err)}
	var f *failure
	if errors.As(err, &f) {
		v.Detail = f.detail
	}
	e.tell(oracle.EventBallotRefused, question, v)
}
