//go:build unix

package prophecy

import (
	"path/filepath"
	"syscall"
	"testing"
)

// TestAPipeInTheStoresPlace would hold up the start of the node for ever if it were read.
func TestAPipeInTheStoresPlace(t *testing.T) {
	dir, warns := t.TempDir(), 0
	if err := syscall.Mkfifo(filepath.Join(dir, storeName), 0o600); err != nil {
		t.Skip(err)
	}
	if list, err := loadStore(dir, func(string, error) { warns++ }); err != nil || list != nil || warns != 1 {
		t.Fatalf("%v, %v, %d warnings", list, err, warns)
	}
}
