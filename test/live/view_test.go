package live

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/api"
	"github.com/paloalto-chain/paloalto/client"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// view is what the nodes tell of their final blocks, from the first one on and over all their absences.
type view struct {
	n      *network
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	changed  chan struct{} // closed at the next block
	params   api.Params
	high     []uint64               // by node: the highest final block
	times    []map[uint64]time.Time // by node: when a height was seen final
	headers  map[uint64]*types.Header
	ids      map[uint64]types.BlockID
	txs      map[types.TxID]uint64 // height of final ones
	conflict string
}

func newView(n *network) *view {
	ctx, cancel := context.WithCancel(context.Background())
	v := &view{n: n, cancel: cancel, changed: make(chan struct{}), high: make([]uint64, len(n.clients)), headers: map[uint64]*types.Header{},
		ids: map[uint64]types.BlockID{}, txs: map[types.TxID]uint64{}}
	for i := range n.clients {
		v.times = append(v.times, map[uint64]time.Time{})
		v.wg.Go(func() { v.watch(ctx, i) })
	}
	return v
}

func (v *view) close() {
	v.cancel()
	v.wg.Wait()
}

func (v *view) watch(ctx context.Context, node int) {
	c := v.n.clients[node]
	for known := false; ctx.Err() == nil; {
		if !known {
			if ref, err := c.Reference(ctx, v.n.chain); err == nil {
				v.mu.Lock()
				v.params, known = ref.Params, true
				v.mu.Unlock()
			}
		}
		if known {
			for b, err := range c.WatchFinal(ctx, v.n.chain, v.height(node)+1, client.DetailIDs) {
				if err != nil {
					break
				}
				v.add(node, b)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (v *view) height(node int) uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.high[node]
}

func (v *view) add(node int, b *api.Block) {
	now := time.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	h := b.Header.Height
	if have, ok := v.ids[h]; ok && have != b.ID {
		v.fail("two final blocks at height %d: %s, and %s on %s", h, have, b.ID, v.n.name(node))
	}
	for _, id := range b.TxIDs {
		if other, ok := v.txs[id]; ok && other != h {
			v.fail("transaction %s is in blocks %d and %d", id, other, h)
		}
		v.txs[id] = h
	}
	v.ids[h], v.headers[h], v.high[node], v.times[node][h] = b.ID, b.Header, h, now
	close(v.changed)
	v.changed = make(chan struct{})
}

func (v *view) fail(format string, args ...any) {
	if v.conflict == "" {
		v.conflict = fmt.Sprintf(format, args...)
	}
}

// check fails the test if nodes have contradicted each other, or themselves.
func (v *view) check() {
	v.n.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.conflict != "" {
		v.n.Fatal(v.conflict)
	}
}

// await waits until what the nodes have told satisfies a condition, which is called with the lock held.
func (v *view) await(what string, cond func(*view) bool) {
	v.n.Helper()
	for {
		v.mu.Lock()
		ok, changed, conflict, high := cond(v), v.changed, v.conflict, fmt.Sprint(v.high)
		v.mu.Unlock()
		switch {
		case conflict != "":
			v.n.Fatal(conflict)
		case ok:
			return
		}
		select {
		case <-changed:
		case <-v.n.ctx.Done():
			v.n.Fatalf("%s: it did not come in time; final heights of the nodes: %s", what, high)
		}
	}
}

// figures are what was measured over some blocks.
type figures struct {
	blocks    int
	slots     uint64
	delays    []time.Duration // from the start of the slot to irreversible, of each block on each node, ascending
	gap       time.Duration   // the longest between two final blocks on one node
	producers map[types.Hash]int
	handOvers int    // to a next epoch
	handGap   uint64 // the most slots from the last block of an epoch to the first of the next
}

// measure returns the figures of the blocks from one height on, up to and including another, as nodes told them.
func (v *view) measure(from, to uint64, nodes ...int) figures {
	v.mu.Lock()
	defer v.mu.Unlock()
	f := figures{producers: map[types.Hash]int{}}
	for h := from; h <= to; h++ {
		hd := v.headers[h]
		if hd == nil {
			continue
		}
		f.blocks++
		f.producers[hd.Producer]++
		if before := v.headers[h-1]; before != nil && before.Epoch != hd.Epoch {
			f.handOvers++
			f.handGap = max(f.handGap, hd.Slot-before.Slot)
		}
		f.slots = hd.Slot - v.headers[from].Slot + 1
		start := time.UnixMilli(int64(v.params.SlotTimeMs(hd.Slot)))
		for _, i := range nodes {
			at, ok := v.times[i][h]
			if !ok {
				continue
			}
			f.delays = append(f.delays, at.Sub(start))
			if before, ok := v.times[i][h-1]; ok && h > from {
				f.gap = max(f.gap, at.Sub(before))
			}
		}
	}
	slices.Sort(f.delays)
	return f
}

// at is the delay that a share of the blocks does not exceed.
func (f figures) at(p float64) time.Duration {
	if len(f.delays) == 0 {
		return 0
	}
	return f.delays[min(int(p*float64(len(f.delays))), len(f.delays)-1)]
}

func (f figures) String() string {
	epochs := ""
	if f.handOvers > 0 {
		epochs = fmt.Sprintf("; %d hand-overs to a next epoch, at most %d slots each", f.handOvers, f.handGap)
	}
	return fmt.Sprintf("%d blocks in %d slots; from the slot's start to irreversible: p50 %d ms, p90 %d ms, p99 %d ms, max %d ms; longest gap %d ms", f.blocks,
		f.slots, f.at(.5).Milliseconds(), f.at(.9).Milliseconds(), f.at(.99).Milliseconds(), f.at(1).Milliseconds(), f.gap.Milliseconds()) + epochs
}

// finality waits for more final blocks on nodes and returns their figures.
func (n *network) finality(count int, nodes ...int) figures {
	n.Helper()
	from := n.highest(nodes...) + 2
	to := from + uint64(count) - 1
	n.awaitFinal(to, nodes...)
	return n.view.measure(from, to, nodes...)
}

// names of the producers of some blocks, with how many they made.
func (n *network) producedBy(f figures) string {
	var out []string
	for i, x := range n.state.Nodes {
		out = append(out, fmt.Sprintf("%s %d", n.name(i), f.producers[x.Key.Hash()]))
	}
	return strings.Join(out, ", ")
}
