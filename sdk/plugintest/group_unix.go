//go:build unix

package plugintest

import "syscall"

// ownGroup puts a process into a group of its own, which its children belong to as well.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills all that is left of a group.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
