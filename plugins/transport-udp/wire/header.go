package wire

import (
	"errors"
	"fmt"
)

// Sizes in bytes.
const (
	HeaderSize = 4
	TagSize    = 8
	// CounterSize precedes and SealSize follows what is sealed.
	CounterSize = 8
	SealSize    = 16
	// Clear is what of a sealed datagram stays readable, its counter aside; Overhead is all that sealing needs.
	Clear    = HeaderSize + TagSize
	Overhead = Clear + CounterSize + SealSize
	// MaxDatagram is the largest UDP payload over IPv4.
	MaxDatagram = 65507
)

// ErrMalformed is wrapped by every error of the decoders.
var ErrMalformed = errors.New("malformed datagram")

// ErrPlain is wrapped, with ErrMalformed, by what says that the peer speaks the plain mode.
var ErrPlain = fmt.Errorf("%w: the peer speaks the plain mode", ErrMalformed)

// ID is a message identification.
type ID uint8

// The messages. Confirm is spelt COFIRM in the paper.
const (
	Connect ID = iota
	Confirm
	ConnOK
	Data
	DataOK
	DataOver
	DataOverOK
	Error
	FileName
	FileNameOK
	Jump
	Result
	Start
	StartOK
	Stop
	TestOver
	ids
)

var names = [ids]string{"CONNECT", "COFIRM", "CONN_OK", "DATA", "DATA_OK", "DATA_OVER", "DATA_OVER_OK", "ERROR", "FILENAME",
	"FILENAME_OK", "JUMP", "RESULT", "START", "START_OK", "STOP", "TEST_OVER"}

func (id ID) String() string {
	if id < ids {
		return names[id]
	}
	return fmt.Sprintf("message %d", uint8(id))
}

// Confirmation returns the message that confirms this one when a confirmation is wanted.
func (id ID) Confirmation() ID {
	switch id {
	case Data:
		return DataOK
	case DataOver:
		return DataOverOK
	case FileName:
		return FileNameOK
	case Start:
		return StartOK
	}
	return Confirm
}

// IsConfirmation tells whether the message confirms others.
func (id ID) IsConfirmation() bool {
	switch id {
	case Confirm, DataOK, DataOverOK, FileNameOK, StartOK:
		return true
	}
	return false
}

// The values of the header's third field.
const (
	NotWanted   uint8 = 0
	Wanted      uint8 = 1
	Retransmits uint8 = 2
)

// Code is the body of an ERROR.
type Code uint8

// The codes of the paper.
const (
	HeartJumpFailed Code = iota
	ComPortsInUse
	DisConnect
	NumMissMatch
	ConfigError
	codes
)

func (c Code) String() string {
	switch c {
	case HeartJumpFailed:
		return "HeartJumpFailed"
	case ComPortsInUse:
		return "ComPortsInUse"
	case DisConnect:
		return "DisConnect"
	case NumMissMatch:
		return "NumMissMatch"
	case ConfigError:
		return "ConfigError"
	}
	return fmt.Sprintf("error %d", uint8(c))
}

// Header is the fixed part of every datagram. Whether there is a body is told by the datagram's length as well.
type Header struct {
	ID      ID
	Confirm uint8
	Seq     uint8
}

// Append appends the header of a message with or without a body.
func (h Header) Append(b []byte, body bool) []byte {
	t := byte(0)
	if body {
		t = 1
	}
	return append(b, t, byte(h.ID), h.Confirm, h.Seq)
}

// Parse splits a datagram. The body aliases it.
func Parse(b []byte) (Header, []byte, error) {
	if len(b) < HeaderSize {
		return Header{}, nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	if len(b) > MaxDatagram {
		return Header{}, nil, fmt.Errorf("%w: %d bytes are more than a datagram has", ErrMalformed, len(b))
	}
	h := Header{ID: ID(b[1]), Confirm: b[2], Seq: b[3]}
	switch {
	case b[0] > 1:
		return Header{}, nil, fmt.Errorf("%w: message type %d", ErrMalformed, b[0])
	case h.ID >= ids:
		return Header{}, nil, fmt.Errorf("%w: identification %d", ErrMalformed, b[1])
	case h.Confirm > Retransmits:
		return Header{}, nil, fmt.Errorf("%w: confirmation field %d", ErrMalformed, b[2])
	case (b[0] == 1) != (len(b) > HeaderSize):
		return Header{}, nil, fmt.Errorf("%w: message type %d with a body of %d bytes", ErrMalformed, b[0], len(b)-HeaderSize)
	}
	return h, b[HeaderSize:], nil
}
