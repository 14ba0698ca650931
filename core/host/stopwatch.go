package host

import (
	"sync"
	"time"
)

// stopwatch calls a function when its time is up, once. It stands still while it is held.
type stopwatch struct {
	mu    sync.Mutex
	timer *time.Timer
	left  time.Duration // when it was last held or let go
	since time.Time
	holds int
	over  bool
}

func startStopwatch(limit time.Duration, ring func()) *stopwatch {
	w := &stopwatch{left: limit, since: time.Now()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(limit, func() {
		w.mu.Lock()
		rings := w.holds == 0 && !w.over // else it was held or ended at the last moment
		w.over = w.over || rings
		w.mu.Unlock()
		if rings {
			ring()
		}
	})
	return w
}

// hold stops the clock until as many calls of release.
func (w *stopwatch) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.holds++; w.holds == 1 && !w.over {
		w.timer.Stop()
		w.left -= time.Since(w.since)
	}
}

func (w *stopwatch) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.holds--; w.holds == 0 && !w.over {
		w.since = time.Now()
		w.timer.Reset(max(w.left, 0))
	}
}

// end keeps it from ringing.
func (w *stopwatch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
}
