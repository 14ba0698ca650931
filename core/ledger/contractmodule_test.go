package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger/contract"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm/vmtest"
)

// echo is a contract of vmtest.Fake whose results are what its evidence pushes.
var echo = []byte("#")

func pushes(values ...uint64) []byte {
	out := []byte("#")
	for _, v := range values {
		out = binary.BigEndian.AppendUint64(append(out, 'n'), v)
	}
	return out
}

// TestContractModule runs locks, claims and refunds on the ledger itself. The kit checks after every block that all balances and
// escrows sum to the supply, and that what was burned is on the burn account.
func TestContractModule(t *testing.T) {
	var people []key
	for _, n := range allNames {
		people = append(people, newKey(n))
	}
	seen := map[string]int{}
	for seed := range uint64(4) {
		fake := vmtest.NewFake()
		k := newKit(t, nil, as(types.ModuleContract, contract.New(fake)))
		r := rand.New(rand.NewPCG(seed, 5))
		var locks []types.Hash
		var held uint64
		for range 30 {
			var txs []*Tx
			var made []types.Hash
			for range 1 + r.IntN(8) {
				from := people[r.IntN(len(people))]
				var a types.Action
				id := types.Hash{}
				if len(locks) > 0 {
					id = locks[r.IntN(len(locks))]
				}
				switch r.IntN(4) {
				case 0, 1:
					b := types.LockBody{Participants: [2]types.AccountID{people[0].id(), people[1].id()}, Code: sha256.Sum256(echo), Amount: 1 + r.Uint64N(1000), Deadline: k.clock + 2 + r.Uint64N(20)}
					a = types.Action{Name: types.ActionLock, Body: b.Encode(), MaxSpend: b.Amount + r.Uint64N(3)}
				case 2:
					a = types.Action{Name: types.ActionClaim, Body: types.ClaimBody{Lock: id, Code: echo, Evidence: pushes(r.Uint64N(100), r.Uint64N(100), 1)}.Encode()}
				case 3:
					a = types.Action{Name: types.ActionRefund, Body: types.LockRefBody{Lock: id}.Encode()}
				}
				tx := k.signed(k.tx(from, types.ModuleContract, a), from)
				txs = append(txs, tx)
				made = append(made, types.LockIDOf(tx.ID, 0))
			}
			res := k.block(txs...)
			if len(res.Faults) > 0 {
				t.Fatalf("seed %d: %v", seed, res.Faults)
			}
			for i, tx := range txs {
				status := res.Receipts[i].Status
				seen[tx.T.Actions[0].Name+" "+status]++
				if status == types.StatusOK && tx.T.Actions[0].Name == types.ActionLock {
					locks = append(locks, made[i])
				}
			}
			held = 0
			for _, id := range locks {
				held += k.escrow(types.ModuleContract, contract.Item(id))
			}
		}
		if held == 0 {
			t.Errorf("seed %d: nothing is locked at the end", seed)
		}
		if err := fake.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"lock ok", "claim ok", "refund ok", "claim " + contract.ErrBadResult, "claim " + contract.ErrNotParticipant, "claim " + contract.ErrUnknownLock,
		"claim " + contract.ErrTooLate, "refund " + contract.ErrTooEarly} {
		if seen[s] == 0 {
			t.Errorf("nothing ended with %q", s)
		}
	}
	t.Logf("%v", seen)
}
