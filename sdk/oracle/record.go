package oracle

import (
	"fmt"
	"math"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// MaxAnswers bounds the answers and counters that a record holds.
const MaxAnswers = 16

// MaxDeposit bounds deposits and bonds, so that a deposit and two bonds sum to what a number can hold.
const MaxDeposit = math.MaxUint64 / 3

const recordFormat = 2

// ExportedPrefix begins the keys that the module lets other modules read: those of questions.
const ExportedPrefix = questionPrefix

// Given is an answer that somebody gave, or a counter to one.
type Given struct {
	Account types.AccountID
	Value   Value
	Clock   uint64
	Bond    uint64 // in the smallest unit; 0 for the asker in its own window, whose deposit is the bond
	Counter bool   // it contradicts the answer before it
}

// Record is a question in the state. The deposit and the bonds of a question that is not over are held in the escrow of its
// item.
type Record struct {
	ID       [32]byte
	Asker    types.AccountID
	Text     string
	Sources  []string
	Asked    uint64 // clock
	Open     uint64 // clock from which on it may be answered
	AnswerBy uint64 // clock
	Deposit  uint64 // in the smallest unit, and the size of every bond
	State    State
	Reopened bool // it was answered TOO_EARLY once
	// ReopenedAt is the clock at which it was reopened, by the timetable: it may have been later that somebody did it.
	ReopenedAt uint64
	Answers    []Given // with counters, oldest first, those of before it was reopened included
	// CommitAt, RevealAt and EndsAt are those of the [Dispute] under way, else 0.
	CommitAt, RevealAt, EndsAt uint64
	Result                     Value  // if State is FINAL
	Closed                     uint64 // clock at which it became FINAL or EXPIRED
}

// Item returns the item under which a question's record and escrow lie.
func Item(id [32]byte) module.Item {
	it := module.Item{Key: questionPrefix + string(id[:])}
	copy(it.Place[:], id[:8])
	return it
}

// IsItem tells whether an item of the module is that of a question: there are others, of disputes.
func IsItem(it module.Item) bool { return strings.HasPrefix(it.Key, questionPrefix) }

// Current returns the answer that stands, contradicted or not: the last one, unless the question is OPEN or EXPIRED.
func (r *Record) Current() (Given, bool) {
	if r.State == Open || r.State == Expired {
		return Given{}, false
	}
	for i := len(r.Answers) - 1; i >= 0; i-- {
		if !r.Answers[i].Counter {
			return r.Answers[i], true
		}
	}
	return Given{}, false
}

// Contradiction returns the counter to the answer that [Record.Current] returns, if there is one.
func (r *Record) Contradiction() (Given, bool) {
	if n := len(r.Answers); n > 0 && r.State != Open && r.State != Expired && r.Answers[n-1].Counter {
		return r.Answers[n-1], true
	}
	return Given{}, false
}

// Free tells whether an answer was given by the asker for nothing but its deposit.
func (r *Record) Free(g Given) bool { return !g.Counter && g.Bond == 0 && g.Account == r.Asker }

// Life returns 0, or 1 if the question was reopened: it says which of its disputes is meant.
func (r *Record) Life() int {
	if r.Reopened {
		return 1
	}
	return 0
}

// WasDisputed tells whether there is, or was, a dispute in a life of the question.
func (r *Record) WasDisputed(life int) bool {
	n := -1
	for _, g := range r.Answers {
		if !g.Counter {
			n++
		} else if n == life {
			return true
		}
	}
	return false
}

// MayBeTooEarly tells whether TOO_EARLY is a legal value of a counter, and of ballots, against the answer that stands: that
// answer came before answer_by, and the question was not reopened yet.
func (r *Record) MayBeTooEarly() bool {
	g, ok := r.Current()
	return ok && !r.Reopened && g.Clock < r.AnswerBy
}

// Escrow returns what the question's escrow must hold: the deposit and open bonds.
func (r *Record) Escrow() uint64 {
	if r.State.Closed() {
		return 0
	}
	sum := r.Deposit
	if g, ok := r.Current(); ok {
		sum += g.Bond
	}
	if g, ok := r.Contradiction(); ok {
		sum += g.Bond
	}
	return sum
}

// Encode returns the canonical bytes.
func (r *Record) Encode() []byte {
	e := types.NewEncoder(160 + len(r.Text))
	e.Byte(recordFormat)
	e.Hash(r.ID)
	e.Raw(r.Asker[:])
	e.String(r.Text)
	e.Uint(uint64(len(r.Sources)))
	for _, s := range r.Sources {
		e.String(s)
	}
	e.Uint(r.Asked)
	e.Uint(r.Open)
	e.Uint(r.AnswerBy)
	e.Uint(r.Deposit)
	e.Byte(byte(r.State))
	e.Byte(flag(r.Reopened))
	e.Uint(r.ReopenedAt)
	e.Uint(uint64(len(r.Answers)))
	for _, g := range r.Answers {
		e.Raw(g.Account[:])
		e.Byte(byte(g.Value))
		e.Uint(g.Clock)
		e.Uint(g.Bond)
		e.Byte(flag(g.Counter))
	}
	e.Uint(r.CommitAt)
	e.Uint(r.RevealAt)
	e.Uint(r.EndsAt)
	e.Byte(byte(r.Result))
	e.Uint(r.Closed)
	return e.Bytes()
}

// DecodeRecord is the inverse of [Record.Encode].
func DecodeRecord(b []byte) (*Record, error) {
	d := types.NewDecoder(b)
	if f := d.Byte(); f != recordFormat {
		d.Fail("record format %d is unknown", f)
	}
	r := &Record{ID: d.Hash()}
	copy(r.Asker[:], d.Raw(32))
	r.Text = text(d, "the question", MaxTextBytes)
	for range d.Count(MaxSources, 2) {
		r.Sources = append(r.Sources, text(d, "a source", MaxSourceBytes))
	}
	r.Asked, r.Open, r.AnswerBy, r.Deposit = d.Uint(), d.Uint(), d.Uint(), d.Uint()
	if r.Deposit > MaxDeposit {
		d.Fail("a deposit of %d", r.Deposit)
	}
	if r.State = State(d.Byte()); !r.State.Valid() {
		d.Fail("state %d", r.State)
	}
	r.Reopened, r.ReopenedAt = decodeFlag(d), d.Uint()
	for range d.Count(MaxAnswers, 36) {
		var g Given
		copy(g.Account[:], d.Raw(32))
		if g.Value = Value(d.Byte()); !g.Value.Valid() {
			d.Fail("value %d", g.Value)
		}
		g.Clock, g.Bond, g.Counter = d.Uint(), d.Uint(), decodeFlag(d)
		if g.Bond > MaxDeposit {
			d.Fail("a bond of %d", g.Bond)
		}
		r.Answers = append(r.Answers, g)
	}
	r.CommitAt, r.RevealAt, r.EndsAt = d.Uint(), d.Uint(), d.Uint()
	if r.Result = Value(d.Byte()); !r.Result.Valid() {
		d.Fail("value %d", r.Result)
	}
	r.Closed = d.Uint()
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("question: %w", err)
	}
	return r, nil
}

func decodeFlag(d *types.Decoder) bool {
	f := d.Byte()
	if f > 1 {
		d.Fail("flag %d", f)
	}
	return f == 1
}
