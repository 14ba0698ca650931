package contract_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/core/ledger/contract"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/module/moduletest"
	"github.com/paloalto-chain/paloalto/sdk/types"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

var alice, bob, carol, dave = account("alice"), account("bob"), account("carol"), account("dave")

func account(name string) types.AccountID {
	return types.AccountID(types.Sum("account", []byte(name)))
}

// code is the hash of a machine's code.
func code(b byte) types.Hash { return sha256.Sum256([]byte{b}) }

func lock(first, second types.AccountID, h types.Hash, amount, deadline uint64) types.Action {
	b := types.LockBody{Participants: [2]types.AccountID{first, second}, Code: h, Amount: amount, Deadline: deadline}
	return types.Action{Name: "lock", Body: b.Encode(), MaxSpend: amount}
}

func claim(id types.Hash, c byte, evidence ...byte) types.Action {
	return types.Action{Name: "claim", Body: types.ClaimBody{Lock: id, Code: []byte{c}, Evidence: evidence}.Encode()}
}

func refund(id types.Hash) types.Action {
	return types.Action{Name: "refund", Body: types.LockRefBody{Lock: id}.Encode()}
}

func settle(id types.Hash) types.Action {
	return types.Action{Name: "settle", Body: types.LockRefBody{Lock: id}.Encode()}
}

// valid makes transactions that succeed in one block: locks, of which some are claimed in the same block, and runs.
func valid(seed uint64, n int) []module.Tx {
	out := make([]module.Tx, n)
	for i := range out {
		t := &out[i]
		switch i % 5 {
		case 0:
			*t = tx(seed<<32+uint64(i), 60_000, lock(bob, carol, code(0), 100, moduletest.Clock+50), lock(carol, bob, code(200), 7, moduletest.Clock+1_000))
		case 1:
			*t = tx(seed<<32+uint64(i), 60_000, claim(types.LockIDOf(out[i-1].ID, 0), 0, 1, 50, 3))
			t.Account = bob
		case 2:
			*t = tx(seed<<32+uint64(i), 60_000, claim(types.LockIDOf(out[i-2].ID, 1), 200, 5, 3, 2), claim(types.LockIDOf(out[i-2].ID, 1), 200, 9, 4, 3))
			t.Account = carol
		case 3:
			*t = tx(seed<<32+uint64(i), 20_000, run(0, 1, 2), run(0, byte(i)))
		case 4:
			*t = tx(seed<<32+uint64(i), 60_000, lock(bob, carol, code(0), 100, moduletest.Clock+50), run(0))
			t.Account = bob
		}
	}
	return out
}

// chain is a small chain with the module.
type chain struct {
	t     *testing.T
	c     *moduletest.Core
	m     module.Module
	clock uint64
	n     uint64
}

// scripted is a VM that does what the name of the contract says: the code is the convention and a number of the contract, the
// evidence its results as varints; with spoil it answers something else.
type scripted struct {
	vm.VM // nil
	batch []vm.Batch
	spoil func([]vm.Result) ([]vm.Result, error)
}

const scriptGas = 7

// results is evidence for a scripted VM.
func results(v ...int64) []byte {
	var out []byte
	for _, n := range v {
		out = binary.AppendVarint(out, n)
	}
	return out
}

var (
	codeBurn  = []byte("burn-pay-nonce")
	codeDelay = []byte("delay-nonce-amount")
	codeFails = []byte("fails")
)

func (s *scripted) RunBatch(_ context.Context, b vm.Batch) ([]vm.Result, error) {
	s.batch = append(s.batch, b)
	if err := b.Check(); err != nil {
		return nil, err
	}
	out := make([]vm.Result, len(b.Runs))
	for i, r := range b.Runs {
		if string(r.Code) == string(codeFails) || r.GasLimit < scriptGas {
			out[i] = vm.Result{Status: 13, Gas: r.GasLimit, Error: "it fails"}
			continue
		}
		out[i].Gas = scriptGas
		if string(r.Code) == string(codeDelay) {
			out[i].Convention = vm.DelayNonceAmount
		}
		for e := r.Evidence; len(e) > 0 && len(out[i].Stack) < vm.MaxResults; {
			v, n := binary.Varint(e)
			if n <= 0 {
				break
			}
			out[i].Stack, e = append(out[i].Stack, v), e[n:]
		}
	}
	if s.spoil != nil {
		return s.spoil(out)
	}
	return out, nil
}

const (
	start   = 100 // clock of a chain's first block
	maxWait = 365 * 24 * 3600 * 2
	wealth  = 1_000_000
)

func newChain(t *testing.T, v vm.VM) *chain {
	c := &chain{t: t, c: moduletest.NewCore(types.ChainID{5}, nil), m: module.Guard(contract.New(v)), clock: start}
	for _, a := range []types.AccountID{alice, bob, carol, dave} {
		c.c.Fund(a, wealth)
	}
	return c
}

func (c *chain) tx(from types.AccountID, actions ...types.Action) module.Tx {
	c.n++
	t := tx(c.n, 100_000, actions...)
	t.Account = from
	return t
}

// block executes a block at the chain's clock.
func (c *chain) block(txs ...module.Tx) []module.Result {
	c.t.Helper()
	e, err := c.c.Block(c.t.Context(), c.m, c.clock, txs)
	if err != nil || e.Fault != nil {
		c.t.Fatalf("block at clock %d: %v, %+v", c.clock, err, e)
	}
	c.consistent()
	return e.Txs
}

// one executes one transaction in a block of its own.
func (c *chain) one(from types.AccountID, actions ...types.Action) module.Result {
	c.t.Helper()
	return c.block(c.tx(from, actions...))[0]
}

// lock makes a lock between bob and carol.
func (c *chain) lock(payer types.AccountID, contract []byte, amount, deadline uint64) types.Hash {
	c.t.Helper()
	t := c.tx(payer, lock(bob, carol, sha256.Sum256(contract), amount, deadline))
	if r := c.block(t)[0]; r.Error != "" {
		c.t.Fatalf("lock: %s (%s)", r.Error, r.Detail)
	}
	return types.LockIDOf(t.ID, 0)
}

func act(id types.Hash, contract, evidence []byte) types.Action {
	return types.Action{Name: "claim", Body: types.ClaimBody{Lock: id, Code: contract, Evidence: evidence}.Encode()}
}

// locks returns the locks that the state holds.
func (c *chain) locks() map[types.Hash]*types.Lock {
	c.t.Helper()
	out := map[types.Hash]*types.Lock{}
	for _, v := range c.c.Items() {
		if id, ok := strings.CutPrefix(v.Item.Key, "l"); ok {
			l, err := types.DecodeLock(v.Data)
			if err != nil {
				c.t.Fatal(err)
			}
			out[types.Hash([]byte(id))] = l
		}
	}
	return out
}

// consistent checks what holds after every block: nothing was made or lost; what the module holds is what is locked, lock by
// lock; and each lock is in the lists of those who have a part in it, and in no other.
func (c *chain) consistent() {
	c.t.Helper()
	if err := c.c.Conserved(); err != nil {
		c.t.Fatal(err)
	}
	var sum uint64
	listed := map[string]bool{}
	for id, l := range c.locks() {
		if got := c.c.Escrow(contract.Item(id)); got != l.Amount {
			c.t.Fatalf("lock %s of %d holds %d", id.Short(), l.Amount, got)
		}
		sum += l.Amount
		for _, a := range []types.AccountID{l.Payer, l.Participants[0], l.Participants[1]} {
			listed["a"+string(a[:])+string(id[:])] = true
		}
	}
	if got := c.c.Escrows(); got != sum {
		c.t.Fatalf("the module holds %d, %d are locked", got, sum)
	}
	lists := 0
	for _, v := range c.c.Items() {
		if v.Item.Key[0] != 'a' {
			continue
		}
		if lists++; !listed[v.Item.Key] || string(v.Item.Place[:]) != v.Item.Key[1:9] {
			c.t.Fatalf("entry %x is in the list of an account that has no part in it", v.Item.Key)
		}
	}
	if lists != len(listed) {
		c.t.Fatalf("%d entries in lists, want %d", lists, len(listed))
	}
}

// event reads the data of a result's only event.
func event[T any](t *testing.T, r module.Result, name string) (v T) {
	t.Helper()
	if r.Error != "" || len(r.Events) != 1 || r.Events[0].Name != name {
		t.Fatalf("%+v, want the event %q", r, name)
	}
	if err := json.Unmarshal(r.Events[0].Data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// lastEnvironment is the hash of what the last run of a VM could read.
func lastEnvironment(v *scripted) types.Hash {
	b := v.batch[len(v.batch)-1]
	return types.EnvironmentHash(types.CommonEnvironmentHash(b.Environment), b.Runs[len(b.Runs)-1].Environment)
}

const biggest = math.MaxInt64

func sum(b []byte) types.Hash { return sha256.Sum256(b) }
