package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// publicTests is where Debian's gforth installs the tests that it has from others.
const publicTests = "/usr/share/gforth/0.7.3/test"

// TestPublicForthTests runs public tests of Forth through the command line, in the dialect forth2012: core, core extensions, double
// (with core before it) and two more of gforth's that use standard words alone. They lie where gforth is installed and are not
// part of this project. gforth's own tester needs floating-point words; two lines do what the files want of it. Once the words of
// the session count the tests, once a tester that is written in Forth, as that of the Forth 2012 suite is.
func TestPublicForthTests(t *testing.T) {
	if testing.Short() {
		t.Skip("starts ten processes; the package forth2012 runs the same files")
	}
	if _, err := os.Stat(publicTests); err != nil {
		t.Skipf("the public Forth tests are not there: %v; Debian's package gforth has them", err)
	}
	counted := regexp.MustCompile(`(?m)^tests: ([0-9]+) passed, ([0-9]+) failed$`)
	for _, tester := range []string{"words", "own"} {
		total := 0
		for _, f := range []struct {
			name string
			want int
		}{{"coretest", 639}, {"coreext", 4}, {"dbltest", 716}, {"string", 7}, {"deferred", 18}} {
			t.Run(tester+"/"+f.name, func(t *testing.T) {
				cmd := exec.Command("alto", "vm", "run", "--dialect", "forth2012", filepath.Join("testdata", "forth", tester, "tester.fs"),
					filepath.Join(publicTests, f.name+".fs"))
				cmd.Env = append(os.Environ(), "ALTO_HOME="+t.TempDir())
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v:\n%s", err, out)
				}
				m := counted.FindSubmatch(out)
				if m == nil {
					t.Fatalf("no tests are counted:\n%s", out)
				}
				passed, _ := strconv.Atoi(string(m[1]))
				if failed := string(m[2]); passed != f.want || failed != "0" {
					t.Errorf("%d tests passed, want %d, and %s failed:\n%s", passed, f.want, failed, out)
				}
				if total += passed; f.name == "dbltest" {
					total -= 639 // it has those of coretest too
				}
			})
		}
		t.Logf("tester %s: %d public tests passed", tester, total)
	}
}
