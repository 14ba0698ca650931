package observe

import (
	"os/exec"
	"runtime"
	"syscall"
)

// tie makes the kernel kill the command when the plugin is killed.
func tie(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }

// runTied runs the command from one thread, which lasts: the kernel takes the end of the thread that started a command for
// the end of the plugin.
func runTied(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.Run()
}
