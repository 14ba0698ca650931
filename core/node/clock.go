//go:build !clockseam

package node

import "github.com/paloalto-chain/paloalto/core/chain"

// newClock returns the clock of the node's chains.
func newClock() chain.Clock { return chain.SystemClock{} }
