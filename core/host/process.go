package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Process is a running plugin. Behind it is one process of the operating system, or several: one a chain with
// isolation, and one for each instance under suspicion.
type Process struct {
	h     *Host // nil in process
	spec  Spec
	key   string
	log   *logFile
	image *image
	local plugin.Plugin // in process

	begun    chan struct{}
	beginErr error
	info     plugin.Info // valid once begun

	mu        sync.Mutex
	refs      int // guarded by the host's lock
	units     map[*unit]struct{}
	shared    *unit
	instances map[*Instance]struct{}
	numbers   uint32
	ended     bool
	endOnce   sync.Once
	endErr    error
	life      context.Context // ends when the process is ended
	kill      context.CancelFunc
}

func newProcess(h *Host, spec Spec, key string, log *logFile) *Process {
	p := &Process{
		h: h, spec: spec, key: key, log: log, begun: make(chan struct{}),
		units: map[*unit]struct{}{}, instances: map[*Instance]struct{}{},
	}
	p.life, p.kill = context.WithCancel(context.Background())
	return p
}

// begin loads the binary and starts the first process.
func (p *Process) begin() {
	defer close(p.begun)
	err := p.load()
	if err == nil {
		err = p.first()
	}
	if err == nil {
		return
	}
	p.beginErr = err
	p.h.mu.Lock()
	delete(p.h.processes, p.key)
	p.h.mu.Unlock()
	p.kill()
	p.unload()
}

func (p *Process) load() error {
	if p.spec.DataDir != "" {
		if err := os.MkdirAll(p.spec.DataDir, 0o700); err != nil {
			return &StartError{Name: p.spec.Name, Path: p.spec.where(), Cause: fmt.Errorf("make its data folder: %w", err)}
		}
	}
	if p.spec.Builtin {
		return nil
	}
	image, err := p.h.images.load(p.spec.Path, p.spec.SHA256, p.h.runDir)
	if err != nil {
		return &StartError{Name: p.spec.Name, Path: p.spec.Path, Cause: err}
	}
	p.image = image
	return nil
}

func (p *Process) unload() {
	if p.image != nil {
		p.h.images.release(p.image)
		p.image = nil
	}
}

// first starts a process to learn the description. With isolation it has no instances and is ended again: an instance's
// own process may write that instance's folder only.
func (p *Process) first() error {
	u := newUnit(p, "", p.spec.DataDir)
	if p.spec.Isolation == PerChain {
		u.dataDir = ""
	}
	inc, err := u.launch(p.life)
	if err != nil {
		return err
	}
	p.info = inc.info
	if p.spec.Isolation == PerChain {
		inc.stop()
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		inc.stop()
		return fmt.Errorf("start plugin %q: %w", p.spec.Name, ErrClosed)
	}
	p.shared = u
	p.adopt(u, inc)
	return nil
}

// adopt lets a unit run; the lock is held.
func (p *Process) adopt(u *unit, inc *incarnation) {
	p.units[u] = struct{}{}
	go u.supervise(inc)
}

// newUnitFor makes a process for one instance alone, which may write that instance's folder only. It returns nil once the
// plugin is ended.
func (p *Process) newUnitFor(inst *Instance) *unit {
	u := newUnit(p, inst.req.ChainName, inst.req.DataDir)
	u.solo = true
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil
	}
	p.adopt(u, nil)
	return u
}

func (p *Process) dropUnit(u *unit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.units, u)
}

func (p *Process) nextIncarnation() uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.numbers++
	return p.numbers
}

// Info returns how the plugin describes itself.
func (p *Process) Info() plugin.Info { return p.info }

// Digest returns the SHA-256 of an external plugin's file in hexadecimal, or "" for a built-in one.
func (p *Process) Digest() string {
	if p.image == nil {
		return ""
	}
	return p.image.digest
}

// Open opens an instance and returns when it is ready. req.Handle is ignored. services may be nil if the instance needs
// none of the core. The error is the plugin's own if it refuses; if the process is lost meanwhile, Open tries again until
// ctx ends or the plugin has failed.
func (p *Process) Open(ctx context.Context, req plugin.OpenRequest, services plugin.Host) (*Instance, error) {
	return p.open(ctx, req, services, false)
}

// Solo is Open in a process of the instance's own, in which nothing else is and nothing else comes: what it does not survive
// is known to be its own, and no other instance is blamed or disturbed, not even another of the same chain. It is for finding out
// what a plugin does with something, and for asking twice. The process may write req.DataDir only, which must not be the folder
// of another open instance (empty: it needs none), and ends when the instance is closed. services nil keeps it from signing.
func (p *Process) Solo(ctx context.Context, services plugin.Host, req plugin.OpenRequest) (*Instance, error) {
	return p.open(ctx, req, services, true)
}

func (p *Process) open(ctx context.Context, req plugin.OpenRequest, services plugin.Host, alone bool) (*Instance, error) {
	if _, ok := p.info.Find(req.Kind); !ok {
		return nil, fmt.Errorf("open %s plugin %q: %w: it is %s", req.Kind, p.spec.Name, plugin.ErrWrongKind, kindsText(p.info))
	}
	if err := p.makeDataDir(req.DataDir); err != nil {
		return nil, fmt.Errorf("open plugin %q for chain %q: %w", p.spec.Name, req.ChainName, err)
	}
	inst := newInstance(p, req, services)
	if p.local != nil {
		return inst, inst.openLocal(ctx)
	}
	if err := p.register(inst, alone); err != nil {
		return nil, err
	}
	opened := make(chan error, 1)
	go inst.keep(opened)
	select {
	case err := <-opened:
		if err == nil {
			return inst, nil
		}
		_ = inst.Close(context.WithoutCancel(ctx)) // there is nothing to close
		return nil, fmt.Errorf("open plugin %q for chain %q: %w", p.spec.Name, req.ChainName, err)
	case <-ctx.Done():
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = inst.Close(closing)
		return nil, fmt.Errorf("open plugin %q for chain %q: %w", p.spec.Name, req.ChainName, context.Cause(ctx))
	}
}

// makeDataDir makes an instance's folder, which must lie where the sandbox lets the process write.
func (p *Process) makeDataDir(dir string) error {
	if dir == "" {
		return nil
	}
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("data folder %q is not absolute", dir)
	}
	if p.local == nil && p.spec.Isolation == Shared {
		rel, err := filepath.Rel(p.spec.DataDir, dir)
		if p.spec.DataDir == "" || err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
			return fmt.Errorf("data folder %s is not in %q, which is all that the process may write", dir, p.spec.DataDir)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	return nil
}

// register gives an instance its unit, one of its own if it is to be alone.
func (p *Process) register(inst *Instance, alone bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return fmt.Errorf("open plugin %q: %w", p.spec.Name, ErrClosed)
	}
	u := p.shared
	if alone {
		u = nil
		for other := range p.instances {
			if dir := inst.req.DataDir; dir != "" && filepath.Clean(dir) == filepath.Clean(other.req.DataDir) {
				return fmt.Errorf("open plugin %q for chain %q in a process of its own: the folder %s is another instance's; give it one of its own",
					p.spec.Name, inst.req.ChainName, dir)
			}
		}
	}
	if u == nil {
		u = newUnit(p, inst.req.ChainName, inst.req.DataDir)
		u.solo = true
		p.adopt(u, nil)
	}
	p.instances[inst] = struct{}{}
	inst.moveTo(u)
	return nil
}

func (p *Process) forget(inst *Instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.instances, inst)
}

// Release gives back one Start. The last one ends the plugin, as Close of the host does.
func (p *Process) Release(ctx context.Context) error {
	if p.h == nil {
		return p.end(ctx)
	}
	p.h.mu.Lock()
	p.refs--
	last := p.refs == 0
	if last && p.h.processes[p.key] == p {
		delete(p.h.processes, p.key)
	}
	p.h.mu.Unlock()
	if !last {
		return nil
	}
	return p.end(ctx)
}

// end drains the plugin, closes its instances and ends its processes.
func (p *Process) end(ctx context.Context) error {
	p.endOnce.Do(func() { p.endErr = p.doEnd(ctx) })
	return p.endErr
}

func (p *Process) doEnd(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, closeTimeout)
		defer cancel()
	}
	p.mu.Lock()
	p.ended = true
	units, instances := keys(p.units), keys(p.instances)
	p.mu.Unlock()
	p.kill() // a start that is under way
	if p.h != nil {
		<-p.begun
	}

	var wg sync.WaitGroup
	drain, cancel := share(ctx, 3)
	for _, u := range units {
		wg.Go(func() {
			if inc := u.current(); inc != nil {
				_ = inc.client.Drain(drain) // it is stopped in any case
			}
		})
	}
	wg.Wait()
	cancel()

	closing, cancel := share(ctx, 2)
	errs := make([]error, len(instances))
	for n, inst := range instances {
		wg.Go(func() { errs[n] = inst.Close(closing) })
	}
	wg.Wait()
	cancel()

	for _, u := range units {
		wg.Go(u.close)
	}
	wg.Wait()
	p.unload()
	return errors.Join(errs...)
}

// share returns a context with a part of the time that ctx has left.
func share(ctx context.Context, parts int) (context.Context, context.CancelFunc) {
	deadline, _ := ctx.Deadline()
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(parts))
}

func keys[K comparable](m map[K]struct{}) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}
