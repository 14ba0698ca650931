package oracle

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Dispute is how the producers decide about an answer that was contradicted. It lies in two items, since the largest snapshot
// with all its ballots would not fit one: [DisputeItem] has all but the commits, [CommitsItem] has these.
//
// A question can be disputed twice: in its first life, and in its second, if it was reopened. Each life has items of its own.
type Dispute struct {
	ID        [32]byte // of the question
	Life      int      // 0, or 1 if the question was reopened before
	Countered uint64   // clock of the counter
	CommitAt  uint64   // clock at which commits begin to be accepted
	RevealAt  uint64   // clock at which commits are no more accepted, and reveals are
	EndsAt    uint64   // clock at which reveals are no more accepted; sooner than planned if all have revealed
	Producers []types.PublicKey
	Commits   []Committed // in the order of seats
	Reveals   []Revealed  // in the order of seats
	Settled   *Settlement // nil until the dispute is over
	Over      uint64      // clock at which it was settled
}

// Committed is a commit that was accepted. Seat counts Producers.
type Committed struct {
	Seat  int
	Hash  types.Hash
	Clock uint64
}

// Revealed is a reveal that was accepted.
type Revealed struct {
	Seat  int
	Value Value
	Clock uint64
}

// Prefixes of keys of items. All but those of the index lie at the place of the question.
const (
	questionPrefix = "q/"
	disputePrefix  = "v/"
	commitsPrefix  = "w/"
	indexPrefix    = "d/"
)

// DisputeItem returns the item of a question's dispute in its first life (0) or its second (1), see [Record.Life].
func DisputeItem(id [32]byte, life int) module.Item { return lifeItem(disputePrefix, id, life) }

// CommitsItem returns the item of the commits of the dispute under [DisputeItem].
func CommitsItem(id [32]byte, life int) module.Item { return lifeItem(commitsPrefix, id, life) }

func lifeItem(prefix string, id [32]byte, life int) module.Item {
	it := module.Item{Key: prefix + string(id[:])}
	if life > 0 {
		it.Key += "\x01"
	}
	copy(it.Place[:], id[:8])
	return it
}

// DisputeIndex returns the item that is there from a counter until its dispute is settled, so that open disputes can be
// found by a scan between the items that [DisputeIndexRange] returns, the first that begins coming first.
func DisputeIndex(commitAt uint64, id [32]byte) module.Item {
	k := binary.BigEndian.AppendUint64([]byte(indexPrefix), commitAt)
	return module.Item{Key: string(append(k, id[:]...))}
}

// DisputeIndexRange returns the bounds of a scan over all open disputes.
func DisputeIndexRange() (start, end module.Item) {
	return module.Item{Key: indexPrefix}, module.Item{Key: indexPrefix[:1] + string(rune(indexPrefix[1]+1))}
}

// ParseDisputeIndex returns the question's id of an item of the index.
func ParseDisputeIndex(it module.Item) (id [32]byte, err error) {
	if it.Place != (types.Place{}) || len(it.Key) != len(indexPrefix)+8+32 || it.Key[:len(indexPrefix)] != indexPrefix {
		return id, fmt.Errorf("index of disputes: %w: key %.80q", types.ErrMalformed, it.Key)
	}
	copy(id[:], it.Key[len(indexPrefix)+8:])
	return id, nil
}

// LoadDispute reads a dispute, which is nil if there is none in that life of the question. tx is as module.Reader wants it.
func LoadDispute(ctx context.Context, r module.Reader, tx int, id [32]byte, life int) (*Dispute, error) {
	values, err := r.Read(ctx, tx, []module.Item{DisputeItem(id, life), CommitsItem(id, life)})
	if err != nil {
		return nil, err
	}
	if len(values) != 2 {
		return nil, fmt.Errorf("dispute: %d values for 2 items", len(values))
	}
	if values[0] == nil {
		return nil, nil
	}
	return DecodeDispute(values[0], values[1])
}

// Seat returns the seat of a producer, or -1.
func (d *Dispute) Seat(key types.PublicKey) int {
	return slices.IndexFunc(d.Producers, func(k types.PublicKey) bool { return k.Scheme == key.Scheme && bytes.Equal(k.Key, key.Key) })
}

// CommitOf returns what a seat has committed to.
func (d *Dispute) CommitOf(seat int) (Committed, bool) {
	i, ok := slices.BinarySearchFunc(d.Commits, seat, func(c Committed, seat int) int { return c.Seat - seat })
	if !ok {
		return Committed{}, false
	}
	return d.Commits[i], true
}

// RevealOf returns what a seat has revealed.
func (d *Dispute) RevealOf(seat int) (Revealed, bool) {
	i, ok := slices.BinarySearchFunc(d.Reveals, seat, func(r Revealed, seat int) int { return r.Seat - seat })
	if !ok {
		return Revealed{}, false
	}
	return d.Reveals[i], true
}

// WithCommit returns a copy of the dispute with one more commit, by a seat that has none.
func (d *Dispute) WithCommit(c Committed) *Dispute {
	n := *d
	i, _ := slices.BinarySearchFunc(d.Commits, c.Seat, func(c Committed, seat int) int { return c.Seat - seat })
	n.Commits = slices.Insert(slices.Clone(d.Commits), i, c)
	return &n
}

// WithReveal returns a copy of the dispute with one more reveal, by a seat that has none.
func (d *Dispute) WithReveal(r Revealed) *Dispute {
	n := *d
	i, _ := slices.BinarySearchFunc(d.Reveals, r.Seat, func(r Revealed, seat int) int { return r.Seat - seat })
	n.Reveals = slices.Insert(slices.Clone(d.Reveals), i, r)
	return &n
}

// Quorum is how many equal reveals decide: more than two thirds of the snapshot.
func (d *Dispute) Quorum() int { return int(types.QuorumOf(uint64(len(d.Producers)))) }

// Verdict returns the value that a quorum has revealed, and false if there is none.
func (d *Dispute) Verdict() (Value, bool) {
	var count [len(valueNames)]int
	for _, r := range d.Reveals {
		count[r.Value]++
	}
	for v, n := range count {
		if n >= d.Quorum() {
			return Value(v), true
		}
	}
	return Invalid, false
}

// Rewarded returns the accounts of the producers that revealed a value, in the order of seats.
func (d *Dispute) Rewarded(v Value) []types.AccountID {
	var out []types.AccountID
	for _, r := range d.Reveals {
		if r.Value == v {
			out = append(out, types.SingleKeyAuthority(d.Producers[r.Seat]).ID())
		}
	}
	return out
}

// Encode returns the canonical bytes of all but the commits.
func (d *Dispute) Encode() []byte {
	e := types.NewEncoder(128 + 36*len(d.Producers) + 12*len(d.Reveals))
	e.Byte(1) // format
	e.Hash(d.ID)
	e.Byte(byte(d.Life))
	e.Uint(d.Countered)
	e.Uint(d.CommitAt)
	e.Uint(d.RevealAt)
	e.Uint(d.EndsAt)
	e.Uint(uint64(len(d.Producers)))
	for _, k := range d.Producers {
		encodeKey(e, k)
	}
	e.Uint(uint64(len(d.Reveals)))
	for _, r := range d.Reveals {
		e.Uint(uint64(r.Seat))
		e.Byte(byte(r.Value))
		e.Uint(r.Clock)
	}
	if d.Settled == nil {
		e.Byte(0)
	} else {
		e.Byte(1)
		d.Settled.encode(e)
		e.Uint(d.Over)
	}
	return e.Bytes()
}

// EncodeCommits returns the canonical bytes of the commits, nil if there are none.
func (d *Dispute) EncodeCommits() []byte {
	if len(d.Commits) == 0 {
		return nil
	}
	e := types.NewEncoder(8 + 40*len(d.Commits))
	e.Byte(1) // format
	e.Uint(uint64(len(d.Commits)))
	for _, c := range d.Commits {
		e.Uint(uint64(c.Seat))
		e.Hash(c.Hash)
		e.Uint(c.Clock)
	}
	return e.Bytes()
}

// DecodeDispute is the inverse of [Dispute.Encode] and [Dispute.EncodeCommits]. commits may be nil.
func DecodeDispute(base, commits []byte) (*Dispute, error) {
	x := types.NewDecoder(base)
	format(x, "dispute")
	d := &Dispute{ID: x.Hash(), Life: int(x.Byte()), Countered: x.Uint(), CommitAt: x.Uint(), RevealAt: x.Uint(), EndsAt: x.Uint()}
	if x.Err() == nil && (d.Life > 1 || d.Countered > d.CommitAt || d.CommitAt > d.RevealAt || d.RevealAt > d.EndsAt) {
		x.Fail("life %d from clock %d by %d and %d to %d", d.Life, d.Countered, d.CommitAt, d.RevealAt, d.EndsAt)
	}
	for range x.Count(types.MaxSeats, 34) {
		d.Producers = append(d.Producers, decodeKey(x))
	}
	last := -1
	for range x.Count(len(d.Producers), 3) {
		r := Revealed{Seat: d.seat(x, &last), Value: Value(x.Byte()), Clock: x.Uint()}
		if !r.Value.Valid() {
			x.Fail("value %d", r.Value)
		}
		d.Reveals = append(d.Reveals, r)
	}
	switch f := x.Byte(); f {
	case 0:
	case 1:
		d.Settled, d.Over = decodeSettlement(x), x.Uint()
	default:
		x.Fail("flag %d", f)
	}
	if err := x.Finish(); err != nil {
		return nil, fmt.Errorf("dispute: %w", err)
	}
	if commits == nil {
		return d, nil
	}
	x, last = types.NewDecoder(commits), -1
	format(x, "commits")
	n := x.Count(len(d.Producers), 34)
	if x.Err() == nil && n == 0 {
		x.Fail("no commits")
	}
	for range n {
		d.Commits = append(d.Commits, Committed{Seat: d.seat(x, &last), Hash: x.Hash(), Clock: x.Uint()})
	}
	if err := x.Finish(); err != nil {
		return nil, fmt.Errorf("commits of a dispute: %w", err)
	}
	return d, nil
}

// seat reads a seat, which must be greater than the last.
func (d *Dispute) seat(x *types.Decoder, last *int) int {
	v := x.Uint()
	if x.Err() != nil {
		return 0
	}
	if v >= uint64(len(d.Producers)) || int(v) <= *last {
		x.Fail("seat %d after %d of %d", v, *last, len(d.Producers))
		return 0
	}
	*last = int(v)
	return int(v)
}
