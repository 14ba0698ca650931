package pbft

import (
	"math"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

// The own clock against those of the others. A clock that is wrong cannot hurt safety, but a node whose clock runs far ahead
// would sign slots that lie in the future and have to sit out the time until then. So it does not propose, and does not vote,
// while most of the producers that it hears of have another time. It follows its clock back when that is put right.
const (
	heardSlots  = 8    // a status is looked at for so long
	behindSlots = 8    // others may seem to be so far behind: their messages may be on their way for long
	jumpSlots   = 8    // a step of the own clock by more than this has to be confirmed
	waitSlots   = 2    // for so long the others are waited for, who may be silent for good
	backMs      = 2000 // steps back by less are the order in which events come in
)

// heard is what the status of a seat said of the time.
type heard struct {
	ever bool
	at   uint64 // own slot
	diff int64  // its slot less the own one
}

// aheadTolerance is how many slots others may be ahead: nothing but skew makes them seem so.
func (m *Machine) aheadTolerance() int64 { return 1 + int64(250/m.cfg.SlotMs) }

// slotAt returns the slot at a time; before the genesis time it is 0.
func (m *Machine) slotAt(ms uint64) uint64 {
	if ms < m.genesisMs {
		return 0
	}
	return (ms - m.genesisMs) / m.cfg.SlotMs
}

// startOf returns when a slot begins, or the end of time.
func (m *Machine) startOf(slot uint64) uint64 {
	if slot > (math.MaxUint64-m.genesisMs)/m.cfg.SlotMs {
		return math.MaxUint64
	}
	return m.genesisMs + slot*m.cfg.SlotMs
}

// due returns the newest slot whose blocks are accepted now.
func (m *Machine) due() uint64 {
	t := m.now + m.cfg.MaxSkewMs
	if t < m.now {
		t = math.MaxUint64
	}
	return m.slotAt(t)
}

// advance sets the clock. A time of 0 is none.
func (m *Machine) advance(ms uint64) {
	switch {
	case ms == 0 || ms == m.now || ms < m.now && m.now-ms <= max(backMs, 2*m.cfg.SlotMs):
		return
	case ms < m.now:
		m.turnBack(ms)
		return
	}
	m.now = ms
	m.releaseEarly()
	if s := m.slotAt(ms); s > m.slot {
		far := s-m.slot > jumpSlots
		m.slot = s
		if far {
			m.jumped()
		}
		m.onSlot()
	}
}

// turnBack follows a clock that was ahead and has been put right. What has been signed meanwhile stays signed.
func (m *Machine) turnBack(ms uint64) {
	m.now, m.slot = ms, m.slotAt(ms)
	m.quietSince = min(m.quietSince, m.slot)
	kept := m.early[:0]
	for _, p := range m.early {
		if p.p.Header.Slot <= m.slot+aheadSlots {
			kept = append(kept, p)
		}
	}
	m.early = kept
	for _, w := range m.wants {
		w.since, w.asked = m.slot, 0
	}
	m.below(m.final, func(n *node) bool {
		n.retryAt = min(n.retryAt, m.slot+1)
		return n.state == checked
	})
	m.jumped()
	m.onSlot()
}

// jumped forgets what others have said of the time, and waits for what they say now.
func (m *Machine) jumped() {
	clear(m.heard)
	m.voteFrom, m.buildFrom = m.slot+waitSlots, m.slot+waitSlots
}

// hear takes the slot out of a status. Whom it is from is known by the connection.
func (m *Machine) hear(from types.Hash, slot uint64) {
	seat, ok := m.seats[from]
	if !ok || seat == m.seat {
		return
	}
	diff := int64(math.MaxInt32)
	if d := slot - m.slot; d < math.MaxInt32 {
		diff = int64(d)
	} else if d := m.slot - slot; d < math.MaxInt32 {
		diff = -int64(d)
	}
	m.heard[seat] = heard{true, m.slot, diff}
	m.judgeClock()
}

// judgeClock compares the clocks, and takes up what was left alone when they agree again.
func (m *Machine) judgeClock() {
	var agree, differ, all uint64
	m.clocksOff, m.clocksHeard = 0, 0
	for i, h := range m.heard {
		w := m.set.Seats[i].Weight
		if i == m.seat {
			continue
		}
		all += w
		if !h.ever || h.at+heardSlots < m.slot {
			continue
		}
		m.clocksHeard++
		if h.diff > m.aheadTolerance() || h.diff < -behindSlots {
			differ += w
			m.clocksOff++
		} else {
			agree += w
		}
	}
	before := m.clockOff || m.voteFrom > 0
	m.clockOff = differ > agree
	if m.slot >= m.voteFrom || agree > all/2 || all == 0 {
		m.voteFrom = 0
	}
	if m.slot >= m.buildFrom || agree > all/2 || all == 0 {
		m.buildFrom = 0
	}
	if before && !m.distrusts() {
		m.revive()
	}
}

// distrusts tells whether nothing may be signed for lack of trust in the clock.
func (m *Machine) distrusts() bool { return m.clockOff || m.slot < m.voteFrom }

// revive looks at what came while nothing was signed.
func (m *Machine) revive() {
	m.tryPrepare(m.head)
	m.tryCommit(m.high)
	m.tryBuild()
}
