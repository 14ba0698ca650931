package node

import (
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// ErrNoOracle says that a chain has no oracle.
var ErrNoOracle = errors.New("the chain has no oracle")

// Oracle returns what observes for this node on a chain that it runs. It fails with [ErrUnknownChain] or [ErrNoOracle].
func (n *Node) Oracle(id types.ChainID) (oracle.Observer, error) {
	n.mu.Lock()
	r := n.chains[id]
	n.mu.Unlock()
	switch {
	case r == nil:
		return nil, fmt.Errorf("%w: %s", ErrUnknownChain, id)
	case r.oracle == nil:
		return nil, fmt.Errorf("%w: %s", ErrNoOracle, r.name)
	}
	return r.oracle.Observer(), nil
}
