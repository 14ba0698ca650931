package vmforth

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// assemble takes the dialect asm: ".addressable", ".word" before each word, ".main" before the main body, labels "L:", and
// an instruction and its operand on a line. A \ starts a comment.
func assemble(s vm.Source, l *limits) ([]byte, error) {
	a := &assembler{file: s.File, mnemonics: map[string]opcode{}, env: map[string]byte{}}
	for op, i := range opcodes {
		if i.name != "" && i.operand != internalLabel && i.operand != envOperand {
			a.mnemonics[i.name] = opcode(op)
		}
	}
	for n, e := range environment {
		a.env[e.name] = byte(n)
	}
	for n, text := range strings.Split(s.Text, "\n") {
		a.line = n + 1
		text, _, _ = strings.Cut(text, `\`)
		if err := a.assembleLine(strings.Fields(text)); err != nil {
			return nil, err
		}
		if len(a.body.code) > int(max(l.CodeBytes, l.EvidenceBytes)) || len(a.words) > int(l.Definitions) {
			return nil, a.fail("more code or words than the chain allows")
		}
	}
	if err := a.finish(); err != nil {
		return nil, err
	}
	if a.inWord {
		a.words, a.body = append(a.words, a.body.code), emitter{}
	}
	return assembleProgram(a.words, a.body.code, a.addressable), nil
}

type assembler struct {
	file        string
	line        int
	mnemonics   map[string]opcode
	env         map[string]byte
	words       [][]byte
	addressable bool
	inWord      bool
	inMain      bool
	body        emitter
	labels      map[string]int
	jumps       []namedJump
}

type namedJump struct {
	label    string
	at, line int
}

func (a *assembler) fail(format string, args ...any) error {
	return syntaxError(a.file, a.line, 1, format, args...)
}

// finish sets the jumps of a body.
func (a *assembler) finish() error {
	for _, j := range a.jumps {
		to, ok := a.labels[j.label]
		if !ok {
			a.line = j.line
			return a.fail("the label %s is not in this body", show(j.label))
		}
		a.body.target(j.at, to)
	}
	a.labels, a.jumps = map[string]int{}, nil
	return nil
}

func (a *assembler) assembleLine(f []string) error {
	if len(f) == 0 {
		return nil
	}
	switch f[0] {
	case ".addressable":
		a.addressable = true
		return nil
	case ".word", ".main":
		if a.inMain || (!a.inWord && len(a.body.code) > 0) {
			return a.fail("%s after the main body has begun", f[0])
		}
		if err := a.finish(); err != nil {
			return err
		}
		if a.inWord {
			a.words = append(a.words, a.body.code)
			a.body = emitter{}
		}
		a.inWord, a.inMain = f[0] == ".word", f[0] == ".main"
		return nil
	}
	if a.labels == nil {
		a.labels = map[string]int{}
	}
	if label, ok := strings.CutSuffix(f[0], ":"); ok && len(f) == 1 {
		if _, twice := a.labels[label]; twice {
			return a.fail("the label %s is there twice", show(label))
		}
		a.labels[label] = len(a.body.code)
		return nil
	}
	if n, ok := a.env[f[0]]; ok && len(f) == 1 {
		a.body.op(opEnv)
		a.body.op(opcode(n))
		return nil
	}
	op, ok := a.mnemonics[f[0]]
	if !ok {
		return a.fail("unknown instruction %s", show(f[0]))
	}
	d := opcodes[op].operand
	if d == noOperand {
		if len(f) != 1 {
			return a.fail("%s has no operand", f[0])
		}
		a.body.op(op)
		return nil
	}
	if len(f) != 2 {
		return a.fail("%s has one operand", f[0])
	}
	switch d {
	case jumpOperand:
		a.jumps = append(a.jumps, namedJump{f[1], a.body.jump(op), a.line})
	case bytesOperand:
		digits, ok := strings.CutPrefix(f[1], `x"`)
		digits, closed := strings.CutSuffix(digits, `"`)
		b, err := hex.DecodeString(digits)
		if !ok || !closed || err != nil {
			return a.fail(`bytes takes x"…" with an even number of hexadecimal digits`)
		}
		a.body.bytes(b)
	case intOperand:
		v, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return a.fail("%s is no integer of 64 bits", show(f[1]))
		}
		a.body.integer(v)
	case wordOperand:
		v, err := strconv.ParseUint(f[1], 10, 31)
		if err != nil {
			return a.fail("%s is no number of a word", show(f[1]))
		}
		a.body.word(int(v))
	}
	return nil
}
