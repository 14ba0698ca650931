package load

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestMetrics(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`# HELP x text 1
x{chain="a"} 2
x{chain="b"} 3
xy 100
d_bucket{chain="a",le="0.01"} 50
d_bucket{chain="a",le="0.02"} 98
d_bucket{chain="a",le="+Inf"} 100
d_count{chain="a"} 100
`))
	}))
	defer s.Close()
	m, err := Scrape(t.Context(), strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if v := m.Sum("x"); v != 5 {
		t.Errorf("the sum of x is %v", v)
	}
	h := Histogram{}
	if d, n := h.At(.5); d != 0 || n != 0 {
		t.Errorf("an empty histogram has %s of %d", d, n)
	}
	h.Add(m, "d")
	for p, want := range map[float64]time.Duration{.5: 10 * time.Millisecond, .51: 20 * time.Millisecond, .98: 20 * time.Millisecond, .99: 20 * time.Millisecond} {
		if d, n := h.At(p); d != want || n != 100 {
			t.Errorf("%v: %s of %d, want %s", p, d, n, want)
		}
	}
	h.Add(m, "d")
	if _, n := h.At(.5); n != 200 {
		t.Errorf("%d observations of two nodes", n)
	}
	before := Histogram{}
	before.Add(m, "d")
	h.Less(before)
	if d, n := h.At(.99); d != 20*time.Millisecond || n != 100 {
		t.Errorf("%s of %d observations since", d, n)
	}
}
