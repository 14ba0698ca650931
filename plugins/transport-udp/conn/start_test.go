package conn

import (
	"testing"
	"time"
)

// TestSmallMessagesFirst: small messages before a transfer tell next to nothing about the path, and so do not hold the transfer up.
func TestSmallMessagesFirst(t *testing.T) {
	long(t)
	took := func(small, largest int) time.Duration {
		cfg := linkConfig()
		cfg.Largest = largest
		l := newLink(t, 1, cfg, path{delay: 90 * time.Millisecond, rate: 12.5e6})
		l.run(4 * time.Second)
		for range 20 {
			if small > 0 {
				l.send(0, small)
				l.flush(0)
			}
			l.run(300 * time.Millisecond)
		}
		start := l.now
		l.send(0, 1<<20)
		l.flush(0)
		l.finish(time.Minute)
		return l.now - start
	}
	for _, largest := range []int{1200, 9000, 32 << 10} {
		without := took(0, largest)
		for _, small := range []int{20, 3000, 40_000} {
			if with := took(small, largest); with > without*3/2 {
				t.Errorf("datagrams of %d: 1 MiB takes %s after messages of %d, %s without", largest, with, small, without)
			} else {
				t.Logf("datagrams of %d: 1 MiB takes %s after messages of %d, %s without", largest, with, small, without)
			}
		}
	}
}
