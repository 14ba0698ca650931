package chain

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/host"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Limits of an answer with proofs.
const (
	MaxProvenItems = 256     // that the answer rests on
	MaxProvenBytes = 4 << 20 // of their values and proofs together
)

// Question is what a client asks of a module.
type Question struct {
	Module, Path string
	Argument     []byte
	// Prove wants the items that the answer rests on, with proofs. The answer is then as of the parent of the newest final block.
	Prove bool
	// Auth is an encoded types.SignedQuery, if somebody in particular asks; else nil.
	Auth []byte
}

// Answered is what a module answers.
type Answered struct {
	module.Answer
	Height, Clock uint64           // of the final block after which it is so
	Caller        *types.AccountID // who asks, if that was shown
	Proven        *Proven          // nil unless proofs were asked for
}

// Ask asks a module about the state after the newest final block or, with proofs, after its parent. It fails with
// ledger.ErrUnknownModule, module.ErrUnknownPath, ErrNotFound if proofs are wanted before any block is final,
// ledger.ErrTooLarge if the answer rests on too much to be proven, and like ledger.QueryCaller. The module shows what the caller
// may see; who wants proofs is shown every item that the answer rests on as it is.
func (c *Chain) Ask(ctx context.Context, q Question) (a Answered, err error) {
	m := c.cfg.Ledger.Module(q.Module)
	if m == nil {
		return Answered{}, fmt.Errorf("%w: %q; this chain has %v", ledger.ErrUnknownModule, q.Module, c.cfg.Ledger.ModuleNames())
	}
	err = c.fresh(ctx, true, func(n *node) error {
		var root *types.Header
		at, layer := n.header, n.result.layer
		if q.Prove {
			if root, at, layer = c.newestProven(); layer == nil {
				return fmt.Errorf("%w: no final block has the root of a state yet", ErrNotFound)
			}
		}
		a = Answered{Height: at.Height, Clock: at.Clock}
		if q.Auth != nil {
			id, err := c.cfg.Ledger.QueryCaller(ctx, layer, c.Slot(), q.Auth, q.Module, q.Path, q.Argument)
			if err != nil {
				return err
			}
			a.Caller = &id
		}
		r := &notingReader{Reader: ledger.QueryReader(layer, q.Module)}
		var err error
		a.Answer, err = m.Query(host.Asking(ctx), module.Query{Caller: a.Caller, Height: at.Height, Clock: at.Clock, Path: q.Path, Argument: q.Argument}, r)
		if noted := r.noted(); err != nil && noted != nil {
			err = noted // a module in a process of its own tells only the text
		}
		if err != nil || !q.Prove {
			return err
		}
		items, err := restsOn(q.Module, a.RestsOn)
		if err != nil {
			return err
		}
		a.Proven, err = provenItems(ctx, layer, root, at, items)
		return err
	})
	if err != nil {
		return Answered{}, err
	}
	return a, nil
}

// restsOn returns the items of the state that an answer rests on, each once, in the module's order.
func restsOn(mod string, rests []module.Item) ([]state.Item, error) {
	seen := make(map[state.Item]bool, len(rests))
	var items []state.Item
	for _, it := range rests {
		x := state.Item{Module: mod, Place: it.Place, Key: it.Key}
		if !seen[x] {
			seen[x] = true
			items = append(items, x)
		}
	}
	if len(items) > MaxProvenItems {
		return nil, fmt.Errorf("%w: the answer rests on %d items, of which at most %d are proven at once; ask for less, or without proofs", ledger.ErrTooLarge,
			len(items), MaxProvenItems)
	}
	return items, nil
}
