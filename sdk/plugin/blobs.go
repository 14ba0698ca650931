package plugin

import (
	"fmt"

	pluginv1 "github.com/paloalto-chain/paloalto/sdk/proto/paloalto/plugin/v1"
)

// PackBlobs puts items into one contiguous field. A nil item is absent; an empty one is not.
func PackBlobs(items [][]byte) *pluginv1.Blobs {
	n, absent := 0, false
	for _, it := range items {
		n += len(it)
		absent = absent || it == nil
	}
	b := &pluginv1.Blobs{Data: make([]byte, 0, n), Ends: make([]uint32, len(items))}
	if absent {
		b.Present = make([]byte, (len(items)+7)/8)
	}
	for i, it := range items {
		b.Data = append(b.Data, it...)
		b.Ends[i] = uint32(len(b.Data))
		if absent && it != nil {
			b.Present[i/8] |= 1 << (i % 8)
		}
	}
	return b
}

// UnpackBlobs is the inverse of [PackBlobs]. It checks what it is given; the result aliases it.
func UnpackBlobs(b *pluginv1.Blobs) ([][]byte, error) {
	if b == nil {
		return nil, nil
	}
	if len(b.Present) != 0 && len(b.Present) != (len(b.Ends)+7)/8 {
		return nil, fmt.Errorf("blobs: presence of %d bytes for %d items", len(b.Present), len(b.Ends))
	}
	data := b.Data
	if data == nil {
		data = []byte{} // so that an empty item of an empty field is not taken for an absent one
	}
	out := make([][]byte, len(b.Ends))
	start := uint32(0)
	for i, end := range b.Ends {
		if end < start || int64(end) > int64(len(data)) {
			return nil, fmt.Errorf("blobs: item %d ends at %d, outside %d to %d", i, end, start, len(data))
		}
		if len(b.Present) == 0 || b.Present[i/8]>>(i%8)&1 == 1 {
			out[i] = data[start:end:end]
		} else if end != start {
			return nil, fmt.Errorf("blobs: item %d is absent and has %d bytes", i, end-start)
		}
		start = end
	}
	if int(start) != len(data) {
		return nil, fmt.Errorf("blobs: %d bytes left over", len(data)-int(start))
	}
	return out, nil
}
