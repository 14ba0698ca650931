package simnet

import (
	"slices"
	"testing"
)

func TestOrder(t *testing.T) {
	w := New(1, 100)
	var got []int
	for i, at := range []uint64{130, 110, 120, 110, 50} {
		w.At(at, func() { got = append(got, i) })
	}
	for w.Step(125) {
	}
	if !slices.Equal(got, []int{4, 1, 3, 2}) || w.Now() != 125 || w.Pending() != 1 {
		t.Fatalf("%v at %d, %d pending", got, w.Now(), w.Pending())
	}
	for w.Step(1000) {
	}
	if !slices.Equal(got, []int{4, 1, 3, 2, 0}) || w.Now() != 1000 {
		t.Fatalf("%v at %d", got, w.Now())
	}
}

func TestManyEventsInOrder(t *testing.T) {
	w := New(7, 0)
	var last, count uint64
	var more func()
	more = func() {
		if w.Now() < last {
			t.Fatalf("%d after %d", w.Now(), last)
		}
		last, count = w.Now(), count+1
		if count < 5000 {
			w.After(w.Between(0, 50), more)
			if w.Chance(0.1) {
				w.After(w.Between(0, 500), more)
			}
		}
	}
	w.At(3, more)
	for w.Step(1 << 40) {
	}
	if count < 5000 {
		t.Fatal(count)
	}
}

func TestEvery(t *testing.T) {
	w, n := New(1, 0), 0
	w.Every(5, func() uint64 {
		if n++; n == 4 {
			return 0
		}
		return 10
	})
	for w.Step(1000) {
	}
	if n != 4 {
		t.Fatal(n)
	}
}

// arrivals sends a thousand messages over a link and returns when which came.
func arrivals(seed uint64, l Link) (w *World, n *Net, at []uint64, which []int) {
	w = New(seed, 0)
	n = NewNet(w, 2, l)
	for i := range 1000 {
		w.At(uint64(i), func() {
			n.Send(0, 1, func() {
				at, which = append(at, w.Now()-uint64(i)), append(which, i)
				w.Note(byte(i))
			})
		})
	}
	for w.Step(1 << 30) {
	}
	return w, n, at, which
}

func TestLinks(t *testing.T) {
	_, n, at, which := arrivals(1, Link{Loss: 0.3, Dup: 0.1, MinDelay: 20, MaxDelay: 60})
	c := n.Counts()
	if c.Sent != 1000 || c.Lost < 230 || c.Lost > 370 || c.Doubled < 30 || c.Doubled > 120 || uint64(len(at)) != c.Sent-c.Lost+c.Doubled {
		t.Errorf("%+v, %d arrived", c, len(at))
	}
	if slices.Min(at) != 20 || slices.Max(at) != 60 {
		t.Errorf("delays from %d to %d", slices.Min(at), slices.Max(at))
	}
	if slices.IsSorted(which) {
		t.Error("nothing is reordered")
	}
	if _, _, _, which = arrivals(1, Link{MinDelay: 20, MaxDelay: 60, InOrder: true}); !slices.IsSorted(which) || len(which) != 1000 {
		t.Error("a link that keeps the order does not")
	}
	if _, _, at, _ = arrivals(1, Link{Down: true}); len(at) != 0 {
		t.Error("a link that is down lets through")
	}
	if _, _, at, _ = arrivals(1, Link{MinDelay: 7, MaxDelay: 7}); slices.Min(at) != 7 || slices.Max(at) != 7 {
		t.Error("a constant delay is not")
	}
}

func TestSeedIsAll(t *testing.T) {
	l := Link{Loss: 0.3, Dup: 0.1, MinDelay: 20, MaxDelay: 60}
	a, _, _, _ := arrivals(1, l)
	b, _, _, _ := arrivals(1, l)
	c, _, _, _ := arrivals(2, l)
	if x, y, z := a.Trace(), b.Trace(), c.Trace(); x != y || x == z {
		t.Errorf("%x, %x, %x", x[:4], y[:4], z[:4])
	}
}

func TestPartition(t *testing.T) {
	w := New(1, 0)
	n := NewNet(w, 3, Link{MinDelay: 10, MaxDelay: 10})
	got := map[string]bool{}
	send := func(name string, from, to int) { n.Send(from, to, func() { got[name] = true }) }
	send("under way to the other side", 0, 1)
	send("under way within", 0, 2)
	w.At(5, func() {
		n.Partition([]int{0, 1, 0})
		send("across", 2, 1)
		send("within", 2, 0)
	})
	w.At(20, func() { n.Heal(); send("healed", 0, 1) })
	for w.Step(100) {
	}
	for name, want := range map[string]bool{"under way to the other side": false, "under way within": true, "across": false, "within": true, "healed": true} {
		if got[name] != want {
			t.Errorf("%s: arrived %t", name, got[name])
		}
	}
	n.SetLink(0, 1, Link{Down: true})
	if n.Link(0, 1).Down == false || n.Link(1, 0).Down {
		t.Error("one direction is not by itself")
	}
	n.SetAll(n.All())
	if n.Link(0, 1).Down {
		t.Error("SetAll leaves a link")
	}
}

func TestClock(t *testing.T) {
	w := New(1, 1000)
	c := NewClock(w, -200)
	step := func(to uint64) {
		for w.Step(to) {
		}
	}
	if c.Now() != 800 {
		t.Error(c.Now())
	}
	c.Freeze()
	step(5000)
	if c.Now() != 800 || !c.Frozen() {
		t.Error(c.Now())
	}
	c.Set(3_600_000)
	if c.Now() != 3_605_000 || c.Frozen() {
		t.Error(c.Now())
	}
	c.Set(-3_600_000)
	if c.Now() != 0 {
		t.Error(c.Now())
	}
}
