package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// closeTimeout is how long Close takes at most if its context says nothing: one second each for draining, closing the
// instances, and ending the processes.
const closeTimeout = 3 * time.Second

// Host runs the plugins of one node.
type Host struct {
	log       *slog.Logger
	runDir    string
	ownRunDir bool // made by New, removed by Close
	logDir    string
	logBytes  int64
	selfExe   string
	serveArgs func(string) []string
	shimArgs  []string
	noSandbox bool
	notify    func(Status)
	launcher  *launcher
	images    images
	cgroups   *cgroups

	mu        sync.Mutex
	processes map[string]*Process // by key
	logs      map[string]*logFile
	closed    bool
}

// New makes a host. It starts nothing yet.
func New(o Options) (*Host, error) {
	h := &Host{
		log: o.Logger, runDir: o.RunDir, logDir: o.LogDir, logBytes: o.LogBytes, selfExe: o.SelfExe, serveArgs: o.ServeArgs,
		shimArgs: o.ShimArgs, noSandbox: o.NoSandbox, notify: o.Notify,
		processes: map[string]*Process{}, logs: map[string]*logFile{}, images: images{by: map[string]*image{}},
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.logBytes <= 0 {
		h.logBytes = 10 << 20
	}
	if h.selfExe == "" {
		h.selfExe = "/proc/self/exe"
	}
	if h.serveArgs == nil {
		h.serveArgs = func(name string) []string { return []string{"plugin", "serve", name} }
	}
	if h.shimArgs == nil {
		h.shimArgs = []string{"plugin", "exec-shim"}
	}
	if err := h.makeRunDir(); err != nil {
		return nil, fmt.Errorf("plugin host: %w", err)
	}
	if h.logDir != "" {
		if err := os.MkdirAll(h.logDir, 0o700); err != nil {
			return nil, fmt.Errorf("plugin host: make the log folder: %w", err)
		}
	}
	h.cgroups = findCgroups(o.Cgroup)
	h.launcher = newLauncher()
	return h, nil
}

const runDirPrefix = "alto-run-"

// makeRunDir makes the folder for sockets. One that New makes itself carries the PID, so that what a killed host has left
// can be told from what is in use.
func (h *Host) makeRunDir() error {
	if h.runDir == "" {
		base := os.Getenv("XDG_RUNTIME_DIR")
		if st, err := os.Stat(base); base == "" || err != nil || !st.IsDir() || len(base)+len(runDirPrefix)+24 > MaxRunDir {
			base = "/tmp"
		}
		sweepRunDirs(base)
		dir, err := os.MkdirTemp(base, runDirPrefix+strconv.Itoa(os.Getpid())+"-")
		if err != nil {
			return fmt.Errorf("make the folder for sockets: %w", err)
		}
		h.runDir, h.ownRunDir = dir, true
	}
	dir, err := filepath.Abs(h.runDir)
	if err != nil {
		return err
	}
	h.runDir = dir
	if len(h.runDir) > MaxRunDir {
		return fmt.Errorf("the folder for sockets, %s, has a path of %d bytes; a unix socket leaves room for %d: choose a shorter one", h.runDir, len(h.runDir), MaxRunDir)
	}
	if err := os.MkdirAll(h.runDir, 0o700); err != nil {
		return fmt.Errorf("make the folder for sockets: %w", err)
	}
	if err := os.Chmod(h.runDir, 0o700); err != nil { // also if it was there before
		return fmt.Errorf("close the folder for sockets to others: %w", err)
	}
	return nil
}

// sweepRunDirs removes the folders of hosts that were killed.
func sweepRunDirs(base string) {
	old, err := filepath.Glob(filepath.Join(base, runDirPrefix+"*-*"))
	if err != nil {
		return
	}
	for _, dir := range old {
		text, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), runDirPrefix), "-")
		if pid, err := strconv.Atoi(text); err == nil && !processExists(pid) {
			_ = os.RemoveAll(dir) // a stranger's is not ours to remove
		}
	}
}

// Start runs a plugin, or shares the process of an equal spec that runs already. It returns when the plugin has described
// itself; the error is a [*StartError]. Each Start needs a [Process.Release], or Close of the host.
func (h *Host) Start(ctx context.Context, spec Spec) (*Process, error) {
	spec, err := spec.defaults()
	if err != nil {
		return nil, err
	}
	key := spec.key()
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil, fmt.Errorf("start plugin %q: %w", spec.Name, ErrClosed)
	}
	p := h.processes[key]
	if p == nil {
		p = newProcess(h, spec, key, h.logOf(spec.Name))
		h.processes[key] = p
		go p.begin() // not with ctx: others may be waiting for it too
	}
	p.refs++
	h.mu.Unlock()

	select {
	case <-p.begun:
		if p.beginErr != nil {
			return nil, p.beginErr // begin has taken it off the list
		}
	case <-ctx.Done():
		return nil, errors.Join(&StartError{Name: spec.Name, Path: spec.where(), Cause: context.Cause(ctx)}, p.Release(context.WithoutCancel(ctx)))
	}
	for _, k := range spec.Kinds {
		if _, ok := p.info.Find(k); !ok {
			err := fmt.Errorf("it is no %s plugin but %s", k, kindsText(p.info))
			return nil, errors.Join(&StartError{Name: spec.Name, Path: spec.where(), Cause: err}, p.Release(ctx))
		}
	}
	return p, nil
}

// logOf returns the log file of a plugin; the lock is held.
func (h *Host) logOf(name string) *logFile {
	l := h.logs[name]
	if l == nil {
		l = newLogFile(h.logDir, fileName(name), h.logBytes)
		h.logs[name] = l
	}
	return l
}

// fileName makes any name fit for a file.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, name)
}

// Close ends all plugins: asks them to drain, closes their instances, tells the processes to end, and kills those that
// have not after a second. When it returns nothing of them is left. Without a deadline in ctx it takes three seconds at
// most.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	all := make([]*Process, 0, len(h.processes))
	for _, p := range h.processes {
		all = append(all, p)
	}
	h.mu.Unlock()
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, closeTimeout)
		defer cancel()
	}
	var wg sync.WaitGroup
	errs := make([]error, len(all))
	for n, p := range all {
		wg.Go(func() { errs[n] = p.end(ctx) })
	}
	wg.Wait()
	h.launcher.close()
	h.cgroups.remove()
	for _, l := range h.logs {
		l.close()
	}
	err := errors.Join(errs...)
	if h.ownRunDir {
		err = errors.Join(err, os.RemoveAll(h.runDir))
	}
	return err
}

// Status lists all processes, in the order of their names.
func (h *Host) Status() []Status {
	h.mu.Lock()
	all := make([]*Process, 0, len(h.processes))
	for _, p := range h.processes {
		all = append(all, p)
	}
	h.mu.Unlock()
	return statusOf(all)
}
