package contract

import (
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/oracle"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// integer is how an environment holds a number.
func integer(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// maxParams bounds the parameters that contracts can read. With the rest of what a run can read they fit an environment.
const maxParams = vm.MaxEnvironment / 2

// Common returns what every run of a block can read: where the chain is, and its parameters, as module.Block has them.
func (m *Module) Common(b *module.Block) map[string][]byte {
	env := map[string][]byte{
		"height": integer(b.Height), "slot": integer(b.Slot), "clock": integer(b.Clock), "slot-time": integer(m.timeMs + b.Slot*m.slotMs), "chain-id": b.Chain[:],
	}
	names := slices.Sorted(maps.Keys(b.Params))
	for _, name := range names[:min(len(names), maxParams)] {
		if v := number(b.Params[name]); v != nil && len(name) <= vm.MaxEnvironmentName-len(prefixParam) {
			env[prefixParam+name] = v
		}
	}
	return env
}

const (
	prefixParam  = "param:"
	prefixOracle = "oracle:"
)

// number is how an environment holds the JSON of a parameter that is a whole number of 0 or more, which durations, sizes and
// amounts are too, or true, 1, or false, 0; nil for any other.
func number(raw []byte) []byte {
	switch string(raw) {
	case "true":
		return integer(1)
	case "false":
		return integer(0)
	}
	n, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil {
		return nil
	}
	return integer(n)
}

// Alone returns what a contract that an account only runs can read besides.
func Alone(account types.AccountID) map[string][]byte {
	return map[string][]byte{"caller": integer(0), "participants": integer(1), "participant:0": account[:]}
}

// Shared returns what a contract can read besides about the lock that it is to share out, if an account claims it.
func Shared(account types.AccountID, id types.Hash, l *types.Lock) map[string][]byte {
	env := map[string][]byte{
		"channel-id": id[:], "participants": integer(2), "caller": integer(uint64(l.Index(account))), "nonce": integer(0), "closing?": integer(0),
		"participant:0": l.Participants[0][:], "deposit:0": integer(l.Deposit(0)), "balance:0": integer(l.Balance(0)),
		"participant:1": l.Participants[1][:], "deposit:1": integer(l.Deposit(1)), "balance:1": integer(l.Balance(1)),
	}
	if c := l.Closing; c != nil {
		env["nonce"], env["closing?"] = integer(c.Nonce), integer(1)
	}
	return env
}

// What an environment holds for a question of the oracle: its state, the value, the clock at which it became final, and what
// was put up for it, each of these in 8 bytes, big-endian. Unless it is final, all but the state are 0.
const (
	answerUnknown  = 0 // never asked, or expired without an answer: there is none, and none is to come
	answerFinal    = 1
	answerPending  = 2
	answerDisputed = 3
)

// Answer returns the name under which a contract reads a question of the oracle, and what it reads: the state of a record, or
// that it is unknown, if r is nil.
func Answer(id [32]byte, r *oracle.Record) (name string, value []byte) {
	out := make([]byte, 25)
	if r != nil {
		switch r.State {
		case oracle.Open, oracle.Answered:
			out[0] = answerPending
		case oracle.Countered, oracle.Commit, oracle.Reveal:
			out[0] = answerDisputed
		case oracle.Final:
			out[0] = answerFinal
			binary.BigEndian.PutUint64(out[1:], uint64(r.Result))
			binary.BigEndian.PutUint64(out[9:], r.Closed)
			binary.BigEndian.PutUint64(out[17:], r.Deposit)
		}
	}
	return prefixOracle + hex.EncodeToString(id[:]), out
}

// questionItem is where the oracle has a question.
func questionItem(id [32]byte) module.Item {
	it := oracle.Item(id)
	it.Module = oracle.ModuleName
	return it
}

// ask adds to an environment the answers that a run may read: those at the start of the block. A record that this build cannot
// read is left out, so that the run fails.
func (x *block) ask(env map[string][]byte, questions [][32]byte) {
	for _, id := range questions {
		name := x.names[id]
		if name == "" {
			var r *oracle.Record
			data := x.stored[questionItem(id)]
			if data != nil {
				r, _ = oracle.DecodeRecord(data)
			}
			var value []byte
			if name, value = Answer(id, r); data == nil || r != nil {
				x.answers[name] = value
			}
			x.names[id] = name
		}
		if v := x.answers[name]; v != nil {
			env[name] = v
		}
	}
}

// environmentOf is the hash of all that run k could read.
func (x *block) environmentOf(k int) types.Hash {
	return types.EnvironmentHash(x.common, x.batch.Runs[k].Environment)
}
