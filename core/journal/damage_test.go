package journal

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/paloalto-chain/paloalto/core/journal/disk"
	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
)

// sample is a journal of one segment: two records that are known to be synced, two of 600 bytes that are not, and the
// zeros of preallocation.
type sample struct {
	seg *segment
	raw []byte
	off [5]int64 // of the records, and of the end
}

func newSample(t testing.TB, closed bool) sample {
	t.Helper()
	fs := disktest.New(newRand(1))
	j := mustOpen(t, fs)
	var s sample
	s.seg = j.segs[0]
	for i, size := range []int{100, 700, 600, 600} {
		if i == 2 {
			mustSync(t, j)
		}
		first, end := mustAppend(t, j, filled(uint8(i), size, byte(0x10*i+1)))
		s.off[i], s.off[i+1] = s.seg.offset(first), s.seg.offset(end)
	}
	if closed {
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := fs.ReadFile(s.seg.path)
	if err != nil {
		t.Fatal(err)
	}
	s.raw = raw
	return s
}

// nextSector returns the first offset after off at which a sector begins.
func nextSector(off int64) int64 { return off - off%disk.SectorBytes + disk.SectorBytes }

// What a crash can leave is cut; anything else is damage, and the file is left as it is.
func TestTornOrDamaged(t *testing.T) {
	const damaged = -1
	type change func(s sample) []byte
	zero := func(from, to func(s sample) int64) change {
		return func(s sample) []byte { clear(s.raw[from(s):to(s)]); return s.raw }
	}
	at := func(i int, plus int64) func(s sample) int64 { return func(s sample) int64 { return s.off[i] + plus } }
	sectorIn := func(i int) func(s sample) int64 { return func(s sample) int64 { return nextSector(s.off[i]) } }
	flip := func(i int, plus int64) change {
		return func(s sample) []byte { s.raw[s.off[i]+plus] ^= 0x40; return s.raw }
	}
	for name, tc := range map[string]struct {
		closed bool
		change change
		left   int // records, or damaged
	}{
		"as it was":                    {false, zero(at(0, 0), at(0, 0)), 4},
		"without preallocation":        {false, func(s sample) []byte { return s.raw[:s.off[4]] }, 4},
		"cut inside a payload":         {false, func(s sample) []byte { return s.raw[:s.off[4]-1] }, 3},
		"cut inside a header":          {false, func(s sample) []byte { return s.raw[:s.off[3]+10] }, 3},
		"cut to the segment's header":  {false, func(s sample) []byte { return s.raw[:segmentHeaderSize] }, 0},
		"the end of the last is zero":  {false, zero(at(4, -50), at(4, 0)), 3},
		"a sector of the last is zero": {false, zero(sectorIn(3), func(s sample) int64 { return nextSector(s.off[3]) + 512 }), 3},
		"the first sector of the last": {false, zero(at(3, 0), sectorIn(3)), 3},
		"all of the last":              {false, zero(at(3, 0), at(4, 0)), 3},
		"a sector of the third, which was not synced, but the fourth is there": {
			false, zero(sectorIn(2), func(s sample) int64 { return nextSector(s.off[2]) + 512 }), 2},
		"the first sector of the third": {false, zero(at(2, 0), sectorIn(2)), 2},
		"a bit of the last's payload":   {false, flip(3, 100), damaged},
		"a bit of the last's header":    {false, flip(3, 6), damaged},
		"the length of the last":        {false, flip(3, 1), damaged},
		"a bit of the third's payload":  {false, flip(2, 100), damaged},
		"a bit of the second's payload": {false, flip(1, 100), damaged},
		"a bit of the second's header":  {false, flip(1, 6), damaged},
		"a bit of the first":            {false, flip(0, 50), damaged},
		"a sector of the second, which was synced": {
			false, zero(sectorIn(1), func(s sample) int64 { return nextSector(s.off[1]) + 512 }), damaged},
		"a sector of the last, but the journal was closed": {
			true, zero(sectorIn(3), func(s sample) int64 { return nextSector(s.off[3]) + 512 }), damaged},
		"the last header, but the journal was closed": {true, zero(at(3, 0), at(3, recordHeaderSize)), damaged},
		"bytes in the preallocated part": {
			false, func(s sample) []byte { copy(s.raw[s.off[4]+3:], bytes.Repeat([]byte{9}, 90)); return s.raw }, damaged},
		"a record twice": {
			false, func(s sample) []byte { copy(s.raw[s.off[4]:], s.raw[s.off[3]:s.off[4]]); return s.raw }, damaged},
		"a record of another segment": {false, func(s sample) []byte {
			other := newSegment(testDir, 0, 0)
			copy(s.raw[s.off[4]:], other.appendRecord(nil, 4, 0, filled(1, 20, 1)))
			return s.raw
		}, damaged},
		"the magic":               {false, func(s sample) []byte { s.raw[0]++; return s.raw }, damaged},
		"the salt":                {false, func(s sample) []byte { s.raw[30]++; return s.raw }, damaged},
		"the header's last bytes": {false, func(s sample) []byte { s.raw[47]++; return s.raw }, damaged},
		"half of the header":      {false, func(s sample) []byte { return s.raw[:20] }, damaged},
		"an empty file":           {false, func(sample) []byte { return nil }, damaged},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSample(t, tc.closed)
			raw := tc.change(s)
			fs := disktest.New(newRand(1))
			if err := fs.MkdirAll(testDir); err != nil {
				t.Fatal(err)
			}
			if err := fs.WriteFile(s.seg.path, raw); err != nil {
				t.Fatal(err)
			}
			j, err := Open(testDir, testOptions(fs))
			if tc.left == damaged {
				var ce *CorruptError
				if !errors.As(err, &ce) || !errors.Is(err, ErrCorrupt) || ce.Path != s.seg.path {
					t.Fatalf("%v", err)
				}
				if after, _ := fs.ReadFile(s.seg.path); !bytes.Equal(after, raw) {
					t.Error("the file was changed")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := contents(t, j); len(got) != tc.left {
				t.Fatalf("%d records are left", len(got))
			}
			mustAppend(t, j, filled(9, 5, 9)) // it goes on
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if got := contents(t, mustOpen(t, fs)); len(got) != tc.left+1 {
				t.Errorf("%d records after going on", len(got))
			}
		})
	}
}

// Nobody who fills a payload can make a torn journal look damaged.
func TestPayloadIsNoEvidence(t *testing.T) {
	s := newSample(t, false)
	fake := newSegment(testDir, 0, 0) // the salt is not known to anybody
	payload := fake.appendRecord(nil, 5, 1<<40, filled(1, 10, 1))
	raw := s.seg.appendRecord(s.raw[:s.off[4]], 4, 0, Record{1, append(payload, make([]byte, 600)...)})
	raw[len(raw)-605]++ // as if interrupted, with the forged record in front
	fs := disktest.New(newRand(1))
	_ = fs.MkdirAll(testDir)
	if err := fs.WriteFile(s.seg.path, raw); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, mustOpen(t, fs)); len(got) != 4 {
		t.Errorf("%d records", len(got))
	}
}

// Damage in segments before the last.
func TestDamagedSegments(t *testing.T) {
	for name, tc := range map[string]struct {
		damage   func(t *testing.T, fs *disktest.FS, paths []string)
		atReplay bool
	}{
		"missing": {func(t *testing.T, fs *disktest.FS, p []string) { check(t, fs.Remove(p[1])) }, false},
		"shorter": {func(t *testing.T, fs *disktest.FS, p []string) {
			b, _ := fs.ReadFile(p[1])
			check(t, fs.WriteFile(p[1], b[:len(b)-1]))
		}, false},
		"longer": {func(t *testing.T, fs *disktest.FS, p []string) {
			b, _ := fs.ReadFile(p[1])
			check(t, fs.WriteFile(p[1], append(b, 0)))
		}, false},
		"renamed": {func(t *testing.T, fs *disktest.FS, p []string) { check(t, fs.Rename(p[0], segmentPath(testDir, 1))) }, false},
		"a bit": {func(t *testing.T, fs *disktest.FS, p []string) {
			b, _ := fs.ReadFile(p[1])
			b[segmentHeaderSize+200] ^= 1
			check(t, fs.WriteFile(p[1], b))
		}, true},
		"zeros": {func(t *testing.T, fs *disktest.FS, p []string) {
			b, _ := fs.ReadFile(p[1])
			clear(b[segmentHeaderSize:])
			check(t, fs.WriteFile(p[1], b))
		}, true},
		"numbers": {func(t *testing.T, fs *disktest.FS, p []string) {
			b, _ := fs.ReadFile(p[1])
			base, _ := parseSegmentName(filepath.Base(p[1]))
			other := newSegment(testDir, base, 2) // another history of the same length
			out, pos := other.header(), int64(segmentHeaderSize)
			for seq := uint64(2); pos < int64(len(b)); seq++ {
				out = other.appendRecord(out, seq, 0, filled(1, 900, 1))
				pos += recordHeaderSize + 900
			}
			check(t, fs.WriteFile(p[1], out))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			fs := disktest.New(newRand(1))
			j := mustOpen(t, fs)
			for range 14 {
				mustAppend(t, j, filled(1, 900, 1))
			}
			var paths []string
			for _, s := range j.segs {
				paths = append(paths, s.path)
			}
			check(t, j.Close())
			tc.damage(t, fs, paths)
			j, err := Open(testDir, testOptions(fs))
			if tc.atReplay {
				check(t, err)
				err = j.Replay(j.Start(), func(Position, Record) error { return nil })
			}
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v", err)
			}
		})
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Whatever is in the last segment, Open refuses it or brings up a journal that works and stays as it is.
func FuzzOpen(f *testing.F) {
	s := newSample(f, false)
	body := s.raw[segmentHeaderSize:]
	f.Add(body, uint16(0), uint16(0))
	f.Add(body[:s.off[3]], uint16(0), uint16(0))
	f.Add(body, uint16(s.off[3]), uint16(700))
	f.Add(body, uint16(s.off[1]+3), uint16(1))
	f.Add([]byte{}, uint16(0), uint16(0))
	f.Add(newSample(f, true).raw[segmentHeaderSize:], uint16(900), uint16(100))
	f.Fuzz(func(t *testing.T, body []byte, from, n uint16) {
		raw := append(s.seg.header(), body...) // the right salt, so that records verify
		if int(from) < len(raw) {
			clear(raw[from:min(len(raw), int(from)+int(n))])
		}
		fs := disktest.New(newRand(1))
		_ = fs.MkdirAll(testDir)
		if err := fs.WriteFile(s.seg.path, raw); err != nil {
			t.Fatal(err)
		}
		j, err := Open(testDir, testOptions(fs))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		want := contents(t, j)
		mustAppend(t, j, filled(3, 30, 3))
		check(t, j.Close())
		got := contents(t, mustOpen(t, fs))
		if len(got) != len(want)+1 {
			t.Fatalf("%d records, later %d", len(want), len(got))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("record %d was %v, is %v", i, want[i], got[i])
			}
		}
	})
}
