//go:build unix

package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOS(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	var d OS
	for range 2 {
		if err := d.MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if ok, err := d.PrivateDir(dir); err != nil || !ok {
		t.Errorf("the folder is private: %v, %v", ok, err)
	}
	path := filepath.Join(dir, "f")
	f, err := d.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // a test
	if _, err := d.Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("created twice: %v", err)
	}
	if ok, err := f.Private(); err != nil || !ok {
		t.Errorf("the file is private: %v, %v", ok, err)
	}
	if _, err := f.WriteAt([]byte("abc"), 2); err != nil {
		t.Fatal(err)
	}
	if err := f.Allocate(1000); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), d.SyncDir(dir)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 6)
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != "\x00\x00abc\x00" {
		t.Errorf("%q, %v", b, err)
	}
	if err := f.Truncate(4); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Size(); n != 4 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if err := d.Rename(path, path+"2"); err != nil {
		t.Fatal(err)
	}
	if names, err := d.List(dir); err != nil || len(names) != 1 || names[0] != "f2" {
		t.Errorf("%v, %v", names, err)
	}
	if err := d.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := d.MkdirAll(path + "2"); err == nil {
		t.Error("a file was taken for a folder")
	}
}

func TestOpenOnlyFiles(t *testing.T) {
	dir := t.TempDir()
	var d OS
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	if err := errors.Join(unix.Mkfifo(pipe, 0o600), os.Symlink(filepath.Join(dir, "x"), link), os.WriteFile(filepath.Join(dir, "x"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, link, dir} {
		if _, err := d.Open(path); err == nil {
			t.Errorf("%s was opened", path)
		}
		if _, err := d.OpenRead(path); err == nil {
			t.Errorf("%s was opened for reading", path)
		}
	}
	f, err := d.OpenRead(filepath.Join(dir, "x"))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := f.Private(); ok || err != nil {
		t.Errorf("a file that all may read is private: %v", err)
	}
	_ = f.Close()
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "LOCK")
	var d OS
	l, err := d.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(path); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "process ") {
		t.Errorf("%v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, err = d.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

func TestNoSpace(t *testing.T) {
	for _, err := range []error{unix.ENOSPC, unix.EDQUOT, &os.PathError{Op: "write", Err: unix.ENOSPC}} {
		if !errors.Is(wrap(err), ErrNoSpace) {
			t.Errorf("%v", err)
		}
	}
	if wrap(nil) != nil || errors.Is(wrap(unix.EIO), ErrNoSpace) {
		t.Error("other errors are taken for a full disk")
	}
}
