//go:build !unix

package host

import (
	"os"
	"os/exec"
	"syscall"
)

func killGroup(int) {}

// processExists can't tell, so everything is left alone.
func processExists(int) bool { return true }

func withoutParent() *syscall.SysProcAttr { return nil }

func startProcess(cmd *exec.Cmd) error { return cmd.Start() }

func signalOf(*os.ProcessState) string { return "" }
