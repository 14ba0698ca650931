package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// TestFaultKeepsDue: a transaction that makes its module break the rules does not touch what others have scheduled.
func TestFaultKeepsDue(t *testing.T) {
	p := &planner{}
	k := newKit(t, nil, as("p", p.module()))
	c := k.clock
	k.block(k.plan("p", at(c+5, 1, false), at(c+5, 2, false))...)
	bad := append(k.plan("p", at(c+50, 3, false)), k.plan("p", types.Action{Name: "poison"})...)
	k.ext = map[string][][]byte{"p": {{1}}}
	res := k.blockAt(c+5, bad...)
	wantStatus(t, "companion", res.Receipts[0], StatusModuleFault)
	wantStatus(t, "poison", res.Receipts[1], StatusModuleFault)
	if len(res.Faults) != 1 || len(res.Receipts) != 2 || !slices.Equal(p.got, []string{"1", "2"}) {
		t.Fatalf("%+v, got %v", res, p.got)
	}
	if n, moved := k.queued(); n != 0 || moved != 0 {
		t.Fatalf("%d entries, %d postponed", n, moved)
	}
	// A fault of Check is one like any other.
	k.block(k.plan("p", at(c+9, 4, false))...)
	k.l.modules[3].Module = module.Guard(&scripted{check: func([]module.Tx) []module.TxCheck { return nil }, execute: p.module().Execute})
	res = k.blockAt(c+9, k.plan("p", at(c+50, 5, false))...)
	wantStatus(t, "check", res.Receipts[0], StatusModuleFault)
	if len(p.got) != 3 {
		t.Fatalf("got %v", p.got)
	}
}

func TestPoisonedEntry(t *testing.T) {
	p, q := &planner{poison: map[[32]byte]bool{planID(5): true}}, &planner{}
	k := newKit(t, nil, as("p", p.module()), as("q", q.module()))
	c := k.clock
	var actions []types.Action
	for i := range 11 {
		actions = append(actions, at(c+5, i, false))
	}
	k.block(append(k.plan("p", actions...), k.plan("q", at(c+5, 1, false), at(c+7, 2, false))...)...)
	res := k.blockAt(c + 5) // all 11 fail, the first five do
	if !slices.Equal(p.got, numbers(0, 5)) || len(q.got) != 1 || len(res.Faults) != 1 {
		t.Fatalf("first: %v, %v, %v", p.got, q.got, res.Faults)
	}
	last := res.Receipts[len(res.Receipts)-1]
	if last.Status != StatusModuleFault || len(last.Events) != 1 || last.Events[0].Name != "postponed" || last.Events[0].Module != "p" ||
		!strings.HasSuffix(string(last.Events[0].Data), `,"strikes":0,"ticks":1,"entries":6}`) {
		t.Fatalf("receipt: %+v", last)
	}
	res = k.blockAt(c + 6) // the poisoned one is the first now
	if !slices.Equal(p.got, numbers(0, 5)) {
		t.Fatalf("second: %v", p.got)
	}
	if s := string(res.Receipts[0].Events[0].Data); s != fmt.Sprintf(`{"id":"%x","strikes":1,"ticks":16,"entries":6}`, planID(5)) {
		t.Fatalf("event: %s", s)
	}
	k.blockAt(c + 7)
	if want := append(numbers(0, 5), numbers(6, 11)...); !slices.Equal(p.got, want) || len(q.got) != 2 {
		t.Fatalf("third: %v, %v", p.got, q.got)
	}
	if n, moved := k.queued(); n != 1 || moved != 1 {
		t.Fatalf("%d entries, %d postponed", n, moved)
	}
	// It is tried again, later each time, and never lost.
	k.blockAt(c + 21)
	if p.calls != 1+2+3+1 {
		t.Fatalf("%d calls before it is due again", p.calls)
	}
	for i, wait := range []uint64{16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 8192, 8192} {
		k.clock = max(k.clock, c+6)
		if i > 0 {
			calls := p.calls
			k.blockAt(c + wait - 1)
			if p.calls != calls {
				t.Fatalf("strike %d: tried before %d ticks", i, wait)
			}
		} else {
			c += 6
		}
		c += wait
		calls := p.calls
		k.blockAt(c)
		if p.calls == calls {
			t.Fatalf("strike %d: not tried after %d ticks", i, wait)
		}
	}
	p.poison = nil
	k.blockAt(c + 8192)
	if p.got[len(p.got)-1] != "5" || len(p.got) != 11 {
		t.Fatalf("in the end: %v", p.got)
	}
	if n, moved := k.queued(); n != 0 || moved != 0 {
		t.Fatalf("%d entries, %d postponed", n, moved)
	}
}

func TestCancelPostponed(t *testing.T) {
	p := &planner{poison: map[[32]byte]bool{planID(0): true}}
	k := newKit(t, nil, as("p", p.module()))
	c := k.clock
	k.block(k.plan("p", at(c+5, 0, false), at(c+5, 1, false), at(c+5, 2, false), at(c+6, 1, false), at(c+6, 3, false))...)
	k.blockAt(c + 6)
	if n, moved := k.queued(); n != 5 || moved != 5 {
		t.Fatalf("%d entries, %d postponed", n, moved)
	}
	// By a transaction, in a block in which it is not due; then in the one in which it has fallen due again.
	k.clock = c + 6
	c6 := c + 6
	p.poison = map[[32]byte]bool{planID(1): true}
	p.onDue = func(b *module.Block, out *module.Outcome) {
		for _, d := range b.Due { // whoever executes 3 cancels 1, wherever it is, though it is due as well
			if d.ID == planID(3) {
				out.Block.Schedule = append(out.Block.Schedule, module.Schedule{Clock: c + 5, ID: planID(1), Cancel: true},
					module.Schedule{Clock: c6, ID: planID(1), Cancel: true})
			}
		}
	}
	k.blockAt(c+7, k.plan("p", at(c+5, 2, true))...)
	// 1, 1, 2 and 3 were due in the order of their ids: the first struck, the others moved on.
	for range 6 {
		k.block()
	}
	if !slices.Contains(p.got, "3") || slices.Contains(p.got, "1") {
		t.Fatalf("%v", p.got)
	}
	k.blockAt(c + 100)
	if n, moved := k.queued(); n != 0 || moved != 0 {
		t.Fatalf("%d entries, %d postponed, %v", n, moved, p.got)
	}
	if slices.Contains(p.got, "1") || !slices.Contains(p.got, "0") {
		t.Fatalf("a cancelled entry was executed, or one was lost: %v", p.got)
	}
}

// TestCancelWhileDue: an entry that is executed cancels one that is due in the same block, but could not be executed with it.
// That one must not come back.
func TestCancelWhileDue(t *testing.T) {
	for _, moved := range []bool{false, true} {
		p := &planner{poison: map[[32]byte]bool{planID(2): true}}
		k := newKit(t, nil, as("p", p.module()))
		c := k.clock
		p.onDue = func(b *module.Block, out *module.Outcome) {
			for _, d := range b.Due {
				if d.ID == planID(1) {
					out.Block.Schedule = append(out.Block.Schedule, module.Schedule{Clock: c + 5, ID: planID(2), Cancel: true})
				}
			}
		}
		first := uint64(5)
		if moved { // 2 has been postponed to the clock at which 1 is due
			first += 16
		}
		k.block(k.plan("p", at(c+first, 1, false), at(c+5, 2, false))...)
		k.blockAt(c + 5)
		if moved {
			if n, m := k.queued(); n != 2 || m != 1 || len(p.got) != 0 {
				t.Fatalf("%d entries, %d postponed, %v", n, m, p.got)
			}
			k.blockAt(c + 21)
		}
		p.poison = nil
		for range 3 {
			k.blockAt(k.clock + 100)
		}
		if n, m := k.queued(); n != 0 || m != 0 || !slices.Equal(p.got, []string{"1"}) {
			t.Fatalf("moved %t: %d entries, %d postponed, executed %v", moved, n, m, p.got)
		}
	}
}

// TestPoisonousModule: entries of a module that breaks the rules whenever it is asked hold nobody up.
func TestPoisonousModule(t *testing.T) {
	p, q := &planner{poison: map[[32]byte]bool{}}, &planner{}
	k := newKit(t, nil, as("p", p.module()), as("q", q.module()))
	c := k.clock
	var actions, others []types.Action
	for i := range 300 {
		p.poison[planID(i)] = true
		actions = append(actions, at(c+5, i, false))
	}
	for i := range 20 {
		others = append(others, at(c+6+uint64(i), i, false))
	}
	k.block(append(k.plan("p", actions...), k.plan("q", others...)...)...)
	for i := range 26 {
		calls := p.calls
		k.blockAt(c + 5 + uint64(i))
		if p.calls-calls > 8 {
			t.Fatalf("block %d: the module was asked %d times", i, p.calls-calls)
		}
	}
	if !slices.Equal(q.got, numbers(0, 20)) || len(p.got) != 0 {
		t.Fatalf("%v", q.got)
	}
	if n, _ := k.queued(); n != 300 {
		t.Fatalf("%d entries of 300 are left", n)
	}
	p.poison = nil
	for range 40 {
		k.block()
	}
	if n, moved := k.queued(); n != 0 || moved != 0 || len(p.got) != 300 {
		t.Fatalf("%d entries, %d postponed, %d executed", n, moved, len(p.got))
	}
}
