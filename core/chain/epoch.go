package chain

import (
	"context"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/ledger"
	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// epoch is a set of producers, and the block that it begins with: the closing block of the epoch before, or genesis. Rival
// closing blocks have epochs of their own; that of the final one is the one that counts.
type epoch struct {
	set       *types.Set
	hash      types.Hash
	encoded   []byte
	producers []types.PublicKey // the keys of the set, in its order
	start     *types.Header
	proof     *types.Finality // of start; nil if that is the genesis block, or not final yet. Guarded by Chain.mu.
}

func newEpoch(set *types.Set, start *types.Header, proof *types.Finality) *epoch {
	e := &epoch{set: set, hash: set.Hash(), encoded: set.Encode(), start: start, proof: proof}
	for i := range set.Seats {
		e.producers = append(e.producers, set.Seats[i].Key)
	}
	return e
}

// has tells whether a key has a seat.
func (e *epoch) has(key types.Hash) bool { return e.set.Index(key) >= 0 }

// till returns the account whose till gets the fees of a producer's blocks.
func (e *epoch) till(producer types.Hash) types.AccountID {
	if i := e.set.Index(producer); i >= 0 {
		return types.SingleKeyAuthority(e.set.Seats[i].Key).ID()
	}
	return types.BurnAccount
}

// standing is where a block stands: of which epoch it is, and which it opens if it closes its own.
type standing struct {
	epoch  *epoch
	next   *epoch // not nil: the block closes its epoch
	suffix bool   // it follows a closing block in the same epoch: it carries votes and nothing else
}

// nextSetItem is where the consensus plugin's module leaves the set of the next epoch while the next block has to close this one.
var nextSetItem = state.Item{Module: types.ModuleConsensus, Key: consensus.NextSetKey}

// decodeNext reads that item. What cannot be read is as good as none: the module decides when an epoch ends, and a set that
// nobody could work with must not end it.
func decodeNext(b []byte) *types.Set {
	if b == nil {
		return nil
	}
	s, err := types.DecodeSet(append([]byte(nil), b...))
	if err != nil {
		return nil
	}
	return s
}

// pendingAfter returns the set that the state holds for the next epoch after a block's changes.
func pendingAfter(before *types.Set, changes []state.Change) *types.Set {
	for i := range changes {
		if changes[i].Item == nextSetItem {
			before = decodeNext(changes[i].Value) // of several changes of one item the last counts
		}
	}
	return before
}

// due returns the set that a block of an epoch on parent has to name; nil if it does not close its epoch. The parent has been
// executed.
func (c *Chain) due(parent *node, epoch uint64) *types.Set {
	s := parent.result.pending
	if s == nil || parent.header.Epoch != epoch || parent.suffix || parent.header.Closes() || s.Epoch != epoch+1 ||
		c.cfg.Ledger.Module(types.ModuleConsensus) == nil {
		return nil
	}
	return s
}

// stand finds out where a block on parent stands. The parent has been executed.
func (c *Chain) stand(parent *node, h *types.Header) (s standing, err error) {
	switch {
	case h.Epoch == parent.header.Epoch:
		s.epoch, s.suffix = parent.epoch, parent.suffix || parent.header.Closes()
	case parent.next != nil && h.Epoch == parent.header.Epoch+1:
		s.epoch = parent.next
	default:
		return s, invalid("epoch %d on a parent of epoch %d that does not close it", h.Epoch, parent.header.Epoch)
	}
	next := c.due(parent, h.Epoch)
	switch {
	case next == nil && h.NextSet.IsZero():
		return s, nil
	case next == nil:
		return s, invalid("it closes epoch %d, which is not due to end", h.Epoch)
	}
	if s.next = newEpoch(next, h, nil); s.next.hash != h.NextSet {
		return s, invalid("it names %s as the next set, the state of its parent has %s", h.NextSet.Short(), s.next.hash.Short())
	}
	return s, nil
}

// place finds out where a block stands that came from the journal. It was checked before it was written.
func (c *Chain) place(ctx context.Context, n *node) error {
	if n.epoch != nil {
		return nil
	}
	if err := c.execute(ctx, n.parent); err != nil {
		return err
	}
	s, err := c.stand(n.parent, n.header)
	if err != nil {
		return fmt.Errorf("%w: block %d in the journal does not fit its parent's state: %w", errFatal, n.header.Height, err)
	}
	c.mu.Lock()
	n.standing = s
	c.mu.Unlock()
	return nil
}

// nextSet returns the set that a block names if it closes its epoch.
func (n *node) nextSet() *types.Set {
	if n.next == nil {
		return nil
	}
	return n.next.set
}

// inForce returns the epoch of the blocks that follow a final one.
func (n *node) inForce() *epoch {
	if n.next != nil {
		return n.next
	}
	return n.epoch
}

// dropEnded forgets the blocks of epochs that have ended, besides the final one and its ancestors: what followed the closing
// block carried votes for it, and its rivals have lost. The lock is held.
func (c *Chain) dropEnded() {
	now := c.tree.final.inForce().set.Epoch
	keep := map[*node]bool{}
	for n := c.tree.final; n != nil; n = n.parent {
		keep[n] = true
	}
	for id, n := range c.tree.nodes {
		if n.header.Epoch < now && !keep[n] {
			delete(c.tree.nodes, id)
		}
	}
	if c.tree.nodes[c.tree.head.id] == nil {
		c.tree.head = c.tree.final
	}
}

// consensusInfo is what the module of the consensus plugin sees of a block; nil if the chain has none.
func (c *Chain) consensusInfo(n *node, body *types.Body) *module.ConsensusInfo {
	if c.cfg.Ledger.Module(types.ModuleConsensus) == nil {
		return nil
	}
	return &module.ConsensusInfo{Epoch: n.header.Epoch, Header: n.header.Consensus, Certificate: body.Certificate, Set: n.epoch.encoded,
		ParentSlot: n.parent.header.Slot, Closes: n.next != nil}
}

// EpochInfo is what a light client needs to go on to an epoch.
type EpochInfo struct {
	Set   *types.Set
	Start *types.Header   // names the set: the closing block of the epoch before, or genesis
	Proof *types.Finality // of Start by the set of the epoch before; nil for genesis
}

// Epoch returns an epoch that has begun, by its number. It fails with ErrNotFound.
func (c *Chain) Epoch(ctx context.Context, number uint64) (EpochInfo, error) {
	if e, ok := c.recentEpoch(number); ok {
		return e, nil
	}
	v, err := c.getAll(ctx, [][]byte{heightKey(keyEpoch, number)})
	if err != nil {
		return EpochInfo{}, err
	}
	if v[0] == nil {
		return EpochInfo{}, fmt.Errorf("%w: epoch %d", ErrNotFound, number)
	}
	return decodeEpoch(v[0])
}

// recentEpoch looks among what is final and not committed yet.
func (c *Chain) recentEpoch(number uint64) (EpochInfo, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for n := c.tree.final; n != nil; n = n.parent {
		for _, e := range []*epoch{n.next, n.epoch} {
			if e != nil && e.set.Epoch == number {
				return EpochInfo{e.set, e.start, e.proof}, true
			}
		}
	}
	return EpochInfo{}, false
}

// Seated tells whether this node's key has a seat in the epoch in force.
func (c *Chain) Seated() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return !c.key.IsZero() && c.tree.final.inForce().has(c.key)
}

// seatEpochs bounds how far back HadSeat looks.
const seatEpochs = 4096

// HadSeat tells whether this node's key has a seat in the epoch in force, or had one in an earlier epoch that is known here, as far
// as 4096 epochs back: what a producer owes may be due when it has left the schedule.
func (c *Chain) HadSeat(ctx context.Context) (bool, error) {
	if c.key.IsZero() {
		return false, nil
	}
	c.mu.RLock()
	now := c.tree.final.inForce()
	c.mu.RUnlock()
	if now.has(c.key) || c.hadSeat.Load() {
		c.hadSeat.Store(true) // it will always have had
		return true, nil
	}
	looked := c.looked.Load() // epochs below were looked at
	for n := now.set.Epoch; n > looked && now.set.Epoch-n < seatEpochs; n-- {
		e, err := c.Epoch(ctx, n-1)
		if errors.Is(err, ErrNotFound) {
			break // the node began later
		}
		if err != nil {
			return false, err
		}
		if e.Set.Index(c.key) >= 0 {
			c.hadSeat.Store(true)
			return true, nil
		}
	}
	c.looked.Store(now.set.Epoch)
	return false, nil
}

// Set returns the producers of the epoch in force: that of the next final block.
func (c *Chain) Set() *types.Set {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.tree.final.inForce().set
}

// emptyBody is the only body that a block after the closing one may have.
var emptyBody = (&types.Body{}).Encode()

// executeSuffix is the execution of a block that follows the closing one: it changes nothing.
func executeSuffix(parent *result) *result {
	r := *parent
	r.receipts, r.receiptsRoot = nil, types.ReceiptsRoot(nil)
	return &r
}

// ledgerBlock is a block as the ledger sees it.
func (c *Chain) ledgerBlock(n *node, body *types.Body) ledger.Block {
	h := n.header
	ext := map[string][][]byte{}
	for _, x := range body.Extensions {
		ext[x.Module] = append(ext[x.Module], x.Data)
	}
	return ledger.Block{Height: h.Height, Slot: h.Slot, Clock: h.Clock, Producer: h.Producer, Till: n.epoch.till(h.Producer), Parent: h.Parent,
		Extensions: ext, Epoch: h.Epoch, Producers: n.epoch.producers, Consensus: c.consensusInfo(n, body)}
}
