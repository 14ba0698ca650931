package forth2012

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// TestOutput runs inputs one after the other in one session: what they print, what is wrong with them, what is left.
func TestOutput(t *testing.T) {
	s := newTest(t)
	for _, c := range []struct {
		text, prints, wrong string
		stack               string
		open                bool
	}{
		{text: "1 2 +", stack: "3"},
		{text: ".", prints: "3 "},
		{text: `." hello" cr 5 spaces 7 3 .r -1 u.`, prints: "hello\n       718446744073709551615 "},
		{text: "hex ff decimal . -255 hex . decimal", prints: "255 -FF "},
		{text: "1. d. -1. 5 d.r 3 5 u.r", prints: "1    -1    3"},
		{text: ": later ( -- )", open: true},
		{text: "  42 ;"},
		{text: "later", stack: "42"},
		{text: ".s", prints: "<1> 42 ", stack: "42"},
		{text: "nonsuch", wrong: "f.fs:7:1: undefined word: nonsuch (throw -13)"},
		{text: "1 2\n  3 0 /", wrong: "f.fs:8:7: division by zero (throw -10)"},
		{text: ": div / ; : outer 1 0 div ;\n\n outer", wrong: "f.fs:9:2: division by zero (throw -10), in div"},
		{text: `: fails abort" of all things" ; 1 fails`, wrong: "f.fs:7:35: of all things"},
		{text: "abort", wrong: "f.fs:7:1: aborted (throw -1)"},
		{text: "77 throw", wrong: "f.fs:7:4: exception (throw 77)"},
		{text: ": unfinished if", open: true},
		{text: "; ", wrong: "f.fs:7:1: control structure mismatch: a control structure is open (throw -22)"},
		{text: "if", wrong: "f.fs:7:1: interpreting a compile-only word: IF (throw -14)"},
		{text: ">r", wrong: "f.fs:7:1: interpreting a compile-only word: >R (throw -14)"},
		{text: "drop", wrong: "f.fs:7:1: stack underflow (throw -4)"},
		{text: "-8 @", wrong: "f.fs:7:4: invalid memory address (throw -9)"},
		{text: `x"0102" 1 +`, wrong: "f.fs:7:11: argument type mismatch (throw -12)"},
		{text: `x"0102" len .`, prints: "2 "},
		{text: `create nine 9 , create`, wrong: "f.fs:7:23: attempt to use zero-length string as a name (throw -16)"},
		{text: "key", wrong: "f.fs:7:1: unsupported operation"},
		{text: `s" 1 nonsuch 2" evaluate`, wrong: "f.fs:7:17: undefined word: nonsuch"},
		{text: `s" none.fs" included`, wrong: "f.fs:7:13: non-existent file: none.fs"},
		{text: "1 2 quit 3", stack: "1 2"},
		{text: "clearly", wrong: "undefined word: clearly"},
		{text: "T{ 1 2", open: true, stack: "1 2"},
		{text: "abort", wrong: "aborted"},
		{text: "here 4 , 8 dump", prints: "04 00 00 00 00 00 00 00"},
		{text: "see later", prints: "42"},
		{text: "see within", prints: ": WITHIN over -w >r -w r> u< ;"},
		{text: "see emit", prints: "EMIT is a host word"},
		{text: "words", prints: "later"},
		{text: "order", prints: "FORTH (definitions: FORTH) "},
		{text: "height", wrong: "EnvMissing"},
		{text: "255 emit", prints: "\uFFFD"},
	} {
		out, err := s.Eval(t.Context(), vm.Input{File: "f.fs", Line: 7, Text: c.text})
		if err != nil {
			t.Fatal(err)
		}
		exact := c.prints == "" && out.Text == "" || c.prints != "" && strings.Contains(out.Text, c.prints)
		if !exact || (c.wrong == "") != (out.Error == "") || !strings.Contains(out.Error, c.wrong) || strings.Join(out.Stack, " ") != c.stack ||
			out.Open != c.open {
			t.Errorf("%q: printed %q, error %q, stack %v, open %v", c.text, out.Text, out.Error, out.Stack, out.Open)
		}
		if out.Gas == 0 {
			t.Errorf("%q cost nothing", c.text)
		}
	}
	if out := eval(t, s, "", "bye 1"); !out.Bye || out.Error != "" {
		t.Errorf("bye: %+v", out)
	}
}

// TestCounting counts tests, and tells the place of those that fail.
func TestCounting(t *testing.T) {
	out := eval(t, newTest(t), "t.fs", "T{ 1 -> 1 }T\nT{ 1 2 -> 2 1 }T\n9 T{ 1 -> }T T{ drop -> 5 }T\nT{ x\"01\" -> x\"01\" }T")
	if out.Passed != 2 || out.Failed != 3 || out.Error != "" {
		t.Errorf("%+v", out)
	}
	for _, want := range []string{"t.fs:2:15: incorrect result: 1 2, expected 2 1\n", "t.fs:3:11: wrong number of results: 1, expected nothing\n",
		"t.fs:3:27: wrong number of results"} {
		if !strings.Contains(out.Text, want) {
			t.Errorf("%q is not in %q", want, out.Text)
		}
	}
	// A file that defines the words itself has its own.
	out = eval(t, newTest(t), "t.fs", ": T{ ; : -> 2drop ; : }T 1 . ; T{ 1 1 -> }T")
	if out.Passed != 0 || out.Text != "1 " {
		t.Errorf("%+v", out)
	}
}

// TestBounds has inputs that would need more than there is.
func TestBounds(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"endless":           {": x begin again ; x", "out of gas"},
		"endless host":      {": x begin here drop again ; x", "out of gas"},
		"endless output":    {": x begin s\" 0123456789\" type again ; x", "more than 1048576 bytes of output"},
		"spaces":            {"1 62 lshift spaces", "more than 1048576 bytes of output"},
		"evaluate itself":   {`: x s" x" evaluate ; x`, "return stack overflow"},
		"definitions":       {`: x begin s" : y ;" evaluate again ; x`, "dictionary overflow"},
		"names":             {`: x begin s" create y" evaluate again ; x`, "dictionary overflow"},
		"code":              {`: x 1 begin postpone literal 1 again ; : y x ; : z [ x`, "dictionary overflow"},
		"data":              {"1 40 lshift allot", "dictionary overflow"},
		"data below":        {"-100000 allot", "dictionary overflow"},
		"stack":             {": x begin 1 again ; x", "stack overflow"},
		"recursion":         {": x recurse ; x", "stack overflow"},
		"catches":           {": x ['] x catch ; ", "undefined word"},
		"catches within":    {"defer d : x ['] d catch throw ; ' x is d x", "return stack overflow"},
		"wordlists":         {": x begin wordlist drop again ; x", "dictionary overflow"},
		"a long line":       {strings.Repeat("1 ", 3000), "a line of 6000 bytes"},
		"control":           {": x begin postpone begin again ; : y [ x", "control-flow stack overflow"},
		"replaces":          {`: x 0 begin 1+ dup 0 <# #s #> 2dup replaces again ; x`, "REPLACES failed"},
		"long replacements": {`: x s" a" pad 1000 2swap replaces ; x : y begin pad 1000 s" %a%%a%%a%%a%%a%%a%" pad 1000 substitute 2drop drop 2drop again ; y`, "out of gas"},
		"own tokens":        {"123456 execute", "undefined word"},
		"a wild restore":    {"1 2 3 1000000 restore-input", "stack underflow"},
		"base":              {"1 1 base ! .", "invalid numeric argument"},
		"base of a number":  {": . . ; 5 1 base ! .", "invalid numeric argument"},
		"system variables":  {"1 state ! 5 base 8 0 fill .", "invalid numeric argument"},
		"in of a line":      {": x 1 62 lshift >in ! ; x drop drop", ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := bytecode.DefaultLimits()
			s, err := New(&l, vm.Session{GasLimit: 20_000_000})
			if err != nil {
				t.Fatal(err)
			}
			out := eval(t, s, "b.fs", c.text)
			if !strings.Contains(out.Error, c.want) || (c.want == "") != (out.Error == "") {
				t.Errorf("%q, want %q; printed %d bytes", out.Error, c.want, len(out.Text))
			}
			if c.want != "" && len(out.Stack) > 0 {
				t.Errorf("%d values are left", len(out.Stack))
			}
			if out = eval(t, s, "b.fs", "decimal 1 2 + ."); out.Text != "3 " {
				t.Errorf("afterwards: %+v", out)
			}
		})
	}
}

// TestEvalErrors has what Eval does not take.
func TestEvalErrors(t *testing.T) {
	s := newTest(t)
	if _, err := s.Eval(t.Context(), vm.Input{Text: strings.Repeat("x", MaxInput+1)}); !errors.Is(err, vm.ErrTooLarge) {
		t.Errorf("a long text: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Eval(ctx, vm.Input{Text: "1"}); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

// TestIncludes has files that the caller hands over.
func TestIncludes(t *testing.T) {
	s := newTest(t)
	eval(t, s, "dir/known.fs", ": known 5 ; variable n 1 n +!")
	if out := eval(t, s, "main.fs", `require other/known.fs known . s" known.fs" included include known.fs`); out.Error != "" || out.Text != "5 " {
		t.Errorf("%+v", out)
	}
	s.Include = func(name string) (string, error) {
		if name == "loop.fs" {
			return "include loop.fs", nil
		}
		return "1 +\nnonsuch", nil
	}
	if out := eval(t, s, "main.fs", "2 include x.fs"); !strings.HasPrefix(out.Error, "x.fs:2:1: undefined word") {
		t.Errorf("%+v", out)
	}
	if out := eval(t, s, "main.fs", "include loop.fs"); !strings.Contains(out.Error, "return stack overflow: files within files") {
		t.Errorf("%+v", out)
	}
}

// TestTables sees that all names in the tables of instructions and helpers are known, and that there is a contract's form of
// each helper but CATCH's, which has its own.
func TestTables(t *testing.T) {
	s := newTest(t)
	names := map[string]bool{}
	for _, i := range bytecode.Opcodes {
		names[i.Name] = true
	}
	for _, line := range strings.Split(instructionTable, "\n") {
		fields := strings.Fields(line)
		for _, f := range fields[min(1, len(fields)):] {
			if !names[f] && f != "(nothing)" && !allDigits(f) {
				t.Errorf("%q: no instruction %q", line, f)
			}
		}
	}
	for _, b := range s.builtins {
		if _, err := s.token(b.word()); err != nil {
			t.Errorf("%s: %v: %s", b.name, err, s.detail)
		}
	}
}

func allDigits(s string) bool { return strings.Trim(s, "-0123456789") == "" }
