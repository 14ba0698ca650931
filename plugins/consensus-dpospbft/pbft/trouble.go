package pbft

import (
	"fmt"
	"strings"
)

// stallSlots is for how long nothing has to become final until it counts as trouble.
func (m *Machine) stallSlots() uint64 { return 16 + 4*m.cfg.Turn }

// diagnose says what is wrong with this node's part, or nothing. The text changes seldom.
func (m *Machine) diagnose() string {
	if m.halted {
		return m.haltedFor
	}
	var out []string
	if m.clockOff {
		out = append(out, fmt.Sprintf("the clocks of %d of %d producers that are heard differ from this node's, so it neither proposes nor votes: set the clock right",
			m.clocksOff, m.clocksHeard))
	}
	if quiet := m.slot - min(m.slot, m.quietSince); quiet >= m.stallSlots() {
		step := m.stallSlots()
		for 2*step <= quiet {
			step *= 2
		}
		votes := 0
		for seat := range m.set.Seats {
			if m.prepares.since(seat, m.slot-min(m.slot, m.stallSlots())) {
				votes++
			}
		}
		out = append(out, fmt.Sprintf("nothing has become final for %d slots; votes come from %d of %d seats", step, votes, len(m.set.Seats)))
	}
	if m.head.h.Height-m.final.h.Height >= m.cfg.MaxUnfinal {
		out = append(out, fmt.Sprintf("%d blocks and more are not final: blocks stay empty until that is over", m.cfg.MaxUnfinal))
	}
	return strings.Join(out, "; ")
}

// since tells whether a seat has voted in a slot or after it.
func (b *votebook) since(seat int, slot uint64) bool {
	vs := b.seats[seat]
	return len(vs) > 0 && vs[len(vs)-1].slot >= slot
}

// View is what a machine is at, for diagnostics.
type View struct {
	Epoch, Slot uint64
	Seat        int // -1: none in this epoch
	Final, High, Head,
	Lock Ref
	FinalHeight, HeadHeight uint64
	Open                    int // blocks above the final one
	Trouble                 string
}

// View returns what the machine is at.
func (m *Machine) View() View {
	return View{Epoch: m.set.Epoch, Slot: m.slot, Seat: m.seat, Final: m.final.ref(), High: m.high.ref(), Head: m.head.ref(), Lock: m.lock,
		FinalHeight: m.final.h.Height, HeadHeight: m.head.h.Height, Open: m.open, Trouble: m.trouble}
}
