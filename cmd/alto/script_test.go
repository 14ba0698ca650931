package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/internal/localnet"
)

// TestMain makes the test binary be alto when it is called alto: for scripts, and for the nodes and plugins that those start.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"alto": main})
}

// TestScript runs testdata/script/*.txtar: command lines with what they print and their very exit codes. Scripts whose names
// begin with "network" bring networks up and are left out with -short and -race. Besides testscript's commands there are
//
//	exits CODE COMMAND…   runs it; it must end with that exit code
//	capture NAME REGEXP   sets a variable to what the parenthesis matches in the last standard output
//	eventually COMMAND…   runs it again and again until it succeeds, for at most 20 s
//	fetch URL FILE [REGEXP] writes what a GET answers to a file, for at most 20 s again and again until it matches
//	unruly NAME           makes a misbehaving plugin of that name in the current folder; see internal/testplugins/unruly
//	example NAME          builds the plugin examples/plugins/NAME, a Go module of its own, into the current folder
func TestScript(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	if testing.Short() || raced { // two dozen raced processes a network are too slow, and each takes a second to end
		files = slices.DeleteFunc(files, func(f string) bool { return strings.HasPrefix(filepath.Base(f), "network") })
	}
	p := scriptParams(t)
	p.Files = files
	testscript.Run(t, p)
}

// scriptParams are what all scripts run with.
func scriptParams(t *testing.T) testscript.Params {
	return testscript.Params{
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("ALTO_HOME", home)
			e.Setenv("NO_COLOR", "1")
			e.Defer(func() { killNetworks(t, home) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": cmdExits, "capture": cmdCapture, "eventually": cmdEventually, "unruly": cmdUnruly,
			"fetch": cmdFetch, "example": cmdExample},
	}
}

// killNetworks ends the supervisors that a script has left, and with them all else.
func killNetworks(t *testing.T, home string) {
	locks, err := filepath.Glob(filepath.Join(home, "networks", "*", "lock"))
	if err != nil {
		t.Error(err)
	}
	for _, l := range locks {
		if !localnet.Running(filepath.Dir(l)) {
			continue
		}
		b, err := os.ReadFile(l)
		if err != nil {
			t.Error(err)
			continue
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func cmdEventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: eventually COMMAND…")
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[0], args[1:]...)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%v", err)
		}
	}
}

func cmdCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) != 2 {
		ts.Fatalf("%q does not match the standard output once", args[1])
	}
	ts.Setenv(args[0], m[1])
}

func cmdFetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: fetch URL FILE [REGEXP]")
	}
	want, err := regexp.Compile("(?m)" + strings.Join(args[2:], ""))
	ts.Check(err)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		b, err := get(args[0])
		ts.Check(err)
		if want.Match(b) {
			ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o600))
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s never has what matches %q", args[0], args[2])
		}
	}
}

func get(url string) ([]byte, error) {
	res, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // it is only read
	return io.ReadAll(io.LimitReader(res.Body, 16<<20))
}

// buildUnruly builds the misbehaving plugin once for all scripts.
var buildUnruly = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "unruly-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "unruly")
	out, err := exec.Command("go", "build", "-o", path, "../../internal/testplugins/unruly").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("build the unruly plugin: %w: %s", err, out)
	}
	return os.ReadFile(path)
})

func cmdUnruly(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: unruly NAME")
	}
	b, err := buildUnruly()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o700))
}

func cmdExample(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: example NAME")
	}
	folder, err := filepath.Abs(filepath.Join("..", "..", "examples", "plugins", args[0]))
	ts.Check(err)
	build := exec.Command("go", "build", "-o", ts.MkAbs(args[0]), ".")
	build.Dir = folder
	if out, err := build.CombinedOutput(); err != nil {
		ts.Fatalf("build the example %s: %v\n%s", args[0], err, out)
	}
}

// TestHelp checks what the help of every command must have: a short line, a long text for verbs, and three examples that name
// the command and whose flags exist.
func TestHelp(t *testing.T) {
	root := (&app{in: strings.NewReader(""), out: io.Discard, err: io.Discard}).root()
	seen := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, s := range c.Commands() {
			walk(s)
		}
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" || (c.Parent() != nil && c.Parent().Name() == "completion") {
			return
		}
		seen++
		t.Run(strings.ReplaceAll(c.CommandPath(), " ", "/"), func(t *testing.T) {
			if c.Short == "" || strings.HasSuffix(c.Short, ".") {
				t.Errorf("short help %q: a phrase without a full stop is wanted", c.Short)
			}
			if !c.HasSubCommands() && !strings.HasSuffix(c.Long, ".") {
				t.Errorf("long help %q: sentences are wanted", c.Long)
			}
			examples := strings.Split(strings.TrimRight(c.Example, "\n"), "\n")
			if len(examples) != 3 {
				t.Errorf("%d examples, want 3:\n%s", len(examples), c.Example)
			}
			own := 0
			for _, e := range examples {
				line := exampleLine(e)
				if strings.HasPrefix(line, c.CommandPath()) || c == root {
					own++
				}
				checkExample(t, root, line)
			}
			if own < 2 && c.CommandPath() != "alto plugin lock" {
				t.Errorf("only %d examples are of %s", own, c.CommandPath())
			}
		})
	}
	walk(root)
	if seen < 30 {
		t.Errorf("only %d commands were found", seen)
	}
}

// exampleLine takes the remark and the environment off an example.
func exampleLine(e string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(e), "    ")
	if _, rest, ok := strings.Cut(line, " alto "); ok && strings.HasPrefix(line, "ALTO_") {
		line = "alto " + rest
	}
	return strings.TrimSpace(line)
}

func checkExample(t *testing.T, root *cobra.Command, line string) {
	t.Helper()
	words := strings.Fields(line)
	if len(words) < 1 || words[0] != "alto" {
		t.Errorf("example %q does not begin with alto", line)
		return
	}
	c, rest, err := root.Find(words[1:])
	if err != nil || (c.HasSubCommands() && !c.Runnable() && c != root) {
		t.Errorf("example %q: no such command: %v", line, err)
		return
	}
	for _, w := range rest {
		name, long := strings.CutPrefix(w, "--")
		if long && c.Flag(name) == nil && c.InheritedFlags().Lookup(name) == nil {
			t.Errorf("example %q: %s has no flag --%s", line, c.CommandPath(), name)
		}
	}
}
