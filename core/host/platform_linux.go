package host

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

func fdPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// withoutParent makes the kernel kill the process when the launcher's thread ends, which is when this process does, and
// keeps the terminal's signals away from it.
func withoutParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// startProcess starts a command. A process that is not dumpable may not number the users of another's namespace, so for
// that moment this one is. Nobody gains by it: whoever of the same user is not confined can read the key's file as well.
func startProcess(cmd *exec.Cmd) error {
	if cmd.SysProcAttr != nil && cmd.SysProcAttr.Cloneflags&syscall.CLONE_NEWUSER != 0 {
		if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err == nil && dumpable != 1 {
			if unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) == nil {
				defer Harden()
			}
		}
	}
	return cmd.Start()
}

// Harden makes this process non-dumpable: other processes of the same user, root's apart, can't read its memory, and it
// leaves no core file with keys in it. What it executes is not affected.
func Harden() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) } // no kernel refuses; there is nothing to be done if one did

func ownUser(p plugin.Peer) error {
	if uid := os.Geteuid(); p.UID != uid {
		return fmt.Errorf("user %d has answered, not %d", p.UID, uid)
	}
	return nil
}

// parentOf returns the parent of a process, or 0.
func parentOf(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in parentheses, may hold anything.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return parent
}

// residentSet returns the resident memory of a process in bytes, or 0.
func residentSet(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
