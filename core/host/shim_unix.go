//go:build unix

package host

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// become confines this process and executes the program.
func (o *shimOrder) become() error {
	runtime.LockOSThread() // the confinement is the thread's, and so is what it executes
	report, err := o.confine()
	if err != nil {
		return err
	}
	if o.Report > 2 {
		f := os.NewFile(uintptr(o.Report), "report")
		if _, err := f.WriteString(report); err != nil {
			return fmt.Errorf("report to the host: %w", err)
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("report to the host: %w", err)
		}
	}
	path := o.Path
	if path == "" {
		path = fdPath(o.Image)
		if !o.Script {
			syscall.CloseOnExec(o.Image)
		}
	}
	if err := syscall.Exec(path, o.Args, os.Environ()); err != nil {
		return fmt.Errorf("execute %s: %w", o.Args[0], err)
	}
	return nil
}
