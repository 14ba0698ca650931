package staking

import "github.com/paloalto-chain/paloalto/sdk/types"

// Why the next block closes the epoch.
const (
	pendingNone byte = iota
	pendingRegular
	pendingEarly
)

// epoch is what there is one of: the epoch in force, and what the next block has to know of this one.
type epoch struct {
	Number    uint64
	Start     uint64 // slot of the block that closed the epoch before
	Origin    uint64 // slot of the last regular tally; the next is due Length slots later
	Length    uint64 // as of the last block
	Seed      types.Hash
	Mix       types.Hash // of the VRF outputs since the last regular tally
	Seats     uint64     // size of the set
	Pending   byte
	Leaving   []types.AccountID // to be excluded when the epoch closes
	Height    uint64            // of the last block
	Slot      uint64
	Clock     uint64
	Final     uint64 // height that its FinalRef names
	HasFinal  bool
	Certified uint64 // height of the last certificate that was counted
}

func (r *epoch) put(e *types.Encoder) {
	for _, v := range []uint64{r.Number, r.Start, r.Origin, r.Length} {
		e.Uint(v)
	}
	e.Hash(r.Seed)
	e.Hash(r.Mix)
	e.Uint(r.Seats)
	e.Byte(r.Pending)
	putAccounts(e, r.Leaving)
	for _, v := range []uint64{r.Height, r.Slot, r.Clock, r.Final} {
		e.Uint(v)
	}
	putFlag(e, r.HasFinal)
	e.Uint(r.Certified)
}

func decodeEpoch(d *types.Decoder) *epoch {
	r := &epoch{Number: d.Uint(), Start: d.Uint(), Origin: d.Uint(), Length: d.Uint(), Seed: d.Hash(), Mix: d.Hash(), Seats: d.Uint(), Pending: d.Byte(),
		Leaving: takeAccounts(d, types.MaxSeats)}
	r.Height, r.Slot, r.Clock, r.Final, r.HasFinal, r.Certified = d.Uint(), d.Uint(), d.Uint(), d.Uint(), takeFlag(d), d.Uint()
	if r.Seats == 0 || r.Seats > types.MaxSeats || r.Pending > pendingEarly {
		d.Fail("%d seats, pending %d", r.Seats, r.Pending)
	}
	return r
}

// end is the first slot at which a regular tally is due.
func (r *epoch) end(length uint64) uint64 { return r.Origin + length }

// mixes tells whether a block at a slot adds to the next seed: those of the first two thirds do, so that nobody who still has a
// choice to make knows what comes of it.
func (r *epoch) mixes(slot, length uint64) bool {
	passed := slot - min(r.Origin, slot)
	return passed < length && 3*passed < 2*length
}

// nextSeed is the seed of the order after the next regular tally.
func (r *epoch) nextSeed() types.Hash { return types.Sum(domainSeed, r.Seed[:], r.Mix[:]) }

// seat is a member of the set in force.
type seat struct {
	Account types.AccountID
	Guilty  bool // convicted since the set was made
	// Since the last block, the reactivation or the entry into the set.
	LastClock uint64
	Row       uint64 // turns missed in a row
	LastSlot  uint64 // of the last block, in this or a former epoch; 0 if there is none
	// In this epoch.
	Produced, Slots, Turns, Commits uint64 // blocks; slots, turns and COMMITs missed
}

// seatChunk is a part of the seats: they lie in pieces, so that a block of a large set changes few bytes.
type seatChunk struct{ Seats []seat }

func (r *seatChunk) put(e *types.Encoder) {
	e.Uint(uint64(len(r.Seats)))
	for i := range r.Seats {
		s := &r.Seats[i]
		e.Raw(s.Account[:])
		putFlag(e, s.Guilty)
		for _, v := range []uint64{s.LastClock, s.Row, s.LastSlot, s.Produced, s.Slots, s.Turns, s.Commits} {
			e.Uint(v)
		}
	}
}

func decodeSeats(d *types.Decoder) *seatChunk {
	r := &seatChunk{}
	for range d.Count(chunkSeats, 40) {
		r.Seats = append(r.Seats, seat{types.AccountID(d.Hash()), takeFlag(d), d.Uint(), d.Uint(), d.Uint(), d.Uint(), d.Uint(), d.Uint(), d.Uint()})
	}
	return r
}
