package light

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Frozen is why a client is frozen: two claims that are both proven and exclude one another. They are without their sets.
type Frozen struct{ A, B Claim }

// Frozen returns why the client is frozen, or nil.
func (c *Client) Frozen() *Frozen { return c.frozen }

// Conflict freezes the client for ever if two claims of one epoch are each valid by themselves and exclude one another: two
// blocks at one height, blocks of which one is higher and not later, or two blocks that close the epoch. Blocks that follow a
// closing block count among themselves and with all others of their epoch, and never against the next epoch. It fails with
// [ErrNoConflict], or like [Client.Verify] if one of them is not valid; then the client is as before.
func (c *Client) Conflict(a, b Claim, nowMs uint64) error {
	for _, x := range []Claim{a, b} {
		if err := c.valid(x, nowMs); err != nil {
			return err
		}
	}
	if a.Header.Epoch != b.Header.Epoch {
		return fmt.Errorf("%w: they are of epochs %d and %d", ErrNoConflict, a.Header.Epoch, b.Header.Epoch)
	}
	if !exclude(a, b) {
		return ErrNoConflict
	}
	a.Set, b.Set = nil, nil
	c.frozen = &Frozen{a, b}
	return nil
}

// exclude tells whether two valid claims of one epoch cannot both be true while fewer than a third of the seats lie.
func exclude(a, b Claim) bool {
	if a.Header.Closes() && b.Header.Closes() && a.Header.ID() != b.Header.ID() {
		return true
	}
	var all []Point // on a chain these are one line
	for _, x := range []Claim{a, b} {
		all = append(all, pointOf(x.Header))
		for _, h := range x.Proof.Suffix {
			all = append(all, pointOf(h))
		}
	}
	slices.SortStableFunc(all, func(p, q Point) int { return cmp.Compare(p.Height, q.Height) })
	for i := 1; i < len(all); i++ {
		if !all[i-1].fits(all[i]) {
			return true
		}
	}
	return false
}

// encode appends a claim without its set.
func (x Claim) encode(e *types.Encoder) {
	e.Blob(x.Header.Encode())
	e.Blob(x.Proof.Encode())
}

func decodeClaim(d *types.Decoder) (x Claim) {
	h, p := d.Blob(types.MaxHeaderBytes), d.Blob(types.MaxFinalityBytes)
	if d.Err() != nil {
		return x
	}
	var err error
	if x.Header, err = types.DecodeHeader(h); err != nil {
		d.Fail("%v", err)
		return x
	}
	if x.Proof, err = types.DecodeFinality(p); err != nil {
		d.Fail("%v", err)
	}
	return x
}
