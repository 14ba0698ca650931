// Package disk is the small part of a file system that the core's durable files need: the journals, the guards and the
// keys. It is an interface so that tests can make writes short, disks full and syncs fail, and can take the power away
// at any step; see disktest for that file system.
//
// What callers may rely on is what POSIX promises and no more: bytes are durable when [File.Sync] has returned, names
// when [FS.SyncDir] has; until then a crash keeps any combination of them. A sector of 512 bytes is written whole or not
// at all.
package disk

import (
	"errors"
	"io"
)

// SectorBytes is the unit that a disk writes whole or not at all.
const SectorBytes = 512

// Errors.
var (
	ErrNoSpace     = errors.New("no space left on the disk")
	ErrLocked      = errors.New("in use by another process")
	ErrUnsupported = errors.New("not supported by this system")
)

// FS is a file system. Paths are those of the operating system. Errors that mean a full disk or a spent quota wrap
// [ErrNoSpace]; those of missing and existing files wrap fs.ErrNotExist and fs.ErrExist.
type FS interface {
	// MkdirAll creates a folder, readable for its owner only, and its parents, and makes its name durable.
	MkdirAll(dir string) error
	// Create creates a file, readable for its owner only, and fails if the name exists.
	Create(path string) (File, error)
	// Open opens an existing regular file for reading and writing; it follows no link and does not hang on a pipe.
	Open(path string) (File, error)
	// OpenRead is Open for reading only.
	OpenRead(path string) (File, error)
	// Rename replaces newpath.
	Rename(oldpath, newpath string) error
	Remove(path string) error
	// List returns the names in a folder, sorted.
	List(dir string) ([]string, error)
	// PrivateDir tells whether only the owner may use the folder.
	PrivateDir(dir string) (bool, error)
	// SyncDir makes the names in a folder durable.
	SyncDir(dir string) error
	// Lock takes the lock that the file at path stands for, creating the file if need be, and writes there who has it. It
	// does not wait: an error that wraps [ErrLocked] names the holder.
	Lock(path string) (io.Closer, error)
}

// File is an open file.
type File interface {
	io.ReaderAt
	// WriteAt may write less than all of b when it returns an error.
	io.WriterAt
	// Size returns the length in bytes.
	Size() (int64, error)
	// Private tells whether only the owner may read and write the file.
	Private() (bool, error)
	Truncate(size int64) error
	// Allocate reserves room so that the file has at least size bytes, zeros where nothing was written. It may do nothing on
	// systems that cannot.
	Allocate(size int64) error
	// Sync makes the bytes and the length durable. After it has failed nothing is known about what is on the disk, and a
	// later success proves nothing.
	Sync() error
	io.Closer
}
