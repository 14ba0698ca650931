package pbft

import (
	"github.com/paloalto-chain/paloalto/sdk/types"
)

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

// onSlot is what a node does once a slot.
func (m *Machine) onSlot() {
	if b := m.building; b != nil && m.slot > b.slot+1 {
		m.building = nil // an answer that comes now would be too late
	}
	clear(m.handed)
	if m.past != nil && m.slot > m.past.until+pastSlots {
		m.past = nil
	}
	m.judgeClock()
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
	s := &Status{Epoch: m.set.Epoch, Slot: m.slot, Head: m.head.ref(), HeadHeight: m.head.h.Height}
	if m.final.h.Epoch == m.set.Epoch {
		s.Final = m.final.fin
	}
	if m.high != m.final {
		s.High = m.high.proof
	}
	m.send(types.Hash{}, s)
}

// resend sends the own last votes again while they may still be needed.
func (m *Machine) resend() {
	if m.prepareMsg != nil && m.lastPrep.Slot > m.final.h.Slot {
		m.sendTo(types.Hash{}, m.prepareMsg)
	}
	if m.commitMsg != nil && m.lastCommit.Slot > m.final.h.Slot {
		m.sendTo(types.Hash{}, m.commitMsg)
	}
}
