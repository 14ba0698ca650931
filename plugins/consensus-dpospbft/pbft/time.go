package pbft

import (
	"math"

	"github.com/paloalto-chain/paloalto/sdk/types"
)

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

// wakeAt returns the next moment at which time alone changes something.
func (m *Machine) wakeAt() uint64 {
	if m.halted {
		return 0
	}
	at := m.startOf(m.slot + 1)
	for _, e := range m.early {
		t := m.startOf(e.p.Header.Slot)
		at = min(at, max(t-min(t, m.cfg.MaxSkewMs), m.now+1))
	}
	return at
}

// advance sets the clock.
func (m *Machine) advance(ms uint64) {
	if ms <= m.now {
		return
	}
	m.now = ms
	m.releaseEarly()
	if s := m.slotAt(ms); s > m.slot {
		m.slot = s
		m.onSlot()
	}
}

// onSlot is what a node does once a slot.
func (m *Machine) onSlot() {
	if b := m.building; b != nil && m.slot > b.slot+1 {
		m.building = nil // an answer that comes now would be too late
	}
	m.tryBuild()
	m.sendStatus()
	m.resend()
	m.below(m.final, func(n *node) bool {
		if n.state == asked && n.retryAt <= m.slot {
			m.ask(n)
		}
		return n.state == checked
	})
	m.retryWants()
	m.retryUncovered()
}

// sendStatus tells everybody where this node stands.
func (m *Machine) sendStatus() {
	s := &Status{Slot: m.slot, Head: m.head.ref(), HeadHeight: m.head.h.Height, Final: m.final.fin}
	if m.high != m.final {
		s.High = m.high.proof
	}
	m.send(types.Hash{}, s)
}

// resend sends the own last votes again while they may still be needed.
func (m *Machine) resend() {
	if m.prepareMsg != nil && m.lastPrep.Slot > m.final.h.Slot {
		m.sendRaw(m.prepareMsg)
	}
	if m.commitMsg != nil && m.lastCommit.Slot > m.final.h.Slot {
		m.sendRaw(m.commitMsg)
	}
}
