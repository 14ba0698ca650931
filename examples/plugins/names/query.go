package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// view is what is told of a name. Note is for its owner alone.
type view struct {
	Owner *types.AccountID `json:"owner"`
	Note  string           `json:"note,omitempty"`
}

// Query answers "owner/NAME": whose the name is, or null; and to the owner, if the question is signed by him, his note. Everybody
// could find the note in the state of a node of his own: a right to see is a matter of manners, and not of secrecy.
func (names) Query(ctx context.Context, q module.Query, r module.Reader) (module.Answer, error) {
	name, ok := strings.CutPrefix(q.Path, "owner/")
	if !ok || !goodName(name) {
		return module.Answer{}, fmt.Errorf("%w: %.80q; names has owner/NAME", module.ErrUnknownPath, q.Path)
	}
	items := []module.Item{owned(name), noted(name)}
	values, err := r.Read(ctx, module.BlockTx, items)
	if err != nil {
		return module.Answer{}, err
	}
	var v view
	rests := items[:1] // what the answer rests on is proven, and shown, to whoever asks for a proof
	if owner, ok := accountOf(values[0]); ok {
		v.Owner = &owner
		if q.Caller != nil && *q.Caller == owner {
			v.Note, rests = string(values[1]), items
		}
	}
	b, err := json.Marshal(v)
	return module.Answer{JSON: b, RestsOn: rests}, err
}
