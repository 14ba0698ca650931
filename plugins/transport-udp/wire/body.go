package wire

import (
	"encoding/binary"
	"fmt"
)

// DataKind is the first byte of a DATA body, after the tag.
type DataKind uint8

// The kinds.
const (
	// Messages is one or more whole messages with consecutive numbers: number of the first(4), then of each: channel length(1)
	// channel payload length(varint) payload.
	Messages DataKind = iota
	// Piece is a part of a large message: message(4) offset(4) bytes.
	Piece
	// Echo asks for an EchoReply with the same bytes: number(8). It wants no confirmation.
	Echo
	// EchoReply answers it.
	EchoReply
	// Size asks whether a datagram of its length arrives: token(4) size(2), zeros. It wants no confirmation.
	Size
	// SizeReply answers it: token(4) size(2).
	SizeReply
	// Void is nothing: it takes the place of what is sent again under another number.
	Void
)

// SizeBody is the length of token and size.
const SizeBody = 6

// AppendSize appends kind, token and size.
func AppendSize(b []byte, kind DataKind, token uint32, size uint16) []byte {
	b = append(b, byte(kind))
	b = binary.BigEndian.AppendUint32(b, token)
	return binary.BigEndian.AppendUint16(b, size)
}

// ParseSize parses what follows the kind of a Size or SizeReply.
func ParseSize(b []byte) (token uint32, size uint16, err error) {
	if len(b) < SizeBody {
		return 0, 0, fmt.Errorf("%w: size probe of %d bytes", ErrMalformed, len(b))
	}
	return binary.BigEndian.Uint32(b), binary.BigEndian.Uint16(b[4:]), nil
}

// FirstSize is the length of kind and number, which precede the messages of a Messages body.
const FirstSize = 5

// AppendFirst appends kind and number of a Messages body.
func AppendFirst(b []byte, first uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(Messages)), first)
}

// ParseFirst splits the number off what follows the kind of a Messages body.
func ParseFirst(b []byte) (first uint32, rest []byte, err error) {
	if len(b) < FirstSize-1 {
		return 0, nil, fmt.Errorf("%w: messages of %d bytes", ErrMalformed, len(b))
	}
	return binary.BigEndian.Uint32(b), b[FirstSize-1:], nil
}

// MaxBits is the longest bitmap of a confirmation, in bytes.
const MaxBits = 16

// Confirmation is the body of every confirmation, after the tag.
type Confirmation struct {
	Window   uint8
	Expected uint32
	Bits     []byte
}

// Append appends it.
func (c Confirmation) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(append(b, c.Window), c.Expected)
	return append(b, c.Bits...)
}

// Has tells whether the i-th number after Expected is confirmed.
func (c Confirmation) Has(i int) bool {
	i--
	return i >= 0 && i/8 < len(c.Bits) && c.Bits[i/8]>>(i%8)&1 == 1
}

// ParseConfirmation parses one; Bits aliases b.
func ParseConfirmation(b []byte) (Confirmation, error) {
	if len(b) < 5 || len(b) > 5+MaxBits {
		return Confirmation{}, fmt.Errorf("%w: confirmation of %d bytes", ErrMalformed, len(b))
	}
	return Confirmation{Window: b[0], Expected: binary.BigEndian.Uint32(b[1:]), Bits: b[5:]}, nil
}

// File is the body of a FILENAME, after the tag: it announces a large message.
type File struct {
	Message uint32
	Length  uint32
	Digest  [32]byte
	Channel []byte
}

// Append appends it.
func (f File) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, f.Message)
	b = binary.BigEndian.AppendUint32(b, f.Length)
	b = append(b, f.Digest[:]...)
	return append(b, f.Channel...)
}

// ParseFile parses one; Channel aliases b. Limits are the caller's.
func ParseFile(b []byte) (File, error) {
	if len(b) < 40 || len(b) > 40+255 {
		return File{}, fmt.Errorf("%w: FILENAME of %d bytes", ErrMalformed, len(b))
	}
	f := File{Message: binary.BigEndian.Uint32(b), Length: binary.BigEndian.Uint32(b[4:]), Channel: b[40:]}
	copy(f.Digest[:], b[8:])
	return f, nil
}

// PieceHeaderSize is the length of what precedes the bytes of a Piece, its kind included.
const PieceHeaderSize = 9

// AppendPieceHeader appends kind, message and offset.
func AppendPieceHeader(b []byte, message, offset uint32) []byte {
	b = append(b, byte(Piece))
	b = binary.BigEndian.AppendUint32(b, message)
	return binary.BigEndian.AppendUint32(b, offset)
}

// ParsePiece parses what follows the kind; data aliases b and is not empty.
func ParsePiece(b []byte) (message, offset uint32, data []byte, err error) {
	if len(b) < 9 {
		return 0, 0, nil, fmt.Errorf("%w: piece of %d bytes", ErrMalformed, len(b))
	}
	return binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), b[8:], nil
}

// NumberSize is the length of the number that precedes the body of every message that wants confirmation, after the tag.
const NumberSize = 4

// ParseNumber splits the number off.
func ParseNumber(b []byte) (number uint32, rest []byte, err error) {
	if len(b) < NumberSize {
		return 0, nil, fmt.Errorf("%w: body of %d bytes has no number", ErrMalformed, len(b))
	}
	return binary.BigEndian.Uint32(b), b[NumberSize:], nil
}

// ParseOver parses the body of a DATA_OVER, after the tag.
func ParseOver(b []byte) (message uint32, err error) {
	if len(b) != 4 {
		return 0, fmt.Errorf("%w: DATA_OVER of %d bytes", ErrMalformed, len(b))
	}
	return binary.BigEndian.Uint32(b), nil
}

// MessageSize is how much a whole message takes in a DATA body.
func MessageSize(channel string, payload int) int {
	n := 1 + len(channel) + 1 + payload
	for v := payload; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// AppendMessage appends a whole message. The channel has at most 255 bytes.
func AppendMessage(b []byte, channel string, payload []byte) []byte {
	b = append(b, byte(len(channel)))
	b = append(b, channel...)
	b = binary.AppendUvarint(b, uint64(len(payload)))
	return append(b, payload...)
}

// NextMessage splits the first whole message off b; both results and the rest alias it.
func NextMessage(b []byte) (channel, payload, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, nil, fmt.Errorf("%w: DATA without a message", ErrMalformed)
	}
	n := int(b[0])
	if b = b[1:]; len(b) < n {
		return nil, nil, nil, fmt.Errorf("%w: channel of %d bytes in %d", ErrMalformed, n, len(b))
	}
	channel, b = b[:n], b[n:]
	size, k := binary.Uvarint(b)
	if k <= 0 || size > uint64(len(b)-k) {
		return nil, nil, nil, fmt.Errorf("%w: payload longer than the datagram", ErrMalformed)
	}
	b = b[k:]
	return channel, b[:size:size], b[size:], nil
}

// AppendOver appends the body of a DATA_OVER.
func AppendOver(b []byte, message uint32) []byte { return binary.BigEndian.AppendUint32(b, message) }
