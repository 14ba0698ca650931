package bytecode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// Instruction writes an instruction that was verified, without resolving its target.
func Instruction(p *Program, in *Instr) string {
	d := &Opcodes[in.Op]
	switch d.Operand {
	case IntOperand:
		return "int " + strconv.FormatInt(in.Arg, 10)
	case BytesOperand:
		at, n := in.Arg>>16, in.Arg&0xffff
		return fmt.Sprintf(`bytes x"%x"`, p.Code[at:at+n])
	case JumpOperand:
		return fmt.Sprintf("%s %d", d.Name, p.Ins[in.Arg].PC)
	case WordOperand:
		n, _, _ := uvarint(p.Code, int(in.PC)+1)
		return fmt.Sprintf("%s %d", d.Name, n)
	case EnvOperand:
		return Environment[in.Arg].Name
	case SlotOperand:
		return fmt.Sprintf("%s %d", d.Name, in.Arg)
	}
	return d.Name
}

// Disassemble writes code in the dialect asm, which assembles to the same bytes: a line for each instruction, labels for
// the targets of jumps, ".word" before each word and ".main" before the main body.
func Disassemble(code []byte, l *Limits) (string, error) {
	if len(code) > int(max(l.CodeBytes, l.EvidenceBytes)) {
		return "", fmt.Errorf("disassemble: code of %d bytes: %w", len(code), vm.ErrTooLarge)
	}
	p := &Program{}
	if err := p.Load(code, l, false); err != nil {
		return "", fmt.Errorf("disassemble: %v: %w", err, vm.ErrInvalid)
	}
	targets := map[int]bool{}
	for i := range p.Ins {
		if Opcodes[p.Ins[i].Op].Operand == JumpOperand {
			targets[int(p.Ins[i].Arg)] = true
		}
	}
	var b strings.Builder
	b.WriteString("\\ dialect: asm\n")
	if p.Addressable {
		b.WriteString(".addressable\n")
	}
	if p.Convention == vm.DelayNonceAmount {
		b.WriteString(".delay-nonce-amount\n")
	}
	for at := 0; at < len(p.Data); at += dataLine {
		fmt.Fprintf(&b, ".data x\"%x\"\n", p.Data[at:min(at+dataLine, len(p.Data))])
	}
	word := 0
	for i := range p.Ins {
		in := &p.Ins[i]
		for word < len(p.Starts) && int(p.Starts[word]) == i {
			fmt.Fprintf(&b, ".word %d", word)
			if p.Addressable {
				fmt.Fprintf(&b, " \\ %x", p.Hashes[word])
			}
			b.WriteString("\n")
			word++
		}
		if int(p.Main) == i {
			b.WriteString(".main\n")
		}
		if targets[i] {
			fmt.Fprintf(&b, "L%d:\n", in.PC)
		}
		if in.Op == OpEnd {
			continue
		}
		text := Instruction(p, in)
		if Opcodes[in.Op].Operand == JumpOperand {
			text = fmt.Sprintf("%s L%d", Opcodes[in.Op].Name, p.Ins[in.Arg].PC)
		}
		fmt.Fprintf(&b, "  %-32s \\ %d\n", text, in.PC)
	}
	return b.String(), nil
}

// Emitter writes bodies.
type Emitter struct{ Code []byte }

// Op writes an instruction without an operand.
func (e *Emitter) Op(o Opcode) { e.Code = append(e.Code, byte(o)) }

// Integer writes a literal.
func (e *Emitter) Integer(v int64) {
	if v >= 0 && v <= MaxSmall {
		e.Code = append(e.Code, byte(OpSmall)+byte(v))
		return
	}
	e.Code = binary.AppendUvarint(append(e.Code, byte(OpInt)), uint64(v<<1)^uint64(v>>63))
}

// Bytes writes a literal of at most MaxBytes.
func (e *Emitter) Bytes(b []byte) {
	e.Code = binary.AppendUvarint(append(e.Code, byte(OpBytes)), uint64(len(b)))
	e.Code = append(e.Code, b...)
}

// Word writes a call of an earlier word.
func (e *Emitter) Word(n int) {
	e.Code = binary.AppendUvarint(append(e.Code, byte(OpCall)), uint64(n))
}

// Jump writes a jump whose target is set later; it returns where.
func (e *Emitter) Jump(o Opcode) int {
	e.Code = append(e.Code, byte(o), 0, 0)
	return len(e.Code) - 2
}

// Target sets the target of a jump.
func (e *Emitter) Target(at, to int) { binary.BigEndian.PutUint16(e.Code[at:], uint16(to)) }

// Slot writes an access to a numbered slot.
func (e *Emitter) Slot(o Opcode, n int) {
	e.Code = binary.AppendUvarint(append(e.Code, byte(o)), uint64(n))
}

// Env writes an environment word.
func (e *Emitter) Env(n int) { e.Code = append(e.Code, byte(OpEnv), byte(n)) }

// Parts are what a program is made of.
type Parts struct {
	Words       [][]byte // bodies
	Main        []byte   // body
	Data        []byte   // what the data space holds at first; zeros at the end are left out
	Addressable bool     // the words can be called by hash
	Convention  vm.Convention
}

// Encode joins the parts. Bodies that are no instructions make code that the loader refuses.
func (p Parts) Encode() []byte {
	out := p.header()
	for _, w := range p.Words {
		out = binary.AppendUvarint(out, uint64(len(w)))
		out = append(out, w...)
	}
	return append(out, p.Main...)
}

// header is what stands before the words.
func (p Parts) header() []byte {
	out := []byte{formatVersion, 0}
	if p.Addressable {
		out[1] |= flagAddressable
	}
	if p.Convention == vm.DelayNonceAmount {
		out[1] |= flagDelay
	}
	reads := readsOf(p.Main)
	for _, w := range p.Words {
		reads |= readsOf(w)
	}
	out = binary.AppendUvarint(out, uint64(reads))
	data := bytes.TrimRight(p.Data, "\x00")
	out = append(binary.AppendUvarint(out, uint64(len(data))), data...)
	return binary.AppendUvarint(out, uint64(len(p.Words)))
}

// Offsets returns where the words and the main body start in what Encode returns.
func (p Parts) Offsets() (words []int, main int) {
	at := len(p.header())
	for _, w := range p.Words {
		at += len(binary.AppendUvarint(nil, uint64(len(w))))
		words = append(words, at)
		at += len(w)
	}
	return words, at
}

// readsOf returns the environment words that a body reads, by bit. It stops where the body is none.
func readsOf(body []byte) (mask uint32) {
	for at := 0; at < len(body); {
		op := Opcode(body[at])
		at++
		if op >= OpSmall {
			continue
		}
		switch Opcodes[op].Operand {
		case JumpOperand:
			at += 2
		case EnvOperand:
			if at < len(body) && int(body[at]) < len(Environment) {
				mask |= 1 << body[at]
			}
			at++
		case IntOperand, WordOperand, SlotOperand, BytesOperand:
			n, next, ok := uvarint(body, at)
			if !ok {
				return mask
			}
			at = next
			if op == OpBytes && n <= uint64(len(body)-at) {
				at += int(n)
			}
		}
	}
	return mask
}

const dataLine = 32 // bytes of data in a line of asm
