package forth2012

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func seeds(f *testing.F) {
	files, err := filepath.Glob("testdata/*.fs")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	for _, text := range []string{": main 0 1 2 ;", "create t ' dup , : main t @ execute 0 1 2 ;", ": x {: a | b -- :} a to b ; : main 1 x ;",
		"marker m m m", ": d create does> does> ; d x x", "save-input restore-input", "-1 >in ! >in @", "0 0 200000 fill base @ .", ": x [ 1 cs-pick ] ;",
		"wordlist set-current definitions : y ; only forth", "s\\\" \\x\" 0 substitute", ": main ['] main catch ; ", "x\"00\" constant b b literal"} {
		f.Add(text)
	}
}

// FuzzEval interprets arbitrary text. It ends, within its bounds, and the session goes on.
func FuzzEval(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		l := bytecode.DefaultLimits()
		s, err := New(&l, vm.Session{GasLimit: 2_000_000})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			out, err := s.Eval(context.Background(), vm.Input{File: "f", Text: text})
			if err != nil && len(text) <= MaxInput {
				t.Fatal(err)
			}
			if len(out.Text) > 3*MaxOutput || out.Gas > 2_000_000 || (out.Error != "" && len(out.Stack) > 0) {
				t.Fatalf("%d bytes of output, %d gas, %q, %v", len(out.Text), out.Gas, out.Error, out.Stack)
			}
		}
	})
}

// FuzzCompile compiles arbitrary text. What comes out is a program.
func FuzzCompile(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		l := bytecode.DefaultLimits()
		l.DataBytes = 1 << 12
		c, err := Compile(vm.Source{Text: text}, &l)
		if err != nil {
			return
		}
		if err := (&bytecode.Program{}).Load(c.Code, &l, false); err != nil {
			t.Fatal(err)
		}
		for i, e := range c.Map {
			if int(e.PC) >= len(c.Code) || (i > 0 && c.Map[i-1].PC >= e.PC) {
				t.Fatalf("entry %d is %+v", i, e)
			}
		}
	})
}
