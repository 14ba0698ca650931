package observe

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestNothingOfACommandIsLeftAsAZombie makes this process what the plugin is in its sandbox: the one that becomes the parent of
// what has lost its own.
func TestNothingOfACommandIsLeftAsAZombie(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skip(err)
	}
	defer func() {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); err != nil {
			t.Error(err)
		}
	}()
	other := exec.Command("/bin/sh", "-c", "exit 7") // a child of the plugin's own is not touched
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, script string
		timeout      time.Duration
	}{
		{"something is left behind", "sleep 1000 & echo YES", 20 * time.Second},
		{"generations", `sh -c 'sh -c "sleep 1000 & sleep 1000" & sleep 1000' & echo YES`, 20 * time.Second},
		{"it has ended itself", "(sleep 0 &) ; sleep 0 & echo YES", 20 * time.Second},
		{"the time-out", "mm=$(sleep 1000; echo 1) || exit 1; echo YES", 300 * time.Millisecond},
		{"too much", "yes YES", 20 * time.Second},
	} {
		s := source(t, Config{Kind: Command, Argv: []string{"/bin/sh", "-c", c.script}, Timeout: c.timeout})
		for range 3 {
			_, _ = s.Observe(t.Context(), question)
		}
		var left []string
		for pid, name := range children(t) {
			if pid != other.Process.Pid {
				left = append(left, name)
			}
		}
		if len(left) > 0 {
			t.Errorf("%s: left are %q", c.name, left)
		}
	}
	var exit *exec.ExitError
	if err := other.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("the plugin's own child: %v", err)
	}
}

// children lists this process's children, dead or alive, with what the kernel says of them.
func children(t *testing.T) map[int]string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil { // it has ended
			continue
		}
		pid, _, _ := strings.Cut(string(b), " ")
		i := strings.LastIndexByte(string(b), ')') // what comes before is the program's name, which may be anything
		fields := strings.Fields(string(b)[i+1:])
		if len(fields) < 2 || fields[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		out[n] = string(b)[:i+1] + " " + fields[0]
	}
	return out
}
