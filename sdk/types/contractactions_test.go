package types

import (
	"encoding/json"
	"math"
	"testing"
)

func testLockBody() LockBody {
	return LockBody{Participants: [2]AccountID{{1}, {2}}, Code: testHash("code"), Amount: 1 << 40, Deadline: 9_000}
}

func testLock() *Lock {
	b := testLockBody()
	return &Lock{Payer: AccountID{3}, Participants: b.Participants, Code: b.Code, Amount: b.Amount, Made: 700, Deadline: b.Deadline, Closing: &Closing{4, 800, 1 << 39}}
}

func questions(n int) [][32]byte {
	out := make([][32]byte, n)
	for i := range out {
		out[i] = [32]byte{byte(i)}
	}
	return out
}

func TestContractActions(t *testing.T) {
	lock := func(change func(*LockBody)) error {
		b := testLockBody()
		change(&b)
		_, err := DecodeLockBody(b.Encode())
		return err
	}
	record := func(change func(*Lock)) error {
		l := testLock()
		change(l)
		_, err := DecodeLock(l.Encode())
		return err
	}
	for name, c := range map[string]struct {
		err error
		ok  bool
	}{
		"a lock":                       {lock(func(*LockBody) {}), true},
		"the most":                     {lock(func(b *LockBody) { b.Amount = MaxLockAmount }), true},
		"no deadline":                  {lock(func(b *LockBody) { b.Deadline = 0 }), true}, // which the chain refuses
		"nothing":                      {lock(func(b *LockBody) { b.Amount = 0 }), false},
		"more than a contract counts":  {lock(func(b *LockBody) { b.Amount = math.MaxInt64 + 1 }), false},
		"one participant twice":        {lock(func(b *LockBody) { b.Participants[1] = b.Participants[0] }), false},
		"the burn account first":       {lock(func(b *LockBody) { b.Participants[0] = BurnAccount }), false},
		"the burn account second":      {lock(func(b *LockBody) { b.Participants[1] = BurnAccount }), false},
		"bytes left over":              {second(DecodeLockBody(append(testLockBody().Encode(), 0))), false},
		"a run":                        {second(DecodeRunBody(RunBody{Code: []byte{1}}.Encode())), true},
		"a run with questions":         {second(DecodeRunBody(RunBody{Questions: questions(MaxQuestions)}.Encode())), true},
		"too many questions":           {second(DecodeRunBody(RunBody{Questions: questions(MaxQuestions + 1)}.Encode())), false},
		"an empty list of questions":   {second(DecodeRunBody([]byte{0, 0, 0})), false},
		"half a question":              {second(DecodeRunBody(append([]byte{0, 0, 1}, make([]byte, 31)...))), false},
		"a question twice":             {second(DecodeClaimBody(ClaimBody{Questions: [][32]byte{{1}, {1}}}.Encode())), false},
		"questions out of order":       {second(DecodeClaimBody(ClaimBody{Questions: [][32]byte{{2}, {1}}}.Encode())), false},
		"a claim with questions":       {second(DecodeClaimBody(ClaimBody{Questions: questions(2)}.Encode())), true},
		"a claim":                      {second(DecodeClaimBody(ClaimBody{}.Encode())), true},
		"no lock":                      {second(DecodeLockRefBody(make([]byte, 31))), false},
		"a record":                     {record(func(*Lock) {}), true},
		"all to the first":             {record(func(l *Lock) { l.Closing.First = l.Amount }), true},
		"an open record":               {record(func(l *Lock) { l.Closing = nil }), true},
		"a closing above the amount":   {record(func(l *Lock) { l.Closing.First = l.Amount + 1 }), false},
		"a record of nothing":          {record(func(l *Lock) { l.Amount, l.Closing = 0, nil }), false},
		"a record of one account":      {record(func(l *Lock) { l.Participants[0] = l.Participants[1] }), false},
		"a record of a later format":   {second(DecodeLock(append([]byte{2}, testLock().Encode()[1:]...))), false},
		"a record of an unknown state": {second(DecodeLock(append((&Lock{Participants: testLock().Participants, Amount: 1}).Encode()[:132], 2))), false},
	} {
		if (c.err == nil) != c.ok {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

// TestLockID: each action of each transaction makes a lock of its own.
func TestLockID(t *testing.T) {
	seen := map[Hash]bool{}
	for _, tx := range []TxID{{}, {1}, testHash("tx")} {
		for _, i := range []int{0, 1, 127, 128, 255} {
			id := LockIDOf(tx, i)
			if seen[id] || id == tx {
				t.Fatalf("the id of lock %d of %s is there already", i, tx)
			}
			seen[id] = true
		}
	}
}

func TestLockShares(t *testing.T) {
	l := testLock()
	for name, c := range map[string]struct {
		payer             AccountID
		index             int
		deposits, balance [2]uint64
	}{
		"the first pays":    {l.Participants[0], 0, [2]uint64{l.Amount, 0}, [2]uint64{l.Amount, 0}},
		"the second pays":   {l.Participants[1], 1, [2]uint64{0, l.Amount}, [2]uint64{0, l.Amount}},
		"a third pays":      {AccountID{9}, -1, [2]uint64{}, [2]uint64{0, l.Amount}},
		"the burn account?": {BurnAccount, -1, [2]uint64{}, [2]uint64{0, l.Amount}},
	} {
		l.Payer = c.payer
		for i := range 2 {
			if l.Deposit(i) != c.deposits[i] || l.Balance(i) != c.balance[i] {
				t.Errorf("%s: participant %d: deposit %d, balance %d", name, i, l.Deposit(i), l.Balance(i))
			}
		}
		if l.Index(c.payer) != c.index {
			t.Errorf("%s: index %d", name, l.Index(c.payer))
		}
	}
}

func TestLockState(t *testing.T) {
	l := testLock()
	open := *l
	open.Closing = nil
	for _, c := range []struct {
		l     *Lock
		clock uint64
		want  string
	}{
		{&open, l.Deadline - 1, LockOpen}, {&open, l.Deadline, LockExpired}, {l, l.Closing.Due - 1, LockClosing}, {l, l.Closing.Due, LockDue}, {l, l.Deadline, LockDue},
	} {
		if got := c.l.State(c.clock); got != c.want {
			t.Errorf("at clock %d: %s, want %s", c.clock, got, c.want)
		}
	}
}

// TestLockJSON fixes the form that clients read.
func TestLockJSON(t *testing.T) {
	b, err := json.Marshal(LockView{ID: Hash{1}, Lock: Lock{Participants: [2]AccountID{{1}, {2}}, Amount: 1 << 60, Made: 1, Deadline: 2}, State: LockOpen})
	if err != nil {
		t.Fatal(err)
	}
	var back LockView
	if err := json.Unmarshal(b, &back); err != nil || back.Amount != 1<<60 || back.Participants[1] != (AccountID{2}) || back.State != LockOpen || back.Closing != nil {
		t.Fatalf("%s reads as %+v, %v", b, back, err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil || fields["amount"] != "1152921504606846976" || fields["closing"] != nil || fields["code_hash"] == nil {
		t.Fatalf("%s", b)
	}
}
