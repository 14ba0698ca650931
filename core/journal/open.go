package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/paloalto-chain/paloalto/core/journal/disk"
)

const (
	defaultSegmentBytes = 64 << 20
	minSegmentBytes     = 4 << 10

	lockName = "LOCK"
	newName  = "segment.new" // a segment that is being made
)

// Open opens the journal in a folder, which is created if need be, and locks it until Close. Segments but the last are
// read only by Replay, which then finds damage in them.
func Open(dir string, opts Options) (*Journal, error) {
	j := &Journal{fs: opts.FS, dir: dir, limit: opts.SegmentBytes}
	j.idle.L = &j.mu
	if j.fs == nil {
		j.fs = disk.OS{}
	}
	if j.limit == 0 {
		j.limit = defaultSegmentBytes
	}
	if j.limit < minSegmentBytes {
		return nil, fmt.Errorf("journal %s: a segment of %d bytes is too small, the least is %d", dir, j.limit, minSegmentBytes)
	}
	if opts.MustExist {
		if _, err := j.fs.List(dir); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s", ErrNotExist, dir)
		}
	}
	if err := j.fs.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("journal %s: %w", dir, err)
	}
	lock, err := j.fs.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w; stop that process first, two must never share a journal", dir, err)
	}
	j.lock = lock
	if err := j.load(opts.MustExist); err != nil {
		if j.f != nil {
			_ = j.f.Close()
		}
		_ = lock.Close()
		return nil, err
	}
	return j, nil
}

// load finds the segments and recovers the last.
func (j *Journal) load(mustExist bool) error {
	names, err := j.fs.List(j.dir)
	if err != nil {
		return fmt.Errorf("journal %s: %w", j.dir, err)
	}
	var bases []Position
	for _, name := range names {
		if base, ok := parseSegmentName(name); ok {
			bases = append(bases, base)
		}
	}
	if len(bases) == 0 {
		if mustExist {
			return fmt.Errorf("%w: %s", ErrNotExist, j.dir)
		}
		return j.create(0, 0, j.limit)
	}
	slices.Sort(bases)
	for i, base := range bases {
		last := i == len(bases)-1
		seg, f, size, err := j.openSegment(base)
		if err != nil {
			return err
		}
		if len(j.segs) > 0 && seg.seq < j.segs[i-1].seq {
			_ = f.Close()
			return &CorruptError{seg.path, base, "its records are numbered lower than those of the segment before"}
		}
		j.segs = append(j.segs, seg)
		if last {
			j.f = f
			return j.recoverLast(seg, size)
		}
		_ = f.Close()
		if next := bases[i+1]; size-segmentHeaderSize != int64(next-base) {
			return &CorruptError{seg.path, base, fmt.Sprintf("the segment has %d bytes of records, but the next begins at %d; a segment is "+
				"missing or was cut", size-segmentHeaderSize, next)}
		}
	}
	return nil
}

// openSegment opens a segment and checks its header.
func (j *Journal) openSegment(base Position) (*segment, disk.File, int64, error) {
	path := segmentPath(j.dir, base)
	f, err := j.fs.Open(path)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("journal %s: %w", j.dir, err)
	}
	seg, size, err := readSegmentHeader(path, base, f)
	if err != nil {
		_ = f.Close()
		return nil, nil, 0, err
	}
	return seg, f, size, nil
}

func readSegmentHeader(path string, base Position, f disk.File) (*segment, int64, error) {
	size, err := f.Size()
	if err != nil {
		return nil, 0, fmt.Errorf("journal: %w", err)
	}
	var b [segmentHeaderSize]byte
	if _, err := f.ReadAt(b[:], 0); errors.Is(err, io.EOF) {
		return nil, 0, &CorruptError{path, base, "it is shorter than the header of a segment"}
	} else if err != nil {
		return nil, 0, fmt.Errorf("journal: read %s: %w", path, err)
	}
	seg, err := parseSegmentHeader(path, b[:])
	if err != nil {
		return nil, 0, &CorruptError{path, base, err.Error()}
	}
	if seg.base != base {
		return nil, 0, &CorruptError{path, base, fmt.Sprintf("it says that it begins at %d; files were renamed", seg.base)}
	}
	return seg, size, nil
}

// recoverLast finds where the journal ends, cuts a torn tail, and makes durable what stays.
func (j *Journal) recoverLast(seg *segment, size int64) error {
	sc := newScanner(seg, j.f, size)
	var err error
	for err == nil {
		_, _, err = sc.next()
	}
	if err != io.EOF && err != errBad {
		return fmt.Errorf("journal: read %s: %w", seg.path, err)
	}
	j.end, j.seq, j.last = seg.position(sc.off), sc.seq, sc.last
	clean, damage, err := judge(seg, j.f, sc.off, size, sc.seq)
	switch {
	case err != nil:
		return fmt.Errorf("journal: read %s: %w", seg.path, err)
	case damage != "":
		return &CorruptError{seg.path, j.end, damage}
	}
	wrap := func(op string, err error) error { return fmt.Errorf("journal: %s %s: %w", op, seg.path, err) }
	if !clean {
		if err := j.f.Truncate(sc.off); err != nil {
			return wrap("cut the torn end of", err)
		}
	}
	if err := rewrite(j.f, seg.offset(sc.synced), sc.off); err != nil {
		return wrap("write again the end of", err)
	}
	j.room = max(j.limit, sc.off)
	if err := j.f.Allocate(j.room); err != nil && !errors.Is(err, ErrNoSpace) {
		return wrap("make room in", err)
	}
	if err := j.f.Sync(); err != nil {
		return wrap("sync", err)
	}
	j.synced = j.end
	return nil
}

// rewrite writes bytes that are there once more, so that the next sync is about them.
func rewrite(f disk.File, from, to int64) error {
	b := make([]byte, min(to-from, 1<<20))
	for from < to {
		b = b[:min(int64(len(b)), to-from)]
		if _, err := f.ReadAt(b, from); err != nil {
			return readError(err)
		}
		if _, err := f.WriteAt(b, from); err != nil {
			return err
		}
		from += int64(len(b))
	}
	return nil
}
