package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/paloalto-chain/paloalto/chainspec"
	"github.com/paloalto-chain/paloalto/internal/localnet"
)

// envReport holds the file descriptor on which a detached supervisor tells how the start goes.
const envReport = "ALTO_UP_REPORT"

// upOptions are the flags of alto up.
type upOptions struct {
	vars    []string
	detach  bool
	demo    bool
	timeout time.Duration
	faults  string // empty: the nodes speak to each other directly
	seed    uint64
	seeded  bool
}

func (a *app) upCmd() *cobra.Command {
	var o upOptions
	c := &cobra.Command{
		Use:   "up [SPEC]",
		Short: "Start the network of a spec on this machine",
		Long: "Starts every node of the spec's network, each with its plugins as processes of their own, and waits until every chain has a final\n" +
			"block. It then stays in the foreground until Ctrl-C or `alto down`; with --detach it returns. Ports and data stay the same over\n" +
			"down and up. SPEC may be left out for a network that was up before. With --faults the links between the nodes go through a proxy that\n" +
			"loses, delays, reorders or alters datagrams once the network is up; `alto net faults` changes that while it runs.",
		Example: "  alto up examples/quickstart.hcl\n  alto up examples/quickstart.hcl --demo      send a transfer and show that it is final\n  alto up my.hcl --detach --var shards=4 --faults \"loss=1% delay=50ms\"",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			path := ""
			if len(args) > 0 {
				path = args[0]
			}
			o.seeded = c.Flags().Changed("fault-seed")
			if o.faults == "" && c.Flags().Changed("faults") {
				return coded(exitUsage, errors.New("--faults is empty; say none if nothing is to be wrong yet"))
			}
			return a.up(c.Context(), path, o)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.vars, "var", nil, "set a variable of the spec, NAME=VALUE; may be repeated")
	f.BoolVarP(&o.detach, "detach", "d", false, "leave the network running in the background")
	f.BoolVar(&o.demo, "demo", false, "when the network is up, send a transfer and show that it is final")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "how long the network may take to come up")
	f.StringVar(&o.faults, "faults", "", "what all links suffer once the network is up, such as \"loss=1% delay=50ms\", or none; see `alto net faults set --help`")
	f.Uint64Var(&o.seed, "fault-seed", 0, "what the fate of datagrams is drawn from (default: another each time)")
	return c
}

func (a *app) up(ctx context.Context, path string, o upOptions) error {
	bad, err := a.badNetwork(&o)
	if err != nil {
		return err
	}
	if path == "" {
		s, _, err := a.state()
		if err != nil {
			return err
		}
		path = s.Spec
	}
	l, err := a.load(path, o.vars)
	if err != nil {
		return err
	}
	plan, err := a.plan(l)
	if err == nil {
		err = bad.adjust(&plan)
	}
	if err != nil {
		return err
	}
	dir := localnet.Dir(a.home, plan.Network.Name)
	if localnet.Running(dir) {
		return coded(exitFailed, fmt.Errorf("network %s: %w; `alto status` shows it, `alto down` ends it", plan.Network.Name, localnet.ErrRunning))
	}
	dir, s, fresh, err := localnet.Prepare(plan)
	if err != nil {
		return coded(exitConfig, err)
	}
	if fresh {
		a.progress("network %s: made in %s", s.Name, dir)
	}
	if err := copyLock(l.folder, dir, s); err != nil {
		return err
	}
	if o.detach {
		return a.upDetached(ctx, dir, s, path, o)
	}
	return a.supervise(ctx, dir, s, o, bad)
}

// plan is what a loaded spec's network is made from.
func (a *app) plan(l *loaded) (localnet.Plan, error) {
	n, err := l.spec.Network(a.network)
	if err != nil {
		return localnet.Plan{}, coded(exitConfig, err)
	}
	sources, err := l.sources()
	if err != nil {
		return localnet.Plan{}, err
	}
	return localnet.Plan{Home: a.home, Spec: l.spec, Network: n, Schemas: l.schemas, Plugins: sources,
		Tell: func(line string) { a.progress("network %s: %s", n.Name, line) }}, nil
}

// copyLock puts the lock file beside each node's configuration, where the node finds the schemas of external plugins.
func copyLock(from, dir string, s *localnet.State) error {
	b, err := os.ReadFile(filepath.Join(from, chainspec.LockFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, n := range s.Nodes {
		if err == nil {
			err = os.WriteFile(filepath.Join(localnet.NodeDir(dir, n.Name), chainspec.LockFile), b, 0o600)
		}
	}
	if err != nil {
		return coded(exitConfig, fmt.Errorf("lock file: %w", err))
	}
	return nil
}

// upEvent is what a detached supervisor tells the command that started it.
type upEvent struct {
	Line string `json:"line,omitempty"` // of progress
	Done bool   `json:"done,omitempty"`
	Err  string `json:"err,omitempty"`
	Code int    `json:"code,omitempty"`
}

// teller tells how the start goes: to the command that started this process in the background, or on standard error.
type teller struct {
	a  *app
	mu sync.Mutex
	w  *os.File
}

func (t *teller) line(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.w == nil {
		t.a.progress("%s", line)
		return
	}
	_ = json.NewEncoder(t.w).Encode(upEvent{Line: line})
}

// end tells how the start ended; what is told afterwards goes to standard error.
func (t *teller) end(e upEvent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.w != nil {
		_ = json.NewEncoder(t.w).Encode(e)
		_ = t.w.Close()
		t.w = nil
	}
}

// supervise runs the network in this process until it is told to end.
func (a *app) supervise(ctx context.Context, dir string, s *localnet.State, o upOptions, bad *badNetwork) (err error) {
	t := &teller{a: a, w: inherited(envReport)}
	tell := t.line
	detached := t.w != nil
	defer func() { // no effect once the network is up
		if err != nil {
			t.end(upEvent{Err: err.Error(), Code: exitCode(ctx, err)})
		}
	}()
	started := time.Now()
	proxy, err := bad.start(s)
	if err != nil {
		return err
	}
	if proxy != nil {
		defer proxy.Close()
	}
	sup, err := localnet.NewSupervisor(dir, localnet.Options{Faults: proxy, Notify: func(e localnet.Event) {
		switch {
		case e.Error != "":
			tell("%s: %s", e.Node, e.Error)
		case e.Stage == "ready" || e.Stage == "stopped":
			tell("%s: %s", e.Node, e.Stage)
		}
	}})
	if err != nil {
		return err
	}
	defer func() {
		cctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if cerr := sup.Close(cctx); cerr != nil {
			a.progress("alto: %v", cerr)
		}
	}()
	sctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	go func() { // `alto down` while the network comes up
		select {
		case <-sup.Down():
			cancel()
		case <-sctx.Done():
		}
	}()
	if err := sup.StartAll(sctx); err != nil {
		return startFailed(ctx, sctx, err)
	}
	tell("network %s: %d nodes run; waiting for the first final block of %d chain(s)", s.Name, len(s.Nodes), len(s.Chains))
	if err := waitFinal(sctx, s, tell); err != nil {
		return startFailed(ctx, sctx, err)
	}
	if err := bad.begin(proxy, tell); err != nil {
		return err
	}
	tell("network %s is up after %.1f s", s.Name, time.Since(started).Seconds())
	for _, c := range s.Chains {
		tell("  chain %-12s %s", c.Name, c.ID)
	}
	for _, n := range s.Nodes {
		tell("  node  %-12s api http://%s", n.Name, n.API)
	}
	if o.demo {
		if err := a.demo(sctx, dir, s, tell); err != nil {
			return err
		}
	}
	cancel()
	t.end(upEvent{Done: true})
	if !detached {
		go a.liveLine(ctx, s, sup.Down())
		defer fmt.Fprintln(a.err)
	}
	select {
	case <-ctx.Done():
	case <-sup.Down():
	}
	return nil
}

// startFailed gives the reason why a network did not come up its exit code. outer is the command's context, ctx that of the
// start: outer with a time limit, and cancelled by `alto down`.
func startFailed(outer, ctx context.Context, err error) error {
	var n *localnet.NodeError
	switch {
	case outer.Err() != nil:
		return coded(exitInterrupted, errors.New("interrupted before the network was up; nothing of it runs, its data stays"))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return coded(exitTimeout, err)
	case ctx.Err() != nil:
		return coded(exitInterrupted, errors.New("`alto down` ended the network before it was up"))
	case errors.As(err, &n) && n.Code > exitFailed:
		return coded(n.Code, err)
	}
	return coded(exitUnhealthy, err)
}

// upDetached starts the supervisor as a process of its own and returns when the network is up.
func (a *app) upDetached(ctx context.Context, dir string, s *localnet.State, path string, o upOptions) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	logPath := filepath.Join(dir, "supervisor.log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return errors.Join(err, w.Close())
	}
	args := []string{"up", path, "--home", a.home, "--network", s.Name, "--timeout", o.timeout.String()}
	for _, v := range o.vars {
		args = append(args, "--var", v)
	}
	if o.demo {
		args = append(args, "--demo")
	}
	if o.faults != "" {
		args = append(args, "--faults", o.faults, "--fault-seed", strconv.FormatUint(o.seed, 10))
	}
	cmd := exec.Command(localnet.SelfExe(), args...)
	cmd.Args[0] = "alto"
	cmd.Env = append(os.Environ(), envReport+"=3")
	cmd.ExtraFiles = []*os.File{w}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = w.Close()
	_ = log.Close()
	if err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	d := json.NewDecoder(r)
	for {
		var e upEvent
		if err := d.Decode(&e); err != nil {
			_ = cmd.Wait()
			if errors.Is(err, io.EOF) {
				err = errors.New("it ended")
			}
			return fmt.Errorf("the supervisor of network %s: %w; its log: %s", s.Name, err, logPath)
		}
		switch {
		case e.Err != "":
			_ = cmd.Wait()
			return coded(e.Code, errors.New(e.Err))
		case e.Done:
			a.progress("it runs in the background (pid %d); `alto status` shows it, `alto down` ends it", cmd.Process.Pid)
			return cmd.Process.Release()
		default:
			a.progress("%s", e.Line)
		}
	}
}
