package pbft

import (
	"fmt"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/consensus"
)

const hourMs = 3_600_000

// highest returns the highest slot that a node has signed anything in.
func (n *labNode) highest() uint64 {
	var most uint64
	for key := range n.signed {
		for _, p := range []string{PurposePropose, PurposePrepare, "commit"} {
			if s, ok := strings.CutPrefix(key, p); ok {
				var slot uint64
				fmt.Sscan(s, &slot)
				most = max(most, slot)
			}
		}
	}
	return most
}

func (n *labNode) lastTrouble() string {
	if len(n.trouble) == 0 {
		return ""
	}
	return n.trouble[len(n.trouble)-1]
}

// TestClockJumps has a node's clock jump, and come back. It signs nothing in the slots that are not, says what is wrong, and
// goes on when the clock is right.
func TestClockJumps(t *testing.T) {
	for _, jump := range []int64{hourMs, 30_000, -hourMs / 120} {
		t.Run(fmt.Sprintf("by %d ms", jump), func(t *testing.T) {
			l := newLab(t, nil, []int{0, 1, 2, 3})
			l.startAll()
			l.run(80)
			n := l.nodes[1]
			before := n.lastTrouble()
			n.skew = jump
			l.run(90)
			if before != "" || !strings.Contains(n.lastTrouble(), "clock") {
				t.Errorf("trouble %q before and %q after", before, n.lastTrouble())
			}
			if s := n.highest(); s > 81 {
				t.Errorf("it has signed slot %d, now is slot %d", s, l.slot)
			}
			if l.nodes[0].final.Slot < 88 {
				t.Errorf("the others are final up to slot %d only", l.nodes[0].final.Slot)
			}
			n.skew = 0
			l.run(100)
			if n.lastTrouble() != "" || n.highest() != 100 || l.nodes[0].final.Slot != 100 {
				t.Errorf("trouble %q, last signed %d, final %d when the clock is right again", n.lastTrouble(), n.highest(), l.nodes[0].final.Slot)
			}
			produced := false
			for _, h := range n.bodies {
				produced = produced || h.Producer == n.pub.Hash() && h.Slot > 92
			}
			if !produced {
				t.Error("it does not produce any more")
			}
		})
	}
}

// TestClockWrongAtStart starts a node with a clock that is an hour ahead.
func TestClockWrongAtStart(t *testing.T) {
	l := newLab(t, nil, []int{0, 1, 2, 3})
	l.startAll()
	l.run(20)
	for skew := int64(0); skew < 4; skew++ { // one of four slots is its own
		n := l.nodes[1]
		n.m, n.skew = nil, hourMs+500*skew
		l.run(l.slot + 1)
		l.start(n)
		l.deliver()
		l.run(l.slot + 3)
		if s := n.highest(); s > l.slot {
			t.Fatalf("it has signed slot %d, now is slot %d", s, l.slot)
		}
	}
}

// TestClockStandsStill freezes a node's clock for a while.
func TestClockStandsStill(t *testing.T) {
	l := newLab(t, nil, []int{0, 1, 2, 3})
	l.startAll()
	l.run(20)
	n := l.nodes[1]
	for range 6 {
		n.skew -= 500
		l.run(l.slot + 1)
	}
	if !strings.Contains(n.lastTrouble(), "clock") {
		t.Errorf("trouble %q", n.lastTrouble())
	}
	n.skew = 0
	l.run(l.slot + 6)
	if n.lastTrouble() != "" || n.highest() != l.slot {
		t.Errorf("trouble %q, last signed slot %d of %d", n.lastTrouble(), n.highest(), l.slot)
	}
}

// TestLyingClocks has fewer than half of the others say a wrong time: nothing comes of it.
func TestLyingClocks(t *testing.T) {
	l := newLab(t, nil, []int{0, 1, 2, 3})
	l.startAll()
	l.run(10)
	n := l.nodes[1]
	for _, slot := range []uint64{0, 10_000, 1 << 63, 1<<64 - 1} {
		l.step(n, &consensus.Message{From: l.nodes[2].pub.Hash(), Payload: EncodeMessage(&Status{Slot: slot}), NowMs: l.now(n)})
		l.step(n, &consensus.Message{From: testPeer("stranger"), Payload: EncodeMessage(&Status{Slot: slot}), NowMs: l.now(n)})
		if n.m.clockOff || n.lastTrouble() != "" {
			t.Errorf("one who says slot %d is believed: %q", slot, n.lastTrouble())
		}
	}
}

// TestEventsOutOfOrder gives times that step back a little, as events do that were made at the same time.
func TestEventsOutOfOrder(t *testing.T) {
	l := newLab(t, nil, []int{0})
	l.startAll()
	l.run(10)
	m := l.nodes[0].m
	now := m.now
	for _, ms := range []uint64{0, now - 1, now - 1999} {
		l.step(l.nodes[0], &consensus.Woken{NowMs: ms})
		if m.now != now || m.slot != 10 {
			t.Fatalf("at %d the time is %d", ms, m.now)
		}
	}
	l.step(l.nodes[0], &consensus.Woken{NowMs: now - 4000})
	if m.now != now-4000 || m.slot != 2 || m.wakeAt() != labGenesisMs+3*500 {
		t.Fatalf("time %d, slot %d, to be woken at %d", m.now, m.slot, m.wakeAt())
	}
	l.step(l.nodes[0], &consensus.Woken{NowMs: now + 500})
	l.deliver()
	if m.final.h.Slot != 11 {
		t.Fatalf("final in slot %d", m.final.h.Slot)
	}
}

// TestStall takes two of four nodes away: that nothing is final is said, and that it is over. So many blocks above the final
// one are empty.
func TestStall(t *testing.T) {
	l := newLab(t, nil, []int{0, 1, 2, 3})
	l.startAll()
	l.run(4)
	off := []*labNode{l.nodes[2], l.nodes[3]}
	for _, n := range off {
		n.m = nil
	}
	n := l.nodes[0]
	l.run(4 + n.m.stallSlots() - 1)
	if n.lastTrouble() != "" {
		t.Fatalf("too early: %q", n.lastTrouble())
	}
	l.run(80)
	var stalls int
	for _, s := range n.trouble {
		if strings.Contains(s, "nothing has become final for") && strings.Contains(s, "2 of 4 seats") {
			stalls++
		}
	}
	if stalls < 1 || stalls > 4 {
		t.Errorf("told %d times: %q", stalls, n.trouble)
	}
	for _, o := range off {
		l.start(o)
	}
	l.deliver()
	l.run(130)
	if n.lastTrouble() != "" || n.final.Slot < 110 {
		t.Errorf("trouble %q, final in slot %d", n.lastTrouble(), n.final.Slot)
	}
}

// TestMaxUnfinal has blocks stay empty.
func TestMaxUnfinal(t *testing.T) {
	l := newLab(t, nil, []int{0, 1, 2, 3})
	n := l.nodes[0]
	l.start(n)
	n.m.cfg.MaxUnfinal = 3
	for l.slot < 40 {
		l.run(l.slot + 1)
	}
	if !strings.Contains(n.lastTrouble(), "3 blocks and more are not final") {
		t.Errorf("trouble %q", n.lastTrouble())
	}
}
