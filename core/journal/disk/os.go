package disk

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// OS is the file system of the operating system.
type OS struct{}

type osFile struct{ *os.File }

// MkdirAll implements [FS].
func (OS) MkdirAll(dir string) error {
	dir = filepath.Clean(dir)
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a folder", dir)
		}
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := (OS{}).MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return wrap(err)
	}
	return OS{}.SyncDir(parent)
}

// Create implements [FS].
func (OS) Create(path string) (File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, wrap(err)
	}
	return osFile{f}, nil
}

// Open implements [FS].
func (OS) Open(path string) (File, error) { return open(path, os.O_RDWR) }

// OpenRead implements [FS].
func (OS) OpenRead(path string) (File, error) { return open(path, os.O_RDONLY) }

func open(path string, flags int) (File, error) {
	f, err := os.OpenFile(path, flags|openFlags, 0)
	if err != nil {
		return nil, wrap(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return osFile{f}, nil
}

// Rename implements [FS].
func (OS) Rename(oldpath, newpath string) error { return wrap(os.Rename(oldpath, newpath)) }

// Remove implements [FS].
func (OS) Remove(path string) error { return wrap(os.Remove(path)) }

// List implements [FS].
func (OS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// PrivateDir implements [FS].
func (OS) PrivateDir(dir string) (bool, error) {
	info, err := os.Stat(dir)
	return err == nil && private(info), err
}

// SyncDir implements [FS].
func (OS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = syncDir(d)
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return wrap(err)
}

// Lock implements [FS].
func (OS) Lock(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|openFlags, 0o600)
	if err != nil {
		return nil, wrap(err)
	}
	ok, err := tryLock(f)
	if err == nil && !ok {
		err = fmt.Errorf("%w (%s): %s", ErrLocked, holder(f), path)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	// Who has it is written for people only, so that failing to do so is no reason to give up.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "process %d, %s\n", os.Getpid(), filepath.Base(os.Args[0])), 0)
	}
	return f, nil
}

// holder reads who has a lock; the text may be missing or old for an instant.
func holder(f *os.File) string {
	b := make([]byte, 200)
	n, _ := f.ReadAt(b, 0)
	s := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, string(b[:n]))
	if s == "" {
		return "unknown process"
	}
	return s
}

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f osFile) Private() (bool, error) {
	info, err := f.Stat()
	return err == nil && private(info), err
}

func (f osFile) WriteAt(b []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(b, off)
	return n, wrap(err)
}

func (f osFile) Truncate(size int64) error { return wrap(f.File.Truncate(size)) }

func (f osFile) Allocate(size int64) error { return wrap(allocate(f.File, size)) }

func (f osFile) Sync() error { return wrap(syncData(f.File)) }
