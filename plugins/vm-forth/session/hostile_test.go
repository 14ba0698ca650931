package session

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// TestHostile has inputs that ask for too much: each ends with an error, and the session goes on.
func TestHostile(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a loop for ever", "begin again", "OutOfGas"},
		{"recursion for ever", ": f recurse ; f", "StackOverflow"},
		{"a full stack", "begin 1 again", "StackOverflow"},
		{"byte strings", `x"ff" begin dup cat again`, "OutOfSpace"},
		{"macros", "macro a 1 drop 1 drop 1 drop 1 drop ; macro b a a a a a a a a a a a a a a a a ; macro c b b b b b b b b b b b b b b b b ; macro d c c c c c c c c c c c c c c c c ; d", "expand to more than"},
		{"memory", "0 1 65536 fill 65537 @", "BadAddress"},
		{"output", strings.Repeat("words ", 2000), "prints more than"},
		{"definitions", strings.Repeat(": ", 2) + strings.Repeat("x ", 10) + ";", "can't"},
		{"a long contract", "contract a " + strings.Repeat("1 drop ", 20000) + "\nend-contract", "longer than the chain allows"},
		{"a contract for ever", "contract a begin again\nend-contract\nrun a", "OutOfGas"},
		{"a contract's name", "contract " + strings.Repeat("x", 100) + "\nend-contract", "1 to 64 bytes"},
		{"a value of the environment", "env set " + strings.Repeat("x", 200) + " 1", "name of 200 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin(t, vm.Session{GasLimit: 2_000_000})
			out, err := s.Eval(context.Background(), vm.Input{Text: c.text})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.Error, c.want) {
				t.Errorf("error %q, want %q", out.Error, c.want)
			}
			if len(out.Text) > mostOutput || out.Gas > 2_000_000 {
				t.Errorf("%d bytes of output, %d gas", len(out.Text), out.Gas)
			}
			if got := evaluate(t, s, "1 2 + .s"); got != "3\n[3]" {
				t.Errorf("afterwards: %s", got)
			}
		})
	}
}

func TestEvalContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := begin(t, vm.Session{}).Eval(ctx, vm.Input{Text: "1"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := begin(t, vm.Session{}).Eval(context.Background(), vm.Input{Text: strings.Repeat(" ", vm.MaxSourceBytes+1)}); !errors.Is(err, vm.ErrTooLarge) {
		t.Error(err)
	}
}

// TestOwnTester counts the tests of a tester that a file brings itself.
func TestOwnTester(t *testing.T) {
	const tester = `variable n
create results 32 cells allot
: T{ ;
: -> depth n ! n @ 0 ?do results i cells + ! loop ;
: }T depth n @ <> if s" WRONG NUMBER OF RESULTS: " type exit then
  n @ 0 ?do results i cells + @ <> if s" INCORRECT RESULT: " type then loop ;
`
	got := evaluate(t, begin(t, vm.Session{Dialect: "forth2012"}), tester, "T{ 1 2 + -> 3 }T T{ 1 -> 1 }T", "T{ 1 -> 2 }T")
	if want := "INCORRECT RESULT: 2 passed, 1 failed\n[]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzEval gives a session two inputs: nothing of them makes it fail as a whole, and an error leaves nothing on the stack.
func FuzzEval(f *testing.F) {
	for _, s := range [][2]string{{": sq dup * ;", "3 sq .s"}, {"T{ 1 2 +", "-> 3 }T"}, {"contract a\n0 1 1\nend-contract", "run a fails Thrown(7)"},
		{`evidence{ s" x"`, "} see dup words cost env"}, {"macro unless 0= if ;", "1 unless ( a"}, {"env set height 10", `reset clear bye . ." x" cr`}, {"( ", ")"},
		{`create t 1 , s" abc" t mem>b`, "variable v 5 value x"}} {
		for _, d := range []string{"paloalto", "chalang", "forth2012"} {
			f.Add(d, s[0], s[1])
		}
	}
	f.Fuzz(func(t *testing.T, dialect, one, two string) {
		switch dialect {
		case "paloalto", "chalang", "forth2012":
		default:
			t.Skip()
		}
		s := begin(t, vm.Session{Dialect: dialect, GasLimit: 20_000})
		for _, text := range []string{one, two} {
			out, err := s.Eval(context.Background(), vm.Input{File: "f", Text: text})
			if err != nil {
				if errors.Is(err, vm.ErrInvalid) || errors.Is(err, vm.ErrTooLarge) {
					return
				}
				t.Fatal(err)
			}
			if out.Error != "" && len(out.Stack) > 0 {
				t.Errorf("an error, and a stack of %d", len(out.Stack))
			}
			if out.Error != "" && out.Open {
				t.Error("an error, and something is open")
			}
			if out.Gas > 20_000 {
				t.Errorf("%d gas", out.Gas)
			}
		}
	})
}
