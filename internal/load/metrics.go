package load

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Metrics are a node's, by their names with labels, as Prometheus reads them.
type Metrics map[string]float64

// Scrape reads the metrics of the node whose API is at an address, host:port.
func Scrape(ctx context.Context, address string) (Metrics, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("metrics of %s: %s", address, resp.Status)
	}
	m := Metrics{}
	s := bufio.NewScanner(resp.Body)
	for s.Scan() {
		line := s.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			m[line[:at]] = v
		}
	}
	return m, s.Err()
}

// Sum adds all series of a name.
func (m Metrics) Sum(name string) (v float64) {
	for k, x := range m {
		if k == name || strings.HasPrefix(k, name+"{") {
			v += x
		}
	}
	return v
}

// Histogram holds the cumulative counts of a histogram by the upper bounds of its buckets.
type Histogram map[float64]float64

// Add adds a node's histogram of durations in seconds.
func (h Histogram) Add(m Metrics, name string) {
	for k, x := range m {
		rest, ok := strings.CutPrefix(k, name+"_bucket{")
		if !ok {
			continue
		}
		_, le, _ := strings.Cut(rest, `le="`)
		le, _, _ = strings.Cut(le, `"`)
		if bound, err := strconv.ParseFloat(le, 64); err == nil {
			h[bound] += x
		}
	}
}

// Less takes away what was counted before, by the same nodes.
func (h Histogram) Less(before Histogram) {
	for b := range h {
		h[b] -= before[b]
	}
}

// At returns the end of the bucket in which a share of the observations ends, and how many observations there are. What is
// beyond the last bucket counts as its end.
func (h Histogram) At(p float64) (bound time.Duration, count int) {
	var bounds []float64
	total := 0.0
	for b, c := range h {
		bounds, total = append(bounds, b), max(total, c)
	}
	if total == 0 {
		return 0, 0
	}
	sort.Float64s(bounds)
	for k, b := range bounds {
		if h[b] >= p*total {
			if k == len(bounds)-1 && k > 0 { // +Inf
				b = bounds[k-1]
			}
			return time.Duration(b * float64(time.Second)), int(total)
		}
	}
	return 0, int(total)
}
