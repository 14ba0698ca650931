package localnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paloalto-chain/paloalto/internal/faultproxy"
)

// Event is told while a network comes up or changes.
type Event struct {
	Node  string `json:"node"`
	Stage string `json:"stage"`
	Error string `json:"error,omitempty"`
}

// Supervisor runs the nodes of one network.
type Supervisor struct {
	dir    string
	state  *State
	exe    string
	env    []string
	adjust func(node string, c *Command)
	notify func(Event)
	lock   *os.File
	server *http.Server
	down   chan struct{} // closed when somebody asks for the end
	once   sync.Once
	closed sync.Once

	faults  *faultproxy.Proxy
	playing atomic.Bool     // a scenario is under way
	ending  context.Context // ends when Close begins
	end     context.CancelFunc

	mu    sync.Mutex
	procs map[string]*proc
	wg    sync.WaitGroup
}

// Options of a supervisor.
type Options struct {
	Exe    string      // the alto binary; empty: the running one
	Env    []string    // of the nodes; nil: this process's
	Notify func(Event) // may be nil; called from several goroutines
	// Adjust has the last word on how a node is started; may be nil.
	Adjust func(node string, c *Command)
	// Faults is the proxy that the links between the nodes go through, so that the control socket can change what it does; nil if
	// they do not. The caller closes it after the supervisor.
	Faults *faultproxy.Proxy
}

// Command is how a node is started.
type Command struct {
	Exe  string
	Args []string
	Env  []string // of its own, besides what all nodes have
}

// NodeError says why a node gave up while it started.
type NodeError struct {
	Node, Stage, Message string
	Code                 int // the node's exit code; 0 if it did not say
}

func (e *NodeError) Error() string {
	return fmt.Sprintf("node %s could not %s: %s", e.Node, e.Stage, e.Message)
}

// ErrRunning says that another process runs the network.
var ErrRunning = errors.New("the network runs already")

// NewSupervisor takes the network's lock and its control socket. Close gives them back.
func NewSupervisor(dir string, o Options) (_ *Supervisor, err error) {
	s := &Supervisor{dir: dir, exe: o.Exe, env: o.Env, adjust: o.Adjust, notify: o.Notify, down: make(chan struct{}), procs: map[string]*proc{},
		faults: o.Faults}
	s.ending, s.end = context.WithCancel(context.Background())
	if s.exe == "" {
		s.exe = SelfExe()
	}
	if s.env == nil {
		s.env = os.Environ()
	}
	if s.notify == nil {
		s.notify = func(Event) {}
	}
	if s.state, err = ReadState(dir); err != nil {
		return nil, err
	}
	if s.lock, err = takeLock(filepath.Join(dir, "lock")); err != nil {
		return nil, fmt.Errorf("network %s: %w", s.state.Name, err)
	}
	token, err := makeToken(dir)
	if err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	l, err := listenControl(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("network %s: control socket: %w", s.state.Name, err), s.lock.Close())
	}
	s.server = &http.Server{Handler: s.handler(token), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second}
	s.wg.Go(func() { _ = s.server.Serve(l) })
	return s, nil
}

// Down is closed when somebody has asked the network to end.
func (s *Supervisor) Down() <-chan struct{} { return s.down }

// StartAll starts all nodes at once and returns when each is ready. The error names the node and the stage.
func (s *Supervisor) StartAll(ctx context.Context) error {
	errs := make([]error, len(s.state.Nodes))
	var wg sync.WaitGroup
	for i, n := range s.state.Nodes {
		wg.Go(func() { errs[i] = s.Start(ctx, n.Name) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Start starts a node and returns when it is ready.
func (s *Supervisor) Start(ctx context.Context, name string) error {
	if s.node(name) == nil {
		return s.unknown(name)
	}
	home := NodeDir(s.dir, name)
	s.mu.Lock()
	if p := s.procs[name]; p != nil && p.alive() {
		s.mu.Unlock()
		return fmt.Errorf("node %s runs already (pid %d)", name, p.pid())
	}
	s.notify(Event{Node: name, Stage: "start"})
	c := Command{Exe: s.exe, Args: []string{"node", "run", "--home", home}}
	if s.adjust != nil {
		s.adjust(name, &c)
	}
	p, err := startProc(c.Exe, c.Args, append(slices.Clone(s.env), c.Env...), filepath.Join(home, "node.log"))
	if err != nil {
		s.mu.Unlock()
		return fmt.Errorf("node %s: %w", name, err)
	}
	s.procs[name] = p
	s.mu.Unlock()
	s.wg.Go(func() { s.watch(name, p) })
	stage := "start"
	for {
		select {
		case r, ok := <-p.reports:
			switch {
			case !ok:
				<-p.done
				return fmt.Errorf("node %s ended during %q: %w; its log: %s%s", name, stage, orNil(p.err), filepath.Join(home, "node.log"), lastLines(filepath.Join(home, "node.log")))
			case r.Error != "":
				<-p.done
				return &NodeError{Node: name, Stage: stage, Message: r.Error, Code: r.Code}
			case r.API != "":
				s.notify(Event{Node: name, Stage: "ready"})
				return nil
			default:
				stage = r.Stage
				s.notify(Event{Node: name, Stage: stage})
			}
		case <-ctx.Done():
			_ = p.stop(context.WithoutCancel(ctx))
			return fmt.Errorf("node %s was not ready in time; it was at %q; its log: %s", name, stage, filepath.Join(home, "node.log"))
		}
	}
}

func orNil(err error) error {
	if err == nil {
		return errors.New("it ended by itself")
	}
	return err
}

// watch tells when a node ends that nobody told to.
func (s *Supervisor) watch(name string, p *proc) {
	<-p.done
	p.mu.Lock()
	asked := p.asked
	p.mu.Unlock()
	e := Event{Node: name, Stage: "stopped"}
	if !asked {
		e.Error = fmt.Sprintf("the node ended: %v; `alto node restart %s` starts it again", orNil(p.err), name)
	}
	s.notify(e)
}

// Stop ends a node.
func (s *Supervisor) Stop(ctx context.Context, name string) error {
	if s.node(name) == nil {
		return s.unknown(name)
	}
	s.mu.Lock()
	p := s.procs[name]
	s.mu.Unlock()
	if p == nil || !p.alive() {
		return nil
	}
	if err := p.stop(ctx); err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	return nil
}

// Restart ends a node if it runs, and starts it.
func (s *Supervisor) Restart(ctx context.Context, name string) error {
	if err := s.Stop(ctx, name); err != nil {
		return err
	}
	return s.Start(ctx, name)
}

func (s *Supervisor) node(name string) *NodeState {
	for i := range s.state.Nodes {
		if s.state.Nodes[i].Name == name {
			return &s.state.Nodes[i]
		}
	}
	return nil
}

func (s *Supervisor) unknown(name string) error {
	names := make([]string, 0, len(s.state.Nodes))
	for _, n := range s.state.Nodes {
		names = append(names, n.Name)
	}
	return fmt.Errorf("network %s has no node %q; it has %v", s.state.Name, name, names)
}

// Pids returns the process of each node that runs.
func (s *Supervisor) Pids() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]int{}
	for name, p := range s.procs {
		if p.alive() {
			out[name] = p.pid()
		}
	}
	return out
}

// Close ends all nodes and gives back lock and socket. When it returns nothing of the network runs. Closing again is harmless.
func (s *Supervisor) Close(ctx context.Context) (err error) {
	s.closed.Do(func() { err = s.close(ctx) })
	return err
}

func (s *Supervisor) close(ctx context.Context) error {
	s.end()
	var wg sync.WaitGroup
	errs := make([]error, len(s.state.Nodes))
	for i, n := range s.state.Nodes {
		wg.Go(func() { errs[i] = s.Stop(ctx, n.Name) })
	}
	wg.Wait()
	sctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := s.server.Shutdown(sctx); err != nil {
		_ = s.server.Close()
	}
	s.wg.Wait()
	return errors.Join(errors.Join(errs...), s.lock.Close())
}

// askDown is called by the control socket.
func (s *Supervisor) askDown() { s.once.Do(func() { close(s.down) }) }

func dialControl(dir string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", controlAddress(dir))
	}
}
