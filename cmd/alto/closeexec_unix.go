//go:build unix

package main

import (
	"os"
	"syscall"
)

// closeOnExec keeps a file descriptor from the processes that this one starts.
func closeOnExec(f *os.File) { syscall.CloseOnExec(int(f.Fd())) }
