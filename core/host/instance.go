package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/paloalto-chain/paloalto/sdk/plugin"
)

// Instance is an open instance of a plugin, for a chain. It survives restarts of the process.
type Instance struct {
	p        *Process
	req      plugin.OpenRequest
	services plugin.Host
	local    any // in process

	ctx    context.Context // ends when the instance is closed or has failed
	cancel context.CancelFunc
	done   chan struct{} // closed when the keeper has ended
	failed chan struct{}

	mu       sync.Mutex
	unit     *unit
	moved    chan struct{} // closed, and replaced, when unit changes
	bound    *binding      // nil while it is not open
	changed  chan struct{} // closed, and replaced, when there is something new for who waits in acquire
	opens    uint64
	err      error // why it has failed or was closed
	closeErr error

	// For blaming.
	crashes []time.Time  // that count, without progress since, newest last
	latest  *binding     // the last that there was
	opening *incarnation // in which it is being opened, or was when that was lost
	harms   int          // done by questions, in a row
	harmed  time.Time    // the last time
	rested  time.Time    // until when questions rest
	again   int          // needed calls that are being made again
	// After a loss of which nobody knows whose it was: no questions until a call that was lost is answered, or the chain has
	// got on.
	untilAnswer, untilProgress bool
}

// binding is an instance as it is open in one incarnation.
type binding struct {
	inc      *incarnation
	handle   uint64
	once     sync.Once
	broken   chan struct{}   // closed when this binding alone is over, such as after a panic
	whole    context.Context // ends with the binding, and so does what is under way in it
	end      context.CancelFunc
	brokenBy manner // set before
	load     load   // guarded by the instance's lock
}

// over tells when the binding can't be used any more.
func (b *binding) over() bool { return isClosed(b.inc.dead) || isClosed(b.broken) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func newInstance(p *Process, req plugin.OpenRequest, services plugin.Host) *Instance {
	i := &Instance{p: p, req: req, services: services, done: make(chan struct{}), failed: make(chan struct{}),
		moved: make(chan struct{}), changed: make(chan struct{})}
	i.ctx, i.cancel = context.WithCancel(context.Background())
	return i
}

// keep opens the instance in each incarnation of its unit, until it is closed or has failed. The outcome of the first
// opening goes to opened.
func (i *Instance) keep(opened chan<- error) {
	defer close(i.done)
	defer i.leave()
	first := true
	report := func(err error) {
		if first {
			opened <- err
			first = false
		}
	}
	for {
		u, moved := i.place()
		inc := u.ready(i.ctx, moved)
		if inc == nil {
			if i.ctx.Err() != nil {
				report(i.Err())
				return
			}
			if u.ctx.Err() != nil { // the plugin is being ended
				i.fail(fmt.Errorf("plugin %q: %w", i.p.spec.Name, ErrClosed))
			}
			continue
		}
		i.opensIn(inc)
		handle, err := inc.open(i.ctx, i)
		if err != nil {
			if inc.lostBy(err) {
				continue // the unit blames it
			}
			i.opensIn(nil)
			if i.ctx.Err() != nil { // closed, or failed, meanwhile
				report(i.Err())
				return
			}
			if first || errors.Is(err, plugin.ErrBadConfig) || errors.Is(err, plugin.ErrWrongKind) {
				report(err)
				i.fail(fmt.Errorf("%w: plugin %q refuses to open chain %q: %w", ErrFailed, i.p.spec.Name, i.req.ChainName, err))
				return
			}
			i.blame(fmt.Errorf("open again: %w", err))
			i.rest()
			continue
		}
		i.opensIn(nil)
		b := &binding{inc: inc, handle: handle, broken: make(chan struct{})}
		b.whole, b.end = context.WithCancel(inc.ctx)
		i.bind(b)
		report(nil)
		select {
		case <-inc.dead:
			i.bind(nil)
		case <-b.broken:
			i.bind(nil)
			i.closeOn(inc, handle, min(i.p.spec.OpenTimeout, brokenClose), b.brokenBy)
			i.rest()
		case <-moved:
			i.bind(nil)
			i.closeOn(inc, handle, i.p.spec.OpenTimeout, needed)
		case <-i.ctx.Done():
			i.bind(nil)
			i.closeOn(inc, handle, i.p.spec.OpenTimeout, needed)
			return
		}
	}
}

// brokenClose is how long the closing of a broken instance may take: its locks may be held for ever, and the chain waits.
const brokenClose = 5 * time.Second

// closeOn closes a handle. A plugin that does not answer that is hung.
func (i *Instance) closeOn(inc *incarnation, handle uint64, limit time.Duration, why manner) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := inc.close(ctx, handle)
	if err != nil && inc.lostBy(err) { // closed enough
		return
	}
	if ctx.Err() != nil {
		inc.loseBy(fmt.Errorf("%w: closing took more than %s", ErrHung, limit), i, why)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closeErr = err
}

// rest is the pause before an instance alone is opened again.
func (i *Instance) rest() {
	i.mu.Lock()
	n := len(i.crashes)
	i.mu.Unlock()
	if n <= 1 {
		return
	}
	timer := time.NewTimer(min(firstBackoff<<min(n-2, 10), maxBackoff))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-i.ctx.Done():
	}
}

func (i *Instance) leave() {
	i.mu.Lock()
	u := i.unit
	i.mu.Unlock()
	u.detach(i)
	i.p.forget(i)
}

func (i *Instance) place() (*unit, <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.unit, i.moved
}

// moveTo gives the instance another unit.
func (i *Instance) moveTo(u *unit) {
	i.mu.Lock()
	old := i.unit
	i.unit = u
	close(i.moved)
	i.moved = make(chan struct{})
	i.mu.Unlock()
	u.attach(i)
	if old != nil {
		old.detach(i)
	}
}

func (i *Instance) bind(b *binding) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.bound = b
	if b != nil {
		i.latest = b
		i.opens++
	}
	i.wake()
}

// Failed is closed when the instance has failed for good, or is closed.
func (i *Instance) Failed() <-chan struct{} { return i.failed }

// Err says why the instance has failed: an error that wraps [ErrFailed] or [ErrClosed], or nil.
func (i *Instance) Err() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.err
}

// Opens counts how often the instance was opened. A higher number than before means that the plugin has lost whatever it
// kept in memory.
func (i *Instance) Opens() uint64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.opens
}

// Info describes the instance's kind.
func (i *Instance) Info() plugin.KindInfo {
	ki, _ := i.p.info.Find(i.req.Kind)
	return ki
}

// Process returns the plugin that the instance is of.
func (i *Instance) Process() *Process { return i.p }

// Close ends the instance. The error is the plugin's, or ctx's if closing takes longer.
func (i *Instance) Close(ctx context.Context) error {
	i.fail(fmt.Errorf("plugin %q, chain %q: %w", i.p.spec.Name, i.req.ChainName, ErrClosed))
	if i.p.local != nil {
		return i.closeLocal()
	}
	select {
	case <-i.done:
	case <-ctx.Done():
		return fmt.Errorf("close plugin %q for chain %q: %w", i.p.spec.Name, i.req.ChainName, ctx.Err())
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closeErr != nil && !errors.Is(i.closeErr, context.Canceled) {
		return fmt.Errorf("close plugin %q for chain %q: %w", i.p.spec.Name, i.req.ChainName, i.closeErr)
	}
	return nil
}

func (i *Instance) status() InstanceStatus {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := InstanceStatus{Chain: i.req.ChainName, Kind: i.req.Kind, Ready: i.bound != nil && !i.bound.over(), Crashes: len(i.crashes)}
	if time.Since(i.harmed) <= askCalm {
		s.Harms = i.harms
	}
	if i.err != nil {
		s.Failed = i.err.Error()
	}
	return s
}

func (i *Instance) openLocal(ctx context.Context) error {
	v, err := i.p.local.Open(ctx, i.services, i.req)
	if err != nil {
		return fmt.Errorf("open plugin %q for chain %q: %w", i.p.spec.Name, i.req.ChainName, err)
	}
	i.local, i.opens = v, 1
	return nil
}

func (i *Instance) closeLocal() error {
	var err error
	if c, ok := i.local.(io.Closer); ok {
		err = c.Close()
	}
	return err
}
