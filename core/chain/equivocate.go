//go:build !noguard

package chain

import "github.com/paloalto-chain/paloalto/sdk/consensus"

// equivocate does nothing: a node signs once.
func (*Chain) equivocate(consensus.Unsigned) {}
