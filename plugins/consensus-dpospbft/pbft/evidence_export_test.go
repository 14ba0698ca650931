package pbft

import (
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// LongHop is a chain on which seat 3 has broken the fourth rule over as many blocks as evidence may have.
type LongHop struct {
	Genesis *types.Header
	Set     *types.Set
	Final   []*types.Header // of a node, from height 1 on
	Found   [][]byte        // the evidence that this node has found
}

// NewLongHop makes one.
func NewLongHop(t *testing.T) *LongHop {
	l := longHop(t)
	n := l.nodes[0]
	out := &LongHop{Genesis: l.genesis, Set: l.sets[0], Found: n.found, Final: make([]*types.Header, n.m.final.h.Height)}
	for h := n.m.final.h; h.Height > 0; h = n.bodies[h.Parent] {
		out.Final[h.Height-1] = h
	}
	return out
}
