package chain

import (
	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// node is a block above the last committed one, or that one itself.
type node struct {
	id       types.BlockID
	header   *types.Header
	parent   *node // nil for the committed root
	body     []byte
	txs      []*ledger.Tx
	extended []string              // modules that an own block has extensions for
	ids      map[types.TxID]uint64 // → slot in which it expires
	pos      journal.Position
	proof    *types.Finality // that is for this very block

	standing         // epoch is nil for a block that has come back from the journal, until place
	result   *result // nil until executed
}

// result is what the execution of a block came to.
type result struct {
	layer        *state.Layer
	receipts     []types.Receipt
	receiptsRoot types.Hash
	history      types.History // up to and including this block
	burned       uint64        // up to and including this block
	pending      *types.Set    // that the state holds for the next epoch; nil if it is not to begin yet
}

// outboxRoot is the root of a chain's messages to others. There is no module that sends any; the field exists so that
// a header need not change when there is.
var outboxRoot = types.MerkleRoot(nil)

// tree is the blocks from the committed root upwards.
type tree struct {
	nodes map[types.BlockID]*node
	root  *node // committed
	final *node // root or above
	head  *node // what the engine builds on
}

func newTree(root *node) *tree {
	return &tree{nodes: map[types.BlockID]*node{root.id: root}, root: root, final: root, head: root}
}

// path returns the blocks above from up to to, ascending; ok is false if to does not descend from from.
func path(from, to *node) (blocks []*node, ok bool) {
	for n := to; n != nil; n = n.parent {
		if n == from {
			for i, j := 0, len(blocks)-1; i < j; i, j = i+1, j-1 {
				blocks[i], blocks[j] = blocks[j], blocks[i]
			}
			return blocks, true
		}
		blocks = append(blocks, n)
	}
	return nil, false
}

// setRoot makes a final block the committed root and forgets every block that does not descend from it.
func (t *tree) setRoot(root *node) {
	root.parent = nil
	keep := map[types.BlockID]bool{root.id: true}
	var live func(n *node) bool
	live = func(n *node) bool {
		if n == nil {
			return false
		}
		if v, ok := keep[n.id]; ok {
			return v
		}
		v := live(n.parent)
		keep[n.id] = v
		return v
	}
	for id, n := range t.nodes {
		if !live(n) {
			delete(t.nodes, id)
		}
	}
	t.root = root
	if t.nodes[t.head.id] == nil {
		t.head = t.final
	}
}

// ancestor remembers a committed block, for references and replay protection.
type ancestor struct {
	id   types.BlockID
	slot uint64
	ids  map[types.TxID]uint64
}

// refWindow is how many blocks back a transaction's reference may lie.
const refWindow = 256

// recent is the last committed blocks, up to and including the root: those that a reference may name, and those that hold
// transactions which have not expired.
type recent struct {
	first  uint64 // height of blocks[0]
	blocks []ancestor
	ids    map[types.TxID]struct{} // of all of them: every branch shares them, so one look-up answers for all
}

func (r *recent) push(height uint64, a ancestor) {
	if len(r.blocks) == 0 {
		r.first = height
	}
	r.blocks = append(r.blocks, a)
	if r.ids == nil {
		r.ids = make(map[types.TxID]struct{})
	}
	for id := range a.ids {
		r.ids[id] = struct{}{}
	}
	drop := 0
	for len(r.blocks)-drop > refWindow && r.blocks[drop].slot+ledger.TxLifetime < a.slot {
		for id := range r.blocks[drop].ids {
			delete(r.ids, id)
		}
		drop++
	}
	if drop > 0 {
		r.blocks = append([]ancestor(nil), r.blocks[drop:]...)
		r.first += uint64(drop)
	}
}

func (r *recent) at(height uint64) (ancestor, bool) {
	if height < r.first || height-r.first >= uint64(len(r.blocks)) {
		return ancestor{}, false
	}
	return r.blocks[height-r.first], true
}

// branch answers questions about the ancestors of a block that is to be built or checked.
type branch struct {
	above  []*node // from the tip down to, but not including, the root
	recent *recent
}

func (c *Chain) branchOf(tip *node) branch {
	b := branch{recent: &c.recent}
	for n := tip; n != nil && n.parent != nil; n = n.parent {
		b.above = append(b.above, n)
	}
	return b
}

// has tells whether the branch holds the transaction.
func (b branch) has(id types.TxID) bool {
	for _, n := range b.above {
		if _, ok := n.ids[id]; ok {
			return true
		}
	}
	_, ok := b.recent.ids[id]
	return ok
}

// idAt returns the id of the ancestor at a height, if it is within the window.
func (b branch) idAt(height uint64) (types.BlockID, bool) {
	if len(b.above) > 0 {
		tip := b.above[0].header.Height
		if height > tip {
			return types.BlockID{}, false
		}
		if i := tip - height; i < uint64(len(b.above)) {
			return b.above[i].id, true
		}
	}
	a, ok := b.recent.at(height)
	return a.id, ok
}
