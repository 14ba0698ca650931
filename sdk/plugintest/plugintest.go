// Package plugintest starts plugin binaries for tests, and holds what every plugin has to pass, whatever its kind.
//
// [Start] starts a binary as a host does, without the host: an author's test needs nothing but the SDK. [Storage], [VM],
// [Transport], [Consensus], [Module] and [Oracle] turn such a process into the factory that the conformance suite of a kind
// asks for. [Run] runs the cases of this package. Each comes with a plugin, in this package's tests, that only this case
// fails.
//
// A process gets what a host gives it: the handshake of go-plugin over a unix socket in a private folder, a token, a lifeline,
// an empty standard input and few environment variables. It is not caged and its resources are not limited.
package plugintest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// T is what this package needs of a *testing.T. A runner outside of go test can implement it: Fatalf must not return.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
	Failed() bool
	TempDir() string
	Context() context.Context
}

const (
	startPatience = 20 * time.Second // until a process has shaken hands and described itself
	callPatience  = 60 * time.Second // until Open or Close has returned
	endPatience   = 5 * time.Second  // until a process that was told to end has ended
)

// Process is a plugin that was started from a binary. Its methods may be called concurrently; those that cannot do what they
// are for end the test.
type Process struct {
	t       T
	command command
	ends    time.Duration // endPatience, unless a test of this package is in a hurry

	mu      sync.Mutex
	current *incarnation
	starts  uint32
	handles uint32
	stderr  *tail
}

// Start starts a binary and asks for its description. At the end of the test the process and all that it has started are
// ended; if the test has failed, the last of its standard error goes to the test's log.
func Start(t T, path string, args ...string) *Process {
	t.Helper()
	return start(t, command{path: path, args: args}, endPatience)
}

func start(t T, c command, ends time.Duration) *Process {
	t.Helper()
	p := &Process{t: t, command: c, ends: ends, stderr: &tail{}}
	t.Cleanup(func() {
		p.end()
		if s := p.stderr.String(); s != "" && t.Failed() {
			t.Logf("standard error of %s:\n%s", c, s)
		}
	})
	p.Restart()
	return p
}

// Restart starts the binary again. A process that still runs is killed first. Handles of the one before are unknown to the
// new one.
func (p *Process) Restart() {
	p.t.Helper()
	p.Kill()
	p.mu.Lock()
	defer p.mu.Unlock()
	in, err := p.command.launch(p.stderr)
	if err != nil {
		p.t.Fatalf("start %s: %v\nits standard error: %s", p.command, err, p.stderr)
	}
	p.current = in
	p.starts++
}

// Kill ends the process and its children with SIGKILL and returns when they are gone.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil {
		p.current.kill()
		p.current = nil
	}
}

// Stop asks the process to end, as a host does, and kills it if it takes longer than 5 s, which is the error.
func (p *Process) Stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	in := p.current
	if in == nil {
		return nil
	}
	p.current = nil
	defer in.kill()
	return in.stop(p.ends)
}

// end is Stop for the end of a test, when nobody wants to know.
func (p *Process) end() { _ = p.Stop() }

// now returns the process that runs, or an error if there is none.
func (p *Process) now() (*incarnation, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil {
		return nil, fmt.Errorf("%s was ended and not started again", p.command)
	}
	return p.current, nil
}

// must is now for methods without an error.
func (p *Process) must() *incarnation {
	p.t.Helper()
	in, err := p.now()
	if err != nil {
		p.t.Fatalf("%v", err)
	}
	return in
}

// Info returns how the plugin has described itself when it was started.
func (p *Process) Info() plugin.Info { return p.must().info }

// Client speaks to the plugin's own service, with nothing filled in.
func (p *Process) Client() *plugin.Client { return p.must().client }

// Conn is the connection to the process. It carries the token.
func (p *Process) Conn() grpc.ClientConnInterface { return p.must().conn }

// PID returns the number of the process.
func (p *Process) PID() int { return p.must().cmd.Process.Pid }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.must().exited }

// Stderr returns the last of what all starts have written to standard error.
func (p *Process) Stderr() string { return p.stderr.String() }

// Open opens an instance and returns its handle and the connection to ask it on. What req leaves empty is filled in: the only
// kind of the plugin, a handle, a chain, the newest rules version, a folder of its own, and a genesis document of nothing but
// a slot of 500 ms. To req.Config, if it is an object, the defaults of the schema are added, as a host adds them.
func (p *Process) Open(ctx context.Context, req plugin.OpenRequest) (uint64, grpc.ClientConnInterface, error) {
	in, err := p.now()
	if err != nil {
		return 0, nil, err
	}
	if req, err = p.complete(in.info, req); err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	if err := in.client.Open(ctx, req); err != nil {
		return 0, nil, err
	}
	return req.Handle, in.conn, nil
}

// Close closes an instance.
func (p *Process) Close(ctx context.Context, handle uint64) error {
	in, err := p.now()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	return in.client.Close(ctx, handle)
}

func (p *Process) newHandle() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handles++
	return plugin.MakeHandle(p.starts, p.handles)
}

// complete fills in what a request leaves empty.
func (p *Process) complete(info plugin.Info, req plugin.OpenRequest) (plugin.OpenRequest, error) {
	if req.Kind == "" {
		if len(info.Kinds) != 1 {
			return req, fmt.Errorf("the plugin has %d kinds: say which to open", len(info.Kinds))
		}
		req.Kind = info.Kinds[0].Kind
	}
	ki, _ := info.Find(req.Kind)
	req.Config = withDefaults(ki.Schema, req.Config)
	if req.Handle == 0 {
		req.Handle = p.newHandle()
	}
	if req.ChainName == "" {
		req.ChainName = "test"
	}
	if req.Rules == "" && len(ki.Rules) > 0 {
		req.Rules = ki.Rules[0]
	}
	if req.Kind != plugin.Transport {
		if req.ChainID == nil {
			req.ChainID = []byte("the chain of a plugin's own test")
		}
		if req.Genesis == nil {
			req.Genesis = []byte(`{"format":1,"slot_ms":500}`)
		}
	}
	if req.DataDir == "" {
		req.DataDir = p.t.TempDir()
	}
	if err := os.MkdirAll(req.DataDir, 0o700); err != nil {
		return req, fmt.Errorf("folder of the instance: %w", err)
	}
	return req, nil
}
