package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/api/apitest"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

func TestVerifiedBlock(t *testing.T) {
	root, c := rig(t)
	ctx := within(t)
	key, account := alice()
	for range 3 {
		env, _, err := c.Make(ctx, "root", account, "bank", transfer(), client.BuildOptions{}, key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.SubmitAndWait(ctx, "root", env, client.Accepted); err != nil {
			t.Fatal(err)
		}
	}
	root.Advance(1)
	if _, err := c.VerifiedBlock(ctx, "root", root.ID(), root.Set(), 1); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("the child is not there yet: %v", err)
	}
	root.Advance(5)
	for h := uint64(1); h <= 5; h++ { // with and without a certificate of its own
		b, err := c.VerifiedBlock(ctx, "root", root.ID(), root.Set(), h)
		if err != nil || b.Header.Height != h || (h == 1) != (len(b.TxIDs) == 3 && len(b.Receipts) == 3) {
			t.Errorf("block %d: %v %v", h, b, err)
		}
	}
	other := apitest.NewChain("other")
	if _, err := c.VerifiedBlock(ctx, "root", root.ID(), other.Set(), 2); !errors.Is(err, client.ErrUnproven) {
		t.Errorf("by another set: %v", err)
	}
	if _, err := c.VerifiedBlock(ctx, "root", other.ID(), root.Set(), 2); !errors.Is(err, client.ErrUnproven) {
		t.Errorf("as of another chain: %v", err)
	}
}

func TestVerifyBlockFindsLies(t *testing.T) {
	root, c := rig(t)
	ctx := within(t)
	key, account := alice()
	env, _, err := c.Make(ctx, "root", account, "bank", transfer(), client.BuildOptions{}, key)
	if err != nil {
		t.Fatal(err)
	}
	root.Submit(ctx, [][]byte{env})
	root.Advance(4)
	block := func(h uint64) *api.Block {
		b, err := c.Block(ctx, "root", h, client.DetailBody)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, l := range []struct {
		name string
		ok   bool
		f    func(b []*api.Block) []*api.Block
	}{
		{"the truth", true, func(b []*api.Block) []*api.Block { return b }},
		{"one with a certificate", true, func(b []*api.Block) []*api.Block { return b[1:2] }},
		{"nothing", false, func([]*api.Block) []*api.Block { return nil }},
		{"a hole", false, func(b []*api.Block) []*api.Block { return []*api.Block{b[0], nil, b[1]} }},
		{"a block left out", false, func(b []*api.Block) []*api.Block { return []*api.Block{b[0], block(4)} }},
		{"no certificate", false, func(b []*api.Block) []*api.Block { b[1].Certificate = nil; return b }},
		{"the certificate of another block", false, func(b []*api.Block) []*api.Block { b[1].Certificate = block(4).Certificate; return b }},
		{"a header changed", false, func(b []*api.Block) []*api.Block { b[0].Header.StateRoot[0]++; return b }},
		{"the last header changed", false, func(b []*api.Block) []*api.Block { b[1].Header.ReceiptsRoot[0]++; return b }},
		{"a header changed that stands alone", false, func(b []*api.Block) []*api.Block { b[1].Header.StateRoot[0]++; return b[1:2] }},
		{"a slot that was not signed", false, func(b []*api.Block) []*api.Block { b[1].Certificate.Slot++; return b }},
		{"too few signatures", false, func(b []*api.Block) []*api.Block {
			b[1].Certificate.Bitmap = []byte{0b0011}
			b[1].Certificate.Signatures = b[1].Certificate.Signatures[:2]
			return b
		}},
		{"a signature changed", false, func(b []*api.Block) []*api.Block { b[1].Certificate.Signatures[1][3]++; return b }},
		{"a fee changed", false, func(b []*api.Block) []*api.Block { b[0].Receipts[0].Fee++; return b }},
		{"receipts hidden", false, func(b []*api.Block) []*api.Block { b[0].Receipts = []types.Receipt{}; return b }},
		{"another id", false, func(b []*api.Block) []*api.Block { b[0].TxIDs[0][0]++; return b }},
		{"an id more", false, func(b []*api.Block) []*api.Block { b[0].TxIDs = append(b[0].TxIDs, types.TxID{}); return b }},
		{"another body", false, func(b []*api.Block) []*api.Block { b[0].Body, b[0].TxIDs = (&types.Body{}).Encode(), nil; return b }},
		{"no body at all", false, func(b []*api.Block) []*api.Block { b[0].Body = []byte{9}; return b }},
	} {
		err := client.VerifyBlock(root.ID(), root.Set(), l.f([]*api.Block{block(1), block(2)})...)
		if (err == nil) != l.ok || (err != nil && !errors.Is(err, client.ErrUnproven)) {
			t.Errorf("%s: %v", l.name, err)
		}
	}
}

func TestQuorum(t *testing.T) {
	_, id := alice()
	var nodes []*client.Client
	for i := range 4 {
		root := apitest.NewChain("root")
		root.Advance(i + 1) // honest nodes may be at different heights
		balance := uint64(100)
		if i == 0 {
			balance = 1_000_000 // a liar, and the first to be asked
		}
		root.SetAccount(api.Account{ID: id, Balance: balance})
		at, _ := start(t, apitest.NewNode("n", root), api.DefaultAddress, api.Options{})
		nodes = append(nodes, dial(t, at, client.Options{Attempts: 1}))
	}
	read := func(ctx context.Context, c *client.Client) (api.Account, error) { return c.Account(ctx, "root", id) }
	key := func(a api.Account) string { return fmt.Sprint(a.Balance) }
	for range 20 {
		if a, err := client.Quorum(within(t), nodes, 2, read, key); err != nil || a.Balance != 100 {
			t.Fatalf("%v %v", a, err)
		}
	}
	if _, err := client.Quorum(within(t), nodes[:2], 2, read, key); !errors.Is(err, client.ErrNoQuorum) {
		t.Errorf("no two agree: %v", err)
	}
	dead := dial(t, "127.0.0.1:1", client.Options{Attempts: 1})
	if _, err := client.Quorum(within(t), []*client.Client{dead, nodes[1]}, 2, read, key); !errors.Is(err, client.ErrNoQuorum) {
		t.Errorf("one is dead: %v", err)
	}
	for _, need := range []int{0, 5, -1} {
		if _, err := client.Quorum(within(t), nodes, need, read, key); !errors.Is(err, client.ErrNoQuorum) {
			t.Errorf("%d of 4: %v", need, err)
		}
	}
}
