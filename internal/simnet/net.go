package simnet

// Link is how messages fare from one node to another.
type Link struct {
	Loss     float64 // probability that a message is lost
	Dup      float64 // probability that it comes twice
	MinDelay uint64  // one way, in milliseconds
	MaxDelay uint64  // at least MinDelay; drawn evenly between both
	InOrder  bool    // a message never overtakes an earlier one
	Down     bool    // nothing comes through
}

// Net connects nodes 0 to n-1. Every message sees the link as it is when it is sent; one that is under way when a partition
// begins is lost.
type Net struct {
	w       *World
	n       int
	all     Link
	links   map[[2]int]Link
	group   []int
	last    map[[2]int]uint64 // arrivals, of links that keep the order
	counted Counts
}

// Counts are the messages of a net.
type Counts struct{ Sent, Lost, Cut, Doubled uint64 }

// NewNet makes a net in which every link is like all.
func NewNet(w *World, n int, all Link) *Net {
	return &Net{w: w, n: n, all: all, links: map[[2]int]Link{}, group: make([]int, n), last: map[[2]int]uint64{}}
}

// Len returns the number of nodes.
func (n *Net) Len() int { return n.n }

// Counts returns what has become of the messages so far.
func (n *Net) Counts() Counts { return n.counted }

// SetAll changes every link, also those that were set by themselves.
func (n *Net) SetAll(l Link) {
	n.all = l
	clear(n.links)
}

// All returns the link that is not set by itself.
func (n *Net) All() Link { return n.all }

// SetLink changes one direction between two nodes.
func (n *Net) SetLink(from, to int, l Link) { n.links[[2]int{from, to}] = l }

// Link returns how messages fare from one node to another, partitions aside.
func (n *Net) Link(from, to int) Link {
	if l, ok := n.links[[2]int{from, to}]; ok {
		return l
	}
	return n.all
}

// Partition puts nodes into groups that do not reach one another. The slice has one number for each node.
func (n *Net) Partition(group []int) { copy(n.group, group) }

// Split draws a partition into up to k groups.
func (n *Net) Split(k int) {
	for i := range n.group {
		n.group[i] = n.w.Rand.IntN(k)
	}
}

// Heal ends the partition.
func (n *Net) Heal() { clear(n.group) }

// Together tells whether no partition is between two nodes.
func (n *Net) Together(a, b int) bool { return n.group[a] == n.group[b] }

// Send sends something: deliver is called when it arrives, as often as it does.
func (n *Net) Send(from, to int, deliver func()) {
	n.counted.Sent++
	l := n.Link(from, to)
	switch {
	case l.Down || !n.Together(from, to):
		n.counted.Cut++
		return
	case n.w.Chance(l.Loss):
		n.counted.Lost++
		return
	}
	copies := 1
	if n.w.Chance(l.Dup) {
		copies = 2
		n.counted.Doubled++
	}
	for range copies {
		at := n.w.now + n.w.Between(l.MinDelay, l.MaxDelay+1)
		if l.InOrder {
			k := [2]int{from, to}
			at = max(at, n.last[k])
			n.last[k] = at
		}
		n.w.At(at, func() {
			if n.Together(from, to) {
				deliver()
			} else {
				n.counted.Cut++
			}
		})
	}
}
