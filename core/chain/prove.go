package chain

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Proven is what the state held for some items, and the proofs of it.
type Proven struct {
	Root   *types.Header // a final block, which has the root of the state
	Height uint64        // of its parent, after which the state was so
	Clock  uint64        // of its parent
	Items  []state.Item
	Values [][]byte // nil where there is none
	Proofs []types.StateProof
}

// Get returns values of the items that were proven, so that what reads a state can read this.
func (p *Proven) Get(_ context.Context, items []state.Item) ([][]byte, error) {
	out := make([][]byte, len(items))
next:
	for i, it := range items {
		for j := range p.Items {
			if p.Items[j] == it {
				out[i] = p.Values[j]
				continue next
			}
		}
		return nil, fmt.Errorf("item %q of %s was not proven", it.Key, it.Module)
	}
	return out, nil
}

// Prove returns what the state holds for items after the parent of the newest final block, whose header has the root of that
// state. It fails with ErrNotFound while no block is final.
func (c *Chain) Prove(ctx context.Context, items []state.Item) (*Proven, error) {
	var p *Proven
	err := c.fresh(ctx, true, func(*node) (err error) {
		root, parent, layer := c.newestProven()
		if layer == nil {
			return fmt.Errorf("%w: no final block has the root of a state yet", ErrNotFound)
		}
		p, err = provenItems(ctx, layer, root, parent, items)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// provenItems reads items of the state after parent and proves them; root is the header that has the state's root.
func provenItems(ctx context.Context, layer *state.Layer, root, parent *types.Header, items []state.Item) (p *Proven, err error) {
	p = &Proven{Root: root, Height: parent.Height, Clock: parent.Clock, Items: items}
	if len(items) == 0 {
		return p, nil
	}
	if p.Values, err = layer.Get(ctx, items); err != nil {
		return nil, err
	}
	size := 0
	for _, v := range p.Values {
		if size += len(v); size > MaxProvenBytes {
			return nil, tooMuchToProve()
		}
	}
	if p.Proofs, err = layer.Prove(ctx, items); err != nil {
		return nil, err
	}
	for i := range p.Proofs {
		size += 34 * len(p.Proofs[i].Steps)
	}
	if size > MaxProvenBytes {
		return nil, tooMuchToProve()
	}
	return p, nil
}

func tooMuchToProve() error {
	return fmt.Errorf("%w: the items that the answer rests on, and their proofs, have more than %d bytes; ask for less, or without proofs", ledger.ErrTooLarge, MaxProvenBytes)
}

// newestProven returns the newest final header, its parent, and the state after the parent; nil if there is none.
func (c *Chain) newestProven() (root, parent *types.Header, layer *state.Layer) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := c.tree.final
	if n.parent == nil || n.parent.result == nil {
		return nil, nil, nil
	}
	return n.header, n.parent.header, n.parent.result.layer
}
