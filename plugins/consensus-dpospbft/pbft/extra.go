package pbft

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Ref names a block by slot and id.
type Ref struct {
	Slot uint64
	ID   types.BlockID
}

// FinalRef names a final block that a header knows of.
type FinalRef struct {
	Slot, Height uint64
	ID           types.BlockID
}

// Limits of the header's consensus bytes.
const (
	maxVRFBytes  = 128
	maxAccused   = 4
	extraVersion = 1
)

// Extra is what a header's consensus bytes hold.
type Extra struct {
	Epoch    uint64
	Justify  Ref      // a proper ancestor with a PrepareQC, or the epoch's first block
	FinalRef FinalRef // the newest final ancestor that the header or one of its ancestors carries a certificate for

	// Room for what comes with epochs; empty by these rules.
	VRF     []byte       // the producer's contribution to the next order
	Closing bool         // the last block of the epoch
	Accused []types.Hash // hashes of evidence
}

// Encode returns the header's consensus bytes.
func (x *Extra) Encode() []byte {
	e := types.NewEncoder(100 + len(x.VRF) + 32*len(x.Accused))
	e.Byte(extraVersion)
	e.Uint(x.Epoch)
	putRef(e, x.Justify)
	e.Uint(x.FinalRef.Slot)
	e.Uint(x.FinalRef.Height)
	e.Hash(x.FinalRef.ID)
	e.Blob(x.VRF)
	putBool(e, x.Closing)
	e.Uint(uint64(len(x.Accused)))
	for _, a := range x.Accused {
		e.Hash(a)
	}
	return e.Bytes()
}

// DecodeExtra is the inverse of [Extra.Encode].
func DecodeExtra(b []byte) (*Extra, error) {
	d := types.NewDecoder(b)
	if v := d.Byte(); v != extraVersion {
		d.Fail("version %d is unknown", v)
	}
	x := &Extra{Epoch: d.Uint(), Justify: getRef(d)}
	x.FinalRef = FinalRef{Slot: d.Uint(), Height: d.Uint(), ID: d.Hash()}
	x.VRF = d.Blob(maxVRFBytes)
	x.Closing = getBool(d)
	for range d.Count(maxAccused, 32) {
		x.Accused = append(x.Accused, d.Hash())
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("consensus bytes of a header: %w", err)
	}
	return x, nil
}

// extraOf reads a header's consensus bytes. Those of the genesis header are not looked at: it justifies itself.
func extraOf(h *types.Header, id types.BlockID, epoch uint64) (*Extra, error) {
	if h.Height == 0 {
		return &Extra{Epoch: epoch, Justify: Ref{h.Slot, id}, FinalRef: FinalRef{h.Slot, 0, id}}, nil
	}
	return DecodeExtra(h.Consensus)
}

func putRef(e *types.Encoder, r Ref) {
	e.Uint(r.Slot)
	e.Hash(r.ID)
}

func getRef(d *types.Decoder) Ref { return Ref{d.Uint(), d.Hash()} }

func putBool(e *types.Encoder, b bool) {
	if b {
		e.Byte(1)
	} else {
		e.Byte(0)
	}
}

func getBool(d *types.Decoder) bool {
	b := d.Byte()
	if b > 1 {
		d.Fail("%d is no truth value", b)
	}
	return b == 1
}
