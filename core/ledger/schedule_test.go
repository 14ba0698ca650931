package ledger

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/paloalto-chain/paloalto/core/state"
	"github.com/paloalto-chain/paloalto/sdk/module"
	"github.com/paloalto-chain/paloalto/sdk/types"
)

// planner is a module that schedules and cancels what transactions say, and remembers what it was given in the calls whose
// answers were legal. It breaks the rules when a poisoned entry is due or a transaction is called "poison".
type planner struct {
	poison map[[32]byte]bool
	// onDue adds to the result of scheduled work.
	onDue func(b *module.Block, out *module.Outcome)
	calls int
	got   []string // ids of entries in the order of execution
}

func planID(n int) (id [32]byte) {
	id[0], id[1] = byte(n>>8), byte(n)
	return id
}

// at schedules entry n, or cancels it.
func at(clock uint64, n int, cancel bool) types.Action {
	e := types.NewEncoder(16)
	e.Uint(clock)
	e.Uint(uint64(n))
	if cancel {
		return types.Action{Name: "cancel", Body: e.Bytes()}
	}
	return types.Action{Name: "at", Body: e.Bytes()}
}

func (p *planner) module() module.Module {
	return &scripted{execute: func(ctx context.Context, b *module.Block, _ module.Reader) (*module.Outcome, error) {
		p.calls++
		out := blank(b)
		var got []string
		for _, d := range b.Due {
			if string(d.Data) != "data" || d.Item.Key != "item" || !slices.ContainsFunc(b.Values, func(v module.Value) bool { return v.Item == d.Item }) {
				return nil, fmt.Errorf("due entry %+v", d)
			}
			if p.poison[d.ID] {
				out.Block.Error = "ErrPoison"
			}
			got = append(got, fmt.Sprint(int(d.ID[0])<<8|int(d.ID[1])))
		}
		if p.onDue != nil && len(b.Due) > 0 {
			p.onDue(b, out)
		}
		for i, t := range b.Txs {
			for _, a := range t.Actions {
				if a.Name == "poison" {
					out.Txs[i].Gas = t.MaxGas + 1
					continue
				}
				d := types.NewDecoder(a.Body)
				s := module.Schedule{Clock: d.Uint(), ID: planID(int(d.Uint())), Item: module.Item{Key: "item"}, Data: []byte("data"), Cancel: a.Name == "cancel"}
				out.Txs[i].Schedule = append(out.Txs[i].Schedule, s)
			}
		}
		if module.CheckOutcome(b, out) == nil {
			p.got = append(p.got, got...)
		}
		return out, nil
	}}
}

// plan makes transactions of at most 200 actions.
func (k *kit) plan(mod string, actions ...types.Action) []*Tx {
	var out []*Tx
	for list := range slices.Chunk(actions, 200) {
		out = append(out, k.signed(k.tx(newKey("alice"), mod, list...), newKey("alice")))
	}
	return out
}

// queued counts the entries of the queue, and those of them that have been postponed.
func (k *kit) queued() (n, moved int) {
	k.t.Helper()
	for i, space := range []string{spaceSchedule, spaceMoved} {
		list, more, err := k.layer.Scan(k.t.Context(), space, state.ScanPos{}, state.ScanPos{Place: types.Place{255}}, 10_000)
		if err != nil || more {
			k.t.Fatal(err)
		}
		if i == 0 {
			n = len(list)
		} else {
			moved = len(list)
		}
		for _, e := range list {
			if i == 0 {
				if _, _, _, err := decodeScheduled(e.Item.Key, e.Value); err != nil {
					k.t.Fatal(err)
				}
			}
		}
	}
	return n, moved
}

func numbers(from, to int) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func TestScheduleOrder(t *testing.T) {
	p, q := &planner{}, &planner{}
	k := newKit(t, nil, as("p", p.module()), as("q", q.module()))
	c := k.clock
	k.block(append(k.plan("p", at(c+9, 1, false), at(c+5, 300, false), at(c+5, 2, false), at(c+7, 0, false)), k.plan("q", at(c+5, 9, false))...)...)
	k.block()
	k.blockAt(c + 4)
	if p.calls != 1 || q.calls != 1 {
		t.Fatalf("%d and %d calls: a module was asked about a block that has nothing for it", p.calls, q.calls)
	}
	k.blockAt(c + 5)
	if !slices.Equal(p.got, []string{"2", "300"}) || !slices.Equal(q.got, []string{"9"}) {
		t.Fatalf("at clock 5: %v, %v", p.got, q.got)
	}
	k.blockAt(c + 30)
	if !slices.Equal(p.got, []string{"2", "300", "0", "1"}) {
		t.Fatalf("later: %v", p.got)
	}
	if n, _ := k.queued(); n != 0 {
		t.Fatalf("%d entries are left", n)
	}
	// The same clock and id again replaces what was there.
	k.block(k.plan("p", at(c+50, 1, false), at(c+50, 1, false))...)
	if n, _ := k.queued(); n != 1 {
		t.Fatalf("%d entries, want 1", n)
	}
	// Due work comes before the transactions of its block: a cancellation there is too late, and does no harm.
	k.blockAt(c+50, k.plan("p", at(c+50, 1, true))...)
	if len(p.got) != 5 {
		t.Fatalf("%v", p.got)
	}
}

func TestScheduleCarriesOver(t *testing.T) {
	p, q := &planner{}, &planner{}
	k := newKit(t, nil, as("p", p.module()), as("q", q.module()))
	c := k.clock
	var actions []types.Action
	for i := range 150 {
		actions = append(actions, at(c+5, i, false))
	}
	k.block(append(k.plan("p", actions...), k.plan("q", at(c+6, 0, false))...)...)
	k.blockAt(c + 10)
	if !slices.Equal(p.got, numbers(0, 64)) {
		t.Fatalf("first: %v", p.got)
	}
	// An entry that is due but has not had its turn can still be cancelled.
	k.block(k.plan("p", at(c+5, 140, true))...)
	if !slices.Equal(p.got, numbers(0, 128)) || len(q.got) != 0 {
		t.Fatalf("second: %v, %v", p.got, q.got)
	}
	k.block()
	if want := append(numbers(0, 140), numbers(141, 150)...); !slices.Equal(p.got, want) || len(q.got) != 1 {
		t.Fatalf("third: %v, %v", p.got, q.got)
	}
	if n, _ := k.queued(); n != 0 {
		t.Fatalf("%d entries are left", n)
	}
}

func TestScheduleCancel(t *testing.T) {
	p, q := &planner{}, &planner{}
	k := newKit(t, nil, as("p", p.module()), as("q", q.module()))
	c := k.clock
	k.block(append(k.plan("p", at(c+5, 1, false), at(c+5, 2, false), at(c+6, 1, false)), k.plan("q", at(c+5, 2, false))...)...)
	k.block(k.plan("p", at(c+5, 2, true), at(c+9, 9, true), at(0, 1, true), at(c+5, 3, true))...)
	k.blockAt(c + 20)
	if !slices.Equal(p.got, []string{"1", "1"}) || !slices.Equal(q.got, []string{"2"}) {
		t.Fatalf("%v, %v", p.got, q.got)
	}
}

// TestScheduleRandom: whatever is poisoned for a while, each entry that nobody cancels is executed once, no entry that was
// cancelled is executed, and two ledgers agree.
func TestScheduleRandom(t *testing.T) {
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 3))
		var ps [2]*planner
		var kits [2]*kit
		for i := range kits {
			ps[i] = &planner{poison: map[[32]byte]bool{}}
			kits[i] = newKit(t, nil, as("p", ps[i].module()), as("q", (&planner{}).module()))
		}
		made := map[int]uint64{} // planned, by a transaction that took effect
		cancelled := map[int]bool{}
		next := 0
		for block := range 80 {
			clock := kits[0].clock + 1 + r.Uint64N(4)
			var actions []types.Action
			plans, cancels := map[int]uint64{}, []int{}
			if block < 50 {
				for range r.IntN(12) {
					plans[next] = clock + 1 + r.Uint64N(20)
					actions = append(actions, at(plans[next], next, false))
					next++
				}
				for range r.IntN(3) {
					n := r.IntN(next + 1)
					if c, ok := made[n]; ok && !slices.Contains(ps[0].got, fmt.Sprint(n)) {
						actions, cancels = append(actions, at(c, n, true)), append(cancels, n)
					}
				}
				for range r.IntN(4) {
					id := planID(r.IntN(next + 1))
					for _, p := range ps {
						p.poison[id] = !p.poison[id]
					}
				}
			} else {
				ps[0].poison, ps[1].poison = nil, nil
				clock += 300
			}
			before := len(ps[0].got)
			for i, k := range kits {
				res := k.blockAt(clock, k.plan("p", actions...)...)
				if i > 0 || len(actions) == 0 || res.Receipts[0].Status != types.StatusOK {
					continue
				}
				maps.Copy(made, plans)
				for _, n := range cancels {
					if !slices.Contains(ps[0].got[before:], fmt.Sprint(n)) { // else it came too late
						cancelled[n] = true
					}
				}
			}
			if kits[0].layer.Root() != kits[1].layer.Root() {
				t.Fatalf("seed %d, block %d: two ledgers differ", seed, block)
			}
		}
		count := map[string]int{}
		for _, s := range ps[0].got {
			count[s]++
		}
		for n := range next {
			want := 0
			if _, ok := made[n]; ok && !cancelled[n] {
				want = 1
			}
			if c := count[fmt.Sprint(n)]; c != want {
				t.Fatalf("seed %d: entry %d was executed %d times, want %d; cancelled: %t", seed, n, c, want, cancelled[n])
			}
		}
		if n, moved := kits[0].queued(); n != 0 || moved != 0 {
			t.Fatalf("seed %d: %d entries, %d postponed", seed, n, moved)
		}
	}
}
