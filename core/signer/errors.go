package signer

import (
	"errors"

	"github.com/paloalto-chain/paloalto/core/journal/disk"
)

// Errors.
var (
	// ErrRefused says that the guard does not allow a signature.
	ErrRefused = errors.New("the guard refuses to sign")
	// ErrBadRequest says that something must not be signed in this way.
	ErrBadRequest = errors.New("bad request to sign")
	// ErrStaleJournal says that the journal is older than what the guard knows to have been in it.
	ErrStaleJournal = errors.New("the journal is an old copy")
	// ErrMissingGuard says that there is a key but no guard.
	ErrMissingGuard = errors.New("the guard of the key is missing")
	// ErrGuardExists says that Options.NewValidator is set although there is a guard.
	ErrGuardExists = errors.New("the key has a guard already")
	// ErrBadGuard says that the guard's files are damaged or belong to another key.
	ErrBadGuard = errors.New("the guard of the key is damaged")
	// ErrInUse says that another process has the key open. It is the error of a lock that is taken.
	ErrInUse = disk.ErrLocked
	// ErrNoSpace says that the disk is full. Nothing was signed; the call may be tried again.
	ErrNoSpace = disk.ErrNoSpace
	// ErrFailed says that the guard cannot tell any more what is on the disk. The process must start again.
	ErrFailed = errors.New("the guard has failed")

	// ErrBadName says that a key's name is not [a-z0-9][a-z0-9._-]*, at most 64 characters.
	ErrBadName = errors.New("bad name of a key")
	// ErrNoKey says that there is no key of that name.
	ErrNoKey = errors.New("no such key")
	// ErrKeyExists says that the name is taken. Keys are never overwritten.
	ErrKeyExists = errors.New("the key exists already")
	// ErrBadKeyFile says that a key file is damaged or not one.
	ErrBadKeyFile = errors.New("bad key file")
	// ErrExposed says that others than the owner may read the keys.
	ErrExposed = errors.New("others may read the keys")
	// ErrNeedPassphrase says that the key is encrypted and no passphrase was given.
	ErrNeedPassphrase = errors.New("the key is encrypted and needs its passphrase")
	// ErrWrongPassphrase says that the passphrase does not open the key.
	ErrWrongPassphrase = errors.New("the passphrase is wrong")
	// ErrWrongRole says that a key is for another purpose.
	ErrWrongRole = errors.New("the key is for another role")
)
