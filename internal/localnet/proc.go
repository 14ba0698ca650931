package localnet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Environment of a node's process.
const (
	// EnvLifeline holds the number of a file descriptor that ends when the supervisor is gone.
	EnvLifeline = "ALTO_LIFELINE"
	// EnvReady holds the number of a file descriptor to which the node writes [Report] values, a line each.
	EnvReady = "ALTO_READY"
)

// Report is what a node tells its supervisor while it starts.
type Report struct {
	Stage string `json:"stage,omitempty"` // what it is about to do
	API   string `json:"api,omitempty"`   // it is ready, and listens here (host:port)
	Error string `json:"error,omitempty"` // it gives up
	Code  int    `json:"code,omitempty"`  // the exit code that goes with the error
}

// Timeouts of a node's process.
const (
	stopTimeout = 6 * time.Second // from SIGTERM to SIGKILL
	logBytes    = 20 << 20        // size at which a node's log is moved to .1
)

// proc is one run of a node's process.
type proc struct {
	cmd      *exec.Cmd
	lifeline *os.File // our end; closing it tells the node to end
	reports  chan Report
	done     chan struct{} // closed when the process has been reaped
	err      error         // how it ended; valid once done is closed
	mu       sync.Mutex
	asked    bool // it was told to end
}

// startProc starts a node. logPath gets its output.
func startProc(exe string, args, env []string, logPath string) (_ *proc, err error) {
	if err := rotate(logPath); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("node's log: %w", err)
	}
	defer log.Close()
	lifeR, lifeW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer lifeR.Close()
	readyR, readyW, err := os.Pipe()
	if err != nil {
		_ = lifeW.Close()
		return nil, err
	}
	defer readyW.Close()
	cmd := exec.Command(exe, args...)
	cmd.Args[0] = "alto" // for ps, and for binaries that look at their name
	cmd.Env = append(env, EnvLifeline+"=3", EnvReady+"=4")
	cmd.ExtraFiles = []*os.File{lifeR, readyW}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the supervisor, which ends the nodes in order
	if err := cmd.Start(); err != nil {
		_ = lifeW.Close()
		_ = readyR.Close()
		return nil, fmt.Errorf("start %s: %w", exe, err)
	}
	p := &proc{cmd: cmd, lifeline: lifeW, reports: make(chan Report, 64), done: make(chan struct{})}
	go p.read(readyR)
	go p.wait()
	return p, nil
}

func rotate(path string) error {
	if st, err := os.Stat(path); err == nil && st.Size() > logBytes {
		if err := os.Rename(path, path+".1"); err != nil {
			return fmt.Errorf("rotate the log: %w", err)
		}
	}
	return os.MkdirAll(filepath.Dir(path), 0o700)
}

// read passes the node's reports on until it closes its end.
func (p *proc) read(r io.ReadCloser) {
	defer r.Close()
	defer close(p.reports)
	s := bufio.NewScanner(io.LimitReader(r, 1<<20))
	for s.Scan() {
		var rep Report
		if json.Unmarshal(s.Bytes(), &rep) == nil {
			select {
			case p.reports <- rep: // also if the process has ended by now
				continue
			default:
			}
			select {
			case p.reports <- rep:
			case <-p.done:
			}
		}
	}
}

func (p *proc) wait() {
	p.err = p.cmd.Wait()
	_ = p.lifeline.Close()
	close(p.done)
}

func (p *proc) pid() int { return p.cmd.Process.Pid }

// stop asks the process to end, and kills it if it does not.
func (p *proc) stop(ctx context.Context) error {
	p.mu.Lock()
	p.asked = true
	p.mu.Unlock()
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	t := time.NewTimer(stopTimeout)
	defer t.Stop()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	case <-t.C:
	}
	err := p.cmd.Process.Kill()
	<-p.done
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return fmt.Errorf("pid %d did not end within %s and was killed", p.pid(), stopTimeout)
}

// alive tells whether the process runs.
func (p *proc) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}
