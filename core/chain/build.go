package chain

import (
	"bytes"
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// build makes a block for the engine and answers Built. The block is known and checked here at once. It is executed before if it has
// anything for a plugin, see rehearse; else when its proposal has left, or when something is built on it.
func (c *Chain) build(ctx context.Context, r *consensus.Build) error {
	built := &consensus.Built{Slot: r.Slot, Parent: r.Parent}
	n, err := c.newBlock(ctx, r)
	if err == nil && n != nil {
		if n, err = c.rehearse(ctx, n); c.Slot() > r.Slot {
			n = nil
		}
	}
	if err != nil {
		return err
	}
	if n == nil {
		built.NowMs = c.nowMs()
		c.step(built)
		return nil
	}
	rec := journal.Record{Type: recBlock, Data: encodeBlock(n.header.Encode(), n.body)}
	if n.pos, _, err = c.append(ctx, rec); err != nil {
		return err
	}
	c.insert(n)
	c.produced.Add(1)
	c.own.Store(n)
	built.Header, built.Next, built.NowMs = n.header, n.nextSet(), c.nowMs()
	c.step(built)
	if !bytes.Equal(n.body, emptyBody) {
		c.broadcastBody(n)
	}
	return nil
}

// newBlock makes the block, or nil if there can be none: the slot has passed, or this node has no seat in the epoch.
func (c *Chain) newBlock(ctx context.Context, r *consensus.Build) (*node, error) {
	parent := c.node(r.Parent)
	if parent == nil || c.Slot() > r.Slot {
		return nil, nil
	}
	if err := c.execute(ctx, parent); err != nil {
		return nil, err
	}
	e := parent.epoch
	if r.Epoch != parent.header.Epoch {
		e = parent.next
	}
	switch {
	case e == nil || e.set.Epoch != r.Epoch:
		c.log.Error("the engine wants a block of an epoch that does not follow its parent", "epoch", r.Epoch, "height", parent.header.Height+1,
			"parent_epoch", parent.header.Epoch, "closes", parent.header.Closes())
		return nil, nil
	case c.cfg.Signer == nil || !e.has(c.key):
		c.log.Error("the engine wants a block, but this node has no seat in the epoch", "epoch", r.Epoch)
		return nil, nil
	}
	return c.assemble(ctx, parent, r)
}

// assemble chooses transactions and completes the header.
func (c *Chain) assemble(ctx context.Context, parent *node, r *consensus.Build) (*node, error) {
	h := &types.Header{
		Chain: c.id, Height: parent.header.Height + 1, Slot: r.Slot, Epoch: r.Epoch, Parent: parent.id, Producer: c.key,
		Clock:     types.NextClock(parent.header.Clock, parent.header.Slot, r.Slot),
		StateRoot: parent.result.layer.Root(), ReceiptsRoot: parent.result.receiptsRoot, OutboxRoot: outboxRoot,
		HistoryRoot: parent.result.history.Root(), Consensus: r.Consensus,
	}
	if len(r.VRFInput) > 0 {
		proof, err := c.cfg.Signer.ProveVRF(r.VRFInput)
		if err != nil {
			return nil, fmt.Errorf("slot %d: %w", r.Slot, err)
		}
		h.Consensus = append(append(make([]byte, 0, len(r.Consensus)+len(proof)), r.Consensus...), proof...)
	}
	if next := c.due(parent, r.Epoch); next != nil {
		h.NextSet = next.Hash()
	}
	s, err := c.stand(parent, h)
	if err != nil {
		return nil, fmt.Errorf("slot %d: %w", r.Slot, err)
	}
	n := &node{header: h, parent: parent, standing: s, ids: map[types.TxID]uint64{}}
	if s.suffix {
		empty := types.Body{}
		h.BodyRoot, h.ExtensionRoot = empty.BodyRoot(nil), empty.ExtensionRoot()
		n.body, n.id = emptyBody, h.ID()
		return n, nil
	}
	return n, c.fill(ctx, n, r)
}

// fill puts a body into a block that is otherwise complete.
func (c *Chain) fill(ctx context.Context, n *node, r *consensus.Build) error {
	h, parent := n.header, n.parent
	body := types.Body{Certificate: r.Certificate}
	if len(r.Certificate) > 0 {
		cert, err := types.DecodeCertificate(r.Certificate)
		if err != nil {
			return fmt.Errorf("the engine's certificate for slot %d: %w", r.Slot, err)
		}
		h.CertHeight = cert.Height
	}
	var txs []*ledger.Tx
	if !r.Empty {
		var err error
		c.rest()
		room := c.cfg.Ledger.MaxBlockBytes()
		body.Extensions = c.extensions(ctx, parent, r.Slot, room-min(room, uint64(len(body.Encode())+bodyOverhead)))
		used := uint64(len(body.Encode()) + bodyOverhead)
		if txs, err = c.choose(ctx, parent, r, used); err != nil {
			return err
		}
	}
	n.seal(&body, c.trim(txs))
	return nil
}

// What may be added to an encoded body: bodyOverhead by the number of transactions, extensionOverhead by the lengths of an
// extension's name and data.
const (
	bodyOverhead      = 16
	extensionOverhead = 4
)

const (
	chooseRounds = 4  // how often what the state refuses is replaced by other transactions
	chooseMs     = 10 // of the slot, after which no further transactions are looked for: the proposal has to leave
	maxRefusals  = 8  // after which a transaction is given up
)

// choose takes from the pool what may stand in the block that r asks for. What the state refuses, such as what an account
// cannot pay for yet, goes to the end of the pool's queue, so that it cannot keep others out of one block after the other.
func (c *Chain) choose(ctx context.Context, parent *node, r *consensus.Build, used uint64) ([]*ledger.Tx, error) {
	br := c.branchOf(parent)
	room, gas := c.cfg.Ledger.MaxBlockBytes(), c.cfg.Ledger.MaxBlockGas()
	room -= min(room, used)
	var keep []*ledger.Tx
	tried := map[types.TxID]bool{}
	for range chooseRounds {
		fresh := c.cfg.Pool.Take(r.Slot, room, gas, func(t *ledger.Tx) bool {
			return !tried[t.ID] && c.mayTake(t) && !br.has(t.ID) && br.checkRef(t, parent) == nil
		})
		if len(fresh) == 0 {
			break
		}
		all := append(keep, fresh...)
		errs, err := c.cfg.Ledger.Authorise(ctx, parent.result.layer, parent.header.Clock, all)
		if err != nil {
			return nil, err
		}
		room, gas = c.cfg.Ledger.MaxBlockBytes(), c.cfg.Ledger.MaxBlockGas()
		room -= min(room, used)
		keep = make([]*ledger.Tx, 0, len(all))
		for i, t := range all {
			tried[t.ID] = true
			if errs[i] != nil {
				c.postpone(t)
				continue
			}
			keep = append(keep, t)
			gas -= t.T.MaxGas
			room -= min(room, uint64(len(t.Envelope))+4)
		}
		if len(keep) == len(all) || r.DeadlineMs > 0 && c.nowMs() >= r.DeadlineMs || c.nowMs() >= c.slotTime(r.Slot)+chooseMs {
			break
		}
	}
	return keep, nil
}

// postpone puts a transaction that the state refuses at the end of the queue, or gives it up.
func (c *Chain) postpone(t *ledger.Tx) {
	if len(c.refused) > maxRefusedKnown {
		clear(c.refused)
	}
	c.refused[t.ID]++
	c.cfg.Pool.Remove([]types.TxID{t.ID})
	if c.refused[t.ID] < maxRefusals {
		_ = c.cfg.Pool.Add(t) // if others have filled the pool meanwhile, it is theirs
	} else {
		delete(c.refused, t.ID)
	}
}

// maxRefusedKnown bounds the transactions of which it is remembered how often they were refused.
const maxRefusedKnown = 1 << 17

// checkRef checks that a transaction refers to an ancestor within the window, in a block on parent.
func (b branch) checkRef(t *ledger.Tx, parent *node) error {
	if t.T.RefHeight > parent.header.Height {
		return fmt.Errorf("%w: it refers to height %d, the parent has %d", ledger.ErrFutureReference, t.T.RefHeight, parent.header.Height)
	}
	id, ok := b.idAt(t.T.RefHeight)
	if !ok || [16]byte(id[:16]) != t.T.RefHash {
		return fmt.Errorf("%w: the block at height %d that it refers to is not an ancestor, or more than %d blocks back",
			ledger.ErrForeignFork, t.T.RefHeight, refWindow)
	}
	return nil
}

func (c *Chain) node(id types.BlockID) *node {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.tree.nodes[id]
}

func (c *Chain) insert(n *node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tree.nodes[n.id] = n
}

func (c *Chain) setHead(id types.BlockID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.tree.nodes[id]
	if n == nil {
		return
	}
	// The engine may not have heard of the newest final block when it chose its head.
	if _, ok := path(c.tree.final, n); ok {
		c.tree.head = n
	}
}
