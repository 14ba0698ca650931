package main

import (
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/transport"
)

// flow is a stream of numbered messages from the first end of a pair to the second on one lane. It keeps account of every
// one of them.
type flow struct {
	p       *pair
	lane    transport.Lane
	channel string
	size    int
	pat     pattern
	start   time.Time

	mu      sync.Mutex
	sent    uint64
	got     uint64 // different ones that came as they were sent
	early   uint64 // of these, before the flow was stopped
	seen    []bool
	last    time.Duration // when the last of them came
	stopped bool
	twice   uint64
	altered uint64
	late    uint64 // on the control lane: came after a later one
	top     uint64
	gone    uint64 // given up when a connection broke
	trips   []time.Duration
	times   []time.Duration // of those sent, kept only if record
	record  bool
	room    chan struct{}
}

func newFlow(p *pair, lane transport.Lane, size int, pat pattern, start time.Time, record bool) *flow {
	return &flow{p: p, lane: lane, channel: "bench " + lane.String(), size: size, pat: pat, start: start, record: record, room: make(chan struct{}, 1)}
}

// started tells whether anything was sent.
func (f *flow) started() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent > 0
}

func (f *flow) now() time.Duration { return time.Since(f.start) }

// send sends the next message, whose latency counts from at.
func (f *flow) send(at time.Duration) error {
	f.mu.Lock()
	n := f.sent
	f.sent++
	f.seen = append(f.seen, false)
	if f.record {
		f.times = append(f.times, at)
	}
	f.mu.Unlock()
	return f.p.send(0, f.lane, f.channel, uint32(f.lane), f.pat.make(n, f.size, at))
}

// took accounts for a message that came.
func (f *flow) took(m *transport.Message) {
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	n, at, ok := f.pat.check(m.Payload, f.size, f.sent)
	switch {
	case !ok || m.Peer != f.p.ends[0].id:
		f.altered++
		return
	case f.seen[n]:
		f.twice++
		return
	}
	f.seen[n] = true
	f.got++
	if n+1 < f.top {
		f.late++
	}
	f.top = max(f.top, n+1)
	if f.record {
		f.trips = append(f.trips, now-at)
	}
	if !f.stopped {
		f.early, f.last = f.got, now
	}
	select {
	case f.room <- struct{}{}:
	default:
	}
}

// waiting is how many messages are under way.
func (f *flow) waiting() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.got+f.gone >= f.sent {
		return 0
	}
	return f.sent - f.got - f.gone
}

// allowance is how many messages may be under way: a few to begin with and as many more as came, up to the most. So a fast
// path is filled, and a slow one is not given what it cannot move in time.
func (f *flow) allowance(first, most uint64) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return min(first+f.got, most)
}

// giveUp counts what is under way as gone, since the connection broke.
func (f *flow) giveUp() {
	f.mu.Lock()
	f.gone = f.sent - min(f.got, f.sent)
	f.mu.Unlock()
	select {
	case f.room <- struct{}{}:
	default:
	}
}

// pour sends until count messages are sent, or the time is over (or done is closed). It returns once all that it sent has
// come, or the time is over.
func (f *flow) pour(count, first, most uint64, limit time.Duration) error {
	timer := time.NewTimer(limit - f.now())
	defer timer.Stop()
	downs := f.p.downs.Load()
	for {
		if d := f.p.downs.Load(); d != downs {
			downs = d
			f.giveUp()
		}
		waiting := f.waiting()
		if f.sent < count && waiting < f.allowance(first, most) {
			if err := f.send(f.now()); err != nil {
				return err
			}
			if f.now() < limit {
				continue
			}
			return nil
		}
		if f.sent >= count && waiting == 0 {
			return nil
		}
		select {
		case <-f.room:
		case <-time.After(100 * time.Millisecond): // a connection may have broken
			if f.now() >= limit {
				return nil
			}
		case <-timer.C:
			return nil
		}
	}
}

// pace sends a message in every interval until the limit. A message's latency counts from when it was due, if the one
// before it was held up.
func (f *flow) pace(every, limit time.Duration) error {
	free := f.now()
	for due := free; due < limit; due += every {
		time.Sleep(due - f.now())
		at := f.now()
		if free > due {
			at = due
		}
		if err := f.send(at); err != nil {
			return err
		}
		free = f.now()
	}
	return nil
}

// stop ends what counts for the rate.
func (f *flow) stop() {
	f.mu.Lock()
	f.stopped = true
	f.mu.Unlock()
}

// drain waits until all has come, or for the time given.
func (f *flow) drain(patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for f.waiting() > 0 {
		select {
		case <-f.room:
		case <-timer.C:
			return
		}
	}
}

// account is what became of a flow.
type account struct {
	Sent, Got uint64
	Bytes     uint64        // that came before the end
	Took      time.Duration // from the first send to the last that came before the end
	Missing   uint64        // not come when the benchmark stopped waiting; Broken of them because a connection broke
	Broken    uint64
	Altered   uint64
	Twice     uint64
	Late      uint64        // on the control lane: not in order
	P50, P99  time.Duration // latency; of messages that are missing, so far
	Max       time.Duration
}

func (f *flow) account() account {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := account{Sent: f.sent, Got: f.got, Bytes: f.early * uint64(f.size), Took: f.last, Missing: f.sent - f.got, Broken: min(f.gone, f.sent-f.got),
		Altered: f.altered, Twice: f.twice}
	if f.lane == transport.Control {
		a.Late = f.late
	}
	if f.record {
		trips := append([]time.Duration(nil), f.trips...)
		now := f.now()
		for n, ok := range f.seen {
			if !ok {
				trips = append(trips, now-f.times[n])
			}
		}
		a.P50, a.P99, a.Max = quantile(trips, 0.5), quantile(trips, 0.99), quantile(trips, 1)
	}
	return a
}
