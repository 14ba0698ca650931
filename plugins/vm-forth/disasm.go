package vmforth

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// instruction writes an instruction that was verified, without resolving its target.
func instruction(p *program, in *instr) string {
	d := &opcodes[in.op]
	switch d.operand {
	case intOperand:
		return "int " + decimal(in.arg)
	case bytesOperand:
		at, n := in.arg>>16, in.arg&0xffff
		return fmt.Sprintf(`bytes x"%x"`, p.code[at:at+n])
	case jumpOperand:
		return fmt.Sprintf("%s %d", d.name, p.ins[in.arg].pc)
	case wordOperand:
		n, _, _ := uvarint(p.code, int(in.pc)+1)
		return fmt.Sprintf("%s %d", d.name, n)
	case envOperand:
		return environment[in.arg].name
	}
	return d.name
}

// disassemble writes code in the dialect asm, which assembles to the same bytes: a line for each instruction, labels for
// the targets of jumps, ".word" before each word and ".main" before the main body.
func disassemble(code []byte, l *limits) (string, error) {
	if len(code) > int(max(l.CodeBytes, l.EvidenceBytes)) {
		return "", fmt.Errorf("disassemble: code of %d bytes: %w", len(code), vm.ErrTooLarge)
	}
	p := &program{}
	if err := p.load(code, l, false); err != nil {
		return "", fmt.Errorf("disassemble: %v: %w", err, vm.ErrInvalid)
	}
	targets := map[int]bool{}
	for i := range p.ins {
		if opcodes[p.ins[i].op].operand == jumpOperand {
			targets[int(p.ins[i].arg)] = true
		}
	}
	var b strings.Builder
	b.WriteString("\\ dialect: asm\n")
	if p.addressable {
		b.WriteString(".addressable\n")
	}
	word := 0
	for i := range p.ins {
		in := &p.ins[i]
		for word < len(p.starts) && int(p.starts[word]) == i {
			fmt.Fprintf(&b, ".word %d", word)
			if p.addressable {
				fmt.Fprintf(&b, " \\ %x", p.hashes[word])
			}
			b.WriteString("\n")
			word++
		}
		if int(p.main) == i {
			b.WriteString(".main\n")
		}
		if targets[i] {
			fmt.Fprintf(&b, "L%d:\n", in.pc)
		}
		if in.op == opEnd {
			continue
		}
		text := instruction(p, in)
		if opcodes[in.op].operand == jumpOperand {
			text = fmt.Sprintf("%s L%d", opcodes[in.op].name, p.ins[in.arg].pc)
		}
		fmt.Fprintf(&b, "  %-32s \\ %d\n", text, in.pc)
	}
	return b.String(), nil
}

// emitter writes bodies.
type emitter struct{ code []byte }

func (e *emitter) op(o opcode) { e.code = append(e.code, byte(o)) }

func (e *emitter) integer(v int64) {
	if v >= 0 && v <= maxSmall {
		e.code = append(e.code, byte(opSmall)+byte(v))
		return
	}
	e.code = binary.AppendUvarint(append(e.code, byte(opInt)), uint64(v<<1)^uint64(v>>63))
}

func (e *emitter) bytes(b []byte) {
	e.code = binary.AppendUvarint(append(e.code, byte(opBytes)), uint64(len(b)))
	e.code = append(e.code, b...)
}

func (e *emitter) word(n int) {
	e.code = binary.AppendUvarint(append(e.code, byte(opCall)), uint64(n))
}

// jump writes a jump whose target is set later; it returns where.
func (e *emitter) jump(o opcode) int {
	e.code = append(e.code, byte(o), 0, 0)
	return len(e.code) - 2
}

// target sets the target of a jump.
func (e *emitter) target(at, to int) { binary.BigEndian.PutUint16(e.code[at:], uint16(to)) }

// assembleProgram joins words and a main body.
func assembleProgram(words [][]byte, main []byte, addressable bool) []byte {
	out := []byte{formatVersion, 0}
	if addressable {
		out[1] = flagAddressable
	}
	out = binary.AppendUvarint(out, uint64(len(words)))
	for _, w := range words {
		out = binary.AppendUvarint(out, uint64(len(w)))
		out = append(out, w...)
	}
	return append(out, main...)
}
