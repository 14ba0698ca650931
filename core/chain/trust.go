package chain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// ErrCheckpoint says that what this node has, or what a peer sends, is not the chain of the checkpoint.
var ErrCheckpoint = errors.New("it contradicts the checkpoint")

// ErrTooOld says that what is final here is older than the trusting period: who had a seat then may have unbonded and sold its key
// since, so that a quorum of that time proves nothing today.
var ErrTooOld = errors.New("the newest block that this node trusts is too old")

// trust is what a node takes for the truth besides certificates.
type trust struct {
	checkpoint *chainspec.Checkpoint
	period     time.Duration // 0: for ever
	told       *atomic.Pointer[string]
}

func newTrust(cfg *Config) trust {
	return trust{checkpoint: cfg.Checkpoint, period: trustingPeriod(cfg.Genesis.Consensus.Config), told: &atomic.Pointer[string]{}}
}

// openTrust compares the checkpoint with what is here.
func (c *Chain) openTrust(ctx context.Context) error {
	cp := c.trust.checkpoint
	if cp == nil || cp.Height > c.FinalHeight() {
		return nil
	}
	b, err := c.finalAt(ctx, cp.Height)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if b.ID != cp.ID {
		return fmt.Errorf("%w: this node has block %s at height %d, the checkpoint says %s; if the checkpoint is right, wipe the chain's data and "+
			"sync again", ErrCheckpoint, b.ID, cp.Height, cp.ID)
	}
	return nil
}

// trustingPeriod reads the attribute trusting of the consensus plugin's settings: a duration in nanoseconds, or as text.
func trustingPeriod(config json.RawMessage) time.Duration {
	var s struct {
		Trusting json.RawMessage `json:"trusting"`
	}
	if json.Unmarshal(config, &s) != nil {
		return 0
	}
	text := string(bytes.Trim(s.Trusting, `"`))
	if d, err := time.ParseDuration(text); err == nil {
		return max(d, 0)
	}
	d, err := time.ParseDuration(text + "ns")
	if err != nil {
		return 0
	}
	return max(d, 0)
}

// contradicted tells whether a header cannot be of the checkpoint's chain.
func (t *trust) contradicted(h *types.Header) error {
	if cp := t.checkpoint; cp != nil && h.Height == cp.Height {
		if id := h.ID(); id != cp.ID {
			return fmt.Errorf("%w: block %s at height %d, the checkpoint says %s", ErrCheckpoint, id, cp.Height, cp.ID)
		}
	}
	return nil
}

func (t *trust) contradicts(blocks []*node) error {
	for _, b := range blocks {
		if err := t.contradicted(b.header); err != nil {
			return fmt.Errorf("%w; if the checkpoint is right, wipe the chain's data and sync from other nodes", err)
		}
	}
	return nil
}

// awaitsCheckpoint tells whether the checkpoint has still to be reached.
func (c *Chain) awaitsCheckpoint() bool {
	cp := c.trust.checkpoint
	return cp != nil && c.FinalHeight() < cp.Height
}

// trusted tells whether this node may take a quorum's word for what comes after its final block: it is young enough, or the
// checkpoint, which somebody has looked up, is ahead.
func (c *Chain) trusted() error {
	if c.trust.period == 0 || c.awaitsCheckpoint() {
		return nil
	}
	c.mu.RLock()
	final := c.tree.final.header
	c.mu.RUnlock()
	since := c.slotTime(final.Slot)
	if cp := c.trust.checkpoint; cp != nil && cp.Height == final.Height {
		return nil // this very block was looked up
	}
	age := time.Duration(c.nowMs()-min(c.nowMs(), since)) * time.Millisecond
	if age <= c.trust.period {
		return nil
	}
	return fmt.Errorf("%w: block %d is %s old, certificates are trusted for %s; ask somebody whom you trust for the height and id of a recent block "+
		"(alto block show tells them), and start the node with --checkpoint %s=HEIGHT:ID, or with the attribute checkpoint in node.hcl", ErrTooOld,
		final.Height, age.Round(time.Minute), c.trust.period, c.cfg.Name)
}

// mayTrust is [Chain.trusted], and tells health and log why not.
func (c *Chain) mayTrust() bool {
	err := c.trusted()
	if err == nil {
		if !c.awaitsCheckpoint() {
			c.trust.told.Store(nil)
		}
		return true
	}
	why := err.Error()
	if old := c.trust.told.Swap(&why); old == nil {
		c.log.Error("the node does not catch up from others", "cause", err)
	}
	return false
}

// awaitCheckpoint waits until the node has synced to the checkpoint: before that it takes no part in consensus, since it does not
// know yet whether what it has is the chain. It returns false if ctx ends.
func (c *Chain) awaitCheckpoint(ctx context.Context) bool {
	if c.FinalHeight() == 0 && c.Slot() > 0 && !c.mayTrust() {
		<-ctx.Done() // it knows nothing but the first producers, of whom nobody knows who has their keys by now
		return false
	}
	if !c.awaitsCheckpoint() {
		return true
	}
	c.log.Info("the node syncs to the checkpoint before it takes part", "height", c.trust.checkpoint.Height, "id", c.trust.checkpoint.ID)
	blocks, stop, err := c.Subscribe()
	if err != nil {
		return false
	}
	defer func() { stop() }()
	for c.awaitsCheckpoint() {
		select {
		case <-ctx.Done():
			return false
		case _, ok := <-blocks:
			if ok {
				continue
			}
			stop() // blocks came faster than they were read
			if blocks, stop, err = c.Subscribe(); err != nil {
				return false
			}
		}
	}
	return true
}

// troubled says what is wrong with this node's part. The lock is held.
func (c *Chain) troubled() string {
	told, engine := c.trust.told.Load(), c.trouble.Load()
	switch {
	case c.trust.checkpoint != nil && c.tree.final.header.Height < c.trust.checkpoint.Height:
		why := fmt.Sprintf("the node syncs to the checkpoint at height %d and takes no part before", c.trust.checkpoint.Height)
		if told != nil {
			why += "; a peer's history does not fit: " + *told
		}
		return why
	case engine != nil:
		return *engine
	case told != nil:
		return *told
	}
	return ""
}

// refuted notes that a peer's range does not fit the checkpoint.
func (c *Chain) refuted(err error) {
	why := err.Error()
	c.trust.told.Store(&why)
}
