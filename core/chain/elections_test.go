package chain

import (
	"context"
	"strconv"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// seats is the producers of each epoch but the first.
type seats func(epoch uint64) []types.PublicKey

// always has the same producer in every epoch.
func always(uint64) []types.PublicKey { return []types.PublicKey{producer.pub} }

// epochBlocks is how many blocks an epoch has.
const epochBlocks = 10

// elections is a consensus module that has every tenth block close its epoch. What it sees of each block it writes down.
type elections struct {
	module.Module
	seats seats
}

// seen is the item in which the module writes down what it has seen of a block.
func seen(height uint64) module.Item {
	return module.Item{Key: "seen/" + strconv.FormatUint(height, 10)}
}

func (m elections) Execute(_ context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
	info := b.Consensus
	e := types.NewEncoder(64)
	e.Uint(info.Epoch)
	e.Uint(info.ParentSlot)
	e.String(strconv.FormatBool(info.Closes))
	e.Blob(info.Header)
	e.Blob(info.Certificate)
	e.Blob(info.Set)
	out := &module.Outcome{Block: module.Result{Writes: []module.Write{{Item: seen(b.Height), Data: e.Bytes()}}}}
	next := module.Write{Item: module.Item{Key: consensus.NextSetKey}}
	switch {
	case b.Height%epochBlocks == 2: // late: what is left of the last hand-over must not matter
		out.Block.Writes = append(out.Block.Writes, next)
	case (b.Height+1)%epochBlocks == 0:
		next.Data = types.EqualSet(info.Epoch+1, m.seats(info.Epoch+1)).Encode()
		out.Block.Writes = append(out.Block.Writes, next)
	}
	return out, nil
}

func (elections) Extend(context.Context, uint64, module.Reader) ([]byte, error) { return nil, nil }
