package light

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// MaxKeep bounds the number of earlier epochs that a client may keep.
const MaxKeep = 1024

// Params are what a client knows of its chain for good. Times are in milliseconds.
type Params struct {
	Chain         types.Hash
	GenesisTimeMs uint64 // Unix time at which slot 0 began
	SlotMs        uint64 // length of a slot
	TrustingMs    uint64 // how long signers are believed; below the time for which their stake is bound
	DriftMs       uint64 // how far a block's slot may lie ahead of the caller's time
	Keep          uint32 // number of earlier epochs whose blocks can still be verified
}

// Checkpoint is where a client starts. ID is what its owner has to trust; the rest can come from anywhere, since it is checked
// against it.
type Checkpoint struct {
	Params
	ID     types.BlockID // of Opened
	Opened *types.Header // the genesis block, or a block that closes its epoch
	Set    *types.Set    // that Opened names
}

// Point is where a block stands on a chain.
type Point struct {
	Height, Slot uint64
	ID           types.BlockID
}

// Epoch is an epoch whose blocks a client can verify.
type Epoch struct {
	Number  uint64
	SetHash types.Hash
	Opened  Point // the closing block of the epoch before, or genesis
}

// Client is what is known of a chain. It must not be used concurrently.
type Client struct {
	params  Params
	schemes Schemes
	set     *types.Set
	epochs  []Epoch // known ones, without a gap; the last is the current one, and set is its set
	newest  Point   // the newest block of the current epoch that was verified
	frozen  *Frozen
}

// New starts a client from a checkpoint. It fails with [ErrCheckpoint].
func New(c Checkpoint, s Schemes) (*Client, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrCheckpoint, fmt.Sprintf(format, args...))
	}
	if err := c.Params.validate(); err != nil {
		return nil, err
	}
	switch h := c.Opened; {
	case h == nil || c.Set == nil:
		return nil, bad("header and set must be given")
	case h.ID() != c.ID:
		return nil, bad("the header has id %s, not %s", h.ID(), c.ID)
	case h.Chain != c.Chain:
		return nil, bad("the header is of chain %s, not %s", h.Chain, c.Chain)
	case h.Height > 0 && !h.Closes():
		return nil, bad("the block at height %d does not close its epoch", h.Height)
	case h.NextSet != c.Set.Hash():
		return nil, bad("the header names set %s, this is %s", h.NextSet, c.Set.Hash())
	case c.Set.Epoch != nextEpoch(h):
		return nil, bad("the set is of epoch %d, want %d", c.Set.Epoch, nextEpoch(h))
	}
	set, err := types.DecodeSet(c.Set.Encode()) // validates, and is the client's own
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	p := pointOf(c.Opened)
	return &Client{params: c.Params, schemes: s, set: set, newest: p, epochs: []Epoch{{Number: set.Epoch, SetHash: set.Hash(), Opened: p}}}, nil
}

func (p Params) validate() error {
	if p.SlotMs == 0 || p.TrustingMs == 0 || p.Keep > MaxKeep {
		return fmt.Errorf("%w: slot of %d ms, trusting period of %d ms, %d epochs to keep: the first two must be above 0, the last at most %d",
			ErrCheckpoint, p.SlotMs, p.TrustingMs, p.Keep, MaxKeep)
	}
	return nil
}

// nextEpoch returns the number of the epoch that a block opens.
func nextEpoch(h *types.Header) uint64 {
	if h.Height == 0 {
		return h.Epoch
	}
	return h.Epoch + 1
}

func pointOf(h *types.Header) Point { return Point{h.Height, h.Slot, h.ID()} }

// Params returns what the client was started with.
func (c *Client) Params() Params { return c.params }

// Epoch returns the current epoch.
func (c *Client) Epoch() Epoch { return c.epochs[len(c.epochs)-1] }

// Set returns the set of the current epoch, which must not be changed.
func (c *Client) Set() *types.Set { return c.set }

// Newest returns the newest block of the current epoch that was verified, or the one that opened it.
func (c *Client) Newest() Point { return c.newest }

// TrustedUntilMs returns until when the client can go on without a new checkpoint, in Unix milliseconds.
func (c *Client) TrustedUntilMs() uint64 { return add(c.timeOf(c.newest.Slot), c.params.TrustingMs) }

// timeOf returns the Unix time in milliseconds at which a slot begins, or the largest number.
func (c *Client) timeOf(slot uint64) uint64 {
	hi, lo := bits.Mul64(slot, c.params.SlotMs)
	if hi > 0 {
		return math.MaxUint64
	}
	return add(lo, c.params.GenesisTimeMs)
}

func add(a, b uint64) uint64 {
	if a+b < a {
		return math.MaxUint64
	}
	return a + b
}

// trusted checks that what is signed by an epoch whose last known slot this is can be believed at a time.
func (c *Client) trusted(slot, nowMs uint64) error {
	if until := add(c.timeOf(slot), c.params.TrustingMs); nowMs > until {
		return fmt.Errorf("%w: the trusting period ended %d ms ago", ErrExpired, nowMs-until)
	}
	return nil
}

// arrived checks that a block's slot is not ahead of a time.
func (c *Client) arrived(h *types.Header, nowMs uint64) error {
	if t := c.timeOf(h.Slot); t > add(nowMs, c.params.DriftMs) {
		return fmt.Errorf("%w: slot %d begins %d ms from now", ErrFuture, h.Slot, t-nowMs)
	}
	return nil
}

// Advance moves the client to the next epoch: closing is the block that closes the current one, next the set that it names,
// and proof shows that it is final. On error the client is as before. It fails with [ErrFrozen], [ErrExpired], [ErrFuture],
// [ErrChain], [ErrEpoch], [ErrNotClosing], [ErrOrder], [ErrSet], [ErrConflict], types.ErrBadSet or types.ErrBadCertificate.
func (c *Client) Advance(closing *types.Header, next *types.Set, proof *types.Finality, nowMs uint64) error {
	if c.frozen != nil {
		return ErrFrozen
	}
	if closing == nil || next == nil || proof == nil {
		return fmt.Errorf("%w: header, set and proof must be given", ErrNotClosing)
	}
	if closing.Epoch != c.Epoch().Number {
		return fmt.Errorf("%w: the block closes epoch %d, now is epoch %d", ErrEpoch, closing.Epoch, c.Epoch().Number)
	}
	if !closing.Closes() {
		return fmt.Errorf("%w: height %d", ErrNotClosing, closing.Height)
	}
	hash := next.Hash()
	if hash != closing.NextSet || next.Epoch != closing.Epoch+1 {
		return fmt.Errorf("%w: the block names set %s of epoch %d, this is %s of epoch %d", ErrSet, closing.NextSet.Short(), closing.Epoch+1,
			hash.Short(), next.Epoch)
	}
	set, err := types.DecodeSet(next.Encode())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSet, err)
	}
	if err := c.check(Claim{Header: closing, Proof: proof}, nowMs); err != nil {
		return err
	}
	c.set, c.newest = set, pointOf(closing)
	c.epochs = append(c.epochs, Epoch{Number: set.Epoch, SetHash: hash, Opened: c.newest})
	if drop := len(c.epochs) - 1 - int(c.params.Keep); drop > 0 {
		c.epochs = append([]Epoch(nil), c.epochs[drop:]...)
	}
	return nil
}
