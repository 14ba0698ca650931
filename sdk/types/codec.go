package types

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed is wrapped by every decoding error.
var ErrMalformed = errors.New("malformed encoding")

// Encoder appends canonical encodings to a byte slice. The zero value is ready to use.
type Encoder struct{ buf []byte }

// NewEncoder returns an encoder with room for n bytes.
func NewEncoder(n int) *Encoder { return &Encoder{buf: make([]byte, 0, n)} }

// Bytes returns what has been encoded so far. The encoder must not be used afterwards.
func (e *Encoder) Bytes() []byte { return e.buf }

// Byte appends one byte.
func (e *Encoder) Byte(b byte) { e.buf = append(e.buf, b) }

// Uint appends v as a minimal unsigned varint.
func (e *Encoder) Uint(v uint64) { e.buf = binary.AppendUvarint(e.buf, v) }

// Hash appends 32 raw bytes.
func (e *Encoder) Hash(h Hash) { e.buf = append(e.buf, h[:]...) }

// Raw appends b without a length; the decoder has to know it.
func (e *Encoder) Raw(b []byte) { e.buf = append(e.buf, b...) }

// Blob appends the length of b and b.
func (e *Encoder) Blob(b []byte) {
	e.Uint(uint64(len(b)))
	e.buf = append(e.buf, b...)
}

// String appends the length of s and s.
func (e *Encoder) String(s string) {
	e.Uint(uint64(len(s)))
	e.buf = append(e.buf, s...)
}

// Decoder reads canonical encodings. The first error sticks: later reads return zero values, and [Decoder.Finish]
// reports it.
type Decoder struct {
	buf []byte
	off int
	err error
}

// NewDecoder reads from b. Blobs that it returns alias b.
func NewDecoder(b []byte) *Decoder { return &Decoder{buf: b} }

// Fail records an error if there is none yet.
func (d *Decoder) Fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w at byte %d: %s", ErrMalformed, d.off, fmt.Sprintf(format, args...))
	}
}

// Err returns the first error.
func (d *Decoder) Err() error { return d.err }

// Rest returns the number of bytes that have not been read.
func (d *Decoder) Rest() int { return len(d.buf) - d.off }

// Offset returns the number of bytes that have been read.
func (d *Decoder) Offset() int { return d.off }

// Finish returns the first error, or one if bytes are left over.
func (d *Decoder) Finish() error {
	if d.err == nil && d.Rest() != 0 {
		d.Fail("%d bytes left over", d.Rest())
	}
	return d.err
}

// Byte reads one byte.
func (d *Decoder) Byte() byte {
	b := d.Raw(1)
	if b == nil {
		return 0
	}
	return b[0]
}

// Uint reads a minimal unsigned varint.
func (d *Decoder) Uint() uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.buf[d.off:])
	if n <= 0 {
		d.Fail("bad varint")
		return 0
	}
	if n > 1 && d.buf[d.off+n-1] == 0 {
		d.Fail("varint is not minimal")
		return 0
	}
	d.off += n
	return v
}

// Uint32 reads a varint that must fit 32 bits.
func (d *Decoder) Uint32() uint32 {
	v := d.Uint()
	if v > 1<<32-1 {
		d.Fail("%d does not fit 32 bits", v)
		return 0
	}
	return uint32(v)
}

// Count reads a number of items, of which each takes at least itemSize bytes; it must be at most limit.
func (d *Decoder) Count(limit, itemSize int) int {
	v := d.Uint()
	if d.err != nil {
		return 0
	}
	if v > uint64(limit) {
		d.Fail("%d items, at most %d are allowed", v, limit)
		return 0
	}
	if v*uint64(max(itemSize, 1)) > uint64(d.Rest()) {
		d.Fail("%d items cannot fit into %d bytes", v, d.Rest())
		return 0
	}
	return int(v)
}

// Hash reads 32 raw bytes.
func (d *Decoder) Hash() (h Hash) {
	copy(h[:], d.Raw(len(h)))
	return h
}

// Raw reads n bytes; it returns nil on error.
func (d *Decoder) Raw(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n < 0 || n > d.Rest() {
		d.Fail("%d bytes wanted, %d left", n, d.Rest())
		return nil
	}
	b := d.buf[d.off : d.off+n : d.off+n]
	d.off += n
	return b
}

// Blob reads a length of at most limit and as many bytes.
func (d *Decoder) Blob(limit int) []byte {
	n := d.Uint()
	if d.err == nil && n > uint64(limit) {
		d.Fail("%d bytes, at most %d are allowed", n, limit)
	}
	if d.err != nil {
		return nil
	}
	return d.Raw(int(n))
}

// String reads a length of at most limit and as many bytes.
func (d *Decoder) String(limit int) string { return string(d.Blob(limit)) }
