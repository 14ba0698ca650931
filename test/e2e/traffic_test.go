package e2e_test

import (
	"context"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// traffic sends transfers to all nodes in turn, and remembers what became final, when, and in which block, as every node
// told it first.
type traffic struct {
	n      *network
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu        sync.Mutex
	envelopes map[types.TxID][]byte // taken by a node
	expires   map[types.TxID]uint64
	blocks    map[uint64]types.BlockID // final, by height
	finals    map[types.TxID]uint64    // height by transaction
	times     []map[uint64]time.Time   // by node: when a height was seen final
	conflict  string
}

// burst is how many transfers are sent at once, every pause.
const (
	burst = 20
	pause = 50 * time.Millisecond
)

func (n *network) traffic() *traffic {
	ctx, cancel := context.WithCancel(context.Background())
	t := &traffic{n: n, cancel: cancel, envelopes: map[types.TxID][]byte{}, expires: map[types.TxID]uint64{}, blocks: map[uint64]types.BlockID{},
		finals: map[types.TxID]uint64{}, times: make([]map[uint64]time.Time, len(n.nodes))}
	for i := range n.nodes {
		t.times[i] = map[uint64]time.Time{}
		t.wg.Go(func() { t.watch(ctx, i) })
	}
	t.wg.Go(func() { t.send(ctx) })
	n.Cleanup(t.stop)
	return t
}

// stop ends sending and watching.
func (t *traffic) stop() {
	t.cancel()
	t.wg.Wait()
}

func (t *traffic) send(ctx context.Context) {
	nodes := make([]*client.Client, len(t.n.nodes)) // that do not try again: another node is as good
	for i, x := range t.n.state.Nodes {
		c, err := client.New(x.API, client.Options{Attempts: 1, Timeout: time.Second})
		if err != nil {
			t.fail(err.Error())
			return
		}
		defer c.Close()
		nodes[i] = c
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	var ref *client.Reference
	for round := 0; ; round++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c := nodes[round%len(nodes)]
		cctx, cancel := context.WithTimeout(ctx, time.Second)
		if r, err := c.Reference(cctx, t.n.chain); err == nil {
			ref = r
		}
		if ref != nil {
			t.burst(cctx, c, ref, round)
		}
		cancel()
	}
}

func (t *traffic) burst(ctx context.Context, c *client.Client, ref *client.Reference, round int) {
	var list [][]byte
	var ids []types.TxID
	var expires []uint64
	for i := range burst {
		from := t.n.accounts[(round+i)%len(t.n.accounts)]
		to := t.n.accounts[(round+i+1)%len(t.n.accounts)].Account()
		tx, err := client.Build(ref, from.Account(), types.SingleKeyAuthority(from.Public()), types.ModuleBank, []types.Action{client.Transfer(to, 1, nil)}, client.BuildOptions{})
		if err != nil {
			t.fail("build: " + err.Error())
			return
		}
		env, id, err := client.Sign(ref.Chain, tx, from)
		if err != nil {
			t.fail("sign: " + err.Error())
			return
		}
		list, ids, expires = append(list, env), append(ids, id), append(expires, tx.Expires)
	}
	res, err := c.Submit(ctx, t.n.chain, list...)
	if err != nil {
		return // the node is away
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, r := range res {
		if r.Name == "" {
			t.envelopes[ids[i]], t.expires[ids[i]] = list[i], expires[i]
		}
	}
}

func (t *traffic) fail(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conflict == "" {
		t.conflict = what
	}
}

// watch follows a node's final blocks, over all its absences.
func (t *traffic) watch(ctx context.Context, node int) {
	next := uint64(1)
	for ctx.Err() == nil {
		for b, err := range t.n.nodes[node].WatchFinal(ctx, t.n.chain, next, client.DetailReceipts) {
			if err != nil {
				break
			}
			next = b.Header.Height + 1
			t.mu.Lock()
			t.times[node][b.Header.Height] = time.Now()
			if have, ok := t.blocks[b.Header.Height]; ok && have != b.ID && t.conflict == "" {
				t.conflict = "two final blocks at one height: " + have.String() + " and " + b.ID.String()
			}
			t.blocks[b.Header.Height] = b.ID
			for _, id := range b.TxIDs {
				if h, ok := t.finals[id]; ok && h != b.Header.Height && t.conflict == "" {
					t.conflict = "transaction " + id.String() + " is in two blocks"
				}
				t.finals[id] = b.Header.Height
			}
			t.mu.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// resumed returns how long after an instant a node saw a new final block, and the longest pause between two final blocks from
// then on.
func (t *traffic) resumed(node int, after time.Time) (first, gap time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var last, next uint64
	for h, at := range t.times[node] {
		if at.After(after) && (next == 0 || h < next) {
			next = h
		}
		last = max(last, h)
	}
	if next == 0 {
		return 0, 0
	}
	first = t.times[node][next].Sub(after)
	gap = first
	if before, ok := t.times[node][next-1]; ok {
		gap = t.times[node][next].Sub(before)
	}
	for h := next + 1; h <= last; h++ {
		gap = max(gap, t.times[node][h].Sub(t.times[node][h-1]))
	}
	return first, gap
}

// check compares what was seen final with what every node says now: the same blocks, and no transaction lost.
func (t *traffic) check() {
	n := t.n
	n.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conflict != "" {
		n.Fatal(t.conflict)
	}
	var high uint64
	for h := range t.blocks {
		high = max(high, h)
	}
	n.awaitFinal(high)
	seen := 0
	for i, c := range n.nodes {
		found := map[types.TxID]uint64{}
		for from := uint64(1); from <= high; {
			blocks, next, err := c.Blocks(n.ctx(), n.chain, from, 100, client.DetailReceipts)
			if err != nil || next <= from {
				n.Fatalf("blocks from %d of node %d: %v", from, i, err)
			}
			for _, b := range blocks {
				if want, ok := t.blocks[b.Header.Height]; ok && want != b.ID {
					n.Fatalf("node %d has block %s at height %d, final was %s", i, b.ID.Short(), b.Header.Height, want.Short())
				}
				for _, id := range b.TxIDs {
					if h, twice := found[id]; twice {
						n.Fatalf("node %d has transaction %s in blocks %d and %d", i, id.Short(), h, b.Header.Height)
					}
					found[id] = b.Header.Height
				}
			}
			from = next
		}
		for id, h := range t.finals {
			if found[id] != h {
				n.Fatalf("transaction %s was final in block %d; node %d has it in %d (0: nowhere)", id.Short(), h, i, found[id])
			}
		}
		seen = len(found)
	}
	n.Logf("%d final transactions in %d blocks are on all nodes", seen, high)
}
