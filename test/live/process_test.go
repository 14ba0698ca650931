package live

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is a process as the kernel knows it. Its start time tells it from a later one with the same pid.
type process struct {
	pid, parent             int
	started, state, cmdline string
}

func (p process) String() string { return fmt.Sprintf("%d (%s) %s", p.pid, p.state, p.cmdline) }

// alive tells whether it is still there. One that waits to be reaped is not: it has no memory, socket or port.
func (p process) alive() bool {
	now, ok := readProcess(p.pid)
	return ok && now.started == p.started && now.state != "Z" && now.state != "X"
}

func readProcess(pid int) (process, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, false
	}
	rest := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(rest) < 20 {
		return process{}, false
	}
	p := process{pid: pid, state: rest[0], started: rest[19]}
	p.parent, _ = strconv.Atoi(rest[1])
	cmd, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	p.cmdline = strings.TrimSpace(strings.ReplaceAll(string(cmd), "\x00", " "))
	return p, true
}

// familyOf returns processes with all their descendants.
func familyOf(roots map[string]int) (out []process) {
	entries, _ := filepath.Glob("/proc/[0-9]*")
	children := map[int][]process{}
	for _, e := range entries {
		if pid, err := strconv.Atoi(filepath.Base(e)); err == nil {
			if p, ok := readProcess(pid); ok && p.state != "Z" {
				children[p.parent] = append(children[p.parent], p)
			}
		}
	}
	var add func(p process)
	add = func(p process) {
		out = append(out, p)
		for _, c := range children[p.pid] {
			add(c)
		}
	}
	for _, pid := range roots {
		if p, ok := readProcess(pid); ok {
			add(p)
		}
	}
	return out
}

// awaitGone waits until processes have ended, and returns those that have not.
func awaitGone(list []process, d time.Duration) []process {
	for end := time.Now().Add(d); ; time.Sleep(10 * time.Millisecond) {
		var left []process
		for _, p := range list {
			if p.alive() {
				left = append(left, p)
			}
		}
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
	}
}
