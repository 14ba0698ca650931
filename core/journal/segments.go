package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Roll begins a new segment, so that what is there now can be dropped as a whole; it does nothing if the last segment is
// empty. Everything before is durable afterwards.
func (j *Journal) Roll() error {
	j.writer.Lock()
	defer j.writer.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.check(); err != nil {
		return err
	}
	if j.end == j.segs[len(j.segs)-1].base {
		return nil
	}
	return j.rotate(j.limit)
}

// rotate syncs the last segment, cuts it to its records and begins a new one with room for size bytes. It may be tried
// again after an error that is not final.
func (j *Journal) rotate(size int64) error {
	j.waitIdle()
	if j.failed != nil {
		return j.failed
	}
	if !j.sealed {
		if err := j.f.Truncate(j.segs[len(j.segs)-1].offset(j.end)); err != nil {
			return j.fail("cut a full segment", err)
		}
		if err := j.syncLocked(); err != nil {
			return err
		}
		j.sealed = true
	}
	return j.create(j.end, j.seq, size)
}

// create makes a segment, complete and durable before it has its name, and makes it the last.
func (j *Journal) create(base Position, seq uint64, size int64) error {
	seg := newSegment(j.dir, base, seq)
	tmp := filepath.Join(j.dir, newName)
	wrap := func(err error) error { return fmt.Errorf("journal %s: begin a segment: %w", j.dir, err) }
	if err := j.fs.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wrap(err)
	}
	f, err := j.fs.Create(tmp)
	if err != nil {
		return wrap(err)
	}
	if _, err = f.WriteAt(seg.header(), 0); err == nil {
		if err = f.Allocate(size); err == nil {
			if err = f.Sync(); err == nil {
				err = j.fs.Rename(tmp, seg.path)
			}
		}
	}
	if err != nil {
		_ = f.Close()
		_ = j.fs.Remove(tmp)
		return wrap(err)
	}
	if err := j.fs.SyncDir(j.dir); err != nil {
		_ = f.Close()
		return j.fail("begin a segment", err) // whether the segment is there is unknown
	}
	if j.f != nil {
		_ = j.f.Close() // everything in it is synced
	}
	j.f, j.room, j.sealed, j.last = f, size, false, 0
	j.segs = append(j.segs, seg)
	j.end, j.synced, j.seq = base, base, seq
	return nil
}

// DropBefore deletes the segments in which all records end at or before pos. The last segment stays. A crash on the way
// leaves a journal that begins later than before, but has no gap.
func (j *Journal) DropBefore(pos Position) error {
	j.drop.Lock()
	defer j.drop.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if pos > j.end {
		return fmt.Errorf("%w: drop before %d: the journal ends at %d", ErrPosition, pos, j.end)
	}
	for {
		if err := j.check(); err != nil {
			return err
		}
		if len(j.segs) < 2 || j.segs[1].base > pos {
			return nil
		}
		path := j.segs[0].path
		j.mu.Unlock()
		err := j.fs.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		if err != nil {
			j.mu.Lock()
			return fmt.Errorf("journal %s: drop: %w", j.dir, err)
		}
		// One by one: if several were gone but not yet durably, a crash could bring back any of them.
		err = j.fs.SyncDir(j.dir)
		j.mu.Lock()
		j.segs = j.segs[1:]
		if err != nil {
			return j.fail("drop", err)
		}
	}
}
