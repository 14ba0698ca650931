package oracle

import (
	"fmt"
	"math"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// MaxAnswers bounds the answers that a record holds.
const MaxAnswers = 16

// Given is an answer that somebody gave.
type Given struct {
	Account types.AccountID
	Value   Value
	Clock   uint64
	Bond    uint64 // in the smallest unit; 0 for the asker in its own window, whose deposit is the bond
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
	Reopened bool    // it was answered TOO_EARLY once
	Answers  []Given // oldest first, those of before it was reopened included
	Result   Value   // if State is FINAL
	Closed   uint64  // clock at which it became FINAL or EXPIRED
}

// Item returns the item under which a question's record and escrow lie.
func Item(id [32]byte) module.Item {
	it := module.Item{Key: "q/" + string(id[:])}
	copy(it.Place[:], id[:8])
	return it
}

// Current returns the answer that stands: the last one, unless the question is OPEN or EXPIRED.
func (r *Record) Current() (Given, bool) {
	if len(r.Answers) == 0 || r.State == Open || r.State == Expired {
		return Given{}, false
	}
	return r.Answers[len(r.Answers)-1], true
}

// Escrow returns what the question's escrow must hold: the deposit and open bonds.
func (r *Record) Escrow() uint64 {
	if r.State.Closed() {
		return 0
	}
	g, _ := r.Current()
	return r.Deposit + g.Bond
}

// Encode returns the canonical bytes.
func (r *Record) Encode() []byte {
	e := types.NewEncoder(160 + len(r.Text))
	e.Byte(1) // format
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
	flag := byte(0)
	if r.Reopened {
		flag = 1
	}
	e.Byte(flag)
	e.Uint(uint64(len(r.Answers)))
	for _, g := range r.Answers {
		e.Raw(g.Account[:])
		e.Byte(byte(g.Value))
		e.Uint(g.Clock)
		e.Uint(g.Bond)
	}
	e.Byte(byte(r.Result))
	e.Uint(r.Closed)
	return e.Bytes()
}

// DecodeRecord is the inverse of [Record.Encode].
func DecodeRecord(b []byte) (*Record, error) {
	d := types.NewDecoder(b)
	format(d, "record")
	r := &Record{ID: d.Hash()}
	copy(r.Asker[:], d.Raw(32))
	r.Text = text(d, "the question", MaxTextBytes)
	for range d.Count(MaxSources, 2) {
		r.Sources = append(r.Sources, text(d, "a source", MaxSourceBytes))
	}
	r.Asked, r.Open, r.AnswerBy, r.Deposit = d.Uint(), d.Uint(), d.Uint(), d.Uint()
	if r.State = State(d.Byte()); !r.State.Valid() {
		d.Fail("state %d", r.State)
	}
	f := d.Byte()
	if f > 1 {
		d.Fail("flag %d", f)
	}
	r.Reopened = f == 1
	for range d.Count(MaxAnswers, 35) {
		var g Given
		copy(g.Account[:], d.Raw(32))
		if g.Value = Value(d.Byte()); !g.Value.Valid() {
			d.Fail("value %d", g.Value)
		}
		g.Clock, g.Bond = d.Uint(), d.Uint()
		if g.Bond > math.MaxUint64-r.Deposit {
			d.Fail("deposit %d and bond %d overflow", r.Deposit, g.Bond)
		}
		r.Answers = append(r.Answers, g)
	}
	if r.Result = Value(d.Byte()); !r.Result.Valid() {
		d.Fail("value %d", r.Result)
	}
	r.Closed = d.Uint()
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("question: %w", err)
	}
	return r, nil
}
