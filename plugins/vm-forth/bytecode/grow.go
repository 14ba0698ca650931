package bytecode

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
)

// A program that grows belongs to an interactive session. It has no main body, a word may call all words that exist, itself
// too, and besides there is the instruction [OpHost], with a number in its shortest form.

// Host writes an instruction that leaves the interpreter of a session.
func (e *Emitter) Host(n int) {
	e.Code = binary.AppendUvarint(append(e.Code, byte(OpHost)), uint64(n))
}

// Grow verifies a body and makes it that of a word: of a new one, if word is how many there are, or of one that exists,
// whose callers then run the new body. It returns where in Code the body starts. Errors wrap ErrBadCode, and change nothing.
func (p *Program) Grow(body []byte, word int, l *Limits) (start int, err error) {
	code, ins, words := len(p.Code), len(p.Ins), len(p.Starts)
	if word < 0 || word > words || word >= int(l.Definitions) || code+len(body) > int(l.CodeBytes) || len(body) > math.MaxUint16 {
		return 0, fmt.Errorf("%w: word %d of %d bytes: there is room for %d words, and for %d bytes of code in all", ErrBadCode, word, len(body), l.Definitions, l.CodeBytes)
	}
	p.grows = true
	p.Code = append(p.Code, body...)
	old := int32(-1)
	if word == words {
		p.Starts = append(p.Starts, 0)
	} else {
		old = p.Starts[word]
	}
	p.Starts[word] = int32(ins)
	if err := p.body(code, len(p.Code), word, false, l); err != nil {
		p.Code, p.Ins, p.Starts = p.Code[:code], p.Ins[:ins], p.Starts[:words]
		if old >= 0 {
			p.Starts[word] = old
		}
		return 0, err
	}
	for i := range p.Ins[:ins] {
		if in := &p.Ins[i]; old >= 0 && in.Op == OpCall && in.Arg == int64(old) {
			in.Arg = int64(ins)
		}
	}
	p.growHash(word, code)
	return code, nil
}

// growHash sets a word's hash. One that calls later words, or words that are not there any more, or a session, has none that is of use elsewhere.
func (p *Program) growHash(word, start int) {
	known := true
	for i := int(p.Starts[word]); i < len(p.Ins) && known; i++ {
		in := &p.Ins[i]
		if in.Op == OpCall {
			n, _, _ := uvarint(p.Code, int(in.PC)+1)
			known = n < uint64(word)
		}
		known = known && in.Op != OpHost
	}
	hashes := p.Hashes
	if known {
		p.hashWord(word, start, len(p.Code))
	} else {
		p.Hashes = append(p.Hashes, sha256.Sum256(fmt.Appendf(nil, "session word %d at %d", word, start)))
	}
	if word < len(hashes) {
		p.Hashes[word] = p.Hashes[len(hashes)]
		p.Hashes = p.Hashes[:len(hashes)]
	}
}

// Shrink forgets the words from word on. With reclaim, their code goes as well, if nothing else lies behind it.
func (p *Program) Shrink(word int, reclaim bool) {
	if word < 0 || word >= len(p.Starts) {
		return
	}
	first := p.Starts[word]
	for _, s := range p.Starts[:word] {
		reclaim = reclaim && s < first
	}
	if reclaim {
		p.Code = p.Code[:p.start(first)]
		p.Ins = p.Ins[:first]
	}
	p.Starts, p.Hashes = p.Starts[:word], p.Hashes[:word]
}

// start is where in Code the body begins whose first instruction is ins. Each body ends with an OpEnd, which knows where.
func (p *Program) start(ins int32) uint32 {
	if ins == 0 {
		return 0
	}
	return p.Ins[ins-1].PC
}
