package plugintest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Binary is a plugin under test.
type Binary struct {
	Path string
	Args []string
	// Request returns what Open needs for a kind besides the defaults of the schema; see [Process.Open]. Nil: nothing.
	Request func(kind plugin.Kind) plugin.OpenRequest
	// Patience is how long a case waits for what must happen; 0 is 20 s. It is no part of any verdict but "never".
	Patience time.Duration

	shared *shared
	grace  time.Duration // until a process that was told to end is killed; 0 is endPatience
	rounds int           // of many-rounds; 0 is many
}

// shared is a process that the cases which do it no harm use one after the other.
type shared struct {
	mu sync.Mutex
	t  T
	p  *Process
}

// Case is one property of a plugin.
type Case struct {
	Name string
	Why  string // what goes wrong on a node whose plugin does not have it
	Run  func(t T, b Binary)
}

// Cases returns all cases.
func Cases() []Case {
	return slices.Concat(describeCases(), openCases(), callCases(), lifeCases())
}

// Run runs all cases as subtests.
func Run(t *testing.T, b Binary) {
	t.Helper()
	b.shared = &shared{t: t}
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, b) })
	}
}

func (b *Binary) patience() time.Duration {
	if b.Patience == 0 {
		return 20 * time.Second
	}
	return b.Patience
}

// start starts a process for a case of its own. Its standard input is open and says nothing, as it is when a developer starts
// something in the background.
func (b *Binary) start(t T) *Process {
	t.Helper()
	return b.launch(t, true)
}

func (b *Binary) launch(t T, openStdin bool) *Process {
	t.Helper()
	grace := b.grace
	if grace == 0 {
		grace = endPatience
	}
	return start(t, command{path: b.Path, args: b.Args, openStdin: openStdin}, grace)
}

// process returns a process that the case does no harm to.
func (b *Binary) process(t T) *Process {
	t.Helper()
	if b.shared == nil {
		return b.start(t)
	}
	b.shared.mu.Lock()
	defer b.shared.mu.Unlock()
	if b.shared.p != nil {
		select {
		case <-b.shared.p.Exited(): // an earlier case has ended it, and has failed
		default:
			return b.shared.p
		}
	}
	b.shared.p = b.start(b.shared.t)
	return b.shared.p
}

// call returns a context for calls.
func (b *Binary) call(t T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), b.patience())
}

// request is what to open an instance of a kind with.
func (b *Binary) request(kind plugin.Kind) plugin.OpenRequest {
	var req plugin.OpenRequest
	if b.Request != nil {
		req = b.Request(kind)
	}
	req.Kind = kind
	return req
}

// opened is an instance under test.
type opened struct {
	t      T
	p      *Process
	kind   plugin.Kind
	handle uint64
	dir    string
}

// open opens an instance in a folder, "" for a new one.
func (b *Binary) open(t T, p *Process, kind plugin.Kind, dir string, change ...func(*plugin.OpenRequest)) *opened {
	t.Helper()
	req := b.request(kind)
	if req.DataDir = dir; dir == "" {
		req.DataDir = t.TempDir()
	}
	for _, f := range change {
		f(&req)
	}
	ctx, cancel := b.call(t)
	defer cancel()
	h, _, err := p.Open(ctx, req)
	if err != nil {
		t.Fatalf("open a %s instance: %v", kind, err)
	}
	return &opened{t, p, kind, h, req.DataDir}
}

func (o *opened) close() {
	o.t.Helper()
	if err := o.p.Close(context.WithoutCancel(o.t.Context()), o.handle); err != nil {
		o.t.Errorf("close a %s instance: %v", o.kind, err)
	}
}

// answers demands that an instance answers a call of its kind.
func (b *Binary) answers(t T, o *opened, when string) {
	t.Helper()
	ctx, cancel := b.call(t)
	defer cancel()
	if err := touch(ctx, o.kind, o.p.Conn(), o.handle); err != nil {
		t.Errorf("a call on a %s instance %s: %v", o.kind, when, err)
	}
}

// unknown demands that a handle is named as unknown.
func (b *Binary) unknown(t T, p *Process, kind plugin.Kind, handle uint64, when string) {
	t.Helper()
	ctx, cancel := b.call(t)
	defer cancel()
	if err := touch(ctx, kind, p.Conn(), handle); !errors.Is(err, plugin.ErrUnknownInstance) {
		t.Errorf("a call on a %s instance %s: %v, want ErrUnknownInstance", kind, when, err)
	}
}

// exits waits for a process to end.
func (b *Binary) exits(t T, exited <-chan struct{}, when string) {
	t.Helper()
	timer := time.NewTimer(b.patience())
	defer timer.Stop()
	select {
	case <-exited:
	case <-timer.C:
		t.Errorf("the process still runs %s after %s", b.patience(), when)
	}
}
