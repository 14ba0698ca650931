package types

import "fmt"

// Limits of the opaque parts of a header.
const (
	MaxConsensusBytes = 4096
	MaxShardBytes     = 256
	MaxHeaderBytes    = MaxConsensusBytes + MaxShardBytes + 512 // encoded
)

// Header is what the producers sign. All roots are those of the *parent's* execution, except BodyRoot and
// ExtensionRoot, which commit to this block's own content. The genesis header has height 0 and slot 0.
type Header struct {
	Chain         Hash   // the instance: the chain id until a chain is sharded
	Height        uint64 // parent's height + 1
	Slot          uint64 // larger than the parent's
	Epoch         uint64 // of the set whose turn it is; the parent's, or the next after a closing block
	Clock         uint64 // the chain's clock in ticks of the genesis slot length: parent's + min(slots passed, 8)
	Parent        BlockID
	Producer      Hash // hash of the producer's public key
	BodyRoot      Hash
	ExtensionRoot Hash
	StateRoot     Hash
	ReceiptsRoot  Hash
	OutboxRoot    Hash
	HistoryRoot   Hash   // root of the MMR over the headers up to and including the parent
	CertHeight    uint64 // height of the newest certificate that the block carries; 0 if it carries none
	NextSet       Hash   // hash of the next epoch's set if this block closes its epoch (of genesis: of the first set); else zero
	Shard         []byte // room for a shard's fields
	Consensus     []byte // the consensus plugin's own fields
}

// MaxClockStep is how far the chain's clock may advance in one block, in ticks.
const MaxClockStep = 8

// NextClock returns the clock of a block at slot whose parent is at parentSlot with parentClock.
func NextClock(parentClock, parentSlot, slot uint64) uint64 {
	return parentClock + min(slot-parentSlot, MaxClockStep)
}

// Encode returns the header's canonical bytes.
func (h *Header) Encode() []byte {
	e := NewEncoder(400 + len(h.Shard) + len(h.Consensus))
	e.Byte(1) // format
	e.Hash(h.Chain)
	e.Uint(h.Height)
	e.Uint(h.Slot)
	e.Uint(h.Epoch)
	e.Uint(h.Clock)
	e.Hash(h.Parent)
	e.Hash(h.Producer)
	e.Hash(h.BodyRoot)
	e.Hash(h.ExtensionRoot)
	e.Hash(h.StateRoot)
	e.Hash(h.ReceiptsRoot)
	e.Hash(h.OutboxRoot)
	e.Hash(h.HistoryRoot)
	e.Uint(h.CertHeight)
	e.Hash(h.NextSet)
	e.Blob(h.Shard)
	e.Blob(h.Consensus)
	return e.Bytes()
}

// DecodeHeader is the inverse of [Header.Encode].
func DecodeHeader(b []byte) (*Header, error) {
	d := NewDecoder(b)
	if f := d.Byte(); f != 1 {
		d.Fail("header format %d is unknown", f)
	}
	h := &Header{
		Chain: d.Hash(), Height: d.Uint(), Slot: d.Uint(), Epoch: d.Uint(), Clock: d.Uint(), Parent: d.Hash(), Producer: d.Hash(),
		BodyRoot: d.Hash(), ExtensionRoot: d.Hash(), StateRoot: d.Hash(), ReceiptsRoot: d.Hash(), OutboxRoot: d.Hash(),
		HistoryRoot: d.Hash(), CertHeight: d.Uint(), NextSet: d.Hash(), Shard: d.Blob(MaxShardBytes),
		Consensus: d.Blob(MaxConsensusBytes),
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	return h, nil
}

// Closes tells whether this block closes its epoch: the blocks of the next one, and only they, build on it for good.
func (h *Header) Closes() bool { return h.Height > 0 && !h.NextSet.IsZero() }

// ID returns the block's id: the hash of the header's canonical bytes.
func (h *Header) ID() BlockID { return Sum(DomainHeader, h.Encode()) }
