package model

// votes are the blocks that a seat has prepared and committed.
type votes struct {
	prepared, committed Set
}

// signed is what a Byzantine seat has signed, with the src of each PREPARE by block.
type signed struct {
	votes
	src [MaxBlocks + 1]int
}

// guilty tells whether there is evidence E2, E3 or E4 in it.
func (v *signed) guilty(t *Tree) bool {
	for b := range v.prepared.All() {
		if t.sameSlot(v.prepared, b) {
			return true
		}
		for c := range v.committed.All() {
			if t.hops(b, v.src[b], c) {
				return true
			}
		}
	}
	for c := range v.committed.All() {
		if t.sameSlot(v.committed, c) {
			return true
		}
	}
	return false
}

// defence looks for the Byzantine votes that expose the fewest seats.
type defence struct {
	t         *Tree
	anySrc    bool
	honest    []votes
	certified Set // blocks that all Byzantine seats together with the honest votes can certify
	seats     []signed
	best      int
}

// culprits is the least number of Byzantine seats that a state with conflicting final blocks exposes, whatever they do to hide:
// they must sign what the finals and the certificates need that honest seats relied on, but choose who signs and with which
// src. Without a conflict it is what the certificates alone expose.
func culprits(t *Tree, m Model, honest []votes) int {
	d := &defence{t: t, anySrc: m.Rules.AnySrc, honest: honest, seats: make([]signed, m.Byzantine), best: m.Byzantine}
	var relied, finals Set
	for b := 1; b < len(t.blocks); b++ {
		if d.missing(b, false) <= m.Byzantine {
			d.certified |= one(b)
		}
		if d.missing(b, true) <= m.Byzantine {
			finals |= one(b)
		}
	}
	for _, v := range honest {
		relied |= v.committed
		for b := range v.prepared.All() {
			relied |= one(t.blocks[b].Justify)
		}
	}
	relied &^= 1
	if a, _ := t.Conflict(finals); a == 0 {
		d.certify(relied, 0)
		return d.best
	}
	for a := range finals.All() { // a conflict is two finals: the pair that is best for them
		for b := range (finals & t.rivals[a]).All() {
			if a < b {
				d.finalise([]int{a, b}, relied)
			}
		}
	}
	return d.best
}

// missing is how many votes for b a quorum needs besides the honest ones.
func (d *defence) missing(b int, commits bool) int {
	need := Quorum
	for _, v := range d.honest {
		s := v.prepared
		if commits {
			s = v.committed
		}
		if s.Has(b) {
			need--
		}
	}
	return max(need, 0)
}

func (d *defence) guilty() (n int) {
	for i := range d.seats {
		if d.seats[i].guilty(d.t) {
			n++
		}
	}
	return n
}

// finalise tries all ways to sign the COMMITs that blocks need, and then the rest.
func (d *defence) finalise(blocks []int, relied Set) {
	if len(blocks) == 0 {
		d.certify(relied, 0)
		return
	}
	b := blocks[0]
	d.choose(0, d.missing(b, true), func(seat int, next func()) {
		old := d.seats[seat]
		d.seats[seat].committed |= one(b)
		next()
		d.seats[seat] = old
	}, func() { d.finalise(blocks[1:], relied) })
}

// certify tries all ways to sign the PREPAREs that the blocks in todo need; a src is backed by a further certificate.
func (d *defence) certify(todo, done Set) {
	if d.guilty() >= d.best {
		return
	}
	if todo == 0 {
		d.best = d.guilty()
		return
	}
	var b int
	for b = range todo.All() {
		break
	}
	done |= one(b)
	block := d.t.blocks[b]
	backing := Set(0)
	d.choose(0, d.missing(b, false), func(seat int, next func()) {
		old, kept := d.seats[seat], backing
		claim := func(src int, by Set) {
			d.seats[seat].prepared |= one(b)
			d.seats[seat].src[b] = src
			backing |= by
			next()
			d.seats[seat], backing = old, kept
		}
		if d.anySrc {
			claim(block.Slot-1, 0) // no other value is less telling
			return
		}
		claim(d.t.blocks[block.Justify].Slot, one(block.Justify)&^1)
		for a := range (d.t.above[b] & d.certified).All() {
			if d.t.blocks[a].Slot > d.t.blocks[block.Justify].Slot {
				claim(d.t.blocks[a].Slot, one(a))
			}
		}
	}, func() { d.certify((todo|backing)&^done, done) })
}

// choose takes each subset of so many Byzantine seats: with every member it calls take, and for the whole subset, within, rest.
func (d *defence) choose(from, count int, take func(seat int, next func()), rest func()) {
	if count == 0 {
		rest()
		return
	}
	for seat := from; seat+count <= len(d.seats); seat++ {
		take(seat, func() { d.choose(seat+1, count-1, take, rest) })
	}
}
