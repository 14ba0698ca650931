//go:build noguard

package chain

import (
	"bytes"
	"os"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// unguarded is a signer that signs whatever it is asked for.
type unguarded interface {
	SignUnguarded(chain types.Hash, purpose string, payload []byte) []byte
}

// equivocate signs a second PREPARE that names a block which does not exist, and sends it to half of the peers, if
// ALTO_EQUIVOCATE is 1. It is what a producer without a guard can do, for tests of the whole network; no other build has it.
func (c *Chain) equivocate(u consensus.Unsigned) {
	s, ok := c.cfg.Signer.(unguarded)
	if !ok || u.Purpose != "prepare" || os.Getenv("ALTO_EQUIVOCATE") != "1" {
		return
	}
	c.mu.RLock()
	var id []byte
	for k := range c.tree.nodes {
		if bytes.Contains(u.Payload, k[:]) && bytes.Contains(u.Message, k[:]) {
			id = bytes.Clone(k[:])
		}
	}
	c.mu.RUnlock()
	if id == nil {
		return
	}
	other := bytes.Clone(id)
	other[31] ^= 1
	payload, msg := bytes.Replace(u.Payload, id, other, 1), bytes.Replace(u.Message, id, other, 1)
	msg = append(msg, s.SignUnguarded(c.id, u.Purpose, payload)...)
	peers := c.cfg.Network.Peers()
	for _, p := range peers[:(len(peers)+1)/2] {
		c.cfg.Network.Send([]types.Hash{p}, MsgConsensus, msg)
	}
	c.log.Warn("this build has signed twice on purpose", "slot", u.Ordinal)
}
