package chain

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// peerFinals is the newest final height that each peer claims. A claim only says whom to ask: what comes is verified. A peer
// that claims what it does not prove is left alone for a while, and longer each time.
type peerFinals struct {
	mu sync.Mutex
	m  map[types.Hash]*claim
}

type claim struct {
	height   uint64
	failures int
	notUntil time.Time
}

// maxClaims bounds the peers whose claims are remembered.
const maxClaims = 4096

// announce tells peers of a new final block: height, id.
func (c *Chain) announce(tip *node) {
	e := types.NewEncoder(64)
	e.Uint(tip.header.Height)
	e.Hash(tip.id)
	c.cfg.Network.Broadcast(MsgFinal, e.Bytes())
}

// Announcement is what a node tells a peer that has just connected.
func (c *Chain) Announcement() []byte {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e := types.NewEncoder(64)
	e.Uint(c.tree.final.header.Height)
	e.Hash(c.tree.final.id)
	return e.Bytes()
}

func (c *Chain) onPeerFinal(from types.Hash, payload []byte) {
	d := types.NewDecoder(payload)
	height := d.Uint()
	d.Hash()
	if d.Finish() != nil {
		return
	}
	c.peers.set(from, height)
	if height > c.FinalHeight()+1 {
		c.kickSync()
	}
}

func (p *peerFinals) set(from types.Hash, height uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m == nil {
		p.m = map[types.Hash]*claim{}
	}
	k := p.m[from]
	if k == nil {
		if len(p.m) >= maxClaims {
			clear(p.m) // those that are connected say it again with their next final block
		}
		k = &claim{}
		p.m[from] = k
	}
	k.height = height
}

// result notes how asking a peer went.
func (p *peerFinals) result(peer types.Hash, ok bool, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.m[peer]
	switch {
	case k == nil:
	case ok:
		k.failures, k.notUntil = 0, time.Time{}
	default:
		k.notUntil = now.Add(min(firstShun<<min(k.failures, 10), lastShun))
		k.failures++
	}
}

// How long a peer is left alone whose range could not be used.
const (
	firstShun = 250 * time.Millisecond
	lastShun  = 30 * time.Second
)

// ahead returns those of the peers that claim a final block above height and may be asked, the furthest first, and of them those
// first that have not failed.
func (p *peerFinals) ahead(connected []types.Hash, height uint64, now time.Time) []types.Hash {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []types.Hash
	for _, id := range connected {
		if k := p.m[id]; k != nil && k.height > height && !now.Before(k.notUntil) {
			out = append(out, id)
		}
	}
	slices.SortStableFunc(out, func(a, b types.Hash) int {
		x, y := p.m[a], p.m[b]
		return cmp.Or(cmp.Compare(x.failures, y.failures), cmp.Compare(y.height, x.height))
	})
	return out
}

func (c *Chain) kickSync() {
	select {
	case c.behind <- struct{}{}:
	default:
	}
}

func (c *Chain) ahead(height uint64) []types.Hash {
	return c.peers.ahead(c.cfg.Network.Peers(), height, c.cfg.Clock.Now())
}

const (
	rangeTimeout = 10 * time.Second
	minPoll      = 200 * time.Millisecond
	maxPoll      = 2 * time.Second
)

// runSyncer fetches certified ranges when the node has fallen behind what consensus brings by itself. It is told when a peer is
// well ahead, and looks by itself now and then: if the network waits for this very node, nobody announces anything new.
func (c *Chain) runSyncer(ctx context.Context) error {
	slot := time.Duration(c.cfg.Genesis.SlotMs) * time.Millisecond
	poll := time.NewTicker(min(max(2*slot, minPoll), maxPoll))
	defer poll.Stop()
	var polled uint64
	for {
		var before uint64
		select {
		case <-ctx.Done():
			return nil
		case <-poll.C:
			before, polled = polled, c.FinalHeight()
			c.cfg.Metrics.status(c)
		case <-c.behind:
			before = c.FinalHeight()
			// Consensus may be about to bring it: a slot's patience.
			if !c.wait(ctx, min(slot, maxPoll)) {
				return nil
			}
		}
		if now := c.FinalHeight(); now > before && len(c.ahead(now+4)) == 0 {
			continue
		}
		c.catchUp(ctx)
	}
}

// catchUp asks one peer after the other until nobody claims to be ahead or nothing moves.
func (c *Chain) catchUp(ctx context.Context) {
	for ctx.Err() == nil {
		height := c.FinalHeight()
		moved := false
		ahead := c.ahead(height)
		if len(ahead) > 0 && !c.mayTrust() {
			return
		}
		for _, p := range ahead {
			err := c.fetchRange(ctx, p, height+1)
			if ctx.Err() != nil {
				return
			}
			if moved = err == nil; !moved {
				if c.FinalHeight() > height {
					moved = true // consensus was faster, and the answer too old: nobody's fault
					break
				}
				if errors.Is(err, ErrCheckpoint) {
					c.refuted(err)
				}
				c.log.Warn("a peer's range could not be used", "peer", p.Short(), "from", height+1, "cause", err)
			}
			c.peers.result(p, moved, c.cfg.Clock.Now())
			if moved {
				break
			}
		}
		if !moved {
			return
		}
	}
}

// errRange marks what is wrong with a peer's range, as opposed to what is wrong here.
var errRange = errors.New("bad range")

func badRange(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errRange, fmt.Errorf(format, args...))
}

// fetchRange asks a peer for final blocks from a height on and applies them. Its error is about the peer: what goes wrong here
// while the range is applied ends the worker, and with it the chain.
func (c *Chain) fetchRange(ctx context.Context, peer types.Hash, from uint64) error {
	rctx, cancel := context.WithTimeout(ctx, rangeTimeout)
	defer cancel()
	e := types.NewEncoder(10)
	e.Uint(from)
	raw, err := c.cfg.Network.Request(rctx, peer, ReqRange, e.Bytes())
	if err != nil {
		return err
	}
	r, err := c.openRange(raw)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	c.do(func(ctx context.Context) error {
		err := c.applyRange(ctx, r)
		if err != nil && !errors.Is(err, errRange) {
			return err
		}
		done <- err
		return nil
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// certified is a range whose last block is final by the set of its epoch. The proof vouches for every block whose child chain of
// headers leads to it, and each header for its body.
type certified struct {
	headers []*types.Header
	bodies  [][]byte
	proof   *types.Finality
	epoch   *epoch
}

func (r *certified) last() *types.Header { return r.headers[len(r.headers)-1] }

// openRange reads what a peer sent and verifies its proof. A range lies in one epoch, that which is in force here, and ends with
// the closing block at the latest: only then is it known who may vouch for what comes after.
func (c *Chain) openRange(raw []byte) (*certified, error) {
	blocks, proof, err := decodeRange(raw)
	if err != nil {
		return nil, badRange("%w", err)
	}
	if len(blocks) == 0 {
		return nil, badRange("it is empty")
	}
	c.mu.RLock()
	r := &certified{proof: proof, epoch: c.tree.final.inForce()}
	c.mu.RUnlock()
	for i, b := range blocks {
		// A copy, or one small block would keep the whole answer in memory.
		h, body, err := decodeBlock(bytes.Clone(b))
		switch {
		case err != nil:
			return nil, badRange("block %d of it: %w", i, err)
		case h.Chain != c.id:
			return nil, badRange("block %d is of chain %s", h.Height, h.Chain.Short())
		case i > 0 && (h.Parent != r.last().ID() || h.Height != r.last().Height+1):
			return nil, badRange("block %d is not the child of the one before", h.Height)
		case i > 0 && r.last().Closes():
			return nil, badRange("block %d follows the closing block of epoch %d", h.Height, r.last().Epoch)
		case h.Epoch != r.epoch.set.Epoch:
			return nil, badRange("block %d is of epoch %d, epoch %d is in force here", h.Height, h.Epoch, r.epoch.set.Epoch)
		}
		if err := c.trust.contradicted(h); err != nil {
			return nil, badRange("%w", err)
		}
		r.headers, r.bodies = append(r.headers, h), append(r.bodies, body)
	}
	if err := proof.Verify(r.epoch.set, r.last()); err != nil {
		return nil, badRange("%w", err)
	}
	return r, nil
}

// applyRange checks, executes and finalises blocks that a proof makes final. An error that wraps errRange is the fault of who
// sent it.
func (c *Chain) applyRange(ctx context.Context, r *certified) error {
	last := r.last()
	if last.Height <= c.tree.final.header.Height {
		return badRange("it ends at height %d, and %d is final here", last.Height, c.tree.final.header.Height)
	}
	for i, h := range r.headers {
		id := h.ID()
		if h.Height <= c.tree.final.header.Height || c.node(id) != nil {
			continue
		}
		parent := c.node(h.Parent)
		if parent == nil {
			return badRange("block %d does not continue what this node has", h.Height)
		}
		body, err := c.openBody(h, r.bodies[i])
		if err != nil {
			return badRange("body of block %d: %w", h.Height, err)
		}
		n, err := c.check(ctx, parent, h, body)
		if err != nil {
			if errors.Is(err, errInvalid) {
				return fmt.Errorf("%w: a block that a quorum has made final is not valid here: height %d: %w", errFatal, h.Height, err)
			}
			return err
		}
		if err := c.adopt(ctx, n); err != nil {
			return err
		}
	}
	n := c.node(last.ID())
	if n == nil {
		return badRange("its last block does not descend from what is final here")
	}
	if err := c.place(ctx, n); err != nil {
		return err
	}
	if n.epoch.hash != r.epoch.hash {
		return badRange("block %d does not descend from the block that epoch %d begins with here", last.Height, last.Epoch)
	}
	if err := c.mayBeFinal(n); err != nil {
		return badRange("block %d: %w", last.Height, err)
	}
	if err := c.finalise(ctx, n, r.proof); err != nil {
		return err
	}
	c.step(&consensus.Finalised{Header: n.header, Proof: r.proof, Next: n.nextSet(), NowMs: c.nowMs()})
	return c.tryChildren(ctx, n.id)
}

// OnRequest answers a peer.
func (c *Chain) OnRequest(ctx context.Context, _ types.Hash, purpose byte, payload []byte) ([]byte, error) {
	switch purpose {
	case ReqBody:
		id, err := types.HashFromBytes(payload)
		if err != nil {
			return nil, err
		}
		b, err := c.blockByID(ctx, id)
		if err != nil {
			return nil, err
		}
		return b.body, nil
	case ReqTxs:
		return c.serveTxs(ctx, payload)
	case ReqRange:
		d := types.NewDecoder(payload)
		from := d.Uint()
		if err := d.Finish(); err != nil {
			return nil, err
		}
		return c.serveRange(ctx, from)
	}
	return nil, fmt.Errorf("unknown request %q", purpose)
}

// serveRange returns final blocks of one epoch from a height on, as far as a proof and the size of an answer reach.
func (c *Chain) serveRange(ctx context.Context, from uint64) ([]byte, error) {
	var blocks [][]byte
	var proof []byte
	certified, size := 0, 0
	for h := from; len(blocks) < maxRange && (size < maxRangeBytes || certified == 0); h++ {
		b, err := c.finalAt(ctx, h)
		if err != nil {
			break
		}
		rec := encodeBlock(b.Header.Encode(), b.body)
		if size += len(rec); size > types.MaxBodyBytes && len(blocks) > 0 {
			break
		}
		blocks = append(blocks, rec)
		if b.proof != nil {
			certified, proof = len(blocks), b.proof.Encode()
		}
		if b.Header.Closes() {
			break // who receives it does not know yet who may vouch for what follows
		}
	}
	if certified == 0 {
		return nil, fmt.Errorf("%w: no certified block from height %d on", ErrNotFound, from)
	}
	return encodeRange(blocks[:certified], proof), nil
}

// EncodeTxs packs envelopes for gossip.
func EncodeTxs(envelopes [][]byte) []byte {
	e := types.NewEncoder(256 * len(envelopes))
	e.Uint(uint64(len(envelopes)))
	for _, v := range envelopes {
		e.Blob(v)
	}
	return e.Bytes()
}

// Bounds of one message: of transactions, and of bytes as far as this node sends them.
const (
	maxGossip      = 4096
	maxGossipBytes = 4 << 20
)

func decodeTxs(b []byte) ([][]byte, error) {
	d := types.NewDecoder(b)
	out := make([][]byte, d.Count(maxGossip, 1))
	for i := range out {
		// A copy, or one transaction that waits would keep the whole message in memory.
		out[i] = append([]byte(nil), d.Blob(types.MaxEnvelopeBytes)...)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("batch of transactions: %w", err)
	}
	return out, nil
}

// runAdmission admits what peers gossip.
func (c *Chain) runAdmission(ctx context.Context) error {
	for {
		in, ok := c.txs.pop(ctx)
		if !ok {
			return nil
		}
		envelopes, err := decodeTxs(in)
		if err != nil {
			continue
		}
		_, _ = c.admit(ctx, envelopes)
	}
}

// admit takes what peers gossip into the pool, by the rules for what a client submits, so that a peer cannot fill the pool with
// what nobody will pay for. Only the reference is not looked at: it may name a block that is still on its way to this node.
func (c *Chain) admit(ctx context.Context, envelopes [][]byte) ([]*ledger.Tx, []error) {
	txs, errs := c.cfg.Pool.Parse(c.Slot(), envelopes)
	parsed := append([]error(nil), errs...)
	err := c.fresh(ctx, false, func(head *node) error {
		copy(errs, parsed)
		return c.screen(ctx, head, txs, errs)
	})
	for i, t := range txs {
		if t == nil || errs[i] != nil {
			continue
		}
		if errs[i] = err; err == nil {
			errs[i] = c.cfg.Pool.Add(t)
		}
	}
	return txs, errs
}
