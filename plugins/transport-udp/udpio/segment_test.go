package udpio

import (
	"bytes"
	"net/netip"
	"testing"
)

func TestSplit(t *testing.T) {
	const abc = "abcdefghij"
	for _, c := range []struct {
		name      string
		in        string
		segment   int
		largest   int
		truncated bool
		want      []string
		tooLong   int
	}{
		{"not joined", abc, 0, 100, false, []string{abc}, 0},
		{"empty", "", 0, 100, false, []string{""}, 0},
		{"empty with a segment", "", 5, 100, false, []string{""}, 0},
		{"equal segments", abc, 5, 100, false, []string{"abcde", "fghij"}, 0},
		{"last is shorter", abc, 4, 100, false, []string{"abcd", "efgh", "ij"}, 0},
		{"one segment", abc, 10, 100, false, []string{abc}, 0},
		{"segment longer than all", abc, 11, 100, false, []string{abc}, 0},
		{"negative segment", abc, -1, 100, false, []string{abc}, 0},
		{"huge segment", abc, 1<<31 - 1, 100, false, []string{abc}, 0},
		{"single bytes", "abc", 1, 100, false, []string{"a", "b", "c"}, 0},
		{"as long as allowed", abc, 4, 4, false, []string{"abcd", "efgh", "ij"}, 0},
		{"only the last is short enough", abc, 4, 3, false, []string{"ij"}, 2},
		{"all too long", abc, 0, 9, false, nil, 1},
		{"cut off", abc, 4, 100, true, []string{"abcd", "efgh"}, 1},
		{"cut off, not joined", abc, 0, 100, true, nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			long := split([]byte(c.in), c.segment, c.largest, c.truncated, func(b []byte) { got = append(got, string(b)) })
			if long != c.tooLong || len(got) != len(c.want) {
				t.Fatalf("got %q and %d too long, want %q and %d", got, long, c.want, c.tooLong)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Fatalf("got %q, want %q", got, c.want)
				}
			}
		})
	}
}

// FuzzSplit: the datagrams are parts of what was read, in order, none is too long, and none that is short enough is
// missing.
func FuzzSplit(f *testing.F) {
	f.Add([]byte("abcdefghij"), 4, 100, false)
	f.Add([]byte("abcdefghij"), 0, 3, true)
	f.Add([]byte{}, -5, 1, false)
	f.Add(make([]byte, 65507), 1, 1, false)
	f.Fuzz(func(t *testing.T, b []byte, segment, largest int, truncated bool) {
		rest, length, missing := b, len(b), 0
		if segment > 0 {
			length = segment
		}
		skip := func() {
			missing++
			rest = rest[min(length, len(rest)):]
		}
		long := split(b, segment, largest, truncated, func(d []byte) {
			if len(d) > largest {
				t.Fatalf("a datagram of %d bytes, allowed are %d", len(d), largest)
			}
			for !bytes.HasPrefix(rest, d) || len(d) != min(length, len(rest)) {
				if len(rest) == 0 {
					t.Fatalf("a datagram of %d bytes is none of those that were read", len(d))
				}
				skip()
			}
			rest = rest[len(d):]
		})
		for len(rest) > 0 {
			skip()
		}
		if len(b) == 0 {
			missing = long
		}
		if long != missing {
			t.Fatalf("%d are said to be too long, %d are missing", long, missing)
		}
	})
}

func TestRun(t *testing.T) {
	a, b := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2")
	to := func(to netip.AddrPort, sizes ...int) (out []Datagram) {
		for _, n := range sizes {
			out = append(out, Datagram{To: to, Head: make([]byte, n/3), Body: make([]byte, n-n/3)})
		}
		return out
	}
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 10
	}
	for _, c := range []struct {
		name    string
		batch   []Datagram
		most    int
		n, size int
	}{
		{"one", to(a, 7), 64, 1, 7},
		{"equal", to(a, 7, 7, 7), 64, 3, 7},
		{"last is shorter", to(a, 7, 7, 3), 64, 3, 7},
		{"nothing follows a shorter one", to(a, 7, 7, 3, 3), 64, 3, 7},
		{"a longer one ends it", to(a, 7, 7, 8), 64, 2, 7},
		{"shorter second", to(a, 7, 1, 7), 64, 2, 7},
		{"another address", append(to(a, 7, 7), to(b, 7)...), 64, 2, 7},
		{"empty first", to(a, 0, 0, 7), 64, 1, 0},
		{"empty last", to(a, 7, 7, 0), 64, 2, 7},
		{"as many as allowed", to(a, hundred...), 64, 64, 10},
		{"one allowed", to(a, hundred...), 1, 1, 10},
		{"as long as a datagram can be", to(a, 16377, 16377, 16377, 16376, 1), 64, 4, 16377},
		{"one byte too many", to(a, 16377, 16377, 16377, 16377), 64, 3, 16377},
		{"impossible", to(a, 70000, 70000), 64, 1, 70000},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n, size := run(c.batch, c.most); n != c.n || size != c.size {
				t.Fatalf("got %d of %d bytes, want %d of %d", n, size, c.n, c.size)
			}
		})
	}
}

// FuzzRun: a run that is cut into segments gives the datagrams that it was made of.
func FuzzRun(f *testing.F) {
	f.Add([]byte{7, 7, 7, 3}, 64)
	f.Add([]byte{0, 1, 0}, 2)
	f.Fuzz(func(t *testing.T, sizes []byte, most int) {
		var batch []Datagram
		for i, n := range sizes {
			batch = append(batch, Datagram{Head: bytes.Repeat([]byte{byte(i)}, int(n)), Body: make([]byte, int(n)*200)})
		}
		if len(batch) == 0 {
			return
		}
		n, segment := run(batch, most)
		if n < 1 || n > max(most, 1) {
			t.Fatalf("%d of at most %d", n, most)
		}
		var joined []byte
		for _, d := range batch[:n] {
			joined = append(append(joined, d.Head...), d.Body...)
		}
		if n > 1 && len(joined) > MaxDatagram {
			t.Fatalf("a run of %d bytes", len(joined))
		}
		i := 0
		split(joined, segment, 1<<20, false, func(b []byte) {
			if d := &batch[i]; i >= n || !bytes.Equal(b, append(bytes.Clone(d.Head), d.Body...)) {
				t.Fatalf("datagram %d is not what was sent", i)
			}
			i++
		})
		if i != n {
			t.Fatalf("%d datagrams became %d", n, i)
		}
	})
}
