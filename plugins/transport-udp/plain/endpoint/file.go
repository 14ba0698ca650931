package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/paloalto-chain/paloalto/plugins/transport-udp/plain"
	"github.com/paloalto-chain/paloalto/plugins/transport-udp/wire"
)

// syncEvery is how many bytes are written between two fsyncs, so that the last one does not take long: the peer waits for it.
const syncEvery = 8 << 20

// SendFile sends what r has as a file of that name, in DATA of at most piece bytes, and waits until the peer has confirmed the
// DATA_OVER: one that confirms it when the file is safe, as [Serve] does, has the file then. It returns the file's length.
func SendFile(ctx context.Context, p *Peer, name string, r io.Reader, piece int) (int64, error) {
	if piece < 1 || piece > wire.MaxDatagram-wire.HeaderSize {
		return 0, fmt.Errorf("send %q in pieces of %d bytes: 1 to %d are possible", name, piece, wire.MaxDatagram-wire.HeaderSize)
	}
	if err := p.Send(ctx, wire.FileName, []byte(name)); err != nil {
		return 0, err
	}
	size := int64(0)
	buf := make([]byte, piece)
	for {
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			if err := p.Send(ctx, wire.Data, buf[:n]); err != nil {
				return size, err
			}
			size += int64(n)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return size, err
		}
	}
	if err := p.Send(ctx, wire.DataOver, nil); err != nil {
		return size, err
	}
	return size, p.Flush(ctx)
}

// Folder is where files are received. A file is written under another name beside its own, .NAME.alto-part, and has its own
// only when it is whole and on the disk.
type Folder struct {
	Dir       string
	Limit     int64 // most bytes of a file
	Overwrite bool  // a file that exists may be replaced
}

// writer is a file that is being received.
type writer struct {
	folder   Folder
	name     string
	part     *os.File
	unsynced int64
}

// ErrExists: there is a file of that name, and it may not be replaced.
var ErrExists = errors.New("the file exists")

// create begins a file whose name has been checked.
func (f Folder) create(name string) (*writer, error) {
	if err := plain.CheckName(name); err != nil { // again, because so much depends on it
		return nil, err
	}
	if _, err := os.Lstat(filepath.Join(f.Dir, name)); err == nil && !f.Overwrite {
		return nil, fmt.Errorf("%w: %s", ErrExists, filepath.Join(f.Dir, name))
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	part, err := openPart(filepath.Join(f.Dir, "."+name+".alto-part"))
	if err != nil {
		return nil, err
	}
	return &writer{folder: f, name: name, part: part}, nil
}

// openPart opens the file that is written. What a process that was killed has left is taken over; what another one is writing
// is not, nor what has got its own name already, when that process was killed before it could take the other away.
func openPart(path string) (*os.File, error) {
	for range 3 {
		part, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(part.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			_ = part.Close()
			return nil, fmt.Errorf("%s is being written by another process: %w", path, err)
		}
		own, err := part.Stat()
		named, nameErr := os.Lstat(path)
		if err != nil {
			_ = part.Close()
			return nil, err
		}
		sys, ok := own.Sys().(*syscall.Stat_t)
		switch {
		case !ok || !own.Mode().IsRegular():
			_ = part.Close()
			return nil, fmt.Errorf("%s is no file that could be written: %w", path, fs.ErrInvalid)
		case nameErr == nil && os.SameFile(own, named) && sys.Nlink == 1:
			if err := part.Truncate(0); err != nil {
				_ = part.Close()
				return nil, err
			}
			return part, nil
		case nameErr == nil && os.SameFile(own, named):
			_ = os.Remove(path)
		}
		_ = part.Close()
	}
	return nil, fmt.Errorf("%s is being changed by another process: %w", path, fs.ErrExist)
}

func (w *writer) write(b []byte) error {
	if _, err := w.part.Write(b); err != nil {
		return err
	}
	if w.unsynced += int64(len(b)); w.unsynced >= syncEvery {
		w.unsynced = 0
		return w.part.Sync()
	}
	return nil
}

// commit gives the file its name, when it is on the disk.
func (w *writer) commit() error {
	if err := w.part.Sync(); err != nil {
		return err
	}
	path := filepath.Join(w.folder.Dir, w.name)
	if w.folder.Overwrite {
		if err := os.Rename(w.part.Name(), path); err != nil {
			return err
		}
	} else { // a rename would replace a file that has come into being meanwhile
		if err := os.Link(w.part.Name(), path); err != nil {
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%w: %s", ErrExists, path)
			}
			return err
		}
		if err := os.Remove(w.part.Name()); err != nil {
			return err
		}
	}
	if err := w.part.Close(); err != nil {
		return err
	}
	w.part = nil
	dir, err := os.Open(w.folder.Dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// abort removes what was written. It does nothing after commit.
func (w *writer) abort() {
	if w.part != nil {
		_ = os.Remove(w.part.Name())
		_ = w.part.Close()
		w.part = nil
	}
}
