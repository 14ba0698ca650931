//go:build !unix

package plugintest

import "syscall"

func ownGroup() *syscall.SysProcAttr { return nil }

func killGroup(int) {}
