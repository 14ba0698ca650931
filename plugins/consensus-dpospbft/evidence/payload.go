package evidence

import "github.com/paloalto-chain/paloalto/sdk/types"

// Purposes under which a node signs for this protocol, besides types.PurposeCommit. The ordinal is always the slot.
const (
	PurposePropose = "propose"
	PurposePrepare = "prepare"
)

// ProposePayload is what a leader signs: its header's id and slot.
func ProposePayload(id types.BlockID, slot uint64) []byte {
	e := types.NewEncoder(42)
	e.Hash(id)
	e.Uint(slot)
	return e.Bytes()
}

// PreparePayload is what a PREPARE signs. Like a commit's payload it starts with the hash of the set and the block's id.
func PreparePayload(set types.Hash, epoch, slot, height uint64, id types.BlockID, src uint64) []byte {
	e := types.NewEncoder(110)
	e.Hash(set)
	e.Hash(id)
	e.Uint(epoch)
	e.Uint(slot)
	e.Uint(height)
	e.Uint(src)
	return e.Bytes()
}
