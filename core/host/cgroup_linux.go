package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	cgroupPrefix = "alto-plugin-"
	// cgroupTimeout is how long a group may keep its dead before it is left to the next host.
	cgroupTimeout = 2 * time.Second
)

// cgroups makes control groups that limit memory. A nil one makes none.
type cgroups struct {
	parent string // the folder to make them in
	v2     bool
	host   string // of one process's hosts
	count  atomic.Uint64
}

// cgroup is one group. A nil one limits nothing.
type cgroup struct {
	dir string
	v2  bool
}

// findCgroups looks for a place where groups can be made, in version 1 and 2 of the kernel's interface. It returns nil where
// there is none.
func findCgroups(mount string) *cgroups {
	if mount == "" {
		mount = "/sys/fs/cgroup"
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	for _, c := range cgroupPlaces(mount, string(own)) {
		if c.v2 {
			// A child has the controller only if its parent passes it on.
			b, err := os.ReadFile(filepath.Join(c.parent, "cgroup.subtree_control"))
			if err != nil || !bytes.Contains(append(b, ' '), []byte("memory")) {
				continue
			}
		}
		c.host, err = newToken()
		if err != nil {
			return nil
		}
		c.sweep()
		try := c.make(1 << 40)
		if try != nil {
			try.remove()
			return c
		}
	}
	return nil
}

// cgroupPlaces lists the places that may do: this process's own group, and in version 2, where a group with processes can't
// have groups with limits, the one above.
func cgroupPlaces(mount, own string) []*cgroups {
	var out []*cgroups
	for _, line := range strings.Split(own, "\n") {
		f := strings.SplitN(line, ":", 3)
		if len(f) != 3 || !filepath.IsAbs(f[2]) {
			continue
		}
		switch {
		case f[0] == "0" && f[1] == "":
			for _, root := range []string{mount, filepath.Join(mount, "unified")} {
				dir := filepath.Join(root, f[2])
				out = append(out, &cgroups{parent: dir, v2: true})
				if dir != root {
					out = append(out, &cgroups{parent: filepath.Dir(dir), v2: true})
				}
			}
		case strings.Contains(","+f[1]+",", ",memory,"):
			root := filepath.Join(mount, "memory")
			// In a container the mount may begin at the own group already.
			out = append(out, &cgroups{parent: filepath.Join(root, f[2])}, &cgroups{parent: root})
		}
	}
	return out
}

// make makes a group with a limit, or returns nil.
func (c *cgroups) make(limit int64) *cgroup {
	if c == nil {
		return nil
	}
	g := &cgroup{dir: filepath.Join(c.parent, c.name(strconv.FormatUint(c.count.Add(1), 10))), v2: c.v2}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return nil
	}
	value := strconv.FormatInt(limit, 10)
	file, swap, none := "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", value
	if c.v2 {
		file, swap, none = "memory.max", "memory.swap.max", "0"
	}
	if g.write(file, value) != nil {
		g.remove()
		return nil
	}
	_ = g.write(swap, none) // not every kernel counts swap
	return g
}

// name is unique among the groups of all hosts, those of one process included.
func (c *cgroups) name(number string) string {
	return fmt.Sprintf("%s%d-%s-%s", cgroupPrefix, os.Getpid(), c.host, number)
}

// sweep removes the groups of hosts that were killed; their processes are dead.
func (c *cgroups) sweep() {
	old, err := filepath.Glob(filepath.Join(c.parent, cgroupPrefix+"*-*"))
	if err != nil {
		return
	}
	for _, dir := range old {
		text, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), cgroupPrefix), "-")
		if pid, err := strconv.Atoi(text); err == nil && !processExists(pid) {
			_ = syscall.Rmdir(dir)
		}
	}
}

// remove has nothing to do: each group goes with its process.
func (c *cgroups) remove() {}

func (g *cgroup) write(file, text string) error {
	f, err := os.OpenFile(filepath.Join(g.dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// joins are the files that a process writes 0 to in order to join.
func (g *cgroup) joins() []string {
	if g == nil {
		return nil
	}
	return []string{filepath.Join(g.dir, "cgroup.procs")}
}

// killed tells whether the kernel has killed a process of the group for its memory.
func (g *cgroup) killed() bool {
	if g == nil {
		return false
	}
	file := "memory.oom_control"
	if g.v2 {
		file = "memory.events"
	}
	b, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(b), "\n") {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return n != "0"
		}
	}
	return false
}

// remove kills what is left in the group and removes it.
func (g *cgroup) remove() {
	if g == nil {
		return
	}
	for deadline := time.Now().Add(cgroupTimeout); ; time.Sleep(5 * time.Millisecond) {
		err := syscall.Rmdir(g.dir)
		if err == nil || errors.Is(err, syscall.ENOENT) || time.Now().After(deadline) {
			return
		}
		b, _ := os.ReadFile(filepath.Join(g.dir, "cgroup.procs"))
		for _, text := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(text); err == nil && pid > 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}
