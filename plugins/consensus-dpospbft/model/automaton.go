package model

import "fmt"

// seatBits is the room for the number of an automaton state within the key of a model state.
const seatBits = 21

// move is a step that a seat may take in a state of the automaton.
type move struct {
	guard  Set // the block that must be certified
	block  uint8
	commit bool
	guilty bool // the seat's votes are evidence afterwards
	next   uint32
}

// automaton has all states that one honest seat can be in, and its moves. State 0 is the start.
type automaton struct {
	prepared, committed []Set
	moves               [][]move
}

// newAutomaton explores a seat as if every block were certified; the guards say what is needed really. With traps the states
// remember what evidence E4 needs.
func newAutomaton(t *Tree, r Rules, traps bool) (*automaton, error) {
	a := &automaton{}
	number := map[seat]uint32{{}: 0}
	states := []seat{{}}
	for i := 0; i < len(states); i++ {
		s := states[i]
		var moves []move
		add := func(m move, to seat) {
			n, ok := number[to]
			if !ok {
				n = uint32(len(states))
				number[to] = n
				states = append(states, to)
			}
			m.next = n
			moves = append(moves, m)
		}
		for b := 1; b < len(t.blocks); b++ {
			if to, src, ok := r.prepare(t, s, b); ok {
				guilty, next := t.guilt(s, b, src)
				if traps {
					to.traps = next
				}
				add(move{guard: one(t.blocks[b].Justify) &^ 1, block: uint8(b), guilty: guilty}, to)
			}
			if to, ok := r.commit(t, s, b); ok {
				guilty := s.traps.Has(b) || t.sameSlot(s.committed, b)
				add(move{guard: one(b), block: uint8(b), commit: true, guilty: guilty}, to)
			}
		}
		if len(states) > 1<<seatBits {
			return nil, fmt.Errorf("a seat has more than %d states in %s: %w", 1<<seatBits, t, ErrTooLarge)
		}
		a.prepared, a.committed, a.moves = append(a.prepared, s.prepared), append(a.committed, s.committed), append(a.moves, moves)
	}
	return a, nil
}
