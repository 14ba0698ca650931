package types

import (
	"errors"
	"fmt"
	"math/bits"
)

// MaxSeats bounds a set of producers.
const MaxSeats = 1024

// Seat is one producer of a set.
type Seat struct {
	Key    PublicKey
	PQHash Hash // hash of a second, post-quantum key; zero if there is none
	Weight uint64
}

// Set is the producers of one epoch, in order, and the weight that makes a quorum.
type Set struct {
	Epoch     uint64
	Threshold uint64
	Seats     []Seat
}

// QuorumOf returns the threshold for a total weight w: floor(2w/3)+1.
func QuorumOf(w uint64) uint64 {
	hi, lo := bits.Mul64(w, 2)
	q, _ := bits.Div64(hi, lo, 3)
	return q + 1
}

// EqualSet makes a set in which each key has weight one.
func EqualSet(epoch uint64, keys []PublicKey) *Set {
	s := &Set{Epoch: epoch, Threshold: QuorumOf(uint64(len(keys)))}
	for _, k := range keys {
		s.Seats = append(s.Seats, Seat{Key: k, Weight: 1})
	}
	return s
}

// Encode returns the set's canonical bytes.
func (s *Set) Encode() []byte {
	e := NewEncoder(16 + 70*len(s.Seats))
	e.Byte(1) // format
	e.Uint(s.Epoch)
	e.Uint(s.Threshold)
	e.Uint(uint64(len(s.Seats)))
	for _, t := range s.Seats {
		e.Byte(byte(t.Key.Scheme))
		e.Blob(t.Key.Key)
		e.Hash(t.PQHash)
		e.Uint(t.Weight)
	}
	return e.Bytes()
}

// DecodeSet is the inverse of [Set.Encode]; it also validates.
func DecodeSet(b []byte) (*Set, error) {
	d := NewDecoder(b)
	if f := d.Byte(); f != 1 {
		d.Fail("set format %d is unknown", f)
	}
	s := &Set{Epoch: d.Uint(), Threshold: d.Uint()}
	n := d.Count(MaxSeats, 35)
	for range n {
		s.Seats = append(s.Seats, Seat{PublicKey{Scheme(d.Byte()), d.Blob(MaxKeyBytes)}, d.Hash(), d.Uint()})
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("set: %w", err)
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}

// ErrBadSet says that a set of producers is not usable.
var ErrBadSet = errors.New("bad producer set")

// Validate checks that there are seats, that keys are valid and differ, and that the threshold is more than two
// thirds of the total weight and not more than all of it.
func (s *Set) Validate() error {
	if len(s.Seats) == 0 || len(s.Seats) > MaxSeats {
		return fmt.Errorf("%w: %d seats, 1 to %d are allowed", ErrBadSet, len(s.Seats), MaxSeats)
	}
	seen := make(map[Hash]bool, len(s.Seats))
	var total uint64
	for i, t := range s.Seats {
		if err := t.Key.Validate(); err != nil {
			return fmt.Errorf("%w: seat %d: %w", ErrBadSet, i, err)
		}
		if k := t.Key.Hash(); seen[k] {
			return fmt.Errorf("%w: seat %d repeats a key", ErrBadSet, i)
		} else {
			seen[k] = true
		}
		if t.Weight == 0 || total+t.Weight < total {
			return fmt.Errorf("%w: seat %d: weight %d", ErrBadSet, i, t.Weight)
		}
		total += t.Weight
	}
	if s.Threshold < QuorumOf(total) || s.Threshold > total {
		return fmt.Errorf("%w: threshold %d of %d is not in (2/3, 1]", ErrBadSet, s.Threshold, total)
	}
	return nil
}

// Hash names the set.
func (s *Set) Hash() Hash { return Sum(DomainSet, s.Encode()) }

// Index returns the seat of the key with this hash, or -1.
func (s *Set) Index(keyHash Hash) int {
	for i := range s.Seats {
		if s.Seats[i].Key.Hash() == keyHash {
			return i
		}
	}
	return -1
}
