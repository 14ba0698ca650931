//go:build !unix

package observe

import "os/exec"

func group(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }

func reapGroup(*exec.Cmd) {}

func brokenPipe(error) bool { return false }

func runTied(cmd *exec.Cmd) error { return cmd.Run() }
