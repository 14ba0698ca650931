package signer

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Types of records in the guard's log.
const (
	recSnapshot uint8 = 1 // a guardState
	recSigned   uint8 = 2 // a signedEntry
)

// guardState is all that a guard has to know.
type guardState struct {
	pub    *types.PublicKey // nil before the first snapshot
	chains map[types.Hash]*chainState
}

// chainState is what was signed for a chain last.
type chainState struct {
	position uint64 // of the journal, the largest
	marks    map[string]mark
}

// mark is the last signature for a purpose.
type mark struct {
	ordinal uint64
	digest  types.Hash
}

// signedEntry is what one call signs: at least one wish.
type signedEntry struct {
	chain    types.Hash
	position uint64
	wishes   []wish
}

func (s *guardState) mark(chain types.Hash, purpose string) (mark, bool) {
	if c := s.chains[chain]; c != nil {
		m, ok := c.marks[purpose]
		return m, ok
	}
	return mark{}, false
}

// room returns how many more purposes a chain may have.
func (s *guardState) room(chain types.Hash) int {
	if c := s.chains[chain]; c != nil {
		return maxPurposes - len(c.marks)
	}
	if len(s.chains) >= maxChains {
		return 0
	}
	return maxPurposes
}

// apply adds an entry. It fails if the entry cannot have been allowed.
func (s *guardState) apply(e signedEntry) error {
	if s.chains == nil {
		s.chains = map[types.Hash]*chainState{}
	}
	c := s.chains[e.chain]
	if c == nil {
		c = &chainState{marks: map[string]mark{}}
		s.chains[e.chain] = c
	}
	for _, w := range e.wishes {
		if last, ok := c.marks[w.purpose]; ok && w.ordinal <= last.ordinal {
			return fmt.Errorf("%w: ordinal %d of purpose %q follows %d", types.ErrMalformed, w.ordinal, w.purpose, last.ordinal)
		}
		c.marks[w.purpose] = mark{w.ordinal, w.digest}
	}
	c.position = max(c.position, e.position)
	return nil
}

func (e signedEntry) encode() []byte {
	enc := types.NewEncoder(64 + 64*len(e.wishes))
	enc.Hash(e.chain)
	enc.Uint(e.position)
	enc.Uint(uint64(len(e.wishes)))
	for _, w := range e.wishes {
		w.encode(enc)
	}
	return enc.Bytes()
}

func (w wish) encode(enc *types.Encoder) {
	enc.String(w.purpose)
	enc.Uint(w.ordinal)
	enc.Hash(w.digest)
}

const minWishBytes = 2 + 1 + 32

func decodeWish(d *types.Decoder) wish {
	w := wish{purpose: d.String(MaxPurposeBytes), ordinal: d.Uint(), digest: d.Hash()}
	if w.purpose == "" {
		d.Fail("a purpose is empty")
	}
	return w
}

func decodeSigned(b []byte) (signedEntry, error) {
	d := types.NewDecoder(b)
	e := signedEntry{chain: d.Hash(), position: d.Uint()}
	n := d.Count(len(b), minWishBytes)
	for range n {
		e.wishes = append(e.wishes, decodeWish(d))
	}
	if n == 0 {
		d.Fail("nothing is signed")
	}
	if err := d.Finish(); err != nil {
		return e, fmt.Errorf("record of signatures: %w", err)
	}
	return e, nil
}

// encode writes the state, in the order of chains and purposes.
func (s *guardState) encode() []byte {
	e := types.NewEncoder(1024)
	e.Byte(byte(s.pub.Scheme))
	e.Blob(s.pub.Key)
	e.Uint(uint64(len(s.chains)))
	for _, chain := range sortedBy(s.chains, func(a, b types.Hash) int { return bytes.Compare(a[:], b[:]) }) {
		c := s.chains[chain]
		e.Hash(chain)
		e.Uint(c.position)
		e.Uint(uint64(len(c.marks)))
		for _, p := range sortedBy(c.marks, func(a, b string) int { return bytes.Compare([]byte(a), []byte(b)) }) {
			wish{p, c.marks[p].ordinal, c.marks[p].digest}.encode(e)
		}
	}
	return e.Bytes()
}

func decodeSnapshot(b []byte) (guardState, error) {
	d := types.NewDecoder(b)
	pub := types.PublicKey{Scheme: types.Scheme(d.Byte()), Key: bytes.Clone(d.Blob(types.MaxKeyBytes))}
	s := guardState{pub: &pub, chains: map[types.Hash]*chainState{}}
	var lastChain types.Hash
	for i := range d.Count(maxChains, 34) {
		chain := d.Hash()
		if i > 0 && bytes.Compare(chain[:], lastChain[:]) <= 0 {
			d.Fail("chains are not in order")
		}
		lastChain = chain
		c := &chainState{position: d.Uint(), marks: map[string]mark{}}
		last := ""
		for range d.Count(maxPurposes, minWishBytes) {
			w := decodeWish(d)
			if w.purpose <= last {
				d.Fail("purposes are not in order")
			}
			last = w.purpose
			c.marks[w.purpose] = mark{w.ordinal, w.digest}
		}
		if d.Err() != nil {
			break
		}
		s.chains[chain] = c
	}
	err := d.Finish()
	if err == nil {
		err = pub.Validate()
	}
	if err != nil {
		return guardState{}, fmt.Errorf("snapshot: %w", err)
	}
	return s, nil
}

func sortedBy[K comparable, V any](m map[K]V, cmp func(a, b K) int) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, cmp)
	return keys
}

func sameKey(a, b types.PublicKey) bool { return a.Scheme == b.Scheme && bytes.Equal(a.Key, b.Key) }
