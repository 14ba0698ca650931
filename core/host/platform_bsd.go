//go:build unix && !linux

package host

import (
	"os/exec"
	"syscall"
)

// withoutParent keeps the terminal's signals away from the process. That it ends with this one is the lifeline's matter.
func withoutParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func startProcess(cmd *exec.Cmd) error { return cmd.Start() }
