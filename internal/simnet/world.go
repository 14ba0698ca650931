package simnet

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// World is virtual time and what happens in it. It is not safe for concurrent use; every seed has a world of its own.
type World struct {
	Rand *rand.Rand // for whatever has to be drawn; draws are part of the run

	now   uint64
	seq   uint64
	queue []event
	trace [32]byte
	noted uint64
}

type event struct {
	at, seq uint64
	f       func()
}

// New makes a world whose time begins at start, in milliseconds of whatever the test takes for an epoch.
func New(seed, start uint64) *World {
	return &World{Rand: rand.New(rand.NewPCG(seed, 0x70a)), now: start}
}

// Now returns the true time, which no node need know.
func (w *World) Now() uint64 { return w.now }

// Events returns how many events have been scheduled so far.
func (w *World) Events() uint64 { return w.seq }

// Pending returns how many events are to come.
func (w *World) Pending() int { return len(w.queue) }

// Between draws a number from a up to, but not including, b; a if there is none.
func (w *World) Between(a, b uint64) uint64 {
	if b <= a {
		return a
	}
	return a + w.Rand.Uint64N(b-a)
}

// Chance draws: true with probability p.
func (w *World) Chance(p float64) bool { return p > 0 && w.Rand.Float64() < p }

// At schedules f for a time, which is now if it has passed. Events of one time happen in the order in which they were
// scheduled.
func (w *World) At(t uint64, f func()) {
	w.seq++
	q := append(w.queue, event{max(t, w.now), w.seq, f})
	i := len(q) - 1
	for i > 0 {
		p := (i - 1) / 2
		if !q[i].before(&q[p]) {
			break
		}
		q[i], q[p] = q[p], q[i]
		i = p
	}
	w.queue = q
}

// After schedules f for d milliseconds from now.
func (w *World) After(d uint64, f func()) { w.At(w.now+d, f) }

// Every schedules f again and again, the first time at from, as long as it returns how long to wait until the next time;
// 0 ends it.
func (w *World) Every(from uint64, f func() uint64) {
	var again func()
	again = func() {
		if d := f(); d > 0 {
			w.After(d, again)
		}
	}
	w.At(from, again)
}

// Step carries out the next event if it is not later than end, and reports whether there was one. Time is end when there is
// none.
func (w *World) Step(end uint64) bool {
	if len(w.queue) == 0 || w.queue[0].at > end {
		w.now = max(w.now, end)
		return false
	}
	e := w.queue[0]
	last := len(w.queue) - 1
	w.queue[0] = w.queue[last]
	w.queue[last] = event{}
	w.queue = w.queue[:last]
	w.down()
	w.now = e.at
	e.f()
	return true
}

func (w *World) down() {
	q, i := w.queue, 0
	for {
		c := 2*i + 1
		if c >= len(q) {
			return
		}
		if c+1 < len(q) && q[c+1].before(&q[c]) {
			c++
		}
		if !q[c].before(&q[i]) {
			return
		}
		q[i], q[c] = q[c], q[i]
		i = c
	}
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

// Note mixes something into the trace, with the time.
func (w *World) Note(what ...byte) {
	b := make([]byte, 0, 64+len(what))
	b = append(b, w.trace[:]...)
	b = binary.BigEndian.AppendUint64(b, w.now)
	w.trace = sha256.Sum256(append(b, what...))
	w.noted++
}

// Trace returns the hash of all notes, with how much has happened and how the draws stand.
func (w *World) Trace() [32]byte {
	b := append([]byte(nil), w.trace[:]...)
	for _, x := range []uint64{w.seq, w.noted, w.Rand.Uint64()} {
		b = binary.BigEndian.AppendUint64(b, x)
	}
	return sha256.Sum256(b)
}
