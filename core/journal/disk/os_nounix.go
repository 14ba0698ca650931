//go:build !unix

package disk

import (
	"fmt"
	"os"
)

const openFlags = 0

func wrap(err error) error { return err }

func tryLock(f *os.File) (bool, error) {
	return false, fmt.Errorf("lock %s: %w", f.Name(), ErrUnsupported)
}

// syncDir does nothing: a folder cannot be opened for that here.
func syncDir(*os.File) error { return nil }

// private is always true: access is governed by lists that the bits do not show.
func private(os.FileInfo) bool { return true }
