package chain

import (
	"context"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// bodyCache holds bodies that peers sent before a check could use them. Anybody may send anything under any block's id, so
// that several bodies are kept for one block, of each peer one, until it is known which of them is the block's.
type bodyCache struct {
	mu     sync.Mutex
	wanted map[types.BlockID]bool // by a check that waits
	m      map[types.BlockID]map[types.Hash]*sentBody
	peers  map[types.Hash]*peerBodies
	bytes  int
}

// sentBody is what a peer has sent as a block's body.
type sentBody struct {
	raw   []byte // nil once it is known not to be the block's
	short bool   // see shortBody
	tried bool   // a short form that was given to the check
}

// peerBodies is what one peer has in the cache.
type peerBodies struct {
	order []types.BlockID // oldest first
	bytes int
}

// Bounds of the cache.
const (
	maxPeerBodies      = 64
	maxPeerBodyBytes   = 2 * types.MaxBodyBytes
	maxCachedBodyBytes = 128 << 20
)

func newBodyCache() *bodyCache {
	return &bodyCache{wanted: map[types.BlockID]bool{}, m: map[types.BlockID]map[types.Hash]*sentBody{}, peers: map[types.Hash]*peerBodies{}}
}

// put takes a body that a peer sent and tells whether a check waits for it. A second one of the same peer for the same block
// is not taken, but that a whole one takes the place of a short form.
func (b *bodyCache) put(from types.Hash, id types.BlockID, body []byte, short bool) (wanted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if had := b.m[id][from]; had != nil {
		if !had.short || short {
			return false
		}
		b.remove(from, id)
	}
	p := b.peers[from]
	if p == nil {
		p = &peerBodies{}
		b.peers[from] = p
	}
	if b.m[id] == nil {
		b.m[id] = map[types.Hash]*sentBody{}
	}
	b.m[id][from] = &sentBody{raw: body, short: short}
	p.order = append(p.order, id)
	p.bytes += len(body)
	b.bytes += len(body)
	for len(p.order) > maxPeerBodies || p.bytes > maxPeerBodyBytes {
		b.remove(from, p.order[0])
	}
	for b.bytes > maxCachedBodyBytes {
		b.dropFromLargest()
	}
	return b.wanted[id]
}

func (b *bodyCache) dropFromLargest() {
	var most types.Hash
	for k, p := range b.peers {
		if q := b.peers[most]; q == nil || p.bytes > q.bytes {
			most = k
		}
	}
	b.remove(most, b.peers[most].order[0])
}

func (b *bodyCache) remove(from types.Hash, id types.BlockID) {
	p := b.peers[from]
	n := len(b.m[id][from].raw)
	b.bytes -= n
	p.bytes -= n
	for i, o := range p.order {
		if o == id {
			p.order = append(p.order[:i], p.order[i+1:]...)
			break
		}
	}
	if len(p.order) == 0 {
		delete(b.peers, from)
	}
	if delete(b.m[id], from); len(b.m[id]) == 0 {
		delete(b.m, id)
	}
}

// want returns the bodies that are here for a block, and has put tell of further ones.
func (b *bodyCache) want(id types.BlockID) map[types.Hash][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wanted[id] = true
	out := make(map[types.Hash][]byte, len(b.m[id]))
	for from, body := range b.m[id] {
		if body.raw != nil && !body.short {
			out[from] = body.raw
		}
	}
	return out
}

// offers returns the short forms of a block that were not returned before.
func (b *bodyCache) offers(id types.BlockID) (out []offer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for from, body := range b.m[id] {
		if body.short && !body.tried {
			body.tried = true
			out = append(out, offer{from, body.raw})
		}
	}
	return out
}

// reject forgets a body that is not the block's. That the peer sent it is remembered, so that it is not believed again.
func (b *bodyCache) reject(from types.Hash, id types.BlockID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if body := b.m[id][from]; body != nil {
		b.bytes -= len(body.raw)
		b.peers[from].bytes -= len(body.raw)
		body.raw, body.short = nil, false
	}
}

// drop forgets a block.
func (b *bodyCache) drop(id types.BlockID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.wanted, id)
	for from := range b.m[id] {
		b.remove(from, id)
	}
}

// onBody takes a body that a peer pushed or sent. What it is worth is found out by the check that wants it.
func (c *Chain) onBody(from types.Hash, payload []byte) {
	if len(payload) < 33 || uint64(len(payload)-32) > c.cfg.Ledger.MaxBlockBytes() {
		return
	}
	id := types.BlockID(payload[:32])
	if c.node(id) == nil && c.bodies.put(from, id, payload[32:], false) {
		c.do(func(ctx context.Context) error { return c.tryParked(ctx, id) })
	}
}

// How bodies are asked for. A peer that does not answer at once does not hold up the next.
const (
	bodyGrace           = 50 * time.Millisecond // see obtainBody
	bodyStagger         = 200 * time.Millisecond
	bodyRequestTimeout  = 3 * time.Second
	bodyRequestAttempts = 8
)

// fetchBody asks peers for a body, those who vouched for the block first, until ctx ends because it is here or nobody is left
// to ask.
func (c *Chain) fetchBody(ctx context.Context, id types.BlockID, from []types.Hash) {
	answered := make(chan struct{}, bodyRequestAttempts)
	asked, open := map[types.Hash]bool{{}: true}, 0
	for _, p := range append(append([]types.Hash(nil), from...), c.cfg.Network.Peers()...) {
		if asked[p] || len(asked) > bodyRequestAttempts {
			continue
		}
		asked[p] = true
		open++
		c.fetch.Go(func() {
			c.requestBody(ctx, id, p)
			answered <- struct{}{}
		})
		timer := time.NewTimer(bodyStagger)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-answered: // with the body, so that ctx ends in a moment, or without
			open--
		case <-timer.C:
		}
		timer.Stop()
	}
	for ; open > 0; open-- {
		select {
		case <-ctx.Done():
			return
		case <-answered:
		}
	}
	// The engine's next question asks again. First what was answered is looked at: the worker does one thing after the other.
	c.do(func(context.Context) error {
		if p := c.parked[id]; p != nil {
			p.asked = nil
		}
		return nil
	})
}

func (c *Chain) requestBody(ctx context.Context, id types.BlockID, peer types.Hash) {
	ctx, cancel := context.WithTimeout(ctx, bodyRequestTimeout)
	defer cancel()
	body, err := c.cfg.Network.Request(ctx, peer, ReqBody, id[:])
	if err == nil && len(body) > 0 {
		c.onBody(peer, append(append(make([]byte, 0, 32+len(body)), id[:]...), body...))
	}
}
