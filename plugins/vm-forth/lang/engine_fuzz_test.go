package lang

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/plugins/vm-forth/engine"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// FuzzSource compiles arbitrary text in every dialect. What compiles loads and runs, has a place for every instruction, and
// disassembles to what assembles to the same.
func FuzzSource(f *testing.F) {
	for _, s := range []string{whitePaper, ": f dup 2 < if drop 1 exit then dup 1- recurse * ; 20 f", "macro a 1 ; a ( x ) s\" b\" x\"01\"",
		"10 0 ?do i 2 +loop ' f call", ".word 0\nL1:\n jump L1\n.main\n int -5\n bytes x\"00\"\n height"} {
		for dialect := range 3 {
			f.Add(s, dialect, false)
			f.Add(s, dialect, true)
		}
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		text, _, _ := strings.Cut(string(b), separator)
		dialect := 0
		if strings.HasPrefix(text, `\ dialect: chalang`) {
			dialect = 1
		}
		f.Add(text, dialect, strings.Contains(file, "evidence"))
	}
	l := limits()
	m, err := engine.New(l)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, dialect int, evidence bool) {
		s := vm.Source{Text: text, Dialect: []string{Paloalto, Chalang, Asm}[uint(dialect)%3], Evidence: evidence}
		if s.Check() != nil {
			return
		}
		out, err := Compile(s, l)
		if err != nil {
			if len(err.Error()) > vm.MaxErrorBytes {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if len(out.Code) == 0 {
			return
		}
		run := vm.Run{Code: out.Code, GasLimit: 50_000}
		if evidence {
			empty := bytecode.Parts{}.Encode()
			run = vm.Run{Evidence: out.Code, Code: empty, GasLimit: 50_000}
		}
		res := m.Run(&run, nil, nil, make([]int64, engine.ResultCount))
		if vm.CheckResult(&run, &res) != nil || res.Status == bytecode.BadCode {
			t.Fatalf("%+v", res)
		}
		if s.Dialect != Asm && len(out.Map) == 0 {
			t.Fatal("no source map")
		}
		for i, e := range out.Map {
			if e.PC > uint32(len(out.Code)) || (i > 0 && e.PC <= out.Map[i-1].PC) || e.Line < 1 || e.Column < 1 {
				t.Fatalf("entry %d of %+v", i, out.Map)
			}
		}
		asm, err := bytecode.Disassemble(out.Code, l)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Compile(vm.Source{Text: asm, Evidence: evidence}, l)
		if err != nil || !bytes.Equal(again.Code, out.Code) {
			t.Fatalf("%x disassembles to\n%s\nwhich assembles to %x, %v", out.Code, asm, again, err)
		}
	})
}
