package state

import (
	"encoding/binary"
	"fmt"

	"github.com/paloalto-chain/paloalto/sdk/storage"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// record is where the state stands. It is written with every commit.
type record struct {
	version uint64          // of the store
	number  uint64          // of commits so far
	root    types.Hash      //
	cursor  types.StatePath // where the rewriting of pages goes on
}

var recordKey = []byte{keySpace, keyRecord}

func (r *record) encode() []byte {
	e := types.NewEncoder(96)
	e.Byte(1) // format
	e.Uint(r.version)
	e.Uint(r.number)
	e.Hash(r.root)
	e.Raw(r.cursor[:])
	return e.Bytes()
}

func decodeRecord(b []byte) (record, error) {
	d := types.NewDecoder(b)
	if f := d.Byte(); f != 1 {
		d.Fail("format %d is unknown", f)
	}
	r := record{version: d.Uint(), number: d.Uint(), root: d.Hash()}
	copy(r.cursor[:], d.Raw(len(r.cursor)))
	if err := d.Finish(); err != nil {
		return record{}, fmt.Errorf("record of the state: %w: %w", err, ErrCorrupt)
	}
	return r, nil
}

func pageKey(first *types.StatePath) []byte { return append([]byte{keySpace, keyPage}, first[:]...) }

func deltaKey(number uint64, part int) []byte {
	k := binary.BigEndian.AppendUint64([]byte{keySpace, keyDelta}, number)
	return binary.BigEndian.AppendUint16(k, uint16(part))
}

func parsePageKey(k []byte) (first types.StatePath, err error) {
	if len(k) != 2+len(first) {
		return first, fmt.Errorf("key %x is not that of a page: %w", k, ErrCorrupt)
	}
	copy(first[:], k[2:])
	return first, nil
}

func parseDeltaKey(k []byte) (number uint64, part int, err error) {
	if len(k) != 12 {
		return 0, 0, fmt.Errorf("key %x is not that of a delta: %w", k, ErrCorrupt)
	}
	return binary.BigEndian.Uint64(k[2:]), int(binary.BigEndian.Uint16(k[10:])), nil
}

// leafBytes is what a leaf takes in a page or delta.
const leafBytes = len(types.StatePath{}) + len(types.Hash{})

// encodeLeaves is what pages and parts of deltas hold.
func encodeLeaves(leaves []types.StateLeaf) []byte {
	b := make([]byte, 0, 1+len(leaves)*leafBytes)
	b = append(b, 1) // format
	for i := range leaves {
		b = append(b, leaves[i].Path[:]...)
		b = append(b, leaves[i].Value[:]...)
	}
	return b
}

// decodeLeaves appends the leaves in b, which must ascend from `from` up to, but not including, `to`, or to the end if
// that is nil.
func decodeLeaves(dst []types.StateLeaf, b []byte, deletions bool, from, to *types.StatePath) ([]types.StateLeaf, error) {
	if len(b) == 0 || b[0] != 1 {
		return nil, fmt.Errorf("leaves of an unknown format: %w", ErrCorrupt)
	}
	if b = b[1:]; len(b)%leafBytes != 0 || len(b) > storage.MaxValueBytes {
		return nil, fmt.Errorf("leaves of %d bytes: %w", len(b), ErrCorrupt)
	}
	start := len(dst)
	for ; len(b) > 0; b = b[leafBytes:] {
		var l types.StateLeaf
		copy(l.Path[:], b)
		copy(l.Value[:], b[len(l.Path):])
		switch {
		case !deletions && deleted(&l):
			return nil, fmt.Errorf("leaf %x without a value: %w", l.Path, ErrCorrupt)
		case len(dst) == start && l.Path.Compare(from) < 0, to != nil && l.Path.Compare(to) >= 0:
			return nil, fmt.Errorf("leaf %x is outside its page: %w", l.Path, ErrCorrupt)
		case len(dst) > start && l.Path.Compare(&dst[len(dst)-1].Path) <= 0:
			return nil, fmt.Errorf("leaf %x is out of order: %w", l.Path, ErrCorrupt)
		}
		dst = append(dst, l)
	}
	return dst, nil
}
