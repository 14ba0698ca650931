package disktest

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/paloalto-chain/paloalto/core/journal/disk"
)

type file struct {
	f    *FS
	in   *inode
	path string
}

func (h *file) ReadAt(b []byte, off int64) (int, error) {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	if h.f.dead != nil {
		return 0, h.f.dead
	}
	if off >= int64(len(h.in.seen)) {
		return 0, io.EOF
	}
	n := copy(b, h.in.seen[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *file) WriteAt(b []byte, off int64) (int, error) {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	ft := h.f.step(Write, h.path)
	if ft != nil {
		b = b[:min(len(b), max(0, ft.Short))]
	}
	n := len(b)
	for len(b) > 0 {
		part := b[:min(len(b), int(disk.SectorBytes-off%disk.SectorBytes))]
		h.in.change(change{off: off, data: append([]byte(nil), part...)})
		b, off = b[len(part):], off+int64(len(part))
	}
	if ft != nil {
		return n, ft.Err
	}
	return n, nil
}

// change changes what is seen, and what a sync will write.
func (in *inode) change(c change) {
	in.seen = c.apply(in.seen)
	if c.data != nil {
		// A sector reaches the disk as a whole, as it is in memory.
		start := c.off - c.off%disk.SectorBytes
		end := min(start+disk.SectorBytes, int64(len(in.seen)))
		c = change{off: start, data: append([]byte(nil), in.seen[start:end]...)}
	}
	in.pending = append(in.pending, c)
}

func (h *file) Size() (int64, error) {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	return int64(len(h.in.seen)), h.f.dead
}

func (h *file) Private() (bool, error) {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	return h.in.private, h.f.dead
}

func (h *file) Truncate(size int64) error { return h.resize(Truncate, size, false) }

func (h *file) Allocate(size int64) error { return h.resize(Allocate, size, true) }

func (h *file) resize(op Op, size int64, grow bool) error {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	if ft := h.f.step(op, h.path); ft != nil {
		return ft.Err
	}
	h.in.change(change{off: size, grow: grow})
	return nil
}

func (h *file) Sync() error {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	if ft := h.f.step(Sync, h.path); ft != nil {
		if ft.Err != ErrCrashed {
			h.f.settle(h.in)
		}
		return ft.Err
	}
	for _, c := range h.in.pending {
		h.in.durable = c.apply(h.in.durable)
	}
	h.in.pending = nil
	return nil
}

func (h *file) Close() error { return nil }

// ReadFile returns what processes see of a file.
func (f *FS) ReadFile(path string) ([]byte, error) {
	h, err := f.Open(path)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]byte(nil), h.(*file).in.seen...), nil
}

// WriteFile replaces a file, durably; it is how tests damage one.
func (f *FS) WriteFile(path string, b []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.folder(filepath.Dir(path))
	if err != nil {
		return err
	}
	in := &inode{durable: append([]byte(nil), b...), seen: append([]byte(nil), b...), private: true}
	name := filepath.Base(path)
	d.seen[name], d.durable[name] = in, in
	return nil
}

// Publish lets others than the owner read a file.
func (f *FS) Publish(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.folder(filepath.Dir(path))
	if err != nil {
		return err
	}
	in := d.seen[filepath.Base(path)]
	if in == nil {
		return fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	in.private = false
	return nil
}
