package live

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// traffic is transfers that are sent to nodes in turn, a few at a time.
type traffic struct {
	n      *network
	nodes  []int
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	taken map[types.TxID]uint64 // by a node; the slot in which it expires
	wrong string
}

const (
	burst = 10
	pause = 50 * time.Millisecond
)

// traffic begins to send to some nodes.
func (n *network) traffic(nodes ...int) *traffic {
	ctx, cancel := context.WithCancel(n.ctx)
	t := &traffic{n: n, nodes: nodes, cancel: cancel, taken: map[types.TxID]uint64{}}
	t.wg.Go(func() { t.send(ctx) })
	n.Cleanup(t.stop)
	return t
}

func (t *traffic) stop() {
	t.cancel()
	t.wg.Wait()
}

func (t *traffic) send(ctx context.Context) {
	var clients []*client.Client // that do not try again: another node is as good
	for _, i := range t.nodes {
		c, err := client.New(t.n.state.Nodes[i].API, client.Options{Attempts: 1, Timeout: time.Second})
		if err != nil {
			t.fail(err)
			return
		}
		defer c.Close()
		clients = append(clients, c)
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for round := 0; ; round++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		cctx, cancel := context.WithTimeout(ctx, time.Second)
		c := clients[round%len(clients)]
		if ref, err := c.Reference(cctx, t.n.chain); err == nil {
			t.burst(cctx, c, ref, round)
		}
		cancel()
	}
}

func (t *traffic) burst(ctx context.Context, c *client.Client, ref *client.Reference, round int) {
	var list [][]byte
	var ids []types.TxID
	expires := uint64(0)
	for i := range burst {
		a := t.n.accounts
		from, to := a[(round+i)%len(a)], a[(round+i+1)%len(a)].Account()
		tx, err := client.Build(ref, from.Account(), types.SingleKeyAuthority(from.Public()), types.ModuleBank, []types.Action{client.Transfer(to, 1, nil)},
			client.BuildOptions{Lifetime: ref.Params.TxLifetime})
		if err != nil {
			t.fail(err)
			return
		}
		env, id, err := client.Sign(ref.Chain, tx, from)
		if err != nil {
			t.fail(err)
			return
		}
		list, ids, expires = append(list, env), append(ids, id), tx.Expires
	}
	res, err := c.Submit(ctx, t.n.chain, list...)
	if err != nil {
		return // the node is away
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, r := range res {
		if r.Name == "" {
			t.taken[ids[i]] = expires
		}
	}
}

func (t *traffic) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wrong == "" {
		t.wrong = err.Error()
	}
}

// final tells how many transfers were taken by a node, and how many of these are final.
func (t *traffic) final() (taken, final int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n.view.mu.Lock()
	defer t.n.view.mu.Unlock()
	for id := range t.taken {
		if _, ok := t.n.view.txs[id]; ok {
			final++
		}
	}
	return len(t.taken), final
}

// awaitAll stops sending, and waits until every transfer that a node has taken is final.
func (t *traffic) awaitAll() {
	t.n.Helper()
	t.stop()
	if t.wrong != "" {
		t.n.Fatal(t.wrong)
	}
	t.n.await("all transfers to be final", func() error {
		if taken, final := t.final(); final < taken {
			return fmt.Errorf("%d of %d are", final, taken)
		}
		return nil
	})
	taken, _ := t.final()
	if taken == 0 {
		t.n.Fatal("no node has taken a transfer")
	}
	t.n.Logf("all of %d transfers are final, each in one block", taken)
}
