package model

// The numbers of the model: seats, and votes that are a quorum.
const (
	Seats  = 4
	Quorum = 3
)

// Rules are switches that leave out a rule. The zero value has all rules.
type Rules struct {
	NoR2       bool // prepare what conflicts with the lock
	NoR3       bool // commit an older block than the lock, and lock that
	NoR4       bool // commit what conflicts with a later PREPARE
	NoForkSlot bool // R4 looks at the latest PREPARE only
	AnySrc     bool // a PREPARE counts with any src below its slot
	AnyJustify bool // a block's justify may be any block of an earlier slot
}

// seat is what the rules remember of an honest seat. It is comparable, and a key.
type seat struct {
	prepared, committed Set
	lastPrep, lock      uint8 // blocks
	forkSlot            uint8 // a slot
	traps               Set   // blocks whose COMMIT, with a PREPARE that has been sent, would be evidence E4
}

// prepare is the seat after PREPARE(b), and the vote's src. The certificate of b's justify is the caller's business.
func (r Rules) prepare(t *Tree, s seat, b int) (next seat, src int, ok bool) {
	slot, justify := t.blocks[b].Slot, t.blocks[t.blocks[b].Justify].Slot
	lock, last := int(s.lock), int(s.lastPrep)
	if slot <= t.blocks[last].Slot { // R1
		return s, 0, false
	}
	extends := t.Extends(b, lock)
	if !extends && justify <= t.blocks[lock].Slot && !r.NoR2 { // R2
		return s, 0, false
	}
	src = justify
	if extends {
		src = max(src, t.blocks[lock].Slot)
	}
	if !t.Extends(b, last) {
		s.forkSlot = uint8(t.blocks[last].Slot)
	}
	s.lastPrep = uint8(b)
	s.prepared |= one(b)
	return s, src, true
}

// commit is the seat after COMMIT(b). The certificate of b is the caller's business.
func (r Rules) commit(t *Tree, s seat, b int) (next seat, ok bool) {
	slot, last := t.blocks[b].Slot, int(s.lastPrep)
	if s.committed.Has(b) || slot <= t.blocks[s.lock].Slot && !r.NoR3 { // R3
		return s, false
	}
	if t.blocks[last].Slot > slot && !r.NoR4 { // R4
		if !t.Extends(last, b) || int(s.forkSlot) > slot && !r.NoForkSlot {
			return s, false
		}
	}
	s.lock = uint8(b)
	s.committed |= one(b)
	return s, true
}

// sameSlot tells whether a set has another block in the slot of b.
func (t *Tree) sameSlot(s Set, b int) bool {
	for o := range s.All() {
		if o != b && t.blocks[o].Slot == t.blocks[b].Slot {
			return true
		}
	}
	return false
}

// hops tells whether a PREPARE of b with this src and a COMMIT of c are evidence E4.
func (t *Tree) hops(b, src, c int) bool {
	s := t.blocks[c].Slot
	return src < s && s < t.blocks[b].Slot && !t.Extends(b, c)
}

// guilt tells whether the votes that a seat has already sent and PREPARE(b, src) are evidence, and which COMMITs would be now.
func (t *Tree) guilt(s seat, b, src int) (guilty bool, traps Set) {
	traps = s.traps
	for c := 1; c < len(t.blocks); c++ {
		if t.hops(b, src, c) {
			traps |= one(c)
		}
	}
	return t.sameSlot(s.prepared, b) || traps&s.committed != 0, traps
}
