package contract_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger/contract"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func TestLock(t *testing.T) {
	for _, c := range []struct {
		name             string
		amount, deadline uint64
		spend            uint64
		error            string
	}{
		{"a lock", 500, start + 10, 500, ""},
		{"for one tick", 500, start + 1, 500, ""},
		{"as long as possible", 500, start + maxWait, 500, ""},
		{"a unit", 1, start + 1, 1, ""},
		{"all that one has", wealth, start + 1, wealth, ""},
		{"more may be spent", 500, start + 10, 600, ""},
		{"until now", 500, start, 500, contract.ErrDeadline},
		{"until before", 500, start - 1, 500, contract.ErrDeadline},
		{"no deadline", 500, 0, 500, contract.ErrDeadline},
		{"too long", 500, start + maxWait + 1, 500, contract.ErrDeadline},
		{"for ever", 500, ^uint64(0), 500, contract.ErrDeadline},
		{"less may be spent", 500, start + 10, 499, "ErrSpend"},
		{"nothing", 0, start + 10, 500, "ErrMalformed"},
		{"more than there can be", biggest + 1, start + 10, 500, "ErrMalformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newChain(t, &scripted{})
			a := lock(bob, carol, code(1), c.amount, c.deadline)
			a.MaxSpend = c.spend
			tx := x.tx(alice, a)
			r := x.block(tx)[0]
			if r.Error != c.error {
				t.Fatalf("%q (%s), want %q", r.Error, r.Detail, c.error)
			}
			if c.error != "" {
				if x.c.Balance(alice) != wealth || len(x.c.Items()) != 0 {
					t.Fatal("a lock that failed has left something behind")
				}
				return
			}
			ev := event[types.LockedEvent](t, r, "locked")
			id := types.LockIDOf(tx.ID, 0)
			l := x.locks()[id]
			want := types.Lock{Payer: alice, Participants: [2]types.AccountID{bob, carol}, Code: code(1), Amount: c.amount, Made: start, Deadline: c.deadline}
			if l == nil || *l != want || x.c.Balance(alice) != wealth-c.amount {
				t.Fatalf("lock %+v, balance %d", l, x.c.Balance(alice))
			}
			if ev.Lock != id || ev.Payer != alice || ev.Participants != want.Participants || ev.Code != want.Code || ev.Amount != c.amount || ev.Deadline != c.deadline {
				t.Fatalf("event %+v", ev)
			}
			if e := r.Events[0]; string(e.Item) != string(id[:]) || !slices.Equal(e.Accounts, []types.AccountID{bob, carol, alice}) {
				t.Fatalf("event of %x for %v", e.Item, e.Accounts)
			}
		})
	}
}

// TestClaim: one claim on one lock that alice has paid for bob and carol.
func TestClaim(t *testing.T) {
	const amount, deadline = 1_000, start + 50
	for _, c := range []struct {
		name     string
		contract []byte
		shown    []byte // instead of the contract
		from     types.AccountID
		clock    uint64
		results  []int64
		error    string
		paid     [3]uint64 // burned, first, second
		due      uint64    // if it waits
	}{
		{name: "by the first", results: []int64{0, 300, 1}, paid: [3]uint64{0, 300, 700}},
		{name: "by the second", from: carol, results: []int64{0, 300, 1}, paid: [3]uint64{0, 300, 700}},
		{name: "all of it to the first", results: []int64{0, 1000, 0}, paid: [3]uint64{0, 1000, 0}},
		{name: "nothing to the first", results: []int64{0, 0, biggest}, paid: [3]uint64{0, 0, 1000}},
		{name: "a part burned", results: []int64{100, 300, 1}, paid: [3]uint64{100, 300, 600}},
		{name: "all burned", results: []int64{1000, 0, 1}, paid: [3]uint64{1000, 0, 0}},
		{name: "in the last tick", clock: deadline - 1, results: []int64{0, 300, 1}, paid: [3]uint64{0, 300, 700}},
		{name: "at the deadline", clock: deadline, results: []int64{0, 300, 1}, error: contract.ErrTooLate},
		{name: "after the deadline", clock: deadline + 1, results: []int64{0, 300, 1}, error: contract.ErrTooLate},
		{name: "by the payer", from: alice, results: []int64{0, 300, 1}, error: contract.ErrNotParticipant},
		{name: "by a stranger", from: dave, results: []int64{0, 300, 1}, error: contract.ErrNotParticipant},
		{name: "another contract", shown: codeDelay, results: []int64{0, 300, 1}, error: contract.ErrCodeHash},
		{name: "no contract", shown: []byte{}, results: []int64{0, 300, 1}, error: contract.ErrCodeHash},
		{name: "a contract that fails", contract: codeFails, error: "ErrContract.13"},
		{name: "one unit too much", results: []int64{0, 1001, 1}, error: contract.ErrBadResult},
		{name: "one unit too much burned", results: []int64{1, 1000, 1}, error: contract.ErrBadResult},
		{name: "as much as can be said", results: []int64{biggest, biggest, 1}, error: contract.ErrBadResult},
		{name: "a sum that would wrap if it were signed", results: []int64{biggest, 2, 1}, error: contract.ErrBadResult},
		{name: "a negative burn", results: []int64{-1, 300, 1}, error: contract.ErrBadResult},
		{name: "a negative payment", results: []int64{0, -300, 1}, error: contract.ErrBadResult},
		{name: "a negative payment against a burn", results: []int64{2000, -1500, 1}, error: contract.ErrBadResult},
		{name: "the least number", results: []int64{-biggest - 1, -biggest - 1, -biggest - 1}, error: contract.ErrBadResult},
		{name: "a negative nonce", results: []int64{0, 300, -1}, error: contract.ErrBadResult},
		{name: "no results", error: contract.ErrBadResult},
		{name: "two results", results: []int64{0, 300}, error: contract.ErrBadResult},
		{name: "four results", results: []int64{0, 300, 1, 0}, error: contract.ErrBadResult},

		{name: "no delay", contract: codeDelay, results: []int64{0, 7, 400}, paid: [3]uint64{0, 400, 600}},
		{name: "no delay, too much", contract: codeDelay, results: []int64{0, 7, 1001}, error: contract.ErrBadResult},
		{name: "a tick's delay", contract: codeDelay, results: []int64{1, 7, 400}, due: start + 1},
		{name: "a delay to the deadline", contract: codeDelay, results: []int64{50, 7, 1000}, due: deadline},
		{name: "a delay beyond the deadline", contract: codeDelay, results: []int64{51, 7, 400}, error: contract.ErrDelay},
		{name: "an endless delay", contract: codeDelay, results: []int64{biggest, 7, 400}, error: contract.ErrDelay},
		{name: "a delay in the last tick", contract: codeDelay, clock: deadline - 1, results: []int64{1, 7, 400}, due: deadline},
		{name: "a negative delay", contract: codeDelay, results: []int64{-1, 7, 400}, error: contract.ErrBadResult},
		{name: "delayed, too much", contract: codeDelay, results: []int64{5, 7, 1001}, error: contract.ErrBadResult},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &scripted{}
			x := newChain(t, v)
			if c.contract == nil {
				c.contract = codeBurn
			}
			if c.shown == nil {
				c.shown = c.contract
			}
			if c.from == (types.AccountID{}) {
				c.from = bob
			}
			id := x.lock(alice, c.contract, amount, deadline)
			if c.clock > 0 {
				x.clock = c.clock
			}
			before := *x.locks()[id]
			r := x.one(c.from, act(id, c.shown, results(c.results...)))
			if r.Error != c.error {
				t.Fatalf("%q (%s), want %q", r.Error, r.Detail, c.error)
			}
			l := x.locks()[id]
			got := [3]uint64{x.c.Balance(types.BurnAccount), x.c.Balance(bob) - wealth, x.c.Balance(carol) - wealth}
			if got != c.paid || x.c.Balance(alice) != wealth-amount {
				t.Fatalf("paid %v, want %v; the payer has %d", got, c.paid, x.c.Balance(alice))
			}
			switch {
			case c.error != "":
				if l == nil || *l != before || r.Gas == 0 {
					t.Fatalf("a claim that failed leaves %+v for %d gas", l, r.Gas)
				}
			case c.due > 0:
				ev := event[types.ClosingEvent](t, r, "closing")
				if l == nil || l.Closing == nil || *l.Closing != (types.Closing{Nonce: 7, Due: c.due, First: uint64(c.results[2])}) {
					t.Fatalf("%+v", l)
				}
				if ev.Lock != id || ev.By != c.from || ev.First != l.Closing.First || ev.First+ev.Second != amount || ev.Nonce != 7 || ev.Due != c.due ||
					ev.Delay != uint64(c.results[0]) || ev.Replaced != nil || ev.Gas != scriptGas || ev.Environment != lastEnvironment(v) {
					t.Fatalf("event %+v", ev)
				}
			default:
				ev := event[types.PaidEvent](t, r, "claimed")
				if l != nil || len(x.c.Items()) != 0 || r.Gas != types.GasContractClaim+scriptGas {
					t.Fatalf("%+v is left, for %d gas", l, r.Gas)
				}
				if ev.Lock != id || ev.By != c.from || ev.Amount != amount || [3]uint64{ev.Burned, ev.First, ev.Second} != c.paid || ev.Gas != scriptGas ||
					ev.Environment == nil || *ev.Environment != lastEnvironment(v) {
					t.Fatalf("event %+v", ev)
				}
			}
		})
	}
}

// TestClosing: bob's claim waits until clock start+20, the deadline is start+50.
func TestClosing(t *testing.T) {
	const amount, deadline, due = 1_000, start + 50, start + 20
	at := func(f func(types.Hash) types.Action) func(types.Hash) []types.Action {
		return func(id types.Hash) []types.Action { return []types.Action{f(id)} }
	}
	claims := func(v ...int64) func(types.Hash) []types.Action {
		return at(func(id types.Hash) types.Action { return act(id, codeDelay, results(v...)) })
	}
	for _, c := range []struct {
		name    string
		clock   uint64
		actions func(types.Hash) []types.Action
		error   string
		want    *types.Closing // what is there afterwards; nil: it is paid out
		first   uint64
	}{
		{"a higher nonce", start + 1, claims(10, 6, 300), "", &types.Closing{Nonce: 6, Due: start + 11, First: 300}, 0},
		{"in the last tick", due - 1, claims(10, 6, 300), "", &types.Closing{Nonce: 6, Due: due + 9, First: 300}, 0},
		{"when it is due", due, claims(10, 6, 300), contract.ErrTooLate, &types.Closing{Nonce: 5, Due: due, First: 900}, 0},
		{"the same nonce", start + 1, claims(10, 5, 300), contract.ErrNonce, &types.Closing{Nonce: 5, Due: due, First: 900}, 0},
		{"a lower nonce", start + 1, claims(10, 4, 300), contract.ErrNonce, &types.Closing{Nonce: 5, Due: due, First: 900}, 0},
		{"the same nonce at once", start + 1, claims(0, 5, 300), contract.ErrNonce, &types.Closing{Nonce: 5, Due: due, First: 900}, 0},
		{"a higher nonce at once", start + 1, claims(0, 6, 300), "", nil, 300},
		{"to the deadline and no further", start + 10, claims(41, 6, 300), "", &types.Closing{Nonce: 6, Due: deadline, First: 300}, 0},
		{"an endless delay", start + 10, claims(biggest, 6, 300), "", &types.Closing{Nonce: 6, Due: deadline, First: 300}, 0},
		{"too much", start + 1, claims(10, 6, 1001), contract.ErrBadResult, &types.Closing{Nonce: 5, Due: due, First: 900}, 0},
		{"settled too early", due - 1, at(settle), contract.ErrTooEarly, &types.Closing{Nonce: 5, Due: due, First: 900}, 0},
		{"settled when due", due, at(settle), "", nil, 900},
		{"settled after the deadline", deadline + 1000, at(settle), "", nil, 900},
		{"refunded before the deadline", start + 1, at(refund), contract.ErrClosing, &types.Closing{Nonce: 5, Due: due, First: 900}, 0},
		{"refunded after the deadline", deadline, at(refund), contract.ErrClosing, &types.Closing{Nonce: 5, Due: due, First: 900}, 0},
		{"settled twice", due, func(id types.Hash) []types.Action { return []types.Action{settle(id), settle(id)} }, contract.ErrUnknownLock,
			&types.Closing{Nonce: 5, Due: due, First: 900}, 0},
		{"replaced twice at once", start + 1, func(id types.Hash) []types.Action { return append(claims(10, 6, 300)(id), claims(5, 7, 200)(id)...) }, "",
			&types.Closing{Nonce: 7, Due: start + 6, First: 200}, 0},
		{"replaced and paid at once", start + 1, func(id types.Hash) []types.Action { return append(claims(10, 6, 300)(id), claims(0, 7, 200)(id)...) }, "", nil, 200},
		{"the wrong way round", start + 1, func(id types.Hash) []types.Action { return append(claims(10, 7, 300)(id), claims(5, 6, 200)(id)...) }, contract.ErrNonce,
			&types.Closing{Nonce: 5, Due: due, First: 900}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &scripted{}
			x := newChain(t, v)
			id := x.lock(carol, codeDelay, amount, deadline)
			if r := x.one(bob, act(id, codeDelay, results(20, 5, 900))); r.Error != "" {
				t.Fatalf("%+v", r)
			}
			x.clock = c.clock
			v.batch = nil
			r := x.one(carol, c.actions(id)...)
			if r.Error != c.error {
				t.Fatalf("%q (%s), want %q", r.Error, r.Detail, c.error)
			}
			l := x.locks()[id]
			if (l == nil) != (c.want == nil) || l != nil && *l.Closing != *c.want {
				t.Fatalf("%+v, want %+v", l, c.want)
			}
			if got := x.c.Balance(bob) - wealth; got != c.first {
				t.Fatalf("the first has got %d, want %d", got, c.first)
			}
			for _, b := range v.batch {
				for _, run := range b.Runs {
					if n := run.Environment["nonce"]; binary.BigEndian.Uint64(n) != 5 || binary.BigEndian.Uint64(run.Environment["closing?"]) != 1 {
						t.Fatalf("environment %v", run.Environment)
					}
				}
			}
			if c.error == "" && c.want == nil && strings.HasPrefix(c.name, "settled") {
				ev := event[types.PaidEvent](t, r, "settled")
				if ev.First != 900 || ev.Second != 100 || ev.Nonce != 5 || ev.By != carol || ev.Environment != nil {
					t.Fatalf("event %+v", ev)
				}
			}
		})
	}
}

func TestRefund(t *testing.T) {
	const deadline = start + 50
	for _, c := range []struct {
		name  string
		clock uint64
		from  types.AccountID
		error string
	}{
		{"before the deadline", deadline - 1, alice, contract.ErrTooEarly},
		{"at the deadline", deadline, alice, ""},
		{"by a stranger", deadline, dave, ""},
		{"by a participant, much later", deadline + 1<<30, carol, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newChain(t, &scripted{})
			id := x.lock(alice, codeBurn, 1_000, deadline)
			x.clock = c.clock
			r := x.one(c.from, refund(id))
			if r.Error != c.error {
				t.Fatalf("%q (%s), want %q", r.Error, r.Detail, c.error)
			}
			if r.Error != "" {
				return
			}
			ev := event[types.PaidEvent](t, r, "refunded")
			if x.c.Balance(alice) != wealth || len(x.c.Items()) != 0 || ev.Refund != 1_000 || *ev.Payer != alice || ev.By != c.from || ev.First+ev.Second+ev.Burned != 0 {
				t.Fatalf("the payer has %d, %d items are left, event %+v", x.c.Balance(alice), len(x.c.Items()), ev)
			}
			for name, a := range map[string]types.Action{"refund": refund(id), "settle": settle(id), "claim": act(id, codeBurn, nil)} {
				if r := x.one(bob, a); r.Error != contract.ErrUnknownLock {
					t.Errorf("%s of a lock that is gone: %+v", name, r)
				}
			}
		})
	}
	x := newChain(t, &scripted{})
	id := x.lock(alice, codeBurn, 1_000, deadline)
	for _, x.clock = range []uint64{start, deadline} {
		if r := x.one(alice, settle(id)); r.Error != contract.ErrNotClosing {
			t.Fatalf("settle of an open lock: %+v", r)
		}
	}
}

// TestOneBlock: several transactions about the same lock in one block.
func TestOneBlock(t *testing.T) {
	for _, c := range []struct {
		name   string
		code   []byte
		claims [][]int64 // by bob and carol in turn
		errors []string
		first  uint64 // what bob gets, if it is paid
		want   *types.Closing
	}{
		{"the first that succeeds is paid", codeBurn, [][]int64{{0, 10, 1}, {0, 20, 2}, {0, 30, 3}}, []string{"", contract.ErrUnknownLock, contract.ErrUnknownLock}, 10, nil},
		{"those that fail do not count", codeBurn, [][]int64{{0, 1001, 1}, {0}, {0, 30, 3}, {0, 40, 4}}, []string{contract.ErrBadResult, contract.ErrBadResult, "", contract.ErrUnknownLock}, 30, nil},
		{"the highest nonce waits", codeDelay, [][]int64{{9, 5, 10}, {9, 8, 20}, {9, 7, 30}, {9, 8, 40}}, []string{"", "", contract.ErrNonce, contract.ErrNonce}, 0,
			&types.Closing{Nonce: 8, Due: start + 9, First: 20}},
		{"a higher one is paid at once", codeDelay, [][]int64{{9, 5, 10}, {0, 6, 20}, {0, 7, 30}}, []string{"", "", contract.ErrUnknownLock}, 20, nil},
		{"a lower one is not", codeDelay, [][]int64{{9, 5, 10}, {0, 4, 20}}, []string{"", contract.ErrNonce}, 0, &types.Closing{Nonce: 5, Due: start + 9, First: 10}},
	} {
		for _, fresh := range []bool{false, true} {
			v := &scripted{}
			x := newChain(t, v)
			made := x.tx(alice, lock(bob, carol, sum(c.code), 1_000, start+50))
			id := types.LockIDOf(made.ID, 0)
			var txs []module.Tx
			if fresh { // the lock is made in the same block
				txs = append(txs, made)
			} else {
				x.block(made)
			}
			for i, r := range c.claims {
				txs = append(txs, x.tx([]types.AccountID{bob, carol}[i%2], act(id, c.code, results(r...))))
			}
			v.batch = nil
			res := x.block(txs...)
			if fresh {
				res = res[1:]
			}
			if len(v.batch) != 1 || len(v.batch[0].Runs) != len(c.claims) {
				t.Fatalf("%s: %d batches", c.name, len(v.batch))
			}
			for i, r := range res {
				if r.Error != c.errors[i] || r.Gas < types.GasContractClaim+scriptGas {
					t.Errorf("%s: claim %d: %+v, want %q", c.name, i, r, c.errors[i])
				}
				if env := v.batch[0].Runs[i].Environment; binary.BigEndian.Uint64(env["nonce"]) != 0 || binary.BigEndian.Uint64(env["closing?"]) != 0 ||
					binary.BigEndian.Uint64(env["caller"]) != uint64(i%2) {
					t.Errorf("%s: claim %d: environment %v", c.name, i, env)
				}
			}
			l := x.locks()[id]
			if (l == nil) != (c.want == nil) || l != nil && *l.Closing != *c.want || x.c.Balance(bob)-wealth != c.first {
				t.Errorf("%s: %+v, want %+v; bob has got %d", c.name, l, c.want, x.c.Balance(bob)-wealth)
			}
		}
	}
}

// TestAllOrNothing: a transaction that fails leaves locks as they were, for the transactions behind it too.
func TestAllOrNothing(t *testing.T) {
	v := &scripted{}
	x := newChain(t, v)
	id := x.lock(alice, codeBurn, 1_000, start+50)
	made := x.tx(dave, lock(bob, carol, sum(codeBurn), 500, start+50), act(id, codeBurn, nil)) // fails: dave has no part in it
	late := x.tx(dave, lock(bob, carol, sum(codeBurn), 500, start+50), types.Action{Name: "run", Body: types.RunBody{Code: codeFails}.Encode()})
	res := x.block(
		made, x.tx(bob, act(types.LockIDOf(made.ID, 0), codeBurn, results(0, 1, 1))),
		late, x.tx(bob, act(types.LockIDOf(late.ID, 0), codeBurn, results(0, 1, 1))),
		x.tx(bob, act(id, codeBurn, results(0, 500, 1)), act(types.Hash{1}, codeBurn, nil)), // fails before it is run
		x.tx(bob, act(id, codeBurn, results(0, 600, 1)), refund(id)),
		x.tx(bob, act(id, codeBurn, results(0, 700, 1))),
	)
	for i, want := range []string{contract.ErrNotParticipant, contract.ErrUnknownLock, "ErrContract.13", contract.ErrUnknownLock, contract.ErrUnknownLock,
		contract.ErrUnknownLock, ""} {
		if res[i].Error != want {
			t.Errorf("transaction %d: %q (%s), want %q", i, res[i].Error, res[i].Detail, want)
		}
	}
	if len(v.batch) != 1 || len(v.batch[0].Runs) != 4 {
		t.Errorf("%d batches; the last has %d runs", len(v.batch), len(v.batch[len(v.batch)-1].Runs))
	}
	if x.c.Balance(bob)-wealth != 700 || x.c.Balance(dave) != wealth {
		t.Errorf("bob has got %d, dave has %d", x.c.Balance(bob)-wealth, x.c.Balance(dave))
	}
}

// TestEnvironment: what a contract can read of its lock.
func TestEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		payer             types.AccountID
		deposits, balance [2]uint64
	}{
		"the first pays":  {bob, [2]uint64{1000, 0}, [2]uint64{1000, 0}},
		"the second pays": {carol, [2]uint64{0, 1000}, [2]uint64{0, 1000}},
		"a third pays":    {alice, [2]uint64{}, [2]uint64{0, 1000}},
	} {
		v := &scripted{}
		x := newChain(t, v)
		x.m = module.Guard(contract.New(v).Slots(1_700_000_000_000, 200))
		id := x.lock(c.payer, codeBurn, 1000, start+50)
		x.clock = start + 3
		x.one(carol, act(id, codeBurn, results(0, 1, 1)), types.Action{Name: "run", Body: types.RunBody{Code: codeBurn}.Encode()})
		if len(v.batch) != 1 || len(v.batch[0].Runs) != 2 {
			t.Fatalf("%s: %d batches", name, len(v.batch))
		}
		env, n := v.batch[0].Runs[0].Environment, func(i uint64) string { return string(binary.BigEndian.AppendUint64(nil, i)) }
		want := map[string]string{
			"channel-id": string(id[:]), "participants": n(2), "participant:0": string(bob[:]), "participant:1": string(carol[:]), "caller": n(1), "nonce": n(0),
			"closing?": n(0), "deposit:0": n(c.deposits[0]), "deposit:1": n(c.deposits[1]), "balance:0": n(c.balance[0]), "balance:1": n(c.balance[1]),
		}
		common := map[string]string{"height": n(2), "clock": n(start + 3), "slot": n(start + 3), "slot-time": n(1_700_000_000_000 + (start+3)*200), "chain-id": string(append([]byte{5}, make([]byte, 31)...))}
		for what, x := range map[string]struct {
			got  map[string][]byte
			want map[string]string
		}{"of the claim": {env, want}, "of the block": {v.batch[0].Environment, common},
			"of the run": {v.batch[0].Runs[1].Environment, map[string]string{"caller": n(0), "participants": n(1), "participant:0": string(carol[:])}}} {
			if len(x.got) != len(x.want) {
				t.Errorf("%s, %s: %v", name, what, x.got)
			}
			for k, w := range x.want {
				if string(x.got[k]) != w {
					t.Errorf("%s, %s: %s is %x, want %x", name, what, k, x.got[k], w)
				}
			}
		}
	}
}

// TestGasOfLocks: what each action costs, and what it needs.
func TestGasOfLocks(t *testing.T) {
	x := newChain(t, &scripted{})
	made := x.tx(alice, lock(bob, carol, sum(codeBurn), 10, start+5), lock(bob, carol, sum(codeFails), 10, start+5))
	x.block(made)
	good, fails := types.LockIDOf(made.ID, 0), types.LockIDOf(made.ID, 1)
	for _, c := range []struct {
		name    string
		max     uint64
		gas     uint64
		error   string
		actions []types.Action
	}{
		{"a lock", types.GasContractLock, types.GasContractLock, "", []types.Action{lock(bob, carol, code(1), 1, start+5)}},
		{"a lock for too little", types.GasContractLock - 1, 0, module.ErrOutOfGas, []types.Action{lock(bob, carol, code(1), 1, start+5)}},
		{"a claim for too little", types.GasContractClaim, 0, module.ErrOutOfGas, []types.Action{act(good, codeBurn, results(0, 0, 0))}},
		{"a claim that is not run", 50_000, types.GasContractClaim, contract.ErrUnknownLock, []types.Action{act(types.Hash{1}, codeBurn, nil)}},
		{"a claim that fails costs all", 50_000, 50_000, "ErrContract.13", []types.Action{act(fails, codeFails, nil)}},
		{"a bad result costs what it used", 50_000, types.GasContractClaim + scriptGas, contract.ErrBadResult, []types.Action{act(good, codeBurn, nil)}},
		{"shares", 2*types.GasContractClaim + 2*scriptGas, 2*types.GasContractClaim + 2*scriptGas, contract.ErrBadResult,
			[]types.Action{act(good, codeBurn, nil), act(good, codeBurn, nil)}},
		{"a claim", types.GasContractClaim + scriptGas, types.GasContractClaim + scriptGas, "", []types.Action{act(good, codeBurn, results(0, 0, 0))}},
		{"a refund that is too early", 50_000, types.GasContractPay, contract.ErrTooEarly, []types.Action{refund(fails)}},
	} {
		tx := x.tx(bob, c.actions...)
		tx.MaxGas = c.max
		if r := x.block(tx)[0]; r.Error != c.error || r.Gas != c.gas {
			t.Errorf("%s: %+v, want %q for %d gas", c.name, r, c.error, c.gas)
		}
	}
}

// TestHostileVM: whatever a VM answers, a block is executed or asked for again, and no token is made.
func TestHostileVM(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func([]vm.Result) ([]vm.Result, error)
		error bool
	}{
		"no results":         {func([]vm.Result) ([]vm.Result, error) { return nil, nil }, true},
		"one too many":       {func(r []vm.Result) ([]vm.Result, error) { return append(r, r[0]), nil }, true},
		"lost":               {func([]vm.Result) ([]vm.Result, error) { return nil, errors.New("lost") }, true},
		"too much gas":       {func(r []vm.Result) ([]vm.Result, error) { r[0].Gas = ^uint64(0); return r, nil }, true},
		"a third convention": {func(r []vm.Result) ([]vm.Result, error) { r[0].Convention = 2; return r, nil }, true},
		"failed, with more":  {func(r []vm.Result) ([]vm.Result, error) { r[0].Status = 1; return r, nil }, true},
		"seventeen":          {func(r []vm.Result) ([]vm.Result, error) { r[0].Stack = make([]int64, 17); return r, nil }, true},
		"sixteen":            {func(r []vm.Result) ([]vm.Result, error) { r[0].Stack = make([]int64, 16); return r, nil }, false},
		"none":               {func(r []vm.Result) ([]vm.Result, error) { r[0].Stack = nil; return r, nil }, false},
		"all it can": {func(r []vm.Result) ([]vm.Result, error) {
			r[0].Stack = []int64{biggest, biggest, biggest}
			return r, nil
		}, false},
		"less than nothing": {func(r []vm.Result) ([]vm.Result, error) { r[0].Stack = []int64{-biggest - 1, 1001, 0}; return r, nil }, false},
		"other convention": {func(r []vm.Result) ([]vm.Result, error) {
			r[0].Stack, r[0].Convention = []int64{1001, 1, 1001}, vm.DelayNonceAmount
			return r, nil
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := &scripted{}
			x := newChain(t, v)
			id := x.lock(alice, codeBurn, 1_000, start+50)
			v.spoil = c.spoil
			tx := x.tx(bob, act(id, codeBurn, results(0, 1, 1)))
			e, err := x.c.Clone().Block(t.Context(), x.m, x.clock, []module.Tx{tx})
			if (err != nil) != c.error || err == nil && (e.Fault != nil || e.Txs[0].Error != contract.ErrBadResult) {
				t.Fatalf("%+v, %v", e, err)
			}
			if !c.error {
				x.block(tx)
			}
			v.spoil = nil
			if r := x.block(tx)[0]; r.Error != "" {
				t.Fatalf("asked again: %+v", r)
			}
		})
	}
}
