package forth2012

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
)

// instr is an instruction of a body.
type instr struct {
	at, next int
	op       bytecode.Opcode
	arg      int64 // a literal, a number, or where to jump to
}

// decode splits a body, which this package wrote, into instructions.
func decode(code []byte) ([]instr, error) {
	var out []instr
	for at := 0; at < len(code); {
		i := instr{at: at, op: bytecode.Opcode(code[at])}
		at++
		operand := bytecode.Opcodes[i.op].Operand
		switch {
		case i.op >= bytecode.OpSmall:
			i.arg, i.op = int64(i.op-bytecode.OpSmall), bytecode.OpInt
		case i.op == bytecode.OpHost, operand == bytecode.IntOperand, operand == bytecode.WordOperand, operand == bytecode.SlotOperand,
			operand == bytecode.BytesOperand:
			u, n := binary.Uvarint(code[at:])
			if n <= 0 {
				return nil, fmt.Errorf("offset %d: an operand is cut off", at)
			}
			at += n
			i.arg = int64(u)
			if operand == bytecode.IntOperand {
				i.arg = int64(u>>1) ^ -int64(u&1)
			}
			if operand == bytecode.BytesOperand {
				if u > uint64(len(code)-at) {
					return nil, fmt.Errorf("offset %d: bytes are cut off", at)
				}
				at += int(u)
			}
		case operand == bytecode.JumpOperand:
			if at+2 > len(code) {
				return nil, fmt.Errorf("offset %d: a jump is cut off", at)
			}
			i.arg = int64(binary.BigEndian.Uint16(code[at:]))
			at += 2
		case operand == bytecode.EnvOperand:
			if at == len(code) {
				return nil, fmt.Errorf("offset %d: an operand is cut off", at)
			}
			i.arg = int64(code[at])
			at++
		}
		i.next = at
		out = append(out, i)
	}
	return out, nil
}

// describe shows what a word is made of.
func (s *System) describe(w *word) (string, error) {
	if b := w.builtin; b != nil && b.code == nil {
		if b.helper != "" {
			return fmt.Sprintf(": %s %s ;\n", w.name, strings.Join(strings.Fields(b.helper), " ")), nil
		}
		return fmt.Sprintf("%s is a host word\n", w.name), nil
	}
	code, what := []byte(nil), ""
	if b := w.builtin; b != nil {
		code = b.code
	} else if body := s.bodies[w.xt]; body != nil {
		code, what = body.code, "\n"
	}
	ins, err := decode(code)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, ": %s ", w.name)
	targets := map[int64]bool{}
	for _, i := range ins {
		if bytecode.Opcodes[i.op].Operand == bytecode.JumpOperand {
			targets[i.arg] = true
		}
	}
	b.WriteString(what)
	for _, i := range ins {
		if what != "" {
			label := "     "
			if targets[int64(i.at)] {
				label = fmt.Sprintf("%4d:", i.at)
			}
			b.WriteString(label + " ")
		}
		b.WriteString(s.show(code, i))
		if what != "" {
			b.WriteString("\n")
		} else {
			b.WriteString(" ")
		}
	}
	b.WriteString(";")
	if w.immediate {
		b.WriteString(" immediate")
	}
	b.WriteString("\n")
	return b.String(), s.charge(int64(b.Len()))
}

// show writes an instruction for people.
func (s *System) show(code []byte, i instr) string {
	name := bytecode.Opcodes[i.op].Name
	switch bytecode.Opcodes[i.op].Operand {
	case bytecode.IntOperand:
		return fmt.Sprint(i.arg)
	case bytecode.BytesOperand:
		return fmt.Sprintf(`x"%x"`, code[i.next-int(i.arg):i.next])
	case bytecode.WordOperand:
		if b := s.bodies[int(i.arg)]; b != nil && b.name != "" {
			return b.name
		}
		return fmt.Sprintf("word %d", i.arg)
	case bytecode.EnvOperand:
		if int(i.arg) < len(bytecode.Environment) {
			return bytecode.Environment[i.arg].Name
		}
	case bytecode.JumpOperand, bytecode.SlotOperand:
		return fmt.Sprintf("%s %d", name, i.arg)
	}
	if i.op == bytecode.OpHost && i.arg < int64(len(s.hosts)) {
		return s.hosts[i.arg].name
	}
	return name
}
