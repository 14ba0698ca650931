package oracle

import "fmt"

// Value is an answer. The numbers are part of consensus.
type Value uint8

// The values.
const (
	No Value = iota
	Yes
	Invalid
	TooEarly
)

var valueNames = [...]string{No: "NO", Yes: "YES", Invalid: "INVALID", TooEarly: "TOO_EARLY"}

// Valid tells whether v is one of the values.
func (v Value) Valid() bool { return int(v) < len(valueNames) }

// String returns "NO", "YES", "INVALID" or "TOO_EARLY".
func (v Value) String() string {
	if !v.Valid() {
		return fmt.Sprintf("value(%d)", uint8(v))
	}
	return valueNames[v]
}

// ParseValue is the inverse of [Value.String].
func ParseValue(s string) (Value, error) {
	for v, name := range valueNames {
		if s == name {
			return Value(v), nil
		}
	}
	return 0, fmt.Errorf("answer %.40q: must be YES, NO, INVALID or TOO_EARLY", s)
}

// MarshalText writes the name.
func (v Value) MarshalText() ([]byte, error) {
	if !v.Valid() {
		return nil, fmt.Errorf("answer %d: unknown value", uint8(v))
	}
	return []byte(v.String()), nil
}

// UnmarshalText reads the name.
func (v *Value) UnmarshalText(text []byte) (err error) {
	*v, err = ParseValue(string(text))
	return err
}

// State is where a question stands. The numbers are part of consensus.
//
//	OPEN → ANSWERED → (nobody contradicts) → FINAL
//	  │          └→ COUNTERED → COMMIT → REVEAL → FINAL
//	  └→ (nobody answers) → EXPIRED
//
// In COUNTERED the producers take notice, in COMMIT they commit to values, in REVEAL they reveal them. A question goes back to
// OPEN once: where TOO_EARLY was answered and not contradicted, or revealed by a quorum without the loss of the deposit.
type State uint8

// The states. COUNTERED, COMMIT and REVEAL are those of a dispute.
const (
	Open State = iota + 1
	Answered
	Countered
	Commit
	Reveal
	Final
	Expired
)

var stateNames = [...]string{Open: "OPEN", Answered: "ANSWERED", Countered: "COUNTERED", Commit: "COMMIT", Reveal: "REVEAL", Final: "FINAL", Expired: "EXPIRED"}

// Valid tells whether s is one of the states.
func (s State) Valid() bool { return s > 0 && int(s) < len(stateNames) }

// Closed tells whether the question is over: FINAL or EXPIRED. Nothing about it changes any more.
func (s State) Closed() bool { return s == Final || s == Expired }

// Disputed tells whether a dispute is under way: COUNTERED, COMMIT or REVEAL.
func (s State) Disputed() bool { return s >= Countered && s <= Reveal }

// String returns the name in capitals.
func (s State) String() string {
	if !s.Valid() {
		return fmt.Sprintf("state(%d)", uint8(s))
	}
	return stateNames[s]
}

// ParseState is the inverse of [State.String].
func ParseState(name string) (State, error) {
	for s, n := range stateNames {
		if n != "" && n == name {
			return State(s), nil
		}
	}
	return 0, fmt.Errorf("state %.40q: must be OPEN, ANSWERED, COUNTERED, COMMIT, REVEAL, FINAL or EXPIRED", name)
}

// MarshalText writes the name.
func (s State) MarshalText() ([]byte, error) {
	if !s.Valid() {
		return nil, fmt.Errorf("unknown state %d", uint8(s))
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads the name.
func (s *State) UnmarshalText(text []byte) (err error) {
	*s, err = ParseState(string(text))
	return err
}
