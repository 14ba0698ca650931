//go:build unix && !linux

package observe

import (
	"os/exec"
	"syscall"
)

func tie(*syscall.SysProcAttr) {}

func runTied(cmd *exec.Cmd) error { return cmd.Run() }
