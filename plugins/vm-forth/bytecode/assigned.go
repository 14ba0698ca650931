package bytecode

// slotSet is a set of numbered slots.
type slotSet [8]uint64

func (s *slotSet) add(n int64)      { s[n>>6&7] |= 1 << (n & 63) }
func (s *slotSet) has(n int64) bool { return s[n>>6&7]>>(n&63)&1 != 0 }

// meet keeps what is in both, and says whether that is less.
func (s *slotSet) meet(o *slotSet) (less bool) {
	for i := range s {
		if n := s[i] & o[i]; n != s[i] {
			s[i], less = n, true
		}
	}
	return less
}

// join adds what is in o and not in but.
func (s *slotSet) join(o, but *slotSet) {
	for i := range s {
		s[i] |= o[i] &^ but[i]
	}
}

// assigning is what a body does to slots: those that it may read before it has stored anything there, and those that it has
// stored something in when it ends.
type assigning struct {
	reads, sets slotSet
	returns     bool
}

// initialReads are the slots that a run may read as they are in the beginning. What is called by a number or a hash that
// is on the stack may be any word.
func (p *Program) initialReads() slotSet {
	var all slotSet
	for i := range all {
		all[i] = ^uint64(0)
	}
	words, budget := make([]assigning, 0, len(p.Starts)), inferBudget
	var any slotSet // read by some word
	for w := range len(p.Starts) + 1 {
		first, last := p.bounds(w)
		a := assigning{sets: all}
		at, seen, pending := make([]slotSet, last-first+1), make([]bool, last-first+1), make([]bool, last-first+1)
		seen[0], pending[0] = true, true
		for i := first; i <= last; i++ {
			if budget--; budget < 0 {
				return all
			}
			if !pending[i-first] {
				continue
			}
			pending[i-first] = false
			in, now, back := &p.Ins[i], at[i-first], i
			flow := func(to int32) {
				t := &at[to-first]
				switch less := seen[to-first] && t.meet(&now); {
				case !seen[to-first]:
					*t, seen[to-first] = now, true
				case !less:
					return
				}
				pending[to-first], back = true, min(back, to-1)
			}
			switch in.Op {
			case OpEnd, OpExit:
				a.sets.meet(&now)
				a.returns = true
				continue
			case OpReturn, OpFail:
				continue
			case OpSetSlot:
				now.add(in.Arg)
			case OpSlot:
				if !now.has(in.Arg) {
					a.reads.add(in.Arg)
				}
			case OpCall:
				c := &words[p.WordAt(int32(in.Arg))]
				a.reads.join(&c.reads, &now)
				if !c.returns {
					continue
				}
				now.join(&c.sets, &slotSet{})
			case OpExecute, OpCatch, OpCallHash:
				a.reads.join(&any, &now)
			}
			if Opcodes[in.Op].Operand == JumpOperand {
				flow(int32(in.Arg))
			}
			if in.Op != OpJump {
				flow(i + 1)
			}
			i = back
		}
		words = append(words, a)
		any.join(&a.reads, &slotSet{})
	}
	return words[len(p.Starts)].reads
}

// bounds are the first and the last instruction of a word, or of the main body, which comes after them.
func (p *Program) bounds(w int) (first, last int32) {
	switch n := len(p.Starts); {
	case w == n:
		return p.Main, int32(len(p.Ins)) - 1
	case w == n-1:
		return p.Starts[w], p.Main - 1
	}
	return p.Starts[w], p.Starts[w+1] - 1
}
