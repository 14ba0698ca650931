package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// memoryPoll is how often the memory of a limited plugin is looked at.
	memoryPoll = 200 * time.Millisecond
	// reportTimeout is how long the shim's report is awaited, which it has sent before it became the plugin.
	reportTimeout = time.Second
)

// cage is what holds one process. A nil cage holds nothing.
type cage struct {
	limit    int64    // bytes of memory; 0: none
	group    *cgroup  // nil: none was asked for, or none can be made
	report   *os.File // what the shim has done
	isolated bool     // it has a PID namespace
	shim     string   // the report
	over     atomic.Bool
}

// cagedCommand runs the plugin by way of the shim, which confines itself and then becomes the plugin.
func (u *unit) cagedCommand(i *incarnation, env []string, dir string) (*procRunner, error) {
	s, h := u.p.spec, u.p.h
	t := u.p.target()
	cmd := &exec.Cmd{Path: h.selfExe, Env: env, Dir: "/"}
	order := shimOrder{Path: t.path, Args: t.args, OpenFiles: s.Limits.OpenFiles, Sandbox: !s.NoSandbox}
	if t.image != nil {
		inheritFile(cmd, t.image.file)
		order.Image, order.Script = 2+len(cmd.ExtraFiles), t.image.script
	}
	r, err := newProcRunner(s.Name, cmd, h.launcher)
	if err != nil {
		return nil, err
	}
	c := &cage{limit: s.Limits.Memory}
	i.cage = c
	if err := r.addLifeline(); err != nil {
		return nil, errors.Join(err, r.discard())
	}
	order.Lifeline = 2 + len(cmd.ExtraFiles)
	report, wr, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, r.discard())
	}
	c.report = report
	r.inherited = append(r.inherited, wr)
	cmd.ExtraFiles = append(cmd.ExtraFiles, wr)
	order.Report = 2 + len(cmd.ExtraFiles)
	if c.limit > 0 {
		c.group = h.cgroups.make(c.limit)
		order.Group = c.group.joins()
	}
	if order.Sandbox {
		u.allow(&order, dir)
	}
	text, err := order.encode()
	if err != nil {
		return nil, errors.Join(err, r.discard())
	}
	cmd.Args = append(append([]string{"alto"}, h.shimArgs...), text)
	cmd.SysProcAttr = withoutParent()
	if order.Sandbox {
		c.isolated = true
		isolate(cmd.SysProcAttr)
		r.fallBack = func() { c.isolated, r.group = false, true }
	} else {
		r.group = true
	}
	return r, nil
}

// allow lists what the sandbox leaves open.
func (u *unit) allow(o *shimOrder, socketDir string) {
	s := u.p.spec
	o.Online = s.online()
	o.Write = append(o.Write, socketDir)
	if u.dataDir != "" {
		o.Write = append(o.Write, u.dataDir)
	}
	for _, g := range s.Grants {
		if g.Write {
			o.Write = append(o.Write, g.Path)
		} else {
			o.Read = append(o.Read, g.Path)
		}
	}
	// The node's home is never laid open because it happens to lie in a system folder.
	o.Private = append(o.Private, u.p.h.runDir)
	if s.DataDir != "" {
		o.Private = append(o.Private, s.DataDir)
	}
}

// isolate gives a process a PID namespace, in which it is the first: with its end the kernel ends all that are in it.
// Without privileges that takes a user namespace, in which the user keeps its number.
func isolate(a *syscall.SysProcAttr) {
	a.Cloneflags = syscall.CLONE_NEWPID
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		return
	}
	a.Cloneflags |= syscall.CLONE_NEWUSER
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
}

// settled is called when the plugin is there: the shim has done its work.
func (c *cage) settled() {
	if c == nil || c.report == nil {
		return
	}
	_ = c.report.SetReadDeadline(time.Now().Add(reportTimeout))
	b, _ := io.ReadAll(io.LimitReader(c.report, 4096)) // what is missing shows as missing
	c.shim = string(b)
}

// String tells what holds the process, for people.
func (c *cage) String() string {
	if c == nil {
		return "none"
	}
	var parts []string
	if c.shim != "" {
		parts = append(parts, c.shim)
	}
	if c.isolated {
		parts = append(parts, "PID namespace")
	}
	switch {
	case c.limit == 0:
	case c.group != nil:
		parts = append(parts, "memory cgroup")
	default:
		parts = append(parts, "memory watched")
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// overMemory tells whether the process was lost because it used too much.
func (c *cage) overMemory() bool {
	return c != nil && (c.over.Load() || c.group.killed())
}

// watch looks after the memory until ctx ends. Where a control group limits it, the kernel kills some process in the group
// and perhaps not the plugin itself, which is then of no use either.
func (c *cage) watch(ctx context.Context, pid int, lose func(error)) {
	if c == nil || c.limit == 0 {
		return
	}
	tick := time.NewTicker(memoryPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if c.group.killed() {
			lose(fmt.Errorf("%w of %s: the kernel has killed a process of it", ErrMemory, bytesText(c.limit)))
			return
		}
		if c.group != nil {
			continue
		}
		if n := treeResident(pid); n > c.limit {
			c.over.Store(true)
			lose(fmt.Errorf("%w of %s: it and its children use %s", ErrMemory, bytesText(c.limit), bytesText(n)))
			return
		}
	}
}

// remove clears away what is left of the cage, once the process has ended.
func (c *cage) remove() {
	if c == nil {
		return
	}
	if c.report != nil {
		_ = c.report.Close()
	}
	c.group.remove()
}

// treeResident sums the resident memory of a process and its descendants.
func treeResident(root int) int64 {
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return residentSet(root)
	}
	children := map[int][]int{}
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscanf(e, "/proc/%d", &pid); err == nil {
			parent := parentOf(pid)
			children[parent] = append(children[parent], pid)
		}
	}
	var sum int64
	for todo := []int{root}; len(todo) > 0; {
		pid := todo[0]
		todo = append(todo[1:], children[pid]...)
		sum += residentSet(pid)
	}
	return sum
}
