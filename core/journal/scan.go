package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/paloalto-chain/paloalto/core/journal/disk"
)

// errBad says that the bytes at the scanner's offset are no record.
var errBad = errors.New("no record")

// scanner reads the records of a segment one after the other.
type scanner struct {
	seg    *segment
	r      *bufio.Reader
	off    int64 // of the next record
	end    int64 // where the bytes end
	seq    uint64
	synced Position // the largest that a record has named
	last   uint8    // type of the record read last
	buf    []byte
}

func newScanner(seg *segment, f io.ReaderAt, end int64) *scanner {
	return &scanner{seg: seg, off: segmentHeaderSize, end: end, seq: seg.seq, synced: seg.base,
		r: bufio.NewReaderSize(io.NewSectionReader(f, segmentHeaderSize, max(0, end-segmentHeaderSize)), 256<<10)}
}

// next returns the next record; its data is valid until the next call. At the end it returns io.EOF, which may also mean
// that only zeros follow where a header would be; then errBad if the bytes are wrong; or an error of the disk.
func (s *scanner) next() (pos Position, rec Record, err error) {
	if s.off == s.end {
		return 0, rec, io.EOF
	}
	b, err := s.r.Peek(int(min(recordHeaderSize, s.end-s.off)))
	if err != nil {
		return 0, rec, readError(err)
	}
	if isZero(b) {
		return 0, rec, io.EOF
	}
	if len(b) < recordHeaderSize {
		return 0, rec, errBad
	}
	h, ok := s.seg.parseRecordHeader(b)
	size := recordHeaderSize + int64(h.length)
	pos = s.seg.position(s.off)
	if !ok || h.seq != s.seq || h.synced > pos || size > s.end-s.off {
		return 0, rec, errBad
	}
	if _, err := s.r.Discard(recordHeaderSize); err != nil {
		return 0, rec, readError(err)
	}
	if cap(s.buf) < int(h.length) {
		s.buf = make([]byte, h.length)
	}
	s.buf = s.buf[:h.length]
	if _, err := io.ReadFull(s.r, s.buf); err != nil {
		return 0, rec, readError(err)
	}
	if crc32.Update(s.seg.crc, castagnoli, s.buf) != h.crc {
		return 0, rec, errBad
	}
	s.off += size
	s.seq++
	s.synced, s.last = max(s.synced, h.synced), h.kind
	return pos, Record{h.kind, s.buf}, nil
}

// readError keeps the end of a file that is shorter than it was from being taken for the end of the records.
func readError(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// judge decides about what follows the last good record of the last segment, at off, where the next would have the
// number seq. clean says that nothing follows but zeros; otherwise damage is "" if a crash can have left it, so that it
// may be cut, or says why not.
func judge(seg *segment, f io.ReaderAt, off, end int64, seq uint64) (clean bool, damage string, err error) {
	last, err := lastByte(f, off, end)
	if err != nil || last == off {
		return err == nil, "", err
	}
	rest := make([]byte, last-off)
	if _, err := f.ReadAt(rest, off); err != nil {
		return false, "", readError(err)
	}
	pos := seg.position(off)
	for i := 1; i+recordHeaderSize <= len(rest); i++ {
		h, ok := seg.parseRecordHeader(rest[i:])
		if ok && h.seq > seq && h.synced > pos {
			return false, fmt.Sprintf("the record does not verify, and a later one at %d proves that it was synced", pos+Position(i)), nil
		}
	}
	size := int64(recordHeaderSize)
	if len(rest) >= recordHeaderSize {
		if h, ok := seg.parseRecordHeader(rest); ok {
			if h.seq != seq || h.synced > pos {
				return false, fmt.Sprintf("a record with the number %d stands where %d should", h.seq, seq), nil
			}
			size += int64(h.length)
		}
	}
	if last < off+size || missesSector(rest, off, size) {
		return false, "", nil
	}
	return false, "the last record does not verify, and it is not one whose writing was interrupted", nil
}

// lastByte returns the offset behind the last byte of a file that is not zero, or off.
func lastByte(f io.ReaderAt, off, end int64) (int64, error) {
	b := make([]byte, min(256<<10, end-off))
	for end > off {
		b = b[:min(int64(len(b)), end-off)]
		if _, err := f.ReadAt(b, end-int64(len(b))); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if n := len(bytes.TrimRight(b, "\x00")); n > 0 {
			return end - int64(len(b)) + int64(n), nil
		}
		end -= int64(len(b))
	}
	return off, nil
}

// missesSector tells whether size bytes at off in the file, which rest begins with and which are zero beyond it, have a
// sector in which they and what follows are zero.
func missesSector(rest []byte, off, size int64) bool {
	for at := int64(0); at < size; {
		next := at + disk.SectorBytes - (off+at)%disk.SectorBytes
		if at >= int64(len(rest)) || isZero(rest[at:min(next, int64(len(rest)))]) {
			return true
		}
		at = next
	}
	return false
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
