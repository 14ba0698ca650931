//go:build linux

package dishonest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func (x *testNode) chain(g *chainspec.Genesis) *chain.Chain {
	x.t.Helper()
	c, _, err := x.node.Chain(g.ID().String())
	if err != nil {
		x.t.Fatal(err)
	}
	return c
}

func (x *testNode) halted(g *chainspec.Genesis) string { return x.chain(g).Status().Halted }

func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}

// more waits for further final blocks.
func (x *testNode) more(g *chainspec.Genesis, n uint64) {
	x.t.Helper()
	from := x.chain(g).FinalHeight()
	await(x.t, fmt.Sprintf("%d further final blocks of chain %s at node %d", n, g.Name, x.i), func() bool { return x.chain(g).FinalHeight() >= from+n })
}

var salt atomic.Uint64

// spend is what each action allows a module to take.
const spend = 10

// submit sends an action at a node.
func (x *testNode) submit(g *chainspec.Genesis, module string, a types.Action) (types.TxID, error) {
	x.t.Helper()
	height, id, _, slot := x.chain(g).Reference()
	t := &types.Transaction{Module: module, Account: alice.id(), Authority: types.SingleKeyAuthority(alice.pub).Encode(), Expires: slot + 110,
		Actions: []types.Action{a}, RefHeight: height, RefHash: [16]byte(id[:16]), Salt: salt.Add(1), MaxGas: 10_000, MaxFee: 100_000}
	env := types.Envelope{Raw: t.Encode()}
	env.Signatures = []types.Signature{{Key: alice.pub, Sig: ed25519.Sign(alice.priv, types.TxSignBytes(g.ID(), env.Raw))}}
	_, errs := x.chain(g).Submit(context.Background(), [][]byte{env.Encode()})
	return types.TxIDOf(g.ID(), env.Raw), errs[0]
}

// try orders a module something.
func (x *testNode) try(g *chainspec.Genesis, module, order string) (types.TxID, error) {
	x.t.Helper()
	return x.submit(g, module, types.Action{Name: "do", Body: []byte(order), MaxSpend: spend})
}

func (x *testNode) order(g *chainspec.Genesis, module, order string) types.TxID {
	x.t.Helper()
	id, err := x.try(g, module, order)
	if err != nil {
		x.t.Fatalf("%s: %v", order, err)
	}
	return id
}

func (x *testNode) pay(g *chainspec.Genesis) types.TxID {
	x.t.Helper()
	id, err := x.submit(g, types.ModuleBank, types.Action{Name: "transfer", Body: types.TransferBody{To: types.AccountID{1}, Amount: 1}.Encode(), MaxSpend: 1})
	if err != nil {
		x.t.Fatal(err)
	}
	return id
}

// info is what a node knows of a transaction.
func (x *testNode) info(g *chainspec.Genesis, id types.TxID) chain.TxInfo {
	info, err := x.chain(g).Tx(context.Background(), id)
	if err != nil && !errors.Is(err, chain.ErrNotFound) {
		x.t.Errorf("transaction %s: %v", id, err)
	}
	return info
}

// final waits until a transaction is final at a node, and returns its status.
func (x *testNode) final(g *chainspec.Genesis, id types.TxID) (status string) {
	x.t.Helper()
	await(x.t, fmt.Sprintf("finality of transaction %s of chain %s at node %d", id, g.Name, x.i), func() bool {
		if why := x.halted(g); why != "" {
			x.t.Fatalf("node %d has halted chain %s: %s", x.i, g.Name, why)
		}
		info := x.info(g, id)
		if info.Stage != chain.TxFinal || info.Receipt == nil {
			return false
		}
		status = info.Receipt.Status
		return true
	})
	return status
}

// lands gives orders, one to a module, until there is a final transaction for each, and returns their statuses in order. On a machine that
// is busy a producer may leave a transaction out because its execution took too long; then it is sent anew.
func (x *testNode) lands(g *chainspec.Genesis, modules, orders []string) []string {
	x.t.Helper()
	out, ids := make([]string, len(orders)), make([]types.TxID, len(orders))
	for tries := 0; ; tries++ {
		for k, o := range orders {
			if out[k] == "" {
				ids[k] = x.order(g, modules[k], o)
			}
		}
		from, left := x.chain(g).FinalHeight(), 0
		await(x.t, "the end of a wave of orders", func() bool {
			if why := x.halted(g); why != "" {
				x.t.Fatalf("%q: node %d has halted: %s", orders, x.i, why)
			}
			left = 0
			for k := range orders {
				if out[k] != "" {
					continue
				}
				if info := x.info(g, ids[k]); info.Stage == chain.TxFinal && info.Receipt != nil {
					out[k] = info.Receipt.Status
				} else {
					left++
				}
			}
			return left == 0 || x.chain(g).FinalHeight() > from+12
		})
		if left == 0 {
			return out
		}
		if tries == 8 {
			x.t.Fatalf("%v: only %q have become final", orders, out)
		}
	}
}

// calmly checks that the bank goes on, and another module of the same process.
func (x *testNode) calmly(g *chainspec.Genesis) {
	x.t.Helper()
	transfer := x.pay(g)
	if s := x.lands(g, []string{calm}, []string{""}); s[0] != types.StatusOK {
		x.t.Errorf("an honest transaction ends with %q", s[0])
	}
	if s := x.final(g, transfer); s != types.StatusOK {
		x.t.Errorf("a transfer ends with %q", s)
	}
}

// agree checks that all nodes have the same state after a block that is final now at the first.
func agree(t testing.TB, g *chainspec.Genesis, nodes []*testNode) {
	t.Helper()
	height := nodes[0].chain(g).FinalHeight()
	ids := map[string]int{}
	for _, x := range nodes {
		await(t, fmt.Sprintf("height %d at node %d", height, x.i), func() bool { return x.chain(g).FinalHeight() >= height })
		b, err := x.chain(g).Block(context.Background(), height)
		if err != nil {
			t.Fatal(err)
		}
		ids[b.Header.StateRoot.String()]++
	}
	if len(ids) != 1 {
		t.Errorf("chain %s: %d states before height %d", g.Name, len(ids), height)
	}
}
