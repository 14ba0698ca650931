package wire

import (
	"encoding/binary"
	"fmt"
)

// Version is the version byte of the noise mode in CONNECT and CONN_OK.
const Version = 2

// MaxLanes is how many lanes a link can have besides the first.
const MaxLanes = 16

// CookieSize is the length of a cookie.
const CookieSize = 16

// ConnectSize is the least length of a CONNECT's body. The answer to one is never longer than it was, so the caller pads
// it to what the answer may need.
const ConnectSize = 512

// MaxConnect is the longest body of a CONNECT that is looked at.
const MaxConnect = 1400

// helloSize is the length of a Hello without lanes.
const helloSize = 20

// Hello is what both ends of a handshake tell about themselves.
type Hello struct {
	Tag      uint64   // random, new for each attempt
	Datagram uint16   // largest datagram that this end takes
	Link     uint64   // on a further lane: session tag of the first one; on the first 0
	Lanes    []uint16 // ports of the lanes besides this one; only the first lane names them
}

// Append appends it, its version first.
func (h Hello) Append(b []byte) []byte {
	b = append(b, Version)
	b = binary.BigEndian.AppendUint64(b, h.Tag)
	b = binary.BigEndian.AppendUint16(b, h.Datagram)
	b = binary.BigEndian.AppendUint64(b, h.Link)
	b = append(b, byte(len(h.Lanes)))
	for _, p := range h.Lanes {
		b = binary.BigEndian.AppendUint16(b, p)
	}
	return b
}

// ParseHello parses one and returns what follows it.
func ParseHello(b []byte) (Hello, []byte, error) {
	if len(b) < 1 {
		return Hello{}, nil, fmt.Errorf("%w: handshake without a version", ErrPlain)
	}
	if b[0] != Version {
		return Hello{}, nil, fmt.Errorf("%w: handshake of version %d, not %d", ErrMalformed, b[0], Version)
	}
	if len(b) < helloSize {
		return Hello{}, nil, fmt.Errorf("%w: handshake of %d bytes", ErrMalformed, len(b))
	}
	h := Hello{Tag: binary.BigEndian.Uint64(b[1:]), Datagram: binary.BigEndian.Uint16(b[9:]), Link: binary.BigEndian.Uint64(b[11:])}
	n := int(b[19])
	b = b[helloSize:]
	if n > MaxLanes || len(b) < 2*n {
		return Hello{}, nil, fmt.Errorf("%w: handshake names %d lanes in %d bytes", ErrMalformed, n, len(b))
	}
	for i := range n {
		h.Lanes = append(h.Lanes, binary.BigEndian.Uint16(b[2*i:]))
	}
	return h, b[2*n:], nil
}

// ConnectBody is the body of a CONNECT.
type ConnectBody struct {
	Port uint16 // the sender's listening port
	Hello
	Cookie    []byte // CookieSize bytes, or none
	Handshake []byte // the first message
	Size      int    // of the whole body as it came
}

// Params appends what the handshake vouches for: all that is told in the clear, but for the cookie, which changes.
func (c ConnectBody) Params(b []byte) []byte {
	return c.Hello.Append(binary.BigEndian.AppendUint16(b, c.Port))
}

// Append appends the body, padded to a length.
func (c ConnectBody) Append(b []byte, size int) []byte {
	start := len(b)
	b = c.Params(b)
	b = append(append(b, byte(len(c.Cookie))), c.Cookie...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(c.Handshake))), c.Handshake...)
	for len(b)-start < max(size, ConnectSize) {
		b = append(b, 0)
	}
	return b
}

// ParseConnect parses the body of a CONNECT; Cookie and Handshake alias it. That of a plain peer is ErrPlain.
func ParseConnect(b []byte) (ConnectBody, error) {
	if len(b) < 2 {
		return ConnectBody{}, fmt.Errorf("%w: CONNECT of %d bytes", ErrMalformed, len(b))
	}
	c := ConnectBody{Port: binary.BigEndian.Uint16(b), Size: len(b)}
	hello, rest, err := ParseHello(b[2:])
	if err != nil {
		return ConnectBody{}, err
	}
	c.Hello = hello
	if len(b) < ConnectSize || len(b) > MaxConnect {
		return ConnectBody{}, fmt.Errorf("%w: CONNECT of %d bytes, not %d to %d", ErrMalformed, len(b), ConnectSize, MaxConnect)
	}
	n := int(rest[0]) // b is longer than all that precedes
	if rest = rest[1:]; n != 0 && n != CookieSize || len(rest) < n+2 {
		return ConnectBody{}, fmt.Errorf("%w: cookie of %d bytes", ErrMalformed, n)
	}
	c.Cookie, rest = rest[:n:n], rest[n:]
	k := int(binary.BigEndian.Uint16(rest))
	if rest = rest[2:]; k == 0 || k > len(rest) {
		return ConnectBody{}, fmt.Errorf("%w: first message of %d bytes in %d", ErrMalformed, k, len(rest))
	}
	c.Handshake = rest[:k:k]
	for _, x := range rest[k:] {
		if x != 0 {
			return ConnectBody{}, fmt.Errorf("%w: CONNECT is not padded with zeros", ErrMalformed)
		}
	}
	return c, nil
}

// ConnOKBody is the body of a CONN_OK: a cookie to come again with, or the second message of the handshake.
type ConnOKBody struct {
	Echo      uint64 // tag of the CONNECT that it answers
	Cookie    []byte
	Handshake []byte
}

const (
	okCookie    = 0
	okHandshake = 1
	okHead      = 10
)

// Append appends the body.
func (c ConnOKBody) Append(b []byte) []byte {
	b = append(binary.BigEndian.AppendUint64(b, c.Echo), Version)
	if len(c.Cookie) > 0 {
		return append(append(b, okCookie), c.Cookie...)
	}
	return append(append(b, okHandshake), c.Handshake...)
}

// ParseConnOK parses the body of a CONN_OK and aliases it. That of a plain peer, which is empty, is ErrPlain.
func ParseConnOK(b []byte) (ConnOKBody, error) {
	switch {
	case len(b) == 0:
		return ConnOKBody{}, fmt.Errorf("%w: CONN_OK without a body", ErrPlain)
	case len(b) <= okHead:
		return ConnOKBody{}, fmt.Errorf("%w: CONN_OK of %d bytes", ErrMalformed, len(b))
	case b[8] != Version:
		return ConnOKBody{}, fmt.Errorf("%w: CONN_OK of version %d, not %d", ErrMalformed, b[8], Version)
	}
	c := ConnOKBody{Echo: binary.BigEndian.Uint64(b)}
	switch rest := b[okHead:]; {
	case b[9] == okCookie && len(rest) == CookieSize:
		c.Cookie = rest
	case b[9] == okHandshake && len(rest) <= MaxConnect:
		c.Handshake = rest
	default:
		return ConnOKBody{}, fmt.Errorf("%w: CONN_OK of kind %d with %d bytes", ErrMalformed, b[9], len(rest))
	}
	return c, nil
}

// ThirdMark stands in place of the counter in the COFIRM that carries the third message. No sealed datagram has it.
const ThirdMark = ^uint64(0)

// AppendThird appends the body of that COFIRM.
func AppendThird(b []byte, tag uint64, third []byte) []byte {
	b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, tag), ThirdMark)
	return append(b, third...)
}

// ParseThird tells whether a body is one, and returns what follows the mark.
func ParseThird(b []byte) (third []byte, ok bool) {
	if len(b) <= TagSize+CounterSize || len(b) > MaxConnect || binary.BigEndian.Uint64(b[TagSize:]) != ThirdMark {
		return nil, false
	}
	return b[TagSize+CounterSize:], true
}

// ResetSize is the length of the body of a Reset.
const ResetSize = TagSize + 1

// AppendReset appends the body of an ERROR in the clear, which tells that the session with that tag does not exist.
func AppendReset(b []byte, tag uint64, code Code) []byte {
	return append(binary.BigEndian.AppendUint64(b, tag), byte(code))
}

// ParseTag splits the session tag off a body.
func ParseTag(b []byte) (tag uint64, rest []byte, err error) {
	if len(b) < TagSize {
		return 0, nil, fmt.Errorf("%w: body of %d bytes has no tag", ErrMalformed, len(b))
	}
	return binary.BigEndian.Uint64(b), b[TagSize:], nil
}
