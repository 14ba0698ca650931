package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// Replay calls fn for the records from a position to where the journal ends at the time of the call, in order. The data
// is valid during the call of fn only. from must be Start, the position of a record, or End. fn may append to the
// journal; an error of fn ends the replay and is returned as it is.
func (j *Journal) Replay(from Position, fn func(Position, Record) error) error {
	j.mu.Lock()
	err := j.check()
	segs, end := slices.Clone(j.segs), j.end
	j.mu.Unlock()
	if err != nil {
		return err
	}
	if from < segs[0].base || from > end {
		return fmt.Errorf("%w: %d; %s has %d to %d", ErrPosition, from, j.dir, segs[0].base, end)
	}
	for i, seg := range segs {
		segEnd, nextSeq := end, uint64(0)
		if i+1 < len(segs) {
			segEnd, nextSeq = segs[i+1].base, segs[i+1].seq
		}
		if segEnd <= from && i+1 < len(segs) {
			continue
		}
		seq, err := j.replaySegment(seg, segEnd, from, fn)
		if err != nil {
			return err
		}
		if i+1 < len(segs) && seq != nextSeq {
			return &CorruptError{seg.path, segEnd, fmt.Sprintf("the next segment begins with record %d, not %d", nextSeq, seq)}
		}
	}
	return nil
}

// replaySegment returns the number of the record after the segment.
func (j *Journal) replaySegment(seg *segment, end, from Position, fn func(Position, Record) error) (seq uint64, err error) {
	f, err := j.fs.OpenRead(seg.path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%w: %d was dropped meanwhile", ErrPosition, seg.base)
	}
	if err != nil {
		return 0, fmt.Errorf("journal: %w", err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	if _, _, err := readSegmentHeader(seg.path, seg.base, f); err != nil {
		return 0, err
	}
	sc := newScanner(seg, f, seg.offset(end))
	for {
		pos, rec, err := sc.next()
		if sc.off == sc.end && errors.Is(err, io.EOF) {
			return sc.seq, nil
		}
		switch {
		case errors.Is(err, errBad), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return 0, &CorruptError{seg.path, seg.position(sc.off), "the record does not verify"}
		case err != nil:
			return 0, fmt.Errorf("journal: read %s: %w", seg.path, err)
		case pos < from:
			if seg.position(sc.off) > from {
				return 0, fmt.Errorf("%w: %d is inside the record at %d", ErrPosition, from, pos)
			}
		case rec.Type <= MaxType:
			if err := fn(pos, rec); err != nil {
				return 0, err
			}
		}
	}
}
