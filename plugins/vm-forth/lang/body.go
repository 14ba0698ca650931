package lang

import (
	"crypto/sha256"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// body is a body that is being written: its instructions and what the compiler remembers of them.
type body struct {
	bytecode.Emitter
	name   string // of the word; empty: the main body
	marks  []mark
	calls  []callAt
	lits   []litAt
	litEnd int // where the last of lits ends; if the body does not, they are not its end
	ends   int // the body's end, if it can't be reached; otherwise -1. Only for warnings
}

// mark says where in the source the instructions from an offset on come from.
type mark struct {
	at        int
	line, col int32
}

// callAt is a call of a word: its operand goes from at to end.
type callAt struct{ at, end, word int }

// litAt is a literal at the end of a body, which the words that work while compiling may take back.
type litAt struct {
	at int
	v  value
}

func newBody(name string) *body { return &body{name: name, litEnd: -1, ends: -1} }

// from notes the place of what is written next.
func (b *body) from(line, col int32) {
	if n := len(b.marks); n > 0 {
		last := &b.marks[n-1]
		if last.line == line && last.col == col {
			return
		}
		if last.at == len(b.Code) {
			last.line, last.col = line, col
			return
		}
	}
	b.marks = append(b.marks, mark{len(b.Code), line, col})
}

// literal writes a literal, and remembers it.
func (b *body) literal(v value) {
	if b.litEnd != len(b.Code) {
		b.lits = b.lits[:0]
	}
	b.lits = append(b.lits, litAt{len(b.Code), v})
	if v.b != nil {
		b.Bytes(v.b)
	} else {
		b.Integer(v.v)
	}
	b.litEnd = len(b.Code)
}

// take takes back the literal at the end, if there is one.
func (b *body) take() (value, bool) {
	n := len(b.lits)
	if n == 0 || b.litEnd != len(b.Code) {
		return value{}, false
	}
	l := b.lits[n-1]
	b.lits, b.Code, b.litEnd = b.lits[:n-1], b.Code[:l.at], l.at
	for m := len(b.marks); m > 0 && b.marks[m-1].at >= l.at; m-- {
		b.marks = b.marks[:m-1]
	}
	return l.v, true
}

// label says that a jump may lead here.
func (b *body) label() { b.lits, b.litEnd, b.ends = b.lits[:0], -1, -1 }

// call writes a call of a word of the program.
func (b *body) call(word int) {
	at := len(b.Code) + 1
	b.Word(word)
	b.calls = append(b.calls, callAt{at, len(b.Code), word})
}

// hash returns the hash by which the word can be called. hashes are those of the words before.
func (b *body) hash(hashes [][32]byte) [32]byte {
	var canonical []byte
	from := 0
	for _, c := range b.calls {
		canonical = append(append(canonical, b.Code[from:c.at]...), hashes[c.word][:]...)
		from = c.end
	}
	return sha256.Sum256(append(canonical, b.Code[from:]...))
}
