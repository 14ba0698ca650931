package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/paloalto-chain/paloalto/core/journal/disk"
	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
)

func TestAppendReplay(t *testing.T) {
	fs := disktest.New(newRand(1))
	j := mustOpen(t, fs)
	var want []entry
	for i := range 60 { // several segments
		data := strings.Repeat(string(rune('a'+i%26)), i*7)
		first, end := mustAppend(t, j, Record{uint8(i), []byte(data)}, Record{0, nil})
		if end != first+Position(2*recordHeaderSize+len(data)) {
			t.Fatalf("record %d ends at %d, begins at %d", i, end, first)
		}
		want = append(want, entry{first, uint8(i), data}, entry{first + Position(recordHeaderSize+len(data)), 0, ""})
	}
	if got := contents(t, j); !reflect.DeepEqual(got, want) {
		t.Fatalf("before sync: %v", got)
	}
	if j.Synced() >= j.End() {
		t.Error("synced without Sync")
	}
	mustSync(t, j)
	if j.Synced() != j.End() {
		t.Errorf("synced to %d of %d", j.Synced(), j.End())
	}
	if len(j.segs) < 4 {
		t.Errorf("only %d segments", len(j.segs))
	}
	end := j.End()
	for range 2 {
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j = mustOpen(t, fs)
		if got := contents(t, j); !reflect.DeepEqual(got, want) {
			t.Fatalf("after reopening: %v", got)
		}
		if got := j.End(); got != end+recordHeaderSize {
			t.Errorf("it ends at %d, not at %d and a note of closing", got, end)
		}
	}
	for i, w := range want { // from each record
		n := 0
		if err := j.Replay(w.pos, func(p Position, r Record) error {
			if n == 0 && (p != w.pos || string(r.Data) != w.data) {
				return fmt.Errorf("at %d: %q", p, r.Data)
			}
			n++
			return nil
		}); err != nil || n != len(want)-i {
			t.Fatalf("from %d: %d records, %v", w.pos, n, err)
		}
	}
}

func TestReplayErrors(t *testing.T) {
	fs := disktest.New(newRand(1))
	j := mustOpen(t, fs)
	first, end := mustAppend(t, j, filled(1, 100, 1))
	nothing := func(Position, Record) error { return nil }
	for name, tc := range map[string]struct {
		from Position
		want error
	}{
		"start": {first, nil}, "end": {end, nil}, "inside": {first + 1, ErrPosition}, "beyond": {end + 1, ErrPosition},
	} {
		if err := j.Replay(tc.from, nothing); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	own := errors.New("own")
	if err := j.Replay(first, func(Position, Record) error { return own }); err != own {
		t.Errorf("the error of fn came back as %v", err)
	}
	if err := j.Replay(first, func(Position, Record) error { _, _, err := j.Append(filled(2, 1, 1)); return err }); err != nil {
		t.Errorf("append in a replay: %v", err)
	}
}

func TestBadRecords(t *testing.T) {
	j := mustOpen(t, disktest.New(newRand(1)))
	for name, r := range map[string]Record{"type": {Type: MaxType + 1}, "size": {Data: make([]byte, MaxRecordBytes+1)}} {
		if _, _, err := j.Append(r); !errors.Is(err, ErrBadRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if j.End() != 0 {
		t.Error("something was written")
	}
	if a, b, err := j.Append(); a != 0 || b != 0 || err != nil {
		t.Errorf("no records: %d, %d, %v", a, b, err)
	}
}

func TestLargeRecord(t *testing.T) {
	fs := disktest.New(newRand(1))
	j := mustOpen(t, fs)
	for range 2 { // the first enlarges an empty segment, the second begins one
		mustAppend(t, j, filled(1, 5*minSegmentBytes, 7))
	}
	mustAppend(t, j, filled(2, 10, 3))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = mustOpen(t, fs)
	if got := contents(t, j); len(got) != 3 || len(got[1].data) != 5*minSegmentBytes || got[2].kind != 2 {
		t.Errorf("%v", got)
	}
}

func TestDropBefore(t *testing.T) {
	fs := disktest.New(newRand(1))
	j := mustOpen(t, fs)
	for range 20 {
		mustAppend(t, j, filled(1, 900, 1))
	}
	all := contents(t, j)
	if err := j.DropBefore(j.End() + 1); !errors.Is(err, ErrPosition) {
		t.Errorf("beyond the end: %v", err)
	}
	keep := all[9].pos
	if err := j.DropBefore(keep); err != nil {
		t.Fatal(err)
	}
	if j.Start() > keep || j.Start() == 0 {
		t.Errorf("it begins at %d, %d was to be kept", j.Start(), keep)
	}
	if err := j.Replay(0, nil); !errors.Is(err, ErrPosition) {
		t.Errorf("replay of what was dropped: %v", err)
	}
	start := j.Start()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = mustOpen(t, fs)
	if j.Start() != start {
		t.Errorf("it begins at %d, not %d, after reopening", j.Start(), start)
	}
	if err := j.DropBefore(j.End()); err != nil {
		t.Fatal(err)
	}
	if len(j.segs) != 1 {
		t.Errorf("%d segments are left", len(j.segs))
	}
	if err := j.Roll(); err != nil {
		t.Fatal(err)
	}
	if err := j.DropBefore(j.End()); err != nil {
		t.Fatal(err)
	}
	if j.Start() != j.End() || j.Roll() != nil || j.Start() != j.End() {
		t.Error("Roll and DropBefore do not empty the journal")
	}
}

func TestClosed(t *testing.T) {
	fs := disktest.New(newRand(1))
	j := mustOpen(t, fs)
	mustAppend(t, j, filled(1, 10, 1))
	for range 2 {
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := j.Append(filled(1, 1, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if err := j.Roll(); !errors.Is(err, ErrClosed) {
		t.Errorf("roll: %v", err)
	}
	if err := j.DropBefore(0); !errors.Is(err, ErrClosed) {
		t.Errorf("drop: %v", err)
	}
	if err := j.Replay(0, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("replay: %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	fs := disktest.New(newRand(1))
	if _, err := Open(testDir, Options{FS: fs, MustExist: true}); !errors.Is(err, ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if err := fs.MkdirAll(testDir); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(testDir, Options{FS: fs, MustExist: true}); !errors.Is(err, ErrNotExist) {
		t.Errorf("empty folder: %v", err)
	}
	if _, err := Open(testDir, Options{FS: fs, SegmentBytes: 100}); err == nil {
		t.Error("a segment of 100 bytes was accepted")
	}
	j := mustOpen(t, fs)
	if _, err := Open(testDir, testOptions(fs)); !errors.Is(err, ErrLocked) {
		t.Errorf("second time: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, fs)
}

func TestLockNamesTheHolder(t *testing.T) {
	dir := t.TempDir()
	j, err := Open(dir, Options{SegmentBytes: minSegmentBytes})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close() //nolint:errcheck // closed below
	_, err = Open(dir, Options{})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "0000000000000000.seg"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// countingFS counts syncs and lets them wait for one another.
type gateFS struct {
	disk.FS
	started, release chan struct{}
}

type gateFile struct {
	disk.File
	fs *gateFS
}

func (g *gateFS) Create(path string) (disk.File, error) {
	f, err := g.FS.Create(path)
	return &gateFile{f, g}, err
}

func (f *gateFile) Sync() error {
	if f.fs.started != nil {
		f.fs.started <- struct{}{}
		<-f.fs.release
	}
	return f.File.Sync()
}

// While one sync is under way, many callers come; one more sync serves all of them.
func TestGroupCommit(t *testing.T) {
	g := &gateFS{FS: disktest.New(newRand(1))}
	j, err := Open(testDir, Options{FS: g, SegmentBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	g.started, g.release = make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	syncOne := func() {
		mustAppend(t, j, filled(1, 10, 1))
		wg.Go(func() {
			if err := j.Sync(); err != nil {
				t.Error(err)
			}
		})
	}
	syncOne()
	<-g.started
	for range 50 {
		syncOne()
	}
	end := j.End()
	g.release <- struct{}{}
	// All 51 are served by the one under way and the next, whether or not they have come to wait yet.
	<-g.started
	g.release <- struct{}{}
	wg.Wait()
	if j.Synced() != end {
		t.Errorf("synced to %d, not %d", j.Synced(), end)
	}
}

func TestConcurrentUse(t *testing.T) {
	fs := disktest.New(newRand(1))
	j := mustOpen(t, fs)
	var wg sync.WaitGroup
	const workers, each = 8, 60
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				_, end, err := j.Append(Record{uint8(w), fmt.Appendf(nil, "%d %0*d", w, i*3+1, i)})
				if err == nil {
					err = j.Sync()
				}
				if err == nil && j.Synced() < end {
					err = errors.New("not synced")
				}
				if err == nil && i%20 == 0 {
					err = j.Roll()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	next := map[int]int{}
	for _, e := range contents(t, mustOpen(t, fs)) {
		var w, i int
		if _, err := fmt.Sscanf(e.data, "%d %d", &w, &i); err != nil || i != next[w] {
			t.Fatalf("%v: worker %d, %d instead of %d", err, w, i, next[w])
		}
		next[w]++
	}
	for w := range workers {
		if next[w] != each {
			t.Errorf("worker %d: %d records", w, next[w])
		}
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // an example
	j, err := Open(dir, Options{})
	if err != nil {
		panic(err)
	}
	if _, _, err := j.Append(Record{Type: 1, Data: []byte("a block")}, Record{Type: 2, Data: []byte("a vote")}); err != nil {
		panic(err) // one that is ErrNoSpace may be tried again
	}
	if err := j.Sync(); err != nil {
		panic(err)
	}
	_ = j.Replay(j.Start(), func(pos Position, rec Record) error {
		fmt.Printf("%d: type %d, %s\n", pos, rec.Type, rec.Data)
		return nil
	})
	_ = j.Close()
	// Output:
	// 0: type 1, a block
	// 36: type 2, a vote
}

func BenchmarkAppendSync(b *testing.B) {
	for _, size := range []int{200, 20 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			j, err := Open(b.TempDir(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			rec := filled(1, size, 1)
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, _, err := j.Append(rec); err != nil {
					b.Fatal(err)
				}
				if err := j.Sync(); err != nil {
					b.Fatal(err)
				}
			}
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	j, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	rec := filled(1, 1000, 1)
	b.SetBytes(1000)
	for b.Loop() {
		first, _, err := j.Append(rec)
		if err == nil && first > 1<<30 {
			err = j.DropBefore(first)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	_ = j.Close()
}
