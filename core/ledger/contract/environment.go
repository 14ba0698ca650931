package contract

import (
	"encoding/binary"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// integer is how an environment holds a number.
func integer(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// common is what every run of a block can read.
func (m *Module) common(b *module.Block) map[string][]byte {
	return map[string][]byte{
		"height": integer(b.Height), "slot": integer(b.Slot), "clock": integer(b.Clock), "slot-time": integer(m.timeMs + b.Slot*m.slotMs), "chain-id": b.Chain[:],
	}
}

// alone is what a contract that is only run can read besides.
func alone(t *module.Tx) map[string][]byte {
	return map[string][]byte{"caller": integer(0), "participants": integer(1), "participant:0": t.Account[:]}
}

// environment is what a contract can read about the lock that it is to share out.
func environment(t *module.Tx, id types.Hash, l *types.Lock) map[string][]byte {
	env := map[string][]byte{
		"channel-id": id[:], "participants": integer(2), "caller": integer(uint64(l.Index(t.Account))), "nonce": integer(0), "closing?": integer(0),
	}
	for i := range l.Participants {
		env[fmt.Sprintf("participant:%d", i)] = l.Participants[i][:]
		env[fmt.Sprintf("deposit:%d", i)] = integer(l.Deposit(i))
		env[fmt.Sprintf("balance:%d", i)] = integer(l.Balance(i))
	}
	if c := l.Closing; c != nil {
		env["nonce"], env["closing?"] = integer(c.Nonce), integer(1)
	}
	return env
}

// environmentOf is the hash of all that run k could read.
func (x *block) environmentOf(k int) types.Hash {
	return types.EnvironmentHash(x.batch.Environment, x.batch.Runs[k].Environment)
}
