package forth2012

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paloalto-chain/paloalto/plugins/vm-forth/bytecode"
	"github.com/paloalto-chain/paloalto/sdk/vm"
)

// gforthTests is where Debian's gforth puts the public tests of the standard's word sets.
const gforthTests = "/usr/share/gforth/0.7.3/test"

// braces are the names that these files have for tests, and words of gforth that they use besides.
const braces = `
synonym { T{
synonym } }T
`

func newTest(t testing.TB) *System {
	t.Helper()
	l := bytecode.DefaultLimits()
	s, err := New(&l, vm.Session{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func eval(t testing.TB, s *System, file, text string) vm.Output {
	t.Helper()
	out, err := s.Eval(t.Context(), vm.Input{File: file, Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestGforthSuites runs the files with the tests that the session has, which counts them.
func TestGforthSuites(t *testing.T) {
	for _, c := range []struct {
		name   string
		files  []string // the last is counted
		before string
		passed int
	}{
		{"core", []string{"coretest.fs"}, "hex", 639},
		{"postpone", []string{"coretest.fs", "postpone.fs"}, "hex", 185},
		{"core extensions", []string{"coreext.fs"}, "", 4},
		{"deferred", []string{"deferred.fs"}, "", 18},
		{"double", []string{"coretest.fs", "dbltest.fs"}, "hex", 77},
		{"string", []string{"string.fs"}, "", 7},
		{"more of core", []string{"coremore.fs"}, "-1 1 rshift constant max-n -1 constant max-u get-current constant environment-wordlist : >order drop ;", 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTest(t)
			eval(t, s, "tester.fs", braces+c.before)
			var out vm.Output
			for _, f := range c.files {
				b, err := os.ReadFile(filepath.Join(gforthTests, f))
				if os.IsNotExist(err) {
					t.Skipf("gforth 0.7.3 is not installed: %v", err)
				}
				if err != nil {
					t.Fatal(err)
				}
				if out = eval(t, s, f, string(b)); out.Error != "" || out.Failed > 0 {
					t.Errorf("%d failed, %s\n%s", out.Failed, out.Error, strings.TrimSpace(out.Text))
				}
			}
			t.Logf("%d passed, %d gas", out.Passed, out.Gas)
			if out.Passed != c.passed {
				t.Errorf("%d passed, want %d", out.Passed, c.passed)
			}
		})
	}
}

// TestGforthTester runs the files with the tester that they bring.
func TestGforthTester(t *testing.T) {
	s := newTest(t)
	s.Include = func(name string) (string, error) {
		b, err := os.ReadFile(filepath.Join(gforthTests, filepath.Base(name)))
		return string(b), err
	}
	if _, err := os.Stat(gforthTests); err != nil {
		t.Skipf("gforth 0.7.3 is not installed: %v", err)
	}
	// The tester wants words of the floating-point set even where there is none.
	out := eval(t, s, "all.fs", `
		: 0e 0 ;  : fdrop drop ;  : f@ @ ;  : fconf= = ;
		require ./tester.fs
		require ./coretest.fs
		require ./postpone.fs
		require ./coreext.fs
		require ./deferred.fs
		require ./dbltest.fs
		require ./string.fs
		{ 1 -> 2 }`)
	if out.Error != "" || strings.Count(out.Text, "INCORRECT RESULT") != 1 || strings.Contains(out.Text, "WRONG NUMBER") {
		t.Errorf("%s\n%s", out.Error, out.Text)
	}
	if !strings.Contains(out.Text, "{ 1 -> 2 }") {
		t.Error("the failing test is not reported")
	}
}
