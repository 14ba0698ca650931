package oracle

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

const day = 24 * time.Hour

// Terms are the conditions on which a chain's questions are asked. Clocks count ticks; amounts are in the smallest unit.
type Terms struct {
	TickNs          uint64 `json:"tick_ns"`           // one tick of the chain's clock
	Base            uint64 `json:"base,string"`       // of every deposit
	PerDay          uint64 `json:"per_day,string"`    // for each day, or part of one, of the timetable
	ExpiryFee       uint64 `json:"expiry_fee,string"` // burned of the deposit of a question that nobody answers
	Challenge       uint64 `json:"challenge"`         // ticks in which an answer can be contradicted
	InitiatorWindow uint64 `json:"initiator_window"`  // ticks in which only the asker may answer
	Notice          uint64 `json:"notice"`            // ticks from a counter until the producers may commit
	CommitWindow    uint64 `json:"commit_window"`     // ticks in which they may commit, at least; see Windows
	RevealWindow    uint64 `json:"reveal_window"`     // ticks in which they may reveal, at least
	Turn            uint64 `json:"turn"`              // slots in a row that are one producer's
	BurnPPM         uint64 `json:"burn_ppm"`          // millionths of a lost bond that are burned
}

// LeastBurnPPM is the least part of a lost bond that is burned, in millionths: half of it.
const LeastBurnPPM = million / 2

// Each producer has this many turns in the window for commits, and in that for reveals.
const turnsPerWindow = 4

const maxTurn = 1 << 20

// Ticks returns how many ticks a duration lasts, rounded up, and at least one.
func Ticks(d, tick time.Duration) uint64 {
	if d <= 0 || tick <= 0 {
		return 1
	}
	return uint64((d-1)/tick) + 1
}

// Validate tells what is wrong with the terms.
func (t Terms) Validate() error {
	switch {
	case t.TickNs == 0 || t.TickNs > uint64(day):
		return fmt.Errorf("a tick of %s is not between 1ns and 24h", time.Duration(min(t.TickNs, math.MaxInt64)))
	case t.Challenge == 0 || t.InitiatorWindow == 0:
		return fmt.Errorf("challenge and initiator_window must be at least one tick")
	case t.Challenge > t.MaxAhead() || t.InitiatorWindow > t.MaxAhead():
		return fmt.Errorf("challenge and initiator_window must be at most %d days", MaxDaysAhead)
	}
	for _, w := range []uint64{t.Notice, t.CommitWindow, t.RevealWindow} {
		if w == 0 || w > t.MaxAhead() {
			return fmt.Errorf("notice, commit_window and reveal_window must be at least one tick and at most %d days", MaxDaysAhead)
		}
	}
	if t.Turn == 0 || t.Turn > maxTurn {
		return fmt.Errorf("a turn of %d slots is not between 1 and %d", t.Turn, maxTurn)
	}
	if t.BurnPPM < LeastBurnPPM || t.BurnPPM > million {
		return fmt.Errorf("burn_ppm of %d is not between %d and %d", t.BurnPPM, LeastBurnPPM, million)
	}
	hi, lo := bits.Mul64(t.PerDay, MaxDaysAhead)
	if hi != 0 || lo > MaxDeposit || t.Base > MaxDeposit-lo {
		return fmt.Errorf("base %d and per_day %d are too large", t.Base, t.PerDay)
	}
	return nil
}

// MaxAhead is how many ticks ahead answer_by may lie.
func (t Terms) MaxAhead() uint64 { return uint64(MaxDaysAhead*day) / t.TickNs }

// Days returns how many days, or parts of one, ticks last.
func (t Terms) Days(ticks uint64) uint64 {
	hi, lo := bits.Mul64(ticks, t.TickNs)
	if hi >= uint64(day) {
		return math.MaxUint64
	}
	q, r := bits.Div64(hi, lo, uint64(day))
	if r > 0 {
		q++
	}
	return q
}

// Deposit returns the deposit for a question that is asked at clock. It fails with [ErrTimetable] if answerBy is not after
// clock, or too far ahead. It shrinks as the clock advances, so one that was enough when a transaction was made is enough
// when it is executed.
func (t Terms) Deposit(clock, answerBy uint64) (uint64, error) {
	if answerBy <= clock || answerBy-clock > t.MaxAhead() {
		return 0, fmt.Errorf("%w: answer_by %d at clock %d, at most %d ticks ahead", ErrTimetable, answerBy, clock, t.MaxAhead())
	}
	return t.Base + t.PerDay*t.Days(answerBy-clock), nil
}

// AskerUntil returns the clock until which, exclusive, only the asker may answer.
func (t Terms) AskerUntil(r *Record) uint64 { return add(r.Open, t.InitiatorWindow) }

// ExpiresAt returns the clock at which a question that is OPEN expires. One that was reopened can be answered for as long after
// that as another after answer_by.
func (t Terms) ExpiresAt(r *Record) uint64 {
	return add(add(max(r.AnswerBy, r.Open, r.ReopenedAt), t.InitiatorWindow), t.Challenge)
}

// Windows returns how many ticks commits and reveals are accepted where n producers decide: as configured, but so long that
// each of them makes blocks four times in each window.
func (t Terms) Windows(n int) (commit, reveal uint64) {
	least := math.MaxUint64 / uint64(turnsPerWindow)
	if n := uint64(max(n, 0)); n == 0 || t.Turn <= least/n {
		least = turnsPerWindow * n * t.Turn
	} else {
		least = math.MaxUint64
	}
	return max(t.CommitWindow, least), max(t.RevealWindow, least)
}

// Due returns the clock at which a question leaves its state by itself, and false if it does not.
func (t Terms) Due(r *Record) (uint64, bool) {
	switch r.State {
	case Open:
		return t.ExpiresAt(r), true
	case Answered:
		g, _ := r.Current()
		return add(g.Clock, t.Challenge), true
	case Countered:
		return r.CommitAt, true
	case Commit:
		return r.RevealAt, true
	case Reveal:
		return r.EndsAt, true
	}
	return 0, false
}

func add(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}
