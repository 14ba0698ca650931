package plain

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// MaxName is the longest name of a file, in bytes.
const MaxName = 200

// Errors about files. The peer is told ConfigError about a name or a size, and NumMissMatch about an order that cannot be.
var (
	ErrName  = errors.New("plain mode: the peer's file name is refused")
	ErrSize  = errors.New("plain mode: the peer's file is too large")
	ErrOrder = errors.New("plain mode: the peer's messages are in an order that cannot be")
)

// CodeOf is the code that tells the peer about an error of an [Intake].
func CodeOf(err error) wire.Code {
	switch {
	case errors.Is(err, ErrName), errors.Is(err, ErrSize):
		return wire.ConfigError
	case errors.Is(err, ErrOrder):
		return wire.NumMissMatch
	}
	return wire.DisConnect
}

// CheckName refuses names of files that could lead out of a folder, or that people could not tell apart: none, too long, not
// UTF-8, with a separator of any system, a control or invisible character, a leading dot, blanks at the ends. Errors wrap
// [ErrName].
func CheckName(name string) error {
	bad := func(why string) error { return fmt.Errorf("%w: %q %s", ErrName, clip(name), why) }
	switch {
	case name == "":
		return bad("is empty")
	case len(name) > MaxName:
		return bad(fmt.Sprintf("has %d bytes, at most %d are allowed", len(name), MaxName))
	case !utf8.ValidString(name):
		return bad("is not UTF-8")
	case name[0] == '.':
		return bad("begins with a dot")
	case strings.ContainsAny(name, `/\:`):
		return bad("has a separator of paths")
	case strings.TrimSpace(name) != name:
		return bad("begins or ends with a blank")
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return bad(fmt.Sprintf("has the character %U", r))
		}
	}
	return nil
}

// PartKind says what a message does to a file.
type PartKind uint8

// The parts.
const (
	// Nothing: the message is no part of a file.
	Nothing PartKind = iota
	// Begin: a file begins; Name is safe.
	Begin
	// Piece: Data are the file's next bytes.
	Piece
	// End: the file is whole; Size is its length.
	End
)

// Part is what a message does to a file.
type Part struct {
	Kind PartKind
	Name string
	Data []byte
	Size int64
}

// Intake follows the files that come over a connection: FILENAME, then any number of DATA, then DATA_OVER. Limit is the most
// bytes that a file may have.
type Intake struct {
	Limit int64
	open  bool
	name  string
	size  int64
}

// Open tells whether a file has begun and not ended, and which.
func (i *Intake) Open() (name string, size int64, open bool) { return i.name, i.size, i.open }

// Message takes the next message. Errors wrap [ErrName], [ErrSize] or [ErrOrder]; the connection is of no use after one.
func (i *Intake) Message(id wire.ID, body []byte) (Part, error) {
	switch id {
	case wire.FileName:
		if i.open {
			return Part{}, fmt.Errorf("%w: FILENAME before the DATA_OVER of %q", ErrOrder, i.name)
		}
		if err := CheckName(string(body)); err != nil {
			return Part{}, err
		}
		i.open, i.name, i.size = true, string(body), 0
		return Part{Kind: Begin, Name: i.name}, nil
	case wire.Data:
		if !i.open {
			return Part{}, fmt.Errorf("%w: DATA before a FILENAME", ErrOrder)
		}
		if i.size += int64(len(body)); i.size > i.Limit {
			return Part{}, fmt.Errorf("%w: %q has more than %d bytes", ErrSize, i.name, i.Limit)
		}
		return Part{Kind: Piece, Name: i.name, Data: body, Size: i.size}, nil
	case wire.DataOver:
		if !i.open {
			return Part{}, fmt.Errorf("%w: DATA_OVER before a FILENAME", ErrOrder)
		}
		i.open = false
		return Part{Kind: End, Name: i.name, Size: i.size}, nil
	}
	return Part{}, nil
}
