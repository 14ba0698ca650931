package chain

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// finalTask makes final what the engine calls final.
func (c *Chain) finalTask(ctx context.Context, id types.BlockID, proof *types.Finality) error {
	n := c.node(id)
	if n == nil {
		if proof.Cert != nil && proof.Cert.Height > c.tree.final.header.Height {
			c.kickSync()
		}
		return nil
	}
	if err := c.place(ctx, n); err != nil {
		return err
	}
	err := proof.Verify(n.epoch.set, n.header)
	if err == nil {
		err = c.mayBeFinal(n)
	}
	if err != nil {
		c.log.Error("the engine calls a block final that is not", "height", n.header.Height, "id", id.Short(), "cause", err)
		return nil
	}
	return c.finalise(ctx, n, proof)
}

// mayBeFinal checks that a block is one that can be final by a proof of its own: a closing block below it has to be final by its
// own proof first, or nobody could follow the sets, and what comes after a closing block in its epoch is no part of the chain.
func (c *Chain) mayBeFinal(n *node) error {
	if n.suffix {
		return fmt.Errorf("it only carries votes for the closing block of epoch %d", n.header.Epoch)
	}
	for m := n.parent; m != nil && m.header.Height > c.tree.final.header.Height; m = m.parent {
		if m.header.Closes() {
			return fmt.Errorf("the closing block of epoch %d at height %d is not final yet", m.header.Epoch, m.header.Height)
		}
	}
	return nil
}

// finalise makes a block and its ancestors final and commits what that proves. The proof has been verified.
func (c *Chain) finalise(ctx context.Context, n *node, proof *types.Finality) error {
	if n.header.Height <= c.tree.final.header.Height {
		if _, ok := path(n, c.tree.final); !ok {
			return c.conflict(n)
		}
		return nil
	}
	blocks, err := c.prove(ctx, n)
	if err != nil {
		return err
	}
	if _, _, err := c.append(ctx, journal.Record{Type: recFinal, Data: encodeFinal(n.id, proof)}); err != nil {
		return err
	}
	c.setFinal(n, proof)
	for _, b := range blocks {
		missed := b.header.Slot - b.parent.header.Slot - 1
		c.skipped.Add(missed)
		c.cfg.Metrics.missed(c.cfg.Name, missed)
	}
	// The proof of what is committed must not be younger on disk than the commit.
	if err := c.cfg.Journal.Sync(); err != nil {
		return fmt.Errorf("%w: journal: %w", errFatal, err)
	}
	if err := c.commit(ctx, n.parent); err != nil {
		return err
	}
	c.afterFinal(blocks)
	return c.trimJournal(ctx)
}

func (c *Chain) conflict(n *node) error {
	return fmt.Errorf("%w: two proofs of finality conflict: block %s at height %d and block %s at height %d are both final", errFatal,
		n.id, n.header.Height, c.tree.final.id, c.tree.final.header.Height)
}

// prove executes the blocks above the final one up to n, and checks that each of them tells the same of its parent as this node
// found.
func (c *Chain) prove(ctx context.Context, n *node) ([]*node, error) {
	blocks, ok := path(c.tree.final, n)
	if !ok {
		return nil, c.conflict(n)
	}
	if err := c.execute(ctx, n); err != nil {
		return nil, err
	}
	if err := c.trust.contradicts(blocks); err != nil {
		return nil, fmt.Errorf("%w: %w", errFatal, err)
	}
	for _, b := range blocks {
		if err := c.checkRoots(b.parent, b.header); err != nil {
			return nil, fmt.Errorf("%w: this node's execution differs from what a quorum has signed: %w", errFatal, err)
		}
	}
	return blocks, nil
}

func (c *Chain) setFinal(n *node, proof *types.Finality) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n.proof = proof
	c.tree.final = n
	if n.next != nil {
		n.next.proof = proof
		c.dropEnded()
	}
	if _, ok := path(n, c.tree.head); !ok {
		c.tree.head = n
	}
}

// afterFinal tells everybody who wants to know.
func (c *Chain) afterFinal(blocks []*node) {
	tip := blocks[len(blocks)-1]
	now := c.nowMs()
	for _, b := range blocks {
		ids := make([]types.TxID, 0, len(b.txs))
		for _, t := range b.txs {
			ids = append(ids, t.ID)
		}
		c.cfg.Pool.Remove(ids)
		c.subs.publish(b.final())
		c.cfg.Metrics.final(c.cfg.Name, b.header.Height, len(b.txs), now-min(now, c.slotTime(b.header.Slot)))
	}
	for id, p := range c.parked {
		if p.header.Height <= tip.header.Height || p.header.Epoch < tip.inForce().set.Epoch {
			c.unpark(id)
		}
	}
	c.cfg.Pool.Advance(tip.header.Slot)
	if c.cfg.Progress != nil {
		c.cfg.Progress()
	}
	c.announce(tip)
}

// Bounds of what is committed in one batch of the store, unless it is a single block.
const (
	commitBlocks = 256
	commitBytes  = 32 << 20
)

// commit writes the layers up to a proven block to storage, with the blocks themselves.
func (c *Chain) commit(ctx context.Context, target *node) error {
	blocks, ok := path(c.tree.root, target)
	if !ok {
		return nil
	}
	for len(blocks) > 0 {
		var puts []storage.KV
		n, size := 0, 0
		for n < len(blocks) && n < commitBlocks && size < commitBytes {
			puts = append(puts, blockPuts(blocks[n])...)
			size += len(blocks[n].body)
			n++
		}
		if err := c.commitTo(ctx, blocks[:n], puts); err != nil {
			return err
		}
		blocks = blocks[n:]
	}
	return nil
}

func (c *Chain) commitTo(ctx context.Context, blocks []*node, puts []storage.KV) error {
	root := blocks[len(blocks)-1]
	err := c.withRoom(ctx, func() error { return c.db.Commit(ctx, root.result.layer, root.header.Height+1, puts, nil) })
	if err != nil {
		return fmt.Errorf("commit block %d: %w", root.header.Height, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range blocks {
		c.recent.push(b.header.Height, ancestor{b.id, b.header.Slot, b.ids})
	}
	c.tree.setRoot(root)
	return nil
}

// blockPuts is what storage keeps of a committed block besides the state.
func blockPuts(b *node) []storage.KV {
	h := b.header.Height
	puts := []storage.KV{
		{Key: heightKey(keyHeader, h), Value: encodeHeaderRecord(b.header, b.result.history, b.result.burned)},
		{Key: heightKey(keyBody, h), Value: b.body},
		{Key: heightKey(keyReceipts, h), Value: encodeReceipts(b.result.receipts)},
		{Key: idKey(keyBlock, b.id), Value: heightKey(0, h)[1:]},
	}
	if b.proof != nil {
		puts = append(puts, storage.KV{Key: heightKey(keyFinal, h), Value: b.proof.Encode()})
	}
	if b.next != nil { // final by a proof of its own, which stands with the epoch that it opens
		puts = append(puts, storage.KV{Key: heightKey(keyEpoch, b.next.set.Epoch), Value: encodeEpoch(b.next.set, b.header, b.proof)})
	}
	for i, t := range b.txs {
		e := types.NewEncoder(12)
		e.Uint(h)
		e.Uint(uint64(i))
		puts = append(puts, storage.KV{Key: idKey(keyTx, t.ID), Value: e.Bytes()})
	}
	return puts
}

// journalSlack is the usual Chain.slack.
const journalSlack = 64 << 20

// trimJournal drops what storage holds durably, after writing again at the end what is needed from before.
func (c *Chain) trimJournal(ctx context.Context) error {
	start := c.cfg.Journal.Start()
	if uint64(c.cfg.Journal.End()-start) < 2*c.slack {
		return nil
	}
	st, err := c.cfg.Store.Status(ctx, true)
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if st.Durable < c.tree.root.header.Height+1 {
		return nil // a store that keeps nothing, such as memdb: the journal is all there is
	}
	need := c.cfg.Journal.End()
	for _, n := range c.tree.nodes {
		if n != c.tree.root && n.pos < need {
			need = n.pos
		}
	}
	c.records.mu.Lock()
	var recs []journal.Record
	if c.records.snapshot != nil {
		recs = append(recs, journal.Record{Type: recSnapshot, Data: c.records.snapshot})
	}
	for _, r := range c.records.records {
		recs = append(recs, journal.Record{Type: recConsensus, Data: r})
	}
	if c.records.snapshot == nil && len(recs) > 0 {
		// Without a snapshot in front, the records would be replayed twice.
		c.records.mu.Unlock()
		return nil
	}
	if f := c.tree.final; f.proof != nil {
		recs = append(recs, journal.Record{Type: recFinal, Data: encodeFinal(f.id, f.proof)})
	}
	_, _, err = c.append(ctx, recs...) // with the lock, so that no record of the engine comes between
	c.records.mu.Unlock()
	if err != nil {
		return err
	}
	if err := c.cfg.Journal.Sync(); err != nil {
		return fmt.Errorf("%w: journal: %w", errFatal, err)
	}
	if err := c.cfg.Journal.DropBefore(need); err != nil {
		c.log.Warn("the journal could not be trimmed; it will be tried again", "cause", err)
	}
	return nil
}
