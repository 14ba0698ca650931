package wire

import (
	"encoding/binary"
	"fmt"
)

// Version is the version byte of the open mode in CONNECT and CONN_OK.
const Version = 1

// MaxLanes is how many lanes a link can have besides the first.
const MaxLanes = 8

// connectSize is what a CONNECT is padded to, so that the answer to one is never longer than it was.
const connectSize = 64

// helloSize is the length of a Hello without lanes.
const helloSize = 20

// Hello is what both ends of a handshake tell about themselves.
type Hello struct {
	Tag      uint64   // random, new for each attempt
	Datagram uint16   // largest datagram that this end takes
	Link     uint64   // on a further lane: session tag of the first one; on the first 0
	Lanes    []uint16 // ports of the lanes besides this one; only the first lane names them
}

// ConnectBody is the body of a CONNECT.
type ConnectBody struct {
	Port uint16 // the sender's listening port
	Hello
}

// ConnOKBody is the body of a CONN_OK.
type ConnOKBody struct {
	Echo uint64 // tag of the CONNECT that it answers
	Hello
}

func (h Hello) append(b []byte) []byte {
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

func parseHello(b []byte) (Hello, []byte, error) {
	if len(b) < 1 {
		return Hello{}, nil, fmt.Errorf("%w: handshake without a version: the peer speaks the plain mode", ErrMalformed)
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

// Append appends the body, padded.
func (c ConnectBody) Append(b []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, c.Port)
	b = c.append(b)
	for len(b)-start < connectSize {
		b = append(b, 0)
	}
	return b
}

// ParseConnect parses the body of a CONNECT.
func ParseConnect(b []byte) (ConnectBody, error) {
	if len(b) < 2 {
		return ConnectBody{}, fmt.Errorf("%w: CONNECT of %d bytes", ErrMalformed, len(b))
	}
	h, _, err := parseHello(b[2:])
	if err == nil && len(b) < connectSize {
		err = fmt.Errorf("%w: CONNECT is not padded to %d bytes", ErrMalformed, connectSize)
	}
	return ConnectBody{Port: binary.BigEndian.Uint16(b), Hello: h}, err
}

// Append appends the body.
func (c ConnOKBody) Append(b []byte) []byte {
	return c.append(binary.BigEndian.AppendUint64(b, c.Echo))
}

// ParseConnOK parses the body of a CONN_OK.
func ParseConnOK(b []byte) (ConnOKBody, error) {
	if len(b) < 8 {
		return ConnOKBody{}, fmt.Errorf("%w: CONN_OK of %d bytes", ErrMalformed, len(b))
	}
	h, rest, err := parseHello(b[8:])
	if err == nil && len(rest) != 0 {
		err = fmt.Errorf("%w: %d bytes after CONN_OK", ErrMalformed, len(rest))
	}
	return ConnOKBody{Echo: binary.BigEndian.Uint64(b), Hello: h}, err
}

// ParseTag splits the session tag off a body.
func ParseTag(b []byte) (tag uint64, rest []byte, err error) {
	if len(b) < TagSize {
		return 0, nil, fmt.Errorf("%w: body of %d bytes has no tag", ErrMalformed, len(b))
	}
	return binary.BigEndian.Uint64(b), b[TagSize:], nil
}
