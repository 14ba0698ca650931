package chain

import (
	"context"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/journal"
	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// finalTask makes final what a certificate names.
func (c *Chain) finalTask(ctx context.Context, cert *types.Certificate) error {
	if err := c.verifyCert(cert); err != nil {
		c.log.Error("the engine calls a block final with a certificate that does not verify", "height", cert.Height, "cause", err)
		return nil
	}
	n := c.node(cert.Block)
	if n == nil {
		if cert.Height > c.tree.final.header.Height {
			c.kickSync()
		}
		return nil
	}
	return c.finalise(ctx, n, cert)
}

// finalise makes a block and its ancestors final and commits what that proves. The certificate has been verified.
func (c *Chain) finalise(ctx context.Context, n *node, cert *types.Certificate) error {
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
	if _, _, err := c.append(ctx, journal.Record{Type: recCert, Data: cert.Encode()}); err != nil {
		return err
	}
	c.setFinal(n, cert)
	for _, b := range blocks {
		c.skipped.Add(b.header.Slot - b.parent.header.Slot - 1)
	}
	// The certificate that proves what is committed must not be younger on disk than the commit.
	if err := c.cfg.Journal.Sync(); err != nil {
		return fmt.Errorf("%w: journal: %w", errFatal, err)
	}
	if err := c.commit(ctx, n.parent); err != nil {
		return err
	}
	c.afterFinal(blocks, cert)
	return c.trimJournal(ctx)
}

func (c *Chain) conflict(n *node) error {
	return fmt.Errorf("%w: two certificates conflict: block %s at height %d and block %s at height %d are both final", errFatal,
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
	for _, b := range blocks {
		if err := c.checkRoots(b.parent, b.header); err != nil {
			return nil, fmt.Errorf("%w: this node's execution differs from what a quorum has signed: %w", errFatal, err)
		}
	}
	return blocks, nil
}

func (c *Chain) setFinal(n *node, cert *types.Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n.cert = cert
	c.tree.final = n
	if _, ok := path(n, c.tree.head); !ok {
		c.tree.head = n
	}
}

// afterFinal tells everybody who wants to know.
func (c *Chain) afterFinal(blocks []*node, cert *types.Certificate) {
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
		if p.header.Height <= tip.header.Height {
			c.unpark(id)
		}
	}
	c.cfg.Pool.Advance(tip.header.Slot)
	if c.cfg.Progress != nil {
		c.cfg.Progress()
	}
	c.announce(tip, cert)
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
	if b.cert != nil {
		puts = append(puts, storage.KV{Key: heightKey(keyCert, h), Value: b.cert.Encode()})
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
	if c.tree.final.cert != nil {
		recs = append(recs, journal.Record{Type: recCert, Data: c.tree.final.cert.Encode()})
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
