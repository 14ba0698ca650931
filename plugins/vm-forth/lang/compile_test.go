package lang

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

func TestCompileErrors(t *testing.T) {
	l := limits()
	l.Definitions, l.Variables = 2, 1
	for _, c := range []struct {
		source, want string
		evidence     bool
	}{
		{source: "1\n  2 swpa", want: "f.fs:2:5: unknown word \"swpa\"; did you mean swap?"},
		{source: "1 HEIGHT", want: "f.fs:1:3: unknown word \"HEIGHT\"; did you mean height?"},
		{source: "é é2 zzzzzzz", want: `f.fs:1:1: unknown word "é"`},
		{source: "( é ) zzzzzzz", want: `f.fs:1:7: unknown word "zzzzzzz"`},
		{source: "( é\né ) zzzzzzz", want: `f.fs:2:5: unknown word "zzzzzzz"`},
		{source: "1 if 2", want: "f.fs:1:3: if is not closed; then or end is missing"},
		{source: "else", want: "f.fs:1:1: else without if"},
		{source: "begin 1 if until", want: "f.fs:1:12: until without begin: the innermost open structure is if in line 1, which needs then or end"},
		{source: "3 0 do\nrepeat", want: "f.fs:2:1: repeat without while: the innermost open structure is do in line 1"},
		{source: "leave", want: "f.fs:1:1: leave outside of a loop"},
		{source: ": f 1", want: `f.fs:1:3: the definition of "f" has no ;`},
		{source: ": f : g ; ;", want: `f.fs:1:5: a definition within that of "f"`},
		{source: ": f if ;", want: "f.fs:1:5: if is not closed"},
		{source: ";", want: "f.fs:1:1: ; without a definition"},
		{source: ":", want: "f.fs:1:1: a name is missing after :"},
		{source: ": 12 ;", want: `f.fs:1:3: "12" is a literal`},
		{source: ": dup ;", want: `f.fs:1:3: "dup" is a word of the language`},
		{source: ": a ; macro a ;", want: `f.fs:1:13: "a" is defined already, in line 1`},
		{source: ": a ; : b ; : c ;", want: "f.fs:1:15: more than 2 definitions"},
		{source: "variable a variable b", want: "f.fs:1:21: more than 1 variables"},
		{source: ": f f ;", want: `f.fs:1:5: "f" is not defined yet; a word calls itself with recurse`},
		{source: "recurse", want: "f.fs:1:1: recurse belongs into a definition"},
		{source: "macro a b", want: `f.fs:1:7: the macro "a" has no ;`},
		{source: "macro a 1 a ;\na", want: `f.fs:1:11: the macro "a" uses itself (in macro a, used at f.fs:2:1)`},
		{source: "macro a b ; macro b a ; a", want: "uses itself"},
		{source: "macro a zorkmid ;\n\na", want: `f.fs:1:9: unknown word "zorkmid" (in macro a, used at f.fs:3:1)`},
		{source: `x"abc"`, want: `f.fs:1:1: x" takes an even number`},
		{source: `x"ab`, want: `f.fs:1:1: x" needs a closing "`},
		{source: "s\"\nab\"", want: `f.fs:1:1: s" needs a closing "`},
		{source: `x"ab"cd`, want: `f.fs:1:6: a space is missing`},
		{source: "( open", want: "f.fs:1:1: a comment starts here"},
		{source: "9223372036854775808", want: "f.fs:1:1: the number \"9223372036854775808\" does not fit"},
		{source: "' nothing", want: `f.fs:1:3: "nothing" is no word that this source defines before`},
		{source: "1 catch", want: "f.fs:1:3: catch is not available in this version: a contract that fails"},
		{source: "verify-zk", want: "f.fs:1:1: verify-zk is not available in this version"},
		{source: `\ dialect: klingon`, want: `f.fs:1:1: unknown dialect "klingon"`},
		{source: "1 dup", evidence: true, want: `f.fs:1:3: evidence only pushes literals and defines words`},
		{source: ": f dup ; f", evidence: true, want: `f.fs:1:11: evidence only pushes`},
		{source: "variable x", evidence: true, want: "f.fs:1:1: evidence has no variables"},
		{source: "\\ dialect: asm\n jump L", want: `f.fs:2:1: the label "L" is not in this body`},
		{source: "\\ dialect: asm\n hop", want: `f.fs:2:1: unknown instruction "hop"`},
		{source: "\\ dialect: asm\n exit", want: "exit outside of a word"},
		{source: "1 of", want: "f.fs:1:3: of without case"},
		{source: "case 1 of endcase", want: "f.fs:1:11: endcase without case: the innermost open structure is of in line 1, which needs endof"},
		{source: "case 1", want: "f.fs:1:1: case is not closed; endcase is missing"},
		{source: "1 constant", want: "f.fs:1:3: a name is missing after constant"},
		{source: "0 value a 0 value b", want: "f.fs:1:19: more than 1 values"},
		{source: "1 to a", want: `f.fs:1:6: "a" is no value; define it before: 0 value NAME`},
		{source: ": f 1 value a ;", want: `f.fs:1:7: value within the definition of "f"`},
		{source: "create a height allot", want: "f.fs:1:17: allot works while compiling, and wants a number written right before it"},
		{source: "create a -1 allot", want: "f.fs:1:13: allot takes a number of 0 or more, not -1"},
		{source: "create a 65537 allot", want: "f.fs:1:16: the data space has 65536 bytes, and 0 are taken"},
		{source: "create a 256 c,", want: "f.fs:1:14: c, takes 0 to 255, not 256"},
		{source: "create a 1 s,", want: "f.fs:1:12: s, works while compiling, and wants bytes"},
		{source: "1 value x", evidence: true, want: "f.fs:1:3: evidence has no variables and no data"},
		{source: "create x", evidence: true, want: "f.fs:1:1: evidence has no variables and no data"},
		{source: ": f 1 to x ;", evidence: true, want: "f.fs:1:7: evidence has no values"},
		{source: ": f include ;", want: "a source is one file; words of other sources are called by hash"},
		{source: "\\ dialect: paloalto\n\\ dialect: paloalto\n", want: `f.fs:2:1: \ dialect: is there twice`},
		{source: "\\ dialect: forth2012\n", want: "f.fs:1:1: the dialect forth2012 is not compiled here"},
		{source: strings.Repeat("if ", 300), want: "f.fs:1:769: control structures within each other, more than 256 deep"},
		{source: ": " + strings.Repeat("a", 65), want: "is no name; a name has 1 to 64 bytes"},
		{source: "\\ dialect: chalang\nint", want: "f.fs:2:1: a name is missing after int"},
		{source: "\\ dialect: chalang\nint x", want: `f.fs:2:5: int takes decimal digits, not "x"`},
		{source: "\\ dialect: chalang\nbinary 2 ????", want: `f.fs:2:10: "????" is not base64`},
		{source: "\\ dialect: chalang\nbinary 1025 AA==", want: "f.fs:2:8: binary takes a length of 0 to 1024"},
		{source: "\\ dialect: chalang\nx\"00\"", want: "f.fs:2:1: bytes are written binary LENGTH BASE64"},
		{source: "\\ dialect: chalang\nvariable X X", want: `f.fs:2:12: the variable "X" is followed by @ or !`},
		{source: "\\ dialect: chalang\nint 1 @", want: "f.fs:2:7: @ comes right behind the name of a variable"},
		{source: "\\ dialect: chalang\nint 1 begin", want: "f.fs:2:7: begin is not available in the dialect chalang: Chalang has no loops"},
		{source: "\\ dialect: chalang\nint 1 dup;", want: "f.fs:2:10: ; without a definition"},
		{source: "\\ dialect: chalang\nint 1 hash", evidence: true, want: `f.fs:2:7: evidence only pushes literals and defines words; "hash" does neither`},
	} {
		_, err := Compile(vm.Source{Text: c.source, File: "f.fs", Evidence: c.evidence}, l)
		if !errors.Is(err, vm.ErrSyntax) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "f.fs:") {
			t.Errorf("%q: %v; want %s", c.source, err, c.want)
		}
	}
	long := strings.Repeat("x\""+strings.Repeat("ab", 1000)+"\" drop\n", 20)
	if _, err := Compile(vm.Source{Text: long}, limits()); !errors.Is(err, vm.ErrTooLarge) {
		t.Errorf("a source that compiles to too much: %v", err)
	}
}

// TestHeader has where a dialect and a convention may come from.
func TestHeader(t *testing.T) {
	for _, c := range []struct {
		text, call, limit, want string
		convention              vm.Convention
	}{
		{"1", "", "chalang", "chalang", 0},
		{"1", "asm", "chalang", "asm", 0},
		{"\n\\ words\n\\ dialect: chalang", "", "paloalto", "chalang", 0},
		{"1\n\\ dialect: chalang", "", "paloalto", "paloalto", 0},
		{"\\ result: delay-nonce-amount\n\\ dialect: chalang", "chalang", "paloalto", "chalang", 1},
		{"\\ result : delay-nonce-amount", "", "paloalto", "paloalto", 0},
	} {
		l := limits()
		l.Dialect = c.limit
		h, err := ParseHeader(vm.Source{Text: c.text, Dialect: c.call}, l)
		if err != nil || h.Dialect != c.want || h.Convention != c.convention {
			t.Errorf("%q: %+v, %v", c.text, h, err)
		}
	}
	l := limits()
	l.Result = "delay-nonce-amount"
	for text, want := range map[string]byte{"0 0 1": 2, "\\ result: burn-pay-nonce\n0 0 1": 0, "\\ dialect: asm\n.main\n int 0": 0} {
		out, err := Compile(vm.Source{Text: text}, l)
		if err != nil || out.Code[1] != want {
			t.Errorf("%q: flags %d, %v", text, out.Code[1], err)
		}
	}
	if out, err := Compile(vm.Source{Text: "1", Evidence: true}, l); err != nil || out.Code[1] != 0 {
		t.Errorf("evidence: %v, %v", out, err)
	}
}

// TestSameSourceSameBytes compiles twice.
func TestSameSourceSameBytes(t *testing.T) {
	text := "create t 1 , : a height t @ ; : b a ; macro m ' b call ; 0 value v m to v m v 1"
	first := compiled(t, vm.Source{Text: text}).Code
	for range 20 {
		if !bytes.Equal(compiled(t, vm.Source{Text: text}).Code, first) {
			t.Fatal("another code")
		}
	}
}

// TestErrorsFit sees that no message is longer than what a plugin may send, whatever the source.
func TestErrorsFit(t *testing.T) {
	long := strings.Repeat("é", 4000)
	for _, text := range []string{long, "macro " + long + " ;", "macro m " + long + " ; m", ": w " + long, "x\"" + long + "\"", "1 " + strings.Repeat(" ", 9000) + "zorkmid",
		"\\ dialect: " + long, "to " + long, "\\ dialect: chalang\nint " + long, "\\ dialect: chalang\n" + long + " @", "\\ dialect: asm\n" + long, "1 to " + strings.Repeat("q", 9000)} {
		_, err := Compile(vm.Source{Text: text, File: strings.Repeat("f", 4000)}, limits())
		if err == nil || len(err.Error()) > vm.MaxErrorBytes {
			t.Errorf("%.30q: %.300q", text, fmt.Sprint(err))
		}
	}
}
