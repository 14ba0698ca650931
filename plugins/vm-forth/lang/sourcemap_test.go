package lang

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// TestSourceMap has the place of every instruction, and of the ends of bodies. The end of the last word has the offset of
// the main body's first instruction, and so its place.
func TestSourceMap(t *testing.T) {
	for name, c := range map[string]struct {
		source   string
		evidence bool
		want     []string // instruction, line:column, word
	}{
		"words, literals and structures": {source: ": pays ( flag -- )\n  if 0 100 else\n 0 x\"01\" len then ;\n\n pays\n1\n 5 0 ?do\n loop", want: []string{
			"jump-zero 2:3 pays", "int 2:6 pays", "int 2:8 pays", "jump 2:12 pays", "int 3:2 pays", "bytes 3:4 pays", "len 3:10 pays", "end 5:2 ",
			"word 5:2 ", "int 6:1 ", "int 7:2 ", "int 7:4 ", "?do 7:6 ", "loop 8:2 ", "end 8:2 "}},
		"a macro has the place of its use": {source: "macro two 1\n 1 + ;\nmacro four two two ;\n: w two ;\nfour w", want: []string{
			"int 4:5 w", "int 4:5 w", "+ 4:5 w", "end 5:1 ",
			"int 5:1 ", "int 5:1 ", "+ 5:1 ", "int 5:1 ", "int 5:1 ", "+ 5:1 ", "word 5:6 ", "end 5:6 "}},
		"words by hash and call": {source: ": w 1 ; ' w\ncall w call 2", want: []string{"int 1:5 w", "end 1:9 ", "bytes 1:9 ", "call 2:1 ", "word 2:6 ", "int 2:13 ", "end 2:13 "}},
		"empty words":            {source: ": a ; : b ;\na b", want: []string{"end 1:5 a", "end 2:1 ", "word 2:1 ", "word 2:3 ", "end 2:3 "}},
		"no main body":           {source: ": a 1 ;\n", want: []string{"int 1:5 a", "end 1:7 ", "end 1:7 "}},
		"literals that are taken back": {source: "create t 1 , 2\n cells allot 3 constant x\n4 cells t x", want: []string{
			"int 3:3 ", "int 3:9 ", "int 3:11 ", "end 3:11 "}},
		"evidence": {source: ": w caller\n drop ; 7 s\" abc\"", evidence: true, want: []string{
			"env 1:5 w", "drop 2:2 w", "end 2:9 ", "int 2:9 ", "bytes 2:11 ", "end 2:11 "}},
		"chalang": {source: "\\ dialect: chalang\n: w int 1 ;\nw call variable X\nint 5 X ! binary 0", want: []string{
			"int 2:5 w", "end 3:1 ", "bytes 3:1 ", "call 3:3 ", "int 4:1 ", "slot! 4:7 ", "bytes 4:11 ", "end 4:11 "}},
		"columns are characters": {source: "( é ) 1\ts\" é\" 2", want: []string{"int 1:7 ", "bytes 1:9 ", "int 1:15 ", "end 1:15 "}},
	} {
		t.Run(name, func(t *testing.T) {
			out := compiled(t, vm.Source{Text: c.source, Evidence: c.evidence})
			if got := places(t, out); !slices.Equal(got, c.want) {
				t.Errorf("%q\nwant\n%q", got, c.want)
			}
		})
	}
}

// TestSourceMapIsExact moves bodies by long headers, data, and lengths of two bytes.
func TestSourceMapIsExact(t *testing.T) {
	var b strings.Builder
	b.WriteString("create t 1 , 2 , 300 allot 7 c,\n")
	for i := range 20 {
		fmt.Fprintf(&b, ": w%d oracle param x\"%x\" drop\n %s ;\n", i, make([]byte, 10*i), strings.Repeat("1 drop ", i*8))
	}
	for i := range 20 {
		fmt.Fprintf(&b, "w%d\n", i)
	}
	out := compiled(t, vm.Source{Text: b.String()})
	p := &bytecode.Program{}
	if err := p.Load(out.Code, limits(), false); err != nil {
		t.Fatal(err)
	}
	words := 0
	for i := range p.Ins {
		e, ok := out.Map.Find(uint64(p.Ins[i].PC))
		switch {
		case !ok:
			t.Fatalf("offset %d has no place", p.Ins[i].PC)
		case i >= int(p.Main):
			if want := uint32(42 + i - int(p.Main)); p.Ins[i].Op == bytecode.OpCall && (e.Line != want || e.Word != "") {
				t.Errorf("call %d is in %+v, not in line %d", i-int(p.Main), e, want)
			}
		case p.Ins[i].Op == bytecode.OpBytes:
			if e.Line != uint32(2+2*words) || e.Word != fmt.Sprintf("w%d", words) {
				t.Errorf("the bytes of word %d are in %+v", words, e)
			}
			words++
		}
	}
	if words != 20 {
		t.Errorf("%d words", words)
	}
}

// places says where each instruction comes from.
func places(t *testing.T, c *vm.Compiled) []string {
	t.Helper()
	for i := 1; i < len(c.Map); i++ {
		if c.Map[i].PC <= c.Map[i-1].PC {
			t.Errorf("the map is not in order: %+v", c.Map)
		}
	}
	p := &bytecode.Program{}
	if err := p.Load(c.Code, limits(), false); err != nil {
		t.Fatal(err)
	}
	var out []string
	for i := range p.Ins {
		e, ok := c.Map.Find(uint64(p.Ins[i].PC))
		if !ok {
			t.Fatalf("offset %d has no place", p.Ins[i].PC)
		}
		out = append(out, fmt.Sprintf("%s %d:%d %s", bytecode.Opcodes[p.Ins[i].Op].Name, e.Line, e.Column, e.Word))
	}
	return out
}
