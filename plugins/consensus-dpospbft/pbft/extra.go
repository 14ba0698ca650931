package pbft

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
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

const extraVersion = 1

// Extra is what a header's consensus bytes hold.
type Extra struct {
	Justify  Ref      // a proper ancestor with a PrepareQC, or the block that the epoch began with
	FinalRef FinalRef // the newest final ancestor that a block of the epoch up to this one carries a certificate for; at first the block that the epoch began with
	VRF      []byte   // the producer's contribution to the next order: a proof of consensus.VRFInput
}

// Encode returns the header's consensus bytes.
func (x *Extra) Encode() []byte {
	e := types.NewEncoder(120 + len(x.VRF))
	e.Byte(extraVersion)
	putRef(e, x.Justify)
	e.Uint(x.FinalRef.Slot)
	e.Uint(x.FinalRef.Height)
	e.Hash(x.FinalRef.ID)
	e.Blob(x.VRF)
	return e.Bytes()
}

// withoutProof returns the consensus bytes up to the proof, which the core appends.
func (x *Extra) withoutProof() []byte {
	y := *x
	y.VRF = make([]byte, consensus.VRFBytes)
	b := y.Encode()
	return b[: len(b)-consensus.VRFBytes : len(b)-consensus.VRFBytes]
}

// DecodeExtra is the inverse of [Extra.Encode]. The proof is there, but not verified.
func DecodeExtra(b []byte) (*Extra, error) {
	d := types.NewDecoder(b)
	if v := d.Byte(); v != extraVersion {
		d.Fail("version %d is unknown", v)
	}
	x := &Extra{Justify: getRef(d)}
	x.FinalRef = FinalRef{Slot: d.Uint(), Height: d.Uint(), ID: d.Hash()}
	if x.VRF = d.Blob(consensus.VRFBytes); d.Err() == nil && len(x.VRF) != consensus.VRFBytes {
		d.Fail("a proof of %d bytes, want %d", len(x.VRF), consensus.VRFBytes)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("consensus bytes of a header: %w", err)
	}
	return x, nil
}

// extraOf reads a header's consensus bytes. Those of the genesis header are not looked at.
func extraOf(h *types.Header, id types.BlockID) (*Extra, error) {
	if h.Height == 0 {
		return firstExtra(h, id), nil
	}
	return DecodeExtra(h.Consensus)
}

// firstExtra is what counts as the consensus fields of the block that an epoch begins with: it justifies itself.
func firstExtra(h *types.Header, id types.BlockID) *Extra {
	return &Extra{Justify: Ref{h.Slot, id}, FinalRef: FinalRef{h.Slot, h.Height, id}}
}

func putRef(e *types.Encoder, r Ref) {
	e.Uint(r.Slot)
	e.Hash(r.ID)
}

func getRef(d *types.Decoder) Ref { return Ref{d.Uint(), d.Hash()} }
