package journal

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strconv"
	"strings"
)

// A segment is a header and records, all numbers little-endian:
//
//	header  magic 8 | first position 8 | first sequence number 8 | salt 16 | CRC of these 4 | zero 4
//	record  length 4 | CRC of the payload 4 | sequence number 8 | synced position 8 | type 1 | CRC of these 4 | payload
//
// The CRCs are CRC-32C. Those of records begin with the segment's salt, so that nobody who fills a payload can make
// something that would pass for a record.
const (
	magic             = "altojnl1"
	segmentHeaderSize = 48
	recordHeaderSize  = 29

	// MaxRecordBytes bounds the data of a record.
	MaxRecordBytes = 32 << 20
	// MaxType is the largest type that a caller may use; those above are the journal's own.
	MaxType = 0xef

	typeClosed = 0xff // written by Close: everything before it had been synced
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// segment is one file.
type segment struct {
	path string
	base Position // of its first record
	seq  uint64   // of its first record
	salt [16]byte
	crc  uint32 // of the salt, where the CRCs of records begin
}

func segmentPath(dir string, base Position) string {
	return filepath.Join(dir, fmt.Sprintf("%016x.seg", uint64(base)))
}

// parseSegmentName is the inverse of segmentPath.
func parseSegmentName(name string) (Position, bool) {
	s, ok := strings.CutSuffix(name, ".seg")
	if !ok || len(s) != 16 {
		return 0, false
	}
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil || filepath.Base(segmentPath("", Position(v))) != name {
		return 0, false
	}
	return Position(v), true
}

func newSegment(dir string, base Position, seq uint64) *segment {
	s := &segment{path: segmentPath(dir, base), base: base, seq: seq}
	_, _ = rand.Read(s.salt[:]) // never fails
	s.crc = crc32.Checksum(s.salt[:], castagnoli)
	return s
}

func (s *segment) header() []byte {
	b := make([]byte, 0, segmentHeaderSize)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.base))
	b = binary.LittleEndian.AppendUint64(b, s.seq)
	b = append(b, s.salt[:]...)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return append(b, 0, 0, 0, 0)
}

// parseSegmentHeader reads what header wrote; b has segmentHeaderSize bytes.
func parseSegmentHeader(path string, b []byte) (*segment, error) {
	if string(b[:8]) != magic {
		return nil, fmt.Errorf("it does not begin like a segment of a journal")
	}
	if crc32.Checksum(b[:40], castagnoli) != binary.LittleEndian.Uint32(b[40:]) || binary.LittleEndian.Uint32(b[44:]) != 0 {
		return nil, fmt.Errorf("the CRC of the segment's header is wrong")
	}
	s := &segment{path: path, base: Position(binary.LittleEndian.Uint64(b[8:])), seq: binary.LittleEndian.Uint64(b[16:])}
	copy(s.salt[:], b[24:])
	s.crc = crc32.Checksum(s.salt[:], castagnoli)
	return s, nil
}

// offset returns where in the file a position is.
func (s *segment) offset(p Position) int64 { return segmentHeaderSize + int64(p-s.base) }

// position is the inverse of offset.
func (s *segment) position(off int64) Position { return s.base + Position(off-segmentHeaderSize) }

// recordHeader is the decoded header of a record.
type recordHeader struct {
	length uint32
	crc    uint32
	seq    uint64
	synced Position
	kind   uint8
}

// appendRecord encodes a record.
func (s *segment) appendRecord(b []byte, seq uint64, synced Position, rec Record) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(rec.Data)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Update(s.crc, castagnoli, rec.Data))
	b = binary.LittleEndian.AppendUint64(b, seq)
	b = binary.LittleEndian.AppendUint64(b, uint64(synced))
	b = append(b, rec.Type)
	b = binary.LittleEndian.AppendUint32(b, crc32.Update(s.crc, castagnoli, b[start:]))
	return append(b, rec.Data...)
}

// parseRecordHeader reads the header of a record; b has at least recordHeaderSize bytes.
func (s *segment) parseRecordHeader(b []byte) (h recordHeader, ok bool) {
	h = recordHeader{
		length: binary.LittleEndian.Uint32(b), crc: binary.LittleEndian.Uint32(b[4:]), seq: binary.LittleEndian.Uint64(b[8:]),
		synced: Position(binary.LittleEndian.Uint64(b[16:])), kind: b[24],
	}
	return h, h.length <= MaxRecordBytes && crc32.Update(s.crc, castagnoli, b[:25]) == binary.LittleEndian.Uint32(b[25:])
}
