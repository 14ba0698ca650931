package engine

import (
	"fmt"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// kind is what a place of a stack holds.
type kind uint8

const (
	isInt   kind = iota
	isBytes      // where in the arena, shifted by 16, and the length
	isLoop       // return stack: limit, or index above it
	isFrame      // return stack: where to go on in the same program
	isFar        // return stack: where to go on, shifted by 1, and in which program
	isCatch      // return stack: see catchFrame
	isHalt       // return stack: where an execution of a Live started
	isGuard      // below all
)

// The stacks lie in arrays that are larger than the deepest stack, so that an index with a mask is always in range, and
// have guards below the first value, so that an instruction may look at the kind of an operand that is not there.
const (
	places = 8192
	mask   = places - 1
	floor  = 8    // the place of the first value
	deep   = 4096 // the deepest stack that a chain can allow
)

// cells are a stack's places.
type cells struct {
	v [places]int64
	k [places]kind
}

func newCells() *cells {
	c := &cells{}
	for i := range floor {
		c.k[i] = isGuard
	}
	return c
}

// cell is a value outside of a stack.
type cell struct {
	v int64
	k kind
}

func (c *cells) get(i int) cell { return cell{c.v[i&mask], c.k[i&mask]} }

func (c *cells) set(i int, x cell) { c.v[i&mask], c.k[i&mask] = x.v, x.k }

func (c *cells) setInt(i int, v int64) { c.v[i&mask], c.k[i&mask] = v, isInt }

// ints says whether the n places below sp are integers.
func (c *cells) ints(sp, n int) bool {
	all := isInt
	for i := sp - n; i < sp; i++ {
		all |= c.k[i&mask]
	}
	return all == isInt
}

// slice is where bytes are in the arena, and how many.
func slice(v int64) (at, n int) { return int(v >> 16), int(v & 0xffff) }

// bytesAt returns what a value of bytes holds; it is not to be changed.
func (m *Machine) bytesAt(v int64) []byte {
	at, n := slice(v)
	return m.arena[at : at+n : at+n]
}

// top returns the bytes at a place of the data stack.
func (m *Machine) top(i int) []byte { return m.bytesAt(m.st.v[i&mask]) }

// put copies bytes into the arena and to a place of the data stack. It reports false if they do not fit.
func (m *Machine) put(i int, b []byte) bool {
	if len(b) > bytecode.MaxBytes || len(m.arena)+len(b) > int(m.lim.ArenaBytes) {
		return false
	}
	m.st.set(i, cell{int64(len(m.arena))<<16 | int64(len(b)), isBytes})
	m.arena = append(m.arena, b...)
	return true
}

// show writes a value for people.
func (m *Machine) show(c cell) string {
	if c.k == isBytes {
		return fmt.Sprintf(`x"%x"`, m.bytesAt(c.v))
	}
	return decimal(c.v)
}
