package journal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"

	"github.com/paloalto-chain/paloalto/core/journal/disk/disktest"
)

func TestMain(m *testing.M) {
	runVictim() // does not return in a process that is to be killed
	goleak.VerifyTestMain(m)
}

const testDir = "/j"

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func testOptions(fs *disktest.FS) Options { return Options{FS: fs, SegmentBytes: minSegmentBytes} }

func mustOpen(t testing.TB, fs *disktest.FS) *Journal {
	t.Helper()
	j, err := Open(testDir, testOptions(fs))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// entry is a record as a test remembers it.
type entry struct {
	pos  Position
	kind uint8
	data string
}

func (e entry) String() string {
	return fmt.Sprintf("%d:%d:%.20q(%d)", e.pos, e.kind, e.data, len(e.data))
}

// contents replays everything.
func contents(t testing.TB, j *Journal) []entry {
	t.Helper()
	var out []entry
	if err := j.Replay(j.Start(), func(p Position, r Record) error {
		out = append(out, entry{p, r.Type, string(r.Data)})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func mustAppend(t testing.TB, j *Journal, recs ...Record) (first, end Position) {
	t.Helper()
	first, end, err := j.Append(recs...)
	if err != nil {
		t.Fatal(err)
	}
	return first, end
}

func mustSync(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Sync(); err != nil {
		t.Fatal(err)
	}
}

// filled returns a record whose bytes are never zero.
func filled(kind uint8, n int, b byte) Record { return Record{kind, bytes.Repeat([]byte{b | 1}, n)} }
