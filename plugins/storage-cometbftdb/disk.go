package cometbftdb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/vfs"
)

// retryEvery is how often a write that found the disk full is tried again.
const retryEvery = 100 * time.Millisecond

// disk is the state of the file system below one pebble database.
//
// Pebble ends its process when a write or a sync of its log or manifest fails. Other chains live in the process, and a
// full disk passes. So a write that finds no room is held up and tried again until there is room. After any other
// failure, and after fail, the disk is dead: writes, renames and removals are dropped and said to have succeeded.
// To the files this is a crash at that moment, which pebble recovers from when it is opened again; the store looks at
// failure before it believes anything.
type disk struct {
	mu     sync.Mutex
	state  diskState
	err    error
	waiter int           // operations that are held up
	fullCh chan struct{} // closed while waiter > 0
	quit   chan struct{} // closed when nothing is held up any more
	locks  []io.Closer
}

type diskState int

const (
	diskOpening diskState = iota // errors go to pebble, which reports them from Open
	diskOpen
	diskClosing // nothing is held up: the first write without room makes the disk dead
	diskDead
)

func newDisk() *disk { return &disk{fullCh: make(chan struct{}), quit: make(chan struct{})} }

func (d *disk) opened() { d.set(diskOpen) }

// closing is called before pebble is closed.
func (d *disk) closing() {
	d.set(diskClosing)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.release1()
}

func (d *disk) set(s diskState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != diskDead {
		d.state = s
	}
}

// release1 lets go what is held up; mu is held.
func (d *disk) release1() {
	select {
	case <-d.quit:
	default:
		close(d.quit)
	}
}

// fail makes the disk dead.
func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != diskDead {
		d.state, d.err = diskDead, err
	}
	d.release1()
}

// failOpen is fail, but leaves the errors of an opening database to pebble.
func (d *disk) failOpen(err error) {
	d.mu.Lock()
	opening := d.state == diskOpening
	d.mu.Unlock()
	if !opening {
		d.fail(err)
	}
}

// failure returns why the disk is dead, if it is.
func (d *disk) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *disk) fullChan() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fullCh
}

// release gives back the locks of a database that could not be opened, which pebble may have kept.
func (d *disk) release() {
	d.mu.Lock()
	locks := d.locks
	d.locks = nil
	d.mu.Unlock()
	for _, l := range locks {
		_ = l.Close() // it has been closed already unless pebble panicked
	}
}

func (d *disk) holdUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiter++; d.waiter == 1 {
		close(d.fullCh)
	}
}

func (d *disk) goOn() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiter--; d.waiter == 0 {
		d.fullCh = make(chan struct{})
	}
}

// do runs an operation that changes files. dropped tells that the disk is dead and the operation did not run, or failed
// for good, and is to be taken for done.
func (d *disk) do(what string, op func() error) (dropped bool, err error) {
	held := false
	defer func() {
		if held {
			d.goOn()
		}
	}()
	for {
		d.mu.Lock()
		state := d.state
		d.mu.Unlock()
		if state == diskDead {
			return true, nil
		}
		err := op()
		if err == nil || state == diskOpening {
			return false, err
		}
		// That a name does not exist, or does, is an answer to pebble and no failure of the disk.
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrExist) {
			return false, err
		}
		if !noSpace(err) || state == diskClosing || d.failure() != nil {
			d.fail(fmt.Errorf("%s: %w", what, err))
			return true, nil
		}
		if !held {
			held = true
			d.holdUp()
		}
		t := time.NewTimer(retryEvery)
		select {
		case <-t.C:
		case <-d.quit:
			t.Stop()
		}
	}
}

// diskFS is the file system that pebble sees.
type diskFS struct {
	vfs.FS
	d *disk
}

// create runs an operation that opens a file for writing.
func (f diskFS) create(what, name string, op func() (vfs.File, error)) (vfs.File, error) {
	var file vfs.File
	dropped, err := f.d.do(what, func() (err error) { file, err = op(); return err })
	if err != nil {
		return nil, err
	}
	if dropped {
		null, err := f.FS.Open(os.DevNull)
		if err != nil {
			return nil, err
		}
		return &diskFile{null, f.d, name}, nil
	}
	return &diskFile{file, f.d, name}, nil
}

func (f diskFS) Create(name string) (vfs.File, error) {
	return f.create("create", name, func() (vfs.File, error) { return f.FS.Create(name) })
}

func (f diskFS) OpenReadWrite(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.create("open", name, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, opts...) })
}

func (f diskFS) ReuseForWrite(oldname, newname string) (vfs.File, error) {
	return f.create("reuse", newname, func() (vfs.File, error) { return f.FS.ReuseForWrite(oldname, newname) })
}

func (f diskFS) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &diskFile{file, f.d, name}, nil
}

func (f diskFS) Link(oldname, newname string) error {
	_, err := f.d.do("link", func() error { return f.FS.Link(oldname, newname) })
	return err
}

func (f diskFS) Remove(name string) error {
	_, err := f.d.do("remove", func() error { return f.FS.Remove(name) })
	return err
}

func (f diskFS) RemoveAll(name string) error {
	_, err := f.d.do("remove", func() error { return f.FS.RemoveAll(name) })
	return err
}

func (f diskFS) Rename(oldname, newname string) error {
	_, err := f.d.do("rename", func() error { return f.FS.Rename(oldname, newname) })
	return err
}

func (f diskFS) MkdirAll(dir string, perm os.FileMode) error {
	_, err := f.d.do("make folder", func() error { return f.FS.MkdirAll(dir, perm) })
	return err
}

func (f diskFS) Lock(name string) (io.Closer, error) {
	l, err := f.FS.Lock(name)
	if err != nil {
		return nil, err
	}
	once := &closeOnce{c: l}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.locks = append(f.d.locks, once)
	return once, nil
}

// closeOnce makes a second Close harmless.
type closeOnce struct {
	once sync.Once
	c    io.Closer
	err  error
}

func (c *closeOnce) Close() error {
	c.once.Do(func() { c.err = c.c.Close() })
	return c.err
}

// diskFile is a file that pebble writes.
type diskFile struct {
	vfs.File
	d    *disk
	name string
}

func (f *diskFile) Write(p []byte) (int, error) {
	rest := p
	dropped, err := f.d.do("write "+f.name, func() error {
		n, err := f.File.Write(rest) // part of it may have found room
		rest = rest[max(n, 0):]
		return err
	})
	if dropped {
		return len(p), nil
	}
	return len(p) - len(rest), err
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	dropped, err := f.d.do("write "+f.name, func() error {
		_, err := f.File.WriteAt(p, off)
		return err
	})
	if dropped || err == nil {
		return len(p), nil
	}
	return 0, err
}

// A sync that has failed is never tried again, not even for want of room: the kernel may have dropped the pages, and a
// second sync would find nothing left to fail. The database has to be read again from what is on the disk.

func (f *diskFile) Sync() error {
	_, err := f.d.do("sync "+f.name, func() error { return f.once(f.File.Sync()) })
	return err
}

func (f *diskFile) SyncData() error {
	_, err := f.d.do("sync "+f.name, func() error { return f.once(f.File.SyncData()) })
	return err
}

func (f *diskFile) SyncTo(length int64) (full bool, err error) {
	_, err = f.d.do("sync "+f.name, func() (err error) {
		full, err = f.File.SyncTo(length)
		return f.once(err)
	})
	return full, err
}

// once makes the disk dead on an error, unless the database is still being opened.
func (f *diskFile) once(err error) error {
	if err != nil {
		f.d.failOpen(fmt.Errorf("sync %s: %w", f.name, err))
	}
	return err
}

// Preallocate is a hint; without room for it the write itself will tell.
func (f *diskFile) Preallocate(offset, length int64) error {
	if err := f.File.Preallocate(offset, length); err != nil && !noSpace(err) {
		return err
	}
	return nil
}
