package journal

import (
	"errors"
	"fmt"

	"github.com/paloalto-chain/paloalto/core/journal/disk"
)

// Errors.
var (
	// ErrNoSpace says that the disk is full. The journal is as it was before the call, which may be tried again.
	ErrNoSpace = disk.ErrNoSpace
	// ErrLocked says that another process, which the message names, has the journal open.
	ErrLocked = disk.ErrLocked
	// ErrCorrupt says that the journal holds what no crash leaves. The error is a [*CorruptError].
	ErrCorrupt = errors.New("the journal is damaged")
	// ErrFailed says that a write or a sync has failed so that nothing is known about what is on the disk.
	ErrFailed = errors.New("the journal has failed and must be opened again")
	ErrClosed = errors.New("the journal is closed")
	// ErrNotExist says that there is no journal although Options.MustExist is set.
	ErrNotExist = errors.New("there is no journal")
	// ErrPosition says that a position is outside the journal or not that of a record.
	ErrPosition = errors.New("no such position in the journal")
	// ErrBadRecord says that a record is too large, or of a type that is the journal's own.
	ErrBadRecord = errors.New("bad record")
)

// CorruptError tells where a journal is damaged.
type CorruptError struct {
	Path     string
	Position Position // of the first record that is not good
	Reason   string
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%v at position %d, in %s: %s; a crash does not do this, so that nothing was changed: check the disk, "+
		"and restore the node from its peers with a fresh key", ErrCorrupt, e.Position, e.Path, e.Reason)
}

// Is makes errors.Is(err, ErrCorrupt) true.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
