package staking

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// Where things lie. What belongs to an account or a key lies at its place; what there is one of, or what is read in order, at
// place zero.
const (
	keyEpoch     = "epoch"
	prefixSeats  = "seats/"
	prefixSet    = "set/"
	prefixProof  = "evidence/"
	prefixRank   = "rank/"
	prefixOwner  = "a/"
	prefixMember = "p/"
	prefixKey    = "k/"
)

func epochItem() module.Item { return module.Item{Key: keyEpoch} }

func nextSetItem() module.Item { return module.Item{Key: consensus.NextSetKey} }

// seatsItem is where a chunk of chunkSeats seats of the set in force lies.
func seatsItem(chunk int) module.Item {
	return module.Item{Key: prefixSeats + string(binary.BigEndian.AppendUint16(nil, uint16(chunk)))}
}

func setItem(epoch uint64) module.Item {
	return module.Item{Key: prefixSet + string(binary.BigEndian.AppendUint64(nil, epoch))}
}

func proofItem(epoch uint64, seat uint32) module.Item {
	b := binary.BigEndian.AppendUint64(nil, epoch)
	return module.Item{Key: prefixProof + string(binary.BigEndian.AppendUint32(b, seat))}
}

// proofKey is the inverse of proofItem, for a key without its prefix.
func proofKey(k string) (epoch uint64, seat uint32) {
	return binary.BigEndian.Uint64([]byte(k[:8])), binary.BigEndian.Uint32([]byte(k[8:]))
}

// OwnerItem is where an account's stake and vote lie, and in whose escrow its tokens are.
func OwnerItem(a types.AccountID) module.Item {
	return module.Item{Place: a.Place(), Key: prefixOwner + string(a[:])}
}

func producerItem(a types.AccountID) module.Item {
	return module.Item{Place: a.Place(), Key: prefixMember + string(a[:])}
}

func keyItem(h types.Hash) module.Item {
	it := module.Item{Key: prefixKey + string(h[:])}
	copy(it.Place[:], h[:])
	return it
}

func rankItem(w Weight, a types.AccountID) module.Item {
	d := w.descending()
	return module.Item{Key: prefixRank + string(d[:]) + string(a[:])}
}

// rankOf is the inverse of rankItem.
func rankOf(it module.Item) (w Weight, a types.AccountID, ok bool) {
	s, found := strings.CutPrefix(it.Key, prefixRank)
	if !found || len(s) != 16+len(a) {
		return w, a, false
	}
	w = Weight{^binary.BigEndian.Uint64([]byte(s[:8])), ^binary.BigEndian.Uint64([]byte(s[8:16]))}
	copy(a[:], s[16:])
	return w, a, true
}

// endOf returns the end of a scan over the items at place zero whose keys have a prefix that ends in '/'.
func endOf(prefix string) module.Item {
	return module.Item{Key: prefix[:len(prefix)-1] + string(rune(prefix[len(prefix)-1]+1))}
}

// after returns the least item after another.
func after(it module.Item) module.Item {
	it.Key += "\x00"
	return it
}

// decode reads an item's value as what lies under its key.
func decode(it module.Item, data []byte) (record, error) {
	if data == nil {
		return nil, nil
	}
	d := types.NewDecoder(data)
	if f := d.Byte(); f != recordFormat {
		d.Fail("record format %d is unknown", f)
	}
	var r record
	switch {
	case strings.HasPrefix(it.Key, prefixOwner):
		r = decodeOwner(d)
	case strings.HasPrefix(it.Key, prefixMember):
		r = decodeProducer(d)
	case strings.HasPrefix(it.Key, prefixKey):
		r = &keyRecord{Account: types.AccountID(d.Hash())}
	case strings.HasPrefix(it.Key, prefixSet):
		r = decodeSetRecord(d)
	case strings.HasPrefix(it.Key, prefixProof):
		r = decodeConviction(d)
	case strings.HasPrefix(it.Key, prefixSeats):
		r = decodeSeats(d)
	case it.Key == keyEpoch:
		r = decodeEpoch(d)
	default:
		d.Fail("nothing lies under such a key")
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("the state is not what this module wrote: item %q: %w", it.Key, err)
	}
	return r, nil
}
