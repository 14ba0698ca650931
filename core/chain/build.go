package chain

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// build makes a block for the engine and answers Built. The block is known, checked and executed here at once.
func (c *Chain) build(ctx context.Context, r *consensus.Build) error {
	built := &consensus.Built{Slot: r.Slot, Parent: r.Parent}
	parent := c.node(r.Parent)
	if parent == nil || c.Slot() > r.Slot {
		built.NowMs = c.nowMs()
		c.step(built)
		return nil
	}
	if err := c.execute(ctx, parent); err != nil {
		return err
	}
	n, err := c.assemble(ctx, parent, r)
	if err != nil {
		return err
	}
	rec := journal.Record{Type: recBlock, Data: encodeBlock(n.header.Encode(), n.body)}
	if n.pos, _, err = c.append(ctx, rec); err != nil {
		return err
	}
	c.insert(n)
	c.produced.Add(1)
	built.Header, built.NowMs = n.header, c.nowMs()
	c.step(built)
	c.broadcastBody(n)
	return c.execute(ctx, n)
}

// assemble chooses transactions and completes the header.
func (c *Chain) assemble(ctx context.Context, parent *node, r *consensus.Build) (*node, error) {
	body := types.Body{Certificate: r.Certificate}
	h := &types.Header{
		Chain: c.id, Height: parent.header.Height + 1, Slot: r.Slot, Parent: parent.id, Producer: c.key, NextSet: r.NextSet,
		Clock:     types.NextClock(parent.header.Clock, parent.header.Slot, r.Slot),
		StateRoot: parent.result.layer.Root(), ReceiptsRoot: parent.result.receiptsRoot, OutboxRoot: outboxRoot,
		HistoryRoot: parent.result.history.Root(), Consensus: r.Consensus,
	}
	if len(r.Certificate) > 0 {
		cert, err := types.DecodeCertificate(r.Certificate)
		if err != nil {
			return nil, fmt.Errorf("the engine's certificate for slot %d: %w", r.Slot, err)
		}
		h.CertHeight = cert.Height
	}
	var txs []*ledger.Tx
	if !r.Empty {
		var err error
		body.Extensions = c.extensions(ctx, parent, r.Slot)
		used := uint64(len(body.Encode()) + bodyOverhead)
		if txs, err = c.choose(ctx, parent, r, used); err != nil {
			return nil, err
		}
	}
	ids := make([]types.TxID, len(txs))
	n := &node{header: h, parent: parent, txs: txs, ids: make(map[types.TxID]uint64, len(txs))}
	for i, t := range txs {
		body.Txs = append(body.Txs, t.Envelope)
		ids[i] = t.ID
		n.ids[t.ID] = t.T.Expires
	}
	h.BodyRoot, h.ExtensionRoot = body.BodyRoot(ids), body.ExtensionRoot()
	n.body, n.id = body.Encode(), h.ID()
	return n, nil
}

// bodyOverhead is what the number of transactions may add to an encoded body.
const bodyOverhead = 16

// extensions asks the modules what they put into the block. One that cannot say leaves its own out.
func (c *Chain) extensions(ctx context.Context, parent *node, slot uint64) (out []types.Extension) {
	for _, m := range c.cfg.Ledger.ModuleNames() {
		x, err := c.cfg.Ledger.Module(m).Extend(ctx, slot, ledger.QueryReader(parent.result.layer, m))
		switch {
		case err != nil:
			c.log.Warn("a module cannot extend the block", "module", m, "cause", err)
		case len(x) > types.MaxExtensionBytes:
			c.log.Warn("a module's extension is too large and is left out", "module", m, "bytes", len(x), "most", types.MaxExtensionBytes)
		case len(x) > 0 && len(out) < types.MaxExtensions:
			out = append(out, types.Extension{Module: m, Data: x})
		}
	}
	return out
}

const (
	chooseRounds = 4 // how often what the state refuses is replaced by other transactions
	maxRefusals  = 8 // after which a transaction is given up
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
			return !tried[t.ID] && !br.has(t.ID) && br.checkRef(t, parent) == nil
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
		if len(keep) == len(all) || r.DeadlineMs > 0 && c.nowMs() >= r.DeadlineMs {
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
