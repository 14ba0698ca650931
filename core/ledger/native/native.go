// Package native is what the core's own modules have in common: the parts of module.Module that they do not need, and
// results that are written the same way.
package native

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/module"
)

// Base answers for a module that neither extends blocks nor has parameters, queries or migrations.
type Base struct{ Name string }

// Extend puts nothing into a block.
func (Base) Extend(context.Context, uint64, module.Reader) ([]byte, error) { return nil, nil }

// Query knows no path.
func (b Base) Query(_ context.Context, q module.Query, _ module.Reader) (module.Answer, error) {
	return module.Answer{}, fmt.Errorf("%w: %q of module %s", module.ErrUnknownPath, q.Path, b.Name)
}

// ValidateParams accepts all.
func (Base) ValidateParams(context.Context, map[string][]byte) error { return nil }

// Migrate refuses.
func (b Base) Migrate(_ context.Context, from, to string, _ module.Reader) ([]module.Write, error) {
	return nil, fmt.Errorf("%w: module %s has no migration from rules %q to %q", module.ErrUnsupported, b.Name, from, to)
}

// Names of errors that the native modules give.
const (
	ErrMalformed     = "ErrMalformed"
	ErrUnknownAction = "ErrUnknownAction"
	ErrSpend         = "ErrSpend"    // max_spend does not cover the amount
	ErrTooLarge      = "ErrTooLarge" // what comes of it is more than a block may hold
)

// Room bounds what the results of one block come to, so that transactions which ask for more than an outcome may hold fail one
// by one, and do not put the module at fault.
type Room struct{ used int }

// reserved is for the failures that are reported after a room has been filled, one a transaction.
const reserved = module.MaxOutcomeBytes / 4

// Fits counts a result and tells whether there is room for it; if not, it becomes a failure. Every result must be shown
// before any other rests on it.
func (r *Room) Fits(res *module.Result) bool {
	n := res.Size()
	if n > module.MaxResultBytes || res.Error == "" && r.used+n > module.MaxOutcomeBytes-reserved {
		*res = Failed(ErrTooLarge, fmt.Errorf("a result of %d bytes, after %d in this block", n, r.used), res.Gas)
		n = res.Size()
	}
	r.used += n
	return res.Error == ""
}

// Event makes an event from a value that becomes a JSON object.
func Event(name string, v any) module.Event {
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte(`{}`)
	}
	return module.Event{Name: name, Data: b}
}

// Failed is the result of a transaction that has no effect.
func Failed(name string, err error, gas uint64) module.Result {
	r := module.Result{Error: name, Gas: gas}
	if err != nil {
		r.Detail = err.Error()
	}
	return r
}
