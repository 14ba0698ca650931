package lang

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// hostileSources are sources that are small and would take long, or much, if nobody had thought of it. They are no longer
// than a source may be.
func hostileSources() map[string]string {
	fill := func(s string) string { return strings.Repeat(s, vm.MaxSourceBytes/len(s)) }
	var bomb, chain, many, macros, constants, deep strings.Builder
	bomb.WriteString("macro m0 1 drop ;\n")
	for i := 1; i < 31; i++ {
		fmt.Fprintf(&bomb, "macro m%d m%d m%d ;\n", i, i-1, i-1)
	}
	bomb.WriteString("m30")
	chain.WriteString("macro c0 1 ;\n")
	for i := 1; i < 5000; i++ {
		fmt.Fprintf(&chain, "macro c%d c%d ;\n", i, i-1)
	}
	chain.WriteString("c4999")
	for i := range 100_000 {
		fmt.Fprintf(&many, ": w%d ;\n", i)
	}
	for i := range 80_000 {
		fmt.Fprintf(&macros, "macro %d_ ;", i)
	}
	macros.WriteString(" zorkmid")
	for i := range 50_000 {
		fmt.Fprintf(&constants, "1 constant %d_ ", i)
	}
	constants.WriteString("zorkmid")
	for range 1000 {
		deep.WriteString("if begin do case ")
	}
	return map[string]string{
		"macros that double": bomb.String(), "macros of nothing that double": strings.Replace(bomb.String(), "1 drop", "", 1), "macros within macros": chain.String(),
		"a macro of everything": "macro m " + fill("1 ")[8:], "macros of much": fill("macro a " + strings.Repeat("1 ", 30000) + "; "),
		"100,000 definitions": many.String(), "80,000 macros, and a word that is like none": macros.String(), "many constants": constants.String(),
		"deep structures": deep.String(), "many structures": fill("if "), "structures without code": fill("begin "), "one long line": fill("1 drop "),
		"a long word": fill("z"), "digits": fill("1"), "an open comment": fill("("), "many comments": fill("( ) ") + "x", "lines": fill("\n") + "x", "quotes": fill(`x" `),
		"a long string": `s" ` + fill("a")[4:] + `"`, "many macros": fill("macro "), "colons": fill(": : "), "data": "create t " + fill("1000 allot ")[20:],
		"bytes of data": "create t " + fill("1 c, ")[20:], "spaces": fill(" ")[1:] + "x", "é": fill("é") + "", "comments in Chalang": "\\ dialect: chalang\n" + fill("%\n")[20:] + "x",
		"brackets in Chalang": "\\ dialect: chalang\n" + fill("]")[20:], "a header without end": fill("\\\n")[1:] + "x", "header and Chalang": fill("\\\n")[40:] + "\\ dialect: chalang\nx",
		"words by hash": fill(": a ; ' a "), "asm": "\\ dialect: asm\n" + fill("L:\n")[20:], "asm of words": "\\ dialect: asm\n" + fill(".word 0\n")[20:],
	}
}

// TestHostileSources sees that each of them ends in an error, of a length that fits, and that takes no more memory than a
// few times the source.
func TestHostileSources(t *testing.T) {
	const most = 256 << 20
	for name, text := range hostileSources() {
		for _, evidence := range []bool{false, true} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Compile(vm.Source{Text: text, Evidence: evidence}, limits())
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("%s: compiles", name)
			} else if n := len(err.Error()); n > vm.MaxErrorBytes {
				t.Errorf("%s: an error of %d bytes", name, n)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > most {
				t.Errorf("%s: %d MiB", name, n>>20)
			}
		}
	}
}
