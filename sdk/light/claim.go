package light

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Claim says that a block is final, and why.
type Claim struct {
	Header *types.Header
	Proof  *types.Finality
	Set    *types.Set // of the block's epoch; not needed for the current one
}

// Item names an item of a chain's state.
type Item struct {
	Module string
	Place  types.Place
	Key    string
}

// Verify checks that a block is final: one of the current epoch, or of an earlier one that is known and whose signers are
// still believed. It fails with [ErrFrozen], [ErrExpired], [ErrFuture], [ErrChain], [ErrEpoch], [ErrSet], [ErrOrder],
// [ErrSuffix], [ErrConflict] or types.ErrBadCertificate.
func (c *Client) Verify(claim Claim, nowMs uint64) error {
	if err := c.check(claim, nowMs); err != nil {
		return err
	}
	if h := claim.Header; h.Epoch == c.set.Epoch && h.Slot > c.newest.Slot {
		c.newest = pointOf(h)
	}
	return nil
}

// check is Verify without an effect.
func (c *Client) check(claim Claim, nowMs uint64) error {
	if err := c.valid(claim, nowMs); err != nil {
		return err
	}
	// The claim is good by itself, and may exclude what is known.
	h := claim.Header
	p := pointOf(h)
	known := c.newest
	if i := c.find(h.Epoch); i+1 < len(c.epochs) {
		known = c.epochs[i+1].Opened // closes h's epoch
		switch {
		case h.Height > known.Height && h.Closes():
			return fmt.Errorf("%w: height %d closes epoch %d, and so does height %d", ErrConflict, h.Height, h.Epoch, known.Height)
		case h.Height > known.Height && h.Slot > known.Slot:
			return fmt.Errorf("%w: height %d, the epoch ends with height %d", ErrSuffix, h.Height, known.Height)
		}
	}
	if !p.fits(known) {
		return fmt.Errorf("%w: block %s at height %d in slot %d, and %s at height %d in slot %d", ErrConflict, p.ID.Short(), p.Height, p.Slot,
			known.ID.Short(), known.Height, known.Slot)
	}
	return nil
}

// valid checks all that a claim can be held against but other blocks of its epoch.
func (c *Client) valid(claim Claim, nowMs uint64) error {
	if c.frozen != nil {
		return ErrFrozen
	}
	h, proof := claim.Header, claim.Proof
	if h == nil || proof == nil {
		return fmt.Errorf("%w: header and proof must be given", types.ErrBadCertificate)
	}
	if h.Chain != c.params.Chain {
		return fmt.Errorf("%w: %s", ErrChain, h.Chain.Short())
	}
	i := c.find(h.Epoch)
	if i < 0 {
		return fmt.Errorf("%w: %d; known are %d to %d", ErrEpoch, h.Epoch, c.epochs[0].Number, c.set.Epoch)
	}
	e, set, bound := c.epochs[i], c.set, c.newest.Slot
	if i+1 < len(c.epochs) {
		set, bound = claim.Set, c.epochs[i+1].Opened.Slot
		if set == nil || set.Hash() != e.SetHash {
			return fmt.Errorf("%w: set %s of epoch %d must come with the claim", ErrSet, e.SetHash.Short(), e.Number)
		}
	}
	if err := c.trusted(bound, nowMs); err != nil {
		return err
	}
	if err := c.arrived(h, nowMs); err != nil {
		return err
	}
	if h.Height <= e.Opened.Height || h.Slot <= e.Opened.Slot {
		return fmt.Errorf("%w: height %d in slot %d, epoch %d begins after height %d in slot %d", ErrOrder, h.Height, h.Slot, e.Number,
			e.Opened.Height, e.Opened.Slot)
	}
	return c.schemes.Finality(proof, set, h)
}

// find returns the index of a known epoch, or -1.
func (c *Client) find(epoch uint64) int {
	first := c.epochs[0].Number
	if epoch < first || epoch-first >= uint64(len(c.epochs)) {
		return -1
	}
	return int(epoch - first)
}

// fits tells whether two blocks of one epoch can both be final: they are the same, or one is above the other in height and
// slot.
func (p Point) fits(q Point) bool {
	switch {
	case p.Height == q.Height:
		return p == q
	case p.Height < q.Height:
		return p.Slot < q.Slot
	}
	return p.Slot > q.Slot
}

// VerifyItem checks that a block is final and that an item had a value in the state after the block's *parent*, or, where value
// is nil, that there was none. It fails like [Client.Verify], or with types.ErrBadProof.
func (c *Client) VerifyItem(claim Claim, it Item, value []byte, proof *types.StateProof, nowMs uint64) error {
	if err := c.Verify(claim, nowMs); err != nil {
		return err
	}
	return ItemIn(claim.Header, it, value, proof)
}

// VerifyMessage checks that a block is final and that a message was in the outbox after the block's *parent*. It fails like
// [Client.Verify], or with types.ErrBadProof.
func (c *Client) VerifyMessage(claim Claim, message []byte, proof types.MerkleProof, nowMs uint64) error {
	if err := c.Verify(claim, nowMs); err != nil {
		return err
	}
	return MessageIn(claim.Header, message, proof)
}

// VerifyAncestor checks that a block is final and that an older one lies on its chain, which may be of any epoch, known or
// not. The older header can then be asked with [ItemIn] and [MessageIn]. It fails like [Client.Verify], or with
// [ErrNotAncestor] or types.ErrBadProof.
func (c *Client) VerifyAncestor(claim Claim, older *types.Header, proof types.MerkleProof, nowMs uint64) error {
	if err := c.Verify(claim, nowMs); err != nil {
		return err
	}
	return AncestorOf(claim.Header, older, proof)
}

// ItemIn checks what was in the state after the parent of a block that is known to be final.
func ItemIn(h *types.Header, it Item, value []byte, proof *types.StateProof) error {
	if proof == nil {
		return fmt.Errorf("state proof: %w: there is none", types.ErrBadProof)
	}
	return proof.Verify(h.StateRoot, it.Module, it.Place, it.Key, value)
}

// MessageIn checks what was in the outbox after the parent of a block that is known to be final. Where in the outbox it was
// is not shown.
func MessageIn(h *types.Header, message []byte, proof types.MerkleProof) error {
	if err := proof.Verify(h.OutboxRoot, message); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return nil
}

// AncestorOf checks that a header lies on the chain of a block that is known to be final.
func AncestorOf(h, older *types.Header, proof types.MerkleProof) error {
	if older == nil {
		return fmt.Errorf("%w: there is none", ErrNotAncestor)
	}
	if older.Chain != h.Chain || older.Height >= h.Height || older.Slot >= h.Slot || older.Epoch > h.Epoch {
		return fmt.Errorf("%w: height %d in slot %d under height %d in slot %d", ErrNotAncestor, older.Height, older.Slot, h.Height, h.Slot)
	}
	if proof.Index != older.Height || proof.Count != h.Height { // the history ends with the parent, and begins with height 0
		return fmt.Errorf("%w: place %d of %d in the history, want %d of %d", ErrNotAncestor, proof.Index, proof.Count, older.Height, h.Height)
	}
	id := older.ID()
	if err := proof.Verify(h.HistoryRoot, id[:]); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}
