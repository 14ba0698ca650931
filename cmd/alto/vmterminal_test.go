package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// terminal is a program in a terminal of 100 by 40 characters, that of a tmux server of its own.
type terminal struct {
	t      *testing.T
	socket string
}

// inTerminal starts alto in a terminal; when it has ended, the screen has "exit code" and its code.
func inTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed; what people see in a terminal is not tested")
	}
	dir, err := os.MkdirTemp("", "term") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, socket: filepath.Join(dir, "tmux")}
	t.Cleanup(func() {
		x.tmux("kill-server")
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("ALTO_HOME", filepath.Join(dir, "home"))
	t.Setenv("NO_COLOR", "1")
	var quoted []string
	for _, a := range args {
		quoted = append(quoted, "'"+a+"'")
	}
	x.tmux("-f", os.DevNull, "new-session", "-d", "-x", "100", "-y", "40", "alto "+strings.Join(quoted, " ")+`; echo "exit code $?"; exec cat`)
	return x
}

func (x *terminal) tmux(args ...string) string {
	x.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", x.socket}, args...)...).CombinedOutput()
	if err != nil {
		x.t.Fatalf("tmux %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// line types a line.
func (x *terminal) line(text string) {
	x.t.Helper()
	if rest, ok := strings.CutSuffix(text, ";"); ok {
		text = rest + `\;` // which tmux would take for the end of its command
	}
	x.tmux("send-keys", "-l", text)
	x.keys("Enter")
}

// keys presses keys by their names.
func (x *terminal) keys(names ...string) {
	x.t.Helper()
	x.tmux(append([]string{"send-keys"}, names...)...)
}

// await waits until the screen ends with a text, but for spaces and empty lines, and has others somewhere.
func (x *terminal) await(end string, within ...string) {
	x.t.Helper()
	screen := ""
	has := func() bool {
		for _, w := range within {
			if !strings.Contains(screen, w) {
				return false
			}
		}
		return strings.HasSuffix(screen, strings.TrimRight(end, " \n"))
	}
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if screen = strings.TrimRight(x.tmux("capture-pane", "-p"), " \n"); has() {
			return
		}
	}
	x.t.Fatalf("the screen never ends with %q and has %q:\n%s", end, within, screen)
}

// TestReplInTerminal talks to the VM as a person at a terminal does.
func TestReplInTerminal(t *testing.T) {
	x := inTerminal(t, "vm", "repl", "--gas", "4000000000")
	x.await("0>")
	x.line(": sq dup * ;")
	x.await(": sq dup * ;\n0>")
	x.line("7 sq .s")
	x.await("0> 7 sq .s\n49\n1>")

	// History, and a line that is given up.
	x.keys("Up")
	x.await("1> 7 sq .s")
	x.keys("Enter")
	x.await("49 49\n2>")
	x.tmux("send-keys", "-l", "nonsense")
	x.await("2> nonsense")
	x.keys("C-c")
	x.await("2>\n2>")

	// A definition that is open, and given up.
	x.line(": cube")
	x.await("2|")
	x.keys("C-c")
	x.await("2>")
	x.line(": cube")
	x.await("2|")
	x.line("dup sq * ;")
	x.await("2>")
	x.line("clear 3 cube .s")
	x.await("27\n1>")

	// What runs for ever is ended, and what came before stays.
	x.line("begin again")
	x.await("1> begin again")
	x.keys("C-c")
	x.await("interrupted; what came before stays\n1>")
	x.line("cube .s")
	x.await("19683\n1>")

	// An error shows its line.
	x.line("1 2 swpa")
	x.await("0>", `unknown word "swpa"`, "\n  1 2 swpa\n      ^")
	x.keys("C-d")
	x.await("exit code 0")
}

// TestDebugInTerminal steps through a contract as a person at a terminal does.
func TestDebugInTerminal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock.fs")
	source := ": hashlock\nswap\nhash\n== ;\n" +
		`x"368a693d784c7d1957ec748148a5de1e1f2e97f1f6360c69b0cfcf6471bbbf07" hashlock if 0 100 else 0 50 end 1` + "\n"
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	x := inTerminal(t, "vm", "debug", file, "--push-text", "the secret")
	x.await("(debug)")
	x.line("break hashlock")
	x.await("break 1 is set: hashlock\n(debug)")
	x.line("continue")
	x.await("(debug)", "break 1 is reached: hashlock", "in hashlock: swap", "  2 | swap\n    | ^")
	x.line("step")
	x.await("(debug)", "in hashlock: hash")
	x.keys("Enter") // once more
	x.await("(debug)", "in hashlock: ==")
	x.line("back 2")
	x.line("where")
	x.await("(debug)", "=>    2 | swap")
	x.line("out")
	x.line("print gas")
	x.await("of 1000000 is left\n(debug)")
	x.keys("C-c") // is not the end
	x.line("goto end")
	x.await("result 0 100 1, gas 403\n(debug)")
	x.line("quit")
	x.await("exit code 0")
}
