package live

import (
	"errors"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestLightClient waits for transfers by what is proven alone while epochs end, and asks for blocks and accounts afterwards.
func TestLightClient(t *testing.T) {
	ctx := scenario(t, 2*time.Minute)
	n := newNetwork(t, ctx, build{spec: specification{nodes: 4, producers: 4, slot: 200 * time.Millisecond, consensus: shortEpochs("3s")}})
	n.up(n.all()...)
	trust := client.Trust{Chain: n.state.Chains[0].ID}
	x, err := n.clients[0].Light(ctx, trust)
	if err != nil {
		t.Fatal(err)
	}
	a, to := n.accounts[0], types.AccountID{7}
	var sent uint64
	var last api.Tx
	for n.epochNow(0) < 3 {
		env, _, err := n.clients[0].Make(ctx, n.chain, a.Account(), types.ModuleBank, []types.Action{client.Transfer(to, 5, nil)}, client.BuildOptions{}, a)
		if err != nil {
			t.Fatal(err)
		}
		if last, err = x.SubmitAndWait(ctx, env); err != nil {
			t.Fatalf("transfer %d: %v", sent, err)
		}
		sent++
	}
	e, _ := x.Epoch()
	t.Logf("%d transfers proven, the last in block %d of epoch %d, which began above block %d", sent, last.Height, e.Number, e.Opened.Height)
	if last.Height <= e.Opened.Height && e.Number < 2 {
		t.Errorf("it knows no more than epoch %d", e.Number)
	}
	again, err := n.clients[1].Light(ctx, trust)
	if err != nil {
		t.Fatal(err)
	}
	for h := uint64(1); h <= last.Height; h++ {
		if _, err := again.Block(ctx, h); err != nil {
			t.Errorf("block %d: %v", h, err)
		}
	}
	for _, id := range []types.AccountID{a.Account(), to} {
		p, err := again.Account(ctx, id)
		if err != nil {
			t.Errorf("account %s: %v", id, err)
			continue
		}
		if id == to && (p.Balance != 5*sent || p.Authority != nil) || id != to && (p.Balance == 0 || p.Authority == nil) {
			t.Errorf("account %s has %d, revealed: %v", id, p.Balance, p.Authority != nil)
		}
	}
	wrong := trust
	wrong.Checkpoint, wrong.Height = types.Hash{1}, e.Opened.Height
	if _, err := n.clients[1].Light(ctx, wrong); !errors.Is(err, client.ErrUnproven) {
		t.Errorf("a checkpoint that is not of the chain: %v", err)
	}
	wrong.Checkpoint = e.Opened.ID
	late, err := n.clients[1].Light(ctx, wrong)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Account(ctx, to); err != nil {
		t.Errorf("from a checkpoint: %v", err)
	}
	n.stop(n.all()...)
}
