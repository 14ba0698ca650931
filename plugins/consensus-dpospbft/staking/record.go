package staking

import "github.com/paloalto-chain/paloalto/sdk/types"

const (
	recordFormat = 1

	// MaxUnbonding bounds the entries of one account that wait for their tokens.
	MaxUnbonding = 16

	chunkSeats = 32
)

// record is what an item holds. Records that are in use are never changed, but replaced.
type record interface{ put(e *types.Encoder) }

func encode(r record) []byte {
	e := types.NewEncoder(160)
	e.Byte(recordFormat)
	r.put(e)
	return e.Bytes()
}

// unbonding is an amount that is given back at a clock.
type unbonding struct{ Clock, Amount uint64 }

// owner is an account that has staked.
type owner struct {
	Stake     uint64
	Unbonding []unbonding       // ascending by clock
	Weeks     uint64            // when the vote was cast
	Approvals []types.AccountID // ascending
}

func (r *owner) put(e *types.Encoder) {
	e.Uint(r.Stake)
	e.Uint(uint64(len(r.Unbonding)))
	for _, u := range r.Unbonding {
		e.Uint(u.Clock)
		e.Uint(u.Amount)
	}
	e.Uint(r.Weeks)
	putAccounts(e, r.Approvals)
}

func decodeOwner(d *types.Decoder) *owner {
	r := &owner{Stake: d.Uint()}
	for range d.Count(MaxUnbonding, 2) {
		r.Unbonding = append(r.Unbonding, unbonding{d.Uint(), d.Uint()})
	}
	r.Weeks, r.Approvals = d.Uint(), takeAccounts(d, types.MaxApprovals)
	return r
}

// escrow is what lies with the record.
func (r *owner) escrow() uint64 {
	sum := r.Stake
	for _, u := range r.Unbonding {
		sum += u.Amount
	}
	return sum
}

// weight is what each approval counts.
func (r *owner) weight() Weight { return Weigh(r.Stake, Factor(r.Weeks)) }

func putAccounts(e *types.Encoder, list []types.AccountID) {
	e.Uint(uint64(len(list)))
	for _, a := range list {
		e.Raw(a[:])
	}
}

func takeAccounts(d *types.Decoder, limit int) (out []types.AccountID) {
	for range d.Count(limit, 32) {
		out = append(out, types.AccountID(d.Hash()))
	}
	return out
}

// Status is whether a producer may be elected.
type Status byte

// The states. Only Active producers are elected; only Tombstoned is for ever.
const (
	Active Status = iota
	Jailed
	Excluded
	Retired
	Tombstoned
)

// String returns the name that queries show.
func (s Status) String() string {
	switch s {
	case Active:
		return "active"
	case Jailed:
		return "jailed"
	case Excluded:
		return "excluded"
	case Retired:
		return "retired"
	case Tombstoned:
		return "tombstoned"
	}
	return "unknown"
}

// producer is an account that is or was a candidate.
type producer struct {
	Key      types.PublicKey // for the next set
	Name     string
	Status   Status
	Founder  bool   // of the genesis set, and never retired: needs no stake of its own
	Votes    Weight // of all approvals
	Stake    uint64 // the account's own, the same as in its owner record
	LastSlot uint64 // of its last block in a set that it has left; 0 if there is none
}

func (r *producer) put(e *types.Encoder) {
	e.Byte(byte(r.Key.Scheme))
	e.Blob(r.Key.Key)
	e.String(r.Name)
	e.Byte(byte(r.Status))
	putFlag(e, r.Founder)
	putWeight(e, r.Votes)
	e.Uint(r.Stake)
	e.Uint(r.LastSlot)
}

func decodeProducer(d *types.Decoder) *producer {
	r := &producer{Key: types.PublicKey{Scheme: types.Scheme(d.Byte()), Key: d.Blob(types.MaxKeyBytes)}, Name: d.String(types.MaxProducerNameBytes),
		Status: Status(d.Byte()), Founder: takeFlag(d), Votes: Weight{d.Uint(), d.Uint()}, Stake: d.Uint(), LastSlot: d.Uint()}
	if r.Status > Tombstoned {
		d.Fail("status %d", r.Status)
	}
	return r
}

// rank is the producer's item in the index of candidates, if it stands there.
func (r *producer) ranked() bool { return r != nil && r.Status == Active && !r.Votes.IsZero() }

// eligible tells whether the producer may stand for a seat, votes aside.
func (r *producer) eligible(minStake uint64) bool {
	return r.Status == Active && (r.Founder || r.Stake >= minStake)
}

func putFlag(e *types.Encoder, v bool) {
	if v {
		e.Byte(1)
	} else {
		e.Byte(0)
	}
}

func takeFlag(d *types.Decoder) bool {
	b := d.Byte()
	if b > 1 {
		d.Fail("%d is no truth value", b)
	}
	return b == 1
}

func putWeight(e *types.Encoder, w Weight) {
	e.Uint(w.Hi)
	e.Uint(w.Lo)
}

// keyRecord says whose a key is, for ever: a producer that has lost its votes' log must not sign with that key again.
type keyRecord struct{ Account types.AccountID }

func (r *keyRecord) put(e *types.Encoder) { e.Raw(r.Account[:]) }

// setRecord is the set of an epoch and the accounts of its seats, kept while evidence may come.
type setRecord struct {
	Start    uint64 // slot of the block before the epoch's first
	Set      []byte // encoded
	Accounts []types.AccountID
}

func (r *setRecord) put(e *types.Encoder) {
	e.Uint(r.Start)
	e.Blob(r.Set)
	putAccounts(e, r.Accounts)
}

func decodeSetRecord(d *types.Decoder) *setRecord {
	return &setRecord{d.Uint(), d.Blob(1 << 20), takeAccounts(d, types.MaxSeats)}
}

// conviction is evidence that was accepted.
type conviction struct {
	ID            types.Hash
	Kind          uint64
	Account       types.AccountID
	Slot          uint64 // of the offence
	Height, Clock uint64 // of the block that accepted it
	Slashed       uint64
}

func (r *conviction) put(e *types.Encoder) {
	e.Hash(r.ID)
	e.Uint(r.Kind)
	e.Raw(r.Account[:])
	e.Uint(r.Slot)
	e.Uint(r.Height)
	e.Uint(r.Clock)
	e.Uint(r.Slashed)
}

func decodeConviction(d *types.Decoder) *conviction {
	return &conviction{d.Hash(), d.Uint(), types.AccountID(d.Hash()), d.Uint(), d.Uint(), d.Uint(), d.Uint()}
}
