package chain

import (
	"context"
	"fmt"

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
		p = &Proven{Root: root, Height: parent.Height, Clock: parent.Clock, Items: items}
		if p.Values, err = layer.Get(ctx, items); err != nil {
			return err
		}
		p.Proofs, err = layer.Prove(ctx, items)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
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
