package e2e_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/paloalto-chain/paloalto/internal/localnet"
)

// process is a process as the kernel knows it. Its start time tells it from a later one with the same pid.
type process struct {
	pid, parent int
	started     string
	state       string
	cmdline     string
}

func (p process) String() string { return fmt.Sprintf("%d (%s) %s", p.pid, p.state, p.cmdline) }

// alive tells whether it is still there. One that waits to be reaped is not: it has no memory, socket or port.
func (p process) alive() bool {
	now, ok := readProcess(p.pid)
	return ok && now.started == p.started && now.state != "Z" && now.state != "X"
}

func (p process) signal(s syscall.Signal) {
	if p.alive() {
		_ = syscall.Kill(p.pid, s)
	}
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

// familyOf returns a process with all its descendants, parents first, and everything whose command line names the folder.
func familyOf(root int, folder string) []process {
	entries, _ := filepath.Glob("/proc/[0-9]*")
	all := map[int]process{}
	for _, e := range entries {
		if pid, err := strconv.Atoi(filepath.Base(e)); err == nil && pid != os.Getpid() {
			if p, ok := readProcess(pid); ok && p.state != "Z" {
				all[pid] = p
			}
		}
	}
	var out []process
	seen := map[int]bool{}
	var add func(pid int)
	add = func(pid int) {
		if p, ok := all[pid]; ok && !seen[pid] {
			seen[pid] = true
			out = append(out, p)
			for _, c := range all {
				if c.parent == pid {
					add(c.pid)
				}
			}
		}
	}
	if root > 1 {
		add(root)
	}
	for _, p := range all {
		if strings.Contains(p.cmdline, folder) {
			add(p.pid)
		}
	}
	return out
}

// awaitGone waits until processes have ended, and returns those that have not.
func awaitGone(list []process, d time.Duration) []process {
	for end := time.Now().Add(d); ; time.Sleep(10 * time.Millisecond) {
		var left []process
		for _, p := range list {
			if now, ok := readProcess(p.pid); ok && p.alive() {
				left = append(left, now)
			}
		}
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
	}
}

// family returns the network's processes.
func (n *network) family() []process { return familyOf(n.supervisor(), n.home) }

// nodePIDs returns the pids of the nodes, in their order.
func (n *network) nodePIDs() []int {
	n.Helper()
	info, err := localnet.NewControl(n.dir).Info(n.ctx())
	if err != nil {
		n.Fatal(err)
	}
	var out []int
	for _, x := range n.state.Nodes {
		out = append(out, info.Nodes[x.Name])
	}
	return out
}

// awaitNothing waits until nothing is left of a network that had these processes: no process, no socket, no port. It returns
// how long the processes took.
func (n *network) awaitNothing(procs []process, nodes []int) time.Duration {
	n.Helper()
	start := time.Now()
	if left := awaitGone(procs, 10*time.Second); len(left) > 0 {
		n.Fatalf("processes are left: %v", left)
	}
	took := time.Since(start)
	for end := start.Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := n.traces(nodes)
		if err == nil {
			return took
		}
		if time.Now().After(end) {
			n.Fatal(err)
		}
	}
}

// traces tells what is left of the network's sockets and ports.
func (n *network) traces(nodes []int) error {
	sockets, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return err
	}
	names := []string{n.home}
	for _, x := range n.state.Nodes {
		names = append(names, strings.TrimPrefix(localnet.AdminAddress(localnet.NodeDir(n.dir, x.Name)), "unix:"))
	}
	for _, pid := range nodes {
		names = append(names, fmt.Sprintf("alto-run-%d-", pid))
		files, err := filepath.Glob(fmt.Sprintf("%s/alto-run-%d-*/*/*", os.TempDir(), pid))
		if err != nil || len(files) > 0 {
			return fmt.Errorf("files are left: %v %v", files, err)
		}
	}
	for _, name := range names {
		if strings.Contains(string(sockets), name) {
			return fmt.Errorf("there is still a socket %s", name)
		}
	}
	if localnet.Running(n.dir) {
		return fmt.Errorf("the network's lock is held")
	}
	for _, x := range n.state.Nodes {
		l, err := net.Listen("tcp", x.API)
		if err != nil {
			return fmt.Errorf("the API's port of %s: %w", x.Name, err)
		}
		_ = l.Close()
		u, err := net.ListenPacket("udp", x.Listen)
		if err != nil {
			return fmt.Errorf("the transport's port of %s: %w", x.Name, err)
		}
		_ = u.Close()
	}
	return nil
}
