//go:build unix

package sdk

import "syscall"

// prepare keeps the descriptor out of this process's own children, and lets it be awaited without a thread.
func prepare(fd int) {
	syscall.CloseOnExec(fd)
	_ = syscall.SetNonblock(fd, true) // otherwise it costs a thread, no more
}
