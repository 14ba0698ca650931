package contract_test

import (
	"encoding/binary"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/paloalto-chain/paloalto/core/ledger/contract"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// model is the rules once more, naively: a transaction after the other, without batches.
type model struct {
	clock   uint64
	locks   map[types.Hash]types.Lock
	balance map[types.AccountID]int
	found   map[types.Hash]types.Lock // when the block began, or as made in it
}

func (m *model) clone() *model {
	return &model{m.clock, maps.Clone(m.locks), maps.Clone(m.balance), m.found}
}

// op is an action of the property test.
type op struct {
	kind     string
	lock     types.Hash
	contract []byte
	results  []int64
	amount   uint64
	deadline uint64
}

func (o op) action() types.Action {
	switch o.kind {
	case "lock":
		return lock(bob, carol, sum(o.contract), o.amount, o.deadline)
	case "claim":
		return act(o.lock, o.contract, results(o.results...))
	case "refund":
		return refund(o.lock)
	case "settle":
		return settle(o.lock)
	}
	return types.Action{Name: "run", Body: types.RunBody{Code: o.contract, Evidence: results(o.results...)}.Encode()}
}

// before is what fails without a run; it must not depend on what came earlier in the block.
func (m *model) before(from types.AccountID, o op) string {
	switch o.kind {
	case "lock":
		if o.deadline <= m.clock || o.deadline > m.clock+maxWait {
			return contract.ErrDeadline
		}
	case "claim":
		l, ok := m.found[o.lock]
		switch {
		case !ok:
			return contract.ErrUnknownLock
		case from != bob && from != carol:
			return contract.ErrNotParticipant
		case l.Closing != nil && m.clock >= l.Closing.Due, m.clock >= l.Deadline:
			return contract.ErrTooLate
		case sum(o.contract) != l.Code:
			return contract.ErrCodeHash
		}
	}
	return ""
}

func (m *model) pay(id types.Hash, burn, first int, l types.Lock) {
	m.balance[types.BurnAccount] += burn
	m.balance[bob] += first
	m.balance[carol] += int(l.Amount) - burn - first
	delete(m.locks, id)
}

// step is what an action does in its turn.
func (m *model) step(from types.AccountID, id types.Hash, o op) string {
	l, ok := m.locks[o.lock]
	failing := (o.kind == "claim" || o.kind == "run") && string(o.contract) == string(codeFails)
	switch {
	case o.kind == "lock":
		m.locks[id] = types.Lock{Payer: from, Participants: [2]types.AccountID{bob, carol}, Code: sum(o.contract), Amount: o.amount, Made: m.clock, Deadline: o.deadline}
		m.balance[from] -= int(o.amount)
		return ""
	case o.kind == "run" && failing:
		return "ErrContract.13"
	case o.kind == "run":
		return ""
	case !ok:
		return contract.ErrUnknownLock
	case failing:
		return "ErrContract.13"
	}
	switch o.kind {
	case "settle":
		if l.Closing == nil {
			return contract.ErrNotClosing
		}
		if m.clock < l.Closing.Due {
			return contract.ErrTooEarly
		}
		m.pay(o.lock, 0, int(l.Closing.First), l)
	case "refund":
		if l.Closing != nil {
			return contract.ErrClosing
		}
		if m.clock < l.Deadline {
			return contract.ErrTooEarly
		}
		m.balance[l.Payer] += int(l.Amount)
		delete(m.locks, o.lock)
	case "claim":
		if len(o.results) != 3 || slices.Min(o.results) < 0 {
			return contract.ErrBadResult
		}
		burn, first, nonce, delay := o.results[0], o.results[1], o.results[2], int64(0)
		if string(o.contract) == string(codeDelay) {
			burn, first, nonce, delay = 0, o.results[2], o.results[1], o.results[0]
		}
		if burn > int64(l.Amount) || first > int64(l.Amount)-burn {
			return contract.ErrBadResult
		}
		if l.Closing != nil && uint64(nonce) <= l.Closing.Nonce {
			return contract.ErrNonce
		}
		if delay == 0 {
			m.pay(o.lock, int(burn), int(first), l)
			break
		}
		left := l.Deadline - m.clock
		if uint64(delay) > left && l.Closing == nil {
			return contract.ErrDelay
		}
		l.Closing = &types.Closing{Nonce: uint64(nonce), Due: m.clock + min(uint64(delay), left), First: uint64(first)}
		m.locks[o.lock] = l
	}
	return ""
}

// tx lets a transaction take effect, or returns why not.
func (m *model) tx(t module.Tx, ops []op) (*model, string) {
	for _, o := range ops {
		if e := m.before(t.Account, o); e != "" {
			return m, e
		}
	}
	n := m.clone()
	for i, o := range ops {
		if e := n.step(t.Account, types.LockIDOf(t.ID, i), o); e != "" {
			return m, e
		}
	}
	return n, ""
}

// candidates are the locks that exist, which are what most actions are about, and one that may not.
func candidates(found map[types.Hash]types.Lock, ids []types.Hash) []types.Hash {
	out := slices.SortedFunc(maps.Keys(found), func(a, b types.Hash) int { return slices.Compare(a[:], b[:]) })
	return append(out, ids[len(ids)/2])
}

// TestRandomBlocks executes random blocks and holds every result, balance and lock against the model. After each block nothing
// was made or lost, and what the module holds is what is locked.
func TestRandomBlocks(t *testing.T) {
	statuses := map[string]int{}
	for range 3 { // so that what is rare is there in every run
		rapid.Check(t, func(r *rapid.T) { randomBlocks(t, r, statuses) })
	}

	for _, s := range []string{"", contract.ErrDeadline, contract.ErrUnknownLock, contract.ErrNotParticipant, contract.ErrCodeHash, contract.ErrTooLate, contract.ErrTooEarly,
		contract.ErrBadResult, contract.ErrDelay, contract.ErrNonce, contract.ErrClosing, contract.ErrNotClosing, "ErrContract.13"} {
		if statuses[s] == 0 {
			t.Errorf("no transaction ended with %q", s)
		}
	}
	t.Logf("%v", statuses)
}

func randomBlocks(t *testing.T, r *rapid.T, statuses map[string]int) {
	v := &scripted{}
	x := newChain(t, v)
	m := &model{start, map[types.Hash]types.Lock{}, map[types.AccountID]int{}, nil}
	people := []types.AccountID{alice, bob, carol, dave}
	for _, a := range people {
		m.balance[a] = wealth
	}
	ids := []types.Hash{{1}}
	number := rapid.OneOf(rapid.Int64Range(0, 12), rapid.SampledFrom([]int64{-1, 100, 101, 1000, biggest, -biggest - 1}))
	for range rapid.IntRange(4, 16).Draw(r, "blocks") {
		m.clock = x.clock
		m.found = maps.Clone(m.locks)
		var txs []module.Tx
		var plans [][]op
		for range rapid.IntRange(1, 6).Draw(r, "transactions") {
			from := rapid.SampledFrom([]types.AccountID{bob, carol, bob, carol, alice, dave}).Draw(r, "from")
			var ops []op
			for range rapid.SampledFrom([]int{1, 1, 1, 1, 2, 3}).Draw(r, "actions") {
				o := op{kind: rapid.SampledFrom([]string{"claim", "claim", "claim", "lock", "lock", "settle", "refund", "run"}).Draw(r, "kind")}
				o.lock = rapid.SampledFrom(candidates(m.found, ids)).Draw(r, "lock")
				o.contract = rapid.SampledFrom([][]byte{codeDelay, codeDelay, codeDelay, codeBurn, codeFails}).Draw(r, "contract")
				if l, ok := m.found[o.lock]; ok && o.kind == "claim" && rapid.SampledFrom([]bool{true, true, true, false}).Draw(r, "right") {
					for _, c := range [][]byte{codeBurn, codeDelay, codeFails} {
						if sum(c) == l.Code {
							o.contract = c
						}
					}
				}
				o.amount = rapid.Uint64Range(1, 100).Draw(r, "amount")
				o.deadline = x.clock + rapid.SampledFrom([]uint64{12, 30, 40, 9, 3, 1, 0}).Draw(r, "ticks")
				o.results = []int64{rapid.SampledFrom([]int64{2, 1, 3, 6, 0}).Draw(r, "delay"), int64(m.clock-start) + rapid.Int64Range(0, 4).Draw(r, "nonce"), 1}
				if string(o.contract) != string(codeDelay) || rapid.SampledFrom([]bool{false, false, true}).Draw(r, "wild") {
					o.results = rapid.SliceOfN(number, 3, 3).Draw(r, "results")
				}
				if rapid.IntRange(0, 15).Draw(r, "odd") == 0 {
					o.results = o.results[:rapid.IntRange(0, 2).Draw(r, "count")]
				}
				ops = append(ops, o)
			}
			var actions []types.Action
			for _, o := range ops {
				actions = append(actions, o.action())
			}
			tx := x.tx(from, actions...)
			txs, plans = append(txs, tx), append(plans, ops)
			// What is locked in this block can be claimed in it: m.found has it as soon as it is known to be well formed.
			well := true
			for _, o := range ops {
				well = well && m.before(from, o) == ""
			}
			for i, o := range ops {
				if id := types.LockIDOf(tx.ID, i); o.kind == "lock" {
					ids = append(ids, id)
					if well {
						m.found[id] = types.Lock{Payer: from, Participants: [2]types.AccountID{bob, carol}, Code: sum(o.contract), Amount: o.amount, Made: x.clock, Deadline: o.deadline}
					}
				}
			}
		}
		v.batch = nil
		res := x.block(txs...)
		if len(v.batch) > 1 {
			r.Fatalf("%d batches in one block", len(v.batch))
		}
		for i, tx := range txs {
			var want string
			if m, want = m.tx(tx, plans[i]); res[i].Error != want {
				r.Fatalf("clock %d, transaction %d %+v: %q (%s), want %q", x.clock, i, plans[i], res[i].Error, res[i].Detail, want)
			}
			statuses[want]++
		}
		// What contracts have read is what the block found.
		for _, b := range v.batch {
			for _, run := range b.Runs {
				id, ok := run.Environment["channel-id"]
				if !ok {
					continue
				}
				l := m.found[types.Hash(id)]
				var nonce, closing uint64
				if l.Closing != nil {
					nonce, closing = l.Closing.Nonce, 1
				}
				if binary.BigEndian.Uint64(run.Environment["nonce"]) != nonce || binary.BigEndian.Uint64(run.Environment["closing?"]) != closing {
					r.Fatalf("environment %v, lock %+v", run.Environment, l)
				}
			}
		}
		for _, a := range append(people, types.BurnAccount) {
			if got := x.c.Balance(a); got != uint64(m.balance[a]) {
				r.Fatalf("clock %d: %s has %d, want %d", x.clock, a, got, m.balance[a])
			}
		}
		locks := x.locks()
		if len(locks) != len(m.locks) {
			r.Fatalf("clock %d: %d locks, want %d", x.clock, len(locks), len(m.locks))
		}
		for id, l := range locks {
			w := m.locks[id]
			if string(l.Encode()) != string(w.Encode()) {
				r.Fatalf("lock %s is %+v, want %+v", id.Short(), l, w)
			}
		}
		x.clock += rapid.SampledFrom([]uint64{1, 2, 1, 3, 5}).Draw(r, "pass")
	}
}
