//go:build unix

package observe

import (
	"errors"
	"os/exec"
	"syscall"
	"time"
)

// group makes the command the first of a process group of its own, so that it can be killed with all that it starts.
func group(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	tie(cmd.SysProcAttr)
}

// killGroup ends the command and what it has started.
func killGroup(cmd *exec.Cmd) error {
	return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
}

// reapGroup takes note of the end of what the command has started. Its parent is dead, so in a sandbox, where the plugin is
// process number 1, it is the plugin's child now, and would stay as a zombie until the plugin ends. Elsewhere there is
// nothing to do. The command itself must have been waited for.
func reapGroup(cmd *exec.Cmd) {
	pause := time.Millisecond
	for end := time.Now().Add(afterwards); ; pause = min(2*pause, afterwards/10) {
		switch pid, err := syscall.Wait4(-cmd.Process.Pid, nil, syscall.WNOHANG, nil); {
		case err == syscall.EINTR, pid > 0: // there may be more
			continue
		case err != nil: // none is left
			return
		}
		if time.Now().After(end) { // the kernel does not let it go; it is killed, all the same
			return
		}
		time.Sleep(pause)
	}
}

func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
