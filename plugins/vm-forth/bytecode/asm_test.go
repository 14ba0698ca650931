package bytecode

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// everything has each instruction, and each directive.
const everything = `
.addressable
.delay-nonce-amount
.data x"00010203"
.data x"ff"
.word
  dup
  jump-zero L
  recurse
L:
  exit
.word \ 1
  word 0
  slot! 2
.word
.main
  int -5
  int 63
  int 64
  bytes x""
  bytes x"00ff"
  do
M:
  i
  loop M
  ?do N
  +loop M
N:
  oracle
  balance
  height
  slot@ 200
  word 1
  catch
`

func assembled(t testing.TB, text string) []byte {
	t.Helper()
	l := DefaultLimits()
	c, err := Assemble(text, &l)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c.Code
}

func loaded(t testing.TB, text string) *Program {
	t.Helper()
	l, p := DefaultLimits(), &Program{}
	if err := p.Load(assembled(t, text), &l, false); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

// TestAsmRoundTrip takes programs apart and puts them together again.
func TestAsmRoundTrip(t *testing.T) {
	l := DefaultLimits()
	all := everything
	for op, i := range Opcodes {
		if i.Name != "" && i.Operand == NoOperand && Opcode(op) != OpExit && Opcode(op) != OpRecurse {
			all += "  " + i.Name + "\n"
		}
	}
	for _, e := range Environment {
		all += e.Name + "\n"
	}
	for name, text := range map[string]string{"everything": all, "no words": "  int 1", "nothing": "", "only data": `.data x"01"`, "an empty word": ".word\n.main",
		"jumps to the ends of bodies": ".word\n  jump E\nE:\n.main\n  jump F\nF:"} {
		code := assembled(t, text)
		asm, err := Disassemble(code, &l)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := Assemble(asm, &l)
		if err != nil || string(again.Code) != string(code) {
			t.Errorf("%s: %x becomes %v, %v\n%s", name, code, again, err, asm)
			continue
		}
		p := &Program{}
		if err := p.Load(code, &l, false); err != nil {
			t.Fatal(err)
		}
		// The map has each instruction, at a line that has its name.
		lines, n := strings.Split(asm, "\n"), 0
		for i := range p.Ins {
			in := &p.Ins[i]
			if in.Op == OpEnd {
				continue
			}
			e := again.Map[n]
			if n++; e.PC != in.PC || !strings.HasPrefix(lines[e.Line-1][e.Column-1:], strings.Fields(Instruction(p, in))[0]) {
				t.Errorf("%s: instruction %d at %d: %+v", name, i, in.PC, e)
			}
		}
		if n != len(again.Map) {
			t.Errorf("%s: %d entries for %d instructions", name, len(again.Map), n)
		}
	}
}

// TestAsmErrors has texts that are no asm.
func TestAsmErrors(t *testing.T) {
	l := DefaultLimits()
	for text, want := range map[string]string{
		"\n  frob": "line 2: unknown instruction", ".frob": "unknown directive", "dup 1": "no operand", "int": "one operand", "int x": "no integer",
		"int 9223372036854775808": "no integer", `bytes "00"`: "write x", `bytes x"0"`: "write x", ".data": ".data takes", `.data 00`: "write x",
		"jump L": "not in this body", "L:\nL:": "there twice", "word -1": "number of a word", "slot@ x": "number of a slot", "dup\n.word": "has begun",
		".main\n.main": "has begun", ".word\nL:\n.main\njump L": "line 4: the label", "end": "unknown instruction", "host": "unknown instruction",
		"env": "unknown instruction", "height 1": "unknown instruction", strings.Repeat("word 9\n", 10000): "more code",
		strings.Repeat(".word\n", 300): "more code or words",
	} {
		_, err := Assemble(text, &l)
		var at *AsmError
		if !errors.As(err, &at) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// TestDisassembleRefuses sees that what cannot be loaded is not shown as if it could.
func TestDisassembleRefuses(t *testing.T) {
	l := DefaultLimits()
	if _, err := Disassemble([]byte("garbage"), &l); !errors.Is(err, vm.ErrInvalid) {
		t.Errorf("garbage: %v", err)
	}
	if _, err := Disassemble(make([]byte, l.CodeBytes+1), &l); !errors.Is(err, vm.ErrTooLarge) {
		t.Errorf("long code: %v", err)
	}
}

// FuzzLoad loads arbitrary bytes as code and as evidence. What is well formed is inferred, disassembled, and assembled to
// the same bytes.
func FuzzLoad(f *testing.F) {
	f.Add(assembled(f, everything))
	f.Add(assembled(f, ".word\n dup\n *\n.main\n word 0\n int 1000\n"))
	f.Add(make([]byte, 16384))
	f.Add([]byte("\x02\x00\x00\x00\x00"))
	seeds, err := filepath.Glob("../engine/testdata/fuzz/*/*")
	if err == nil {
		for _, s := range seeds {
			if b, err := os.ReadFile(s); err == nil {
				f.Add(b)
			}
		}
	}
	l := DefaultLimits()
	f.Fuzz(func(t *testing.T, code []byte) {
		if len(code) > int(l.CodeBytes) {
			return
		}
		p := &Program{}
		if err := p.Load(code, &l, true); err != nil && !errors.Is(err, ErrBadCode) {
			t.Fatal(err)
		}
		if err := p.Load(code, &l, false); err != nil {
			if !errors.Is(err, ErrBadCode) {
				t.Fatal(err)
			}
			return
		}
		if n := len(p.Ins); n > len(code)+len(p.Starts)+1 {
			t.Fatalf("%d instructions of %d bytes", n, len(code))
		}
		p.Infer(&l)
		asm, err := Disassemble(code, &l)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Assemble(asm, &l)
		if err != nil || string(again.Code) != string(code) {
			t.Fatalf("%x becomes %+v, %v\n%s", code, again, err, asm)
		}
	})
}

// FuzzAssemble assembles arbitrary text. What the loader takes comes out of the disassembler as text for the same bytes.
func FuzzAssemble(f *testing.F) {
	f.Add(everything)
	f.Add(".word\n dup\n.main\n word 0\n int -1 \\ comment\n jump L\nL:\n")
	f.Add(".data x\"00\"\n.data x\"\"\nheight\n slot! 1")
	l := DefaultLimits()
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Assemble(text, &l)
		if err != nil {
			var at *AsmError
			if !errors.As(err, &at) || at.Line < 1 {
				t.Fatalf("%v", err)
			}
			return
		}
		for i, e := range c.Map {
			if int(e.PC) >= len(c.Code) || (i > 0 && e.PC <= c.Map[i-1].PC) {
				t.Fatalf("entry %d of the map of %d bytes: %+v", i, len(c.Code), e)
			}
		}
		if len(c.Code) > int(l.CodeBytes) || (&Program{}).Load(c.Code, &l, false) != nil {
			return
		}
		asm, err := Disassemble(c.Code, &l)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Assemble(asm, &l); err != nil || string(again.Code) != string(c.Code) {
			t.Fatalf("%x becomes %+v, %v\n%s", c.Code, again, err, asm)
		}
	})
}
