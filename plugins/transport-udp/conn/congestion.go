package conn

import "time"

// The congestion control is a model of the path in the manner of BBR (draft-cardwell-iccrg-bbr-congestion-control): the
// bandwidth is the largest delivery rate of the last ten round trips, the round trip the smallest of the last ten
// seconds. Datagrams are paced at the bandwidth, a little more in one of eight phases to find out whether there is more,
// and then a little less; twice what fits on the path may be under way. Loss alone is no sign of congestion: with one lost
// datagram in twenty a window that is cut for each loss, such as CUBIC's, comes to nothing. A path that loses
// more than a fifth of what it is given gets less nevertheless, since the rate at which things arrive is then below the
// rate of before even while more is tried.
//
// All bulk lanes of a link share one model, which counts what is under way on all of them: lanes are number spaces, and
// however many there are, a link takes the share of one flow. The control lane has a model of its own, is not paced,
// and has a floor, so that votes go on whatever was lost.
const (
	startupGain  = 2.885 // 2/ln 2: the rate doubles each round trip
	probeGain    = 1.25
	drainGain    = 0.75
	windowGain   = 2.0
	bwRounds     = 10
	rttLifetime  = 10 * time.Second
	fullRounds   = 3    // without growth by fullGrowth the pipe is full
	fullGrowth   = 1.25 //
	startupLoss  = 0.2  // of a round trip, ends the start as well
	phases       = 8
	minRound     = 5 * time.Millisecond // shorter round trips are counted together: their rates say little
	allowance    = 4 * time.Millisecond // of queue, for confirmations and timers that are late
	burst        = 2 * time.Millisecond // so much of what was not sent in time may be made up for
	quantum      = time.Millisecond     // paced datagrams go out so often at most, several at once
	minRateTime  = 200 * time.Microsecond
	initialCount = 32 // datagrams before anything is known
)

// mark is what the model remembers of each datagram under way.
type mark struct {
	delivered              uint64
	deliveredAt, firstSent Time
	limited                bool
}

// phase of the model.
type phase uint8

const (
	startup phase = iota
	drain
	probing
)

// model is what is known of a path. Sizes are in bytes, rates in bytes a second.
type model struct {
	paced  bool
	floor  float64 // of the window
	first  float64 // the window in the beginning
	window float64
	flying int // sent and neither confirmed nor known to be lost

	delivered              uint64
	deliveredAt, firstSent Time
	limitedUntil           uint64 // what was sent while there was too little to send tells nothing about the path

	bw         [3]sample // of the last rounds, falling
	round      uint64
	roundMark  uint64
	roundStart Time
	lost, got  int // in this round

	phase      phase
	cycle      int
	cycleStart Time
	full       float64
	fullCount  int

	minRTT     time.Duration
	minRTTAt   Time
	shrinkEnd  Time // the window is small until then, so that the queue empties and the round trip shows
	shrinkBest time.Duration

	next Time // when the next datagram may go
}

type sample struct {
	round uint64
	rate  float64
}

func newModel(paced bool, floor, datagram int) model {
	return model{paced: paced, floor: float64(floor * datagram), first: float64(initialCount * datagram), window: float64(initialCount * datagram)}
}

// rate is the bandwidth; 0 if it is not known.
func (m *model) rate() float64 { return m.bw[0].rate }

// observe puts a rate into the windowed maximum of three samples (as in Linux, win_minmax.c).
func (m *model) observe(rate float64) {
	s := sample{m.round, rate}
	b := &m.bw
	if rate >= b[0].rate || m.round-b[2].round > bwRounds {
		b[0], b[1], b[2] = s, s, s
		return
	}
	if rate >= b[1].rate {
		b[1], b[2] = s, s
	} else if rate >= b[2].rate {
		b[2] = s
	}
	switch age := m.round - b[0].round; {
	case age > bwRounds:
		b[0], b[1], b[2] = b[1], b[2], s
		if m.round-b[0].round > bwRounds {
			b[0], b[1], b[2] = b[1], b[2], s
		}
	case b[1].round == b[0].round && age > bwRounds/4:
		b[1], b[2] = s, s
	case b[2].round == b[1].round && age > bwRounds/2:
		b[2] = s
	}
}

// onPath is what fits on the path.
func (m *model) onPath() float64 { return m.rate() * m.minRTT.Seconds() }

func (m *model) pacingGain() float64 {
	switch {
	case m.phase == startup:
		return startupGain
	case m.phase == drain:
		return 1 / startupGain
	case m.cycle == 0:
		return probeGain
	case m.cycle == 1:
		return drainGain
	}
	return 1
}

func (m *model) target() float64 {
	gain := windowGain
	if m.phase == startup {
		gain = startupGain
	}
	return gain*m.onPath() + m.rate()*allowance.Seconds()
}

// room tells whether the window lets a datagram of that size go. One goes always.
func (m *model) room(size int) bool {
	return m.flying == 0 || float64(m.flying+size) <= m.window
}

// due returns when pacing lets the next datagram go.
func (m *model) due(now Time) Time {
	if !m.paced || m.next <= now {
		return now
	}
	return m.next + quantum
}

// sent counts a datagram and returns its mark.
func (m *model) sent(now Time, size int) mark {
	if m.flying == 0 {
		m.firstSent, m.deliveredAt = now, now
	}
	m.flying += size
	if r := m.rate() * m.pacingGain(); r > 0 {
		if m.phase == startup { // what is sent before anything is known is the least until more is
			r = max(r, startupGain*m.first/max(m.minRTT, minRound).Seconds())
		}
		m.next = max(m.next, now-burst) + time.Duration(float64(size)/r*1e9)
	}
	return mark{m.delivered, m.deliveredAt, m.firstSent, m.limitedUntil > m.delivered}
}

// idle says that there was nothing to send although the window had room.
func (m *model) idle() { m.limitedUntil = max(m.delivered+uint64(m.flying), 1) }

// lose counts a datagram as lost.
func (m *model) lose(size int) {
	m.flying -= size
	m.lost += size
}

// collapse answers a timeout: of what is under way nothing is heard.
func (m *model) collapse(datagram int) {
	m.window = max(min(m.window, float64(m.flying+4*datagram)), m.floor)
}

// arrive counts a datagram as delivered; flying tells whether it was not counted as lost.
func (m *model) arrive(size int, flying bool) {
	if flying {
		m.flying -= size
	}
	m.delivered += uint64(size)
	m.got += size
}

// update takes a confirmation: of what it confirmed, the mark and time of the datagram that was sent last; rtt is a round
// trip, or negative.
func (m *model) update(now Time, k mark, sent Time, rtt time.Duration, newly int) {
	interval := max(sent-k.firstSent, now-k.deliveredAt)
	m.firstSent, m.deliveredAt = sent, now
	m.trip(now, rtt)
	begins := false
	if k.delivered >= m.roundMark && now-m.roundStart >= minRound {
		begins = true
		m.round++
		m.roundMark, m.roundStart = m.delivered, now
	}
	if interval >= max(m.minRTT, minRateTime) {
		if r := float64(m.delivered-k.delivered) / interval.Seconds(); !k.limited || r >= m.rate() {
			m.observe(r)
		}
	}
	if begins {
		if m.phase == startup {
			m.checkFull(k.limited || m.limitedUntil > m.delivered)
		}
		m.lost, m.got = 0, 0
	}
	m.step(now)
	target := max(m.target(), m.floor)
	if m.phase != startup {
		m.window = min(m.window+float64(newly), target)
	} else if m.window < target || m.round < 2 {
		m.window += float64(newly)
	}
	m.window = max(m.window, m.floor)
	if now < m.shrinkEnd {
		m.window = min(m.window, max(m.onPath()/2, m.floor))
	}
}

// checkFull ends the start once the bandwidth grows no more.
func (m *model) checkFull(limited bool) {
	if heavy := m.lost > 8*1200 && float64(m.lost) > startupLoss*float64(m.lost+m.got); heavy {
		m.phase = drain
		return
	}
	switch {
	case m.rate() >= m.full*fullGrowth:
		m.full, m.fullCount = m.rate(), 0
	case !limited:
		if m.fullCount++; m.fullCount >= fullRounds {
			m.phase = drain
		}
	}
}

// wider says that a lane was added since the numbers of the others were used up: what was measured is no limit of the path.
func (m *model) wider() {
	if m.phase == probing {
		m.phase, m.full, m.fullCount = startup, m.rate(), 0
	}
}

// step moves through the phases.
func (m *model) step(now Time) {
	switch m.phase {
	case drain:
		if float64(m.flying) <= m.onPath()+m.rate()*allowance.Seconds() {
			m.phase, m.cycle, m.cycleStart = probing, 2, now
		}
	case probing:
		over := now-m.cycleStart >= max(m.minRTT, minRound)
		if m.cycle == 1 && float64(m.flying) <= m.onPath() {
			over = true
		}
		if over {
			m.cycle, m.cycleStart = (m.cycle+1)%phases, now
		}
	}
}

// trip takes a round trip.
func (m *model) trip(now Time, rtt time.Duration) {
	if rtt >= 0 {
		rtt = max(rtt, 1)
		if m.minRTT == 0 || rtt <= m.minRTT {
			m.minRTT, m.minRTTAt = rtt, now
		}
		if m.shrinkEnd > 0 && (m.shrinkBest == 0 || rtt < m.shrinkBest) {
			m.shrinkBest = rtt
		}
	}
	switch {
	case m.shrinkEnd > 0 && now >= m.shrinkEnd:
		if m.shrinkBest > 0 {
			m.minRTT = m.shrinkBest
		}
		m.shrinkEnd, m.minRTTAt = 0, now
	case m.shrinkEnd == 0 && m.minRTT > 0 && now-m.minRTTAt > rttLifetime:
		m.shrinkEnd, m.shrinkBest = now+3*m.minRTT+2*minRound, 0
	}
}
