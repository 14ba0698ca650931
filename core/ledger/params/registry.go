// Package params is the native module that keeps the chain's parameters: which there are and what they may become is in the
// genesis document, which values are in force is in the state, and a change waits there until the epoch ends.
//
// What can be proved. A parameter that was never changed has no item, and the value that the document says; each of the others
// has one, with its value and the height of the block that changed it. A change that waits is one item. The item "set" is
// the hash of all values in force, so that a node reads one item a block to know that it knows them.
//
// What others use of a block's parameters they take from the state after its parent, through [Registry]. So a change that is
// carried out in the block that closes an epoch is in force from the first block of the next one on.
package params

import (
	"encoding/json"
	"fmt"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/params"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// SetItem is where the hash of the values in force lies; it is not there before the first change.
func SetItem() module.Item { return module.Item{Key: "set"} }

// PendingItem is where the change lies that waits.
func PendingItem() module.Item { return module.Item{Key: "pending"} }

// ValueItem is where the value of a parameter lies that was ever changed.
func ValueItem(name string) module.Item { return module.Item{Key: "value/" + name} }

// Registry is what a chain's genesis document declares.
type Registry struct {
	list  []chainspec.Param
	index map[string]int
}

// NewRegistry returns the registry of a chain.
func NewRegistry(g *chainspec.Genesis) *Registry {
	r := &Registry{index: map[string]int{}}
	if g.Params != nil {
		r.list = g.Params.List
	}
	for i := range r.list {
		r.index[r.list[i].Name] = i
	}
	return r
}

// List returns the declarations, ordered by name. The caller does not change them.
func (r *Registry) List() []chainspec.Param { return r.list }

// Items returns where the values of all parameters lie, in the order of List.
func (r *Registry) Items() []module.Item {
	out := make([]module.Item, len(r.list))
	for i := range r.list {
		out[i] = ValueItem(r.list[i].Name)
	}
	return out
}

// Values turns what the state holds at Items into the values in force.
func (r *Registry) Values(raw [][]byte) (Values, error) {
	if len(raw) != len(r.list) {
		return nil, fmt.Errorf("parameters: %d values in the state for %d", len(raw), len(r.list))
	}
	out := make(Values, len(raw))
	for i, b := range raw {
		if b == nil {
			out[i].JSON = r.list[i].Value
			continue
		}
		v, err := params.DecodeValue(b)
		if err != nil {
			return nil, fmt.Errorf("%s in the state: %w", r.list[i].Name, err)
		}
		out[i] = v
	}
	return out, nil
}

// Genesis returns the values of the genesis document.
func (r *Registry) Genesis() Values {
	out, _ := r.Values(make([][]byte, len(r.list)))
	return out
}

// Values are the values of all parameters, in the order of a registry's list.
type Values []params.Value

// Hash names the values; whatever else is the same, two sets of values with one hash are equal.
func (v Values) Hash() types.Hash {
	e := types.NewEncoder(32 * len(v))
	for _, x := range v {
		e.Blob(x.JSON)
	}
	return types.Sum("params/set\x00", e.Bytes())
}

// ByModule returns what each module sees: its parameters, by the names that it declared.
func (r *Registry) ByModule(v Values) map[string]map[string][]byte {
	out := map[string]map[string][]byte{}
	for i := range r.list {
		mod, name := r.list[i].Split()
		if out[mod] == nil {
			out[mod] = map[string][]byte{}
		}
		out[mod][name] = v[i].JSON
	}
	return out
}

// with returns the values after changes, and what each module then sees. Its error carries a name of package params.
func (r *Registry) with(v Values, changes []params.Change) (Values, *refusal) {
	out := append(Values(nil), v...)
	for _, c := range changes {
		i, p, bad := r.find(c)
		if bad != nil {
			return nil, bad
		}
		if err := p.CheckStep(v[i].JSON, c.Value); err != nil {
			return nil, &refusal{params.ErrParamStep, "", err}
		}
		out[i].JSON = c.Value
	}
	return out, nil
}

// find finds the parameter that a change is about, and checks what can be checked without the value in force.
func (r *Registry) find(c params.Change) (int, *chainspec.Param, *refusal) {
	i, ok := r.index[c.Name]
	if !ok {
		return 0, nil, &refusal{params.ErrUnknownParam, "", fmt.Errorf("the chain has no parameter %q that can change", c.Name)}
	}
	if err := r.list[i].Check(c.Value); err != nil {
		return 0, nil, &refusal{rangeOrType(err), "", err}
	}
	return i, &r.list[i], nil
}

// view shows changes against the values in force.
func (r *Registry) view(v Values, changes []params.Change) []params.ChangeView {
	out := make([]params.ChangeView, len(changes))
	for k, c := range changes {
		out[k] = params.ChangeView{Name: c.Name, From: json.RawMessage("null"), To: c.Value}
		if i, ok := r.index[c.Name]; ok {
			out[k].From = v[i].JSON
		}
	}
	return out
}
