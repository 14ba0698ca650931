package light

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// MaxStateBytes bounds the encoded state of a client.
const MaxStateBytes = 256<<10 + 90*MaxKeep + 2*types.MaxFinalityBytes

// Encode returns the canonical bytes of the client's state, which are the same for all clients that know the same.
func (c *Client) Encode() []byte {
	e := types.NewEncoder(400 + 70*len(c.set.Seats) + 80*len(c.epochs))
	e.Byte(1) // format
	e.Hash(c.params.Chain)
	e.Uint(c.params.GenesisTimeMs)
	e.Uint(c.params.SlotMs)
	e.Uint(c.params.TrustingMs)
	e.Uint(c.params.DriftMs)
	e.Uint(uint64(c.params.Keep))
	e.Uint(uint64(len(c.epochs)))
	for _, x := range c.epochs {
		e.Uint(x.Number)
		e.Hash(x.SetHash)
		putPoint(e, x.Opened)
	}
	e.Blob(c.set.Encode())
	putPoint(e, c.newest)
	if c.frozen == nil {
		e.Byte(0)
	} else {
		e.Byte(1)
		c.frozen.A.encode(e)
		c.frozen.B.encode(e)
	}
	return e.Bytes()
}

func putPoint(e *types.Encoder, p Point) {
	e.Uint(p.Height)
	e.Uint(p.Slot)
	e.Hash(p.ID)
}

func getPoint(d *types.Decoder) Point { return Point{d.Uint(), d.Uint(), d.Hash()} }

// Decode is the inverse of [Client.Encode]. It fails with types.ErrMalformed. The state is the client's own, so what it says
// is not proven again, only that it makes sense.
func Decode(b []byte, s Schemes) (*Client, error) {
	if len(b) > MaxStateBytes {
		return nil, fmt.Errorf("light client: %w: %d bytes, at most %d are allowed", types.ErrMalformed, len(b), MaxStateBytes)
	}
	d := types.NewDecoder(b)
	if f := d.Byte(); f != 1 {
		d.Fail("format %d is unknown", f)
	}
	c := &Client{schemes: s, params: Params{Chain: d.Hash(), GenesisTimeMs: d.Uint(), SlotMs: d.Uint(), TrustingMs: d.Uint(), DriftMs: d.Uint(),
		Keep: d.Uint32()}}
	for range d.Count(MaxKeep+1, 67) {
		c.epochs = append(c.epochs, Epoch{Number: d.Uint(), SetHash: d.Hash(), Opened: getPoint(d)})
	}
	raw := d.Blob(256 << 10)
	c.newest = getPoint(d)
	switch f := d.Byte(); f {
	case 0:
	case 1:
		c.frozen = &Frozen{decodeClaim(d), decodeClaim(d)}
	default:
		d.Fail("flag %d", f)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("light client: %w", err)
	}
	var err error
	if c.set, err = types.DecodeSet(raw); err != nil {
		return nil, fmt.Errorf("light client: %w: %w", types.ErrMalformed, err)
	}
	if err := c.sensible(); err != nil {
		return nil, fmt.Errorf("light client: %w: %w", types.ErrMalformed, err)
	}
	return c, nil
}

// sensible checks that the parts of a state fit one another.
func (c *Client) sensible() error {
	if err := c.params.validate(); err != nil {
		return err
	}
	n := len(c.epochs)
	if n == 0 || n > int(c.params.Keep)+1 {
		return fmt.Errorf("%d epochs, at most %d are kept", n, c.params.Keep+1)
	}
	for i := 1; i < n; i++ {
		if p, q := c.epochs[i-1], c.epochs[i]; q.Number != p.Number+1 || q.Opened.Height <= p.Opened.Height || q.Opened.Slot <= p.Opened.Slot {
			return fmt.Errorf("epoch %d does not follow epoch %d", q.Number, p.Number)
		}
	}
	last := c.epochs[n-1]
	if last.Number != c.set.Epoch || last.SetHash != c.set.Hash() {
		return fmt.Errorf("the set is not that of epoch %d", last.Number)
	}
	if c.newest != last.Opened && (c.newest.Height <= last.Opened.Height || c.newest.Slot <= last.Opened.Slot) {
		return fmt.Errorf("the newest block is at height %d, the epoch begins after height %d", c.newest.Height, last.Opened.Height)
	}
	return nil
}
