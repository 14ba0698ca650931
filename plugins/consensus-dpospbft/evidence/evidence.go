// Package evidence is proof that a producer has broken the rules of dpospbft: what it has signed itself, and headers. It is
// pure; whoever knows the chain's id and the set of the epoch can judge it, without a tree and without the state.
//
// A producer that follows the rules can never be accused, whatever the network does to it: it signs one proposal, one PREPARE
// and one COMMIT a slot over all its lives, and for the fourth kind see [Hop].
package evidence

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Kind of offence.
type Kind byte

// Kinds. The first three are two different things signed by one seat in one slot.
const (
	Propose Kind = 1 + iota // E1: two blocks
	Prepare                 // E2: two PREPAREs
	Commit                  // E3: two COMMITs
	// Hop, E4, is a COMMIT of block b in slot s and a PREPARE of block b' in a later slot s' with a src below s, where b' does
	// not descend from b. Who commits first has a lock of s or above, and its src is either that lock or a justify above it; who
	// prepares first may not commit to an older block that what it has prepared since does not descend from.
	Hop
)

// String names the kind as the design does.
func (k Kind) String() string {
	switch k {
	case Propose:
		return "two-blocks"
	case Prepare:
		return "two-prepares"
	case Commit:
		return "two-commits"
	case Hop:
		return "hop"
	}
	return fmt.Sprintf("kind-%d", byte(k))
}

// Limits. Evidence of any length fits the extension of a block; 64 headers as this protocol makes them have at most 35 KiB.
const (
	MaxHeaders = 64       // of a Hop
	MaxBytes   = 48 << 10 // encoded

	version  = 1
	sigBytes = 64
	domain   = "paloalto/evidence/1\x00"
)

// ErrBad says that evidence proves nothing.
var ErrBad = errors.New("bad evidence")

// Signed is what a seat has signed. Height is 0 for a proposal; Src is 0 for all but a PREPARE.
type Signed struct {
	Slot, Height, Src uint64
	ID                types.BlockID
	Sig               []byte
}

// Evidence shows that a seat has broken the rules in an epoch.
type Evidence struct {
	Kind  Kind
	Epoch uint64
	Slot  uint64 // of both things; of a Hop the PREPARE's
	Seat  uint32
	A, B  Signed // in ascending order; of a Hop the COMMIT and the PREPARE
	// Headers, of a Hop, go from the block of the PREPARE down to the first whose slot is not above the COMMIT's.
	Headers []*types.Header
}

// Pair makes evidence of two things that were signed in one slot.
func Pair(kind Kind, epoch uint64, seat uint32, a, b Signed) *Evidence {
	if a.compare(&b) > 0 {
		a, b = b, a
	}
	return &Evidence{Kind: kind, Epoch: epoch, Slot: a.Slot, Seat: seat, A: a, B: b}
}

// compare orders what was signed, not the signatures.
func (s *Signed) compare(t *Signed) int {
	if c := bytes.Compare(s.ID[:], t.ID[:]); c != 0 {
		return c
	}
	switch {
	case s.Height != t.Height:
		return less(s.Height, t.Height)
	case s.Src != t.Src:
		return less(s.Src, t.Src)
	}
	return 0
}

func less(a, b uint64) int {
	if a < b {
		return -1
	}
	return 1
}

// Encode returns the evidence's bytes.
func (v *Evidence) Encode() []byte {
	e := types.NewEncoder(300 + 600*len(v.Headers))
	e.Byte(version)
	e.Byte(byte(v.Kind))
	e.Uint(v.Epoch)
	e.Uint(v.Slot)
	e.Uint(uint64(v.Seat))
	switch v.Kind {
	case Propose:
		v.A.put(e, false, false)
		v.B.put(e, false, false)
	case Prepare:
		v.A.put(e, true, true)
		v.B.put(e, true, true)
	case Commit:
		v.A.put(e, true, false)
		v.B.put(e, true, false)
	case Hop:
		e.Uint(v.A.Slot)
		v.A.put(e, true, false)
		v.B.put(e, true, true)
		e.Uint(uint64(len(v.Headers)))
		for _, h := range v.Headers {
			e.Blob(h.Encode())
		}
	}
	return e.Bytes()
}

func (s *Signed) put(e *types.Encoder, height, src bool) {
	e.Hash(s.ID)
	if height {
		e.Uint(s.Height)
	}
	if src {
		e.Uint(s.Src)
	}
	e.Raw(s.Sig)
}

func get(d *types.Decoder, slot uint64, height, src bool) Signed {
	s := Signed{Slot: slot, ID: d.Hash()}
	if height {
		s.Height = d.Uint()
	}
	if src {
		s.Src = d.Uint()
	}
	s.Sig = d.Raw(sigBytes)
	return s
}

// Decode is the inverse of [Evidence.Encode]. It verifies no signature.
func Decode(b []byte) (*Evidence, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("evidence: %w: %d bytes, at most %d are allowed", types.ErrMalformed, len(b), MaxBytes)
	}
	d := types.NewDecoder(b)
	if x := d.Byte(); x != version {
		d.Fail("version %d is unknown", x)
	}
	v := &Evidence{Kind: Kind(d.Byte()), Epoch: d.Uint(), Slot: d.Uint(), Seat: d.Uint32()}
	var raws [][]byte
	switch v.Kind {
	case Propose:
		v.A, v.B = get(d, v.Slot, false, false), get(d, v.Slot, false, false)
	case Prepare:
		v.A, v.B = get(d, v.Slot, true, true), get(d, v.Slot, true, true)
	case Commit:
		v.A, v.B = get(d, v.Slot, true, false), get(d, v.Slot, true, false)
	case Hop:
		v.A, v.B = get(d, d.Uint(), true, false), get(d, v.Slot, true, true)
		for range d.Count(MaxHeaders, 300) {
			raws = append(raws, d.Blob(types.MaxHeaderBytes))
		}
	default:
		d.Fail("kind %d is unknown", v.Kind)
	}
	if v.Kind != Hop && v.A.compare(&v.B) > 0 {
		d.Fail("the two parts are not in order")
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	for _, raw := range raws {
		h, err := types.DecodeHeader(raw)
		if err != nil {
			return nil, fmt.Errorf("evidence: %w", err)
		}
		v.Headers = append(v.Headers, h)
	}
	return v, nil
}

// ID names the evidence. One offence may be shown in several ways, each with an id of its own.
func (v *Evidence) ID() types.Hash { return types.Sum(domain, v.Encode()) }
