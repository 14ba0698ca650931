package journal

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/paloalto-chain/paloalto/core/journal/disk"
)

// Position is a place in a journal, in bytes since it began. Where one record ends the next begins.
type Position uint64

// Record is what a journal keeps. Type is the caller's, up to [MaxType]; Data has at most [MaxRecordBytes] bytes.
type Record struct {
	Type uint8
	Data []byte
}

// Options are how a journal is opened. The zero value is good.
type Options struct {
	SegmentBytes int64   // size of a segment, at least 4 KiB; 0 is 64 MiB
	FS           disk.FS // nil is the operating system's
	MustExist    bool    // fail with ErrNotExist instead of beginning a new journal
}

// Journal is an open journal. Its methods may be called concurrently.
type Journal struct {
	fs     disk.FS
	dir    string
	limit  int64 // bytes of a segment
	lock   io.Closer
	writer sync.Mutex // one Append, Roll or Close at a time; taken before mu
	drop   sync.Mutex // one DropBefore at a time; taken before mu

	mu      sync.Mutex
	idle    sync.Cond // syncing has become false
	segs    []*segment
	f       disk.File // of the last segment
	room    int64     // bytes of that file that may be used
	sealed  bool      // that file is cut to its records; the next append begins a new one
	end     Position
	synced  Position
	seq     uint64 // of the next record
	last    uint8  // type of the last record
	syncing bool   // a sync is under way, without the mutex
	failed  error
	closed  bool
	buf     []byte
}

// keepBuffer is how large a buffer is kept between appends.
const keepBuffer = 1 << 20

// Append writes records one after the other and returns where the first begins and the last ends. They are not durable
// until Sync returns; a crash keeps a prefix of what was not synced. On an error none of them is in the journal; one that
// wraps [ErrNoSpace] may be tried again.
func (j *Journal) Append(recs ...Record) (first, end Position, err error) {
	var size int64
	for _, r := range recs {
		if len(r.Data) > MaxRecordBytes || r.Type > MaxType {
			return 0, 0, fmt.Errorf("%w: type %d with %d bytes", ErrBadRecord, r.Type, len(r.Data))
		}
		size += recordHeaderSize + int64(len(r.Data))
	}
	j.writer.Lock()
	defer j.writer.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.check(); err != nil {
		return 0, 0, err
	}
	first = j.end
	if len(recs) == 0 {
		return first, first, nil
	}
	if err := j.makeRoom(size); err != nil {
		return 0, 0, err
	}
	if err := j.write(recs, size); err != nil {
		return 0, 0, err
	}
	return first, j.end, nil
}

// check returns why the journal cannot be used.
func (j *Journal) check() error {
	switch {
	case j.closed:
		return fmt.Errorf("%w: %s", ErrClosed, j.dir)
	case j.failed != nil:
		return j.failed
	}
	return nil
}

// fail makes an error final. Its cause is not wrapped: it might be that of a full disk, which callers wait for.
func (j *Journal) fail(op string, cause error) error {
	if j.failed == nil {
		j.failed = fmt.Errorf("%w: %s: %s: %v", ErrFailed, j.dir, op, cause)
	}
	return j.failed
}

// makeRoom begins a new segment, or makes one that is empty larger, if size bytes do not fit.
func (j *Journal) makeRoom(size int64) error {
	seg := j.segs[len(j.segs)-1]
	off := seg.offset(j.end)
	switch {
	case !j.sealed && size <= j.room-off:
		return nil
	case !j.sealed && off == segmentHeaderSize:
		if err := j.f.Allocate(off + size); err != nil {
			return fmt.Errorf("journal %s: make room: %w", j.dir, err)
		}
		j.room = off + size
		return nil
	}
	return j.rotate(max(j.limit, segmentHeaderSize+size))
}

// write writes records where the journal ends.
func (j *Journal) write(recs []Record, size int64) error {
	seg := j.segs[len(j.segs)-1]
	b := j.buf[:0]
	if int64(cap(b)) < size {
		b = make([]byte, 0, size)
	}
	for i, r := range recs {
		b = seg.appendRecord(b, j.seq+uint64(i), j.synced, r)
	}
	if cap(b) <= keepBuffer {
		j.buf = b
	}
	off := seg.offset(j.end)
	if _, err := j.f.WriteAt(b, off); err != nil {
		if !errors.Is(err, ErrNoSpace) {
			return j.fail("write", err)
		}
		if uerr := j.undo(off); uerr != nil {
			return uerr
		}
		return fmt.Errorf("journal %s: write: %w", j.dir, err)
	}
	j.end += Position(size)
	j.seq += uint64(len(recs))
	j.last = recs[len(recs)-1].Type
	return nil
}

// undo cuts what a failed write has left and syncs, because what is written there next must find zeros.
func (j *Journal) undo(off int64) error {
	j.waitIdle()
	if err := j.f.Truncate(off); err != nil {
		return j.fail("cut a failed write", err)
	}
	if err := j.f.Allocate(j.room); err != nil && !errors.Is(err, ErrNoSpace) {
		return j.fail("cut a failed write", err)
	}
	return j.syncLocked()
}

// Sync returns when everything appended before the call is durable. If it fails the journal is of no use any more.
func (j *Journal) Sync() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	target := j.end
	for {
		if j.failed == nil && j.synced >= target {
			return nil
		}
		if err := j.check(); err != nil {
			return err
		}
		if j.syncing {
			j.idle.Wait()
			continue
		}
		end, f := j.end, j.f
		j.syncing = true
		j.mu.Unlock()
		err := f.Sync()
		j.mu.Lock()
		j.syncing = false
		j.idle.Broadcast()
		if err != nil {
			return j.fail("sync", err)
		}
		j.synced = max(j.synced, end)
	}
}

// syncLocked syncs without giving up the mutex; no other sync is under way.
func (j *Journal) syncLocked() error {
	if err := j.f.Sync(); err != nil {
		return j.fail("sync", err)
	}
	j.synced = j.end
	return nil
}

// waitIdle waits for the end of a sync that is under way. The mutex is given up while it waits.
func (j *Journal) waitIdle() {
	for j.syncing {
		j.idle.Wait()
	}
}

// Start returns the position of the first record that is kept.
func (j *Journal) Start() Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.segs[0].base
}

// End returns where the next record will be.
func (j *Journal) End() Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.end
}

// Synced returns up to where the journal is known to be durable.
func (j *Journal) Synced() Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.synced
}

// Close syncs, notes that it did, and gives up the lock. Later calls do nothing.
func (j *Journal) Close() error {
	j.writer.Lock()
	defer j.writer.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	j.waitIdle()
	err := j.failed
	if err == nil && j.end > j.synced {
		err = j.syncLocked()
	}
	if err == nil && j.last != typeClosed && !j.sealed && j.room-j.segs[len(j.segs)-1].offset(j.end) >= recordHeaderSize {
		if werr := j.write([]Record{{Type: typeClosed}}, recordHeaderSize); werr == nil {
			err = j.syncLocked()
		} else if !errors.Is(werr, ErrNoSpace) { // without the note a damage at the end would only be found by the guard
			err = werr
		}
	}
	j.closed = true
	if cerr := j.f.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("journal %s: close: %w", j.dir, cerr)
	}
	if cerr := j.lock.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("journal %s: unlock: %w", j.dir, cerr)
	}
	return err
}
