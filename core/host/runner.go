package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin/runner"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// pipeGrace is how long what a dead process wrote is read for. A process of its own that survives it might hold the pipe
// open for ever.
const pipeGrace = 200 * time.Millisecond

// killSignal is what signalOf says of a process that was killed.
const killSignal = "killed"

// procRunner runs one process for go-plugin. Unlike go-plugin's own it clears standard input, starts from the launcher's
// thread, notices the end of the process by itself, and never waits for a pipe that someone else holds.
type procRunner struct {
	name     string
	cmd      *exec.Cmd
	launcher *launcher
	group    bool   // kill the process group too: there is no PID namespace that does it
	fallBack func() // told that the process could not have its namespaces; nil: it asks for none

	stdout, stderr *os.File
	inherited      []io.Closer   // the child's ends, closed here once it runs
	lifeline       *os.File      // our end; it is closed when the process has ended
	exited         chan struct{} // closed when the process has ended; state and waitErr are set before
	state          *os.ProcessState
	waitErr        error

	mu      sync.Mutex
	process *os.Process
	doomed  bool // killed, perhaps before it was started
	shot    bool // killed while it ran
}

var _ runner.Runner = (*procRunner)(nil)

func newProcRunner(name string, cmd *exec.Cmd, l *launcher) (*procRunner, error) {
	r := &procRunner{name: name, cmd: cmd, launcher: l, exited: make(chan struct{})}
	pipe := func(child **os.File) (*os.File, error) {
		rd, wr, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		*child = wr
		r.inherited = append(r.inherited, wr)
		return rd, nil
	}
	var out, errOut *os.File
	var err error
	if r.stdout, err = pipe(&out); err != nil {
		return nil, err
	}
	if r.stderr, err = pipe(&errOut); err != nil {
		return nil, errors.Join(err, r.stdout.Close(), out.Close())
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, out, errOut
	return r, nil
}

// Start implements runner.Runner.
func (r *procRunner) Start(context.Context) error {
	var err error
	r.launcher.do(func() { err = r.start() })
	for _, c := range r.inherited {
		_ = c.Close()
	}
	r.inherited = nil
	if err != nil {
		_ = r.discard() // the start's error says more
		r.waitErr = err
		close(r.exited)
		return err
	}
	r.mu.Lock()
	r.process = r.cmd.Process
	doomed := r.doomed
	r.mu.Unlock()
	if doomed {
		_ = r.Kill(context.Background())
	}
	go func() {
		r.waitErr = r.cmd.Wait()
		r.state = r.cmd.ProcessState
		if r.group {
			killGroup(r.process.Pid)
		}
		if r.lifeline != nil {
			_ = r.lifeline.Close()
		}
		deadline := time.Now().Add(pipeGrace)
		_ = r.stdout.SetReadDeadline(deadline)
		_ = r.stderr.SetReadDeadline(deadline)
		close(r.exited)
	}()
	return nil
}

// start starts the command, without namespaces if the kernel gives it none.
func (r *procRunner) start() error {
	err := startProcess(r.cmd)
	if err == nil || r.fallBack == nil {
		return err
	}
	plain := &exec.Cmd{Path: r.cmd.Path, Args: r.cmd.Args, Env: r.cmd.Env, Dir: r.cmd.Dir, ExtraFiles: r.cmd.ExtraFiles,
		Stdout: r.cmd.Stdout, Stderr: r.cmd.Stderr, SysProcAttr: withoutParent()}
	if startProcess(plain) != nil {
		return err // it is not for the namespaces
	}
	r.cmd = plain
	r.fallBack()
	return nil
}

// Wait implements runner.Runner. go-plugin calls it when it has read both pipes to their end.
func (r *procRunner) Wait(ctx context.Context) error {
	select {
	case <-r.exited:
		_ = r.stdout.Close()
		_ = r.stderr.Close()
		return r.waitErr
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill implements runner.Runner. It does not wait. A process that has not been started yet will be killed then.
func (r *procRunner) Kill(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doomed = true
	if r.process == nil {
		return nil
	}
	select {
	case <-r.exited:
		return nil
	default:
	}
	if r.group {
		killGroup(r.process.Pid)
	}
	r.shot = true
	if err := r.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill pid %d: %w", r.process.Pid, err)
	}
	return nil
}

func (r *procRunner) Stdout() io.ReadCloser { return r.stdout }
func (r *procRunner) Stderr() io.ReadCloser { return r.stderr }
func (r *procRunner) Name() string          { return r.name }

// ID implements runner.Runner. go-plugin takes an empty one for a process that does not exist.
func (r *procRunner) ID() string {
	if pid := r.pid(); pid != 0 {
		return strconv.Itoa(pid)
	}
	return ""
}

// pid is 0 before the start.
func (r *procRunner) pid() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.process == nil {
		return 0
	}
	return r.process.Pid
}

// Diagnose implements runner.Runner. The host writes its own errors.
func (r *procRunner) Diagnose(context.Context) string { return "" }

func (r *procRunner) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

func (r *procRunner) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// killed tells whether the process ended because it was killed here.
func (r *procRunner) killed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shot && r.state != nil && signalOf(r.state) == killSignal
}

// exit says how the process ended.
func (r *procRunner) exit() error {
	if r.state == nil {
		return fmt.Errorf("it could not be waited for: %w", r.waitErr)
	}
	if sig := signalOf(r.state); sig != "" {
		return fmt.Errorf("it was ended by the signal %s", sig)
	}
	return fmt.Errorf("it exited with status %d", r.state.ExitCode())
}

// addLifeline gives the process the reading end of a pipe that ends when this process does.
func (r *procRunner) addLifeline() error {
	rd, wr, err := os.Pipe()
	if err != nil {
		return err
	}
	r.inherited = append(r.inherited, rd)
	r.lifeline = wr
	r.cmd.ExtraFiles = append(r.cmd.ExtraFiles, rd)
	r.cmd.Env = append(r.cmd.Env, fmt.Sprintf("%s=%d", plugin.EnvLifeline, 2+len(r.cmd.ExtraFiles)))
	return nil
}

// discard closes everything, for a runner that will not be started.
func (r *procRunner) discard() error {
	errs := []error{r.stdout.Close(), r.stderr.Close()}
	for _, c := range r.inherited {
		errs = append(errs, c.Close())
	}
	if r.lifeline != nil {
		errs = append(errs, r.lifeline.Close())
	}
	return errors.Join(errs...)
}
