package bytecode

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// AsmError is what is wrong with a line of asm.
type AsmError struct {
	Line    int // from 1
	Message string
}

// Error implements error.
func (e *AsmError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// Assemble turns asm into code and a source map. Errors are of type *AsmError. That the code is well formed is for the
// loader to say.
//
// Asm has an instruction and its operand on a line. ".addressable", ".delay-nonce-amount" and ".data" come first, ".word"
// before each word, ".main" before the main body, which is all there is if there are no words. "L:" names the place of the
// next instruction for the jumps of the same body. A \ begins a comment.
func Assemble(text string, l *Limits) (*vm.Compiled, error) {
	a := &assembler{mnemonics: map[string]Opcode{}, env: map[string]byte{}, labels: map[string]int{}}
	for op, i := range Opcodes {
		if i.Name != "" && i.Operand != InternalOperand && i.Operand != EnvOperand {
			a.mnemonics[i.Name] = Opcode(op)
		}
	}
	for n, e := range Environment {
		a.env[e.Name] = byte(n)
	}
	longest := int(max(l.CodeBytes, l.EvidenceBytes))
	for line := range strings.Lines(text) {
		a.line++
		code, _, _ := strings.Cut(line, `\`)
		if err := a.assembleLine(code, longest); err != nil {
			return nil, err
		}
		if a.size += len(a.body.Code); a.size > longest || len(a.words) > int(l.Definitions) {
			return nil, a.fail("more code or words than the chain allows")
		}
		a.size -= len(a.body.Code)
	}
	if err := a.end(); err != nil {
		return nil, err
	}
	parts := Parts{Words: a.words, Main: a.main, Addressable: a.addressable, Convention: a.convention, Data: a.data}
	return &vm.Compiled{Code: parts.Encode(), Map: a.sourceMap(parts)}, nil
}

type assembler struct {
	line        int
	mnemonics   map[string]Opcode
	env         map[string]byte
	words       [][]byte
	main        []byte
	size        int // of words
	addressable bool
	convention  vm.Convention
	data        []byte
	inWord      bool
	inMain      bool
	body        Emitter
	labels      map[string]int
	jumps       []namedJump
	places      []place
}

type namedJump struct {
	label    string
	at, line int
}

// place is where an instruction of a body comes from; the main body is -1.
type place struct {
	word, at     int
	line, column uint32
}

func (a *assembler) fail(format string, args ...any) error {
	return &AsmError{a.line, fmt.Sprintf(format, args...)}
}

// end ends a body.
func (a *assembler) end() error {
	for _, j := range a.jumps {
		to, ok := a.labels[j.label]
		if !ok {
			a.line = j.line
			return a.fail("the label %.64q is not in this body", j.label)
		}
		a.body.Target(j.at, to)
	}
	clear(a.labels)
	a.jumps = nil
	if a.inWord {
		a.words = append(a.words, a.body.Code)
		a.size += len(a.body.Code)
	} else {
		a.main = a.body.Code
	}
	a.body = Emitter{}
	return nil
}

func (a *assembler) assembleLine(text string, longest int) error {
	f := strings.Fields(text)
	if len(f) == 0 {
		return nil
	}
	if strings.HasPrefix(f[0], ".") {
		return a.directive(f, longest)
	}
	if label, ok := strings.CutSuffix(f[0], ":"); ok && len(f) == 1 {
		if _, twice := a.labels[label]; twice {
			return a.fail("the label %.64q is there twice", label)
		}
		a.labels[label] = len(a.body.Code)
		return nil
	}
	word := -1
	if a.inWord {
		word = len(a.words)
	}
	a.places = append(a.places, place{word, len(a.body.Code), uint32(a.line), uint32(1 + strings.Index(text, f[0]))})
	return a.instruction(f)
}

func (a *assembler) directive(f []string, longest int) error {
	switch f[0] {
	case ".addressable":
		a.addressable = true
	case ".delay-nonce-amount":
		a.convention = vm.DelayNonceAmount
	case ".data":
		if len(f) != 2 {
			return a.fail(`.data takes x"…"`)
		}
		b, err := hexBytes(f[1])
		if err != nil {
			return a.fail(".data: %v", err)
		}
		if a.data = append(a.data, b...); len(a.data) > longest {
			return a.fail("more data than code can have")
		}
		return nil
	case ".word", ".main":
		if a.inMain || (!a.inWord && len(a.body.Code) > 0) {
			return a.fail("%s after the main body has begun", f[0])
		}
		if a.inWord {
			if err := a.end(); err != nil {
				return err
			}
		}
		a.inWord, a.inMain = f[0] == ".word", f[0] == ".main"
		return nil
	default:
		return a.fail("unknown directive %.64q", f[0])
	}
	return nil
}

func (a *assembler) instruction(f []string) error {
	if n, ok := a.env[f[0]]; ok && len(f) == 1 {
		a.body.Env(int(n))
		return nil
	}
	op, ok := a.mnemonics[f[0]]
	if !ok {
		return a.fail("unknown instruction %.64q", f[0])
	}
	d := Opcodes[op].Operand
	if d == NoOperand {
		if len(f) != 1 {
			return a.fail("%s has no operand", f[0])
		}
		a.body.Op(op)
		return nil
	}
	if len(f) != 2 {
		return a.fail("%s has one operand", f[0])
	}
	switch d {
	case JumpOperand:
		a.jumps = append(a.jumps, namedJump{f[1], a.body.Jump(op), a.line})
	case BytesOperand:
		b, err := hexBytes(f[1])
		if err != nil {
			return a.fail("bytes: %v", err)
		}
		a.body.Bytes(b)
	case IntOperand:
		v, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return a.fail("%.64q is no integer of 64 bits", f[1])
		}
		a.body.Integer(v)
	default: // a word's number, or a slot's
		v, err := strconv.ParseUint(f[1], 10, 31)
		if err != nil {
			return a.fail("%.64q is no number of a %s", f[1], map[Operand]string{WordOperand: "word", SlotOperand: "slot"}[d])
		}
		if d == SlotOperand {
			a.body.Slot(op, int(v))
		} else {
			a.body.Word(int(v))
		}
	}
	return nil
}

// hexBytes reads x"…".
func hexBytes(text string) ([]byte, error) {
	digits, ok := strings.CutPrefix(text, `x"`)
	digits, closed := strings.CutSuffix(digits, `"`)
	b, err := hex.DecodeString(digits)
	if !ok || !closed || err != nil {
		return nil, errors.New(`write x"…" with an even number of hexadecimal digits`)
	}
	return b, nil
}

// sourceMap says where the instructions of a program come from.
func (a *assembler) sourceMap(parts Parts) vm.SourceMap {
	words, main := parts.Offsets()
	out := make(vm.SourceMap, len(a.places))
	for i, p := range a.places {
		at, name := main, ""
		if p.word >= 0 {
			at, name = words[p.word], strconv.Itoa(p.word)
		}
		out[i] = vm.MapEntry{PC: uint32(at + p.at), Line: p.line, Column: p.column, Word: name}
	}
	return out
}
