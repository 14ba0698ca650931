package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/api/apitest"
	"github.com/paloalto-chain/paloalto/client"
)

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
