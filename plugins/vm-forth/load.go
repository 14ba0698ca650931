package vmforth

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// The format of code and of evidence:
//
//	format      0x01
//	flags       bit 0: the words can be called by hash; the others are 0
//	uvarint     number of words
//	for each    uvarint length, body
//	main body   the rest
//
// A body is instructions: an opcode and its operand, see [operand]. A word calls words before it, or itself. Every number
// has its shortest form, so that there is one encoding of a program. Evidence's main body has literals only.
//
// A word's hash is the SHA-256 of its body, with the operand of each call replaced by the hash of the word that is called.
const (
	formatVersion   = 0x01
	flagAddressable = 0x01
	headerBytes     = 3
)

// errBadCode is wrapped by all errors of the loader.
var errBadCode = errors.New("bad code")

// instr is a decoded instruction.
type instr struct {
	arg   int64 // a literal, where to go on, or where and how long the bytes are
	pc    uint32
	op    opcode
	needs uint8 // values on the data stack
	grows uint8
	gas   uint8
}

// program is verified code, ready to run. One that is shared is not written any more.
type program struct {
	code        []byte
	ins         []instr
	starts      []int32 // where each word starts in ins
	hashes      [][32]byte
	main        int32
	addressable bool
	gas         int64  // of the words that can be called by hash
	reads       uint32 // environment words, by bit
	scratch     []byte
}

// reset forgets a program but keeps its memory.
func (p *program) reset() {
	p.code, p.ins, p.starts, p.hashes = nil, p.ins[:0], p.starts[:0], p.hashes[:0]
	p.main, p.addressable, p.gas, p.reads = 0, false, 0, 0
}

// load verifies code and decodes it. Errors wrap errBadCode. The code must not change afterwards.
func (p *program) load(code []byte, l *limits, evidence bool) error {
	p.reset()
	p.code = code
	switch {
	case len(code) == 0 && evidence:
		p.ins = append(p.ins, instr{op: opEnd})
		return nil
	case len(code) < headerBytes:
		return fmt.Errorf("%w: %d bytes, a header has %d", errBadCode, len(code), headerBytes)
	case code[0] != formatVersion:
		return fmt.Errorf("%w: format %d is unknown, this version has %d", errBadCode, code[0], formatVersion)
	case code[1]&^flagAddressable != 0:
		return fmt.Errorf("%w: flags %#x are unknown", errBadCode, code[1])
	}
	p.addressable = code[1]&flagAddressable != 0
	words, at, ok := uvarint(code, 2)
	if !ok || words > uint64(l.Definitions) {
		return fmt.Errorf("%w: offset 2: %d words, at most %d", errBadCode, words, l.Definitions)
	}
	for w := range int(words) {
		n, next, ok := uvarint(code, at)
		if !ok || n > uint64(len(code)-next) {
			return fmt.Errorf("%w: offset %d: word %d ends after the code", errBadCode, at, w)
		}
		at = next + int(n)
		p.starts = append(p.starts, int32(len(p.ins)))
		if err := p.body(next, at, w, false); err != nil {
			return err
		}
		if p.addressable {
			p.hashWord(w, next, at)
		}
	}
	p.main = int32(len(p.ins))
	return p.body(at, len(code), -1, evidence)
}

// templates are decoded instructions, as far as the opcode tells: the loader only adds the place, and what the operand is.
// Unknown opcodes have the op opEnd, which is never in code. It is never written.
var templates = func() (out [256]instr) {
	for op, d := range opcodes {
		if d.name == "" || d.operand == internalLabel {
			continue
		}
		out[op] = instr{op: opcode(op), needs: d.takes, gas: d.gas}
		if d.leaves > d.takes {
			out[op].grows = d.leaves - d.takes
		}
	}
	for v := range maxSmall + 1 {
		out[int(opSmall)+v] = instr{op: opInt, arg: int64(v), grows: 1, gas: opcodes[opInt].gas}
	}
	return out
}()

// body decodes the instructions from start to end, those of a word unless it is negative.
func (p *program) body(start, end, word int, literals bool) error {
	ins, first, jumps := p.ins, len(p.ins), false
	code := p.code
	for at := start; at < end; {
		op := opcode(code[at])
		in := templates[op]
		in.pc = uint32(at)
		at++
		if op >= opSmall {
			ins = append(ins, in)
			continue
		}
		if literals && op != opInt && op != opBytes {
			return fmt.Errorf("%w: offset %d: evidence only pushes literals and defines words", errBadCode, in.pc)
		}
		switch opcodes[op].operand {
		case noOperand:
			if in.op == opEnd {
				return fmt.Errorf("%w: offset %d: unknown opcode %#02x", errBadCode, in.pc, byte(op))
			}
			if op == opRecurse || op == opExit {
				if word < 0 {
					return fmt.Errorf("%w: offset %d: %s outside of a word", errBadCode, in.pc, opcodes[op].name)
				}
				in.arg = int64(p.starts[word])
			}
		case intOperand:
			u, next, ok := uvarint(code[:end], at)
			v := int64(u>>1) ^ -int64(u&1)
			if !ok || (v >= 0 && v <= maxSmall) {
				return fmt.Errorf("%w: offset %d: not the shortest form of an integer", errBadCode, in.pc)
			}
			in.arg, at = v, next
		case bytesOperand:
			n, next, ok := uvarint(code[:end], at)
			if !ok || n > maxBytes || n > uint64(end-next) {
				return fmt.Errorf("%w: offset %d: %d bytes, at most %d, and no more than there are", errBadCode, in.pc, n, maxBytes)
			}
			in.arg, at = int64(next)<<16|int64(n), next+int(n)
		case jumpOperand:
			if end-at < 2 {
				return fmt.Errorf("%w: offset %d: a jump without a target", errBadCode, in.pc)
			}
			in.arg, at, jumps = int64(start)+int64(binary.BigEndian.Uint16(code[at:])), at+2, true
		case wordOperand:
			n, next, ok := uvarint(code[:end], at)
			if !ok || n >= uint64(len(p.starts)) || (word >= 0 && n >= uint64(word)) {
				return fmt.Errorf("%w: offset %d: a call of word %d, which is not defined before", errBadCode, in.pc, n)
			}
			in.arg, at = int64(p.starts[n]), next
		case envOperand:
			if at >= end || int(code[at]) >= len(environment) {
				return fmt.Errorf("%w: offset %d: unknown environment word", errBadCode, in.pc)
			}
			e := environment[code[at]]
			if in.arg = int64(code[at]); e.from == envPlain {
				in.grows = 1
			} else {
				in.needs = 1
			}
			p.reads |= 1 << code[at]
			at++
		default:
			return fmt.Errorf("%w: offset %d: unknown opcode %#02x", errBadCode, in.pc, byte(op))
		}
		ins = append(ins, in)
	}
	p.ins = append(ins, instr{op: opEnd, pc: uint32(end)})
	if jumps {
		return resolve(p.ins, first)
	}
	return nil
}

// resolve turns the targets of jumps from offsets into places in ins, of which those from first on are a body.
func resolve(ins []instr, first int) error {
	for i := first; i < len(ins); i++ {
		in := &ins[i]
		if opcodes[in.op].operand != jumpOperand {
			continue
		}
		lo, hi := first, len(ins)
		for lo < hi {
			mid := int(uint(lo+hi) >> 1)
			if int64(ins[mid].pc) < in.arg {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		if lo == len(ins) || int64(ins[lo].pc) != in.arg {
			return fmt.Errorf("%w: offset %d: jump to %d, where no instruction of this body starts", errBadCode, in.pc, in.arg)
		}
		in.arg = int64(lo)
	}
	return nil
}

// hashWord adds the hash of a word whose body goes from start to end. Its calls are of earlier words, whose hashes are
// known.
func (p *program) hashWord(word, start, end int) {
	buf, from := p.scratch[:0], start
	for i := int(p.starts[word]); i < len(p.ins); i++ {
		in := &p.ins[i]
		if in.op != opCall {
			continue
		}
		n, next, _ := uvarint(p.code, int(in.pc)+1)
		buf = append(buf, p.code[from:in.pc+1]...)
		buf = append(buf, p.hashes[n][:]...)
		from = next
	}
	buf = append(buf, p.code[from:end]...)
	p.hashes = append(p.hashes, sha256.Sum256(buf))
	p.gas += gasWord(end-start, len(buf))
	p.scratch = buf
}

// find returns where the word with a hash starts.
func (p *program) find(hash []byte) (int32, bool) {
	for i := range p.hashes {
		if string(p.hashes[i][:]) == string(hash) {
			return p.starts[i], true
		}
	}
	return 0, false
}

// uvarint reads a number in its shortest form at an offset, and returns where it ends.
func uvarint(code []byte, at int) (v uint64, next int, ok bool) {
	if at < len(code) && code[at] < 0x80 {
		return uint64(code[at]), at + 1, true
	}
	if at >= len(code) {
		return 0, at, false
	}
	v, n := binary.Uvarint(code[at:])
	if n <= 0 || code[at+n-1] == 0 {
		return 0, at, false
	}
	return v, at + n, true
}
