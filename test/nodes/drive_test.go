package nodes

import (
	"context"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/core/chain"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// awaitBlocks calls f with what becomes final until it returns true; first before anything does.
func awaitBlocks(t *testing.T, c *chain.Chain, what string, f func() bool) {
	t.Helper()
	ctx := deadline(t)
	for {
		blocks, cancel, err := c.Subscribe()
		if err != nil {
			t.Fatalf("%s: %v; %+v", what, err, c.Status())
		}
		for open := true; open; {
			if f() {
				cancel()
				return
			}
			select {
			case _, open = <-blocks:
			case <-ctx.Done():
				cancel()
				t.Fatalf("%s did not come: %+v", what, c.Status())
			}
		}
		cancel()
	}
}

// final waits until a height is final on a node.
func (x *testNode) final(g *chainspec.Genesis, height uint64) {
	x.net.t.Helper()
	c := x.chain(g)
	awaitBlocks(x.net.t, c, "a final height on "+nodeName(x.i), func() bool { return c.FinalHeight() >= height })
}

// more waits for so many further final blocks on a node, and returns the height.
func (x *testNode) more(g *chainspec.Genesis, n uint64) uint64 {
	x.net.t.Helper()
	h := x.chain(g).FinalHeight() + n
	x.final(g, h)
	return h
}

// together waits until nodes have a height that one of them has now and n further blocks.
func (w *network) together(g *chainspec.Genesis, n uint64, which ...int) uint64 {
	w.t.Helper()
	var h uint64
	for _, i := range which {
		h = max(h, w.nodes[i].chain(g).FinalHeight())
	}
	for _, i := range which {
		w.nodes[i].final(g, h+n)
	}
	return h + n
}

// same checks that nodes have one chain: the same block at every height, and with it the same state roots.
func (w *network) same(g *chainspec.Genesis, which ...int) {
	w.t.Helper()
	ctx := deadline(w.t)
	low := ^uint64(0)
	for _, i := range which {
		low = min(low, w.nodes[i].chain(g).FinalHeight())
	}
	for h := uint64(0); h <= low; h++ {
		var first *chain.FinalBlock
		for _, i := range which {
			b, err := w.nodes[i].chain(g).Block(ctx, h)
			if err != nil {
				w.t.Fatalf("node %d, block %d: %v", i, h, err)
			}
			if first == nil {
				first = b
			}
			if b.ID != first.ID || b.Header.StateRoot != first.Header.StateRoot || len(b.Receipts) != len(first.Receipts) {
				w.t.Fatalf("node %d has another block %d than node %d", i, h, which[0])
			}
		}
	}
}

// maker makes transactions.
type maker struct {
	t    *testing.T
	g    *chainspec.Genesis
	salt uint64
}

func (m *maker) transfer(c *chain.Chain, from, to key, amount uint64, change ...func(*types.Transaction)) ([]byte, types.TxID) {
	return m.make(c, from, types.ModuleBank, types.Action{Name: "transfer", Body: types.TransferBody{To: to.id(), Amount: amount}.Encode(), MaxSpend: amount}, change...)
}

func (m *maker) make(c *chain.Chain, from key, module string, a types.Action, change ...func(*types.Transaction)) ([]byte, types.TxID) {
	height, id, _, slot := c.Reference()
	m.salt++
	t := &types.Transaction{
		Module: module, Actions: []types.Action{a}, Account: from.id(), Authority: types.SingleKeyAuthority(from.pub).Encode(),
		Expires: slot + 100, RefHeight: height, RefHash: [16]byte(id[:16]), Salt: m.salt, MaxGas: 2_000_000, MaxFee: 4_000_000,
	}
	for _, f := range change {
		f(t)
	}
	return m.seal(from, t)
}

func (m *maker) seal(from key, t *types.Transaction) ([]byte, types.TxID) {
	env := types.Envelope{Raw: t.Encode()}
	env.Signatures = []types.Signature{{Key: from.pub, Sig: ed25519.Sign(from.priv, types.TxSignBytes(m.g.ID(), env.Raw))}}
	return env.Encode(), types.TxIDOf(m.g.ID(), env.Raw)
}

// submit hands transactions to a node, which has to take them.
func (x *testNode) submit(g *chainspec.Genesis, envelopes ...[]byte) {
	x.net.t.Helper()
	_, errs := x.chain(g).Submit(deadline(x.net.t), envelopes)
	if err := errors.Join(errs...); err != nil {
		x.net.t.Fatal(err)
	}
}

// succeeds waits until transactions are final on a node, and checks that they took effect.
func (x *testNode) succeeds(g *chainspec.Genesis, ids ...types.TxID) {
	x.net.t.Helper()
	c := x.chain(g)
	ctx := deadline(x.net.t)
	for _, id := range ids {
		var info chain.TxInfo
		awaitBlocks(x.net.t, c, "a final transaction", func() bool {
			var err error
			if info, err = c.Tx(ctx, id); err != nil {
				x.net.t.Fatal(err)
			}
			return info.Stage == chain.TxFinal
		})
		if info.Receipt.Status != types.StatusOK {
			x.net.t.Fatalf("transaction %s: %s", id.Short(), info.Receipt.Status)
		}
	}
}

// conserved checks that what the people have and what is burned is the supply, once the newest transaction is committed.
func (x *testNode) conserved(g *chainspec.Genesis) {
	x.net.t.Helper()
	c := x.chain(g)
	h := c.FinalHeight()
	awaitBlocks(x.net.t, c, "the commit", func() bool { return c.Status().StateHeight >= h })
	sum := c.Status().Burned
	for _, k := range people {
		a, _, _, _, err := c.Account(deadline(x.net.t), k.id())
		if err != nil {
			x.net.t.Fatal(err)
		}
		sum += a.Balance
	}
	if sum != g.Supply {
		x.net.t.Fatalf("node %d: balances and what is burned sum to %d, the supply is %d", x.i, sum, g.Supply)
	}
}

// awaitHalt waits until a chain has halted.
func awaitHalt(t *testing.T, c *chain.Chain) {
	t.Helper()
	ctx := deadline(t)
	for !c.Closed() {
		blocks, cancel, err := c.Subscribe()
		if errors.Is(err, chain.ErrClosed) {
			break
		}
		for open := true; open; {
			select {
			case _, open = <-blocks:
			case <-ctx.Done():
				t.Fatal("the chain does not halt")
			}
		}
		cancel()
	}
	if c.Status().Halted == "" {
		t.Fatal("the chain's status does not say that it has halted")
	}
	if _, errs := c.Submit(ctx, [][]byte{{1}}); !errors.Is(errs[0], chain.ErrHalted) {
		t.Errorf("a halted chain takes transactions: %v", errs[0])
	}
}
