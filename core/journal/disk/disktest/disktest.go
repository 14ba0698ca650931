// Package disktest is a file system in memory whose disk can fail and whose power can be taken away.
//
// It keeps two things apart: what processes see, and what would be on the disk. [FS.Crash] takes the power away: of what
// was not synced, each sector, each change of a length and each name is on the disk or not, as the random source has it.
// A sync that fails leaves, of what it should have written, any part on the disk, and never writes the rest again,
// although processes still see it.
package disktest

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"

	"github.com/paloalto-chain/paloalto/core/journal/disk"
)

// Op names an operation that changes something.
type Op string

// The operations.
const (
	Mkdir    Op = "mkdir"
	Create   Op = "create"
	Rename   Op = "rename"
	Remove   Op = "remove"
	SyncDir  Op = "syncdir"
	Write    Op = "write"
	Truncate Op = "truncate"
	Allocate Op = "allocate"
	Sync     Op = "sync"
)

// Fault is what an operation does instead of succeeding. For a Write, Short bytes are written before it fails.
type Fault struct {
	Err   error
	Short int
}

// FS implements disk.FS.
type FS struct {
	mu     sync.Mutex
	rng    *rand.Rand
	dirs   map[string]*folder
	locks  map[string]bool
	steps  int
	inject func(step int, op Op, path string) *Fault
	dead   error // everything fails with it, since a crash was injected
}

type folder struct {
	durable map[string]*inode
	seen    map[string]*inode
	pending []func(map[string]*inode)
}

type inode struct {
	durable []byte
	seen    []byte
	pending []change
	private bool
}

// change is a write of at most one sector, or a length.
type change struct {
	off  int64
	data []byte // nil: the length becomes off, or at least off
	grow bool
}

func (c change) apply(b []byte) []byte {
	if c.data == nil {
		return resize(b, c.off, c.grow)
	}
	b = resize(b, c.off+int64(len(c.data)), true)
	copy(b[c.off:], c.data)
	return b
}

func resize(b []byte, n int64, grow bool) []byte {
	switch {
	case int64(len(b)) < n:
		return append(b, make([]byte, n-int64(len(b)))...)
	case !grow:
		clear(b[n:])
		return b[:n]
	}
	return b
}

// New returns an empty file system. Chance is decided by rng.
func New(rng *rand.Rand) *FS {
	return &FS{rng: rng, dirs: map[string]*folder{}, locks: map[string]bool{}}
}

// Inject sets what decides about each operation that changes something; nil means that it succeeds. step counts them
// from 0, since the call of Inject.
func (f *FS) Inject(fn func(step int, op Op, path string) *Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inject, f.steps = fn, 0
}

// Steps returns how many operations have changed something since Inject.
func (f *FS) Steps() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.steps
}

// ErrCrashed is the error of all operations after the power has gone.
var ErrCrashed = fmt.Errorf("the power is gone")

// Crash returns what is there when the power comes back. The old file system fails from now on.
func (f *FS) Crash() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = ErrCrashed
	out := New(f.rng)
	done := map[*inode]*inode{}
	for _, dir := range sortedKeys(f.dirs) {
		d := f.dirs[dir]
		for _, p := range d.pending {
			if f.rng.IntN(2) == 0 {
				p(d.durable)
			}
		}
		nd := &folder{durable: map[string]*inode{}, seen: map[string]*inode{}}
		for _, name := range sortedKeys(d.durable) {
			in := d.durable[name]
			if done[in] == nil {
				f.settle(in)
				done[in] = &inode{durable: in.durable, seen: slices.Clone(in.durable), private: in.private}
			}
			nd.durable[name], nd.seen[name] = done[in], done[in]
		}
		out.dirs[dir] = nd
	}
	return out
}

// Restart returns what the next process sees after this one was killed: everything, synced or not, and no locks.
func (f *FS) Restart() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = ErrCrashed
	return &FS{rng: f.rng, dirs: f.dirs, locks: map[string]bool{}}
}

// settle lets each change that is under way reach the disk or not.
func (f *FS) settle(in *inode) {
	keep := f.rng.IntN(4) // often all or nothing
	for _, c := range in.pending {
		if keep == 0 || keep > 1 && f.rng.IntN(2) == 0 {
			in.durable = c.apply(in.durable)
		}
	}
	in.pending = nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// step asks whether an operation succeeds.
func (f *FS) step(op Op, path string) *Fault {
	if f.dead != nil {
		return &Fault{Err: f.dead}
	}
	n := f.steps
	f.steps++
	if f.inject == nil {
		return nil
	}
	ft := f.inject(n, op, path)
	if ft != nil && ft.Err == ErrCrashed {
		f.dead = ErrCrashed
	}
	return ft
}

func (f *FS) folder(dir string) (*folder, error) {
	if f.dead != nil {
		return nil, f.dead
	}
	d := f.dirs[filepath.Clean(dir)]
	if d == nil {
		return nil, fmt.Errorf("folder %s: %w", dir, fs.ErrNotExist)
	}
	return d, nil
}

// change changes names, now and, once synced, on the disk.
func (d *folder) change(fn func(map[string]*inode)) {
	fn(d.seen)
	d.pending = append(d.pending, fn)
}

// MkdirAll implements disk.FS.
func (f *FS) MkdirAll(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir = filepath.Clean(dir)
	if f.dirs[dir] != nil && f.dead == nil {
		return nil
	}
	if ft := f.step(Mkdir, dir); ft != nil {
		return ft.Err
	}
	f.dirs[dir] = &folder{durable: map[string]*inode{}, seen: map[string]*inode{}}
	return nil
}

// Create implements disk.FS.
func (f *FS) Create(path string) (disk.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.folder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	name := filepath.Base(path)
	if d.seen[name] != nil {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrExist)
	}
	if ft := f.step(Create, path); ft != nil {
		return nil, ft.Err
	}
	in := &inode{private: true}
	d.change(func(m map[string]*inode) { m[name] = in })
	return &file{f, in, path}, nil
}

// Open implements disk.FS.
func (f *FS) Open(path string) (disk.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.folder(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	in := d.seen[filepath.Base(path)]
	if in == nil {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return &file{f, in, path}, nil
}

// OpenRead implements disk.FS.
func (f *FS) OpenRead(path string) (disk.File, error) { return f.Open(path) }

// Rename implements disk.FS. Both names are in one folder.
func (f *FS) Rename(oldpath, newpath string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.folder(filepath.Dir(oldpath))
	if err != nil {
		return err
	}
	from, to := filepath.Base(oldpath), filepath.Base(newpath)
	in := d.seen[from]
	if in == nil {
		return fmt.Errorf("%s: %w", oldpath, fs.ErrNotExist)
	}
	if ft := f.step(Rename, newpath); ft != nil {
		return ft.Err
	}
	d.change(func(m map[string]*inode) { delete(m, from); m[to] = in })
	return nil
}

// Remove implements disk.FS.
func (f *FS) Remove(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.folder(filepath.Dir(path))
	if err != nil {
		return err
	}
	name := filepath.Base(path)
	if d.seen[name] == nil {
		return fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	if ft := f.step(Remove, path); ft != nil {
		return ft.Err
	}
	d.change(func(m map[string]*inode) { delete(m, name) })
	return nil
}

// List implements disk.FS. Folders are not listed.
func (f *FS) List(dir string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.folder(dir)
	if err != nil {
		return nil, err
	}
	return sortedKeys(d.seen), nil
}

// PrivateDir implements disk.FS.
func (f *FS) PrivateDir(dir string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.folder(dir)
	return err == nil, err
}

// SyncDir implements disk.FS.
func (f *FS) SyncDir(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.folder(dir)
	if err != nil {
		return err
	}
	if ft := f.step(SyncDir, dir); ft != nil {
		return ft.Err
	}
	for _, p := range d.pending {
		p(d.durable)
	}
	d.pending = nil
	return nil
}

type lock struct {
	f    *FS
	path string
}

// Lock implements disk.FS.
func (f *FS) Lock(path string) (io.Closer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.folder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if f.locks[path] {
		return nil, fmt.Errorf("%w (this process): %s", disk.ErrLocked, path)
	}
	f.locks[path] = true
	return lock{f, path}, nil
}

func (l lock) Close() error {
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	delete(l.f.locks, l.path)
	return nil
}
