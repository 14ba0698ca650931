package faultproxy

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"
)

// Line is the pure core: one direction between two names. It is not safe for use by several goroutines at once.
type Line struct {
	key    uint64
	n      uint64 // datagrams so far
	faults Faults
	cut    bool

	now    time.Duration
	busy   time.Duration // when the queue of the rate limit will be empty
	floor  time.Duration // last delivery of those in order
	latest time.Duration // last delivery of all

	counts Counts
}

// Counts is what became of a line's datagrams. At any time
//
//	Received + Duplicated = Lost + Oversize + QueueFull + Partitioned + scheduled for delivery
type Counts struct {
	Received, ReceivedBytes uint64
	Lost                    uint64
	Duplicated              uint64 // copies added
	Corrupted               uint64 // copies altered
	Reordered               uint64 // copies held back
	Overtaking              uint64 // copies that are due before one that came earlier, whatever the cause
	QueueFull               uint64 // copies dropped since the queue of the rate limit was full
	Oversize                uint64 // larger than the MTU
	Partitioned             uint64 // dropped between groups
}

// Copy is one delivery of a datagram.
type Copy struct {
	At      time.Duration // when it is due; never before the datagram came
	Corrupt bool
	key     uint64
}

// Fate is what becomes of a datagram: the first N of Copies are delivered.
type Fate struct {
	Copies [2]Copy
	N      int
}

// NewLine returns the line of a pair of names, without faults. Lines of other seeds or pairs decide independently.
func NewLine(seed uint64, from, to string) *Line {
	b := binary.BigEndian.AppendUint64([]byte("faultproxy line "), seed)
	b = binary.BigEndian.AppendUint64(b, uint64(len(from)))
	sum := sha256.Sum256(append(append(b, from...), to...))
	return &Line{key: binary.BigEndian.Uint64(sum[:])}
}

// SetFaults changes what happens to later datagrams; f must have passed Check. What is on its way keeps its time, so
// after a change of delays or rates later datagrams may overtake earlier ones. A new rate begins with an empty queue.
func (l *Line) SetFaults(f Faults) {
	old := l.faults
	if f.Delay != old.Delay || f.Jitter != old.Jitter || f.Rate != old.Rate || f.Normal != old.Normal || f.KeepOrder != old.KeepOrder {
		l.floor = 0
	}
	if f.Rate != old.Rate {
		l.busy = 0
	}
	l.faults = f
}

// Cut begins or ends a partition.
func (l *Line) Cut(cut bool) { l.cut = cut }

// Counts returns the counters.
func (l *Line) Counts() Counts { return l.counts }

// What is drawn for a datagram. Each has draws of its own, so that none changes another.
const (
	drawLoss = iota
	drawDuplicate
	drawCorrupt
	drawReorder
	drawJitter
	drawNormal
	drawBits
)

// mix is the finalizer of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

const golden = 0x9e3779b97f4a7c15

// draw returns the random bits of a kind for a copy of the datagram whose key is given.
func draw(key uint64, kind, copy int) uint64 { return mix(key + uint64(kind*2+copy+1)*golden) }

// unit makes a number from 0 to below 1.
func unit(bits uint64) float64 { return float64(bits>>11) / (1 << 53) }

// Decide says what becomes of the next datagram, of the given size in bytes, that comes at a time since any fixed start. Times
// do not go back: an earlier one counts as the one before.
func (l *Line) Decide(now time.Duration, size int) Fate {
	f := &l.faults
	l.now = max(l.now, now)
	l.n++
	key := mix(l.key + l.n*golden)
	l.counts.Received++
	l.counts.ReceivedBytes += uint64(size)
	switch {
	case l.cut:
		l.counts.Partitioned++
		return Fate{}
	case f.MTU > 0 && size > f.MTU:
		l.counts.Oversize++
		return Fate{}
	case unit(draw(key, drawLoss, 0)) < f.Loss:
		l.counts.Lost++
		return Fate{}
	}
	copies := 1
	if unit(draw(key, drawDuplicate, 0)) < f.Duplicate {
		copies = 2
		l.counts.Duplicated++
	}
	var fate Fate
	for i := range copies {
		at, ok := l.transmit(size)
		if !ok {
			l.counts.QueueFull++
			continue
		}
		c := Copy{At: l.propagate(at, key, i), key: draw(key, drawBits, i)}
		if size > 0 && unit(draw(key, drawCorrupt, i)) < f.Corrupt {
			c.Corrupt = true
			l.counts.Corrupted++
		}
		fate.Copies[fate.N] = c
		fate.N++
	}
	return fate
}

// transmit puts a datagram into the queue of the rate limit and returns when it has left it.
func (l *Line) transmit(size int) (time.Duration, bool) {
	f := &l.faults
	if f.Rate == 0 {
		return l.now, true
	}
	queue := f.Queue
	if queue == 0 {
		queue = DefaultQueue
	}
	start := max(l.now, l.busy)
	waiting := (start - l.now).Seconds() * float64(f.Rate)
	if waiting > 0 && waiting+float64(size) > float64(queue) {
		return 0, false
	}
	l.busy = start + time.Duration(float64(size)/float64(f.Rate)*float64(time.Second))
	return l.busy, true
}

// propagate adds delay, jitter and reordering.
func (l *Line) propagate(at time.Duration, key uint64, copy int) time.Duration {
	f := &l.faults
	delay := f.Delay
	if f.Jitter > 0 {
		u := unit(draw(key, drawJitter, copy))
		spread := 2*u - 1
		if f.Normal { // Box and Muller
			spread = math.Sqrt(-2*math.Log(1-u)) * math.Cos(2*math.Pi*unit(draw(key, drawNormal, copy)))
			spread = max(-4, min(4, spread))
		}
		delay = max(0, delay+time.Duration(spread*float64(f.Jitter)))
	}
	at += delay
	if unit(draw(key, drawReorder, copy)) < f.Reorder {
		l.counts.Reordered++
		gap := f.ReorderGap
		if gap == 0 {
			gap = DefaultReorderGap
		}
		at += gap
	} else {
		if f.Jitter == 0 || f.KeepOrder {
			at = max(at, l.floor)
		}
		l.floor = max(l.floor, at)
	}
	if at < l.latest {
		l.counts.Overtaking++
	}
	l.latest = max(l.latest, at)
	return at
}

// Alter flips the bits of b that a corrupt copy has wrong, one to eight of them, and nothing of any other copy. Done twice
// it restores b. b must be as long as Decide was told.
func (c Copy) Alter(b []byte) {
	if !c.Corrupt || len(b) == 0 {
		return
	}
	var done [8]uint64
	bits := uint64(len(b)) * 8
	count := min(1+int(c.key%8), int(bits))
	for i := 0; i < count; i++ {
		at := mix(c.key+uint64(i+1)*golden) % bits
		for j := 0; j < i; j++ { // a bit flipped twice would be none; the next free one then
			if done[j] == at {
				at, j = (at+1)%bits, -1
			}
		}
		done[i] = at
		b[at/8] ^= 1 << (at % 8)
	}
}
