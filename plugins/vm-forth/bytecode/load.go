package bytecode

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// The format of code and of evidence:
//
//	format      0x02
//	flags       bit 0: the words can be called by hash; bit 1: the results are delay, nonce, amount; the others are 0
//	uvarint     environment words that the bodies read, by bit: all of them and no others
//	uvarint     length of the data, which the data space holds at first, from address 0; its last byte is not 0
//	data
//	uvarint     number of words
//	for each    uvarint length, body
//	main body   the rest
//
// A body is instructions: an opcode and its operand, see [Operand]. A word calls words before it, or itself. Every number
// has its shortest form, so that there is one encoding of a program. Evidence's main body has literals only,
// and evidence has neither bit 1 nor data.
//
// A word's hash is the SHA-256 of its body, with the operand of each call replaced by the hash of the word that is called.
const (
	formatVersion   = 0x02
	flagAddressable = 0x01
	flagDelay       = 0x02
	headerBytes     = 5
)

// ErrBadCode is wrapped by all errors of the loader.
var ErrBadCode = errors.New("bad code")

// Instr is a decoded instruction.
type Instr struct {
	Arg   int64 // a literal, where to go on, or where and how long the bytes are
	PC    uint32
	Op    Opcode
	Needs uint8 // values on the data stack
	Grows uint8
	Gas   uint8
}

// Program is verified code, ready to run. One that is shared is not written any more.
type Program struct {
	Code        []byte
	Ins         []Instr
	Fast        []Instr // what an engine makes of Ins for a program that is kept, or nil
	Starts      []int32 // where each word starts in Ins
	Hashes      [][32]byte
	Main        int32
	Addressable bool
	Gas         int64  // of the words that can be called by hash
	Reads       uint32 // environment words, by bit
	Data        []byte // what the data space holds at first
	Convention  vm.Convention
	scratch     []byte
	grows       bool // see grow.go
}

// reset forgets a program but keeps its memory.
func (p *Program) reset() {
	p.Fast = nil
	p.Code, p.Ins, p.Starts, p.Hashes = nil, p.Ins[:0], p.Starts[:0], p.Hashes[:0]
	p.Main, p.Addressable, p.Gas, p.Reads, p.Data, p.Convention = 0, false, 0, 0, nil, vm.BurnPayNonce
}

// Load verifies code and decodes it. Errors wrap ErrBadCode. The code must not change afterwards.
func (p *Program) Load(code []byte, l *Limits, evidence bool) error {
	p.reset()
	p.Code = code
	switch {
	case len(code) == 0 && evidence:
		p.Ins = append(p.Ins, Instr{Op: OpEnd})
		return nil
	case len(code) < headerBytes:
		return fmt.Errorf("%w: %d bytes, a header has %d", ErrBadCode, len(code), headerBytes)
	case code[0] != formatVersion:
		return fmt.Errorf("%w: format %d is unknown, this version has %d", ErrBadCode, code[0], formatVersion)
	case code[1]&^(flagAddressable|flagDelay) != 0 || (evidence && code[1]&flagDelay != 0):
		return fmt.Errorf("%w: flags %#x are unknown here", ErrBadCode, code[1])
	}
	p.Addressable = code[1]&flagAddressable != 0
	if code[1]&flagDelay != 0 {
		p.Convention = vm.DelayNonceAmount
	}
	declared, at, ok := uvarint(code, 2)
	if !ok || declared >= 1<<len(Environment) {
		return fmt.Errorf("%w: offset 2: unknown environment words are declared, by bit %#x", ErrBadCode, declared)
	}
	n, next, ok := uvarint(code, at)
	if !ok || n > uint64(len(code)-next) || n > uint64(l.DataBytes) || (n > 0 && evidence) {
		return fmt.Errorf("%w: offset %d: %d bytes of data, at most %d, none in evidence, and no more than there are", ErrBadCode, at, n, l.DataBytes)
	}
	if p.Data, at = code[next:next+int(n)], next+int(n); n > 0 && code[at-1] == 0 {
		return fmt.Errorf("%w: offset %d: the data end with a 0, which is left out", ErrBadCode, at-1)
	}
	words, next, ok := uvarint(code, at)
	if !ok || words > uint64(l.Definitions) {
		return fmt.Errorf("%w: offset %d: %d words, at most %d", ErrBadCode, at, words, l.Definitions)
	}
	at = next
	for w := range int(words) {
		n, next, ok := uvarint(code, at)
		if !ok || n > uint64(len(code)-next) {
			return fmt.Errorf("%w: offset %d: word %d ends after the code", ErrBadCode, at, w)
		}
		at = next + int(n)
		p.Starts = append(p.Starts, int32(len(p.Ins)))
		if err := p.body(next, at, w, false, l); err != nil {
			return err
		}
		if p.Addressable {
			p.hashWord(w, next, at)
		}
	}
	p.Main = int32(len(p.Ins))
	if err := p.body(at, len(code), -1, evidence, l); err != nil {
		return err
	}
	if uint64(p.Reads) != declared {
		return fmt.Errorf("%w: offset 2: environment words declared by bit are %#x, read are %#x", ErrBadCode, declared, p.Reads)
	}
	return nil
}

// templates are decoded instructions, as far as the opcode tells: the loader only adds the place, and what the operand is.
// Unknown opcodes have the op opEnd, which is never in code. It is never written.
var templates = func() (out [256]Instr) {
	for op, d := range Opcodes {
		if d.Name == "" || d.Operand == InternalOperand {
			continue
		}
		out[op] = Instr{Op: Opcode(op), Needs: d.Takes, Gas: d.Gas}
		if d.Leaves > d.Takes {
			out[op].Grows = d.Leaves - d.Takes
		}
	}
	for v := range MaxSmall + 1 {
		out[int(OpSmall)+v] = Instr{Op: OpInt, Arg: int64(v), Grows: 1, Gas: Opcodes[OpInt].Gas}
	}
	return out
}()

// simple are the opcodes that have no operand, and of which nothing but the template is to be known. It is never written.
var simple = func() (out [256]bool) {
	for op, d := range Opcodes {
		o := Opcode(op)
		out[op] = d.Name != "" && d.Operand == NoOperand && o != OpVerifyZK && o != OpRecurse && o != OpExit
	}
	return out
}()

// body decodes the instructions from start to end, those of a word unless it is negative.
func (p *Program) body(start, end, word int, literals bool, l *Limits) error {
	// An instruction has at least one byte, so there is room for all of them and for the end.
	ins, first, jumped := slices.Grow(p.Ins, end-start+1), len(p.Ins), false
	n := first
	ins = ins[:first+end-start+1]
	code := p.Code[:end]
	for at := start; at < end; n++ {
		op := Opcode(code[at])
		in := &ins[n]
		*in = templates[op]
		in.PC = uint32(at)
		at++
		if op >= OpSmall || (simple[op] && !literals) {
			continue
		}
		if literals && op != OpInt && op != OpBytes {
			return fmt.Errorf("%w: offset %d: evidence only pushes literals and defines words", ErrBadCode, in.PC)
		}
		switch Opcodes[op].Operand {
		case NoOperand:
			if op == OpVerifyZK {
				return fmt.Errorf("%w: offset %d: verify-zk is not available in this version", ErrBadCode, in.PC)
			}
			if in.Op == OpEnd {
				return fmt.Errorf("%w: offset %d: unknown opcode %#02x", ErrBadCode, in.PC, byte(op))
			}
			if op == OpRecurse || op == OpExit {
				if word < 0 {
					return fmt.Errorf("%w: offset %d: %s outside of a word", ErrBadCode, in.PC, Opcodes[op].Name)
				}
				in.Arg = int64(p.Starts[word])
			}
		case IntOperand:
			u, next, ok := uvarint(code, at)
			v := int64(u>>1) ^ -int64(u&1)
			if !ok || (v >= 0 && v <= MaxSmall) {
				return fmt.Errorf("%w: offset %d: not the shortest form of an integer", ErrBadCode, in.PC)
			}
			in.Arg, at = v, next
		case BytesOperand:
			n, next, ok := uvarint(code, at)
			if !ok || n > MaxBytes || n > uint64(end-next) {
				return fmt.Errorf("%w: offset %d: %d bytes, at most %d, and no more than there are", ErrBadCode, in.PC, n, MaxBytes)
			}
			in.Arg, at = int64(next)<<16|int64(n), next+int(n)
		case JumpOperand:
			if end-at < 2 {
				return fmt.Errorf("%w: offset %d: a jump without a target", ErrBadCode, in.PC)
			}
			in.Arg, at, jumped = int64(start)+int64(binary.BigEndian.Uint16(code[at:])), at+2, true
		case WordOperand:
			n, next, ok := uvarint(code, at)
			if !ok || n >= uint64(len(p.Starts)) || (word >= 0 && n >= uint64(word) && !p.grows) {
				return fmt.Errorf("%w: offset %d: a call of word %d, which is not defined before", ErrBadCode, in.PC, n)
			}
			in.Arg, at = int64(p.Starts[n]), next
		case EnvOperand:
			if at >= end || int(code[at]) >= len(Environment) {
				return fmt.Errorf("%w: offset %d: unknown environment word", ErrBadCode, in.PC)
			}
			e := Environment[code[at]]
			switch in.Arg = int64(code[at]); e.From {
			case EnvPlain:
				in.Grows = 1
			case EnvOracle:
				in.Needs = 3
			default:
				in.Needs = 1
			}
			p.Reads |= 1 << code[at]
			at++
		case SlotOperand:
			n, next, ok := uvarint(code, at)
			if !ok || n >= uint64(l.Variables) {
				return fmt.Errorf("%w: offset %d: slot %d, there are %d", ErrBadCode, in.PC, n, l.Variables)
			}
			in.Arg, at = int64(n), next
		default:
			n, next, ok := uvarint(code, at)
			if op != OpHost || !p.grows || !ok || n > math.MaxInt32 {
				return fmt.Errorf("%w: offset %d: unknown opcode %#02x", ErrBadCode, in.PC, byte(op))
			}
			*in, at = Instr{Op: OpHost, Arg: int64(n), PC: in.PC, Gas: Opcodes[OpHost].Gas}, next
		}
	}
	ins[n] = Instr{Op: OpEnd, PC: uint32(end)}
	p.Ins = ins[:n+1]
	if jumped {
		return resolve(p.Ins, first)
	}
	return nil
}

// jumps are the opcodes with a target. It is never written.
var jumps = func() (out [256]bool) {
	for op, d := range Opcodes {
		out[op] = d.Operand == JumpOperand
	}
	return out
}()

// resolve turns the targets of jumps from offsets into places in ins, of which those from first on are a body.
func resolve(ins []Instr, first int) error {
	for i := first; i < len(ins); i++ {
		in := &ins[i]
		if !jumps[in.Op] {
			continue
		}
		lo, hi := first, len(ins)
		for lo < hi {
			mid := int(uint(lo+hi) >> 1)
			if int64(ins[mid].PC) < in.Arg {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		if lo == len(ins) || int64(ins[lo].PC) != in.Arg {
			return fmt.Errorf("%w: offset %d: jump to %d, where no instruction of this body starts", ErrBadCode, in.PC, in.Arg)
		}
		in.Arg = int64(lo)
	}
	return nil
}

// hashWord adds the hash of a word whose body goes from start to end. Its calls are of earlier words, whose hashes are
// known.
func (p *Program) hashWord(word, start, end int) {
	buf, from := p.scratch[:0], start
	for i := int(p.Starts[word]); i < len(p.Ins); i++ {
		in := &p.Ins[i]
		if in.Op != OpCall {
			continue
		}
		n, next, _ := uvarint(p.Code, int(in.PC)+1)
		buf = append(buf, p.Code[from:in.PC+1]...)
		buf = append(buf, p.Hashes[n][:]...)
		from = next
	}
	buf = append(buf, p.Code[from:end]...)
	p.Hashes = append(p.Hashes, sha256.Sum256(buf))
	p.Gas += gasWord(end-start, len(buf))
	p.scratch = buf
}

// Find returns where the word with a hash starts.
func (p *Program) Find(hash []byte) (int32, bool) {
	for i := range p.Hashes {
		if string(p.Hashes[i][:]) == string(hash) {
			return p.Starts[i], true
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

// EnvReads are the environment words that the code may read, sorted.
func (p *Program) EnvReads() (names []string) {
	for i, e := range Environment {
		if p.Reads&(1<<i) != 0 {
			names = append(names, e.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Seal readies a program for being kept and shared.
func (p *Program) Seal() { p.scratch, p.Ins = nil, slices.Clone(p.Ins) }

// Size is about what a program takes in memory, in bytes.
func (p *Program) Size() int {
	return len(p.Code) + 24*(cap(p.Ins)+cap(p.Fast)) + 4*cap(p.Starts) + 32*cap(p.Hashes) + 256
}
