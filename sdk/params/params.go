// Package params is what clients, chain specs and the core have to agree on about a chain's parameters: the bodies of the
// actions of the native module "params" ([Set]), the errors and events that it gives, and the JSON of its query ([Registry]).
//
// A parameter is a setting of a chain that can change while the chain lives. Its name is that of the module that uses it and
// its own, "oracle.base". Values are JSON in the form of plugin.OpenRequest.Config: a duration is a number of nanoseconds, a
// size a number of bytes, an amount a number of the smallest unit. The genesis document has the first value of each, and the
// bounds that no change can leave.
//
// A change names all that is to become different at once. It is checked as a whole when it is scheduled, and again when it is
// to take effect, which is at the end of an epoch: the first block of the next epoch is the first that is computed with the
// new values. A chain without epochs changes at a clock. A set that a module has come to refuse is dropped, and the chain goes
// on with the old one. One change waits at a time; another is refused until that one has taken effect or is cancelled.
package params

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Module is the name of the native module that keeps the parameters.
const Module = "params"

// Actions of the module. The body of a cancel is empty.
const (
	ActionSet    = "set"
	ActionCancel = "cancel"
)

// Gas of an action.
const Gas = 20_000

// Limits.
const (
	MaxParams     = 255 // of one chain; with the change that waits, what one transaction may read
	MaxChanges    = 16  // of one set
	MaxNameBytes  = 129 // module, point, name
	MaxValueBytes = 64  // JSON
	MaxNoteBytes  = 256
	MaxWaitDays   = 366 // a change takes effect within this time, by the chain's clock, or as soon as an epoch ends after it
)

// Names of errors that the module gives.
const (
	ErrNotAuthorised = "ErrNotAuthorised" // the account is not the one that may change parameters, or nobody may
	ErrUnknownParam  = "ErrUnknownParam"  // the chain has no such parameter, or it is fixed
	ErrParamType     = "ErrParamType"     // the value is not of the parameter's type, or not written canonically
	ErrParamRange    = "ErrParamRange"    // the value is out of bounds, or none of those that are allowed
	ErrParamStep     = "ErrParamStep"     // the change is larger than may be made at once
	ErrParamRefused  = "ErrParamRefused"  // a module refuses the whole set
	ErrPending       = "ErrPending"       // another change waits; cancel it first
	ErrNotPending    = "ErrNotPending"    // no change waits
	ErrNotBefore     = "ErrNotBefore"     // not_before is over, or too far ahead
)

// Events of the module. The data of scheduled, changed and refused is a [ChangeEvent], that of cancelled is empty.
const (
	EventScheduled = "scheduled"
	EventCancelled = "cancelled"
	EventChanged   = "changed" // the values are in force from the next block on
	EventRefused   = "refused" // a scheduled set has come to nothing
)

// Change is one parameter's new value.
type Change struct {
	Name  string
	Value json.RawMessage
}

// Set is the body of the action "set": all that is to change at once, ordered by name.
type Set struct {
	Changes   []Change
	NotBefore uint64 // clock before which it does not take effect; 0: at the next end of an epoch, or in a day where there are no epochs
	Note      string // for people
}

// Encode returns the canonical bytes.
func (s Set) Encode() []byte {
	e := types.NewEncoder(64 + 64*len(s.Changes) + len(s.Note))
	e.Uint(uint64(len(s.Changes)))
	for _, c := range s.Changes {
		e.String(c.Name)
		e.Blob(c.Value)
	}
	e.Uint(s.NotBefore)
	e.String(s.Note)
	return e.Bytes()
}

// DecodeSet is the inverse of [Set.Encode]. It refuses a set that is empty or not in order.
func DecodeSet(raw []byte) (Set, error) {
	d := types.NewDecoder(raw)
	s := decodeSet(d)
	if err := d.Finish(); err != nil {
		return Set{}, fmt.Errorf("params.set: %w", err)
	}
	return s, nil
}

func decodeSet(d *types.Decoder) (s Set) {
	n := d.Count(MaxChanges, 2)
	if n == 0 && d.Err() == nil {
		d.Fail("no changes")
	}
	for range n {
		c := Change{Name: d.String(MaxNameBytes), Value: d.Blob(MaxValueBytes)}
		if i := len(s.Changes); i > 0 && s.Changes[i-1].Name >= c.Name && d.Err() == nil {
			d.Fail("%.80q after %.80q: the changes must be ordered by name", c.Name, s.Changes[i-1].Name)
		}
		s.Changes = append(s.Changes, c)
	}
	s.NotBefore, s.Note = d.Uint(), d.String(MaxNoteBytes)
	return s
}

// Pending is a change that waits.
type Pending struct {
	Set
	By     types.AccountID
	Height uint64 // of the block that scheduled it
	Clock  uint64 // at which it takes effect, on a chain without epochs; else 0
}

// Encode returns the canonical bytes.
func (p Pending) Encode() []byte {
	e := types.NewEncoder(256)
	e.Raw(p.By[:])
	e.Uint(p.Height)
	e.Uint(p.Clock)
	e.Raw(p.Set.Encode())
	return e.Bytes()
}

// DecodePending is the inverse of [Pending.Encode].
func DecodePending(raw []byte) (*Pending, error) {
	d := types.NewDecoder(raw)
	var p Pending
	copy(p.By[:], d.Raw(32))
	p.Height, p.Clock = d.Uint(), d.Uint()
	p.Set = decodeSet(d)
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("scheduled parameters: %w", err)
	}
	return &p, nil
}

// Value is what the state holds for a parameter that has ever been changed.
type Value struct {
	JSON   json.RawMessage
	Height uint64 // of the last block that was computed with the value before
}

// Encode returns the canonical bytes.
func (v Value) Encode() []byte {
	e := types.NewEncoder(16 + len(v.JSON))
	e.Blob(v.JSON)
	e.Uint(v.Height)
	return e.Bytes()
}

// DecodeValue is the inverse of [Value.Encode].
func DecodeValue(raw []byte) (Value, error) {
	d := types.NewDecoder(raw)
	v := Value{JSON: d.Blob(MaxValueBytes), Height: d.Uint()}
	if err := d.Finish(); err != nil {
		return Value{}, fmt.Errorf("parameter's value: %w", err)
	}
	return v, nil
}

// ChangeEvent is the data of events.
type ChangeEvent struct {
	Changes []ChangeView    `json:"changes"`
	By      types.AccountID `json:"by"`
	Module  string          `json:"module,omitempty"` // that refuses; empty if a value is out of bounds
}

// ChangeView is one change as events and queries show it.
type ChangeView struct {
	Name string          `json:"name"`
	From json.RawMessage `json:"from"`
	To   json.RawMessage `json:"to"`
}

// PathList is the query that answers with a [Registry].
const PathList = "list"

// Registry is what the query "list" answers: every parameter with the value in force for the next block.
type Registry struct {
	Authority *types.AccountID `json:"authority,omitempty"` // who may change parameters; nil: nobody
	Epochs    bool             `json:"epochs"`              // changes take effect at the end of an epoch, else at a clock
	Params    []Entry          `json:"params"`              // ordered by name
	Pending   *PendingView     `json:"pending,omitempty"`
}

// Entry is one parameter. Bounds are missing where the type has none.
type Entry struct {
	Name        string          `json:"name"`
	Type        string          `json:"type"` // of plugin.AttrType
	Value       json.RawMessage `json:"value"`
	Genesis     json.RawMessage `json:"genesis"`
	Min         json.RawMessage `json:"min,omitempty"`
	Max         json.RawMessage `json:"max,omitempty"`
	Step        json.RawMessage `json:"step,omitempty"` // missing: any change within the bounds will do
	OneOf       []string        `json:"one_of,omitempty"`
	ChangedAt   uint64          `json:"changed_at,omitempty"` // height of the block that changed it; 0: never changed
	Fixed       bool            `json:"fixed,omitempty"`      // it can't be changed
	Description string          `json:"description,omitempty"`
}

// PendingView is a change that waits.
type PendingView struct {
	Changes   []ChangeView    `json:"changes"`
	By        types.AccountID `json:"by"`
	Height    uint64          `json:"height"`               // of the block that scheduled it
	NotBefore uint64          `json:"not_before,omitempty"` // clock
	Clock     uint64          `json:"clock,omitempty"`      // at which it takes effect, on a chain without epochs
	Note      string          `json:"note,omitempty"`
}

// DecodeRegistry reads the answer of the query "list".
func DecodeRegistry(raw []byte) (*Registry, error) {
	var r Registry
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("registry of parameters: %w", err)
	}
	if len(r.Params) > 2*MaxParams {
		return nil, errors.New("registry of parameters: more of them than a chain can have")
	}
	return &r, nil
}

// Find returns the parameter with a name, or nil.
func (r *Registry) Find(name string) *Entry {
	for i := range r.Params {
		if r.Params[i].Name == name {
			return &r.Params[i]
		}
	}
	return nil
}
